"""The result of a run: its settings, its tables page by page, its files to download, and code for the same frame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.notebook.controls import button, discard, row, show_if
from canvas_reports_nb.notebook.downloads import link, save, write_excel
from canvas_reports_nb.notebook.wording import plain_file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from canvas_reports_nb.catalog.schemas import Table
    from canvas_reports_nb.store.stored_run import ReportResult

PAGE, STATIC_ROWS = 50, 5
_COLUMNS, _CELL = 60, 80
_LINE = 88
_STALE = "This result has other settings than those selected above."
_KINDS = {
    "canvas_id": "id", "sis_id": "SIS id", "guid": "id", "name": "text", "integer": "number", "float": "number",
    "grade": "letter grade", "boolean": "yes/no", "timestamp": "time, UTC", "enum": "choice", "email": "e-mail",
    "ip": "IP address", "url": "link", "html": "HTML",
}  # fmt: skip


def _heads(frame: pd.DataFrame, table: Table | None) -> list[tuple[str, str, bool]]:
    """Return of each shown column its name, what it holds, and whether it is a number."""
    dtypes = frame.dtypes.iloc[:_COLUMNS]
    return [
        (str(name), _mark(table, str(name)), pd.api.types.is_numeric_dtype(dtype) and dtype != "boolean")
        for name, dtype in zip(frame.columns[:_COLUMNS], dtypes, strict=True)
    ]


def _mark(table: Table | None, name: str) -> str:
    column = table.column(name) if table else None
    if column is None:
        return "not in catalog" if table else ""
    parts = [_KINDS.get(column.kind, column.kind)]
    parts += ["personal"] if column.personal else []
    parts += ["grades"] if column.education_record else []
    return " \u00b7 ".join(parts)


def preview(frame: pd.DataFrame, table: Table | None, first: int, rows: int) -> str:
    """Return some rows of a frame as HTML."""
    head = frame.iloc[first : first + rows, :_COLUMNS]
    cells = [[_cell(value) for value in row] for row in head.itertuples(index=False, name=None)]
    more = frame.shape[1] - head.shape[1]
    return _html.preview(_heads(frame, table), cells) + (
        _html.hint(f"and {more} more columns") if more > 0 else ""
    )


def _cell(value: Any) -> str:
    if pd.isna(value) is True:
        return ""
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    text = str(value)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "\u2026"


def personal_note(frame: pd.DataFrame, table: Table | None) -> str:
    """Return how many columns identify people, as a sentence."""
    if table is None:
        return "This report is not in the catalog. Look for personal data before you share it."
    marks = [_mark(table, str(name)) for name in frame.columns]
    unknown = marks.count("not in catalog")
    text = f"Personal data in {sum('personal' in mark for mark in marks)} of {len(marks)} columns"
    return f"{text}; not in the catalog: {unknown}." if unknown else f"{text}."


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
    """The result that was loaded last. It keeps its own settings, and is greyed while others are selected."""

    def __init__(
        self,
        choose: Callable[[str], None],
        describe: Callable[..., tuple[str, list[str], str]],
        download: Callable[[str], None],
        *,
        shows_code: bool = True,
    ) -> None:
        self._choose, self._describe, self._shows_code = choose, describe, shows_code
        self._head, self._card, self._code = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._link = widgets.Output().add_class("crn-download")
        self._csv = button("⬇ CSV", "crn-csv", "Save this table as a CSV file beside the notebook")
        self._excel = button(
            "⬇ Excel", "crn-excel", "Save all tables as an Excel workbook beside the notebook"
        )
        self._csv.on_click(lambda _: download("csv"))
        self._excel.on_click(lambda _: download("excel"))
        self._older = button("Previous", "crn-previous", "Show the rows before these")
        self._newer = button("Next", "crn-next", "Show the rows after these")
        self._older.on_click(lambda _: self._turn(-PAGE))
        self._newer.on_click(lambda _: self._turn(PAGE))
        self._rows = widgets.HTML()
        self._pager = row(self._older, self._newer, self._rows).add_class("crn-pager")
        self._tabs = Tables(self._chosen)
        buttons = row(self._excel, self._csv).add_class("crn-buttons")
        self._top = row(self._head, buttons).add_class("crn-top")
        self.box = widgets.VBox().add_class("crn-result")
        self.parts = (self._top, self._link, self._tabs, self._card, self._pager, self._code)
        """What is on the page once there is a result."""
        self.frame: pd.DataFrame | None = None
        self.result: ReportResult | None = None
        self.table = ""
        self.account: str | None = None
        self._first, self._is_stale = 0, False

    def show(self, result: ReportResult, table: str, frame: pd.DataFrame, account: str | None) -> None:
        """Show one table of a result."""
        is_new = result is not self.result
        self.result, self.table, self.frame, self.account = result, table, frame, account
        self._first = 0
        if is_new:
            self._link.outputs = ()
            self._tabs.show({name: result.provenance_of(name).rows for name in result.tables})
        self._tabs.value = table
        self._turn(0)
        self.update()
        self._code.value = _html.code_box(self.code) if self._shows_code else ""
        if is_new:
            shown = [part for part in self.parts if part is not self._tabs or len(result.tables) > 1]
            self.box.children = shown

    @property
    def code(self) -> str:
        """The code that gives the same frame without the form."""
        if self.result is None:
            return ""
        report, parameters = str(self.result.provenance["report"]), self.result.provenance["parameters"]
        table = self.table if len(self.result.tables) > 1 else None
        return snippet(report, parameters, table, self.account)

    def set_stale(self, *, stale: bool) -> None:
        """Grey and label the result if it does not belong to the selected settings."""
        if stale != self._is_stale:
            self._is_stale = stale
            (self.box.add_class if stale else self.box.remove_class)("crn-stale")
            self.update()

    def update(self) -> None:
        """Show the title again, whose age changes."""
        if self.result is not None:
            self._head.value = _html.result_head(
                self._describe(self.result), _STALE if self._is_stale else ""
            )

    def static(self) -> str:
        """Return the result as HTML that needs no kernel."""
        if self.result is None or self.frame is None:
            return ""
        head = _html.static_head(self._describe(self.result, as_saved=True))
        return head + preview(self.frame, self._described, 0, STATIC_ROWS) + _html.code(self.code)

    @property
    def _described(self) -> Table | None:
        known = schema(str(self.result.provenance["report"])) if self.result else None
        return known.table(self.table) if known else None

    def _turn(self, by: int) -> None:
        if self.frame is None:
            return
        count = len(self.frame)
        self._first = min(max(self._first + by, 0), max((count - 1) // PAGE * PAGE, 0))
        last = min(self._first + PAGE, count)
        self._card.value = _html.scrolled(preview(self.frame, self._described, self._first, PAGE))
        note = personal_note(self.frame, self._described)
        shown = f"Rows {self._first + 1:,} to {last:,} of {count:,}" if count else "No rows"
        self._rows.value = _html.hint(f"{shown}. {note}")
        self._older.disabled, self._newer.disabled = self._first == 0, last >= count
        for each in (self._older, self._newer):
            show_if(each, shown=count > PAGE)

    def _chosen(self, table: str) -> None:
        if table != self.table:
            self._choose(table)

    def save(self, kind: str, timezone: str) -> Path:
        """Save the shown table, or all tables as a workbook with times in a zone, beside the notebook."""
        if self.result is None or self.frame is None:
            raise AssertionError("only a result can be saved")
        result, frame = self.result, self.frame
        name = f"{result.provenance['report']}_{result.provenance['run_id']}"
        if kind == "excel":
            return save(f"{name}.xlsx", lambda path: write_excel(result, path, timezone))
        name += f"_{plain_file_name(self.table)}" if len(result.tables) > 1 else ""
        return save(f"{name}.csv", lambda path: frame.to_csv(path, index=False, encoding="utf-8"))

    def show_link(self, path: Path) -> None:
        """Show a link to a saved file."""
        self._link.outputs = (link(path),)


class Tables(widgets.Tab):  # type: ignore[misc]  # ipywidgets is not typed
    """One tab per table with its number of rows; `value` is the name of the selected table."""

    def __init__(self, chosen: Callable[[str], None]) -> None:
        self._names: tuple[str, ...] = ()
        self._pages: list[widgets.Box] = []
        super().__init__()
        self.add_class("crn-table")
        self._chosen = chosen
        self.observe(self._changed, names="selected_index")

    def show(self, rows: Mapping[str, int | None]) -> None:
        """Show one tab per table."""
        self._names = ()
        before, self._pages = self._pages, [widgets.Box() for _ in rows]
        self.children = self._pages
        self.titles = [name if count is None else f"{name} {count:,}" for name, count in rows.items()]
        for each in before:
            discard(each)
        self._names = tuple(rows)

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the tables."""
        return self._names

    @property
    def value(self) -> str | None:
        """The name of the selected table."""
        index = self.selected_index
        return None if index is None or not self._names else self._names[index]

    @value.setter
    def value(self, table: str) -> None:
        self.selected_index = self._names.index(table)

    def _changed(self, _: object) -> None:
        if self.value is not None:
            self._chosen(self.value)
