"""Every sample file, compared cell by cell with the standard library's csv module."""

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn

DATA = Path(__file__).parents[2] / "data"


def sample_tables() -> list[tuple[str, str | None, bytes]]:
    """Return the file name, table and bytes of each CSV in the samples."""
    found: list[tuple[str, str | None, bytes]] = []
    for path in sorted(DATA.iterdir()):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                found += [
                    (path.name, name.removesuffix(".csv"), archive.read(name)) for name in archive.namelist()
                ]
        else:
            found.append((path.name, None, path.read_bytes()))
    return found


TABLES = sample_tables()
IDS = [f"{name}:{table}" if table else name for name, table, _ in TABLES]


def as_written(value: object, dtype: object, cell: str) -> str:
    """Undo the documented typing: return the text of a cell with this value."""
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        same_instant = datetime.fromisoformat(cell.replace(" UTC", "Z")).astimezone(UTC) == value
        return cell if same_instant else value.isoformat()
    if isinstance(dtype, pd.Float64Dtype):
        return cell if float(cell) == value else str(value)
    if isinstance(dtype, pd.BooleanDtype):
        return str(value).lower()
    return str(value)


def damaged(frame: pd.DataFrame, data: bytes) -> list[tuple[int, str, str, str]]:
    """Return the cells of a frame that differ from the file."""
    header, *rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert list(frame.columns) == header
    assert len(frame) == len(rows)
    found = []
    for number, row in enumerate(rows):
        for column, cell in zip(header, row, strict=True):
            written = as_written(frame[column].iloc[number], frame[column].dtype, cell)
            if written != cell:
                found.append((number, column, cell, written))
    return found


@pytest.mark.parametrize(("name", "table", "data"), TABLES, ids=IDS)
def test_no_cell_is_damaged(name: str, table: str | None, data: bytes) -> None:
    assert damaged(crn.read_file(DATA / name, table=table), data) == []


@pytest.mark.parametrize(("name", "table", "data"), TABLES, ids=IDS)
def test_engines_agree(name: str, table: str | None, data: bytes) -> None:
    pandas = crn.read_file(DATA / name, table=table)
    arrow = crn.read_file(DATA / name, table=table, engine="arrow")
    polars = crn.read_file(DATA / name, table=table, engine="polars")
    assert isinstance(polars, pl.DataFrame)
    rows = [
        [None if pd.isna(cell) else cell for cell in row] for row in pandas.itertuples(index=False, name=None)
    ]
    assert [list(row.values()) for row in arrow.to_pylist()] == rows
    assert [list(row) for row in polars.rows()] == rows
    assert polars.columns == list(pandas.columns)


def naive_damage(data: bytes) -> int:
    """Count the cells that ``pandas.read_csv`` with its defaults changes."""
    header, *rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    frame = pd.read_csv(io.BytesIO(data))
    count = 0
    for number, row in enumerate(rows):
        for column, cell in zip(header, row, strict=True):
            value = frame[column].iloc[number]
            written = "" if pd.isna(value) else str(value)
            # A boolean's capital letter, or a score's last zero, is typing, not damage.
            same = written == cell or (cell in {"true", "false"} and written.lower() == cell)
            if not same and column.endswith(("score", "MB")):
                same = float(written) == float(cell)
            count += not same
    return count


def test_plain_pandas_damages_and_this_does_not(record_property: Callable[[str, object], None]) -> None:
    cells = naive = ours = 0
    for name, table, data in TABLES:
        cells += sum(len(row) for row in list(csv.reader(io.StringIO(data.decode(), newline="")))[1:])
        naive += naive_damage(data)
        ours += len(damaged(crn.read_file(DATA / name, table=table), data))
    comparison = f"damaged cells of {cells} in the samples: pandas.read_csv {naive}, canvas_reports_nb {ours}"
    record_property("summary line", comparison)
    assert naive > 0
    assert ours == 0
