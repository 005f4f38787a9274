"""The two grade exports: one row a student enrollment."""

from datetime import timedelta
from functools import partial

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, restrict
from canvas_reports_nb.demo_canvas.world import World
from canvas_reports_nb.demo_canvas.world.learning import letter, marks

from .csv_out import Rows, Table
from .parameters import Request
from .types import COLUMNS

_NO_PERIODS = "no grading periods configured for this term"
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
    return attach(courses, world.terms, "term_id", term="name", term_sis="sis_id").select(
        "id", "mean", "spread", "graded_by_letter", "term", "term_id", "term_sis",
        course="name", course_sis="sis_id", done=done.round(3),
    )  # fmt: skip


def _enrolled(request: Request, courses: pl.DataFrame) -> pl.DataFrame:
    """Return the enrollments of students that the export lists."""
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
    """Return enrollments with the names and ids of their people, courses, sections and terms."""
    people = request.world.users.filter(request.has_login())
    frame = restrict(rows, people, "user_id", "name", "integration_id", user_sis="sis_id")
    frame = restrict(frame, courses, "course_id", *(name for name in courses.columns if name != "id"))
    frame = attach(frame, request.world.sections, "section_id", section="name", section_sis="sis_id")
    return frame.with_columns(pl.col("state").cast(pl.String).replace({"completed": "concluded"}))


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


def grade_export(request: Request) -> Rows:
    """Return the grade export."""
    chosen = request.courses()
    courses = _graded_courses(request.world, chosen)

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        return _scored(request, _named(request, courses, rows))

    return Rows(_enrolled(request, chosen), build)


def _with_periods(
    request: Request, courses: pl.DataFrame, periods: pl.DataFrame, rows: pl.DataFrame
) -> pl.DataFrame:
    whole = periods.row(0, named=True)
    frame = _scored(request, _named(request, courses, rows)).with_columns(
        set_title=pl.lit(whole["set_title"]), set_id=pl.lit(whole["set_id"])
    )
    for period in periods["id"]:
        frame = frame.with_columns(pl.lit(period).alias(f"{period} grading period id"))
        frame = _scored(request, frame, f"{period} ", period)
    return frame


def _period_columns(periods: pl.DataFrame) -> list[tuple[str, str]]:
    """Return the columns, those of a period under its title, which may repeat, and made under its id."""
    static = COLUMNS["mgp_grade_export_csv"]["term"]
    each = ("grading period id", *_SCORES, *_GRADES)
    dynamic = [
        (f"{title} {name}", f"{number} {name}")
        for number, title in periods.select("id", "title").iter_rows()
        for name in each
    ]
    at = list(static).index("grading period set id") + 1
    return [*list(static.items())[:at], *dynamic, *list(static.items())[at:]]


def period_tables(request: Request) -> list[Table]:
    """Return one table for each active term, or for the one term whose Canvas id was sent.

    The file of a term without grading periods says so where its header would be.
    """
    world, tables = request.world, []
    text = request.text("enrollment_term_id")
    wanted = pl.col("id").cast(pl.String) == text if text else pl.lit(True)
    for term, name in world.terms.filter(wanted, status="active").select("id", "name").iter_rows():
        chosen = world.courses.filter(request.within_account(), term_id=term)
        periods = world.grading_periods.filter(term_id=term)
        if periods.is_empty():
            tables.append(Table(name, [(_NO_PERIODS, "")], Rows(pl.DataFrame())))
            continue
        build = partial(_with_periods, request, _graded_courses(world, chosen), periods)
        tables.append(Table(name, _period_columns(periods), Rows(_enrolled(request, chosen), build)))
    return tables
