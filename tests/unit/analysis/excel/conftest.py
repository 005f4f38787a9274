"""Workbooks read back with openpyxl."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import canvas_reports_nb as crn

HOSTILE = [
    "=1+1",
    '=HYPERLINK("https://files.example.org","marks")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\n=1",
    "\uff1d1+1",
    '"=1+1',
    "'=1+1",
    "  =1+1",
    "\u00a0=1+1",
    "\u200b=1+1",
    "\ufeff@x",
    "-",
]
HARMLESS = [
    "000481",
    "007E2",
    "1e5",
    "-5",
    "+1,5",
    "-1.234,50",
    "O'Neil",
    "a=b",
    "Ng, Bea",
    "B-",
    "'tis",
    "NA",
    "null",
]


class Book:
    """A workbook that was written and read back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = openpyxl.load_workbook(path)

    def sheet(self, name: str | None = None) -> Any:
        """Return a sheet; without a name, the first one of data."""
        return self.book[name or self.book.sheetnames[2]]

    def columns(self, name: str | None = None) -> dict[str, list[Any]]:
        """Return the cells of a sheet by header; a file has no two alike."""
        sheet = self.sheet(name)
        ((_, place),) = sheet.tables.items()
        header, *rows = sheet[place]
        names = [cell.value for cell in header]
        assert len({name.casefold() for name in names}) == len(names)
        return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}

    def values(self, name: str | None = None) -> dict[str, list[Any]]:
        return {header: [cell.value for cell in cells] for header, cells in self.columns(name).items()}

    def text(self, label: str) -> list[str]:
        """Return what the sheet *Read me* has beside a label."""
        return [
            str(text)
            for name, text in self.sheet("Read me").iter_rows(max_col=2, values_only=True)
            if name == label
        ]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Book]:
    """Write a workbook and read it back."""

    def write(tables: Any, timezone: str | None = None, name: str = "made.xlsx", **options: Any) -> Book:
        return Book(crn.to_excel(tables, tmp_path / name, timezone, **options))

    return write
