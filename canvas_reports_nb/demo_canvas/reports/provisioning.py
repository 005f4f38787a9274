"""The provisioning report, and the SIS export as the part of it that a SIS could import again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.demo_canvas.reports.csv_out import Rows, Table
from canvas_reports_nb.demo_canvas.reports.headers import HEADERS, TABLES
from canvas_reports_nb.demo_canvas.reports.parameters import ReportFailed, Request
from canvas_reports_nb.demo_canvas.world.enrollments import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["members_of", "provisioning_rows", "provisioning_tables"]

_KEPT_DAYS = 120  # how long a course deleted by hand stays in an export with include_deleted


def _by_sis(request: Request) -> pl.Expr:
    return pl.col("created_by_sis") if request.text("created_by_sis") else pl.lit(True)


def _alive(request: Request) -> pl.Expr:
    return pl.lit(True) if request.deleted else pl.col("status") != "deleted"


def _has_login(request: Request) -> pl.Expr:
    return (pl.col("known") if request.deleted else pl.col("usable")) & ~pl.col("test")


def _people(request: Request, *columns: str) -> pl.DataFrame:
    return request.world.users.filter(_has_login(request)).select("id", *columns)


def _sis_of(frame: pl.DataFrame, key: str, name: str) -> pl.DataFrame:
    return frame.select(pl.col("id").alias(key), pl.col("sis_id").alias(name))


def members_of(request: Request) -> pl.Expr:
    """Return the condition on `user_id` for people enrolled in the run's account or below."""
    if request.account_id == 1:
        return pl.lit(True)
    world = request.world
    mine = world.courses.filter(request.within_account())["id"]
    enrolled = world.enrollments.filter(pl.col("course_id").is_in(mine.implode()))["user_id"].unique()
    return pl.col("user_id").is_in(enrolled.implode())


def _open_courses(request: Request, courses: pl.DataFrame) -> pl.DataFrame:
    if not request.deleted:
        return courses.filter(~pl.col("status").is_in(["deleted", "completed"]))
    recent = pl.col("updated_at") > request.world.now - timedelta(days=_KEPT_DAYS)
    return courses.filter((pl.col("status") != "deleted") | recent | pl.col("sis_id").is_not_null())


def visible_courses(request: Request) -> pl.DataFrame:
    """Return the courses of the run that its tables may speak of."""
    return _open_courses(request, request.courses())


def users(request: Request) -> Rows:
    """Return one row a login."""
    people = request.world.users.filter(~pl.col("test"))
    logins = request.world.logins.filter(_alive(request), _by_sis(request), members_of(request))

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        person = people.drop("sis_id", "integration_id")
        return rows.join(person, left_on="user_id", right_on="id", maintain_order="left").rename(
            {"id": "login", "login": "login_id"} | {"user_id": "canvas_user_id", "sis_id": "user_id"}
            | {"provider_id": "authentication_provider_id", "given": "first_name", "family": "last_name"}
            | {"name": "full_name", "sortable": "sortable_name"}
        )  # fmt: skip

    return Rows(logins, build)


def accounts(request: Request) -> Rows:
    """Return the accounts below: all of them from the root, direct children from anywhere else."""
    world = request.world
    below = (
        pl.col("parent_id").is_not_null()
        if request.account_id == 1
        else pl.col("parent_id") == request.account_id
    )
    frame = world.accounts.join(_sis_of(world.accounts, "parent_id", "parent_account_id"), on="parent_id", how="left",
                                maintain_order="left")  # fmt: skip
    renamed = {"id": "canvas_account_id", "sis_id": "account_id", "parent_id": "canvas_parent_id"}
    return Rows(frame.filter(below, _alive(request), _by_sis(request)).rename(renamed))


def terms(request: Request) -> Rows:
    """Return the terms of the school, whatever account or term was asked for."""
    frame = request.world.terms.filter(_alive(request), _by_sis(request))
    renamed = {"id": "canvas_term_id", "sis_id": "term_id", "start_at": "start_date", "end_at": "end_date"}
    return Rows(frame.rename(renamed))


def _dates(restricted: str = "restricted") -> dict[str, pl.Expr]:
    return {
        name: pl.when(restricted).then(source)
        for name, source in (("start_date", "start_at"), ("end_date", "end_at"))
    }


def courses(request: Request) -> Rows:
    """Return one row a course."""
    world = request.world
    words = {"available": "active", "completed": "concluded"}

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        frame = rows.with_columns(status=pl.col("status").replace(words), **_dates())
        for key, name, table in (
            ("account_id", "account_sis", world.accounts),
            ("term_id", "term_sis", world.terms),
            ("blueprint_id", "blueprint_course_id", world.courses),
        ):
            frame = frame.join(_sis_of(table, key, name), on=key, how="left", maintain_order="left")
        return frame.rename(
            {"id": "canvas_course_id", "sis_id": "course_id", "code": "short_name", "name": "long_name"}
            | {"account_id": "canvas_account_id", "account_sis": "account_id", "term_id": "canvas_term_id"}
            | {"term_sis": "term_id", "format": "course_format", "blueprint_id": "canvas_blueprint_course_id"}
        )

    return Rows(visible_courses(request).filter(_by_sis(request)), build)


def sections(request: Request) -> Rows:
    """Return one row a section, under the course it sits in now."""
    world = request.world
    mine = world.sections.join(visible_courses(request).select(course_id="id"), on="course_id", how="semi",
                               maintain_order="left")  # fmt: skip

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        frame = rows.join(_sis_of(world.courses, "course_id", "course_sis"), on="course_id", how="left",
                          maintain_order="left")  # fmt: skip
        frame = frame.join(_sis_of(world.accounts, "account_id", "account_sis"), on="account_id", how="left",
                           maintain_order="left")  # fmt: skip
        return frame.with_columns(**_dates()).rename(
            {"id": "canvas_section_id", "sis_id": "section_id", "course_id": "canvas_course_id"}
            | {"course_sis": "course_id", "account_id": "canvas_account_id", "account_sis": "account_id"}
        )

    return Rows(mine.filter(_alive(request), _by_sis(request)), build)


def _wanted_states(request: Request) -> pl.Expr:
    state = pl.col("state").cast(pl.String)
    named = request.words("enrollment_states")
    if named is not None:
        return state.is_in(named)
    return pl.lit(True) if request.deleted else ~state.is_in(["deleted", "completed"])


def enrollments(request: Request) -> Rows:
    """Return one row an enrolment of people with a usable login."""
    world = request.world
    seen = visible_courses(request).select(course_id="id", course_sis="sis_id")
    people = _people(request, "sis_id").rename({"id": "user_id", "sis_id": "user_sis"})
    role = pl.DataFrame({"role_id": list(ROLES), "role": list(ROLES.values())}).cast({"role_id": pl.UInt8})
    types = request.words("enrollment_filter")
    kind = pl.col("type").cast(pl.String)
    wanted = kind != "StudentViewEnrollment" if types is None else kind.is_in(types)
    words = {"completed": "concluded", "creation_pending": "invited"}
    observed = world.users.select(associated_user_id="id", associated_sis="sis_id")
    section = _sis_of(world.sections.filter(_alive(request)), "section_id", "section_sis")

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        frame = rows.lazy().filter(_wanted_states(request), wanted, _by_sis(request))
        for table, key, how in ((seen, "course_id", "inner"), (people, "user_id", "inner"),
                                (section, "section_id", "inner"), (role, "role_id", "left"),
                                (observed, "associated_user_id", "left")):  # fmt: skip
            frame = frame.join(table.lazy(), on=key, how=how, maintain_order="left")  # type: ignore[arg-type]
        return frame.with_columns(status=pl.col("state").cast(pl.String).replace(words)).rename(
            {"id": "canvas_enrollment_id", "course_id": "canvas_course_id", "course_sis": "course_id"}
            | {"user_id": "canvas_user_id", "user_sis": "user_id", "section_id": "canvas_section_id"}
            | {"section_sis": "section_id", "associated_user_id": "canvas_associated_user_id"}
            | {"associated_sis": "associated_user_id", "type": "base_role_type"}
            | {"limit_privileges": "limit_section_privileges"}
        ).collect()  # fmt: skip

    return Rows(world.enrollments, build)


def _in_context(request: Request) -> pl.Expr:
    """Return the condition for groups and sets of the run's accounts and courses."""
    mine = _open_courses(request, request.world.courses.filter(request.within_account()))["id"]
    course = (pl.col("context_type") == "Course") & pl.col("context_id").is_in(mine.implode())
    return course | ((pl.col("context_type") == "Account") & request.within_account("context_id"))


def _context_sis(request: Request, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with account and course columns, filled by the kind of context."""
    world = request.world
    for kind, table in (("account", world.accounts), ("course", world.courses)):
        canvas = f"canvas_{kind}_id"
        frame = frame.with_columns(pl.when(context_type=kind.title()).then("context_id").alias(canvas))
        frame = frame.join(_sis_of(table, canvas, f"{kind}_id"), on=canvas, how="left", maintain_order="left")
    return frame


def groups(request: Request) -> Rows:
    """Return one row a group."""
    frame = request.world.groups.filter(_in_context(request), _alive(request), _by_sis(request))
    renamed = {"id": "canvas_group_id", "sis_id": "group_id", "set_id": "canvas_group_category_id",
               "set_sis_id": "group_category_id", "limit": "max_membership"}  # fmt: skip
    return Rows(_context_sis(request, frame).rename(renamed))


def group_categories(request: Request) -> Rows:
    """Return one row a group set; created_by_sis does not narrow them."""
    frame = request.world.group_sets.filter(_in_context(request), _alive(request)).sort("id")
    renamed = {"id": "canvas_group_category_id", "sis_id": "group_category_id", "limit": "group_limit",
               "leader": "auto_leader"}  # fmt: skip
    named = _context_sis(request, frame).with_columns(category_name="name")
    return Rows(named.rename(renamed))


def group_membership(request: Request) -> Rows:
    """Return one row a membership."""
    frame = request.world.memberships.filter(_in_context(request), _alive(request), _by_sis(request))
    people = _people(request, "sis_id").rename({"id": "user_id", "sis_id": "user_sis"})
    named = frame.join(people, on="user_id", maintain_order="left").rename(
        {
            "group_id": "canvas_group_id",
            "group_sis_id": "group_id",
            "user_id": "canvas_user_id",
            "user_sis": "user_id",
        }
    )
    return Rows(named)


def xlist(request: Request) -> Rows:
    """Return one row a cross-listed section."""
    world = request.world
    mine = visible_courses(request).select(course_id="id", xlist_course_id="sis_id")
    frame = world.sections.filter(pl.col("home_course_id").is_not_null(), _alive(request), _by_sis(request))
    named = frame.join(mine, on="course_id", maintain_order="left").join(
        _sis_of(world.courses, "home_course_id", "nonxlist_course_id"),
        on="home_course_id", how="left", maintain_order="left",
    )  # fmt: skip
    renamed = {"course_id": "canvas_xlist_course_id", "id": "canvas_section_id", "sis_id": "section_id",
               "home_course_id": "canvas_nonxlist_course_id"}  # fmt: skip
    return Rows(named.rename(renamed))


def user_observers(request: Request) -> Rows:
    """Return one row a pair of logins: of an observer, of the student observed."""
    world = request.world
    logins = world.logins.filter(_alive(request)).select("user_id", "sis_id")
    pairs = world.observer_links.filter(_alive(request), _by_sis(request)).with_columns(user_id="student_id")
    pairs = pairs.filter(members_of(request)).drop("user_id")
    for role in ("observer", "student"):
        named = logins.rename({"user_id": f"{role}_id", "sis_id": f"{role}_sis"})
        pairs = pairs.join(named, on=f"{role}_id", maintain_order="left_right")
    renamed = {f"{role}_id": f"canvas_{role}_id" for role in ("observer", "student")}
    renamed |= {f"{role}_sis": f"{role}_id" for role in ("observer", "student")}
    return Rows(pairs.rename(renamed))


def admins(request: Request) -> Rows:
    """Return one row an administrator of an account; created_by_sis does not narrow them."""
    world = request.world
    people = _people(request, "name", "sis_id").rename({"id": "user_id", "sis_id": "user_sis"})
    frame = world.admins.filter(request.within_account(), _alive(request))
    named = frame.join(people, on="user_id", maintain_order="left").join(
        _sis_of(world.accounts, "account_id", "account_sis"),
        on="account_id",
        how="left",
        maintain_order="left",
    )
    renamed = {"name": "admin_user_name", "user_id": "canvas_user_id", "user_sis": "user_id",
               "account_id": "canvas_account_id", "account_sis": "account_id"}  # fmt: skip
    return Rows(named.rename(renamed))


_MAKERS: dict[str, Callable[[Request], Rows]] = {
    maker.__name__: maker
    for maker in (users, accounts, terms, courses, sections, enrollments, groups, group_membership,
                  group_categories, xlist, user_observers, admins)
}  # fmt: skip


def provisioning_rows(request: Request) -> dict[str, Rows]:
    """Return the rows of each selected table, in the order Canvas writes them; none selected fails the run."""
    chosen = [table for table in TABLES if request.flag(table)]
    if not chosen:
        raise ReportFailed("failed to generate a file: no report was selected")
    return {table: _MAKERS[table](request) for table in chosen}


def provisioning_tables(request: Request) -> list[Table]:
    """Return the selected tables."""
    header = HEADERS["provisioning_csv"]
    return [Table(name, header[name], rows) for name, rows in provisioning_rows(request).items()]
