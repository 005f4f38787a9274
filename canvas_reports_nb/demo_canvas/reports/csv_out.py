"""CSV as Canvas writes it, a slice of rows at a time so that size costs time and not memory."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

__all__ = ["Rows", "Table", "iso_text", "utc_text", "write_cells", "write_table"]

_SLICE = 400_000


def _as_is(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table: `build` turns any slice of `source` into at least the columns to write."""

    source: pl.DataFrame
    build: Callable[[pl.DataFrame], pl.DataFrame] = _as_is


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV to be.

    `columns` names what stands under the header where the header cannot, because it repeats a name;
    `when_empty` is the one cell of a last row written when there is no other.
    """

    name: str
    header: Sequence[str]
    rows: Rows
    columns: Sequence[str] | None = None
    when_empty: str | None = None


def iso_text(column: pl.Expr, zone: str) -> pl.Expr:
    """Return whole seconds in ISO 8601 with the zone's own offset, `Z` in UTC."""
    if zone == "UTC":
        return column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return column.dt.convert_time_zone(zone).dt.strftime("%Y-%m-%dT%H:%M:%S%:z")


def utc_text(column: str) -> pl.Expr:
    """Return the other spelling of an instant, which two reports use."""
    return pl.col(column).dt.strftime("%Y-%m-%d %H:%M:%S UTC")


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def write_cells(rows: Iterable[Sequence[object]], path: Path) -> int:
    """Write rows of any width and return the number of lines."""
    lines = [_line(row) for row in rows]
    path.write_text("".join(lines), encoding="utf-8", newline="")
    return len(lines)


def write_table(table: Table, path: Path, zone: str) -> int:
    """Write a table and return its number of rows, the header included."""
    columns = list(table.columns or table.header)
    written = 1
    with path.open("wb") as file:
        file.write(_line(table.header).encode())
        for rows in table.rows.source.iter_slices(_SLICE):
            frame = table.rows.build(rows).select(columns)
            times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
            frame = frame.with_columns(iso_text(pl.col(name), zone) for name in times)
            frame.write_csv(file, include_header=False, quote_style="necessary")
            written += frame.height
        if written == 1 and table.when_empty is not None:
            file.write(_line([table.when_empty]).encode())
            written += 1
    return written
