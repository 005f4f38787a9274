"""Each account setting of the demo, read by our client over HTTP."""

import pytest

GRADES, PROVISIONING, SIS = "grade_export_csv", "provisioning_csv", "sis_export_csv"
RESULTS, MAP, EXPORT = "outcome_results_csv", "student_assignment_outcome_map_csv", "outcome_export_csv"
OTHER = {"integration_ids": False, "pronouns": False, "grade_override": False, "separator": ";",
         "byte_order_mark": True, "locale": "de", "hidden_points": True, "temporary_enrollments": True,
         "institutional_tags": True, "trusted_accounts": True}  # fmt: skip


@pytest.fixture
def read(canvas):
    """Return a function that reads a report of a demo with some settings."""
    opened = {}

    def read(report, settings, **parameters):
        key = tuple(settings.items())
        if key not in opened:
            opened[key] = canvas(settings=settings, enrollments=1_500)
        return opened[key].read_report(report, progress=False, **parameters)

    return read


def test_switched_columns(read):
    tables = {
        "override score": (GRADES, {}),
        "student integration id": (GRADES, {}),
        "pronouns": (PROVISIONING, {"users": True}),
    }
    for column, (report, asked) in tables.items():
        assert column in read(report, {}, **asked), column
        assert column not in read(report, OTHER, **asked), column


def test_temporary_enrollments_and_trusted_accounts(read):
    frame = read(PROVISIONING, OTHER, enrollments=True)
    assert str(frame["canvas_temporary_enrollment_source_user_id"].dtype) == "Int64"
    assert frame["canvas_temporary_enrollment_source_user_id"].notna().any()
    assert set(frame["root_account"]) == {"canvas.example.edu", "canvas.partner.example.org"}
    assert "root_account" not in read(PROVISIONING, {}, enrollments=True)
    short = read(SIS, OTHER, enrollments=True)
    assert short["root_account"].isna().all(), "its values are under a wrong name, as in Canvas"
    misplaced = short["canvas_temporary_enrollment_source_user_id"]
    assert set(misplaced) <= {"canvas.example.edu", "canvas.partner.example.org"}


def test_institutional_tags(read):
    tags = read(PROVISIONING, OTHER, institutional_tags=True)
    assert list(tags.columns)[:2] == ["institutional_tag_id", "category_id"]
    assert len(tags)


@pytest.mark.parametrize("report", [RESULTS, MAP])
def test_separator_mark_and_hidden_points(read, report):
    plain, other = read(report, {}), read(report, OTHER)
    assert list(other.columns) == list(plain.columns)
    assert len(other) == len(plain)
    assert str(other["submission score"].dtype) == "Float64"
    assert other["submission score"].sum() == plain["submission score"].sum()
    assert plain["outcome score"].notna().any()
    assert other["outcome score"].isna().all()
    assert other["learning outcome rating"].equals(plain["learning outcome rating"])


@pytest.mark.parametrize("settings", [
    {"locale": "de"}, {"locale": "de", "separator": "locale"}, {"locale": "fr", "separator": ";"}, OTHER,
], ids=str)  # fmt: skip
def test_numbers_of_the_locale(read, settings):
    plain, other = read(EXPORT, {}), read(EXPORT, settings)
    assert list(other["vendor_guid"]) == list(plain["vendor_guid"])
    assert str(other["mastery_points"].dtype) == "Float64"
    assert other["mastery_points"].equals(plain["mastery_points"])


def test_mastery_scales(read):
    frame = read(EXPORT, {"mastery_scales": True})
    assert len(frame.columns) == 8
    assert "mastery_points" not in frame
