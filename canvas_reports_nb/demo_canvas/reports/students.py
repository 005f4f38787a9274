"""Reports on what students did, or did not do: access, activity, hand-ins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.demo_canvas.reports.csv_out import Rows, Table
from canvas_reports_nb.demo_canvas.reports.headers import HEADERS
from canvas_reports_nb.demo_canvas.world.learning import submitted_between

if TYPE_CHECKING:
    from datetime import datetime

    from canvas_reports_nb.demo_canvas.reports.parameters import Request

__all__ = ["WINDOW_DAYS", "last_enrollment_activity", "last_user_access", "no_submissions", "zero_activity"]

WINDOW_DAYS = 14


def _table(report: str, rows: Rows, header: tuple[str, ...] | None = None) -> list[Table]:
    return [Table(report, header or HEADERS[report][report], rows)]


def _course_ids(request: Request, *states: str) -> pl.Expr:
    """Return the condition for enrolments of the one course asked for, else of the term's, in the account."""
    course = request.course()
    chosen = (
        request.courses()
        if course is None
        else request.world.courses.filter(request.within_account(), id=course)
    )
    if states:
        chosen = chosen.filter(pl.col("status").is_in(states))
    return pl.col("course_id").is_in(chosen["id"].implode())


def last_user_access(request: Request) -> list[Table]:
    """Return one row a login with its last use."""
    world = request.world
    logins = world.logins if request.deleted else world.logins.filter(pl.col("status") != "deleted")
    if request.account_id != 1 or request.term() is not None or request.course() is not None:
        alive = pl.lit(True) if request.deleted else pl.col("state").cast(pl.String) != "deleted"
        enrolled = world.enrollments.filter(_course_ids(request), alive)["user_id"].unique()
        logins = logins.filter(pl.col("user_id").is_in(enrolled.implode()))
    people = world.users.select("sortable", user_id="id")
    renamed = {"user_id": "user id", "sis_id": "user sis id", "sortable": "user name", "last_at": "last access at",
               "last_ip": "last ip"}  # fmt: skip

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.join(people, on="user_id", maintain_order="left").rename(renamed)

    return _table("last_user_access_csv", Rows(logins, build))


def last_enrollment_activity(request: Request) -> list[Table]:
    """Return the latest activity of each person who was ever active."""
    world = request.world
    latest = (
        world.enrollments.lazy()
        .filter(_course_ids(request), pl.col("last_activity_at").is_not_null())
        .group_by("user_id")
        .agg(pl.col("last_activity_at").max())
        .join(world.users.lazy().filter(~pl.col("test")).select("sortable", user_id="id"), on="user_id")
        .sort("user_id")
        .collect()
    )
    renamed = {"user_id": "user id", "sortable": "user name", "last_activity_at": "last activity at"}
    return _table("last_enrollment_activity_csv", Rows(latest.rename(renamed)))


def _named(request: Request, rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return student enrolments with the columns two reports share; `name` heads the sortable name."""
    world = request.world
    people = world.users.filter("usable").select(
        pl.col("sortable").alias(name), user_id="id", user_sis="sis_id"
    )
    section = world.sections.select(
        pl.col("name").alias("section name"), section_id="id", section_sis="sis_id"
    )
    course = world.courses.select(pl.col("name").alias("course name"), course_id="id", course_sis="sis_id")
    for table, key in ((people, "user_id"), (section, "section_id"), (course, "course_id")):
        rows = rows.join(table, on=key, maintain_order="left")
    return rows.rename(
        {
            "user_id": "user id",
            "user_sis": "user sis id",
            "section_id": "section id",
            "section_sis": "section sis id",
        }
        | {"course_id": "course id", "course_sis": "course sis id", "state": "enrollment state"}
    )


def zero_activity(request: Request) -> list[Table]:
    """Return active students of published courses who were not active in any section, or not since `start_at`."""
    start = request.moment("start_at")
    students = request.world.enrollments.filter(
        pl.col("type") == "StudentEnrollment", pl.col("state") == "active", _course_ids(request, "available")
    )
    seen = pl.col("last_activity_at").is_not_null() if start is None else pl.col("last_activity_at") >= start
    active = request.world.enrollments.filter(seen).select("user_id", "course_id")
    idle = students.join(active, on=["user_id", "course_id"], how="anti", maintain_order="left")
    return _table("zero_activity_csv", Rows(idle, partial(_named, request, name="name")))


def _without_hand_ins(
    request: Request, window: tuple[datetime, datetime], rows: pl.DataFrame
) -> pl.DataFrame:
    begins = pl.coalesce("start_at", "created_at")
    frame = rows.join(request.world.courses.select(course_id="id", begins_at=begins), on="course_id",
                      maintain_order="left")  # fmt: skip
    handed_in = pl.Series(submitted_between(request.world.draws, frame, *window), dtype=pl.Boolean)
    return _named(request, frame.filter(~handed_in), "user name")


def no_submissions(request: Request) -> list[Table]:
    """Return student enrolments with nothing handed in within the window."""
    states = request.words("enrollment_state") or ["all"]
    wanted = pl.lit(True) if "all" in states else pl.col("state").cast(pl.String).is_in(states)
    students = request.world.enrollments.filter(
        pl.col("type") == "StudentEnrollment", wanted, _course_ids(request, "available")
    )
    report = "students_with_no_submissions_csv"
    full = HEADERS[report][report]
    header = full if request.flag("include_enrollment_state") else full[:-1]
    build = partial(_without_hand_ins, request, request.window(WINDOW_DAYS))
    return _table(report, Rows(students, build), header)
