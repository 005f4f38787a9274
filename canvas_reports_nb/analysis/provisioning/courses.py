"""Open sections and courses that nobody attends or nobody teaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.analysis.provisioning.tables import in_states, of_role, once, over_tables, wide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_PRESENT = ("active", "invited")
_CLOSED = ("concluded", "deleted")
_ENROLLMENT = ("canvas_user_id", "canvas_course_id", "canvas_section_id", "role", "status")
_COURSE = ("canvas_course_id", "course_id", "long_name", "canvas_account_id", "canvas_term_id", "status")


@over_tables(courses=_COURSE, enrollments=_ENROLLMENT)
def vacant_courses(tables: Mapping[str, pl.LazyFrame], *, states: Iterable[str] = _PRESENT) -> pl.LazyFrame:
    """Open courses without students or without teachers.

    Parameters
    ----------
    tables : mapping of str to frame
        ``courses`` and ``enrollments``, of one run of provisioning_csv without an enrolment filter.
    states : iterable of str
        Enrolments in these states count.

    Returns
    -------
    frame
        One row a course that is neither concluded nor deleted and lacks either, in the file's order:
        ``canvas_course_id``, ``course_id``, ``long_name``, ``canvas_account_id``, ``canvas_term_id``,
        ``status``; ``students`` and ``teachers`` (Int64: different people, custom roles by their base
        role); ``empty`` (no student) and ``teacherless`` (boolean).
    """
    rows = once(tables, "courses").select(_COURSE).filter(~in_states(_CLOSED))
    return _lacking(rows, _heads(tables, "canvas_course_id", states), "canvas_course_id")


@over_tables(
    sections=("canvas_section_id", "section_id", "name", "canvas_course_id", "status"),
    courses=_COURSE,
    enrollments=_ENROLLMENT,
)
def vacant_sections(tables: Mapping[str, pl.LazyFrame], *, states: Iterable[str] = _PRESENT) -> pl.LazyFrame:
    """Sections of open courses without students or without teachers.

    Parameters
    ----------
    tables : mapping of str to frame
        ``sections``, ``courses`` and ``enrollments``, of one run of provisioning_csv without an
        enrolment filter.
    states : iterable of str
        Enrolments in these states count.

    Returns
    -------
    frame
        One row a section that is not deleted, in a course that is neither concluded nor deleted, and lacks
        either, in the file's order: ``canvas_section_id``, ``section_id``, ``name``, ``canvas_course_id``;
        ``course_id``, ``course_long_name``, ``canvas_account_id``, ``canvas_term_id``, ``course_status``;
        ``students``, ``teachers``, ``empty``, ``teacherless`` as in `vacant_courses`; ``course_teachers``
        (Int64): a teacher of another section of the course may look after this one, too.
    """
    beside = {
        "course_id": "course_id",
        "long_name": "course_long_name",
        "canvas_account_id": "canvas_account_id",
        "canvas_term_id": "canvas_term_id",
        "status": "course_status",
    }
    open_courses = wide(once(tables, "courses").filter(~in_states(_CLOSED)), "canvas_course_id", beside)
    rows = (
        once(tables, "sections")
        .filter(~in_states(_CLOSED))
        .select("canvas_section_id", "section_id", "name", "canvas_course_id")
        .join(open_courses, on="canvas_course_id", maintain_order="left")
    )
    found = _lacking(rows, _heads(tables, "canvas_section_id", states), "canvas_section_id")
    theirs = wide(
        _heads(tables, "canvas_course_id", states), "canvas_course_id", {"teachers": "course_teachers"}
    )
    return found.join(theirs, on="canvas_course_id", how="left", maintain_order="left").with_columns(
        pl.col("course_teachers").fill_null(0)
    )


def _heads(tables: Mapping[str, pl.LazyFrame], place: str, states: Iterable[str]) -> pl.LazyFrame:
    enrollments = tables["enrollments"]
    person = pl.col("canvas_user_id")
    return (
        enrollments.filter(in_states(states))
        .group_by(place)
        .agg(
            students=person.filter(of_role(enrollments, "student")).n_unique().cast(pl.Int64),
            teachers=person.filter(of_role(enrollments, "teacher")).n_unique().cast(pl.Int64),
        )
    )


def _lacking(rows: pl.LazyFrame, heads: pl.LazyFrame, place: str) -> pl.LazyFrame:
    return (
        rows.join(heads, on=place, how="left", maintain_order="left")
        .with_columns(pl.col("students", "teachers").fill_null(0))
        .with_columns(empty=pl.col("students") == 0, teacherless=pl.col("teachers") == 0)
        .filter(pl.col("empty") | pl.col("teacherless"))
    )


@over_tables(
    accounts=("canvas_account_id", "account_id", "canvas_parent_id", "name", "status"),
    courses=("canvas_course_id", "canvas_account_id"),
    enrollments=("canvas_course_id", "canvas_user_id"),
)
def account_tree(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Every account, with courses, enrolments and people counted over all that lies below it.

    Whatever the tables hold is counted, of every role and status. Filter first for less:
    ``account_tree({**tables, "enrollments": active})``.

    Parameters
    ----------
    tables : mapping of str to frame
        ``accounts``, ``courses`` and ``enrollments``, of one run of provisioning_csv on the root account:
        a sub-account lists only its direct children. Of lazy frames the accounts are read at once.

    Returns
    -------
    frame
        Of the kind of ``accounts``, one row an account, parents before children, siblings by name:
        ``canvas_account_id``, ``account_id``, ``canvas_parent_id``, ``name``, ``status``; ``path`` (the
        names from the top, joined with " / "), ``depth`` (0 at the top); ``own_courses`` in the account
        itself; ``courses``, ``enrollments``, ``people`` in it and below (all Int64; a person counts once in
        each account). The top itself is in no file: what is known of it is its id.
    """
    courses = once(tables, "courses").select("canvas_course_id", "canvas_account_id")
    accounts = once(tables, "accounts").select(
        "canvas_account_id", "account_id", "canvas_parent_id", "name", pl.col("status").cast(pl.String)
    )
    used = courses.select("canvas_account_id").unique().collect()["canvas_account_id"]
    tree, below = _arranged(accounts.collect(), used)
    counts = [
        courses.group_by("canvas_account_id").agg(own_courses=pl.len()),
        _courses_below(courses, below),
        _enrolled_below(once(tables, "enrollments"), courses, below),
    ]
    rows = tree.lazy()
    for count in counts:
        rows = rows.join(count, on="canvas_account_id", how="left", maintain_order="left")
    counted = pl.col("own_courses", "courses", "enrollments", "people")
    return rows.with_columns(counted.fill_null(0).cast(pl.Int64))


def _courses_below(courses: pl.LazyFrame, below: pl.LazyFrame) -> pl.LazyFrame:
    return (
        courses.group_by("canvas_account_id")
        .agg(courses=pl.len())
        .join(below, on="canvas_account_id")
        .group_by(canvas_account_id="above")
        .agg(pl.col("courses").sum())
    )


def _enrolled_below(enrollments: pl.LazyFrame, courses: pl.LazyFrame, below: pl.LazyFrame) -> pl.LazyFrame:
    # A person once an account first: the roll-up then handles far fewer rows than there are enrolments.
    return (
        enrollments.select("canvas_course_id", "canvas_user_id")
        .join(courses, on="canvas_course_id")
        .group_by("canvas_account_id", "canvas_user_id")
        .agg(enrollments=pl.len())
        .join(below, on="canvas_account_id")
        .group_by(canvas_account_id="above")
        .agg(pl.col("enrollments").sum(), people=pl.col("canvas_user_id").n_unique())
    )


def _arranged(accounts: pl.DataFrame, used: pl.Series) -> tuple[pl.DataFrame, pl.LazyFrame]:
    """The accounts in the order of the tree; and each account beside itself and all above it."""
    parents = dict(accounts.select("canvas_account_id", "canvas_parent_id").iter_rows())
    names = dict(accounts.select("canvas_account_id", "name").iter_rows())
    every = {one for one in (*parents, *parents.values(), *used) if one is not None}
    lines = {one: _line(one, parents) for one in every}
    order = sorted(every, key=lambda one: [(names.get(up) or "", up) for up in lines[one]])
    paths = [" / ".join(names[up] for up in lines[one] if names.get(up)) or None for one in order]
    # Ids that are text in all tables do as well.
    kinds = (accounts.schema["canvas_account_id"], accounts.schema["canvas_parent_id"], used.dtype)
    kind = next((dtype for dtype in kinds if dtype != pl.Null), pl.Int64())
    placed = pl.DataFrame(
        {"canvas_account_id": order, "path": paths, "depth": [len(lines[one]) - 1 for one in order]},
        schema={"canvas_account_id": kind, "path": pl.String, "depth": pl.Int64},
    )
    columns = [*accounts.columns, "path", "depth"]
    tree = placed.join(accounts, on="canvas_account_id", how="left", maintain_order="left").select(columns)
    pairs = [(one, up) for one in order for up in lines[one]]
    below = pl.DataFrame(pairs, {"canvas_account_id": kind, "above": kind}, orient="row")
    return tree, below.lazy()


def _line(account: int, parents: Mapping[int, int | None]) -> list[int]:
    """From the top down to the account; a circle, which a damaged file may have, is cut."""
    line: list[int] = []
    above: int | None = account
    while above is not None and above not in line:
        line.append(above)
        above = parents.get(above)
    return line[::-1]
