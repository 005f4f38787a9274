"""The provisioning report, and the SIS export as the part of it that a SIS could import again."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, restrict
from canvas_reports_nb.demo_canvas.world.enrollments import ROLES

from .courses import ENFORCED_DATES, STATUS_WORDS
from .csv_out import Rows, Table
from .parameters import ReportFailed, Request
from .types import COLUMNS, TABLES

_KEPT_DAYS = 120  # how long a course deleted by hand stays in an export with include_deleted


def _by_sis(request: Request) -> pl.Expr:
    return pl.col("created_by_sis") if request.text("created_by_sis") else pl.lit(True)


def _alive(request: Request) -> pl.Expr:
    return pl.lit(True) if request.deleted else pl.col("status") != "deleted"


def _of_people(request: Request, rows: pl.DataFrame, *same: str) -> pl.DataFrame:
    """Return the rows of people with a login that counts, test students aside."""
    users = request.world.users.filter(request.has_login(), ~pl.col("test"))
    return restrict(rows, users, "user_id", *same, user_sis="sis_id")


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


def _in_visible_courses(request: Request, rows: pl.DataFrame) -> pl.DataFrame:
    courses = _open_courses(request, request.courses())
    return restrict(rows, courses, "course_id", course_sis="sis_id")


def users(request: Request) -> Rows:
    """Return one row a login."""
    world = request.world
    people = world.users.filter(~pl.col("test")).drop("sis_id", "integration_id")

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.join(people, left_on="user_id", right_on="id", maintain_order="left")

    return Rows(world.logins.filter(_alive(request), _by_sis(request), members_of(request)), build)


def accounts(request: Request) -> Rows:
    """Return the accounts below: all of them from the root, direct children from anywhere else."""
    every, parent = request.world.accounts, pl.col("parent_id")
    below = parent.is_not_null() if request.account_id == 1 else parent == request.account_id
    found = every.filter(below, _alive(request), _by_sis(request))
    return Rows(attach(found, every, "parent_id", parent_sis="sis_id"))


def terms(request: Request) -> Rows:
    """Return the terms of the school, whatever account or term was asked for."""
    return Rows(request.world.terms.filter(_alive(request), _by_sis(request)))


def courses(request: Request) -> Rows:
    """Return one row a course."""
    world = request.world
    found = _open_courses(request, request.courses()).filter(_by_sis(request))
    frame = found.with_columns(pl.col("status").replace(STATUS_WORDS), **ENFORCED_DATES)
    frame = attach(frame, world.accounts, "account_id", account_sis="sis_id")
    frame = attach(frame, world.terms, "term_id", term_sis="sis_id")
    return Rows(attach(frame, world.courses, "blueprint_id", blueprint_sis="sis_id"))


def sections(request: Request) -> Rows:
    """Return one row a section, under the course it sits in now."""
    found = request.world.sections.filter(_alive(request), _by_sis(request)).with_columns(**ENFORCED_DATES)
    frame = _in_visible_courses(request, found)
    return Rows(attach(frame, request.world.accounts, "account_id", account_sis="sis_id"))


def _wanted_enrollments(request: Request) -> pl.Expr:
    """Return the condition that two lists and two switches make."""
    kind, state = (pl.col(name).cast(pl.String) for name in ("type", "state"))
    types, states = request.words("enrollment_filter"), request.words("enrollment_states")
    of_type = kind != "StudentViewEnrollment" if types is None else kind.is_in(types)
    if states is not None:
        return of_type & state.is_in(states)
    return of_type & (pl.lit(True) if request.deleted else ~state.is_in(["deleted", "completed"]))


def enrollments(request: Request) -> Rows:
    """Return one row an enrollment of people with a usable login."""
    world = request.world
    sections = world.sections.filter(_alive(request))
    roles = pl.DataFrame({"id": list(ROLES), "role": list(ROLES.values())}).cast({"id": pl.UInt8})
    words = {"completed": "concluded", "creation_pending": "invited"}

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        frame = rows.filter(_wanted_enrollments(request), _by_sis(request))
        frame = _of_people(request, _in_visible_courses(request, frame))
        frame = restrict(frame, sections, "section_id", section_sis="sis_id")
        frame = attach(frame, roles, "role_id", "role")
        frame = attach(frame, world.users, "associated_user_id", associated_sis="sis_id")
        return frame.with_columns(status=pl.col("state").cast(pl.String).replace(words))

    return Rows(world.enrollments, build)


def _in_context(request: Request) -> pl.Expr:
    """Return the condition for groups and sets of the run's accounts and courses."""
    mine = _open_courses(request, request.world.courses.filter(request.within_account()))["id"]
    course = (pl.col("context_type") == "Course") & pl.col("context_id").is_in(mine.implode())
    return course | ((pl.col("context_type") == "Account") & request.within_account("context_id"))


def _context_sis(request: Request, frame: pl.DataFrame) -> Rows:
    """Return the frame with account and course columns, filled by the kind of context."""
    world = request.world
    for kind, things in (("account", world.accounts), ("course", world.courses)):
        canvas = f"canvas_{kind}_id"
        frame = frame.with_columns(pl.when(context_type=kind.title()).then("context_id").alias(canvas))
        frame = attach(frame, things, canvas, **{f"{kind}_sis": "sis_id"})
    return Rows(frame)


def groups(request: Request) -> Rows:
    """Return one row a group."""
    found = request.world.groups.filter(_in_context(request), _alive(request), _by_sis(request))
    return _context_sis(request, found)


def group_categories(request: Request) -> Rows:
    """Return one row a group set; created_by_sis does not narrow them."""
    found = request.world.group_sets.filter(_in_context(request), _alive(request))
    return _context_sis(request, found.sort("id"))


def group_membership(request: Request) -> Rows:
    """Return one row a membership."""
    found = request.world.memberships.filter(_in_context(request), _alive(request), _by_sis(request))
    return Rows(_of_people(request, found))


def xlist(request: Request) -> Rows:
    """Return one row a cross-listed section."""
    listed = pl.col("home_course_id").is_not_null()
    found = request.world.sections.filter(listed, _alive(request), _by_sis(request))
    frame = _in_visible_courses(request, found)
    return Rows(attach(frame, request.world.courses, "home_course_id", home_sis="sis_id"))


def user_observers(request: Request) -> Rows:
    """Return one row a pair of logins: of an observer, of the student observed."""
    world = request.world
    logins = world.logins.filter(_alive(request))
    pairs = world.observer_links.filter(_alive(request), _by_sis(request)).with_columns(user_id="student_id")
    pairs = pairs.filter(members_of(request))
    for role in ("observer", "student"):
        named = logins.select(pl.col("user_id").alias(f"{role}_id"), pl.col("sis_id").alias(f"{role}_sis"))
        pairs = pairs.join(named, on=f"{role}_id", maintain_order="left_right")
    return Rows(pairs)


def admins(request: Request) -> Rows:
    """Return one row an administrator of an account; created_by_sis does not narrow them."""
    found = request.world.admins.filter(request.within_account(), _alive(request))
    frame = _of_people(request, found, "name")
    return Rows(attach(frame, request.world.accounts, "account_id", account_sis="sis_id"))


_MAKERS: Mapping[str, Callable[[Request], Rows]] = {
    maker.__name__: maker
    for maker in (users, accounts, terms, courses, sections, enrollments, groups, group_membership,
                  group_categories, xlist, user_observers, admins)
}  # fmt: skip

_NAMED = pl.col("sis_id").is_not_null()
_FROM_SIS = pl.col("created_by_sis")
# What a SIS must have named for a row to appear in its export; of the other tables, it must have made it.
_IMPORTABLE: Mapping[str, pl.Expr] = {
    **dict.fromkeys(("users", "accounts", "terms", "courses", "sections", "groups"), _NAMED),
    "enrollments": pl.col("user_sis").is_not_null()
    & (pl.col("course_sis").is_not_null() | pl.col("section_sis").is_not_null())
    & pl.col("status").is_in(["active", "concluded", "inactive", "deleted"]),
    "xlist": pl.col("course_sis").is_not_null(),
}
_SIS_WORDS = {"unpublished": "active", "concluded": "completed"}


def _importable(name: str, rows: Rows, part: pl.DataFrame) -> pl.DataFrame:
    frame = rows.build(part).filter(_IMPORTABLE.get(name, _FROM_SIS))
    if name == "courses":
        return frame.with_columns(pl.col("status").replace(_SIS_WORDS))
    return frame.with_columns(password=pl.lit(None, dtype=pl.String))


def _chosen(request: Request) -> dict[str, Rows]:
    """Return the rows of each selected table, in the order Canvas writes them; none selected fails the run."""
    chosen = [table for table in TABLES if request.flag(table)]
    if not chosen:
        raise ReportFailed("failed to generate a file: no report was selected")
    return {table: _MAKERS[table](request) for table in chosen}


def provisioning_tables(request: Request) -> list[Table]:
    """Return the selected tables."""
    columns = COLUMNS["provisioning_csv"]
    return [Table.of(name, columns[name], rows) for name, rows in _chosen(request).items()]


def sis_tables(request: Request) -> list[Table]:
    """Return the selected tables in the SIS import format."""
    columns = COLUMNS["sis_export_csv"]
    return [
        Table.of(name, columns[name], Rows(rows.source, partial(_importable, name, rows)))
        for name, rows in _chosen(request).items()
    ]
