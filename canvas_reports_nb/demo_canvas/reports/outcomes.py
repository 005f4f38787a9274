"""The three reports on learning outcomes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.demo_canvas.reports.csv_out import Rows, Table
from canvas_reports_nb.demo_canvas.reports.headers import HEADERS
from canvas_reports_nb.demo_canvas.world.learning import outcome_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from canvas_reports_nb.demo_canvas.reports.parameters import Request

__all__ = ["competency", "outcome_export_cells", "outcome_results"]

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


def _marked(request: Request, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with everything both reports print, under the names they print it with."""
    world = request.world
    outcomes = world.outcomes.join(
        world.outcome_groups.select(group_id="id", group_title="title"), on="group_id", maintain_order="left"
    ).select("title", "friendly", "mastery", "ratings", "group_id", "group_title", outcome_id="id")
    courses = world.courses.select("account_id", course_id="id", course="name", course_sis="sis_id")
    courses = courses.join(world.accounts.select(account_id="id", account="name"), on="account_id")
    sections = world.sections.select(section_id="id", section="name", section_sis="sis_id")
    people = world.users.select(user_id="id", student="sortable")
    for table, key in (
        (outcomes, "outcome_id"),
        (courses, "course_id"),
        (sections, "section_id"),
        (people, "user_id"),
    ):
        rows = rows.join(table, on=key, maintain_order="left")
    return outcome_marks(world.draws, rows, world.outcomes)


def _printed(request: Request, rows: pl.DataFrame, *, results: bool) -> pl.DataFrame:
    frame = _marked(request, rows)
    if results:
        frame = frame.filter(pl.col("submitted_at").is_not_null())
    url = pl.format(
        "https://{}/courses/{}/assignments/{}", pl.lit(request.world.host), "course_id", "assignment_id"
    )
    head = "assessment" if results else "assignment"
    points, description = (pl.col("rating").struct.field(name) for name in ("points", "description"))
    return frame.with_columns(
        url.alias("assignment url"),
        description.alias("learning outcome rating"),
        points.alias("learning outcome rating points"),
    ).rename(
        {"student": "student name", "user_id": "student id", "sis_id": "student sis id", "title": "learning outcome name"}
        | {"assignment_title": f"{head} title", "assignment_id": f"{head} id", "kind": f"{head} type"}
        | {"submitted_at": "submission date", "submission_score": "submission score", "outcome_score": "outcome score"}
        | {"question": "assessment question", "question_id": "assessment question id", "course": "course name"}
        | {"course_id": "course id", "course_sis": "course sis id", "section": "section name", "state": "enrollment state"}
        | {"section_id": "section id", "section_sis": "section sis id", "friendly": "learning outcome friendly name"}
        | {"points_possible": "learning outcome points possible", "mastery": "learning outcome mastery score"}
        | {"mastered": "learning outcome mastered", "group_title": "learning outcome group title"}
        | {"group_id": "learning outcome group id", "account_id": "account id", "account": "account name"}
        | {"outcome_id": "learning outcome id"}
    )  # fmt: skip


def outcome_results(request: Request) -> list[Table]:
    """Return one row a result: of an essay, or of one question of a quiz."""
    order = _ORDERS.get(request.text("order").lower(), _ORDERS["users"])
    source = _assessed(request).sort(order, maintain_order=True)
    rows = Rows(source, partial(_printed, request, results=True))
    report = "outcome_results_csv"
    return [Table(report, HEADERS[report][report], rows, when_empty=_NOTHING)]


def competency(request: Request) -> list[Table]:
    """Return one row a student and aligned assignment, handed in or not."""
    once = ["user_id", "section_id", "sis_id", "assignment_id", "outcome_id", "state"]
    source = _assessed(request).unique(once, keep="first", maintain_order=True)
    report = "student_assignment_outcome_map_csv"
    rows = Rows(source, partial(_printed, request, results=False))
    return [Table(report, HEADERS[report][report], rows, when_empty=_NOTHING)]


def outcome_export_cells(request: Request) -> Iterator[list[object]]:
    """Yield the lines of the outcome export: header, groups, outcomes with two cells a rating."""
    header = HEADERS["outcome_export_csv"]["outcome_export_csv"]
    yield list(header)
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
