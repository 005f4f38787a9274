"""Past runs of a report, each with what can be done with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import asked_of, comparable
from canvas_reports_nb.notebook.controls import button, discard
from canvas_reports_nb.runs.decide import ago, reuse_or_start
from canvas_reports_nb.settings import DEFAULT_MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.store.stored_run import StoredRun


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


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A run to use.

    Attributes
    ----------
    run_id : int
    stored : bool
        Whether this disk holds it.
    text, reason : str
        For the button, and for whoever asks why.
    """

    run_id: int
    stored: bool
    text: str
    reason: str


def suggest(
    report: str,
    asked: Mapping[str, Any],
    *,
    kept: Sequence[StoredRun],
    runs: Sequence[ReportRun],
    now: datetime,
) -> Suggestion | None:
    """The run `read_report` would use for these parameters; ``None`` where it would start one.

    Parameters
    ----------
    kept : sequence of StoredRun
        All of this report on this disk.
    runs : sequence of ReportRun
        Canvas's own list, newest first.
    now : datetime
        Aware.
    """
    wanted = comparable(report, asked)
    equal = [run for run in kept if comparable(report, run.provenance.parameters) == wanted]
    stored = sorted(equal, key=lambda run: run.finished_at, reverse=True)
    decision = reuse_or_start(report, asked, stored=stored, history=runs, now=now, max_age=DEFAULT_MAX_AGE)
    if decision.run_id is None:
        return None
    ended = {run.id: run.ended_at for run in runs} | {
        run.provenance.run_id: run.finished_at for run in stored
    }
    at = ended.get(decision.run_id)
    since = f"from {ago((now - at).total_seconds())}" if at else "under way"
    return Suggestion(
        decision.run_id, decision.action == "stored", f"Reuse run {decision.run_id} {since}", decision.reason
    )
