"""Every cell of every report survives; formulas don't run; times are local; numbers look right."""

import csv
import datetime as dt
import decimal
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.analysis.privacy.publishing import SIZES
from canvas_reports_nb.demo_canvas.reports import REPORT_TYPES, produce
from canvas_reports_nb.demo_canvas.world import build_world

from .conftest import HARMLESS, HOSTILE

Written = Callable[..., Any]
DATA = Path(__file__).parents[3] / "data"
DENVER = "America/Denver"
FILES = (
    "users", "accounts", "terms", "courses", "sections", "enrollments", "groups", "group_membership",
    "group_categories", "xlist", "user_observers", "admins",
)  # fmt: skip


def is_same(text: str, value: Any) -> bool:
    """Return whether a cell of a workbook holds what a cell of a CSV says."""
    if isinstance(value, str) or value is None:
        return text == (value or "")
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, dt.datetime):
        moment = dt.datetime.fromisoformat(text.replace(" UTC", "Z")).astimezone(ZoneInfo(DENVER))
        return abs(moment.replace(tzinfo=None) - value) < dt.timedelta(milliseconds=1)
    return text == str(value) if isinstance(value, int) and "." not in text else float(text) == value


def damaged(data: bytes, frame: pd.DataFrame, cells: dict[str, list[Any]]) -> Iterator[tuple[str, str, Any]]:
    """Yield column, text and cell where a sheet differs from its CSV."""
    _, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    names = [name for name in frame.columns if not name.endswith(" (text)")]
    rows = [] if rows == [["No outcomes found"]] else rows
    assert len(frame) == len(rows)
    for place, name in enumerate(names):
        shown = cells[name if name in cells else f"{name} ({DENVER})"]
        words = cells.get(f"{name} (text)", shown)
        for number, row in enumerate(rows):
            text = row[place] if place < len(row) else ""
            cell = shown[number].value
            if shown[number].data_type == "f" or not (is_same(text, cell) or text == words[number].value):
                yield name, text, cell


def sources(folder: Path) -> Iterator[tuple[str, list[tuple[bytes, pd.DataFrame]]]]:
    """Yield the tables of all reports of a small demo, and of the samples."""
    world = build_world(enrollments=60)
    for report in REPORT_TYPES:
        files = produce(world, report, dict.fromkeys(FILES, "1") | {"include_deleted": "1"}, 1, folder).files
        found = []
        for path in files:
            with suppress(crn.exceptions.NotAReportError):  # a term without grading periods
                found.append(
                    (path.read_bytes(), crn.read_file(path, report=report if len(files) == 1 else None))
                )
        assert found, report
        yield report, found
    for path in sorted(DATA.iterdir()):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                yield (
                    path.name,
                    [(archive.read(n), crn.read_file(path, table=n.removesuffix(".csv"))) for n in names],
                )
        else:
            yield path.name, [(path.read_bytes(), crn.read_file(path))]


def test_no_cell_of_any_report_is_damaged(tmp_path: Path, written: Written) -> None:
    checked = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", crn.ReportWarning)
        for name, tables in sources(tmp_path):
            book = written(
                {str(place): frame for place, (_, frame) in enumerate(tables)}, DENVER, f"{name}.xlsx"
            )
            for place, (data, frame) in enumerate(tables):
                cells = book.columns(str(place))
                assert list(damaged(data, frame, cells)) == [], name
                checked += frame.size
    assert checked > 5_000


def test_odd_cells_survive(written: Written) -> None:
    large = 10**16 + 481
    frame = pd.DataFrame(
        {
            "student sis": ["000481", "1e5", "NA", "007E2"],
            "student name": ["=1+1", "  padded ", "Bea 🤖", 'a "b"\n; c'],
            "student id": pd.array([2573, large, None, -large], dtype="Int64"),
            "n": pd.array([10**15 - 1, 10**15, None, 0], dtype="Int64"),
        }
    )
    book = written(frame)
    assert book.values() == {
        "student name": frame["student name"].tolist(),
        "n": [10**15 - 1, str(10**15), None, 0],
        "student id": [2573, str(large), None, str(-large)],
        "student sis": frame["student sis"].tolist(),
    }
    cells = book.columns()
    assert [cell.number_format for cell in cells["student id"][:2]] == ["0", "@"]
    assert {cell.number_format for cell in cells["student sis"]} == {"@"}
    again = crn.read_file(frame.to_csv(index=False).encode(), "grade_export_csv")
    assert again["student sis"].tolist() == book.values()["student sis"]


@pytest.mark.parametrize("kind", ["str", "category", "object"])
def test_formulas_are_texts_that_never_run(kind: str, written: Written) -> None:
    frame = pd.DataFrame({"name": pd.Series([*HOSTILE, *HARMLESS], dtype=kind), "=title": 1})
    book = written(frame)
    cells = book.columns()["name"]
    assert [cell.value for cell in cells] == [*HOSTILE, *HARMLESS]
    assert {cell.data_type for cell in cells} == {"s"}
    assert {cell.number_format for cell in cells} == {"@"}
    # Excel shows such a text with an apostrophe and does not run it, even after an edit.
    assert [cell.quotePrefix for cell in cells] == [True] * len(HOSTILE) + [False] * len(HARMLESS)
    assert book.sheet()["B1"].data_type == "s"


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.none() | st.text(max_size=8) | st.text("=+-@_x0\t \n\ufffe", max_size=5), min_size=1, max_size=40
    )
)
def test_any_text_survives(written: Written, texts: list[str | None]) -> None:
    found = written(pl.DataFrame({"comment": pl.Series(texts, dtype=pl.String)}), overwrite=True).values()[
        "comment"
    ]

    def plain(text: str | None) -> str | None:
        # The format writes control characters as _xHHHH_; Excel shows the characters, openpyxl the code.
        return text and re.sub("_x([0-9A-F]{4})_", lambda code: chr(int(code[1], 16)), text)

    assert list(map(plain, found)) == [plain(text) or None for text in texts]


def test_times_are_local_and_a_repeated_hour_has_a_twin(written: Written) -> None:
    moments = [
        "2026-11-01T07:30:00Z",
        "2026-11-01T08:30:00Z",
        "2026-03-08T09:30:00Z",
        None,
        "2999-07-01T06:00:00Z",
    ]
    read = [text and dt.datetime.fromisoformat(text) for text in moments]
    times = pa.array(read, pa.timestamp("us", tz="UTC")).to_pandas()  # pandas 2.2 itself ends in 2262
    book = written(pd.DataFrame({"last access": times}), DENVER)
    twice = dt.datetime(2026, 11, 1, 1, 30)
    assert book.values() == {
        f"last access ({DENVER})": [
            twice, twice, dt.datetime(2026, 3, 8, 3, 30), None, dt.datetime(2999, 7, 1),
        ],
        "last access (UTC)": [moment and dt.datetime.fromisoformat(moment).replace(tzinfo=None) for moment in moments],
    }  # fmt: skip
    assert book.sheet()["A2"].number_format == "yyyy-mm-dd hh:mm"
    assert list(written(pd.DataFrame({"last access": times}), name="b.xlsx").values()) == [
        "last access (UTC)"
    ]
    once = pd.DataFrame({"last access": times.iloc[2:]})
    assert list(written(once, DENVER, name="c.xlsx").values()) == [f"last access ({DENVER})"]


def test_other_times(written: Written) -> None:
    gap = dt.datetime(2026, 3, 8, 2, 30)  # no clock in Denver showed this time
    frame = pl.DataFrame(
        {
            "naive": [gap, dt.datetime(1850, 1, 1, 3, 4, 5)],
            "day": [dt.date(2026, 1, 2), dt.date(1890, 1, 1)],
            "clock": [dt.time(3, 4, 5), None],
            "lasted": [dt.timedelta(days=2, hours=1), None],
        }
    )
    book = written(frame, DENVER)
    assert book.values() == {
        "naive": [gap, "1850-01-01 03:04:05"],
        "day": [dt.datetime(2026, 1, 2), "1890-01-01"],
        "clock": [dt.time(3, 4, 5), None],
        "lasted": [dt.timedelta(days=2, hours=1), None],
    }
    formats = [cell.number_format for cell in book.sheet()[2]]
    assert formats == ["yyyy-mm-dd hh:mm", "yyyy-mm-dd", "hh:mm:ss", "[h]:mm:ss"]
    assert book.values("Columns")["Written as"] == ["time", "date", "time of day", "duration"]


def test_number_formats(written: Written) -> None:
    frame = pd.DataFrame(
        {
            "dfw": [0.25, None],
            "low": [0.125, 1.0],
            "final score": [88.0, float("nan")],
            "fte": [0.9333, 2.0],
            "students": pd.array([1234, None], dtype="Int64"),
            "counted": [3.0, None],  # pandas makes floats of whole numbers beside blanks
            "canvas_course_id": pd.array([501, None], dtype="Int64"),
            "is late": pd.array([True, None], dtype="boolean"),
        }
    )
    book = written(frame)
    formats = {name: cells[0].number_format for name, cells in book.columns().items()}
    assert formats == {
        "dfw": "0.0%",
        "low": "0.0%",
        "final score": "0.0",
        "fte": "#,##0.00",
        "students": "#,##0",
        "counted": "#,##0",
        "canvas_course_id": "0",
        "is late": "General",
    }
    assert all(cells[1].value is None for name, cells in book.columns().items() if name not in {"low", "fte"})
    described = book.values("Columns")
    assert dict(zip(described["Column"], described["Written as"], strict=True)) == {
        "dfw": "share",
        "low": "share",
        "final score": "number",
        "fte": "number",
        "students": "whole number",
        "counted": "whole number",
        "canvas_course_id": "number",
        "is late": "true or false",
    }
    low = written(frame[["low"]].assign(n=1), name="b.xlsx").columns()["low"][0]
    assert low.number_format == "#,##0.00", "only beside a share is it one"


def test_suppressed_cells_and_other_mixtures(written: Written) -> None:
    frame = pd.DataFrame(
        {
            "n": [12, "<10", None, 10**17],
            "rate": ["<5 %", 0.5, float("nan"), 1],
            "list": [["=a", "b"], [], None, ["c"]],
            "seen": [dt.datetime(2026, 3, 2, 16, 14, tzinfo=dt.UTC), None, None, "never"],
            "price": [decimal.Decimal("1.50"), None, None, None],
            "size": [float("inf"), 1.25, None, 2.0],
        }
    )
    book = written(frame, DENVER)
    assert book.values() == {
        "n": [12, "<10", None, "100000000000000000"],
        "rate": ["<5 %", 0.5, None, 1],
        "list": ["=a; b", None, None, "c"],
        "seen": ["2026-03-02 09:14 America/Denver", None, None, "never"],
        "price": [1.5, None, None, None],
        "size": ["inf", 1.25, None, 2],
    }
    cells = book.columns()
    assert [cell.number_format for cell in cells["n"][:2]] == ["#,##0", "@"]
    assert [cell.number_format for cell in cells["rate"][:2]] == ["@", "0.0%"]
    periods = pd.DataFrame({"month": pd.period_range("2026-01", periods=1, freq="M")})
    assert written(periods, name="b.xlsx").values() == {"month": ["2026-01"]}


def test_names_come_first_and_numbers_of_people_are_no_names(written: Written) -> None:
    names = ["teacher", "student names", "person", "Person name"]
    frame = pl.DataFrame({"path": ["/"], **{name: [7] for name in SIZES}, **{name: ["Ng"] for name in names}})
    assert list(written(frame).columns()) == [*names, "path", *SIZES]


def test_headers_are_unique_in_any_case_and_in_one_line(written: Written) -> None:
    frame = pl.DataFrame(
        {"x\ny ": [1], "": [2], "Sum": [3], "sum": [4], "a" * 300: [5], "a" * 299 + "b": [6], "=t": [7]}
    )
    headers = list(written(frame).columns())
    assert headers[:4] == ["x y", "Column 2", "Sum", "sum (2)"]
    assert [len(header) for header in headers[4:6]] == [250, 250]
    assert headers[6] == "=t"


def test_nested_and_unusual_types(written: Written) -> None:
    table = pa.table(
        {
            "ids": pa.array([[1, 2], None]),
            "pair": pa.array([{"a": 1}, None]),
            "big": pa.array([2**63, 1], pa.uint64()),
            "none": pa.nulls(2),
            "amount": pa.array([decimal.Decimal("1.25"), None]),
        }
    )
    assert written(table).values() == {
        "pair": ["{'a': 1}", None],
        "big": [str(2**63), 1],
        "none": [None, None],
        "amount": [1.25, None],
        "ids": ["1; 2", None],
    }
