"""CSV as Canvas writes it, in slices of rows so that memory does not grow with the file."""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

_SLICE = 400_000
_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-4, 1e16


def _as_is(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table: `build` turns any slice of `source` into at least the columns to write."""

    source: pl.DataFrame
    build: Callable[[pl.DataFrame], pl.DataFrame] = _as_is
    when_empty: str | None = None
    """The only cell of a row that is written if there is no other."""
    without: tuple[str, ...] = ()
    """Columns that the parameters leave out."""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV to write; `columns` pairs the names in the header, which may repeat, with columns of the rows."""

    name: str
    columns: Sequence[tuple[str, str | None]]
    rows: Rows
    earlier: tuple["Table", ...] = ()
    """Tables of the same name whose rows come first, under this header."""

    def shown(self) -> list[tuple[str, str | None]]:
        """Return the columns without those that the parameters leave out."""
        return [pair for pair in self.columns if pair[0] not in self.rows.without]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV is written, apart from what is equal everywhere."""

    delimiter: str = ","
    byte_order_mark: bool = False

    def line(self, cells: Iterable[object]) -> bytes:
        """Return one line."""
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator="\n").writerow(cells)
        return text.getvalue().encode()

    @property
    def start(self) -> bytes:
        """The first bytes of a file."""
        return codecs.BOM_UTF8 if self.byte_order_mark else b""


PLAIN = Dialect()


def iso_text(column: pl.Expr, zone: str) -> pl.Expr:
    """Return whole seconds in ISO 8601 with the zone's own offset, `Z` in UTC."""
    if zone == "UTC":
        return column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return column.dt.convert_time_zone(zone).dt.strftime("%Y-%m-%dT%H:%M:%S%:z")


def utc_text(column: str) -> pl.Expr:
    """Return an instant in the other format, which two reports use."""
    return pl.col(column).dt.strftime("%Y-%m-%d %H:%M:%S UTC")


def float_text(value: float) -> str:
    """Return a float as Ruby prints it: exponents from 1e16 on and below 0.0001."""
    text = repr(value)
    if "e" not in text and 0 < abs(value) < _SMALLEST_PLAIN:
        text = f"{value:e}"
    mantissa, exponent, power = text.partition("e")
    if not exponent:
        return text
    mantissa = mantissa.rstrip("0") if "." in mantissa else mantissa
    whole, _, decimals = mantissa.partition(".")
    return f"{whole}.{decimals or '0'}e{int(power):+03d}"


def write_cells(rows: Iterable[Sequence[object]], path: Path, dialect: Dialect = PLAIN) -> int:
    """Write rows of any width and return the number of lines."""
    lines = [dialect.line(row) for row in rows]
    path.write_bytes(dialect.start + b"".join(lines))
    return len(lines)


def write_table(table: Table, path: Path, zone: str, dialect: Dialect = PLAIN) -> int:
    """Write a table and return its number of rows, the header included."""
    written = 1
    with path.open("wb") as file:
        file.write(dialect.start + dialect.line(printed for printed, _ in table.shown()))
        for part in (*table.earlier, table):
            sources = [source for _, source in part.shown() if source is not None]
            for rows in part.rows.source.iter_slices(_SLICE):
                frame = _printable(part.rows.build(rows).select(sources), zone)
                frame.write_csv(
                    file, include_header=False, quote_style="necessary", separator=dialect.delimiter
                )
                written += frame.height
        if written == 1 and table.rows.when_empty is not None:
            file.write(dialect.line([table.rows.when_empty]))
            written += 1
    return written


def _printable(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Return the rows with times, and floats that need an exponent, as text."""
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    frame = frame.with_columns(iso_text(pl.col(name), zone) for name in times)
    for name, kind in frame.schema.items():
        size = pl.col(name).abs()
        odd = ((size > 0) & (size < _SMALLEST_PLAIN)) | (size >= _LARGEST_PLAIN)
        if kind.is_float() and frame.select(odd.any()).item():
            text = [None if value is None else float_text(value) for value in frame[name]]
            frame = frame.with_columns(pl.Series(name, text, pl.String))
    return frame
