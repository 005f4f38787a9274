"""Headers that changed over the years."""

from pathlib import Path

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.catalog.schemas import reports, schema

DATA = Path(__file__).parents[2] / "data"
ZERO = schema("zero_activity_csv").tables["zero_activity_csv"]


def found(header: list[str], report: str = "zero_activity_csv") -> dict[str, str]:
    frame = crn.check_file((",".join(header) + "\n").encode(), report)
    return dict(zip(frame["column"], frame["found"], strict=True))


@pytest.mark.parametrize("report", reports())
def test_a_full_header_is_as_expected(report: str) -> None:
    for table in schema(report).tables.values():
        if table.columns and len(schema(report).tables) == 1:
            assert set(found([column.name for column in table.columns], report).values()) == {"as expected"}


def test_new_missing_renamed_and_moved_are_told_apart() -> None:
    names = [column.name for column in ZERO.columns]
    assert found([*names, "shoe size"])["shoe size"] == "new"
    assert found(names[1:])[names[0]] == "missing"
    renamed = found(["user_id", *names[1:]])
    assert renamed["user_id"] == "renamed"
    assert names[0] not in renamed
    moved = found([*names[1:], names[0]])
    assert [name for name, how in moved.items() if how == "moved"] == [names[0]]


def test_a_column_written_only_on_request_is_not_missing() -> None:
    names = [
        column.name
        for column in schema("grade_export_csv").tables["grade_export_csv"].columns
        if not column.when
    ]
    assert set(found(names, "grade_export_csv").values()) == {"as expected"}


def test_every_member_of_a_zip_is_checked() -> None:
    frame = crn.check_file(DATA / "21_provisioning_multi.zip")
    assert frame["table"].unique().tolist() == ["users", "courses", "enrollments", "xlist"]
    assert set(frame["found"]) == {"as expected"}


def test_old_users_file_says_what_is_not_there() -> None:
    frame = crn.check_file(DATA / "02_provisioning_users_2023.csv")
    missing = frame.query("found == 'missing'")["column"].tolist()
    assert {"sortable_name", "short_name", "integration_id"} <= set(missing)
