"""Past runs of a report, each with what can be done with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.parameters import asked_of
from canvas_reports_nb.planning import ago
from canvas_reports_nb.widgets.controls import button, discard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from canvas_reports_nb.models import ReportRun

__all__ = ["PastRuns"]

_SHOWN = 10


class PastRuns:
    """The newest runs of one report, with Load and Delete.

    Parameters
    ----------
    load, delete : callable
        Called with a run when its button is clicked; for ``delete`` a second time, to be sure.

    Attributes
    ----------
    box : VBox
    """

    def __init__(self, load: Callable[[ReportRun], None], delete: Callable[[ReportRun], None]) -> None:
        self._load, self._delete = load, delete
        self._loads: list[widgets.Button] = []
        self.box = widgets.VBox()
        self.box.add_class("crn-past")
        self._busy = False

    def clear(self, text: str = "") -> None:
        """Show a sentence in place of runs."""
        self._replace([widgets.HTML(_html.says(text))] if text else [], [])

    def show(self, runs: Sequence[ReportRun], now: datetime) -> None:
        """Show the newest of these runs, newest first."""
        if not runs:
            self.clear("No past runs on this account.")
            return
        loads: list[widgets.Button] = []
        rows = [self._row(run, now, loads) for run in runs[:_SHOWN]]
        rest = len(runs) - _SHOWN
        more = f"and {rest} or more, older: canvas.history({runs[0].report!r}) lists them all"
        below = [widgets.HTML(_html.says(more))] if rest > 0 else []
        self._replace([widgets.HTML(_html.heading("Past runs")), *rows, *below], loads)

    def _replace(self, children: list[widgets.Widget], loads: list[widgets.Button]) -> None:
        before, self._loads, self.box.children = self.box.children, loads, children
        self.busy(self._busy)
        for each in before:
            discard(each)

    def busy(self, busy: bool) -> None:
        """Whether a run is being followed: then no other can be loaded."""
        self._busy = busy
        for each in self._loads:
            each.disabled = busy

    def _row(self, run: ReportRun, now: datetime, loads: list[widgets.Button]) -> widgets.HBox:
        actions = []
        if run.is_complete or not run.is_ended:
            text = "Load" if run.is_complete else "Follow"
            load = button(text, f"crn-load-{run.id}", f"{text} run {run.id}")
            load.on_click(lambda _: self._load(run))
            loads.append(load)
            actions.append(load)
        if run.is_ended:
            actions.append(self._deleting(run))
        buttons = widgets.HBox(actions, layout=widgets.Layout(min_width="10em"))
        row = widgets.HBox([buttons, widgets.HTML(_html.run_line(_cells(run, now)))])
        row.add_class("crn-row")
        row.add_class(f"crn-run-{run.id}")
        return row

    def _deleting(self, run: ReportRun) -> widgets.Button:
        delete = button("Delete", f"crn-delete-{run.id}", f"Delete run {run.id} from Canvas's list")
        sure = f"Delete run {run.id} for everybody?"

        def clicked(_: object) -> None:
            # Others may need the run, too: one click alone deletes nothing.
            if delete.description != sure:
                delete.description = sure
                return
            delete.disabled = True
            self._delete(run)

        delete.on_click(clicked)
        return delete


def _cells(run: ReportRun, now: datetime) -> list[tuple[str, str]]:
    when = run.ended_at or run.created_at
    parameters = asked_of(run.report, run.parameters)
    told = ", ".join(f"{name}={json.dumps(value, default=str)}" for name, value in parameters.items())
    rows = f"{max(run.current_line - 1, 0):,} rows" if run.current_line and run.is_complete else ""
    state = run.status if run.is_complete or not run.is_ended else f"{run.status}: {run.reason}"
    return [
        (f"run {run.id}", "6em"),
        (state, "6em"),
        (ago((now - when).total_seconds()) if when else "", "6em"),
        (rows, "6em"),
        (told or "no parameters", "8em"),
    ]
