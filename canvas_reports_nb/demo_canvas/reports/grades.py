"""The two grade exports: one row a student enrolment."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.demo_canvas.reports.csv_out import Rows, Table
from canvas_reports_nb.demo_canvas.reports.headers import HEADERS
from canvas_reports_nb.demo_canvas.world.learning import letter, marks

if TYPE_CHECKING:
    from canvas_reports_nb.demo_canvas.reports.parameters import Request
    from canvas_reports_nb.demo_canvas.world import World

__all__ = ["NO_PERIODS", "grade_export", "period_tables"]

NO_PERIODS = "no grading periods configured for this term"
_SCORES = ("current score", "final score", "unposted current score", "unposted final score", "override score")
_GRADES = tuple(score.replace("score", "grade") for score in _SCORES)


def _graded_courses(world: World, courses: pl.DataFrame) -> pl.DataFrame:
    """Return what grading needs of courses; `done` is the part of the work set so far that is marked.

    Teachers publish work as a term goes on, so the final score of a running course lags behind, not far.
    """
    length = (pl.col("end_at") - pl.col("start_at")).dt.total_seconds()
    elapsed = (pl.lit(world.now) - pl.col("start_at")).dt.total_seconds() / length
    running = pl.when(elapsed <= 0.0).then(0.0).otherwise(0.75 + 0.25 * elapsed.fill_null(0.6).clip(0.0, 1.0))
    done = pl.when(status="completed").then(1.0).otherwise(running)
    terms = world.terms.select(term_id="id", term="name", term_sis="sis_id")
    return courses.join(terms, on="term_id", how="left", maintain_order="left").select(
        "mean", "spread", "graded_by_letter", "term", "term_id", "term_sis",
        course_id="id", course="name", course_sis="sis_id", done=done.round(3),
    )  # fmt: skip


def _enrolled(request: Request, courses: pl.DataFrame) -> pl.DataFrame:
    """Return the enrolments of students that the export lists."""
    state, deleted = pl.col("state").cast(pl.String), request.deleted
    open_states = ["available", "completed", "deleted"] if deleted else ["available", "completed"]
    shown = courses.filter(pl.col("status").is_in(open_states))["id"]
    states = ["active", "completed", "inactive", "deleted"] if deleted else ["active", "completed"]
    kept = state.is_in(states)
    days = request.text("limiting_period")
    if deleted and days.isdigit():
        kept &= (state == "active") | (pl.col("updated_at") > request.world.now - timedelta(days=int(days)))
    return request.world.enrollments.filter(
        pl.col("type") == "StudentEnrollment", kept, pl.col("course_id").is_in(shown.implode())
    )


def _named(request: Request, courses: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return enrolments with the names and ids of their people, courses, sections and terms."""
    world = request.world
    people = world.users.filter("known" if request.deleted else "usable").select(
        "name", user_id="id", sis="sis_id", integration="integration_id"
    )
    section = world.sections.select("name", section_id="id", section_sis="sis_id").rename({"name": "section"})
    frame = rows.lazy().join(people.lazy(), on="user_id", maintain_order="left")
    frame = frame.join(courses.lazy(), on="course_id", maintain_order="left")
    frame = frame.join(section.lazy(), on="section_id", maintain_order="left")
    return frame.with_columns(pl.col("state").cast(pl.String).replace({"completed": "concluded"})).collect()


def _scored(request: Request, frame: pl.DataFrame, prefix: str = "", period: int = 0) -> pl.DataFrame:
    """Return the rows with the score and grade columns, each name after a prefix."""
    kept = frame.columns
    frame = marks(request.world.draws, frame, period)
    scores = [pl.col(score.replace(" ", "_")) for score in _SCORES]
    by_letter = pl.col("graded_by_letter")
    return frame.select(
        *kept,
        *(score.alias(prefix + name) for name, score in zip(_SCORES, scores, strict=True)),
        *(pl.when(by_letter).then(letter(s)).alias(prefix + g) for g, s in zip(_GRADES, scores, strict=True)),
    )


_RENAMED = {
    "name": "student name", "user_id": "student id", "sis": "student sis", "integration": "student integration id",
    "course_id": "course id", "course_sis": "course sis", "section_id": "section id", "section_sis": "section sis",
    "term_id": "term id", "term_sis": "term sis", "state": "enrollment state",
}  # fmt: skip


def grade_export(request: Request) -> list[Table]:
    """Return the grade export."""
    chosen = request.courses()
    courses = _graded_courses(request.world, chosen)

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        return _scored(request, _named(request, courses, rows)).rename(_RENAMED)

    header = HEADERS["grade_export_csv"]["grade_export_csv"]
    return [Table("grade_export_csv", header, Rows(_enrolled(request, chosen), build))]


def _with_periods(
    request: Request, courses: pl.DataFrame, periods: pl.DataFrame, rows: pl.DataFrame
) -> pl.DataFrame:
    frame = _scored(request, _named(request, courses, rows)).with_columns(
        pl.lit(periods["set_title"][0]).alias("grading period set"),
        pl.lit(periods["set_id"][0]).alias("grading period set id"),
    )
    for period in periods.iter_rows(named=True):
        prefix = f"{period['id']} "
        frame = frame.with_columns(pl.lit(period["id"]).alias(prefix + "grading period id"))
        frame = _scored(request, frame, prefix, period["id"])
    return frame.rename(_RENAMED)


def _period_columns(periods: pl.DataFrame, key: str) -> list[str]:
    """Return the header from the titles of the periods, or from their ids the unique names to compute under."""
    static = list(HEADERS["mgp_grade_export_csv"]["term"])
    each = ("grading period id", *_SCORES, *_GRADES)
    dynamic = [f"{value} {name}" for value in periods[key] for name in each]
    at = static.index("grading period set id") + 1
    return static[:at] + dynamic + static[at:]


def period_tables(request: Request) -> list[Table]:
    """Return one table for each active term, or for the one term whose Canvas id was sent.

    A term without grading periods has a header of no columns: its file says so in one cell.
    """
    world, tables = request.world, []
    text = request.text("enrollment_term_id")
    wanted = pl.col("id").cast(pl.String) == text if text else pl.lit(True)
    for term in world.terms.filter(wanted, status="active").iter_rows(named=True):
        chosen = world.courses.filter(request.within_account(), term_id=term["id"])
        periods = world.grading_periods.filter(term_id=term["id"])
        if periods.height == 0:
            tables.append(Table(term["name"], (), Rows(pl.DataFrame())))
            continue
        courses = _graded_courses(world, chosen)
        rows = Rows(_enrolled(request, chosen), partial(_with_periods, request, courses, periods))
        header, columns = (_period_columns(periods, key) for key in ("title", "id"))
        tables.append(Table(term["name"], header, rows, columns))
    return tables
