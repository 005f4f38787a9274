"""Recognition of the report and table from a header, with or without a file name."""

import csv
import io
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.catalog.recognize import describe_nearest, recognize
from canvas_reports_nb.catalog.schemas import hosted_reports, reports, schema

DATA = Path(__file__).parents[2] / "data"
TABLES = [
    t for report in (*reports(), *hosted_reports()) for t in schema(report).tables.values() if t.columns
]
COURSE_LISTS = ("public_courses_csv", "recently_deleted_courses_csv", "unpublished_courses_csv")
UNKNOWN_TAGS = ("institutional_tag_categories", "institutional_tags", "institutional_tag_associations")


def of(table) -> str:
    return f"{table.report}/{table.name}"


def full(table) -> list[str]:
    return [column.name for column in table.columns]


def always(table) -> list[str]:
    return [column.name for column in table.columns if column.when is None]


def assert_is(match, table):
    assert match is not None
    if table.report in COURSE_LISTS:
        assert match.report is None
        assert [report for report, _ in match.candidates] == list(COURSE_LISTS)
    else:
        assert (match.report, match.table) == (table.report, table.name)
        assert match.candidates == ((table.report, table.name),)


@pytest.mark.parametrize("table", TABLES, ids=of)
def test_every_table_from_its_own_headers(table):
    for header in (full(table), always(table), *table.older_headers):
        match = recognize(header)
        assert_is(match, table)
        assert match.exact
        assert match.unknown == ()


# Headers of earlier versions of Canvas: the report, the table, and the columns that were added later.
NEWER = [
    ("provisioning_csv", "users", ["integration_id", "authentication_provider_id"]),
    ("provisioning_csv", "courses", ["blueprint_course_id"]),
    ("provisioning_csv", "courses", ["canvas_blueprint_course_id"]),
    (
        "provisioning_csv",
        "courses",
        ["integration_id", "course_format", "canvas_blueprint_course_id", "blueprint_course_id"],
    ),
    ("provisioning_csv", "sections", ["integration_id"]),
    ("sis_export_csv", "users", ["integration_id", "authentication_provider_id"]),
    ("sis_export_csv", "enrollments", ["limit_section_privileges"]),
    ("lti_report_csv", "lti_report_csv", ["tool_id"]),
    ("outcome_export_csv", "outcome_export_csv", ["friendly_description"]),
    ("developer_key_report_csv", "developer_key_report_csv", ["Placements", "Status"]),
    (
        "outcome_results_csv",
        "outcome_results_csv",
        ["learning outcome group title", "learning outcome group id"],
    ),
    (
        "grade_export_csv",
        "grade_export_csv",
        ["current grade", "final grade", "unposted current grade", "unposted final grade"],
    ),
]


@pytest.mark.parametrize(("report", "table", "newer"), NEWER, ids=str)
def test_an_older_header_is_recognized(report, table, newer):
    known = schema(report).table(table)
    for names in (full(known), always(known)):
        assert_is(recognize([name for name in names if name not in newer]), known)


@given(st.sampled_from(TABLES), st.data())
def test_order_case_blanks_and_a_byte_order_mark_do_not_matter(table, data):
    header = data.draw(st.permutations(full(table)))
    spelled = [data.draw(st.sampled_from([name, name.upper(), f" {name} "])) for name in header]
    spelled[0] = "\ufeff" + spelled[0]
    assert_is(recognize(spelled), table)


@given(
    st.lists(st.text(alphabet=st.characters(codec="utf-8", categories=("Lu", "Ll", "Nd", "Zs"))), max_size=20)
)
def test_a_header_with_other_words_is_rejected(header):
    assert recognize([f"{name}?" for name in header]) is None


@pytest.mark.parametrize(
    "header", [[], [""], ["id"], ["id", "name"], ["user_id", "status"], ["a", "b", "c", "status"]]
)
def test_a_header_with_too_few_known_columns_is_rejected(header):
    assert recognize(header) is None


@given(st.sampled_from(TABLES), st.data())
def test_all_candidates_give_a_column_the_same_type(table, data):
    header = data.draw(st.lists(st.sampled_from(full(table)), unique=True))
    match = recognize([*header, "a column of our own"])
    if match is not None:
        candidates = [schema(report).table(name) for report, name in match.candidates]
        for name in header:
            assert len({found.kind if (found := t.column(name)) else None for t in candidates}) == 1


def headers_of(path: Path) -> dict[str, list[str]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {path.name: next(csv.reader(file))}
    with zipfile.ZipFile(path) as archive:
        return {
            name: next(csv.reader(io.StringIO(archive.read(name).decode("utf-8-sig"))))
            for name in archive.namelist()
        }


# Numbered files added later are tested too: the file name contains the expected report and table.
@pytest.mark.parametrize("path", sorted(DATA.glob("[0-9]*.*")), ids=lambda path: path.name)
def test_every_file_in_the_data_folder_is_recognized_without_its_name(path):
    for name, header in headers_of(path).items():
        match = recognize(header)
        assert match is not None
        assert match.exact
        expected = path.stem if path.suffix == ".csv" else f"provisioning_{Path(name).stem}"
        assert match.report.removesuffix("_csv") in expected
        assert match.table.removesuffix("_csv") in expected


@pytest.mark.parametrize("report", COURSE_LISTS)
@pytest.mark.parametrize(
    "pattern",
    [
        "{}_02_Mar_2026_8123420260302-31-1b2c3d.csv",
        "{} (1).csv",
        "/home/rosa/Downloads/{}_02_Mar_2026_81234.csv",
        "C:\\reports\\{}.CSV",
    ],
)
def test_the_name_decides_between_equal_headers(report, pattern):
    table = schema(report).table(report)
    match = recognize(full(table), pattern.format(report))
    assert (match.report, match.table, len(match.candidates)) == (report, report, 1)


def test_a_name_alone_is_not_enough():
    assert recognize(["x", "y", "z"], "grade_export_csv_02_Mar_2026_81234.csv") is None


NEW = [f"new column {number}" for number in range(12)]


@given(st.sampled_from(TABLES), st.lists(st.sampled_from(NEW), min_size=1, unique=True), st.data())
def test_a_table_with_columns_of_its_own_is_unknown(table, new, data):
    header = data.draw(st.permutations([*data.draw(st.sampled_from([full(table), always(table)])), *new]))
    assert recognize(header) is None
    nearest = describe_nearest(header)
    if len(always(table)) >= max(3, len(new)):
        assert any(
            f"It resembles {t.report}, but" in nearest for t in TABLES if set(full(t)) >= set(always(table))
        )
        assert all(repr(name) in nearest for name in new)


@pytest.mark.parametrize("table", TABLES, ids=of)
def test_a_name_from_canvas_confirms_a_header_with_a_new_column(table):
    match = recognize(
        [*full(table), "a new column"], f"{table.report}_02_Mar_2026_8123420260302-31-1b2c3d.csv"
    )
    assert match is not None
    assert (match.report, match.exact, match.unknown) == (table.report, False, ("a new column",))


NAMES = st.tuples(
    st.sampled_from(["", "/", "/home/rosa/", "C:\\reports\\"]),
    st.sampled_from(
        [*reports(), "user_course_access_log_csv", "proserv_student_submissions_csv", "our_own_report"]
    ),
    st.dates(date(2013, 1, 1), date(2030, 1, 1)).map(lambda day: f"{day:_%d_%b_%Y_}"),
    st.integers(1, 10**17).map(str),
    st.sampled_from([".csv", " (1).csv", ".zip/users.csv", "20260302-31-1b2c3d.csv"]),
)


@given(st.sampled_from(TABLES), NAMES)
def test_a_name_that_canvas_gave_to_another_report_wins(table, name):
    match = recognize(full(table), "".join(name))
    assert match is None or match.report == name[1]
    alike = COURSE_LISTS if table.report in COURSE_LISTS else (table.report,)
    assert (match is not None) == (name[1] in alike)


@pytest.mark.parametrize(("report", "drops"), [("provisioning_csv", "password"), ("sis_export_csv", "email")])
def test_renamed_users_files_are_recognized_by_their_columns(report, drops):
    header = [name for name in full(schema(report).table("users")) if name != drops]
    for name in (None, "users.csv", "users (1).csv"):
        match = recognize(header, name)
        assert (match.report, match.table) == (report, "users")


def test_a_changed_header_lists_its_changes():
    users = schema("provisioning_csv").table("users")
    header = [name for name in full(users) if name != "email"] + ["Room"]
    match = recognize(header, "provisioning_csv_02_Mar_2026_81234.csv")
    assert (match.report, match.table, match.exact) == ("provisioning_csv", "users", False)
    assert (match.missing, match.unknown) == (("email",), ("Room",))
    assert recognize(header) is None
    assert describe_nearest(header) == (
        "It resembles provisioning_csv, but provisioning_csv has no column 'Room'. "
        "If it is that report, pass report='provisioning_csv'."
    )


def test_grading_period_columns_belong_to_the_table():
    table = schema("mgp_grade_export_csv").table("Autumn 2025")
    endings = [column.name.removeprefix(table.dynamic.placeholder) for column in table.dynamic.columns]
    periods = [title + ending for title in ("Quarter 1", "第二学期", "Quarter 1") for ending in endings]
    match = recognize([*full(table), *periods], "Autumn 2025.csv")
    assert (match.report, match.table, match.exact) == ("mgp_grade_export_csv", table.name, True)


@pytest.mark.parametrize(
    ("cell", "name", "reports_found"),
    [
        ("No outcomes found", None, ["outcome_results_csv", "student_assignment_outcome_map_csv"]),
        ("No outcomes found", "outcome_results_csv_1.csv", ["outcome_results_csv"]),
        ("no grading periods configured for this term", "Autumn 2025.csv", ["mgp_grade_export_csv"]),
        (
            "keine Notenzeiträume",
            "mgp_grade_export_csv_02_Mar_2026_7.zip/Herbst.csv",
            ["mgp_grade_export_csv"],
        ),
        ("keine Notenzeiträume", "grade_export_csv_02_Mar_2026_7.csv", []),
    ],
)
def test_files_of_one_cell(cell, name, reports_found):
    match = recognize([cell], name)
    assert ([report for report, _ in match.candidates] if match else []) == reports_found


@pytest.mark.parametrize("stem", UNKNOWN_TAGS)
def test_an_undescribed_table_is_recognized_by_both_names(stem):
    header = ["canvas_x_id", "x_id", "something"]
    match = recognize(header, f"provisioning_csv_02_Mar_2026_81234.zip/{stem}.csv")
    assert (match.report, match.table, match.exact) == ("provisioning_csv", stem, False)
    assert match.unknown == tuple(header)
    assert recognize(header, f"{stem}.csv") is None
