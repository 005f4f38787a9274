"""Open sections and courses that nobody attends or nobody teaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from .inputs import in_states, of_role, once, over_tables, wide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["vacant_courses", "vacant_sections"]

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
