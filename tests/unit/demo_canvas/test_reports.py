"""The twenty reports: headers, dialect, joins, and what each parameter does to the rows."""

import csv
import hashlib
import io
from datetime import timedelta
from pathlib import Path

import pytest

from canvas_reports_nb.demo_canvas.reports import (
    HEADERS,
    REPORT_TYPES,
    Product,
    ReportFailed,
    parameters_html,
    produce,
    resolve_account,
    resolve_term,
)
from canvas_reports_nb.demo_canvas.reports.parameters import truth
from canvas_reports_nb.demo_canvas.reports.types import TABLES, TAG_TABLES
from canvas_reports_nb.demo_canvas.world import NOW, World, build_world

ALL = dict.fromkeys(TABLES, "1")
BY_TABLE = ("provisioning_csv", "sis_export_csv")
PLAIN = [r for r in REPORT_TYPES if r not in (*BY_TABLE, "mgp_grade_export_csv", "outcome_export_csv")]
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def world() -> World:
    return build_world()


@pytest.fixture
def run(world: World, tmp_path: Path):
    def run(report: str, account: int = 1, **parameters: object) -> Product:
        return produce(world, report, parameters, account, tmp_path)

    return run


@pytest.fixture
def rows(run):
    """Run a report with one table and return its rows."""

    def rows(report: str, account: int = 1, **parameters: object) -> Rows:
        (path,) = run(report, account, **parameters).files
        return read(path)

    return rows


def read(path: Path) -> Rows:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def cells(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def column(rows: Rows, name: str) -> set[str]:
    return {row[name] for row in rows}


def digest(world: World, folder: Path) -> str:
    seen = hashlib.sha256()
    for report in REPORT_TYPES:
        for path in produce(world, report, ALL | {"include_deleted": "1"}, 1, folder).files:
            seen.update(path.name.encode() + path.read_bytes())
    return seen.hexdigest()


def test_the_same_seed_gives_the_same_bytes(world: World, tmp_path: Path):
    first = digest(world, tmp_path)
    assert digest(build_world(), tmp_path) == first
    assert digest(build_world(seed=1), tmp_path) != first


def test_all_twenty_are_offered_with_a_header():
    assert len(REPORT_TYPES) == 20
    assert set(HEADERS) == set(REPORT_TYPES)


@pytest.mark.parametrize("report", PLAIN)
@pytest.mark.parametrize("account", [1, 7, 18])
@pytest.mark.parametrize("extra", [{}, {"include_deleted": "true"}, {"enrollment_term_id": "current"}])
def test_plain_reports_are_rectangular_under_their_header(
    run, report: str, account: int, extra: dict[str, str]
):
    product = run(report, account, **extra)
    lines = cells(product.files[0])
    header = HEADERS[report][report]
    if report == "students_with_no_submissions_csv":
        header = header[:-1]
    assert tuple(lines[0]) == header
    assert product.lines == len(lines)
    assert not product.as_zip
    assert {len(line) for line in lines[1:]} <= {len(header)} or lines[1:] == [["No outcomes found"]]


@pytest.mark.parametrize("report", BY_TABLE)
@pytest.mark.parametrize("account", [1, 7, 18])
@pytest.mark.parametrize("deleted", ["0", "yes"])
def test_members_keep_canvas_order_and_header(run, report: str, account: int, deleted: str):
    product = run(report, account, **dict(reversed(ALL.items())), include_deleted=deleted)
    assert [path.stem for path in product.files] == list(TABLES)
    assert product.as_zip
    for path in product.files:
        lines = cells(path)
        assert tuple(lines[0]) == HEADERS[report][path.stem]
        assert {len(line) for line in lines} == {len(lines[0])}


def test_one_table_is_a_plain_csv_and_none_an_error(run):
    assert not run("provisioning_csv", users="on").as_zip
    with pytest.raises(ReportFailed):
        run("provisioning_csv", users="no")
    with pytest.raises(ReportFailed):
        run("provisioning_csv", institutional_tags="1")


def test_the_summary_names_the_settings(run):
    product = run(
        "provisioning_csv", users=True, enrollments=True, include_deleted=1, enrollment_term_id="12"
    )
    assert (
        product.summary == "Term: Fall 2025; Include Deleted/Concluded Objects; Reports: users enrollments "
    )


def test_every_canvas_id_of_the_provisioning_tables_is_known(run, world: World):
    files = {path.stem: read(path) for path in run("provisioning_csv", **ALL, include_deleted="1").files}
    homes = {
        "canvas_user_id": "users", "canvas_course_id": "courses", "canvas_section_id": "sections",
        "canvas_term_id": "terms", "canvas_group_id": "groups", "canvas_group_category_id": "group_categories",
        "canvas_account_id": "accounts",
    }  # fmt: skip
    known = {key: column(files[table], key) | {""} for key, table in homes.items()}
    known["canvas_account_id"] |= {"1"}  # the root account is in no file
    # Enrollments stay when their course, or their person's login, is in no file any more.
    known["canvas_course_id"] = {str(i) for i in world.courses["id"]} | {""}
    known["canvas_user_id"] = {str(i) for i in world.users["id"]} | {""}
    aliases = {
        "canvas_associated_user_id": "canvas_user_id", "canvas_observer_id": "canvas_user_id",
        "canvas_student_id": "canvas_user_id", "canvas_xlist_course_id": "canvas_course_id",
        "canvas_nonxlist_course_id": "canvas_course_id", "canvas_blueprint_course_id": "canvas_course_id",
    }  # fmt: skip
    for table, found in files.items():
        for name in HEADERS["provisioning_csv"][table]:
            key = aliases.get(name, name)
            if key in known:
                assert column(found, name) <= known[key], (table, name)
    assert "1" not in column(files["accounts"], "canvas_account_id")


@pytest.mark.parametrize(
    "report", ["grade_export_csv", "zero_activity_csv", "students_with_no_submissions_csv"]
)
def test_student_reports_join_the_provisioning_tables(rows, report: str):
    users = rows("provisioning_csv", users="1")
    sections = rows("provisioning_csv", sections="1", include_deleted="1")
    found = rows(report)
    user, section = ("student id" if "student id" in found[0] else "user id"), "section id"
    assert column(found, user) <= column(users, "canvas_user_id")
    assert column(found, section) <= column(sections, "canvas_section_id")


@pytest.mark.parametrize("report", PLAIN)
def test_test_students_are_never_exported(run, report: str):
    text = run(report, include_deleted="1").files[0].read_text(encoding="utf-8")
    assert "Student, Test" not in text
    assert "Test Student" not in text


def test_the_row_of_the_documentation(rows):
    first = next(row for row in rows("grade_export_csv") if row["student name"] == "Null O'Neil")
    assert (first["student id"], first["student sis"], first["course sis"]) == ("2573", "000481", "00123")
    assert (first["current score"], first["final score"]) == ("97.25", "88.0")
    assert (first["current grade"], first["final grade"]) == ("A", "B+")
    assert first["course"] == 'Naval Architecture, "The Basics"'


def test_the_dialect_distinguishes_null_from_an_empty_text(run):
    users = run("provisioning_csv", users="1").files[0].read_bytes()
    courses = run("provisioning_csv", courses="1").files[0].read_bytes()
    assert (
        b"12340000000000567,0091,guest-567,,visitor@partner.example.org,Ng,,Ng,Ng,Ng,,active,false,\n"
        in users
    )
    assert b'504,1e5,,"","Line one\nline two",' in courses
    assert not users.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in users + courses


def test_one_column_mixes_two_offsets(rows):
    starts = column(rows("provisioning_csv", terms="1"), "start_date") - {""}
    assert {start[-6:] for start in starts} == {"-06:00", "-07:00"}
    assert all(row["created_at"].endswith(" UTC") for row in rows("eportfolio_report_csv"))
    assert "never" in column(rows("user_access_tokens_csv"), "expiration")


@pytest.mark.parametrize("spelling", ["12", 12, "sis_term_id:FA25"])
@pytest.mark.parametrize("name", ["enrollment_term_id", "enrollment_term"])
def test_a_term_in_any_spelling_narrows(rows, spelling: object, name: str):
    found = rows("grade_export_csv", **{name: spelling})
    assert column(found, "term id") == {"12"}
    assert len(found) < len(rows("grade_export_csv"))


@pytest.mark.parametrize(("text", "term"), [
    ("current", 13), ("default", 1), ("sis_term_id:SP26", 13), ("nope,12", 12), ("active_terms", 13), ("999", None),
    ("sis_term_id:XX", None), ("Fall 2025", None),
])  # fmt: skip
def test_resolve_term(world: World, text: str, term: int | None):
    assert resolve_term(world, text) == term


@pytest.mark.parametrize(("text", "account"), [
    ("self", 1), ("default", 1), ("7", 7), ("sis_account_id:ENG", 7), ("sis_integration_id:int-eng", 7), ("6", None),
    ("sis_account_id:0042", 16), ("x", None),
])  # fmt: skip
def test_resolve_account(world: World, text: str, account: int | None):
    assert resolve_account(world, text) == account


@pytest.mark.parametrize("term", ["active_terms", "12,13", "999"])
def test_a_term_that_is_not_one_term_fails_while_running(run, term: str):
    with pytest.raises(ReportFailed):
        run("grade_export_csv", enrollment_term_id=term)


@pytest.mark.parametrize(("value", "on"), [
    ("YES", True), ("t", True), (True, True), (1, True), ("2", True), ("0.0", False), ("off", False), ("", False),
    ("maybe", False), (None, False), (False, False), ("-1", True),
])  # fmt: skip
def test_switches_read_as_canvas_reads_them(value: object, on: bool):
    assert truth(value) is on


_WIDENS = {"include_deleted": "1"}
_LESS, _MORE = "less", "more"


@pytest.mark.parametrize(("report", "before", "after", "change"), [
    ("provisioning_csv", {"users": 1}, _WIDENS, _MORE),
    ("provisioning_csv", {"accounts": 1}, _WIDENS, _MORE),
    ("provisioning_csv", {"terms": 1}, _WIDENS, _MORE),
    ("provisioning_csv", {"terms": 1}, {"enrollment_term_id": "12"}, "same"),
    ("provisioning_csv", {"courses": 1}, _WIDENS, _MORE),
    ("provisioning_csv", {"enrollments": 1}, _WIDENS, _MORE),
    ("provisioning_csv", {"enrollments": 1}, {"created_by_sis": "false"}, _LESS),
    ("provisioning_csv", {"group_categories": 1}, {"created_by_sis": "1"}, "same"),
    ("provisioning_csv", {"enrollments": 1}, {"enrollment_filter": "Student"}, "none"),
    ("provisioning_csv", {"enrollments": 1}, {"enrollment_states": ["asleep"]}, "none"),
    ("grade_export_csv", {}, _WIDENS, _MORE),
    ("grade_export_csv", _WIDENS, {"limiting_period": "30"}, _LESS),
    ("grade_export_csv", {}, {"limiting_period": "30"}, "same"),
    ("last_user_access_csv", {}, _WIDENS, _MORE),
    ("last_user_access_csv", {}, {"course_id": "sis_course_id:00123"}, _LESS),
    ("last_enrollment_activity_csv", {}, {"course": "501"}, _LESS),
    ("outcome_results_csv", {}, _WIDENS, _MORE),
    ("student_assignment_outcome_map_csv", {}, _WIDENS, _MORE),
    ("zero_activity_csv", {}, {"start_at": "2026-02-20"}, _MORE),
    ("zero_activity_csv", {}, {"course_id": "504"}, _LESS),
    ("user_access_tokens_csv", {}, _WIDENS, _MORE),
    ("user_access_tokens_csv", {}, {"exclude_deleted_and_expired": "1"}, _LESS),
    ("eportfolio_report_csv", {}, {"no_enrollments": "1"}, _LESS),
    ("lti_report_csv", {}, _WIDENS, _MORE),
])  # fmt: skip
def test_a_parameter_changes_the_rows(rows, report: str, before: dict, after: dict, change: str):
    # With include_deleted another login can represent a person, so its SIS id is not compared.
    chosen = {"user_id", "student sis", "student integration id"}

    def lines(**parameters: object) -> list[tuple[str, ...]]:
        found = rows(report, **parameters)
        return [tuple(row[name] for name in row if name not in chosen) for row in found]

    old, new = lines(**before), lines(**before, **after)
    assert old, report
    if change == _MORE:
        assert len(new) > len(old)
        assert set(old) <= set(new)
    elif change == _LESS:
        assert 0 < len(new) < len(old)
        assert set(new) <= set(old)
    else:
        assert new == (old if change == "same" else [])


def test_deleted_portfolios_replace_the_live_ones(rows):
    live, gone = rows("eportfolio_report_csv"), rows("eportfolio_report_csv", include_deleted="1")
    assert column(live, "workflow_state") == {"active"}
    assert column(gone, "workflow_state") == {"deleted"}


@pytest.mark.parametrize("wanted", ["TeacherEnrollment,TaEnrollment", ["TeacherEnrollment", "TaEnrollment"]])
def test_enrollment_filter_takes_text_or_a_list(rows, wanted: object):
    found = rows("provisioning_csv", enrollments="1", enrollment_filter=wanted)
    assert column(found, "base_role_type") == {"TeacherEnrollment", "TaEnrollment"}


def test_enrollment_states_are_raw_and_print_as_concluded(rows):
    asked = {"enrollments": "1", "enrollment_states": "completed"}
    found = rows("provisioning_csv", **asked, include_deleted="1")
    assert column(found, "status") <= {"concluded", "deleted"}
    assert "concluded" in column(found, "status")
    assert rows("provisioning_csv", **asked) == [], "the filter comes on top of the default rule"


def test_no_submissions_looks_at_fourteen_days_at_most(run, rows):
    report = "students_with_no_submissions_csv"
    long = run(report, start_at="2025-01-01", end_at="2026-03-01T00:00:00Z")
    assert "Start At: 2026-02-14T17:00:00-07:00;" in long.summary
    short = rows(report, start_at=(NOW - timedelta(days=2)).isoformat())
    assert len(short) > len(rows(report))
    states = rows(report, include_enrollment_state="1", enrollment_state=["active", "invited"])
    assert column(states, "enrollment state") == {"active", "invited"}


@pytest.mark.parametrize("parameters", [{"start_at": "2026-13-01"}, {"course_id": "nowhere"}])
def test_an_unreadable_parameter_fails_the_run(run, parameters: dict[str, str]):
    with pytest.raises(ReportFailed):
        run("zero_activity_csv", **parameters)


@pytest.mark.parametrize("order", ["users", "Courses", "outcomes", "sideways"])
def test_outcome_results_come_in_the_order_asked(rows, order: str):
    keys = {"courses": "course id", "outcomes": "learning outcome id"}
    key = keys.get(order.lower(), "student id")
    found = [int(row[key]) for row in rows("outcome_results_csv", order=order)]
    assert found == sorted(found)
    assert len(set(found)) > 1


def test_an_empty_outcome_report_says_so_in_one_cell(run):
    for report in ("outcome_results_csv", "student_assignment_outcome_map_csv"):
        lines = cells(run(report, 11).files[0])
        assert lines[1:] == [["No outcomes found"]]


def test_outcome_export_is_ragged_and_puts_parents_first(run):
    lines = cells(run("outcome_export_csv").files[0])
    assert tuple(lines[0]) == HEADERS["outcome_export_csv"]["outcome_export_csv"]
    assert len({len(line) for line in lines}) > 2
    seen = set()
    for line in lines[1:]:
        assert not line[8] or line[8] in seen
        seen.add(line[0])


def test_a_report_without_rows_is_its_header(run):
    product = run("zero_activity_csv", 18)
    assert product.lines == 1
    assert len(product.files[0].read_bytes().splitlines()) == 1


@pytest.mark.parametrize("account", [3, 7, 16])
def test_a_sub_account_sees_only_its_own(rows, world: World, account: int):
    inside = {str(a) for a in world.subtree(account)}
    assert column(rows("provisioning_csv", account, courses="1"), "canvas_account_id") <= inside
    assert column(rows("course_storage_csv", account), "account id") <= inside
    assert column(rows("provisioning_csv", account, accounts="1"), "canvas_parent_id") <= {str(account)}
    assert rows("provisioning_csv", account, terms="1") == rows("provisioning_csv", 1, terms="1")
    assert rows("eportfolio_report_csv", account) == rows("eportfolio_report_csv", 1)
    assert 0 < len(rows("provisioning_csv", account, users="1")) < len(rows("provisioning_csv", 1, users="1"))


def test_sis_export_holds_what_a_sis_could_import(run):
    files = {path.stem: read(path) for path in run("sis_export_csv", **ALL, include_deleted="1").files}
    for table, key in (
        ("users", "user_id"),
        ("courses", "course_id"),
        ("sections", "section_id"),
        ("terms", "term_id"),
    ):
        assert "" not in column(files[table], key)
    assert column(files["users"], "password") == {""}
    assert column(files["courses"], "status") == {"active", "completed", "deleted"}
    assert column(files["enrollments"], "status") <= {"active", "concluded", "inactive", "deleted"}


def test_grading_periods_make_a_member_a_term(run, world: World):
    product = run("mgp_grade_export_csv")
    assert product.as_zip
    assert len(product.files) == world.terms.filter(status="active").height
    assert (product.files[0].read_text()) == "no grading periods configured for this term\n"
    spring = next(path for path in product.files if path.name == "Spring 2026.csv")
    header, *lines = cells(spring)
    assert header.count("Half-term current score") == 2
    assert (
        {len(line) for line in lines} == {len(header)} == {len(HEADERS["mgp_grade_export_csv"]["term"]) + 22}
    )


def test_grading_periods_know_only_canvas_ids(run):
    assert [path.name for path in run("mgp_grade_export_csv", enrollment_term_id="12").files] == [
        "Fall 2025.csv"
    ]
    nothing = run("mgp_grade_export_csv", enrollment_term_id="sis_term_id:FA25")
    assert not nothing.as_zip
    assert nothing.files[0].read_bytes() == b"\n"


def test_marks_agree_between_sections_of_a_course_and_look_like_marks(rows):
    found = rows("grade_export_csv", enrollment_term_id="12")
    scores: dict[tuple[str, str], set[str]] = {}
    for row in found:
        scores.setdefault((row["student id"], row["course id"]), set()).add(row["current score"])
    assert all(len(values) == 1 for values in scores.values())
    current = [float(row["current score"]) for row in found if row["current score"]]
    final = [float(row["final score"]) for row in found]
    assert 82 < sum(current) / len(current) < 92
    assert 0.005 < sum(score < 60 for score in final) / len(final) < 0.1
    assert 0.25 < sum(score >= 90 for score in final) / len(final) < 0.6
    assert all(
        float(row["final score"]) <= float(row["current score"]) for row in found if row["current score"]
    )


@pytest.mark.parametrize("report", REPORT_TYPES)
def test_forms_offer_the_declared_parameters(world: World, report: str):
    html = parameters_html(report, world, 7)
    declared = REPORT_TYPES[report].parameters
    if report in ("outcome_export_csv", "developer_key_report_csv"):
        assert html is None
        assert declared is None
        return
    assert f'action="/api/v1/accounts/7/reports/{report}"' in html
    api_only = {"enrollment_filter", "enrollment_states", "course_id", *TAG_TABLES}
    for name in set(declared) - api_only:
        assert f"parameters[{name}]" in html
    assert ("All Terms" in html) == ("enrollment_term_id" in declared and report != "outcome_results_csv")
