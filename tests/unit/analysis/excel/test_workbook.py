"""Workbooks that Excel reads back cell for cell."""

from pathlib import Path

import openpyxl
import pandas as pd

import canvas_reports_nb as crn

ODD = {
    "student name": ["Ng, Bea", "=1+1", "NA"],
    "student sis": ["000481", "1e5", "007E2"],
    "student id": pd.array([2573, 10**16 + 481, None], dtype="Int64"),
    "current score": pd.array([97.25, None, 0.0], dtype="Float64"),
}


def test_odd_cells_survive(tmp_path: Path) -> None:
    path = crn.to_excel(pd.DataFrame(ODD), tmp_path / "odd.xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Read me", "Summary", "Data", "Columns"]
    header, *rows = book["Data"].iter_rows()
    cells = {
        str(name.value): [cell.value for cell in column]
        for name, column in zip(header, zip(*rows, strict=True), strict=True)
    }
    assert cells["student name"] == ["Ng, Bea", "=1+1", "NA"]
    assert cells["student sis"] == ["000481", "1e5", "007E2"]
    assert cells["student id"] == [2573, "10000000000000481", None]
    assert cells["current score"] == [97.25, None, 0]
    assert not any(cell.data_type == "f" for row in rows for cell in row)
    assert oct(path.stat().st_mode)[-3:] == "600"
