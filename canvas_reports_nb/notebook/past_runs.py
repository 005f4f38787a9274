"""The past runs of a report, and which of them has the current parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import asked_of
from canvas_reports_nb.notebook.controls import button, discard, row, show_if
from canvas_reports_nb.notebook.wording import age, day_of, when
from canvas_reports_nb.runs.decide import reuse_or_start
from canvas_reports_nb.runs.progress import span
from canvas_reports_nb.settings import DEFAULT_MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, tzinfo

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.catalog.query import Query
    from canvas_reports_nb.runs.decide import Decision
    from canvas_reports_nb.store.stored_run import ReportResult

_SHOWN = 10
_ARMED = 30.0
_HEAD = ("Finished", "Status", "Settings", "Rows", "Took", "By")
_STATUS = {"complete": "ready", "error": "failed", "aborted": "stopped", "created": "waiting"}


class View(NamedTuple):
    """What the table needs to put runs into words."""

    now: datetime
    zone: tzinfo
    owner: str
    settings: Callable[[Mapping[str, Any]], list[str]]
    stored_rows: Mapping[int, int]


class PastRuns:
    """The newest runs of one report. Deleting one is asked for in a separate place and can be canceled."""

    def __init__(
        self,
        open_run: Callable[[ReportRun], None],
        same_settings: Callable[[ReportRun], None],
        delete: Callable[[ReportRun], None],
        view: Callable[[], View],
    ) -> None:
        self._open, self._same, self._delete, self._view = open_run, same_settings, delete, view
        self._open_buttons: list[widgets.Button] = []
        self._lines: list[tuple[ReportRun, widgets.HTML]] = []
        self._is_busy = False
        self._asked: tuple[ReportRun, datetime] | None = None
        self._question = widgets.HTML()
        self._confirm = button("Delete", "crn-confirm", "Delete this run for everyone", style="danger")
        self._confirm.on_click(self._confirmed)
        self._cancel = button("Cancel", "crn-cancel", "Keep the run")
        self._cancel.on_click(lambda _: self.disarm())
        self._ask = row(self._question, self._confirm, self._cancel).add_class("crn-ask")
        self._table = widgets.VBox().add_class("crn-runs")
        self.box = widgets.VBox([self._table, self._ask]).add_class("crn-past")
        self.disarm()

    def clear(self, text: str = "") -> None:
        """Show a sentence instead of runs."""
        self._lines, self._open_buttons = [], []
        self._replace([widgets.HTML(_html.hint(text))] if text else [])

    def show(self, runs: Sequence[ReportRun]) -> None:
        """Show the newest of these runs, newest first."""
        if not runs:
            self.clear("No past runs on this account.")
            return
        self._lines, self._open_buttons = [], []
        lines = [self._row(run) for run in runs[:_SHOWN]]
        self.update()
        self.set_busy(self._is_busy)
        older = len(runs) - _SHOWN
        more = f"{older} or more older runs. To list them all: canvas.history({runs[0].report!r})"
        below = [widgets.HTML(_html.hint(more))] if older > 0 else []
        head = widgets.HTML(_html.run_line(_HEAD, is_head=True))
        self._replace(
            [widgets.HTML(_html.heading("Past runs")), head.add_class("crn-run-head"), *lines, *below]
        )

    def update(self) -> None:
        """Show the current ages; forget a question that nobody answered."""
        view = self._view()
        for run, line in self._lines:
            text = _html.run_line(_cells(run, view), _STATUS.get(run.status, run.status))
            if line.value != text:
                line.value = text
        if self._asked is not None:
            asked_at = self._asked[1]
            if abs((view.now - asked_at).total_seconds()) > _ARMED:
                self.disarm()

    def _replace(self, children: list[widgets.Widget]) -> None:
        self.disarm()
        before, self._table.children = self._table.children, children
        for each in before:
            discard(each)

    def set_busy(self, busy: bool) -> None:
        """Disable Open while the form follows another run."""
        self._is_busy = busy
        for each in self._open_buttons:
            each.disabled = busy

    def _row(self, run: ReportRun) -> widgets.HBox:
        buttons = []
        if run.is_complete or not run.is_ended:
            text = "Open" if run.is_complete else "Follow"
            follow = button(text, f"crn-open-{run.id}", f"{text} run {run.id}")
            follow.on_click(lambda _: self._open(run))
            self._open_buttons.append(follow)
            buttons.append(follow)
        same = button("Same settings", f"crn-same-{run.id}", f"Fill in the settings of run {run.id}")
        same.on_click(lambda _: self._same(run))
        more = button("…", f"crn-delete-{run.id}", f"Delete run {run.id}: asks first")
        more.on_click(lambda _: self._arm(run))
        buttons += [same, more] if run.is_ended else [same]
        line = widgets.HTML()
        self._lines.append((run, line))
        for each in buttons:
            each.add_class("crn-link")
        return (
            widgets.HBox([line, widgets.HBox(buttons)])
            .add_class("crn-run-line")
            .add_class(f"crn-past-{run.id}")
        )

    def _arm(self, run: ReportRun) -> None:
        """Ask whether to delete a run."""
        view = self._view()
        finished, _, settings, *_ = _cells(run, view)
        self._asked = (run, view.now)
        text = f"Delete run {run.id} ({finished}; {settings}) for everyone? Its rows stay on this disk."
        self._question.value = _html.question(text)
        self._confirm.description = f"Delete run {run.id}"
        show_if(self._ask, shown=True)
        self._cancel.focus()

    def disarm(self) -> None:
        """Forget the question whether to delete a run."""
        self._asked = None
        show_if(self._ask, shown=False)

    def _confirmed(self, _: object) -> None:
        if self._asked is not None:
            run = self._asked[0]
            self.disarm()
            self._delete(run)


def _cells(run: ReportRun, view: View) -> list[str]:
    """Return the texts of a run's line, one per column."""
    moment = run.ended_at or run.created_at
    rows = view.stored_rows.get(run.id, run.rows)
    settings = "; ".join(view.settings(asked_of(run.report, run.parameters))) or "no options"
    if run.is_ended and not run.is_complete and run.status == "error":
        settings += f". {run.reason}"
    user = run.raw.get("user")
    name = str(user.get("display_name") or "") if isinstance(user, dict) else ""
    status = _STATUS.get(run.status, run.status)
    finished = when(moment, view.now, view.zone) if moment else ""
    shown = "" if rows is None else f"{rows:,}"
    return [finished, status, settings, shown, _took(run), "you" if name and name == view.owner else name]


def _took(run: ReportRun) -> str:
    if not (run.is_complete and run.started_at and run.ended_at):
        return ""
    return span((run.ended_at - run.started_at).total_seconds(), rough=True)


def suggest(
    query: Query,
    *,
    kept: Sequence[ReportResult],
    runs: Sequence[ReportRun],
    now: datetime,
    zone: tzinfo,
) -> tuple[Decision, str]:
    """Return what `read_report` would do for a query, and a label for the button that opens an existing run."""
    equal = [run for run in kept if run.key == query.key]
    stored = sorted(equal, key=lambda run: run.finished_at, reverse=True)
    decision = reuse_or_start(
        query, stored=stored, remembered=[], history=runs, now=now, max_age=DEFAULT_MAX_AGE
    )
    if decision.run_id is None:
        return decision, ""
    ended = {run.id: run.ended_at for run in runs} | {run.origin.run_id: run.finished_at for run in stored}
    at = ended.get(decision.run_id)
    if at is None:
        return decision, "Follow the run in progress"
    day = "today" if day_of(at, now, zone) == "today" else "yesterday"
    return decision, f"Open {day}'s run ({age((now - at).total_seconds())} old)"
