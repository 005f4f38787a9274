"""The provisioning report, and the SIS export: the part of it in the format of a SIS import."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, read, restrict
from canvas_reports_nb.demo_canvas.world.enrollments import ROLES

from .courses import ENFORCED_DATES, STATUS_WORDS
from .csv_out import Rows, Table
from .parameters import NoFileError, Request
from .types import TABLES, TAG_TABLES, table_columns

SIS = "sis_export_csv"
ENROLLMENT_TYPES = ("TeacherEnrollment", "TaEnrollment", "DesignerEnrollment", "StudentEnrollment",
                    "ObserverEnrollment")  # fmt: skip
ENROLLMENT_STATES = ("invited", "creation_pending", "active", "completed", "inactive", "deleted", "rejected")
"""The words of the filters, in the order in which Canvas lists them."""
_KEPT_DAYS = 120
"""How long include_deleted keeps a deleted course without a SIS id."""
_PRESENT, _HAS_SIS_ID = pl.col("status") != "deleted", pl.col("sis_id").is_not_null()
_SIS_BATCH = pl.col("created_by_sis")
_EVERYTHING = pl.lit(True)
_PRONOUNS = {
    stored.replace("/", mark): stored.title()
    for stored in ("she/her", "he/him", "they/them")
    for mark in "/_"
}
"""How Canvas prints its built-in choices, which it stores as she_her; own texts stay as typed."""
_SUFFIX = r"(?i)^(sn?r|senior|jn?r|junior|ii|iii|iv|v|vi|esq|esquire)\.?$"
"""A third part of a sortable name that is not a given name."""


def _selected(
    request: Request, report: str, *, default: pl.Expr, widened: pl.Expr, sis: pl.Expr, batch: bool = True
) -> pl.Expr:
    """Return the condition for the rows of a file.

    Parameters
    ----------
    default, widened
        Without and with include_deleted.
    sis
        What the SIS export requires as well.
    batch
        Whether created_by_sis applies to the file.
    """
    chosen = widened if request.deleted else default
    if report == SIS:
        chosen &= sis
    # Canvas reads created_by_sis as on unless it is null or false, so an empty text switches it on.
    by_sis = request.parameters.get("created_by_sis")
    return chosen & _SIS_BATCH if batch and by_sis is not None and by_sis is not False else chosen


def _name_parts(sortable: str) -> dict[str, pl.Expr]:
    """Return first and last name as Canvas cuts them from a sortable name; a missing one is null."""
    parts = pl.col(sortable).str.split(",").list.eval(pl.element().str.strip_chars())
    last, first, third = (parts.list.get(n, null_on_oob=True) for n in range(3))
    given = (
        pl.when(third.str.contains(_SUFFIX)).then(first).otherwise(pl.concat_str(first, third, separator=" "))
    )
    given = pl.coalesce(given, first)
    return {
        "first_name": pl.when(first.is_null()).then(last).otherwise(given),
        "last_name": pl.when(first.is_not_null()).then(last),
    }


def _by_sis_id(request: Request, report: str) -> pl.Expr:
    """Return the condition of the files whose deleted rows need a SIS id."""
    return _selected(request, report, default=_PRESENT, widened=_PRESENT | _HAS_SIS_ID, sis=_HAS_SIS_ID)


def _real_people(request: Request) -> pl.DataFrame:
    """Return the users without the test students of courses."""
    kind = pl.col("type").cast(pl.String)
    tests = request.world.enrollments.filter(kind == "StudentViewEnrollment")["user_id"].unique()
    return request.world.users.filter(~pl.col("test"), ~pl.col("id").is_in(tests.implode()))


def _of_people(request: Request, rows: pl.DataFrame, *same: str) -> pl.DataFrame:
    """Return the rows of people with a usable login, with its ids."""
    return request.with_login(restrict(rows, _real_people(request), "user_id", *same))


def users(request: Request, report: str) -> Rows:
    """Return one row per login."""
    shown = pl.col("pronouns").replace(_PRONOUNS)
    people = _real_people(request).with_columns(shown, **_name_parts("sortable"))
    people = people.select(pl.exclude("sis_id", "integration_id", "created_at", "test", "usable", "known"))
    logins = request.own_logins.filter(_by_sis_id(request, report), request.associated())

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        frame = rows.join(people, left_on="user_id", right_on="id", maintain_order="left")
        return frame.with_columns(password=pl.lit(None, dtype=pl.String))

    return Rows(logins, build)


def accounts(request: Request, report: str) -> Rows:
    """Return the accounts below: all of them from the root, direct children from any other."""
    every, parent = request.world.accounts, pl.col("parent_id")
    below = parent.is_not_null() if request.account_id == 1 else parent == request.account_id
    found = every.filter(below, _by_sis_id(request, report))
    return Rows(attach(found, every, "parent_id", parent_sis="sis_id"))


def terms(request: Request, report: str) -> Rows:
    """Return the terms of the school, whatever account or term is chosen."""
    return Rows(request.world.terms.filter(_by_sis_id(request, report)))


def courses(request: Request, report: str) -> Rows:
    """Return one row per course."""
    world = request.world
    recent = pl.col("updated_at") > world.now - timedelta(days=_KEPT_DAYS)
    chosen = _selected(
        request,
        report,
        default=_PRESENT & (pl.col("status") != "completed"),
        widened=_PRESENT | _HAS_SIS_ID | recent,
        sis=_HAS_SIS_ID,
    )
    words = pl.col("status").replace(STATUS_WORDS)
    if report == SIS:
        kept = pl.col("status").is_in(["completed", "deleted"])
        words = pl.when(kept).then("status").otherwise(pl.lit("active"))
    frame = request.courses().filter(chosen).with_columns(**ENFORCED_DATES)
    frame = attach(frame.with_columns(status=words), world.accounts, "account_id", account_sis="sis_id")
    frame = attach(frame, world.terms, "term_id", term_sis="sis_id")
    return Rows(attach(frame, world.courses, "blueprint_id", blueprint_sis="sis_id"))


def _in_courses(request: Request) -> pl.DataFrame:
    """Return the sections of the chosen courses with what the files need of the course they are in now."""
    sections = request.world.sections.drop("account_id", strict=False).with_columns(**ENFORCED_DATES)
    courses = request.courses()
    return restrict(sections, courses, "course_id", "account_id", course_sis="sis_id", course_status="status")


_BOTH_SIS = _HAS_SIS_ID & pl.col("course_sis").is_not_null()
_COURSE_PRESENT = pl.col("course_status") != "deleted"


def sections(request: Request, report: str) -> Rows:
    """Return one row per section, under the course it is in now."""
    chosen = _selected(
        request, report, default=_PRESENT & _COURSE_PRESENT, widened=_PRESENT | _BOTH_SIS, sis=_BOTH_SIS
    )
    found = _in_courses(request).filter(chosen)
    return Rows(attach(found, request.world.accounts, "account_id", account_sis="sis_id"))


def xlist(request: Request, report: str) -> Rows:
    """Return one row per cross-listed section."""
    live = _PRESENT & _COURSE_PRESENT
    chosen = _selected(
        request,
        report,
        default=live & (pl.col("course_status") != "completed"),
        widened=live | _BOTH_SIS,
        sis=_BOTH_SIS,
    )
    found = _in_courses(request).filter(pl.col("home_course_id").is_not_null(), chosen)
    return Rows(attach(found, request.world.courses, "home_course_id", home_sis="sis_id"))


def _wanted_enrollments(request: Request, report: str) -> pl.Expr:
    state, kind = pl.col("state").cast(pl.String), pl.col("type").cast(pl.String)
    chosen = _selected(
        request,
        report,
        default=~state.is_in(["deleted", "completed"]),
        widened=(state != "deleted") | _SIS_BATCH,
        sis=~state.is_in(["rejected", "invited", "creation_pending"])
        & (pl.col("course_sis").is_not_null() | pl.col("section_sis").is_not_null()),
    )
    types = request.words("enrollment_filter", ENROLLMENT_TYPES)
    states = request.words("enrollment_states", ENROLLMENT_STATES)
    if types is not None:
        chosen &= kind.is_in(types)
    return chosen if states is None else chosen & state.is_in(states)


def enrollments(request: Request, report: str) -> Rows:
    """Return one row per enrollment of a person with a usable login, by enrollment id."""
    wanted = _wanted_enrollments(request, report)
    sections = _in_courses(request)
    roles = pl.DataFrame({"id": list(ROLES), "role": list(ROLES.values())})
    base = pl.col("type").cast(pl.String).str.strip_suffix("Enrollment").str.to_lowercase()
    words = {"completed": "concluded", "creation_pending": "invited"}
    gone = (pl.col("section_status") == "deleted") | ~_COURSE_PRESENT

    def build(rows: pl.DataFrame) -> pl.DataFrame:
        frame = restrict(rows.drop("course_id"), sections, "section_id", "course_id", "course_sis",
                         "course_status", section_sis="sis_id", section_status="status")  # fmt: skip
        frame = _of_people(request, frame.filter(wanted))
        frame = attach(frame, roles.cast({"id": frame["role_id"].dtype}), "role_id", "role")
        frame = attach(frame, request.best_logins(), "associated_user_id", associated_sis="user_sis")
        status = pl.col("state").cast(pl.String).replace(words)
        status = pl.when(gone).then(pl.lit("deleted")).otherwise(status)
        frame = frame.with_columns(status=status, role=pl.coalesce("role", base))
        return _with_source(request, frame)

    return Rows(request.world.enrollments.sort("id"), build)


def _with_source(request: Request, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the source of temporary enrollments: here, assistants substitute for a teacher."""
    if not request.world.settings.temporary_enrollments:
        return rows
    kind = pl.col("type").cast(pl.String)
    teachers = request.world.enrollments.filter(kind == "TeacherEnrollment").unique("course_id", keep="first")
    teachers = teachers.select(id="course_id", temporary_source_id="user_id")
    frame = attach(rows, teachers, "course_id", "temporary_source_id")
    frame = frame.with_columns(
        temporary_source_id=pl.when(kind == "TaEnrollment").then("temporary_source_id")
    )
    return attach(frame, request.best_logins(), "temporary_source_id", temporary_source_sis="user_sis")


def _in_context(request: Request, *, live: bool) -> pl.Expr:
    """Return the condition for groups and sets of the account's tree and of its courses."""
    if request.account_id == 1:
        return _EVERYTHING
    of_account = request.within_account("account_id", live=live)
    mine = request.world.courses.filter(of_account)["id"].implode()
    course = (pl.col("context_type") == "Course") & pl.col("context_id").is_in(mine)
    account = (pl.col("context_type") == "Account") & request.within_account("context_id", live=True)
    return course | account


def _with_context(request: Request, frame: pl.DataFrame) -> Rows:
    """Return the frame with account columns for account groups, and course columns for course groups."""
    world = request.world
    for kind, things in (("account", world.accounts), ("course", world.courses)):
        canvas = f"canvas_{kind}_id"
        frame = frame.with_columns(pl.when(context_type=kind.title()).then("context_id").alias(canvas))
        frame = attach(frame, things, canvas, **{f"{kind}_sis": "sis_id"})
    return Rows(frame)


def groups(request: Request, report: str) -> Rows:
    """Return one row per group."""
    chosen = _in_context(request, live=True) & _by_sis_id(request, report)
    sets = request.world.group_sets.with_columns(known=pl.lit(True))
    found = attach(request.world.groups.filter(chosen), sets, "set_id", "known", set_sis="sis_id")
    set_sis = pl.when("known").then("set_sis").otherwise("set_sis_id")
    return _with_context(request, found.with_columns(set_sis_id=set_sis))


def group_categories(request: Request, report: str) -> Rows:
    """Return one row per group set, by id."""
    chosen = _selected(request, report, default=_PRESENT, widened=_EVERYTHING, sis=_SIS_BATCH, batch=False)
    found = request.world.group_sets.filter(_in_context(request, live=False), chosen)
    return _with_context(request, found.sort("id"))


def group_membership(request: Request, report: str) -> Rows:
    """Return one row per membership of a person with a usable login."""
    live = _PRESENT & (pl.col("group_status") != "deleted")
    chosen = _selected(request, report, default=live, widened=live | _SIS_BATCH, sis=_SIS_BATCH)
    rows = request.world.memberships.drop("group_sis_id", "context_type", "context_id")
    of_group = {"group_status": "status", "group_sis_id": "sis_id"}
    found = restrict(rows, request.world.groups, "group_id", "context_type", "context_id", **of_group)
    return Rows(_of_people(request, found.filter(_in_context(request, live=True), chosen)))


def user_observers(request: Request, report: str) -> Rows:
    """Return one row per pair of logins: of an observer, and of the student observed."""
    world = request.world
    pairs = world.observer_links.filter(request.associated("student_id"))
    for role in ("observer", "student"):
        logins = request.own_logins.select(
            pl.col("user_id").alias(f"{role}_id"),
            pl.col("sis_id").alias(f"{role}_sis"),
            pl.col("status").alias(f"{role}_login"),
        )
        pairs = pairs.join(logins, on=f"{role}_id", maintain_order="left_right")
    default = _PRESENT & (pl.col("student_login") != "deleted")
    return Rows(
        pairs.filter(_selected(request, report, default=default, widened=_EVERYTHING, sis=_SIS_BATCH))
    )


def admins(request: Request, report: str) -> Rows:
    """Return one row per admin role of a person with a usable login."""
    chosen = _selected(request, report, default=_PRESENT, widened=_EVERYTHING, sis=_SIS_BATCH, batch=False)
    found = request.world.admins.filter(request.within_account(live=True), chosen)
    frame = _of_people(request, found, "name")
    return Rows(attach(frame, request.world.accounts, "account_id", account_sis="sis_id"))


def _tags(request: Request, table: str) -> Rows:
    """Return a file of institutional tags; every fiftieth user has one."""
    if table != "institutional_tag_associations":
        return Rows(pl.DataFrame(read("tags")[table]))
    people = request.best_logins().filter(pl.col("user_sis").is_not_null()).sort("id").gather_every(50)
    tags = [tag["tag_id"] for tag in read("tags")["institutional_tags"]]
    nth = pl.int_range(pl.len()) % len(tags)
    return Rows(people.with_columns(tag_id=pl.lit(pl.Series(tags)).gather(nth), status=pl.lit("active")))


_MAKERS: Mapping[str, Callable[[Request, str], Rows]] = {
    maker.__name__: maker
    for maker in (users, accounts, terms, courses, sections, enrollments, groups, group_membership,
                  group_categories, xlist, user_observers, admins)
}  # fmt: skip


def _rows(request: Request, report: str, table: str) -> Rows:
    return _tags(request, table) if table in TAG_TABLES else _MAKERS[table](request, report)


def files_chosen(request: Request) -> list[str]:
    """Return the files that are switched on, in Canvas's fixed order."""
    tags = TAG_TABLES if request.world.settings.institutional_tags else ()
    return [table for table in (*TABLES, *tags) if request.flag(table)]


def provisioning_tables(request: Request, report: str) -> list[Table]:
    """Return the chosen files of the provisioning report or the SIS export."""
    chosen = files_chosen(request)
    if not chosen:
        raise NoFileError("no file is switched on")
    return [
        Table(name, table_columns(request.world.settings, report, name), _rows(request, report, name))
        for name in chosen
    ]
