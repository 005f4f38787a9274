"""Who is enrolled where: the tables of a run put side by side, no row of the enrolments twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.analysis.provisioning.tables import in_states, once, over_tables, wide

if TYPE_CHECKING:
    from collections.abc import Mapping


LOGIN_COLUMNS = ("canvas_user_id", "user_id", "login_id", "status")
_RANKS = {"active": 0, "suspended": 1, "deleted": 2}
_OF_PERSON = {
    "login_id": "login_id",
    "full_name": "full_name",
    "sortable_name": "sortable_name",
    "email": "email",
    "status": "login_status",
    "logins": "logins",
}
_OF_SECTION = {"name": "section_name", "status": "section_status"}
_OF_COURSE = {
    "short_name": "course_short_name",
    "long_name": "course_long_name",
    "status": "course_status",
    "canvas_account_id": "canvas_account_id",
    "account_id": "account_id",
    "canvas_term_id": "canvas_term_id",
    "term_id": "term_id",
}
_OF_TERM = {"name": "term_name", "start_date": "term_start_date", "end_date": "term_end_date"}
_COMPARED = (
    "canvas_course_id",
    "course_id",
    "short_name",
    "long_name",
    "canvas_account_id",
    "canvas_term_id",
)


@over_tables(
    enrollments=("canvas_user_id", "canvas_section_id", "canvas_course_id"),
    users=LOGIN_COLUMNS,
    sections=("canvas_section_id",),
    courses=("canvas_course_id", "canvas_term_id"),
    terms=("canvas_term_id",),
)
def roster(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Every enrolment with its person, section, course and term beside it.

    A merge with ``users`` repeats the enrolments of whoever has two logins; here each stays one row.

    Parameters
    ----------
    tables : mapping of str to frame
        ``enrollments``, ``users``, ``sections``, ``courses`` and ``terms``, of one run of provisioning_csv.

    Returns
    -------
    frame
        Of the kind of ``enrollments``, one row an enrolment of whatever role and status, in the file's
        order; a repeated one counts once. First its own columns, unchanged, so ``user_id`` is the SIS id
        Canvas chose for it; then ``login_id``, ``full_name``, ``sortable_name``, ``email``,
        ``login_status`` and ``logins`` (Int64) as in `people`; ``section_name``, ``section_status``;
        ``course_short_name``, ``course_long_name``, ``course_status``, ``canvas_account_id``,
        ``account_id``, ``canvas_term_id``, ``term_id``; ``term_name``, ``term_start_date``,
        ``term_end_date``. What an enrolment points to and the run lacks is missing (see `references`).

    Notes
    -----
    A person in two sections of a course has two rows: for heads, count different ``canvas_user_id``.
    """
    terms = wide(once(tables, "terms"), "canvas_term_id", _OF_TERM)
    courses = wide(once(tables, "courses"), "canvas_course_id", _OF_COURSE)
    beside = {
        "canvas_user_id": wide(persons(tables), "canvas_user_id", _OF_PERSON),
        "canvas_section_id": wide(once(tables, "sections"), "canvas_section_id", _OF_SECTION),
        "canvas_course_id": courses.join(terms, on="canvas_term_id", how="left", maintain_order="left"),
    }
    rows = once(tables, "enrollments")
    for key, frame in beside.items():
        rows = rows.join(frame, on=key, how="left", maintain_order="left")
    return rows


@over_tables(
    enrollments=("canvas_user_id", "canvas_course_id", "role", "status"),
    courses=("canvas_course_id", "canvas_term_id"),
    terms=("canvas_term_id", "term_id", "name"),
)
def enrollment_counts(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """How many are enrolled, by term, role and state.

    Parameters
    ----------
    tables : mapping of str to frame
        ``enrollments``, ``courses`` and ``terms``, of one run of provisioning_csv.

    Returns
    -------
    frame
        One row a ``canvas_term_id``, ``role`` and ``status`` that occur together, in that order, with
        ``term_id`` and ``term_name``, and three counts (Int64): ``enrollments``; ``course_enrollments``,
        which has a person in two sections of a course once; ``people``, which has a person in two courses
        once. Only ``enrollments`` adds up over rows in every way. The term is missing where the run lacks
        the course.
    """
    group = ["canvas_term_id", "role", "status"]
    terms = wide(once(tables, "terms"), "canvas_term_id", {"term_id": "term_id", "name": "term_name"})
    rows = once(tables, "enrollments").with_columns(pl.col("role", "status").cast(pl.String))
    courses = once(tables, "courses").select("canvas_course_id", "canvas_term_id")
    return (
        rows.join(courses, on="canvas_course_id", how="left")
        .group_by(*group, "canvas_course_id", "canvas_user_id")
        .agg(enrollments=pl.len().cast(pl.Int64))
        .group_by(group)
        .agg(
            pl.col("enrollments").sum(),
            course_enrollments=pl.len().cast(pl.Int64),
            people=pl.col("canvas_user_id").n_unique().cast(pl.Int64),
        )
        .join(terms, on="canvas_term_id", how="left")
        .sort(group, nulls_last=True)
        .select(
            "canvas_term_id", "term_id", "term_name", "role", "status",
            "enrollments", "course_enrollments", "people",
        )
    )  # fmt: skip


@over_tables(
    xlist=(
        "canvas_section_id",
        "section_id",
        "canvas_xlist_course_id",
        "canvas_nonxlist_course_id",
        "status",
    ),
    sections=("canvas_section_id", "name"),
    courses=_COMPARED,
)
def cross_lists(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Each cross-listed section with the course it came from and the course it sits in.

    Enrolments and sections show only the course a section sits in; join this on ``canvas_section_id`` to
    give them back to the department that taught them.

    Parameters
    ----------
    tables : mapping of str to frame
        ``xlist``, ``sections`` and ``courses``, of one run of provisioning_csv.

    Returns
    -------
    frame
        One row a cross-listed section, in the file's order: ``canvas_section_id``, ``section_id``,
        ``section_name``, ``status`` of the cross-listing; ``home_canvas_course_id``, ``home_course_id``,
        ``home_short_name``, ``home_long_name``, ``home_canvas_account_id``, ``home_canvas_term_id`` of the
        course it came from; the same with ``host_`` of the course it sits in; ``same_account`` and
        ``same_term`` (boolean, missing where the run lacks one of the courses).
    """
    courses = once(tables, "courses")
    names = wide(once(tables, "sections"), "canvas_section_id", {"name": "section_name"})
    rows = once(tables, "xlist").join(names, on="canvas_section_id", how="left", maintain_order="left")
    for side, column in (("home", "canvas_nonxlist_course_id"), ("host", "canvas_xlist_course_id")):
        one = courses.select(
            pl.col("canvas_course_id").alias(column), pl.col(*_COMPARED[1:]).name.prefix(f"{side}_")
        )
        rows = rows.join(one, on=column, how="left", maintain_order="left").rename(
            {column: f"{side}_canvas_course_id"}
        )
    return rows.select(
        *("canvas_section_id", "section_id", "section_name", "status"),
        *(f"{side}_{column}" for side in ("home", "host") for column in _COMPARED),
        same_account=pl.col("home_canvas_account_id") == pl.col("host_canvas_account_id"),
        same_term=pl.col("home_canvas_term_id") == pl.col("host_canvas_term_id"),
    )


#: What a login must have to be told from others.


@over_tables(users=LOGIN_COLUMNS)
def people(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """One row a person, over all the logins the person has.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users``, of provisioning_csv. Rows of the same login (person, name, provider, SIS id and status)
        count once.

    Returns
    -------
    frame
        Of the kind of ``users``, one row a ``canvas_user_id``, in its order, and behind them one row for each
        login without that id, for nobody knows whose it is. First the columns of ``users``, as they stand at
        one login: an active one before a suspended before a deleted one, then one with a SIS id, then the
        first by SIS id, name and provider, whatever the order of the file. Then ``logins``,
        ``active_logins``, ``suspended_logins`` and ``sis_ids`` (Int64; the last counts different SIS ids).
    """
    return persons(tables)


def persons(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """As `people`, inside a query."""
    logins = once(tables, "users")
    held = logins.collect_schema().names()
    rank = pl.col("status").cast(pl.String).replace_strict(_RANKS, default=len(_RANKS), return_dtype=pl.Int8)
    names = [name for name in ("user_id", "login_id", "authentication_provider_id") if name in held]
    ordered = logins.sort("canvas_user_id", rank, *names, nulls_last=True, maintain_order=True)
    nobody = pl.when(pl.col("canvas_user_id").is_null()).then(pl.int_range(pl.len())).alias("__nobody")
    return ordered.with_columns(nobody).group_by("canvas_user_id", "__nobody", maintain_order=True).agg(
        pl.exclude("canvas_user_id", "__nobody").first(),
        logins=pl.len().cast(pl.Int64),
        active_logins=in_states(["active"]).sum().cast(pl.Int64),
        suspended_logins=in_states(["suspended"]).sum().cast(pl.Int64),
        sis_ids=pl.col("user_id").drop_nulls().n_unique().cast(pl.Int64),
    ).select(*held, "logins", "active_logins", "suspended_logins", "sis_ids")  # fmt: skip


@over_tables(users=LOGIN_COLUMNS, enrollments=("canvas_user_id", "canvas_course_id", "status"))
def suspended_but_enrolled(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """People with a suspended login and active enrolments.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users`` and ``enrollments``, of one run of provisioning_csv.

    Returns
    -------
    frame
        One row a person with both, by ``canvas_user_id``: ``user_id``, ``login_id``, ``full_name``,
        ``email`` as `people` chooses them; ``logins``, ``active_logins``, ``suspended_logins``,
        ``active_enrollments``, ``active_courses`` (Int64); ``locked_out`` (boolean): no active login is left.
    """
    enrolled = (
        once(tables, "enrollments")
        .filter(in_states(["active"]))
        .group_by("canvas_user_id")
        .agg(
            active_enrollments=pl.len().cast(pl.Int64),
            active_courses=pl.col("canvas_course_id").n_unique().cast(pl.Int64),
        )
    )
    found = persons(tables).filter(pl.col("suspended_logins") > 0)
    held = found.collect_schema().names()
    shown = [name for name in ("user_id", "login_id", "full_name", "email") if name in held]
    return found.join(enrolled, on="canvas_user_id", maintain_order="left").select(
        "canvas_user_id",
        *shown,
        *("logins", "active_logins", "suspended_logins", "active_enrollments", "active_courses"),
        locked_out=pl.col("active_logins") == 0,
    )
