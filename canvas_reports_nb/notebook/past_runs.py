"""The past runs of a report, and which of them has the current parameters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import asked_of
from canvas_reports_nb.notebook.controls import button, discard, row
from canvas_reports_nb.runs.decide import ago, reuse_or_start
from canvas_reports_nb.settings import DEFAULT_MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.catalog.query import Query
    from canvas_reports_nb.runs.decide import Decision
    from canvas_reports_nb.store.stored_run import ReportResult

_SHOWN = 10


class PastRuns:
    """The newest runs of one report; Delete calls ``delete`` only on the second click."""

    def __init__(self, open_run: Callable[[ReportRun], None], delete: Callable[[ReportRun], None]) -> None:
        self._open, self._delete = open_run, delete
        self._open_buttons: list[widgets.Button] = []
        self._is_busy = False
        self.box = widgets.VBox().add_class("crn-past")

    def clear(self, text: str = "") -> None:
        """Show a sentence instead of runs."""
        self._replace([widgets.HTML(_html.hint(text))] if text else [])

    def show(self, runs: Sequence[ReportRun], now: datetime) -> None:
        """Show the newest of these runs, newest first."""
        if not runs:
            self.clear("No past runs on this account.")
            return
        self._open_buttons = []
        lines = [self._row(run, now) for run in runs[:_SHOWN]]
        self.set_busy(self._is_busy)
        older = len(runs) - _SHOWN
        more = f"{older} or more older runs. To list them all: canvas.history({runs[0].report!r})"
        below = [widgets.HTML(_html.hint(more))] if older > 0 else []
        self._replace([widgets.HTML(_html.heading("Past runs")), *lines, *below])

    def _replace(self, children: list[widgets.Widget]) -> None:
        before, self.box.children = self.box.children, children
        for each in before:
            discard(each)

    def set_busy(self, busy: bool) -> None:
        """Disable Open while the form follows another run."""
        self._is_busy = busy
        for each in self._open_buttons:
            each.disabled = busy

    def _row(self, run: ReportRun, now: datetime) -> widgets.HBox:
        buttons = []
        if run.is_complete or not run.is_ended:
            text = "Open" if run.is_complete else "Follow"
            follow = button(text, f"crn-open-{run.id}", f"{text} run {run.id}")
            follow.on_click(lambda _: self._open(run))
            self._open_buttons.append(follow)
            buttons.append(follow)
        if run.is_ended:
            buttons.append(self._delete_button(run))
        left = widgets.HBox(buttons, layout=widgets.Layout(min_width="10em"))
        return row(left, widgets.HTML(_html.run_line(_cells(run, now)))).add_class(f"crn-past-{run.id}")

    def _delete_button(self, run: ReportRun) -> widgets.Button:
        delete = button("Delete", f"crn-delete-{run.id}", f"Delete run {run.id} from Canvas's list")
        question = f"Delete run {run.id} for everyone?"

        def clicked(_: object) -> None:
            # Other people may need the run, so it takes two clicks to delete it.
            if delete.description != question:
                delete.description = question
                return
            delete.disabled = True
            self._delete(run)

        delete.on_click(clicked)
        return delete


def _cells(run: ReportRun, now: datetime) -> list[tuple[str, str]]:
    """Return the texts of a run's line, each with its width."""
    when = run.ended_at or run.created_at
    parameters = asked_of(run.report, run.parameters)
    settings = ", ".join(f"{name}={json.dumps(value, default=str)}" for name, value in parameters.items())
    rows = "" if run.rows is None else f"{run.rows:,} rows"
    state = run.status if run.is_complete or not run.is_ended else f"{run.status}: {run.reason}"
    return [
        (f"run {run.id}", "6em"),
        (state, "6em"),
        (ago((now - when).total_seconds()) if when else "", "6em"),
        (rows, "6em"),
        (settings or "no parameters", "8em"),
    ]


def suggest(
    query: Query,
    *,
    kept: Sequence[ReportResult],
    runs: Sequence[ReportRun],
    now: datetime,
) -> tuple[Decision, str] | None:
    """Return the run that `read_report` would reuse for a query, and a label for its button."""
    equal = [run for run in kept if run.key == query.key]
    stored = sorted(equal, key=lambda run: run.finished_at, reverse=True)
    decision = reuse_or_start(
        query, stored=stored, remembered=[], history=runs, now=now, max_age=DEFAULT_MAX_AGE
    )
    if decision.run_id is None:
        return None
    ended = {run.id: run.ended_at for run in runs} | {run.origin.run_id: run.finished_at for run in stored}
    at = ended.get(decision.run_id)
    age = f"from {ago((now - at).total_seconds())}" if at else "in progress"
    return decision, f"Open run {decision.run_id} {age}"
