"""Reports on what students did: access, activity, submissions."""

from datetime import datetime, timedelta
from functools import partial

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, restrict
from canvas_reports_nb.demo_canvas.world import World
from canvas_reports_nb.demo_canvas.world.learning import submitted_between

from .csv_out import Rows
from .parameters import ReportFailed, Request, is_given

_WINDOW = timedelta(days=14)
_STATE = pl.col("state").cast(pl.String)


def submission_window(request: Request) -> tuple[datetime, datetime]:
    """Return the window in which submissions count: missing ends computed, never longer than two weeks."""
    start, end = request.moment("start_at"), request.moment("end_at")
    try:
        if end is None:
            end = request.world.now if start is None else start + _WINDOW
        if start is None or end - start > _WINDOW:
            start = end - _WINDOW
    except OverflowError as error:
        raise ReportFailed("the window ends beyond the calendar") from error
    return start, end


def computed_dates(request: Request) -> dict[str, str]:
    """Return the ends of the window that the report computed, as Canvas stores them."""
    window = zip(("start_at", "end_at"), submission_window(request), strict=True)
    return {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in window if request.moment(name) != at}


def enrollment_states(request: Request) -> str | list[str]:
    """Return the states of students_with_no_submissions as sent: a text is one state, commas included."""
    value = request.parameters.get("enrollment_state")
    if not is_given(value) or (isinstance(value, (str, list, tuple)) and "all" in value):
        return "all"
    return [str(state) for state in value] if isinstance(value, (list, tuple)) else str(value)


def in_places(world: World, rows: pl.DataFrame) -> pl.DataFrame:
    """Return enrollments with the name and SIS id of course and section."""
    frame = attach(rows, world.courses, "course_id", course="name", course_sis="sis_id")
    return attach(frame, world.sections, "section_id", section="name", section_sis="sis_id")


def last_user_access(request: Request) -> Rows:
    """Return one row per login with its last use; a chosen course overrides a chosen term."""
    world, (term, course) = request.world, (request.term(), request.course())
    logins = request.own_logins.filter(request.associated())
    if not request.deleted:
        logins = logins.filter(pl.col("status") != "deleted")
    if term is not None or course is not None:
        chosen = pl.col("term_id") == term if course is None else pl.col("id") == course
        taught = pl.col("course_id").is_in(world.courses.filter(chosen)["id"].implode())
        counts = pl.lit(True) if request.deleted else _STATE != "deleted"
        enrolled = world.enrollments.filter(taught, counts)["user_id"].unique()
        logins = logins.filter(pl.col("user_id").is_in(enrolled.implode()))
    return Rows(attach(logins, world.users, "user_id", "sortable"))


def _chosen(request: Request) -> pl.DataFrame:
    """Return the courses of the term and the account, or only the chosen one."""
    course, courses = request.course(), request.courses()
    return courses if course is None else courses.filter(id=course)


def last_enrollment_activity(request: Request) -> Rows:
    """Return the latest activity of each person who was ever active, by user id; every type of enrollment counts."""
    taught = pl.col("course_id").is_in(_chosen(request)["id"].implode())
    active = request.world.enrollments.filter(
        taught, request.associated(), pl.col("last_activity_at").is_not_null()
    )
    latest = active.group_by("user_id").agg(pl.col("last_activity_at").max()).sort("user_id")
    return Rows(restrict(latest, request.world.users, "user_id", "sortable"))


def _students(request: Request, courses: pl.DataFrame, *wanted: pl.Expr) -> pl.DataFrame:
    student = pl.col("type").cast(pl.String) == "StudentEnrollment"
    taught = pl.col("course_id").is_in(courses["id"].implode())
    return request.world.enrollments.filter(student, taught, *wanted)


def _anywhere(request: Request) -> pl.DataFrame:
    """Return the courses of the term and the account; a chosen course may be in any account."""
    course, term = request.course(), request.term()
    if course is None:
        return request.courses()
    wanted = pl.lit(True) if term is None else pl.col("term_id") == term
    return request.world.courses.filter(wanted, id=course)


def _named(request: Request, logins: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    frame = restrict(rows, logins, "user_id", "user_sis")
    return in_places(request.world, restrict(frame, request.world.users, "user_id", "sortable"))


def zero_activity(request: Request) -> Rows:
    """Return active students of published courses with no activity in any section, or none since `start_at`."""
    world, start, last = request.world, request.moment("start_at"), pl.col("last_activity_at")
    idle = last.is_null() if start is None else last.is_null() | (last < start)
    seen = last.is_not_null() if start is None else last > start
    sections = world.sections.filter(status="active")["id"].implode()
    courses = _anywhere(request).filter(status="available")
    rows = _students(request, courses, _STATE == "active", pl.col("section_id").is_in(sections), idle)
    active = world.enrollments.filter(seen).select("user_id", "course_id")
    rows = rows.join(active, on=["user_id", "course_id"], how="anti", maintain_order="left")
    return Rows(rows, partial(_named, request, request.joined_logins("active")))


def students_with_no_submissions(request: Request) -> Rows:
    """Return student enrollments without any submission strictly within the window."""
    world, states = request.world, enrollment_states(request)
    window = submission_window(request)
    named = [states] if isinstance(states, str) else states
    wanted = pl.lit(True) if states == "all" else _STATE.is_in(named)
    courses = world.courses.with_columns(begins_at=pl.coalesce("start_at", "created_at"))
    logins = request.joined_logins("active", "suspended")

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        frame = attach(rows, courses, "course_id", "begins_at")
        submitted = pl.Series(submitted_between(world.draws, frame, *window), dtype=pl.Boolean)
        return _named(request, logins, frame.filter(~submitted))

    present = _anywhere(request).filter(pl.col("status") != "deleted")
    without = () if request.flag("include_enrollment_state") else ("enrollment state",)
    return Rows(_students(request, present, wanted), build, without=without)
