"""The form. Its callbacks return at once; every request to Canvas is sent from another thread."""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import weakref
from contextlib import suppress
from datetime import UTC
from itertools import islice
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import asked_of
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import CanvasReportsError, NotPermittedError
from canvas_reports_nb.notebook.controls import button, discard, row, show_if
from canvas_reports_nb.notebook.followed_run import FollowedRun
from canvas_reports_nb.notebook.header import Header
from canvas_reports_nb.notebook.parameter_form import ParameterForm
from canvas_reports_nb.notebook.past_runs import PastRuns, View, suggest
from canvas_reports_nb.notebook.report_list import ReportList, about
from canvas_reports_nb.notebook.result_card import ResultCard
from canvas_reports_nb.notebook.wording import usual_words, when, zone_of
from canvas_reports_nb.notebook.worker import in_background
from canvas_reports_nb.runs.decide import estimate
from canvas_reports_nb.store.stored_run import runs_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo
    from pathlib import Path

    import pandas as pd

    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun
    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.notebook.worker import RunWorker
    from canvas_reports_nb.runs.decide import Decision
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.store.stored_run import ReportResult

_LOG = logging.getLogger(__name__)
_HISTORY = 100
_LOADING = _html.status("Loading \u2026")
_CHOOSE = _html.hint("Choose a report.")
# Seconds between two updates of the ages on the page.
_TICK = 20.0


def _guarded(method: Callable[..., None]) -> Callable[..., None]:
    """Run a callback under the form's lock and show its error, which JupyterLab would hide."""

    @functools.wraps(method)
    def guarded(self: ReportForm, *arguments: Any) -> None:
        with self._lock:
            try:
                method(self, *arguments)
            except Exception as error:  # noqa: BLE001 - any error must be seen
                self._show_error(error)

    return guarded


class ReportForm(widgets.VBox):  # type: ignore[misc]  # ipywidgets is not typed
    """A form to select a report of this account, run it and load its data.

    `Connection.form` makes one.

    Parameters
    ----------
    canvas : Connection
    """

    def __init__(self, canvas: Connection) -> None:
        super().__init__()
        self._canvas = self._home = canvas
        self._lock = threading.RLock()
        self._runs: list[ReportRun] = []
        self._kept: list[ReportResult] = []
        self._suggested: Decision | None = None
        self._zone: tzinfo = UTC
        self._owner = ""
        self._saved: Any = None
        # Voila shows notebooks to readers who see no code.
        self._shows_code = not os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
        self._header = Header(canvas.url, canvas.account_id, self._switch_account, self._refresh_clicked)
        self._reports = ReportList(self._select_report)
        self._about = widgets.HTML(_CHOOSE).add_class("crn-about")
        self._parameters = ParameterForm(self._suggest, canvas.account_id, canvas.waiter.now)
        self._run = button("Run", "crn-run", "Start a new run of this report", style="primary")
        self._open = button(
            "Open", "crn-open", "Open an existing run instead of starting one", style="primary"
        )
        self._usual = widgets.HTML()
        self._run.on_click(self._run_clicked)
        self._open.on_click(self._open_clicked)
        self._status = widgets.HTML().add_class("crn-status")
        self._followed = FollowedRun(self._stop_clicked)
        self._result = ResultCard(
            self._table_chosen, self._describe, self._download, shows_code=self._shows_code
        )
        self._past = PastRuns(self._open_past, self._same_settings, self._delete_past, self._view)
        self._actions = row(self._open, self._run, self._usual).add_class("crn-actions")
        self._build()
        self._update_buttons()
        self._load_lists()
        self._closed = threading.Event()
        clock = threading.Thread(
            target=_keep_current,
            args=(weakref.ref(self), self._closed),
            name="canvas-form-clock",
            daemon=True,
        )
        clock.start()

    def _build(self) -> None:
        """Place the parts: the list beside the questions, the results below both."""
        questions = [self._about, self._parameters.box, self._actions, self._followed.box, self._status]
        main = widgets.VBox(questions).add_class("crn-main")
        body = widgets.Box([self._reports, main]).add_class("crn-body")
        self.add_class("crn-form")
        self.children = (
            widgets.HTML(_html.form_style()),
            self._header.box,
            body,
            widgets.VBox([self._result.box, self._past.box]).add_class("crn-below"),
        )

    def __repr__(self) -> str:
        return f"ReportForm(account {self._home.account_id!r})"

    def _ipython_display_(self) -> None:
        # Two outputs: what a saved notebook shows without a kernel, and the form, which hides it while it is there.
        if "VSCODE_PID" in os.environ or "google.colab" in sys.modules:  # these would show both
            display(self._repr_mimebundle_(), raw=True)
            return
        saved = {"text/html": self._static(), "text/plain": repr(self)}
        self._saved = display(saved, raw=True, display_id=True)
        display(super()._repr_mimebundle_(), raw=True)

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        shown = super()._repr_mimebundle_(**keywords)
        # For pages that show no widgets, such as a code host.
        return {**shown, "text/html": self._static()} if isinstance(shown, dict) else shown

    def _static(self) -> str:
        text = "Run this cell in Jupyter to use the form."
        if (ending := self._followed.ending()) and self._followed.worker is not None:
            report = self._reports.selected
            text = f"{report.title if report else self._followed.worker.report}: {ending}\n{text}"
        return _html.static_form(text, self._result.static())

    def _save_static(self) -> None:
        """Replace what a saved notebook shows without a kernel."""
        if self._saved is not None:
            self._saved.update({"text/html": self._static(), "text/plain": repr(self)}, raw=True)

    def close(self) -> None:
        """Remove the form and all its parts from the page and from the widgets that a notebook saves."""
        self._closed.set()
        for part in (*self.children, *self._parameters.parts, *self._result.parts):
            discard(part)
        self.layout.close()
        super().close()

    @property
    def job(self) -> ReportJob | None:
        """The run that was started or opened last; ``None`` if it came from this disk."""
        return self._followed.job

    @property
    def result(self) -> ReportResult | None:
        """The result of that run once it is finished."""
        return self._followed.result

    @property
    def frame(self) -> pd.DataFrame | None:
        """The table on the page, as a pandas frame."""
        return self._result.frame

    def wait(self, timeout: float | None = None, *, progress: bool = True) -> ReportResult:
        """Block the cell until the run is finished.

        Interrupting the kernel ends only the wait: the run and the form continue.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.
        progress : bool
            Whether to show the bar below this cell, too.

        Returns
        -------
        ReportResult

        Raises
        ------
        ParameterError
            There is no run to wait for.
        WaitTimeoutError
            The run was still going after ``timeout`` seconds.
        RunFailedError, RunAbortedError, RunDeletedError
            The run ended without a file.
        """
        return self._followed.wait(timeout, progress=progress)

    def _load_lists(self) -> None:
        canvas = self._canvas
        self._status.value = _LOADING

        def ours(show: Callable[..., None]) -> Callable[[Any], None]:
            """Ignore what arrives after the user has switched to another account."""
            return lambda found: show(found) if canvas is self._canvas else None

        in_background(
            lambda: canvas.api.available(html=True), ours(self._show_reports), ours(self._show_no_reports)
        )
        in_background(canvas.api.terms, ours(self._show_terms), ours(self._show_no_terms))
        in_background(lambda: _account_and_owner(canvas), ours(self._show_account), ours(self._log))
        if canvas is self._home:
            in_background(canvas.accounts, self._header.show_accounts, self._log)

    @_guarded
    def _show_account(self, found: tuple[dict[str, Any], str]) -> None:
        account, self._owner = found
        self._zone = zone_of(account.get("default_time_zone"))
        if self._canvas is self._home:
            self._header.show(account, self._owner)
        self._update_ages()

    def _log(self, error: Exception) -> None:
        """Note an error about which the user can do nothing."""
        _LOG.info("left out of the form: %s", error)

    @_guarded
    def _switch_account(self, account: str) -> None:
        self._canvas = self._home if account == self._home.account_id else self._home.account(account)
        self._parameters.account = account
        self._runs, self._kept = [], []
        self._past.clear("Loading the past runs \u2026" if self._reports.selected else "")
        self._load_lists()
        self._load_history()
        self._suggest()

    @_guarded
    def _show_reports(self, offers: list[AvailableReport]) -> None:
        before = self._reports.selected
        self._reports.show(offers, self._canvas.waiter.now, self._zone)
        if self._status.value == _LOADING:
            self._status.value = ""
        if before is not None and self._reports.selected is None:
            self._select_report()
        self._update_buttons()

    @_guarded
    def _show_no_reports(self, error: Exception) -> None:
        self._reports.set_disabled("No list of reports; click Refresh")
        self._show_error(error)

    @_guarded
    def _show_terms(self, terms: list[dict[str, Any]]) -> None:
        self._parameters.set_terms(terms)
        self._past.update()
        self._suggest()

    @_guarded
    def _show_no_terms(self, error: Exception) -> None:
        self._parameters.set_terms(None)
        if isinstance(error, NotPermittedError):
            self._log(error)  # the field says what to do
        else:
            self._show_error(error)
        self._suggest()

    def _load_history(self) -> None:
        canvas, offer = self._canvas, self._reports.selected
        if offer is None:
            return

        def load() -> tuple[list[ReportRun], list[ReportResult]]:
            kept = runs_in(canvas.store.folder(canvas.url, canvas.account_id, offer.report))
            return list(islice(canvas.api.index(offer.report), _HISTORY)), list(kept)

        in_background(load, functools.partial(self._show_history, canvas, offer.report), self._show_error)

    @_guarded
    def _show_history(
        self, canvas: Connection, report: str, found: tuple[list[ReportRun], list[ReportResult]]
    ) -> None:
        if (
            canvas is not self._canvas
            or self._reports.selected is None
            or report != self._reports.selected.report
        ):
            return  # the user has selected another report or account since
        self._runs, self._kept = found
        self._past.show(self._runs)
        self._reports.set_last_run(report, self._runs[0] if self._runs else None)
        self._suggest()

    @_guarded
    def _select_report(self) -> None:
        offer = self._reports.selected
        self._runs, self._kept, self._suggested = [], [], None
        self._parameters.show(offer)
        self._past.clear("Loading the past runs \u2026" if offer else "")
        # Last, so that no page shows the title of one report above the fields of another.
        self._about.value = about(offer) if offer else _CHOOSE
        self._load_history()
        if not self._followed.is_busy:
            self._status.value = ""
        self._suggest()

    @_guarded
    def _suggest(self) -> None:
        """Offer an existing run from the lists that are already here, and look whether the result is stale."""
        query, found = self._parameters.query(), None
        if query is not None:
            now = self._canvas.waiter.now()
            found, label = suggest(query, kept=self._kept, runs=self._runs, now=now, zone=self._zone)
            self._open.description, self._open.tooltip = label or "Open", found.reason
        self._suggested = found if found is not None and found.run_id is not None else None
        usual = found.usual if found is not None else None
        self._usual.value = _html.hint(usual_words(usual or estimate(self._runs)))
        self._update_buttons()
        self._update_stale()

    def _update_stale(self) -> None:
        """Label the result if other settings, another report or another account are selected."""
        shown, query, offer = self._result.result, self._parameters.query(), self._reports.selected
        self._result.set_stale(
            stale=shown is not None
            and (
                query is None
                or offer is None
                or offer.report != shown.origin.report
                or query.key != shown.key
                or (self._result.account or "self") != self._canvas.account_id
            )
        )

    @_guarded
    def _refresh_clicked(self, _: object) -> None:
        self._load_lists()
        self._load_history()

    @_guarded
    def _run_clicked(self, _: object) -> None:
        asked = self._parameters.values(to_run=True)
        if self._reports.selected is None or asked is None:
            self._status.value = _html.error("Not started. Fix the highlighted fields and try again.")
            return
        report, query = self._reports.selected.report, self._parameters.query()
        if query is None:  # its term is not known yet: the connection will find it
            self._follow(report, lambda canvas: canvas.start(report, parameters=asked))
        else:
            self._follow(report, lambda canvas: canvas.begin(query))

    @_guarded
    def _open_clicked(self, _: object) -> None:
        if self._reports.selected and self._suggested and self._suggested.run_id is not None:
            is_stored = self._suggested.action == "stored"
            self._fetch(self._reports.selected.report, self._suggested.run_id, is_stored=is_stored)

    @_guarded
    def _stop_clicked(self, _: object) -> None:
        if self._followed.is_busy:
            self._followed.stop()
            self._status.value = _html.status("Stopping \u2026")
        else:  # it says Hide
            self._followed.hide()
            self._status.value = ""
            self._run.focus()

    @_guarded
    def _open_past(self, run: ReportRun) -> None:
        self._same_settings(run)
        self._fetch(run.report, run.id, is_stored=any(each.origin.run_id == run.id for each in self._kept))

    @_guarded
    def _same_settings(self, run: ReportRun) -> None:
        self._parameters.fill(asked_of(run.report, run.parameters))
        self._suggest()

    @_guarded
    def _delete_past(self, run: ReportRun) -> None:
        delete = functools.partial(self._canvas.api.delete, run.report, run.id)
        in_background(delete, lambda _: self._load_history(), self._show_error)

    @_guarded
    def _table_chosen(self, table: str) -> None:
        result, account = self._result.result, self._result.account
        if result is not None:
            show = functools.partial(self._show_table, result, table, account)
            in_background(lambda: result.to_pandas(table), show, self._show_error)

    @_guarded
    def _show_table(self, result: ReportResult, table: str, account: str | None, frame: pd.DataFrame) -> None:
        if result in (self.result, self._result.result):
            self._result.show(result, table, frame, account)
            self._update_stale()
            self._save_static()

    @_guarded
    def _download(self, kind: str) -> None:
        save = functools.partial(self._result.save, kind, str(self._zone))
        in_background(save, self._show_download, self._show_error)

    @_guarded
    def _show_download(self, path: Path) -> None:
        self._result.show_link(path)

    def _fetch(self, report: str, run_id: int, *, is_stored: bool) -> None:
        def begin(canvas: Connection) -> ReportJob | ReportResult:
            # If the store has lost it, it is downloaded again, without a second bar.
            if is_stored:
                return canvas.obtain(report, run_id=run_id, progress=False)
            return canvas.attach(report, run_id)

        self._follow(report, begin)

    def _follow(self, report: str, begin: Callable[[Connection], ReportJob | ReportResult]) -> None:
        if self._followed.is_busy:
            return  # a click sent before its button was disabled
        self._status.value = _html.status("Asking Canvas \u2026")
        self._followed.follow(self._canvas, report, begin, joined=self._joined, finished=self._finished)
        self._update_buttons()

    @_guarded
    def _joined(self, job: ReportJob) -> None:
        text = f"Following run {job.run.id}."
        text += f" To get it in another cell: {job.attach_line}" if self._shows_code else ""
        self._status.value = _html.hint(text)

    def _finished(self, worker: RunWorker) -> None:
        """Load the frame in the worker's thread, then update the form."""
        account = worker.canvas.account_id
        try:
            if worker.result is not None:
                table = worker.result.tables[0]
                frame = worker.result.to_pandas(table)
                self._show_table(worker.result, table, None if account == "self" else account, frame)
        except Exception as error:  # noqa: BLE001 - any error must be seen
            worker.error = error
        self._show_end(worker)

    @_guarded
    def _show_end(self, worker: RunWorker) -> None:
        if worker is not self._followed.worker:
            return  # the user has started the next run since
        if worker.error is not None:
            self._parameters.show_error(worker.error)
            self._show_error(worker.error)
        else:
            self._status.value = _html.status(worker.summary, success=worker.result is not None)
        self._load_history()
        self._update_buttons()
        self._save_static()

    def _update_buttons(self) -> None:
        """Enable what can be clicked now, the cheap action first."""
        self._run.disabled = self._followed.is_busy or self._reports.selected is None
        self._open.disabled = self._followed.is_busy
        show_if(self._open, shown=self._suggested is not None)
        self._run.description = "Run again" if self._suggested else "Run"
        self._run.button_style = "" if self._suggested else "primary"
        show_if(self._actions, shown=self._reports.selected is not None)
        self._followed.update_button()
        self._past.set_busy(self._followed.is_busy)

    def _view(self) -> View:
        stored = {int(run.origin.run_id or 0): run.rows for run in self._kept}
        return View(self._canvas.waiter.now(), self._zone, self._owner, self._parameters.settings, stored)

    @_guarded
    def _update_ages(self) -> None:
        """Show the current ages, which change while nobody clicks."""
        self._reports.refresh(self._zone)
        self._past.update()
        self._result.update()
        self._suggest()

    def _describe(self, result: ReportResult, *, as_saved: bool = False) -> tuple[str, list[str], str]:
        """Return a result's report, settings and facts in words; a page to save needs the date in full."""
        origin = result.origin
        report = str(origin.report)
        known = schema(report)
        settings = self._parameters.settings(asked_of(report, origin.parameters), report)
        if self._result.account:
            settings.insert(0, f"account {self._result.account}")
        finished = when(result.finished_at, self._canvas.waiter.now(), self._zone)
        if as_saved:
            finished = f"{result.finished_at.astimezone(self._zone):%Y-%m-%d %H:%M}"
        facts = f"run {origin.run_id}, finished {finished}, {result.rows:,} rows"
        return known.title if known else report, settings, facts

    @_guarded
    def _show_error(self, error: Exception) -> None:
        if isinstance(error, CanvasReportsError):
            _LOG.warning("%s", error)
            self._status.value = _html.error(str(error))
        else:
            _LOG.error("the form failed", exc_info=error)
            self._status.value = _html.error(f"{type(error).__name__}: {error}")


def _account_and_owner(canvas: Connection) -> tuple[dict[str, Any], str]:
    """Return the account, and the name of the token's owner if Canvas allows to ask for it."""
    owner = ""
    with suppress(CanvasReportsError):
        owner = canvas.api.owner()
    return canvas.api.about(), owner


def _keep_current(form: weakref.ref[ReportForm], closed: threading.Event) -> None:
    """Update the ages on the page until the form is closed or forgotten."""
    while not closed.wait(_TICK):
        shown = form()
        if shown is None:
            return
        shown._update_ages()  # noqa: SLF001 - its own thread
        del shown
