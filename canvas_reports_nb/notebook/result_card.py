"""The result of a run: size, first rows, which columns identify people, and the code that gives the same frame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.schemas import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from canvas_reports_nb.catalog.schemas import Table
    from canvas_reports_nb.store.stored_run import ReportResult

_ROWS, _COLUMNS, _CELL = 5, 40, 80
_LINE = 88


def card(result: ReportResult, table: str, frame: pd.DataFrame, code: str) -> str:
    """Return one table of a result as HTML."""
    known = schema(str(result.provenance["report"]))
    described = known.table(table) if known else None
    rows, columns = frame.shape
    memory = _bytes(float(frame.memory_usage(deep=True).sum()))
    run = f"run {result.provenance['run_id']}"
    return (
        _html.heading(f"{table}: {rows:,} rows, {columns} columns, {memory} in memory, {run}")
        + _html.hint(_personal(frame, described))
        + _preview(frame, described)
        + _html.hint("The data is in form.frame. To get it without the form:")
        + _html.code(code)
    )


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - the step between units
            return f"{size:,.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _personal(frame: pd.DataFrame, table: Table | None) -> str:
    if table is None:
        return "This report is not in the catalog. Look for personal data before you share it."
    marks = [_mark(table, str(name)) for name in frame.columns]
    unknown = marks.count("not in catalog")
    text = f"Personal data in {sum('personal' in mark for mark in marks)} of {len(marks)} columns"
    return f"{text}; not in the catalog: {unknown}." if unknown else f"{text}."


def _mark(table: Table | None, name: str) -> str:
    column = table.column(name) if table else None
    if column is None:
        return "not in catalog" if table else ""
    words = (("personal", column.personal), ("grades", column.education_record))
    return ", ".join(word for word, holds in words if holds)


def _preview(frame: pd.DataFrame, table: Table | None) -> str:
    head = frame.iloc[:_ROWS, :_COLUMNS]
    cells = [
        ["" if pd.isna(cell) is True else _short(cell) for cell in row]
        for row in head.itertuples(index=False)
    ]
    shown = _html.preview(((str(name), _mark(table, str(name))) for name in head.columns), cells)
    more = frame.shape[1] - head.shape[1]
    return shown + (_html.hint(f"and {more} more columns") if more > 0 else "")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def snippet(
    report: str, parameters: Mapping[str, Any], table: str | None = None, account: str | None = None
) -> str:
    """Return the code that gives the same frame without the form.

    Examples
    --------
    >>> print(snippet("grade_export_csv", {"enrollment_term_id": 13}))
    df = canvas.read_report("grade_export_csv", enrollment_term_id=13)
    """
    known = schema(report)
    named: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in parameters.items():
        # A name from outside the catalog may be no identifier, or a keyword of `read_report` itself.
        (named if known and known.parameter(name) else others)[name] = value
    if others:
        named["parameters"] = others
    if table:
        named["table"] = table
    arguments = [_literal(report), *(f"{name}={_literal(value)}" for name, value in named.items())]
    call = f"df = canvas{f'.account({_literal(account)})' if account else ''}.read_report("
    line = f"{call}{', '.join(arguments)})"
    if len(line) <= _LINE:
        return line
    return call + "\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def _literal(value: Any) -> str:
    """Return a value as Python code, with double quotes as formatters write them."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(name)}: {_literal(item)}' for name, item in value.items())}}}"
    return repr(value)


class ResultCard:
    """The result of the last run, with a list of its tables if there are several."""

    def __init__(self, choose: Callable[[str], None], account: str | None) -> None:
        self._choose, self._account = choose, account
        tables = widgets.Dropdown(description="Table", tooltip="The table of the run to show")
        self._tables = tables.add_class("crn-table")
        self._tables.observe(self._changed, names="value")
        self._card = widgets.HTML()
        self.box = widgets.VBox().add_class("crn-result")
        self.frame: pd.DataFrame | None = None
        self._shown: str | None = None

    def clear(self) -> None:
        """Remove the result."""
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
        # A new list of tables selects its first one by itself; the user did not ask for it.
        if self._shown in self._tables.options and change["new"] not in (None, self._shown):
            self._choose(change["new"])
