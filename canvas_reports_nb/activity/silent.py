"""Students who were never there, and those who handed nothing in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.frames.exchange import FrameT, lazy, like, require, same_ids, several
from canvas_reports_nb.grades.counting import NEEDED, once

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["no_submissions", "zero_activity"]

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
    rows = lazy(frame)
    require(rows, (*_PAIR, "section id", "user sis id"), "Zero activity")
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
    return like(silent.sort("course id", "user id"), frame, *joined)


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
    rows = lazy(frame, (*_PAIR, "user sis id", "user name", "enrollment state"))
    require(rows, (*_PAIR, "user sis id", "user name"), "No submissions", given=frame)
    if "enrollment state" in rows.collect_schema().names():
        rows = rows.filter(pl.col("enrollment state").cast(pl.String).is_in(several(states)))
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
    return like(silent.sort("courses without submissions", "user id", descending=[True, False]), frame)


def _first(rows: pl.LazyFrame, key: Collection[str], order: Collection[str]) -> pl.LazyFrame:
    """The first row of each key in an order, blanks behind, then in that of the file."""
    return rows.sort(order, nulls_last=True, maintain_order=True).unique(
        key, keep="first", maintain_order=True
    )


def _beside(rows: pl.LazyFrame, frame: Any, table: Any, columns: Collection[str], what: str) -> pl.LazyFrame:
    """Columns of a table that is to be joined to the rows of a frame, its ids checked against theirs."""
    read = lazy(table, columns)
    require(read, columns, what, given=table)
    for name in columns:
        if name in _IDS:
            same_ids(rows, _IDS[name], read, name, made_of=(frame, table))
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
