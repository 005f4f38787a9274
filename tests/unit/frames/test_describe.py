"""The dictionary of a frame's columns."""

from pathlib import Path

import pytest

import canvas_reports_nb as crn

DATA = Path(__file__).parents[2] / "data"


def test_dictionary_describes_each_column() -> None:
    frame = crn.read_file(DATA / "09_provisioning_enrollments_current.csv")
    known = frame.canvas.dictionary()
    assert known.equals(crn.dictionary(frame))
    assert known["column"].tolist() == list(frame.columns)
    by_name = known.set_index("column")
    assert by_name.loc["user_id", "kind"] == "sis_id"
    assert by_name.loc["user_id", "personal"]
    assert by_name.loc["canvas_enrollment_id", "key"]
    assert by_name.loc["status", "values"].startswith("active, invited")
    assert by_name["meaning"].notna().all()


def test_dictionary_of_an_unknown_report_does_not_guess() -> None:
    frame = crn.read_file(b"a,b\n1,2\n", report="own_report_csv")
    known = frame.canvas.dictionary()
    assert known["kind"].tolist() == ["text", "text"]
    assert known["personal"].isna().all()
    with pytest.raises(crn.CanvasReportsError, match="which table this frame"):
        crn.dictionary(
            frame.merge(frame.rename(columns=str.upper), how="cross").groupby("a").size().to_frame()
        )
