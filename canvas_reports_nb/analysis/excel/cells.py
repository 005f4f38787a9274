"""What the columns of a frame become in a workbook: header, cells, number format, width and place."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
from polars.exceptions import PolarsError

from canvas_reports_nb.analysis.privacy.publishing import HIDDEN, SIZES, hidden_text
from canvas_reports_nb.catalog.schemas import Column, fold, reports, schema
from canvas_reports_nb.frames.describe import table_of
from canvas_reports_nb.frames.exchange import column_names, to_lazy
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from canvas_reports_nb.catalog.schemas import Table

Format: TypeAlias = Literal[
    "text",
    "formula",
    "id",
    "count",
    "number",
    "score",
    "share",
    "boolean",
    "time",
    "date",
    "clock",
    "duration",
]
Role: TypeAlias = Literal["name", "email", "reason", "other", "id"]

LONGEST_TEXT = 32_767  # in UTF-16 units
CUT = " … [cut]"
NARROWEST, WIDEST = 8, 59  # the file adds 0.7 to each
_LONGEST_HEADER = 250
_LARGEST_NUMBER = 10**15  # Excel keeps 15 digits
# Before March 1900, Excel counts a day that did not exist.
_FIRST_DAY, _LAST_DAY = datetime(1900, 3, 1), datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - as Excel's own
# From here on, polars knows no daylight saving time.
_LAST_OF_POLARS = datetime(2100, 1, 1, tzinfo=UTC)
_EPOCH, _DAY = datetime(1899, 12, 30), 86_400_000_000  # noqa: DTZ001 - as Excel's own

# Text that a spreadsheet would run, as OWASP lists it under "CSV injection". Zero-width characters are not blanks to
# a pattern, but invisible to readers and skipped by some programs.
_FORMULA = re.compile("[\\s\"'`\u200b\u2060\ufeff]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# A signed number is harmless.
_NUMBER = re.compile(r"[+-][0-9][0-9.,]*")

_WORDS = re.compile(r"[^\W_]+")
_NAMES = frozenset({"name", "names", "student", "teacher", "person"})
_EMAILS = frozenset({"email", "emails"})
_REASONS = frozenset({"reason", "reasons", "finding", "findings", "urgent", "status", "change"})
_SHARES = frozenset({"share", "rate", "dfw", "dfwi", "success", "completion", "proportion"})
_BESIDE_SHARES = frozenset({"low", "high", "gap", "moe", "reference"})
_ID_KINDS = frozenset({"canvas_id", "sis_id", "guid", "token"})
_IDS = frozenset({"id", "ids", "sis", "guid", "uuid", "key", "crn"})
_WIDTHS: dict[Format, int] = {"boolean": 8, "time": 17, "date": 12, "clock": 10, "duration": 12}


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """One column of a sheet; ``known`` is its description in the catalog, ``cut`` how many texts were too long."""

    header: str
    source: str
    role: Role
    format: Format
    cells: pl.Series
    width: int
    known: Column | None
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """One data sheet: its name, the frame behind it, and its columns."""

    name: str
    frame: Any
    columns: list[SheetColumn]

    @property
    def rows(self) -> int:
        """The number of data rows."""
        return len(self.columns[0].cells) if self.columns else 0


def sheet_columns(frame: Any, zone: str) -> list[SheetColumn]:
    """Return the columns of a frame as a sheet shows them: names first, ids last."""
    found = _series(frame)
    describe = _descriptions(frame)
    has_shares = any(_is_share(name, cells, _SHARES) for name, cells in found)
    made = [
        column
        for name, cells in found
        for column in _columns(name, cells, describe(name), zone, has_shares=has_shares)
    ]
    made = _with_hidden_counts(made, hidden_text(frame))
    order: list[Role] = ["name", "email", "reason", "other", "id"]
    return _with_unique_headers(sorted(made, key=lambda column: order.index(column.role)))


def _with_hidden_counts(columns: list[SheetColumn], text: str) -> list[SheetColumn]:
    """Show the counts that `publish` hid: those of the rows whose size is missing."""
    flags = next((one.cells for one in columns if one.source == HIDDEN and one.format == "boolean"), None)
    counts = {one.source: one.cells for one in columns if one.format == "count" and one.cells.null_count()}
    sizes = [counts[name] for name in (*SIZES, *counts) if name in counts]
    if flags is None or not sizes:
        return columns
    hidden = flags.fill_null(value=False) & sizes[0].is_null()
    return [_with_text(one, hidden, text) if one.source in counts else one for one in columns]


def _with_text(column: SheetColumn, rows: pl.Series, text: str) -> SheetColumn:
    pairs = zip(column.cells, rows, strict=True)
    cells = [text if is_hidden and value is None else value for value, is_hidden in pairs]
    return replace(column, cells=pl.Series(cells, dtype=pl.Object), width=max(column.width, len(text)))


def _series(frame: Any) -> list[tuple[str, pl.Series]]:
    """Return the columns of a frame of any kind, with the labels of a pandas index that has a name."""
    if not isinstance(frame, pd.DataFrame):
        return [(column.name, column) for column in to_lazy(frame).collect().get_columns()]
    frame = with_labels(frame)
    return [(_label(name), _to_polars(frame.iloc[:, place])) for place, name in enumerate(frame.columns)]


def with_labels(frame: Any) -> Any:
    """Return a pandas frame with the labels of an index that has a name as columns; any other frame as it is."""
    if not isinstance(frame, pd.DataFrame):
        return frame
    names = frame.index.names
    named = [at for at, name in enumerate(names) if name is not None and name not in frame.columns]
    shown = frame.reset_index(level=named) if named else frame
    shown.attrs = frame.attrs
    return shown


def _label(name: Any) -> str:
    return " ".join(str(part) for part in name if part != "") if isinstance(name, tuple) else str(name)


def _to_polars(column: pd.Series[Any]) -> pl.Series:
    values = column.reset_index(drop=True)
    if isinstance(values.dtype, pd.PeriodDtype | pd.IntervalDtype):
        values = values.astype(TEXT)
    try:
        return pl.from_pandas(values)
    except (TypeError, ValueError, NotImplementedError, PolarsError):
        # Cells of several types, such as counts beside "<10".
        return pl.Series([None if pd.isna(each) is True else each for each in values], dtype=pl.Object)


def own_table(frame: Any) -> Table | None:
    """Return the table whose rows a frame holds; ``None`` if they were counted or joined to something else."""
    table = table_of(frame)
    return table if table and all(table.column(str(name)) for name in column_names(frame)) else None


def _descriptions(frame: Any) -> Callable[[str], Column | None]:
    """Return what finds a column in the frame's table, or else its kind by its exact name in any table."""
    table = own_table(frame)
    return lambda name: (table.column(name) if table else None) or _by_name().get(fold(name))


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Column]:
    """Return the columns of all reports without their meanings; of several with one name, a personal one."""
    found: dict[str, Column] = {}
    for report in filter(None, map(schema, reports())):
        for table in report.tables.values():
            for column in table.columns:
                present = found.get(fold(column.name))
                if present is None or (column.personal and not present.personal):
                    found[fold(column.name)] = replace(column, meaning="", values=None)
    return found


def _columns(
    name: str, cells: pl.Series, known: Column | None, zone: str, *, has_shares: bool
) -> Iterable[SheetColumn]:
    """Yield the column of a sheet, and its twin in UTC if the zone's clock shows one of its times twice."""
    column = SheetColumn(name, name, _role(name, known), "text", cells, 0, known)
    dtype = cells.dtype
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        local = _local(cells, zone)
        yield _times(replace(column, header=f"{name} ({zone})"), local)
        unclear = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        if unclear.null_count() > local.null_count():
            universal = cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            yield _times(replace(column, header=f"{name} (UTC)"), universal)
    elif dtype.is_temporal():
        yield _temporal(column, cells)
    elif dtype == pl.Boolean:
        yield _measured(column, "boolean", cells)
    elif dtype.is_integer():
        yield _whole_numbers(column, cells)
    elif dtype.is_numeric():
        yield _fractions(column, cells.cast(pl.Float64).fill_nan(None), has_shares=has_shares)
    elif dtype in (pl.String, pl.Categorical, pl.Enum):
        yield _texts(column, cells.cast(pl.String))
    else:
        yield _mixed(column, cells, zone)


def _local(cells: pl.Series, zone: str) -> pl.Series:
    """Return times as the zone's clock shows them."""
    local = cells.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    late = (cells >= _LAST_OF_POLARS).fill_null(value=False)
    if late.any():
        known = ZoneInfo(zone)
        times = zip(local, cells, late, strict=True)
        shown = [
            each.astimezone(known).replace(tzinfo=None) if is_late else was for was, each, is_late in times
        ]
        local = pl.Series(local.name, shown, dtype=local.dtype)
    return local


def _temporal(column: SheetColumn, cells: pl.Series) -> SheetColumn:
    """Return times without a zone, dates, times of day and durations."""
    if cells.dtype == pl.Time:
        return _measured(column, "clock", cells.cast(pl.Int64) / (_DAY * 1000))
    if cells.dtype == pl.Duration:
        return _measured(column, "duration", cells.dt.total_microseconds() / _DAY)
    if cells.dtype == pl.Date:
        days = _times(column, cells.cast(pl.Datetime("us")), "%Y-%m-%d")
        return replace(days, format="date", width=_WIDTHS["date"])
    return _times(column, cells)


def _role(name: str, known: Column | None) -> Role:
    kind, words = known.kind if known else None, _words(name)
    last = words[-1] if words else ""
    if kind in _ID_KINDS or last in _IDS:
        return "id"
    if (
        kind == "name"
        or words in (["name"], ["names"])
        or (kind is None and words and _NAMES.issuperset(words))
    ):
        return "name"
    if kind == "email" or not _EMAILS.isdisjoint(words):
        return "email"
    return "reason" if last in _REASONS else "other"


def _words(name: str) -> list[str]:
    return _WORDS.findall(name.casefold())


def _is_share(name: str, cells: pl.Series, words: frozenset[str]) -> bool:
    if not cells.dtype.is_float() or words.isdisjoint(_words(name)):
        return False
    return bool((cells.drop_nulls().drop_nans().abs() <= 1).all())


def _measured(column: SheetColumn, kind: Format, cells: pl.Series) -> SheetColumn:
    return replace(column, format=kind, cells=cells, width=_WIDTHS[kind])


def _times(column: SheetColumn, cells: pl.Series, text: str = "%Y-%m-%d %H:%M:%S") -> SheetColumn:
    """Return times as Excel counts them, in days; those it has no number for as text."""
    cells = cells.cast(pl.Datetime("us"))  # the nanoseconds of pandas 2 end before the last day
    days = (cells - _EPOCH).dt.total_microseconds() / _DAY
    odd = (cells < _FIRST_DAY) | (cells > _LAST_DAY)
    if odd.any():
        texts = cells.dt.strftime(text).to_list()
        mixed = [written if is_odd else day for written, is_odd, day in zip(texts, odd, days, strict=True)]
        days = pl.Series(mixed, dtype=pl.Object)
    return _measured(column, "time", days)


def _whole_numbers(column: SheetColumn, cells: pl.Series) -> SheetColumn:
    """Return whole numbers; those that Excel would round, as text."""
    is_id = column.role == "id" or column.source.casefold() == "year"
    ends: list[Any] = [cells.min() or 0, cells.max() or 0]
    largest = max(map(abs, ends))
    if largest >= _LARGEST_NUMBER:
        texts = [str(each) if each and abs(each) >= _LARGEST_NUMBER else each for each in cells.to_list()]
        cells = pl.Series(texts, dtype=pl.Object)
    width = len(f"{largest}" if is_id else f"{largest:,}")
    return replace(column, format="id" if is_id else "count", cells=cells, width=width)


def _fractions(column: SheetColumn, cells: pl.Series, *, has_shares: bool) -> SheetColumn:
    if cells.is_infinite().any():
        return _mixed(column, pl.Series(cells.to_list(), dtype=pl.Object), "UTC")
    kind: Format = "number"
    if _is_share(column.source, cells, _SHARES | _BESIDE_SHARES if has_shares else _SHARES):
        kind = "share"
    elif (column.known and column.known.education_record) or "score" in column.source.casefold():
        kind = "score"
    elif _are_whole(cells.drop_nulls()):
        return _whole_numbers(column, cells.cast(pl.Int64))
    largest: Any = cells.abs().max()
    return replace(column, format=kind, cells=cells, width=len(f"{largest or 0:,.2f}"))


def _are_whole(cells: pl.Series) -> bool:
    """Return whether these are whole numbers, which pandas turns into floats beside blanks."""
    return not cells.is_empty() and bool((cells.abs() < _LARGEST_NUMBER).all() and (cells % 1 == 0).all())


def _texts(column: SheetColumn, cells: pl.Series) -> SheetColumn:
    cells = cells.set(cells.str.len_bytes() == 0, None)
    if (cells.str.len_bytes() > LONGEST_TEXT).any():
        return _with_cut(column, cells.to_list())
    longest: Any = cells.str.len_chars().max()
    return replace(column, format="text", cells=cells, width=longest or 0)


def _with_cut(column: SheetColumn, values: list[Any]) -> SheetColumn:
    """Return cells of any type; texts that are too long for a cell are cut."""
    short = [shorten(each, LONGEST_TEXT, mark=CUT) if isinstance(each, str) else each for each in values]
    cut = sum(one != other for one, other in zip(short, values, strict=True))
    width = max((len(str(each)) for each in short if each is not None), default=0)
    return replace(column, cells=pl.Series(short, dtype=pl.Object), width=width, cut=cut)


def _mixed(column: SheetColumn, cells: pl.Series, zone: str) -> SheetColumn:
    """Return cells of several types, lists joined by semicolons and times as text."""
    values = [None if each == "" else each for each in (_plain(each, zone) for each in cells.to_list())]
    return replace(_with_cut(column, values), format=_format_of(column, values))


def _format_of(column: SheetColumn, values: list[Any]) -> Format:
    numbers = [each for each in values if each is not None and not isinstance(each, str)]
    if not numbers:
        return "text"
    if any(each % 1 for each in numbers):
        return "number" if _SHARES.isdisjoint(_words(column.source)) else "share"
    return "id" if column.role == "id" else "count"


def _plain(value: Any, zone: str) -> Any:
    """Return a cell as a text, number, boolean or nothing."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, list | tuple | pl.Series):
        return "; ".join(str(_plain(each, zone)) for each in value if each is not None)
    if isinstance(value, datetime) and value.tzinfo:
        return f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"
    try:
        number = float(value)
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)
    if whole != value:
        return number
    return whole if abs(whole) < _LARGEST_NUMBER else str(whole)


def _with_unique_headers(columns: list[SheetColumn]) -> list[SheetColumn]:
    """Give headers the form that an Excel table requires: one line, not blank, no two alike in any case."""
    taken: set[str] = set()
    return [
        replace(column, header=unique(_clean(column.header, number), taken, _LONGEST_HEADER))
        for number, column in enumerate(columns, 1)
    ]


def _clean(header: str, number: int) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in header).split()) or f"Column {number}"


def unique(name: str, taken: set[str], longest: int) -> str:
    """Return a name that is new in any case, cut to the longest length, and remember it."""
    made, number = shorten(name, longest), 2
    while made.casefold() in taken:
        made, number = shorten(name, longest, f" ({number})"), number + 1
    taken.add(made.casefold())
    return made


def shorten(text: str, longest: int, end: str = "", mark: str = "") -> str:
    """Cut a text to a length in Excel's units, which are those of UTF-16; a cut text ends with the mark."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * (longest - len(end)):
        return text + end
    return units[: 2 * (longest - len(mark + end))].decode("utf-16-le", "ignore") + mark + end


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet might run a text that is entered in a cell."""
    return _FORMULA.match(text) is not None and not _NUMBER.fullmatch(text)
