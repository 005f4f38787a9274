"""The two grade exports: one row per student enrollment."""

from datetime import timedelta
from functools import partial

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, restrict
from canvas_reports_nb.demo_canvas.settings import Settings
from canvas_reports_nb.demo_canvas.world import World
from canvas_reports_nb.demo_canvas.world.learning import letter, marks

from .courses import UNPUBLISHED
from .csv_out import Rows, Table
from .parameters import Request, as_text, leading_integer
from .types import table_columns

_NO_PERIODS = "no grading periods configured for this term"
_SCORES = ("current score", "final score", "unposted current score", "unposted final score", "override score")
_GRADES = tuple(score.replace("score", "grade") for score in _SCORES)
_SLICE = 1_000
"""Enrollments that Canvas reads at a time; the row numbers start again in each slice."""


def _graded_courses(world: World, courses: pl.DataFrame) -> pl.DataFrame:
    """Return what grading needs of courses; `done` is the graded share of the work assigned so far.

    Some teachers assign work as a term proceeds, others all of it at its start, so that final scores lag behind.
    """
    length = (pl.col("end_at") - pl.col("start_at")).dt.total_seconds()
    elapsed = (pl.lit(world.now) - pl.col("start_at")).dt.total_seconds() / length
    running = pl.when(elapsed <= 0.0).then(0.0).otherwise(0.75 + 0.25 * elapsed.fill_null(0.6).clip(0.0, 1.0))
    prompt = pl.Series(world.draws.chance("prompt grading", courses["id"].to_numpy(), 0.6))
    running = pl.when(prompt & (elapsed > 0.0)).then(1.0).otherwise(running)
    unpublished = pl.col("status").is_in(UNPUBLISHED)
    done = pl.when(status="completed").then(1.0).when(unpublished).then(0.0).otherwise(running)
    return attach(courses, world.terms, "term_id", term="name", term_sis="sis_id").select(
        "id", "mean", "spread", "graded_by_letter", "term", "term_id", "term_sis",
        course="name", course_sis="sis_id", done=done.round(3),
    )  # fmt: skip


def _limited(request: Request) -> pl.Expr:
    """Return the condition that limiting_period adds to include_deleted; the key alone switches it on."""
    if not request.deleted or "limiting_period" not in request.parameters:
        return pl.lit(True)
    days = leading_integer(as_text(request.parameters["limiting_period"]))
    since, state = request.world.now - timedelta(days=days), pl.col("state").cast(pl.String)
    courses = request.world.courses.filter(pl.col("end_at") >= since)["id"].implode()
    left = state.is_in(["inactive", "deleted"]) & (pl.col("updated_at") >= since)
    return (state == "active") | pl.col("course_id").is_in(courses) | left


def _listed(request: Request, courses: pl.DataFrame) -> pl.DataFrame:
    """Return the courses of which batches are made."""
    return courses if request.deleted else courses.filter(pl.col("status") != "deleted")


def _enrolled(request: Request, courses: pl.DataFrame, *, by_course: bool) -> pl.DataFrame:
    """Return the student enrollments of the export in Canvas's order.

    Courses are exported in batches; inside a batch the enrollments are numbered per slice (or, `by_course`, per
    course of each slice), and the file is sorted by batch and number, so that slices interleave.
    """
    listed = _listed(request, courses)
    size = min(max(round(listed.height / 99), 25), 1_000)
    batches = listed.sort("id").select("id", "term_id", "status", batch=pl.int_range(pl.len()) // size)
    if not request.deleted:
        batches = batches.filter(status="available")
    states = ["active", "completed"] + (["inactive", "deleted"] if request.deleted else [])
    rows = request.world.enrollments.filter(
        pl.col("type").cast(pl.String) == "StudentEnrollment",
        pl.col("state").cast(pl.String).is_in(states),
        _limited(request),
    )
    rows = restrict(rows, batches, "course_id", "batch", order_term="term_id")
    rows = rows.sort("batch", "order_term", "course_id", "id")
    part = pl.int_range(pl.len()).over("batch") // _SLICE
    rows = rows.with_columns(part=part)
    within = ["batch", "part", "course_id"] if by_course else ["batch", "part"]
    rows = rows.with_columns(number=pl.int_range(pl.len()).over(within))
    return rows.sort("batch", "number", maintain_order=True).drop("batch", "part", "number", "order_term")


def _named(request: Request, courses: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return enrollments with the names and ids of their people, courses, sections and terms."""
    frame = restrict(request.with_login(rows), request.world.users, "user_id", "name")
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

    return Rows(_enrolled(request, chosen, by_course=False), build)


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


def _period_columns(settings: Settings, periods: pl.DataFrame) -> list[tuple[str, str | None]]:
    """Return the columns: those of a period are named after its title, which may repeat, and made by its id."""
    static = table_columns(settings, "mgp_grade_export_csv", "term")
    scores = [printed for printed, _ in static if printed in (*_SCORES, *_GRADES)]
    each = ["grading period id", *(name for name in (*_SCORES, *_GRADES) if name in scores)]
    dynamic = [
        (f"{title} {name}", f"{number} {name}")
        for number, title in periods.select("id", "title").iter_rows()
        for name in each
    ]
    at = [printed for printed, _ in static].index("grading period set id") + 1
    return [*static[:at], *dynamic, *static[at:]]


def _chosen_terms(request: Request) -> pl.DataFrame:
    """Return every term that is not deleted, or the one whose number was sent.

    Unlike other reports this one reads a number, so that a word or a prefixed id means term 0: none.
    """
    text = as_text(request.parameters.get("enrollment_term_id") or "")
    terms = request.world.terms
    return terms.filter(id=leading_integer(text)) if text else terms.filter(pl.col("status") != "deleted")


def period_tables(request: Request) -> list[Table]:
    """Return one table per term; none if no term lacks grading periods and no course is in them.

    The file of a term without grading periods says so where its header would be.
    """
    world, tables, batched = request.world, dict[str, Table](), False
    for term, name in _chosen_terms(request).select("id", "name").iter_rows():
        chosen = world.courses.filter(request.within_account(), term_id=term)
        periods = world.grading_periods.filter(term_id=term)
        batched |= periods.is_empty() or not _listed(request, chosen).is_empty()
        if periods.is_empty():
            table = Table(name, [(_NO_PERIODS, "")], Rows(pl.DataFrame()))
        else:
            build = partial(_with_periods, request, _graded_courses(world, chosen), periods)
            table = Table(
                name,
                _period_columns(world.settings, periods),
                Rows(_enrolled(request, chosen, by_course=True), build),
            )
        # Terms of one name share a file, under the header of the later one.
        earlier = tables.get(name)
        tables[name] = table if earlier is None else Table(name, table.columns, table.rows, (earlier,))
    return list(tables.values()) if batched else []
