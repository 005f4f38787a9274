"""`to_excel`: frames as a workbook that keeps every id, text and time, and explains itself."""

from __future__ import annotations

import errno
import math
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canvas_reports_nb._disk import replace_file
from canvas_reports_nb.analysis.excel.cells import (
    NARROWEST,
    WIDEST,
    Sheet,
    SheetColumn,
    is_formula,
    sheet_columns,
    unique,
)
from canvas_reports_nb.analysis.excel.readme import (
    account_zone,
    columns_rows,
    readme_rows,
    runs_of,
    summary_rows,
)
from canvas_reports_nb.exceptions import CanvasReportsError, FileError, MissingDependencyError, ParameterError
from canvas_reports_nb.frames.exchange import as_list, check_kinds, check_zone, column_names
from canvas_reports_nb.store.stored_run import ReportResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType

MOST_ROWS, _MOST_COLUMNS = 1_048_575, 16_384
_LONGEST_SHEET = 31
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]+")
_README, _SUMMARY, _COLUMNS = "Read me", "Summary", "Columns"
_FROZEN = 2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LINE, _PROSE = 15, 100  # the height of a line, the width of a column of prose
_FORMATS: dict[str, dict[str, Any]] = {
    "text": {"num_format": "@", "indent": 1},  # away from the number on its left
    # Excel shows such a text with an apostrophe in front of it and never runs it, not even after an edit.
    "formula": {"num_format": "@", "indent": 1, "quote_prefix": True},
    "id": {"num_format": "0"},
    "count": {"num_format": "#,##0"},
    "number": {"num_format": "#,##0.00"},
    "score": {"num_format": "0.0"},
    "share": {"num_format": "0.0%"},
    "boolean": {},
    "time": {"num_format": "yyyy-mm-dd hh:mm"},
    "date": {"num_format": "yyyy-mm-dd"},
    "clock": {"num_format": "hh:mm:ss"},
    "duration": {"num_format": "[h]:mm:ss"},
    "header": {"bold": True, "text_wrap": True, "valign": "top", "num_format": "@"},
    "title": {"bold": True, "font_size": 14},
    "label": {"bold": True, "valign": "top"},
    "prose": {"text_wrap": True, "valign": "top", "num_format": "@"},
}


def to_excel(
    frame_or_tables: Any,
    path: str | os.PathLike[str],
    timezone: str | None = None,
    *,
    question: str | None = None,
    note: str | Iterable[str] | None = None,
    author: str | None = None,
    protect: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a frame, or several tables, as an Excel workbook that damages no cell and explains itself.

    Parameters
    ----------
    frame_or_tables : frame, mapping of names to frames, or ReportResult
        pandas, polars, Arrow or Dask frames. Each becomes a sheet; a mapping's names are the sheets' names.
        A table named "Summary" replaces the summary that is otherwise made.
    path : path
        The workbook, which must end in ``.xlsx``.
    timezone : str, optional
        The time zone in which times are shown, such as ``"America/Denver"``; by default that of the account, if
        the frame carries it (those of `read_report` do), else UTC. The header of each column of times names it.
    question, note, author : str, optional
        For the sheet *Read me*: the question that the workbook answers, remarks (a text or several; for example
        which rows you left out and why), and who made it.
    protect : bool
        Lock the cells against slips of the hand. It has no password and keeps nobody out.
    overwrite : bool
        Replace a file that exists. Without it, only a file with the same contents is accepted.

    Returns
    -------
    Path
        The workbook. Only its owner can read it, and it is never half-written.

    Raises
    ------
    MissingDependencyError
        XlsxWriter is not installed; it comes with the extra ``excel``.
    ParameterError
        The path, the time zone or the frame can't be used, or a table has more rows than Excel can hold.
    FileError
        The file exists, or it can't be written.

    Notes
    -----
    The workbook has the sheets *Read me* (source, filters, definitions, checksums), *Summary*, one per table, and
    *Columns* (what each column means and whether it is personal). Every text, SIS id and login is a text cell, and
    so is a whole number of more than 15 digits, which Excel would round. Text that Excel would run as a formula is
    marked as text. Times are local; if the clock shows one of them twice in a column, a second column has them in
    UTC. Names come first and ids last; rows keep their order. The same input gives the same bytes. A pandas index
    is written if it has a name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = crn.to_excel(grades, f"{folder}/grades.xlsx", timezone="America/Denver")
    >>> path.name
    'grades.xlsx'
    """
    check_kinds("True or False", bool, protect=protect, overwrite=overwrite)
    notes = checked_notes(note, question=question, author=author)
    xlsxwriter = load_writer()
    target, tables = checked_path(path), _tables(frame_or_tables)
    zone, about_zone = _zone(timezone, tables.values())
    sheets = _sheets(tables, zone)
    with (
        writing_to(target),
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".workbook.") as folder,
    ):
        part = Path(folder) / target.name
        try:
            with xlsxwriter.Workbook(part, {"tmpdir": folder}) as book:
                writer = _Writer(book, sheets, protect=protect)
                writer.write_readme(question, readme_rows(sheets, zone, notes, author, about_zone=about_zone))
                writer.write_tables()
                _set_properties(book, sheets, question, author)
        except xlsxwriter.exceptions.FileCreateError as error:
            raise error.args[0] from None  # what the disk refused
        part.chmod(0o600)
        check_place(part, target, overwrite=overwrite)
        replace_file(part, target)
    return target


def load_writer() -> ModuleType:
    """Import XlsxWriter, or say how to install it."""
    try:
        import xlsxwriter  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingDependencyError("XlsxWriter", "excel", "Writing a workbook") from None
    found: ModuleType = xlsxwriter
    return found


def checked_notes(note: str | Iterable[str] | None, **texts: str | None) -> list[str]:
    """Return the remarks for the sheet *Read me*, after a check that all is text."""
    check_kinds("a text", str | None, **texts)
    return as_list(() if note is None else note)


def checked_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a workbook that can be written."""
    target = as_path(path)
    if target.suffix.lower() != ".xlsx":
        raise ParameterError(
            f"Can't write a workbook to {target.name!r}.", hint="Use a path that ends in .xlsx."
        )
    with writing_to(target):
        if target.is_dir():
            raise FileError(f"Can't write {target}: it is a folder.", hint="Choose another path.")
        if not target.absolute().parent.is_dir():
            raise ParameterError(
                f"Can't write {target}: the folder {target.absolute().parent} does not exist.",
                hint="Create it first.",
            )
    return target


def as_path(path: Any) -> Path:
    """Return a path that the disk can have."""
    try:
        found = Path(path).expanduser()
        if "\0" not in str(found) and os.fsencode(found):
            return found
    except (TypeError, ValueError, RuntimeError):  # no text, a text no disk can hold, no such user
        pass
    raise ParameterError(
        f"Can't use {path!r} as a path.", hint='Use the name of a file or folder, such as "roster.xlsx".'
    )


def checked_zone(timezone: Any) -> str:
    """Return the name of a time zone that is known; UTC by default."""
    zone = "UTC" if timezone is None else str(timezone)
    check_zone(zone)
    return zone


def _zone(timezone: str | None, frames: Iterable[Any]) -> tuple[str, str]:
    """Return the time zone of a workbook, and for its readers why it is this one."""
    account = account_zone(frames) if timezone is None else None
    if account:
        return account, ", which is that of the account"
    unknown = ", because that of the account is not known; to choose one, use timezone="
    return checked_zone(timezone), unknown if timezone is None else ""


def _sheets(tables: Mapping[str, Any], zone: str) -> list[Sheet]:
    """Return the data sheets; check the size of all before any of them is converted."""
    for name, frame in tables.items():
        _check_size(name, frame)
    taken = {_README.casefold(), _COLUMNS.casefold(), "history"}
    made = []
    for name, frame in tables.items():
        shown = unique(_sheet_name(name), taken, _LONGEST_SHEET)
        made.append(Sheet(shown, frame, sheet_columns(frame, zone)))
        if made[-1].rows > MOST_ROWS:
            raise _too_large(name, f"{made[-1].rows:,} rows")
    return made


def _tables(frame_or_tables: Any) -> dict[str, Any]:
    if isinstance(frame_or_tables, ReportResult):
        return {name: frame_or_tables.to_arrow(name) for name in frame_or_tables.tables}
    if not isinstance(frame_or_tables, Mapping):
        return {name_of(frame_or_tables): frame_or_tables}
    if not frame_or_tables:
        raise ParameterError(
            "There is no table to write.", hint="Pass a frame, or a mapping with at least one."
        )
    return {str(name): frame for name, frame in frame_or_tables.items()}


def name_of(frame: Any) -> str:
    """Return the name of a frame's table, or else of its report."""
    runs = runs_of(frame)
    return str(runs[0].get("table") or runs[0].get("report") or "Data") if runs else "Data"


def _check_size(name: str, frame: Any) -> None:
    columns, rows = len(column_names(frame)), getattr(frame, "shape", (0,))[0]
    if columns > _MOST_COLUMNS:
        raise _too_large(name, f"{columns:,} columns")
    if isinstance(rows, int) and rows > MOST_ROWS:
        raise _too_large(name, f"{rows:,} rows")


def _too_large(name: str, size: str) -> ParameterError:
    return ParameterError(
        f"The table {name!r} has {size}; a sheet of Excel holds {MOST_ROWS:,} rows and {_MOST_COLUMNS:,} columns.",
        hint="Write it with frame.to_parquet(path), which Excel's Power Query and Power BI open, or filter it first.",
    )


def _sheet_name(name: str) -> str:
    return " ".join(_FORBIDDEN.sub(" ", name).split()).strip("' ") or "Data"


def check_place(part: Path, target: Path, *, overwrite: bool) -> None:
    """Reject a place that holds another file, which a person may have edited."""
    if overwrite or not target.exists() or (target.is_file() and target.read_bytes() == part.read_bytes()):
        return
    raise FileError(
        f"{target} already exists, and its contents differ.",
        hint="Choose another path, or replace the file with overwrite=True.",
    )


@contextmanager
def writing_to(target: Path) -> Iterator[None]:
    """Turn what the disk refuses into an error with a next step."""
    try:
        yield
    except PermissionError:
        raise FileError(
            f"Can't write {target}: it is open in another program, or you may not write there.",
            hint="Close it in Excel, or choose another path.",
        ) from None
    except OSError as error:
        if isinstance(error, CanvasReportsError):
            raise
        raise FileError(
            f"Can't write {target}: {error.strerror or error}.",
            hint="Free some space." if error.errno in _FULL else "Choose another path.",
        ) from None


def _set_properties(book: Any, sheets: Sequence[Sheet], question: str | None, author: str | None) -> None:
    """Set the properties of the document; its date is that of the newest run, so that equal input gives equal bytes."""
    runs = [run for sheet in sheets for run in runs_of(sheet.frame)]
    times = [str(run[key]) for run in runs for key in ("ended_at", "created_at") if run.get(key)]
    created = max(
        (datetime.fromisoformat(text).astimezone(UTC) for text in times),
        default=datetime(2000, 1, 1, tzinfo=UTC),
    )
    book.set_properties(
        {
            "title": question or sheets[0].name,
            "author": author or "",
            "created": created.replace(microsecond=0),
        }
    )


class _Writer:
    """Writes the sheets of one workbook."""

    def __init__(self, book: Any, sheets: Sequence[Sheet], *, protect: bool) -> None:
        self._book, self._sheets, self._protect = book, sheets, protect
        self._formats = {name: book.add_format(facts) for name, facts in _FORMATS.items()}
        self._tables: set[str] = set()

    def write_readme(self, question: str | None, rows: Iterable[tuple[str, str]]) -> None:
        """Write the first sheet: a label and a text per row."""
        sheet, rows = self._add(_README), list(rows)
        sheet.set_column(0, 0, max(len(label) for label, _ in rows) + 2)
        sheet.set_column(1, 1, _PROSE)
        title = question or f"{self._sheets[0].name}: what this workbook holds"
        sheet.write_string(0, 0, title, self._formats["title"])
        for row, (label, text) in enumerate(rows, 2):
            sheet.write_string(row, 0, label, self._formats["label"])
            sheet.write_string(row, 1, text, self._formats["prose"])
            sheet.set_row(
                row, _LINE * sum(math.ceil(len(line) / _PROSE * 1.1) or 1 for line in text.split("\n"))
            )
        sheet.hide_gridlines(2)

    def write_tables(self) -> None:
        """Write summary, data and columns, in this order."""
        given = [sheet for sheet in self._sheets if sheet.name.casefold() == _SUMMARY.casefold()]
        if not given:
            self._write_rows(_SUMMARY, summary_rows(self._sheets))
        for sheet in [*given, *(each for each in self._sheets if each not in given)]:
            self._write_table(sheet.name, sheet.columns)
        self._write_rows(_COLUMNS, columns_rows(self._sheets))

    def _write_rows(self, name: str, frame: Any) -> None:
        self._write_table(name, [*sheet_columns_in_order(frame)])

    def _add(self, name: str) -> Any:
        sheet = self._book.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(1)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&L&A&RPage &P of &N")
        if self._protect:
            allowed = ("sort", "autofilter", "format_columns", "format_rows", "pivot_tables")
            sheet.protect("", dict.fromkeys(allowed, True))
        return sheet

    def _write_table(self, name: str, columns: Sequence[SheetColumn]) -> None:
        """Write one Excel table, and everything that makes it easy to read and to print."""
        sheet = self._add(name)
        if not columns:
            sheet.write_string(0, 0, "This table has no columns.")
            return
        for place, column in enumerate(columns):
            longest = max(map(len, column.header.split()), default=0) + 4
            sheet.set_column(place, place, min(max(column.width + 2, longest, NARROWEST), WIDEST))
            self._write_cells(sheet, place, column)
        rows = max(len(columns[0].cells), 1)  # a table needs one row, which may be blank
        headers = [{"header": column.header, "header_format": self._formats["header"]} for column in columns]
        sheet.add_table(
            0,
            0,
            rows,
            len(columns) - 1,
            {"name": self._table_name(name), "columns": headers, "style": "Table Style Light 1"},
        )
        sheet.set_row(0, _LINE * max(map(_header_lines, columns)))
        sheet.freeze_panes(1, _frozen(columns))
        sheet.repeat_rows(0)
        texts = [column.format in {"text", "id"} for column in columns]
        ranges = " ".join(
            f"{_letters(place)}1:{_letters(place)}{rows + 1}"
            for place, is_text in enumerate(texts)
            if is_text
        )
        if ranges:
            sheet.ignore_errors({"number_stored_as_text": ranges, "two_digit_text_year": ranges})

    def _table_name(self, name: str) -> str:
        """Return the name that Power Query finds the table by; it depends on the sheet's name only."""
        made = f"canvas_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_').lower() or 'data'}"
        return re.sub(r"\W+", "_", unique(made, self._tables, 200)).strip("_")

    def _write_cells(self, sheet: Any, place: int, column: SheetColumn) -> None:
        write_text, write_number, write_boolean = sheet.write_string, sheet.write_number, sheet.write_boolean
        number, text, quoted = (self._formats[name] for name in (column.format, "text", "formula"))
        for row, value in enumerate(column.cells.to_list(), 1):
            if value is None:
                continue
            if isinstance(value, str):
                write_text(row, place, value, quoted if is_formula(value) else text)
            elif isinstance(value, bool):
                write_boolean(row, place, value)
            else:
                write_number(row, place, value, number)


def _header_lines(column: SheetColumn) -> int:
    return math.ceil((len(column.header) + 4) / min(max(column.width + 2, NARROWEST), WIDEST))


def _frozen(columns: Sequence[SheetColumn]) -> int:
    """Return how many columns of names stay in view."""
    leading = next((place for place, column in enumerate(columns) if column.role != "name"), len(columns))
    return min(leading, _FROZEN)


def _letters(place: int) -> str:
    letters = ""
    place += 1
    while place:
        place, last = divmod(place - 1, 26)
        letters = chr(65 + last) + letters
    return letters


def sheet_columns_in_order(frame: Any) -> list[SheetColumn]:
    """Return the columns of one of our own sheets, whose order is already right."""
    order = {name: place for place, name in enumerate(column_names(frame))}
    return sorted(sheet_columns(frame, "UTC"), key=lambda column: order[column.source])
