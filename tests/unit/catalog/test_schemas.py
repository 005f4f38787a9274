"""The schema files are consistent, and the loader returns their whole content."""

import json
import subprocess
import sys
from importlib.resources import files

import pytest

from canvas_reports_nb.catalog.schemas import (
    COMMON_PARAMETERS,
    KINDS,
    Column,
    Parameter,
    Table,
    hosted_reports,
    reports,
    schema,
)

REPORTS = (*reports(), *hosted_reports())
TABLES = [table for report in REPORTS for table in schema(report).tables.values()]
COLUMNS = [
    (table, column)
    for table in TABLES
    for column in (*table.columns, *(table.dynamic.columns if table.dynamic else ()))
]
PARAMETERS = [(report, p) for report in REPORTS for p in schema(report).parameters.values()]


def of(case) -> str:
    table, column = case if isinstance(case, tuple) else (case, None)
    where = f"{table.report}/{table.name}" if isinstance(table, Table) else table
    return where if column is None else f"{where}/{column.name}"


def test_counts():
    counts = {report: schema(report) for report in REPORTS}
    for report, known in counts.items():
        sizes = {name: len(table.columns) for name, table in known.tables.items()}
        print(f"{report}: {len(known.parameters)} parameters, columns {sizes}")
    fixed = sum(len(table.columns) for table in TABLES)
    print(f"{len(counts)} reports, {len(TABLES)} tables, {fixed} columns, {len(PARAMETERS)} parameters")
    assert (len(counts), len(TABLES), fixed) == (22, 50, 482)
    assert len(reports()) == 20


@pytest.mark.parametrize("report", REPORTS)
def test_the_loader_returns_everything_in_a_file(report):
    folder = "data" if report in reports() else "data/hosted"
    raw = json.loads((files("canvas_reports_nb.catalog") / folder / f"{report}.json").read_text("utf-8"))
    known = schema(report)
    assert (known.report, known.title, known.output) == (report, raw["title"], raw["output"])
    assert list(known.parameters) == list(raw["parameters"])
    assert list(known.tables) == list(raw["tables"])
    for name, parameter in known.parameters.items():
        check(parameter, {"name": name, **raw["parameters"][name]})
    for name, table in known.tables.items():
        source = raw["tables"][name]
        check(table, {"name": name, "report": report, **source})
        for column, described in zip(table.columns, source["columns"], strict=True):
            check(column, described)


# What a file leaves out where it is as usual.
USUAL = {
    Parameter: {"choices": None, "advertised": True, "aliases": (), "when": None, "selects_table": None},
    Table: {"older_key": None, "ragged": False, "one_cell_results": ()},
    Column: {"personal": False, "education_record": False, "when": None, "values": None, "open": False}
    | {"words": ()},
}


def check(thing, source) -> None:
    """Compare all fields of a description with those of the file."""
    for field, value in {**USUAL[type(thing)], **source}.items():
        if field not in {"columns", "pattern", "older_headers"}:
            assert getattr(thing, field) == (tuple(value) if isinstance(value, list) else value)
    if isinstance(thing, Table):
        assert (thing.dynamic is not None) == ("pattern" in source)
        assert list(map(list, thing.older_headers)) == source.get("older_headers", [])


@pytest.mark.parametrize("case", COLUMNS, ids=of)
def test_each_column_is_sound(case):
    _, column = case
    assert column.kind in KINDS
    assert column.meaning.endswith(".")
    assert bool(column.values) == (column.kind == "enum" or column.values == ("true", "false"))
    assert column.kind == "enum" or not column.open
    assert column.kind == "timestamp" or not column.words
    if column.kind in {"name", "login", "email", "ip", "token"}:
        assert column.personal
    if column.kind == "grade" or (column.kind == "float" and column.name.endswith("current score")):
        assert column.education_record


@pytest.mark.parametrize("table", TABLES, ids=of)
def test_each_table_is_sound(table):
    names = [column.name for column in table.columns]
    always = {column.name for column in table.columns if column.when is None}
    assert len(names) == len(set(names))
    assert table.grain
    assert table.selection.endswith(".")
    assert table.key_note.startswith(("fact: ", "judgment: "))
    assert set(table.key) <= always
    assert bool(table.key) == bool(table.columns)
    assert set(table.older_key or ()) <= set(names)
    for header in table.older_headers:
        assert set(header) <= set(names)
        assert set(table.older_key) <= set(header)
    if table.dynamic:
        assert table.dynamic.insert_after in names
        assert all(column.name.startswith(table.dynamic.placeholder) for column in table.dynamic.columns)


@pytest.mark.parametrize("case", PARAMETERS, ids=lambda case: f"{case[0]}/{case[1].name}")
def test_each_parameter_is_sound(case):
    report, parameter = case
    known = schema(report)
    assert known.parameter(parameter.name) is parameter
    assert all(known.parameter(alias) is parameter for alias in parameter.aliases)
    assert not set(parameter.aliases) & set(known.parameters)
    assert parameter.name not in COMMON_PARAMETERS
    assert parameter.type != "enum" or parameter.default in parameter.choices
    assert parameter.selects_table is None or parameter.selects_table in known.tables


def test_every_table_of_a_report_with_switches_has_its_switch():
    for report in ("provisioning_csv", "sis_export_csv"):
        known = schema(report)
        switched = {p.selects_table for p in known.parameters.values() if p.selects_table}
        assert switched == set(known.tables)


@pytest.mark.parametrize(
    ("report", "alias", "name"),
    [
        ("zero_activity_csv", "course", "course_id"),
        ("grade_export_csv", "enrollment_term", "enrollment_term_id"),
        ("mgp_grade_export_csv", "enrollment_term", None),
        ("grade_export_csv", "term", None),
    ],
)
def test_aliases(report, alias, name):
    found = schema(report).parameter(alias)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    "report", ["proserv_assignment_export_csv", "", "../data/grade_export_csv", "hosted", "grade_export"]
)
def test_an_unknown_report_is_none(report):
    assert schema(report) is None


def test_all_but_three_columns_of_users_are_personal():
    users = schema("provisioning_csv").table("users")
    assert {column.name for column in users.columns if not column.personal} == {
        "authentication_provider_id", "status", "created_by_sis",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("student id", "canvas_id"),
        ("  Student ID ", "canvas_id"),
        ("current score", "float"),
        ("Quarter 1 current score", "float"),
        ("Quarter 1 unposted current grade", "grade"),
        ("score current score", "float"),
        ("Überblick: Teil 1 grading period id", "canvas_id"),
        ("grading period", None),
        ("Quarter 1", None),
    ],
)
def test_columns_named_after_a_grading_period(name, kind):
    column = schema("mgp_grade_export_csv").table("Autumn 2025").column(name)
    assert (column.kind if column else None) == kind


def test_a_column_found_by_pattern_has_its_own_name_and_the_longest_ending():
    column = schema("mgp_grade_export_csv").table("any term").column("Q1 unposted final score")
    assert isinstance(column, Column)
    assert column.name == "Q1 unposted final score"
    assert "not yet posted" in column.meaning


def test_only_a_table_named_by_pattern_has_any_name():
    assert schema("provisioning_csv").table("Autumn 2025") is None
    assert schema("grade_export_csv").table("Autumn 2025") is None


def test_schemas_are_immutable():
    known = schema("grade_export_csv")
    with pytest.raises(AttributeError):
        known.title = "changed"
    with pytest.raises(TypeError):
        known.tables["other"] = known.tables["grade_export_csv"]


def test_the_module_imports_no_frame_library():
    code = (
        "import importlib.machinery, sys, types\n"
        "package = types.ModuleType('canvas_reports_nb')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "sys.modules['canvas_reports_nb'] = package\n"
        "import canvas_reports_nb.catalog.recognize\n"
        "print(sorted({'pandas', 'polars', 'pyarrow', 'requests'} & sys.modules.keys()))\n"
    )
    where = str(files("canvas_reports_nb"))
    run = subprocess.run([sys.executable, "-c", code, where], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
