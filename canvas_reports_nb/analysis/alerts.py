"""Students whom an adviser should call: low scores, silence and missing work, by student."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.grades.marks import REQUIRED, one_row_per
from canvas_reports_nb.analysis.provisioning.people import merge_logins
from canvas_reports_nb.analysis.provisioning.tables import has_role, has_status, lazy_tables, unique_rows
from canvas_reports_nb.catalog.parameters import is_number
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.describe import provenance_of
from canvas_reports_nb.frames.exchange import (
    FrameResult,
    FrameT,
    as_kind_of,
    check_joinable,
    require_columns,
    to_lazy,
)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PAIR = ["user id", "course id"]
_LOW, _SILENT, _WITHOUT = "low", "silent", "without hand-ins"
_FLAGS = (_LOW, _SILENT, _WITHOUT)
_COURSE = ("course id", "course sis id", "course")
_PERSON = ("user id", "user sis id", "name", "email")
_ALSO = {
    "enrollments": ("base_role_type",),
    "users": ("login_id", "authentication_provider_id", "full_name", "email"),
    "courses": ("short_name", "long_name", "course_id"),
}
_NEEDED = {
    "enrollments": ("canvas_user_id", "canvas_course_id", "role", "status"),
    "users": ("canvas_user_id", "user_id", "status"),
    "courses": ("canvas_course_id", "status"),
}


class Alerts(FrameResult[FrameT]):
    """The students of `alerts` as a frame of the kind of the tables, with their courses and what was left out.

    Attributes
    ----------
    quiet_courses : frame
        One row per course and kind of alert that was left out, because most of the course's students have it:
        ``course id``, ``course sis id``, ``course``; ``left out`` ("silent" or "without hand-ins"); ``students`` and
        ``flagged`` (Int64), ``share``; ``why`` (text).
    """

    def __init__(self, frame: FrameT, pairs: pl.DataFrame, quiet_courses: FrameT) -> None:
        super().__init__(frame)
        self._pairs, self.quiet_courses = pairs, quiet_courses

    def per_course(self) -> FrameT:
        """Return the alerts one by one.

        Returns
        -------
        frame
            The kind of the tables, one row per student and course with an alert, students in the order of `alerts`:
            ``user id``, ``user sis id``, ``name``, ``email``; ``course id``, ``course sis id``, ``course``;
            ``current score`` (Float64); ``low``, ``silent``, ``without hand-ins`` (boolean, missing if that report was
            not given); ``reasons`` (text).
        """
        return as_kind_of(self._pairs.lazy(), self.frame)


def _sentence(given: Mapping[str, Any]) -> str:
    words = {
        "grades": f"a current score under {given['below']:g}",
        "silent": "no activity",
        "no_submissions": "no hand-ins",
    }
    named = [name for name in words if given.get(name) is not None] or list(words)
    parts = []
    for name in named:
        carried = provenance_of(given[name]) if given.get(name) is not None else {}
        day = carried.get("started_at") or carried.get("created_at")
        parts.append(f"{words[name]} (report of {day[:10]})" if day else words[name])
    return (
        f"Active students in published courses with {' or '.join(parts)}, once per course; urgent from "
        f"{given['courses']} courses, without the courses where more than {given['quiet']:.0%} of the students have it."
    )


@defined(_sentence)
def alerts(
    tables: Mapping[str, FrameT],
    *,
    grades: Any = None,
    silent: Any = None,
    no_submissions: Any = None,
    below: float = 70.0,
    courses: int = 2,
    quiet: float = 0.5,
) -> Alerts[FrameT]:
    """List the students whom an adviser should call, those with alerts in the most courses first.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users``, ``enrollments`` and ``courses`` of one provisioning_csv run. Lazy frames are collected.
    grades : frame, optional
        ``grade_export_csv`` of any kind. The current score counts; the final one counts ungraded work as zero.
    silent : frame, optional
        ``zero_activity_csv`` of any kind, with ``start_at`` the students without activity since then.
    no_submissions : frame, optional
        ``students_with_no_submissions_csv`` of any kind. At least one of the three reports is needed.
    below : float
        A current score under this is low. Courses without a score are not.
    courses : int
        A student with alerts in this many courses is urgent.
    quiet : float
        If more than this share of a course's active students is silent, or without hand-ins, the course does its work
        elsewhere: that alert is left out for it, and the course is in ``.quiet_courses``.

    Returns
    -------
    Alerts
        Used like a frame of the kind of the tables. One row per active student with an alert in a published course:
        ``user id`` (Int64), ``user sis id``, ``name``, ``email``; ``courses`` (all published courses the student is
        active in), ``flagged`` (those with an alert), ``low``, ``silent``, ``without hand-ins`` (Int64, missing if that
        report was not given); ``share`` (Float64, flagged of courses); ``reasons`` (text: ``HIST 1: 55 %; MATH 2: not
        seen since 16 Feb``); ``urgent`` (boolean). ``.per_course()`` returns the alerts one by one.

    Examples
    --------
    >>> alerts = crn.activity.alerts(tables, grades=grades)
    >>> len(alerts), int(alerts["urgent"].sum())
    (7, 3)
    """
    _check(below, courses, quiet)
    reports = {_LOW: grades, _SILENT: silent, _WITHOUT: no_submissions}
    if all(report is None for report in reports.values()):
        raise ParameterError(
            "alerts needs at least one report.",
            hint='Add grades=canvas.read_report("grade_export_csv"), silent= or no_submissions=.',
        )
    given = lazy_tables(tables, "alerts", (), _NEEDED, _ALSO)
    first = next(iter(tables[name] for name in given))
    seats = _seats(given)
    flagged = seats.join(_low(grades, below, seats, tables["enrollments"]), on=_PAIR, how="left")
    for flag, name in ((_SILENT, "silent"), (_WITHOUT, "no_submissions")):
        flagged = flagged.join(
            _listed(reports[flag], flag, name, seats, tables["enrollments"]), on=_PAIR, how="left"
        )
    flags = [
        pl.lit(None, pl.Boolean).alias(flag) if report is None else pl.col(flag).fill_null(value=False)
        for flag, report in reports.items()
    ]
    every = flagged.with_columns(flags).collect()
    quiet_courses, pairs = _without_quiet(every, quiet)
    described = _described(pairs.lazy(), given, silent).collect()
    students = _students(described, courses)
    order = students.select("user id", pl.int_range(pl.len()).alias("__place"))
    by_course = (
        described.join(order, on="user id")
        .sort("__place", "course", "course id")
        .select(*_PERSON, *_COURSE, "current score", *_FLAGS, "reasons")
    )
    left_out = quiet_courses.lazy().join(_labels(given), on="course id", how="left")
    return Alerts(
        as_kind_of(students.lazy(), first),
        by_course,
        as_kind_of(
            left_out.sort("course", "course id", "left out").select(
                *_COURSE, "left out", "students", "flagged", "share", "why"
            ),
            first,
        ),
    )


def _check(below: float, courses: int, quiet: float) -> None:
    for name, value in (("below", below), ("courses", courses)):
        if not is_number(value):
            raise ParameterError(f"Can't use {name}={value!r}.", hint=f"Give a number: {name}=2.")
    if not is_number(quiet) or not 0 <= quiet <= 1:
        raise ParameterError(f"Can't use quiet={quiet!r}.", hint="Give a share from 0 to 1: quiet=0.5.")


def _seats(given: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return each active student with each published course, and the number of courses and of students."""
    enrollments = given["enrollments"]
    published = unique_rows(given, "courses").filter(has_status(["active"])).select("canvas_course_id")
    seats = (
        enrollments.filter(has_role(enrollments, "student"), has_status(["active"]))
        .join(published, on="canvas_course_id", how="semi")
        .select(pl.col("canvas_user_id").alias("user id"), pl.col("canvas_course_id").alias("course id"))
        .drop_nulls()
        .unique()
    )
    number = pl.len().cast(pl.Int64)
    return seats.join(seats.group_by("user id").agg(number.alias("courses")), on="user id").join(
        seats.group_by("course id").agg(number.alias("students")), on="course id"
    )


def _low(grades: Any, below: float, seats: pl.LazyFrame, enrollments: Any) -> pl.LazyFrame:
    if grades is None:
        schema = seats.select(_PAIR).collect_schema()
        return pl.LazyFrame(schema={**schema, "current score": pl.Float64})
    rows = to_lazy(grades, (*REQUIRED, "current score"))
    require_columns(rows, REQUIRED, "alerts, in grades,", numbers=("current score",), given=grades)
    scores = one_row_per(rows).select(
        pl.col("student id").alias("user id"), "course id", pl.col("current score").cast(pl.Float64)
    )
    _check_ids(seats, scores, made_of=(enrollments, grades))
    return scores.with_columns((pl.col("current score") < below).alias(_LOW))


def _listed(report: Any, flag: str, name: str, seats: pl.LazyFrame, enrollments: Any) -> pl.LazyFrame:
    if report is None:
        return pl.LazyFrame(schema=seats.select(_PAIR).collect_schema())
    rows = to_lazy(report, _PAIR)
    require_columns(rows, _PAIR, f"alerts, in {name},", given=report)
    _check_ids(seats, rows, made_of=(enrollments, report))
    return rows.select(_PAIR).unique().with_columns(pl.lit(value=True).alias(flag))


def _check_ids(seats: pl.LazyFrame, rows: pl.LazyFrame, made_of: Iterable[Any]) -> None:
    for column in _PAIR:
        check_joinable(seats, column, rows, column, made_of=made_of)


def _without_quiet(every: pl.DataFrame, quiet: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the courses where too many students have an alert, and the alerts of the others."""
    parts = []
    for flag in (_SILENT, _WITHOUT):
        counts = every.group_by("course id").agg(
            pl.lit(flag).alias("left out"),
            pl.col("students").first(),
            pl.col(flag).fill_null(value=False).sum().cast(pl.Int64).alias("flagged"),
        )
        part = counts.filter(pl.col("flagged") > quiet * pl.col("students"))
        parts.append(part)
        is_quiet = pl.col("course id").is_in(part["course id"].implode())
        every = every.with_columns(pl.when(pl.col(flag).is_not_null()).then(pl.col(flag) & ~is_quiet))
    listed = pl.concat(parts).with_columns(
        (pl.col("flagged") / pl.col("students")).alias("share"),
        pl.format("{} of {} students are {}", "flagged", "students", "left out").alias("why"),
    )
    any_flag = pl.any_horizontal(pl.col(_FLAGS).fill_null(value=False))
    return listed, every.filter(any_flag)


def _labels(given: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return each course with its SIS id and the name that is shown."""
    courses = unique_rows(given, "courses")
    texts = _texts(courses, ("short_name", "long_name", "course_id"))
    return courses.select(
        pl.col("canvas_course_id").alias("course id"),
        texts[2].alias("course sis id"),
        pl.coalesce(*texts, pl.col("canvas_course_id").cast(pl.String)).alias("course"),
    )


def _texts(rows: pl.LazyFrame, names: Sequence[str]) -> list[pl.Expr]:
    """Return columns as text, missing where a cell is blank or there is no such column."""
    known = rows.collect_schema().names()
    texts = [(pl.col(name) if name in known else pl.lit(None)).cast(pl.String) for name in names]
    return [pl.when(text.str.strip_chars() != "").then(text) for text in texts]


def _described(pairs: pl.LazyFrame, given: Mapping[str, pl.LazyFrame], silent: Any) -> pl.LazyFrame:
    """Add the person, the course and the reasons to each alert."""
    person = merge_logins(given)
    texts = _texts(person, ("user_id", "full_name", "email"))
    people = person.select(
        pl.col("canvas_user_id").alias("user id"),
        *(text.alias(name) for text, name in zip(texts, _PERSON[1:], strict=True)),
    ).drop_nulls("user id")
    score = pl.col("current score").round(2).cast(pl.String).str.replace(r"\.0$", "")
    words = [
        pl.when(_LOW).then(pl.format("{} %", score)),
        pl.when(_SILENT).then(pl.lit(_silence(silent))),
        pl.when(_WITHOUT).then(pl.lit("no hand-ins")),
    ]
    return (
        pairs.join(_labels(given), on="course id", how="left")
        .join(people, on="user id", how="left")
        .with_columns(pl.concat_str(words, separator=", ", ignore_nulls=True).alias("reasons"))
    )


def _silence(silent: Any) -> str:
    """Return the alert of a silent student in words, with the day if the report's provenance has it."""
    carried = {} if silent is None else provenance_of(silent)
    try:
        day = date.fromisoformat(str(carried.get("parameters", {}).get("start_at"))[:10])
    except ValueError:
        return "not seen"
    return f"not seen since {day.day} {_MONTHS[day.month - 1]}"


def _students(alerts: pl.DataFrame, courses: int) -> pl.DataFrame:
    """Return one row per student."""
    order = ("course", "course id")
    reason = pl.format("{}: {}", "course", "reasons").sort_by(*order)
    counts = [
        pl.when(pl.col(flag).count() > 0).then(pl.col(flag).sum()).cast(pl.Int64).alias(flag)
        for flag in _FLAGS
    ]
    return (
        alerts.group_by("user id")
        .agg(
            pl.col(*_PERSON[1:], "courses").first(),
            pl.len().cast(pl.Int64).alias("flagged"),
            *counts,
            reason.str.join("; ").alias("reasons"),
        )
        .with_columns(
            (pl.col("flagged") / pl.col("courses")).alias("share"),
            (pl.col("flagged") >= courses).alias("urgent"),
        )
        .sort("flagged", "share", "user id", descending=[True, True, False])
        .select(*_PERSON, "courses", "flagged", *_FLAGS, "share", "reasons", "urgent")
    )
