"""Reports on what students did, or did not do: access, activity, hand-ins."""

from datetime import datetime
from functools import partial

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, restrict
from canvas_reports_nb.demo_canvas.world import World
from canvas_reports_nb.demo_canvas.world.learning import submitted_between

from .csv_out import Rows
from .parameters import Request

_WINDOW_DAYS = 14


def submission_window(request: Request) -> tuple[datetime, datetime]:
    """Return the two weeks, or less, in which hand-ins count."""
    return request.window(_WINDOW_DAYS)


def in_places(world: World, rows: pl.DataFrame) -> pl.DataFrame:
    """Return enrollments with the name and SIS id of course and section."""
    frame = attach(rows, world.courses, "course_id", course="name", course_sis="sis_id")
    return attach(frame, world.sections, "section_id", section="name", section_sis="sis_id")


def _course_ids(request: Request, *states: str) -> pl.Expr:
    """Return the condition for enrollments of the one course asked for, else of the term's, in the account."""
    course, every = request.course(), request.world.courses
    chosen = request.courses() if course is None else every.filter(request.within_account(), id=course)
    if states:
        chosen = chosen.filter(pl.col("status").is_in(states))
    return pl.col("course_id").is_in(chosen["id"].implode())


def last_user_access(request: Request) -> Rows:
    """Return one row a login with its last use."""
    world = request.world
    logins = world.logins if request.deleted else world.logins.filter(pl.col("status") != "deleted")
    if request.account_id != 1 or request.term() is not None or request.course() is not None:
        alive = pl.lit(True) if request.deleted else pl.col("state").cast(pl.String) != "deleted"
        enrolled = world.enrollments.filter(_course_ids(request), alive)["user_id"].unique()
        logins = logins.filter(pl.col("user_id").is_in(enrolled.implode()))
    return Rows(attach(logins, world.users, "user_id", "sortable"))


def last_enrollment_activity(request: Request) -> Rows:
    """Return the latest activity of each person who was ever active."""
    world = request.world
    active = world.enrollments.filter(_course_ids(request), pl.col("last_activity_at").is_not_null())
    latest = active.group_by("user_id").agg(pl.col("last_activity_at").max()).sort("user_id")
    people = world.users.filter(~pl.col("test"))
    return Rows(restrict(latest, people, "user_id", "sortable"))


def _students(request: Request, wanted: pl.Expr) -> pl.DataFrame:
    student = pl.col("type") == "StudentEnrollment"
    return request.world.enrollments.filter(student, wanted, _course_ids(request, "available"))


def _named(request: Request, rows: pl.DataFrame) -> pl.DataFrame:
    people = request.world.users.filter("usable")
    frame = restrict(rows, people, "user_id", "sortable", user_sis="sis_id")
    return in_places(request.world, frame)


def zero_activity(request: Request) -> Rows:
    """Return active students of published courses who were not active in any section, or not since `start_at`."""
    start, last = request.moment("start_at"), pl.col("last_activity_at")
    seen = last.is_not_null() if start is None else last >= start
    active = request.world.enrollments.filter(seen).select("user_id", "course_id")
    students = _students(request, pl.col("state") == "active")
    idle = students.join(active, on=["user_id", "course_id"], how="anti", maintain_order="left")
    return Rows(idle, partial(_named, request))


def students_with_no_submissions(request: Request) -> Rows:
    """Return student enrollments with nothing handed in within the window."""
    world, window = request.world, submission_window(request)
    states = request.words("enrollment_state") or ["all"]
    wanted = pl.lit(True) if "all" in states else pl.col("state").cast(pl.String).is_in(states)
    courses = world.courses.with_columns(begins_at=pl.coalesce("start_at", "created_at"))

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        frame = attach(rows, courses, "course_id", "begins_at")
        handed_in = pl.Series(submitted_between(world.draws, frame, *window), dtype=pl.Boolean)
        return _named(request, frame.filter(~handed_in))

    without = None if request.flag("include_enrollment_state") else "enrollment state"
    return Rows(_students(request, wanted), build, without=without)
