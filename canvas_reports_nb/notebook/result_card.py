"""What came of a run: shape, memory, first rows, which columns point to people, and the code that does the same."""

from __future__ import annotations

import json
import keyword
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import to_wire
from canvas_reports_nb.catalog.schemas import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from canvas_reports_nb.catalog.schemas import Table
    from canvas_reports_nb.store.stored_run import ReportResult

_ROWS, _COLUMNS, _CELL = 5, 40, 80
# What `read_report` would take for itself.
_TAKEN = frozenset(
    {"report", "parameters", "table", "columns", "engine", "max_age", "run_id", "offline", "progress"}
    | {"timeout", "on_interrupt"}
)
_LINE = 88


def card(result: ReportResult, table: str, frame: pd.DataFrame, code: str) -> str:
    """A table of a result as the form shows it."""
    known = schema(str(result.provenance["report"]))
    described = known.table(table) if known else None
    rows, columns = frame.shape
    memory = float(frame.memory_usage(deep=True).sum())
    run = f"run {result.provenance['run_id']}"
    return (
        _html.heading(f"{table}: {rows:,} rows, {columns} columns, {_bytes(memory)} in memory, {run}")
        + _html.says(_personal(frame, described))
        + _preview(frame, described)
        + _html.says("The frame is form.frame. The same without the form:")
        + _html.code(code)
    )


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - the step of the units
            return f"{size:,.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _personal(frame: pd.DataFrame, table: Table | None) -> str:
    if table is None:
        return (
            "What these columns hold is not known to this package; look for personal data before you share."
        )
    marks = [_mark(table, str(name)) for name in frame.columns]
    unknown = marks.count("not known")
    text = f"Personal data in {sum('personal' in mark for mark in marks)} of {len(marks)} columns"
    return f"{text}; {unknown} columns are not known." if unknown else f"{text}."


def _mark(table: Table | None, name: str) -> str:
    column = table.column(name) if table else None
    if column is None:
        return "not known" if table else ""
    words = (("personal", column.personal), ("marks", column.education_record))
    return ", ".join(word for word, holds in words if holds)


def _preview(frame: pd.DataFrame, table: Table | None) -> str:
    head = frame.iloc[:_ROWS, :_COLUMNS]
    cells = [
        ["" if pd.isna(cell) is True else _short(cell) for cell in row]
        for row in head.itertuples(index=False)
    ]
    shown = _html.preview(((str(name), _mark(table, str(name))) for name in head.columns), cells)
    more = frame.shape[1] - head.shape[1]
    return shown + (_html.says(f"and {more} more columns") if more > 0 else "")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def snippet(
    report: str, parameters: Mapping[str, Any], table: str | None = None, account: str | None = None
) -> str:
    """The line that gives the same frame without the form.

    Parameters
    ----------
    report : str
    parameters : mapping
    table : str, optional
        Where the run holds several.
    account : str, optional
        Where a notebook's connection may be on another one.

    Examples
    --------
    >>> print(snippet("grade_export_csv", {"enrollment_term_id": 13}))
    df = canvas.read_report("grade_export_csv", enrollment_term_id=13)
    """
    wire = to_wire(report, parameters)
    clashing = {
        name: value
        for name, value in wire.items()
        # Python writes some letters of a name its own way, never those of ASCII.
        if name in _TAKEN or not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name)
    }
    arguments = [
        _literal(report),
        *(f"{name}={_literal(value)}" for name, value in wire.items() if name not in clashing),
        *([f"parameters={_literal(clashing)}"] if clashing else []),
        *([f"table={_literal(table)}"] if table else []),
    ]
    call = f"df = canvas{f'.account({_literal(account)})' if account else ''}.read_report("
    line = f"{call}{', '.join(arguments)})"
    if len(line) <= _LINE:
        return line
    return call + "\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def _literal(value: Any) -> str:
    """A value as Python reads it, texts in double quotes as formatters write them."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(name)}: {_literal(item)}' for name, item in value.items())}}}"
    return repr(value)


class ResultCard:
    """The card of a result; a list of tables above it where there are several.

    Parameters
    ----------
    choose : callable
        Called with a table's name when the user wants that one.
    account : str, optional
        For the code to copy.

    Attributes
    ----------
    box : VBox
    frame : DataFrame or None
        Of the table shown.
    """

    def __init__(self, choose: Callable[[str], None], account: str | None) -> None:
        self._choose, self._account = choose, account
        self._tables = widgets.Dropdown(description="Table", tooltip="Which table of the run to show")
        self._tables.add_class("crn-table")
        self._tables.observe(self._changed, names="value")
        self._card = widgets.HTML()
        self._card.add_class("crn-result")
        self.box = widgets.VBox()
        self.frame: pd.DataFrame | None = None
        self._shown: str | None = None

    def clear(self) -> None:
        """Forget the last result."""
        self.frame = self._shown = None
        self.box.children = []

    def show(self, result: ReportResult, table: str, frame: pd.DataFrame) -> None:
        """Show one table of a result."""
        several = len(result.tables) > 1
        self.frame, self._shown = frame, table
        report, parameters = str(result.provenance["report"]), result.provenance["parameters"]
        code = snippet(report, parameters, table if several else None, self._account)
        self._card.value = card(result, table, frame, code)
        if several:
            self._tables.options = result.tables
            self._tables.value = table
        self.box.children = [self._tables, self._card] if several else [self._card]

    def _changed(self, change: Any) -> None:
        # A new list of tables selects its first by itself: that is no wish of the user's.
        if self._shown in self._tables.options and change["new"] not in (None, self._shown):
            self._choose(change["new"])
