"""The three reports on learning outcomes."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach
from canvas_reports_nb.demo_canvas.settings import Settings
from canvas_reports_nb.demo_canvas.world.learning import best_first, outcome_marks

from .csv_out import Rows
from .parameters import Request
from .students import in_places
from .types import table_columns

_EXPORT = "outcome_export_csv"
_NOTHING = "No outcomes found"
ORDERS: Mapping[str, list[str]] = {
    "users": ["user_id", "outcome_id", "course_id"],
    "courses": ["course_id", "user_id", "outcome_id"],
    "outcomes": ["outcome_id", "user_id", "course_id"],
}


def chosen_order(request: Request) -> str | None:
    """Return the order asked for in any case; None, which acts as users, for an unknown word."""
    word = request.text("order").lower()
    return word if word in ORDERS else None


def _assessed(request: Request) -> pl.DataFrame:
    """Return one row per enrollment, login and assessed thing, ids only."""
    world, state = request.world, pl.col("state").cast(pl.String)
    courses, logins, kept = request.courses(), world.logins, pl.lit(True)
    if not request.deleted:
        courses = courses.filter(pl.col("status").is_in(["available", "completed"]))
        logins = logins.filter(pl.col("status") != "deleted")
        kept = state != "deleted"
    # Only outcomes of this very account count, not those of the accounts above or below.
    outcomes = world.outcomes.filter(account_id=request.account_id).select(outcome_id="id")
    aligned = world.assessments.join(courses.select(course_id="id"), on="course_id", how="semi")
    aligned = aligned.join(outcomes, on="outcome_id", how="semi", maintain_order="left")
    return (
        world.enrollments.lazy()
        .filter(pl.col("type").cast(pl.String) == "StudentEnrollment", kept)
        .join(aligned.lazy(), on="course_id", maintain_order="left_right")
        .join(
            logins.lazy().select("user_id", "sis_id", login_id="id"),
            on="user_id",
            maintain_order="left_right",
        )
        .select(pl.exclude("created_by_sis", "limit_privileges", "updated_at", "id", "role_id"))
        .collect()
    )


def _printed(request: Request, rows: pl.DataFrame, *, results: bool) -> pl.DataFrame:
    """Return the rows with everything that both reports print."""
    world = request.world
    linked = world.outcomes.filter(account_id=request.account_id)
    if results:  # merged, while the other report has a row per group that holds the outcome
        linked = linked.unique("id", keep="first", maintain_order=True)
    outcomes = attach(linked, world.outcome_groups, "group_id", group_title="title")
    of_outcome = ("title", "display_name", "mastery", "ratings", "group_id", "group_title")
    courses = attach(world.courses, world.accounts, "account_id", account="name")
    frame = attach(rows, outcomes, "outcome_id", *of_outcome)
    frame = attach(in_places(world, frame), courses, "course_id", "account_id", "account")
    frame = attach(frame, world.users, "user_id", "sortable")
    frame = outcome_marks(world.draws, frame, linked)
    if results:
        frame = frame.filter(pl.col("submitted_at").is_not_null())
    address = "https://{}/courses/{}/assignments/{}"
    assignment, rating = pl.col("assignment_id").cast(pl.String).fill_null(""), pl.col("rating").struct
    hidden = {"outcome_score", "rating_points", "points_possible", "mastery"}
    frame = frame.with_columns(
        url=pl.format(address, pl.lit(world.host), "course_id", assignment),
        rating=rating.field("description"),
        rating_points=rating.field("points"),
    )
    if world.settings.hidden_points:  # the rating's name and mastered stay
        frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in hidden)
    return frame


def outcome_results(request: Request) -> Rows:
    """Return one row per result of an essay or of a question of a quiz, login and section.

    Of two enrollments in one section the first is printed; Canvas doesn't fix which one.
    """
    once = ["outcome_id", "user_id", "course_id", "login_id", "section_id", "assignment_id", "question_id"]
    rows = _assessed(request).unique(once, keep="first", maintain_order=True)
    source = rows.sort(ORDERS[chosen_order(request) or "users"], maintain_order=True)
    return Rows(source, partial(_printed, request, results=True), _NOTHING)


def student_assignment_outcome_map(request: Request) -> Rows:
    """Return one row per student, login, section, state and aligned assignment, graded or not.

    Quizzes are not among them: their outcomes are aligned with question banks.
    """
    once = ["user_id", "section_id", "login_id", "assignment_id", "outcome_id", "state"]
    assessed = _assessed(request).filter(pl.col("kind") == "assignment")
    source = assessed.unique(once, keep="first", maintain_order=True)
    return Rows(source, partial(_printed, request, results=False), _NOTHING)


def _by_depth(groups: pl.DataFrame) -> Iterator[Mapping[str, Any]]:
    """Yield the groups of an account, those without a parent first."""
    rows, known = groups.to_dicts(), set(groups["id"])
    above = {row["parent_id"] for row in rows} - known | {None}
    while found := [row for row in rows if row["parent_id"] in above]:
        yield from found
        above = {row["id"] for row in found}


def _group_cells(row: Mapping[str, Any], guids: Mapping[int, str]) -> dict[str, object]:
    cells = {**row, "vendor_guid": guids[row["id"]], "object_type": "group", "workflow_state": "active"}
    return {**cells, "parent_guids": guids.get(row["parent_id"])}


def _outcome_cells(row: Mapping[str, Any], guids: Mapping[int, str], settings: Settings) -> dict[str, object]:
    return {
        **row,
        "vendor_guid": row["guid"] or f"canvas_outcome:{row['id']}",
        "object_type": "outcome",
        "friendly_description": row["friendly"],
        "calculation_method": row["method"],
        "calculation_int": row["method_int"],
        "parent_guids": " ".join(guids[group] for group in sorted(row["groups"] or ())) or None,
        "workflow_state": "active",
        "mastery_points": settings.number(row["mastery"]),
    }


def _rating_cells(row: Mapping[str, Any], settings: Settings) -> Iterator[object]:
    for rating in () if settings.mastery_scales else best_first(row["ratings"]):
        yield from (settings.number(rating["points"]), rating["description"])


def outcome_export_cells(request: Request) -> Iterator[list[object]]:
    """Yield the lines of the outcome export: header, groups, outcomes with two cells per rating."""
    world, settings = request.world, request.world.settings
    header: list[object] = [printed for printed, _ in table_columns(settings, _EXPORT, _EXPORT)]
    yield header
    # Groups have no rating cells, not even an empty one under the header "ratings".
    plain = [str(name) for name in header if name != "ratings"]
    groups = world.outcome_groups.filter(account_id=request.account_id)
    guids = {row["id"]: row["guid"] or f"canvas_outcome_group:{row['id']}" for row in groups.to_dicts()}
    for row in _by_depth(groups):
        yield [_group_cells(row, guids).get(name) for name in plain]
    linked = world.outcomes.filter(account_id=request.account_id)
    holding = linked.filter(pl.col("group_id").is_in(list(guids))).group_by("id").agg(groups="group_id")
    for row in attach(linked.unique("id", keep="first"), holding, "id", "groups").sort("id").to_dicts():
        cells = _outcome_cells(row, guids, settings)
        yield [*(cells.get(name) for name in plain), *_rating_cells(row, settings)]
