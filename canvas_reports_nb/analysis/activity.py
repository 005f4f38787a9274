"""Who was active and which courses are used: the activity reports, joined and counted once.

These reports have one row per enrollment or per login. Every analysis here counts people by their Canvas id,
and a student once per course. Times are UTC, storage is in megabytes as Canvas reports it, shares are
between 0 and 1, counts are ``Int64``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.analysis.grades.marks import NEEDED, once
from canvas_reports_nb.catalog.parameters import is_number
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    require_columns,
    to_lazy,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


__all__ = ["clean_up", "last_access_by_week", "no_submissions", "zero_activity"]

_MOMENTS = ("last access at", "last activity at")


def last_access_by_week(frame: FrameT, *, zone: str = "UTC") -> FrameT:
    """How many people were last seen in each week.

    A person counts once, at the latest moment any of their logins shows.

    Parameters
    ----------
    frame : DataFrame
        ``last_user_access_csv`` (a row a login) or ``last_enrollment_activity_csv`` (a row a person, without
        those never seen), of any kind.
    zone : str
        Where the week begins, such as ``"America/Denver"``; the reports' times are UTC.

    Returns
    -------
    DataFrame
        Of the same kind, one row a week from the first to the last, those without anybody too, and a last
        one, its week missing, for those never seen. ``week`` (the midnight its Monday begins with, without
        a zone), ``people`` (Int64), ``share`` (Float64, of all people in the report).

    Raises
    ------
    ParameterError
        The moments are no times: some cell of the column could not be read as one; or nobody knows the zone.
    """
    _refuse_unknown(zone)
    rows = to_lazy(frame, ("user id", *_MOMENTS))
    schema = rows.collect_schema()
    moment = next((name for name in _MOMENTS if name in schema), _MOMENTS[0])
    require_columns(rows, ("user id", moment), "Last access by week", given=frame)
    if not isinstance(schema[moment], pl.Datetime | pl.Null):
        raise ParameterError(
            f"Weeks need times, and {moment!r} is {schema[moment]} here.",
            hint="A column stays text when a cell is no time: crn.provenance(frame)['notes'] says which.",
        )
    week = (
        pl.col(moment)
        .cast(pl.Datetime("us", "UTC"))
        .dt.convert_time_zone(zone)
        .dt.replace_time_zone(None)
        .dt.truncate("1w")
    )
    last_seen = (
        rows.filter(pl.col("user id").is_not_null())
        .group_by("user id")
        .agg(pl.col(moment).max())
        .select(week.alias("week"))
    )
    counts = last_seen.group_by("week").agg(pl.len().cast(pl.Int64).alias("people"))
    first, last = pl.col("week").min(), pl.col("week").max()
    weeks = counts.select(pl.datetime_ranges(first, last, "1w").explode(empty_as_null=False).alias("week"))
    every = pl.concat([weeks.drop_nulls(), counts.filter(pl.col("week").is_null()).select("week")])
    people = pl.col("people").fill_null(0)
    by_week = (
        every.join(counts, on="week", how="left", nulls_equal=True)
        .with_columns(people, (people / people.sum()).alias("share"))
        .sort("week", nulls_last=True)
    )
    return as_kind_of(by_week, frame)


def _refuse_unknown(zone: str) -> None:
    """A zone is what polars takes for one, which brings its own list; but to it a blank one is UTC."""
    try:
        pl.select(pl.lit(datetime(2026, 1, 1, tzinfo=UTC)).dt.convert_time_zone(zone or "none"))
    except (pl.exceptions.PolarsError, TypeError):
        raise ParameterError(
            f"zone={zone!r} is no time zone.", hint='Name one such as "America/Denver" or "UTC".'
        ) from None


_PAIR = ("user id", "course id")
_ENROLLED = ("canvas_user_id", "canvas_course_id", "base_role_type", "status")
_LOGIN = ("canvas_user_id", "login_id", "email", "status")
#: What the ids of other reports are called here.
_IDS = {
    "canvas_user_id": "user id",
    "canvas_course_id": "course id",
    "student id": "user id",
    "course id": "course id",
}
_FROM_GRADES = ("term", "current score", "final score", "current grade", "final grade")


def zero_activity(frame: FrameT, *, enrollments: Any = None, users: Any = None, grades: Any = None) -> FrameT:
    """Students without activity in a course: how to reach them, how they are enrolled, and their grade.

    Parameters
    ----------
    frame : DataFrame
        ``zero_activity_csv`` of any kind. A student in several sections, or with several logins, stands
        there several times and counts once a course: kept is the row of the lowest section id, then of the
        first SIS id.
    enrollments, users : DataFrame, optional
        Tables of a provisioning run.
    grades : DataFrame, optional
        ``grade_export_csv``; taken one row a student and course.

    Returns
    -------
    DataFrame
        Of the same kind, by course and person, with the columns of the report and ``sections`` (Int64: in
        how many the student was silent). With ``users``: ``login_id`` and ``email`` of the person's active
        login, else of another (the first by name among equals). With ``enrollments``: ``role`` and
        ``status`` of the student's active enrolment in the course, else of another. With ``grades``:
        ``term``, ``current score``, ``final score`` and their letters. Whom a table lacks stays, with blanks.
    """
    rows = to_lazy(frame)
    require_columns(rows, (*_PAIR, "section id", "user sis id"), "Zero activity")
    silent = _first(
        rows.filter(pl.col(name).is_not_null() for name in _PAIR).with_columns(
            pl.col("section id").drop_nulls().n_unique().over(_PAIR).cast(pl.Int64).alias("sections")
        ),
        _PAIR,
        ("section id", "user sis id"),
    )
    if users is not None:
        logins = _beside(rows, frame, users, _LOGIN, "The people of zero activity")
        silent = silent.join(_logins(logins), on="user id", how="left")
    if enrollments is not None:
        enrolled = _beside(rows, frame, enrollments, (*_ENROLLED, "role"), "The roster")
        silent = silent.join(_roles(enrolled), on=_PAIR, how="left")
    if grades is not None:
        marked = _beside(rows, frame, grades, (*NEEDED, *_FROM_GRADES), "The grade of zero activity")
        silent = silent.join(_marks(marked), on=_PAIR, how="left")
    # A login has a status, too, of which nothing is here.
    joined = [table for table in (enrollments, grades) if table is not None]
    return as_kind_of(silent.sort("course id", "user id"), frame, *joined)


def no_submissions(
    frame: FrameT, *, states: Collection[str] = ("active",), enrollments: Any = None
) -> FrameT:
    """Students who handed nothing in, and in how many of their courses.

    Parameters
    ----------
    frame : DataFrame
        ``students_with_no_submissions_csv`` of any kind, whose window is at most 14 days long. A student in
        two sections of a course, or with two logins, counts once there.
    states : collection of str
        Which enrolments count, where the report has ``enrollment state``: ask for it with
        ``include_enrollment_state=True``, for by itself the report holds enrolments of every state.
    enrollments : DataFrame, optional
        Of a provisioning run of the same term. Then only courses with an active student enrolment count.

    Returns
    -------
    DataFrame
        Of the same kind, one row a student, those silent in most courses first: ``user id``,
        ``user sis id`` (the first, of several logins), ``user name``, ``courses without submissions`` (Int64);
        with ``enrollments`` also ``courses`` (Int64: all the student is active in) and ``share``.
    """
    rows = to_lazy(frame, (*_PAIR, "user sis id", "user name", "enrollment state"))
    require_columns(rows, (*_PAIR, "user sis id", "user name"), "No submissions", given=frame)
    if "enrollment state" in rows.collect_schema().names():
        rows = rows.filter(pl.col("enrollment state").cast(pl.String).is_in(as_list(states)))
    rows = rows.filter(pl.col(name).is_not_null() for name in _PAIR)
    active = None
    if enrollments is not None:
        enrolled = _students(_beside(rows, frame, enrollments, _ENROLLED, "The roster"))
        active = enrolled.filter(pl.col("status") == "active").select(_PAIR).unique()
        rows = rows.join(active, on=_PAIR, how="semi")
    silent = rows.group_by("user id").agg(
        pl.col("user sis id", "user name").drop_nulls().min(),
        pl.col("course id").n_unique().cast(pl.Int64).alias("courses without submissions"),
    )
    if active is not None:
        courses = active.group_by("user id").agg(pl.len().cast(pl.Int64).alias("courses"))
        share = (pl.col("courses without submissions") / pl.col("courses")).alias("share")
        silent = silent.join(courses, on="user id").with_columns(share)
    return as_kind_of(silent.sort("courses without submissions", "user id", descending=[True, False]), frame)


def _first(rows: pl.LazyFrame, key: Collection[str], order: Collection[str]) -> pl.LazyFrame:
    """The first row of each key in an order, blanks behind, then in that of the file."""
    return rows.sort(order, nulls_last=True, maintain_order=True).unique(
        key, keep="first", maintain_order=True
    )


def _beside(rows: pl.LazyFrame, frame: Any, table: Any, columns: Collection[str], what: str) -> pl.LazyFrame:
    """Columns of a table that is to be joined to the rows of a frame, its ids checked against theirs."""
    read = to_lazy(table, columns)
    require_columns(read, columns, what, given=table)
    for name in columns:
        if name in _IDS:
            check_joinable(rows, _IDS[name], read, name, made_of=(frame, table))
    return read.rename({name: new for name, new in _IDS.items() if name in columns})


def _logins(users: pl.LazyFrame) -> pl.LazyFrame:
    ordered = users.with_columns(_active_first())
    return _first(ordered, ["user id"], ["__rank", "login_id"]).select("user id", "login_id", "email")


def _students(enrollments: pl.LazyFrame) -> pl.LazyFrame:
    return enrollments.filter(pl.col("base_role_type").cast(pl.String) == "StudentEnrollment")


def _roles(enrollments: pl.LazyFrame) -> pl.LazyFrame:
    table = _students(enrollments).with_columns(
        _active_first(), *(pl.col(name).cast(pl.String).alias(f"__{name}") for name in ("status", "role"))
    )
    return _first(table, _PAIR, ["__rank", "__status", "__role"]).select(*_PAIR, "role", "status")


def _active_first() -> pl.Expr:
    return (pl.col("status").cast(pl.String) != "active").fill_null(value=True).alias("__rank")


def _marks(grades: pl.LazyFrame) -> pl.LazyFrame:
    return once(grades.rename({"user id": "student id"})).select(
        pl.col("student id").alias("user id"), "course id", *_FROM_GRADES
    )


_COURSE = ("course id", "sis id", "short name", "name")
_OF_LISTS = dict(zip(("id", "sis id", "short name", "name"), _COURSE, strict=True))
_OF_UNUSED = dict(zip(("course id", "course sis id", "short name", "long name"), _COURSE, strict=True))
_MB = "storage used in MB"
_REASONS = ("unused", "unpublished", "public", "heavy")


def clean_up(
    *,
    unused: FrameT | None = None,
    unpublished: FrameT | None = None,
    public: FrameT | None = None,
    storage: FrameT | None = None,
    heavy: float = 1000.0,
) -> FrameT:
    """Courses without content, never published, open to everybody or heavy, and for which of these reasons.

    Parameters
    ----------
    unused, unpublished, public, storage : DataFrame, optional
        ``unused_courses_csv``, ``unpublished_courses_csv``, ``public_courses_csv`` and ``course_storage_csv``
        of one account and term, of any kind; at least one of them.
    heavy : float
        From how many megabytes, counted against the course's quota, a course is storage-heavy.

    Returns
    -------
    DataFrame
        Of the kind of the first frame given, one row a course with any reason, the most reasons first, then
        the most storage, then by id: ``course id`` (Int64), ``sis id``, ``short name``, ``name`` (text),
        ``unused``, ``unpublished``, ``public``, ``heavy`` (boolean; missing where that report was not given),
        ``storage used in MB`` (Float64; missing likewise), ``reasons`` (text, such as ``"unused, public"``) and
        ``number of reasons`` (Int64).

    Raises
    ------
    ParameterError
        No frame was given, or ``heavy`` is no number.
    """
    if not is_number(heavy):
        raise ParameterError(f"heavy={heavy!r} is no number.", hint="It is in megabytes: heavy=1000.")
    given = {
        reason: table
        for reason, table in (
            ("unused", unused),
            ("unpublished", unpublished),
            ("public", public),
            ("heavy", storage),
        )
        if table is not None
    }
    if not given:
        raise ParameterError(
            "There is no report to make a list of.",
            hint='Give unused=canvas.read_report("unused_courses_csv"), or one of the other three.',
        )
    lists = {reason: _listed(reason, table, heavy) for reason, table in given.items()}
    known = list(lists.values())
    for one, other in combinations(known, 2):
        check_joinable(one, "course id", other, "course id")
    marked = _marked(pl.concat(known, how="diagonal_relaxed"), given)
    if storage is not None:
        room = to_lazy(storage, ("id", _MB)).select(pl.col("id").alias("course id"), _MB)
        marked = marked.join(room.group_by("course id").agg(pl.col(_MB).max()), on="course id", how="left")
    else:
        marked = marked.with_columns(pl.lit(None, pl.Float64).alias(_MB))
    ordered = marked.sort(
        "number of reasons", _MB, "course id", descending=[True, True, False], nulls_last=True
    ).select(*_COURSE, *_REASONS, _MB, "reasons", "number of reasons")
    return as_kind_of(ordered, next(iter(given.values())))


def _listed(reason: str, table: Any, heavy: float) -> pl.LazyFrame:
    columns = _OF_UNUSED if reason == "unused" else _OF_LISTS
    weighed = [_MB] if reason == "heavy" else []
    rows = to_lazy(table, (*columns, *weighed))
    require_columns(rows, columns, f"The list of {reason} courses", numbers=weighed, given=table)
    if weighed:
        rows = rows.filter(pl.col(_MB) >= heavy)
    named = rows.select(pl.col(old).alias(new) for old, new in columns.items())
    return named.filter(pl.col("course id").is_not_null()).with_columns(pl.lit(reason).alias("__reason"))


def _marked(rows: pl.LazyFrame, given: Mapping[str, Any]) -> pl.LazyFrame:
    flags = [
        ((pl.col("__reason") == reason).any() if reason in given else pl.lit(None, pl.Boolean)).alias(reason)
        for reason in _REASONS
    ]
    words = [pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in given]
    return (
        rows.group_by("course id")
        .agg(*(pl.col(name).drop_nulls().max() for name in _COURSE[1:]), *flags)
        .with_columns(pl.concat_str(words, separator=", ", ignore_nulls=True).alias("reasons"))
        .with_columns(pl.sum_horizontal(pl.col(list(given)).cast(pl.Int64)).alias("number of reasons"))
    )
