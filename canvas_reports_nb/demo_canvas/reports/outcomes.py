"""The three reports on learning outcomes."""

from collections.abc import Iterator
from functools import partial

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach
from canvas_reports_nb.demo_canvas.world.learning import outcome_marks

from .csv_out import Rows
from .parameters import Request
from .students import in_places
from .types import HEADERS

_NOTHING = "No outcomes found"
_ORDERS = {
    "users": ["user_id", "outcome_id", "course_id"],
    "courses": ["course_id", "user_id", "outcome_id"],
    "outcomes": ["outcome_id", "user_id", "course_id"],
}


def _assessed(request: Request) -> pl.DataFrame:
    """Return one row a student's section, login and assessed thing, ids only."""
    world, state = request.world, pl.col("state").cast(pl.String)
    courses = request.courses()
    kept = pl.lit(True) if request.deleted else ~state.is_in(["deleted", "completed", "rejected"])
    if not request.deleted:
        courses = courses.filter(pl.col("status") == "available")
    logins = world.logins if request.deleted else world.logins.filter(pl.col("status") != "deleted")
    aligned = world.assessments.join(courses.select(course_id="id"), on="course_id", how="semi")
    return (
        world.enrollments.lazy()
        .filter(pl.col("type") == "StudentEnrollment", kept)
        .join(aligned.lazy(), on="course_id", maintain_order="left_right")
        .join(logins.lazy().select("user_id", "sis_id"), on="user_id", maintain_order="left_right")
        .select(pl.exclude("created_by_sis", "limit_privileges", "updated_at", "id", "role_id"))
        .collect()
    )


def _printed(request: Request, rows: pl.DataFrame, *, results: bool) -> pl.DataFrame:
    """Return the rows with everything both reports print."""
    world = request.world
    outcomes = attach(world.outcomes, world.outcome_groups, "group_id", group_title="title")
    of_outcome = ("title", "friendly", "mastery", "ratings", "group_id", "group_title")
    courses = attach(world.courses, world.accounts, "account_id", account="name")
    frame = attach(rows, outcomes, "outcome_id", *of_outcome)
    frame = attach(in_places(world, frame), courses, "course_id", "account_id", "account")
    frame = attach(frame, world.users, "user_id", "sortable")
    frame = outcome_marks(world.draws, frame, world.outcomes)
    if results:
        frame = frame.filter(pl.col("submitted_at").is_not_null())
    address = "https://{}/courses/{}/assignments/{}"
    rating = pl.col("rating").struct
    return frame.with_columns(
        url=pl.format(address, pl.lit(world.host), "course_id", "assignment_id"),
        rating=rating.field("description"),
        rating_points=rating.field("points"),
    )


def outcome_results(request: Request) -> Rows:
    """Return one row a result: of an essay, or of one question of a quiz."""
    order = _ORDERS.get(request.text("order").lower(), _ORDERS["users"])
    source = _assessed(request).sort(order, maintain_order=True)
    return Rows(source, partial(_printed, request, results=True), _NOTHING)


def student_assignment_outcome_map(request: Request) -> Rows:
    """Return one row a student and aligned assignment, handed in or not."""
    once = ["user_id", "section_id", "sis_id", "assignment_id", "outcome_id", "state"]
    source = _assessed(request).unique(once, keep="first", maintain_order=True)
    return Rows(source, partial(_printed, request, results=False), _NOTHING)


def outcome_export_cells(request: Request) -> Iterator[list[object]]:
    """Yield the lines of the outcome export: header, groups, outcomes with two cells a rating."""
    yield list(HEADERS["outcome_export_csv"]["outcome_export_csv"])
    world = request.world
    guids = {
        row["id"]: row["guid"] or f"canvas_outcome_group:{row['id']}"
        for row in world.outcome_groups.iter_rows(named=True)
    }
    for row in world.outcome_groups.filter(request.within_account()).iter_rows(named=True):
        parent = guids.get(row["parent_id"])
        blank = [None] * 4
        yield [guids[row["id"]], "group", row["title"], row["description"], *blank, parent, "active", None]
    for row in world.outcomes.filter(request.within_account()).iter_rows(named=True):
        ratings = [cell for rating in row["ratings"] for cell in (rating["points"], rating["description"])]
        yield [
            row["guid"] or f"canvas_outcome:{row['id']}", "outcome", row["title"], row["description"], row["friendly"],
            row["display_name"], row["method"], row["method_int"], guids[row["group_id"]], "active", row["mastery"],
            *ratings,
        ]  # fmt: skip
