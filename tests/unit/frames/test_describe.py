"""The dictionary of a frame's columns."""

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, ReportWarning, TableRequiredError, UnknownTableError

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
    assert not by_name.loc["status", "personal"]
    assert not by_name.loc["status", "key"]
    # A part of a frame is known by its provenance, even where its columns could be of many tables.
    assert crn.dictionary(frame[["status", "role"]]).equals(
        by_name.loc[["status", "role"]].reset_index()[list(known.columns)]
    )


def test_the_dictionary_has_the_notes_of_the_columns() -> None:
    data = b"user id,user name,last access at,last ip\n1,A,,\nx2,B,,\n"
    with pytest.warns(ReportWarning):
        frame = crn.read_file(data)
    notes = crn.dictionary(frame).set_index("column")["note"]
    assert notes.dropna().to_dict() == {"user id": "kept as text: row 2 holds 'x2'"}


@pytest.mark.parametrize(
    ("engine", "kind", "dtype"), [("arrow", pd.DataFrame, "int64"), ("polars", pl.DataFrame, "Int64")]
)
def test_every_kind_of_frame_is_described_the_same(engine: Any, kind: type, dtype: str) -> None:
    path = DATA / "09_provisioning_enrollments_current.csv"
    found = crn.dictionary(crn.read_file(path, engine=engine))
    assert type(found) is kind
    known = crn.dictionary(crn.read_file(path))
    for name in set(known.columns) - {"dtype"}:
        cells = known[name].astype("object").where(known[name].notna(), None)
        assert [None if pd.isna(cell) else cell for cell in found[name].to_list()] == cells.tolist(), name
    assert found["dtype"].to_list()[known["column"].tolist().index("canvas_user_id")] == dtype


def test_dictionary_of_an_unknown_report_does_not_guess() -> None:
    frame = crn.read_file(b"a,b\n1,2\n", report="own_report_csv")
    known = frame.canvas.dictionary()
    assert known["kind"].tolist() == ["text", "text"]
    assert known["personal"].isna().all()
    with pytest.raises(crn.CanvasReportsError, match="which table this frame"):
        crn.dictionary(
            frame.merge(frame.rename(columns=str.upper), how="cross").groupby("a").size().to_frame()
        )


def test_a_named_report_or_table_that_does_not_exist_is_explained() -> None:
    frame = pd.DataFrame({"status": ["active"]})
    with pytest.raises(ParameterError, match=r"Unknown report 'grade_export'.*\n.*grade_export_csv"):
        crn.dictionary(frame, report="grade_export")
    with pytest.raises(TableRequiredError, match="provisioning_csv has several tables: users, ") as required:
        crn.dictionary(frame, report="provisioning_csv")
    with pytest.raises(UnknownTableError, match="no table 'user'; it has: users, ") as unknown:
        crn.dictionary(frame, report="provisioning_csv", table="user")
    for error in (required.value, unknown.value):
        assert error.report == "provisioning_csv"
        assert "enrollments" in error.tables
    (row,) = crn.dictionary(frame, report="provisioning_csv", table="sections").to_dict("records")
    assert (row["kind"], row["dtype"], row["values"]) == (
        "enum",
        str(frame.dtypes["status"]),
        "active, deleted",
    )
