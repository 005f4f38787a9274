"""The sheets of a workbook that explain it: what it holds, where it came from, and what its columns mean."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from canvas_reports_nb.analysis.definitions import definition
from canvas_reports_nb.analysis.excel.cells import own_table
from canvas_reports_nb.analysis.privacy.publishing import HIDDEN, hidden_text
from canvas_reports_nb.exceptions import NoProvenanceError, ParameterError
from canvas_reports_nb.frames.describe import provenance_of
from canvas_reports_nb.frames.exchange import check_zone
from canvas_reports_nb.settings import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from canvas_reports_nb.analysis.excel.cells import Sheet, SheetColumn
    from canvas_reports_nb.catalog.schemas import Table

_TERMS = ("term", "term name", "term_name")
_FEW = 20
_WRITTEN = {
    "text": "text",
    "id": "number",
    "count": "whole number",
    "number": "number",
    "score": "number",
    "share": "share",
    "boolean": "true or false",
    "time": "time",
    "date": "date",
    "clock": "time of day",
    "duration": "duration",
}


def runs_of(frame: Any) -> list[dict[str, Any]]:
    """Return the provenance of each run behind a frame."""
    found = provenance_of(frame)
    return list(found.get("runs") or ([found] if found else []))


def account_zone(frames: Iterable[Any]) -> str | None:
    """Return the time zone of the accounts that frames came from, if they have one in common."""
    zones = {run["time_zone"] for frame in frames for run in runs_of(frame) if run.get("time_zone")}
    with suppress(ParameterError):
        if len(zones) == 1:
            check_zone(zone := str(zones.pop()))
            return zone
    return None


def readme_rows(
    sheets: Sequence[Sheet], zone: str, notes: Sequence[str], author: str | None, *, about_zone: str
) -> Iterator[tuple[str, str]]:
    """Yield the rows of the sheet *Read me*: a label and a text."""
    for sheet in sheets:
        yield f"Sheet {sheet.name}", _contents(sheet)
        with suppress(NoProvenanceError):
            yield "Definition", definition(sheet.frame)
    runs = _distinct_runs(sheets)
    yield from _source(runs, sheets)
    for run in runs:
        yield from _described_run(run, zone)
    for sheet in sheets:
        yield from _left_out(sheet)
    for note in notes:
        yield "Note", note
    yield "Made by", author or "Not named"
    yield _publication(sheets)
    yield "Times", f"Times are in the zone {zone}{about_zone}. A column that ends in (UTC) is in UTC."
    yield (
        "Ids",
        (
            "Ids and codes such as 000481 are stored as text on purpose, and so are whole numbers of more than 15 digits, "
            "which Excel would round. Don't convert them to numbers."
        ),
    )
    yield "Made with", f"canvas_reports_nb {__version__}"


def _contents(sheet: Sheet) -> str:
    table = _whole_rows_of(sheet)
    grain = f" One row per {table.grain.removeprefix('one ').rstrip('.')}." if table else ""
    return f"{sheet.rows:,} rows, {len(sheet.columns)} columns.{grain}"


def _whole_rows_of(sheet: Sheet) -> Table | None:
    """Return the table of a sheet if its key shows that each row is a row of the table."""
    table = own_table(sheet.frame)
    names = {column.source for column in sheet.columns}
    keys = [set(key) for key in (table.key, table.older_key) if key] if table else []
    return table if any(key <= names for key in keys) else None


def _distinct_runs(sheets: Sequence[Sheet]) -> list[dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for sheet in sheets:
        for run in runs_of(sheet.frame):
            found.setdefault((run.get("host"), run.get("run_id"), run.get("source"), run.get("sha256")), run)
    return list(found.values())


def _source(runs: Sequence[dict[str, Any]], sheets: Sequence[Sheet]) -> Iterator[tuple[str, str]]:
    for label, key in (("School", "host"), ("Account", "account")):
        values = list(dict.fromkeys(str(run[key]) for run in runs if run.get(key) is not None))
        if values:
            yield label, ", ".join(values)
    terms = sorted(set().union(*map(_terms, sheets)))
    if terms:
        yield (
            "Term",
            ", ".join(terms[:_FEW]) + (f" and {len(terms) - _FEW} more" if len(terms) > _FEW else ""),
        )


def _terms(sheet: Sheet) -> set[str]:
    """Return the names of terms in a sheet."""
    named = (each for each in sheet.columns if each.source.casefold() in _TERMS and each.format == "text")
    return {str(term) for column in named for term in column.cells if term is not None}


def _described_run(run: dict[str, Any], zone: str) -> Iterator[tuple[str, str]]:
    if run.get("run_id") is None:
        yield "Run", f"Read from the file {run.get('source')}" if run.get("source") else "Unknown"
    else:
        ended = run.get("ended_at") or run.get("created_at")
        when = ""
        if ended:
            local = datetime.fromisoformat(str(ended)).astimezone(ZoneInfo(zone))
            when = f", finished {local:%Y-%m-%d %H:%M} ({zone})"
        yield "Run", f"{run['run_id']}: report {run.get('report')}{when}"
    if run.get("parameters"):
        yield "Filters", ", ".join(f"{name}={_short(value)}" for name, value in run["parameters"].items())
    if run.get("sha256"):
        yield "SHA-256 of the file", str(run["sha256"])


def _publication(sheets: Sequence[Sheet]) -> tuple[str, str]:
    """Return whether the workbook may be published."""
    if not all(any(column.source == HIDDEN for column in sheet.columns) for sheet in sheets):
        return "Confidential", "Education records: not for publication."
    text = ", ".join(dict.fromkeys(hidden_text(sheet.frame) for sheet in sheets))
    shown = f"A count shown as {text} is small or could reveal one."
    return "Publication", f"Small groups are hidden, as the definition describes. {shown}"


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _left_out(sheet: Sheet) -> Iterator[tuple[str, str]]:
    """Yield what of the source is not in a sheet, or not as it was, and why."""
    found = provenance_of(sheet.frame)
    rows = found.get("rows")
    if isinstance(rows, int) and rows > sheet.rows and _whole_rows_of(sheet):
        yield (
            "Rows left out",
            f"{sheet.name}: {rows - sheet.rows:,} of {rows:,} rows of the run were filtered out.",
        )
    for name, text in (found.get("notes") or {}).items():
        yield "Remark", f"{sheet.name}, {name}: {text}"
    cut = sum(column.cut for column in sheet.columns)
    if cut:
        yield (
            "Cut texts",
            f"{sheet.name}: {cut:,} texts longer than 32,767 characters were cut, as Excel requires.",
        )


def summary_rows(sheets: Sequence[Sheet]) -> pl.DataFrame:
    """Return how many rows each sheet has, and how many with each value of its columns of few words."""
    rows: list[tuple[str, str | None, str | None, int]] = []
    for sheet in sheets:
        rows.append((sheet.name, None, None, sheet.rows))
        for column in sheet.columns:
            if (
                column.format == "boolean"
                or (column.known and column.known.kind == "enum")
                or column.role == "reason"
            ):
                counts = column.cells.drop_nulls()
                if counts.dtype == pl.Object or not 0 < counts.n_unique() <= _FEW:
                    continue
                counted = (
                    counts.cast(pl.String)
                    .value_counts()
                    .sort(["count", counts.name], descending=[True, False])
                )
                rows += [(sheet.name, column.header, value, count) for value, count in counted.rows()]
    schema = {"Sheet": pl.String, "Column": pl.String, "Value": pl.String, "Rows": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def columns_rows(sheets: Sequence[Sheet]) -> pl.DataFrame:
    """Return what each column of each sheet holds and means, and whether it is personal."""
    rows = [_described_column(sheet, column) for sheet in sheets for column in sheet.columns]
    booleans = {"Personal", "Education record"}
    names = [
        "Sheet",
        "Column",
        "Written as",
        "Personal",
        "Education record",
        "Meaning",
        "Values",
        "Remark",
        "Name in the data",
    ]
    return pl.DataFrame(rows, schema={name: pl.Boolean if name in booleans else pl.String for name in names})


def _described_column(sheet: Sheet, column: SheetColumn) -> dict[str, Any]:
    notes = provenance_of(sheet.frame).get("notes") or {}
    found = {
        "Sheet": sheet.name,
        "Column": column.header,
        "Written as": _WRITTEN[column.format],
        "Remark": notes.get(column.source),
        "Name in the data": column.source if column.source != column.header else None,
    }
    if column.known:
        found |= {
            "Personal": column.known.personal,
            "Education record": column.known.education_record,
            "Meaning": column.known.meaning,
            "Values": ", ".join(column.known.values or ()),
        }
    return found
