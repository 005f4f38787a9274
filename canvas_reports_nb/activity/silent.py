"""Students who were never there, and those who handed nothing in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.frames.exchange import FrameT, lazy, like, require, same_ids
from canvas_reports_nb.grades.counting import NEEDED, once

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["no_submissions", "zero_activity"]

_PAIR = ("user id", "course id")
_ENROLLED = ("canvas_user_id", "canvas_course_id", "base_role_type", "status")
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
        silent = _joined(silent, _logins(users), ["user id"], ["canvas_user_id"])
    if enrollments is not None:
        silent = _joined(silent, _roles(enrollments), [*_PAIR], ["canvas_user_id", "canvas_course_id"])
    if grades is not None:
        silent = _joined(silent, _marks(grades), [*_PAIR], ["student id", "course id"])
    joined = [table for table in (users, enrollments, grades) if table is not None]
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
    require(rows, (*_PAIR, "user sis id", "user name"), "No submissions")
    if "enrollment state" in rows.collect_schema().names():
        rows = rows.filter(pl.col("enrollment state").cast(pl.String).is_in(list(states)))
    rows = rows.filter(pl.col(name).is_not_null() for name in _PAIR)
    active = None
    if enrollments is not None:
        active = (
            _students(enrollments)
            .filter(pl.col("status") == "active")
            .select("user id", "course id")
            .unique()
        )
        same_ids(rows, "user id", active, "user id")
        same_ids(rows, "course id", active, "course id")
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


def _joined(rows: pl.LazyFrame, table: pl.LazyFrame, left_on: list[str], right_on: list[str]) -> pl.LazyFrame:
    for here, there in zip(left_on, right_on, strict=True):
        same_ids(rows, here, table, there)
    return rows.join(table, left_on=left_on, right_on=right_on, how="left")


def _logins(users: Any) -> pl.LazyFrame:
    columns = ("canvas_user_id", "login_id", "email", "status")
    table = lazy(users, columns)
    require(table, columns, "The people of zero activity")
    ordered = table.with_columns(_active_first())
    return _first(ordered, ["canvas_user_id"], ["__rank", "login_id"]).select(
        "canvas_user_id", "login_id", "email"
    )


def _students(enrollments: Any, *more: str) -> pl.LazyFrame:
    table = lazy(enrollments, (*_ENROLLED, *more))
    require(table, (*_ENROLLED, *more), "The roster")
    return table.filter(pl.col("base_role_type").cast(pl.String) == "StudentEnrollment").select(
        pl.col("canvas_user_id").alias("user id"),
        pl.col("canvas_course_id").alias("course id"),
        "status",
        *more,
    )


def _roles(enrollments: Any) -> pl.LazyFrame:
    table = _students(enrollments, "role").with_columns(
        _active_first(), *(pl.col(name).cast(pl.String).alias(f"__{name}") for name in ("status", "role"))
    )
    first = _first(table, _PAIR, ["__rank", "__status", "__role"])
    return first.select(
        pl.col("user id").alias("canvas_user_id"),
        pl.col("course id").alias("canvas_course_id"),
        "role",
        "status",
    )


def _active_first() -> pl.Expr:
    return (pl.col("status").cast(pl.String) != "active").fill_null(value=True).alias("__rank")


def _marks(grades: Any) -> pl.LazyFrame:
    table = lazy(grades, (*NEEDED, *_FROM_GRADES))
    require(table, (*NEEDED, *_FROM_GRADES), "The grade of zero activity")
    return once(table).select("student id", "course id", *_FROM_GRADES)
