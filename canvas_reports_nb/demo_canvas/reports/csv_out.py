"""CSV as Canvas writes it, a slice of rows at a time so that size costs time and not memory."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

_SLICE = 400_000


def _as_is(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table: `build` turns any slice of `source` into at least the columns to write."""

    source: pl.DataFrame
    build: Callable[[pl.DataFrame], pl.DataFrame] = _as_is
    when_empty: str | None = None
    """The one cell of a last row written when there is no other."""
    without: str | None = None
    """A column left out of the header this time."""


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV to be; `columns` pairs what is printed in the header, and may repeat, with what stands below."""

    name: str
    columns: Sequence[tuple[str, str]]
    rows: Rows

    @classmethod
    def of(cls, name: str, columns: Mapping[str, str], rows: Rows) -> Self:
        """Return a table whose header repeats no name."""
        return cls(name, [pair for pair in columns.items() if pair[0] != rows.without], rows)


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
    columns = [source for _, source in table.columns]
    written = 1
    with path.open("wb") as file:
        file.write(_line(printed for printed, _ in table.columns).encode())
        for rows in table.rows.source.iter_slices(_SLICE):
            frame = table.rows.build(rows).select(columns)
            times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
            frame = frame.with_columns(iso_text(pl.col(name), zone) for name in times)
            frame.write_csv(file, include_header=False, quote_style="necessary")
            written += frame.height
        if written == 1 and table.rows.when_empty is not None:
            file.write(_line([table.rows.when_empty]).encode())
            written += 1
    return written
