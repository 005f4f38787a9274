"""What each account setting changes in the reports and forms."""

import csv
from dataclasses import replace

import pytest

from canvas_reports_nb import demo_canvas
from canvas_reports_nb.demo_canvas.reports import parameters_html
from canvas_reports_nb.demo_canvas.reports.types import TAG_TABLES
from canvas_reports_nb.demo_canvas.settings import Settings
from canvas_reports_nb.demo_canvas.world import build_world

from .conftest import lines

GRADES, PROVISIONING, SIS = "grade_export_csv", "provisioning_csv", "sis_export_csv"
RESULTS, MAP, EXPORT = "outcome_results_csv", "student_assignment_outcome_map_csv", "outcome_export_csv"
SOURCE = "temporary_enrollment_source_user_id"


@pytest.fixture(scope="module")
def plain():
    return build_world(enrollments=3_000)


@pytest.fixture
def table(plain, run):
    """Return a function that computes a report with some settings and returns its header and its rows."""

    def table(report, asked=None, **settings):
        world = replace(plain, settings=Settings.of(settings))
        product = run(world, report, **(asked or {}))
        header, *found = lines(product.files[-1])
        return header, found

    return table


@pytest.mark.parametrize(("report", "asked", "setting", "columns"), [
    (GRADES, {}, "integration_ids", ["student integration id"]),
    (GRADES, {}, "grade_override", ["override score", "override grade"]),
    (PROVISIONING, {"users": 1}, "pronouns", ["pronouns"]),
    (SIS, {"users": 1}, "pronouns", ["pronouns"]),
    (PROVISIONING, {"enrollments": 1}, "temporary_enrollments", [f"canvas_{SOURCE}", SOURCE]),
    (PROVISIONING, {"enrollments": 1}, "trusted_accounts", ["root_account"]),
    (PROVISIONING, {"admins": 1}, "trusted_accounts", ["root_account"]),
    (SIS, {"admins": 1}, "trusted_accounts", ["root_account"]),
])  # fmt: skip
def test_a_setting_adds_columns(table, report, asked, setting, columns):
    on, rows_on = table(report, asked, **{setting: True})
    off, rows_off = table(report, asked, **{setting: False})
    assert [name for name in on if name not in off] == columns
    assert [name for name in on if name in off] == off
    assert {len(row) for row in rows_on} == {len(on)}
    kept = [on.index(name) for name in off]
    assert [[row[n] for n in kept] for row in rows_on] == rows_off


def test_the_guest_has_the_host_of_the_trusted_school(run):
    world = build_world(enrollments=50, settings=Settings.of({"trusted_accounts": True}))
    header, *found = lines(run(world, PROVISIONING, enrollments=1).files[0])
    hosts = {row[header.index("canvas_user_id")]: row[header.index("root_account")] for row in found}
    assert hosts.pop("12340000000000567") == "canvas.partner.example.org"
    assert set(hosts.values()) == {world.host}


def test_each_period_loses_its_override_columns_too(table):
    hidden, _ = table("mgp_grade_export_csv", {"enrollment_term_id": 13}, integration_ids=False)
    assert "student integration id" not in hidden
    on, _ = table("mgp_grade_export_csv", {"enrollment_term_id": 13})
    off, _ = table("mgp_grade_export_csv", {"enrollment_term_id": 13}, grade_override=False)
    assert sum("override" in name for name in on) == 6
    assert not any("override" in name for name in off)


def test_pronouns_are_printed_translated_and_own_texts_as_typed(table):
    header, found = table(PROVISIONING, {"users": 1})
    printed = {row[header.index("pronouns")] for row in found}
    assert printed == {"", "She/Her", "He/Him", "They/Them", "xe/xem"}


def test_temporary_enrollments_make_the_header_of_the_sis_export_longer_than_its_rows(table):
    header, found = table(SIS, {"enrollments": 1}, temporary_enrollments=True)
    assert header[-3:] == [SOURCE, f"canvas_{SOURCE}", SOURCE]
    assert {len(row) for row in found} == {len(header) - 2}
    assert any(row[-1] for row in found)
    misplaced, rows = table(SIS, {"enrollments": 1}, temporary_enrollments=True, trusted_accounts=True)
    assert misplaced[-1] == "root_account"
    assert {row[-1] for row in rows} == {"canvas.example.edu"}


@pytest.mark.parametrize(("settings", "separator", "mark"), [
    ({}, ",", b""), ({"separator": ";"}, ";", b""), ({"separator": "locale"}, ",", b""),
    ({"separator": "locale", "locale": "de"}, ";", b""), ({"locale": "de"}, ",", b""),
    ({"byte_order_mark": True}, ",", b"\xef\xbb\xbf"),
])  # fmt: skip
@pytest.mark.parametrize("report", [RESULTS, MAP, EXPORT, GRADES])
def test_separator_and_mark_of_the_outcome_reports(*, plain, run, report, settings, separator, mark):
    world = replace(plain, settings=Settings.of(settings))
    content = run(world, report).files[0].read_bytes()
    default = run(plain, report).files[0].read_bytes()
    if report == GRADES:
        assert content == default
        return
    assert content.startswith(mark)
    assert content.removeprefix(b"\xef\xbb\xbf").split(b"\n")[0] == default.split(b"\n")[0].replace(
        b",", separator.encode()
    )


@pytest.mark.parametrize(("locale", "number", "large"), [
    ("en", "3.0", "12,345.5"), ("de", "3,0", "12.345,5"), ("fr", "3,0", "12\u202f345,5"),
])  # fmt: skip
def test_only_the_outcome_export_prints_numbers_of_the_locale(plain, run, locale, number, large):
    settings = Settings.of({"locale": locale, "separator": ";"})
    assert settings.number(12_345.5) == large
    world = replace(plain, settings=settings)
    assert f";active;{number};" in run(world, EXPORT).files[0].read_text()
    header, *found = csv.reader(run(world, RESULTS).files[0].read_text().splitlines(), delimiter=";")
    scores = {row[header.index("submission score")] for row in found if len(row) == len(header)}
    assert any("." in score for score in scores)
    assert not any("," in score for score in scores)


def test_mastery_scales_leave_eight_columns(table):
    header, found = table(EXPORT, mastery_scales=True)
    assert len(header) == 8
    assert "ratings" not in header
    assert {len(row) for row in found} == {8}


@pytest.mark.parametrize("report", [RESULTS, MAP])
def test_hidden_points_blank_four_cells(table, report):
    header, found = table(report, hidden_points=True)
    _, shown = table(report)
    blank = ["outcome score", "learning outcome rating points", "learning outcome points possible",
             "learning outcome mastery score"]  # fmt: skip
    assert found
    for row, whole in zip(found, shown, strict=True):
        for name, cell, before in zip(header, row, whole, strict=True):
            assert cell == ("" if name in blank else before)


def test_institutional_tags_are_in_the_form_and_files_with_the_setting_only(plain, run):
    asked = dict.fromkeys((*TAG_TABLES, "users"), 1)
    tagged = replace(plain, settings=Settings.of({"institutional_tags": True}))
    assert [path.stem for path in run(plain, PROVISIONING, **asked).files] == ["users"]
    assert [path.stem for path in run(tagged, PROVISIONING, **asked).files] == ["users", *TAG_TABLES]
    for path in run(tagged, SIS, **asked).files[1:]:
        header, *found = lines(path)
        assert header == list(TAG_TABLES[path.stem])
        assert found
    for report in (PROVISIONING, SIS):
        assert all(f"parameters[{name}]" in parameters_html(report, tagged, 1) for name in TAG_TABLES)
        assert not any(f"parameters[{name}]" in parameters_html(report, plain, 1) for name in TAG_TABLES)


@pytest.mark.parametrize(("settings", "message"), [
    ({"pronoun": False}, r"Unknown setting 'pronoun'.*pronouns"),
    ({"separator": "\t"}, r"Can't set separator to '\\t'. Use one of ',', ';', 'locale'"),
    ({"locale": "xx"}, r"Can't set locale to 'xx'.*'de'"),
    ({"pronouns": "no"}, r"Can't set pronouns to 'no'. Use one of True, False"),
])  # fmt: skip
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        demo_canvas.serve(settings=settings)
