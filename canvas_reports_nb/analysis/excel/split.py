"""One workbook per department or teacher, and lists for a mail merge."""

from __future__ import annotations

import re
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl

from canvas_reports_nb._disk import replace_file
from canvas_reports_nb.analysis.excel.cells import unique, with_labels
from canvas_reports_nb.analysis.excel.readme import account_zone, runs_of
from canvas_reports_nb.analysis.excel.workbook import (
    as_path,
    check_place,
    checked_notes,
    checked_zone,
    load_writer,
    name_of,
    to_excel,
    writing_to,
)
from canvas_reports_nb.exceptions import ParameterError, warn
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    check_kinds,
    column_names,
    require_columns,
    to_lazy,
)
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

_MOST_WORKBOOKS = 1_000
_LONGEST_PART = 60
_BETWEEN = "; "
_JOINED = ("emails", "names")  # several people in one cell
_ADDRESSES = ("emails", "first_email", "email")
_ITEMS = (
    "course",
    "course name",
    "course_name",
    "short_name",
    "long_name",
    "name",
    "section",
    "section name",
)
_TERMS = ("term sis", "term_id", "sis_term_id", "term")


def workbooks(
    frame: Any,
    by: str,
    folder: str | os.PathLike[str] = ".",
    *,
    title: str | None = None,
    timezone: str | None = None,
    question: str | None = None,
    note: str | Iterable[str] | None = None,
    author: str | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Write one workbook per department, teacher or other value of a column, and an index of them.

    Parameters
    ----------
    frame : pandas, polars, Arrow or Dask frame
    by : str
        The column whose values separate the workbooks. Of ``emails`` and ``names``, which may hold several people,
        each gets a workbook with all rows that name them.
    folder : path
        Where to write; it is created if needed.
    title : str, optional
        What the files are called; by default, the name of the frame's table.
    timezone, question, note, author, overwrite
        As for `to_excel`. With a file in the way, no workbook is written.

    Returns
    -------
    pandas.DataFrame
        The index, which is also written: the value of ``by``, ``file`` and ``rows`` (Int64), one row per workbook,
        sorted by value. If the frame has the column ``emails`` or ``first_email``, the file of the index also has
        the sheet *Mail list* (see `mail_list`).

    Notes
    -----
    Files are named after term, title, value and day of the run, as far as these are known:
    ``FA25_missing-grades_Nursing_2026-12-14.xlsx``. No file holds a row of another value. Rows without a value
    are in the file ``none``.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> frame = pd.DataFrame({"department": ["Nursing", "History"], "course": ["NURS 1", "HIST 1"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = crn.workbooks(frame, by="department", folder=folder, title="missing grades")
    >>> index["file"].tolist()
    ['missing-grades_History.xlsx', 'missing-grades_Nursing.xlsx']
    """
    check_kinds("the name of a column", str, by=by)
    check_kinds("True or False", bool, overwrite=overwrite)
    notes = checked_notes(note, title=title, question=question, author=author)
    load_writer()
    zone = account_zone([frame]) if timezone is None else checked_zone(timezone)
    groups = dict(_groups(with_labels(frame), by))
    named, target = _file_names(frame, title or name_of(frame), zone or "UTC"), as_path(folder)
    taken: set[str] = set()
    rows: list[dict[str, Any]] = []
    files: dict[str, tuple[Any, list[str]]] = {}
    for value, part in groups.items():
        file = unique(_slug(value or "none"), taken, _LONGEST_PART)
        files[named.format(file)] = (part, [f"Only rows with {by}: {value or 'no value'}.", *notes])
        rows.append({by: value, "file": named.format(file), "rows": _height(part)})
    index = pd.DataFrame(rows, columns=[by, "file", "rows"]).astype({by: TEXT, "file": TEXT, "rows": "Int64"})
    tables: dict[str, Any] = {"Index": index}
    if {"emails", "first_email"} & set(column_names(frame)):
        tables["Mail list"], without = _mail_list(frame)
        notes += [without] if without else []
    files[named.format(unique("index", taken, _LONGEST_PART))] = (tables, notes)
    texts = {"timezone": zone, "question": question, "author": author}
    _write_all(files, target, overwrite=overwrite, **texts)
    return index


def _write_all(
    files: dict[str, tuple[Any, list[str]]], target: Path, *, overwrite: bool, **texts: Any
) -> None:
    """Write all workbooks into a folder, or none of them."""
    with writing_to(target):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".workbooks.") as made:
            for file, (part, remarks) in files.items():
                to_excel(part, Path(made) / file, note=remarks, **texts)
            for file in files:
                check_place(Path(made) / file, target / file, overwrite=overwrite)
            for file in files:
                replace_file(Path(made) / file, target / file)


def mail_list(frame: FrameT, *, to: str | None = None, items: str | None = None) -> FrameT:
    """Return one row per recipient, ready for the mail merge of Word.

    Parameters
    ----------
    frame : pandas, polars, Arrow or Dask frame
        One row per thing that a recipient should know, such as a course without grades.
    to : str, optional
        The column of addresses, several of them joined with "; ". The default is the first of ``emails``,
        ``first_email`` and ``email`` that the frame has.
    items : str, optional
        The column to list. The default is the name of the course, or else of the person or section.

    Returns
    -------
    DataFrame
        The same kind: ``To``, ``First name``, ``Count`` (Int64) and ``List`` (joined with "; "), sorted by
        address. The case of an address makes no difference. The first name is missing where it is unclear whose
        name it is. A row for several people is counted for each of them.

    Warns
    -----
    ReportWarning
        Some rows have no address, so nobody would hear of them.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"course": ["HIST 1", "HIST 2"], "emails": ["a@example.edu", "a@example.edu"]})
    >>> crn.mail_list(frame)[["To", "Count", "List"]].values.tolist()
    [['a@example.edu', 2, 'HIST 1; HIST 2']]
    """
    listed, without = _mail_list(frame, to, items)
    if without:
        warn(without)
    return listed


def _mail_list(frame: FrameT, to: str | None = None, items: str | None = None) -> tuple[FrameT, str]:
    """Return the mail list, and a sentence about the rows without an address."""
    names = column_names(frame)
    address = to or next((name for name in _ADDRESSES if name in names), _ADDRESSES[0])
    item = items or next((name for name in _ITEMS if name in names), _ITEMS[0])
    query = to_lazy(frame)
    require_columns(query, (address, item), "mail_list", given=frame)
    rows = query.collect()
    found = _recipients(rows, address, item)
    without = sum(not _people(cell) for cell in rows[address])
    lost = f"{without:,} of {rows.height:,} rows have no address in {address!r} and are not in the mail list."
    listed = [
        {
            "To": one,
            "First name": next(filter(None, names), None),
            "Count": len(texts),
            "List": _BETWEEN.join(texts),
        }
        for _, (one, names, texts) in sorted(found.items())
    ]
    schema = {"To": pl.String, "First name": pl.String, "Count": pl.Int64, "List": pl.String}
    return as_kind_of(pl.LazyFrame(listed, schema=schema), frame), lost if without else ""


def _recipients(
    rows: pl.DataFrame, address: str, item: str
) -> dict[str, tuple[str, list[str | None], list[str]]]:
    """Return, for each address in lower case: the address, names, and what to list."""
    found: dict[str, tuple[str, list[str | None], list[str]]] = {}
    for row in rows.iter_rows(named=True):
        reasons = row.get("reasons")
        text = f"{row[item]} ({reasons})" if reasons else str(row[item])
        addresses = _people(row[address])
        for one, name in zip(addresses, _first_names(row, address, addresses), strict=True):
            recipient = found.setdefault(one.casefold(), (one, [], []))
            recipient[1].append(name)
            recipient[2].append(text)
    return found


def _people(cell: Any) -> list[str]:
    return [one.strip() for one in str(cell or "").split(_BETWEEN.strip()) if one.strip()]


def _first_names(row: dict[str, Any], address: str, addresses: list[str]) -> list[str | None]:
    """Return the first name of each recipient, if the row shows whose name is whose."""
    if address == "email":
        return [_first_name(row.get("name"))] * len(addresses)
    several = _people(row.get("names"))
    if address == "emails" and len(several) == len(addresses):
        return [_first_name(name) for name in several]
    owner = str(row.get("first_email") or "").casefold()
    return [_first_name(row.get("first_name")) if one.casefold() == owner else None for one in addresses]


def _first_name(name: str | None) -> str | None:
    """Return the first name of ``Bea Ng`` and of ``Ng, Bea``."""
    _, comma, given = (name or "").partition(",")
    words = (given if comma else name or "").split()
    return words[0] if words else None


def _groups(frame: Any, by: str) -> Iterator[tuple[str | None, Any]]:
    """Yield each value of a column with its rows, sorted, and the rows without a value last."""
    query = to_lazy(frame, [by]) if isinstance(frame, pd.DataFrame) else to_lazy(frame)
    require_columns(query, (by,), "workbooks", given=frame)
    found: dict[str | None, list[int]] = {}
    rows = query.collect()
    for row, cell in enumerate(rows[by].cast(pl.String)):
        people = _people(cell) if by in _JOINED else [cell]
        for value in people or [None]:
            found.setdefault(value or None, []).append(row)
    if len(found) > _MOST_WORKBOOKS:
        raise ParameterError(
            f"by={by!r} would make {len(found):,} workbooks; the limit is {_MOST_WORKBOOKS:,}.",
            hint="Use a column with fewer values, such as a department.",
        )
    for value in sorted(found, key=lambda value: (value is None, (value or "").casefold(), value or "")):
        if isinstance(frame, pd.DataFrame):
            part = frame.iloc[found[value]]
            part.attrs = dict(frame.attrs)
            yield value, part
        else:
            yield value, as_kind_of(rows[found[value]].lazy(), frame)


def _height(frame: Any) -> int:
    return int(to_lazy(frame).select(pl.len()).collect().item())


def _file_names(frame: Any, title: str, zone: str) -> str:
    """Return the name of the files, with a place for the value."""
    names = set(column_names(frame))
    term, day = "", ""
    column = next((name for name in _TERMS if name in names), None)
    if column:
        terms = (
            to_lazy(frame, [column]).select(pl.col(column).cast(pl.String).drop_nulls().unique()).collect()
        )
        term = _slug(terms[column][0]) if terms.height == 1 else ""
    times = [str(run["ended_at"]) for run in runs_of(frame) if run.get("ended_at")]
    if times:
        day = f"{datetime.fromisoformat(max(times)).astimezone(ZoneInfo(zone)):%Y-%m-%d}"
    parts = [term, _slug(title), "{}", day]
    return "_".join(filter(None, parts)) + ".xlsx"


def _slug(text: str) -> str:
    """Return a text that every disk accepts in a file name."""
    words = re.sub(r"[^\w.@+-]+", "-", text.replace("_", "-")).strip("-. ")
    return words.encode()[:_LONGEST_PART].decode(errors="ignore") or "none"
