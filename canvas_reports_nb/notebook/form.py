"""The form. Its callbacks return at once; every request to Canvas is sent from another thread."""

from __future__ import annotations

import functools
import logging
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import ipywidgets as widgets
from IPython.display import display

from canvas_reports_nb import _html
from canvas_reports_nb.exceptions import CanvasReportsError, ParameterError
from canvas_reports_nb.notebook.controls import button, row
from canvas_reports_nb.notebook.parameter_form import ParameterForm
from canvas_reports_nb.notebook.past_runs import PastRuns, suggest
from canvas_reports_nb.notebook.progress_bar import WidgetSink
from canvas_reports_nb.notebook.report_list import ReportList
from canvas_reports_nb.notebook.result_card import ResultCard
from canvas_reports_nb.notebook.worker import RunWorker, in_background
from canvas_reports_nb.store.stored_run import runs_in

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun
    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.runs.decide import Decision
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.store.stored_run import ReportResult

_LOG = logging.getLogger(__name__)
_HISTORY = 100
_LOADING = _html.status("Loading …")


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
        self._canvas = canvas
        self._lock = threading.RLock()
        self._runs: list[ReportRun] = []
        self._kept: list[ReportResult] = []
        self._suggested: Decision | None = None
        self._worker: RunWorker | None = None
        account = canvas.account_id
        self._header = widgets.HTML(
            _html.heading(f"Canvas reports · {urlsplit(canvas.url).netloc} · account {account}")
        )
        self._reports = ReportList(self._select_report, self._refresh_clicked)
        self._parameters = ParameterForm(self._suggest, account, canvas.waiter.now)
        self._run = button("Run", "crn-run", "Start a new run of this report", style="primary")
        self._open = button("Open", "crn-open", "Open an existing run instead of starting one")
        self._stop = button("Stop", "crn-stop", "Stop the run in Canvas")
        self._run.on_click(self._run_clicked)
        self._open.on_click(self._open_clicked)
        self._stop.on_click(self._stop_clicked)
        self._status = widgets.HTML().add_class("crn-status")
        self._progress = widgets.VBox().add_class("crn-progress")
        self._result = ResultCard(self._table_chosen, None if account == "self" else account)
        self._past = PastRuns(self._open_past, self._delete_past)
        self.add_class("crn-form")
        self.children = (
            widgets.HTML(_html.FORM_STYLE),
            self._header.add_class("crn-header"),
            self._reports.box,
            self._parameters.box,
            row(self._run, self._open, self._stop).add_class("crn-actions"),
            self._status,
            self._progress,
            self._result.box,
            self._past.box,
        )
        self._update_buttons()
        self._load_lists()

    def __repr__(self) -> str:
        return f"ReportForm(account {self._canvas.account_id!r})"

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        shown = super()._repr_mimebundle_(**keywords)
        # For pages that show no widgets, such as a code host.
        still = _html.card("Report form", _html.hint("Run this cell in Jupyter to use the form."))
        return {**shown, "text/html": still} if isinstance(shown, dict) else shown

    @property
    def job(self) -> ReportJob | None:
        """The run that was started or opened last; ``None`` if it came from this disk."""
        return self._worker.job if self._worker else None

    @property
    def result(self) -> ReportResult | None:
        """The result of that run once it is finished."""
        return self._worker.result if self._worker else None

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
        worker = self._worker
        if worker is None:
            raise ParameterError("No run to wait for.", hint="Click Run first.")
        if progress and not worker.is_reported:
            display(self._progress)
        try:
            return worker.wait(timeout)
        except KeyboardInterrupt as interrupt:
            line = f" To get it in another cell: {worker.job.attach_line}" if worker.job else ""
            text = f"Interrupted; the run continues in the form.{line}"
            display({"text/plain": text}, raw=True)
            interrupt.add_note(text)
            raise

    def _load_lists(self) -> None:
        self._status.value = _LOADING
        in_background(
            lambda: self._canvas.api.available(html=True), self._show_reports, self._show_no_reports
        )
        in_background(self._canvas.api.terms, self._show_terms, self._show_error)

    @_guarded
    def _show_reports(self, offers: list[AvailableReport]) -> None:
        self._reports.show(offers)
        if self._status.value == _LOADING:
            self._status.value = ""
        self._select_report()

    @_guarded
    def _show_no_reports(self, error: Exception) -> None:
        self._reports.set_placeholder("no list of reports; click Refresh to try again")
        self._show_error(error)

    @_guarded
    def _show_terms(self, terms: list[dict[str, Any]]) -> None:
        self._parameters.set_terms(terms)

    def _load_history(self) -> None:
        canvas, offer = self._canvas, self._reports.selected
        if offer is None:
            return

        def load() -> tuple[list[ReportRun], list[ReportResult]]:
            kept = runs_in(canvas.store.folder(canvas.url, canvas.account_id, offer.report))
            return list(islice(canvas.api.index(offer.report), _HISTORY)), list(kept)

        in_background(load, functools.partial(self._show_history, offer.report), self._show_error)

    @_guarded
    def _show_history(self, report: str, found: tuple[list[ReportRun], list[ReportResult]]) -> None:
        if self._reports.selected is None or report != self._reports.selected.report:
            return  # the user has selected another report since
        self._runs, self._kept = found
        self._reports.show_last_run(self._runs[0] if self._runs else None)
        self._past.show(self._runs, self._canvas.waiter.now())
        self._suggest()

    @_guarded
    def _select_report(self, _: object = None) -> None:
        if not self._reports.update():
            return
        offer = self._reports.selected
        self._runs, self._kept, self._suggested = [], [], None
        self._parameters.show(offer)
        self._past.clear("Loading the past runs …" if offer else "")
        self._load_history()
        if not self._is_busy:
            self._status.value = ""
        self._update_buttons()

    @_guarded
    def _suggest(self) -> None:
        """Offer an existing run from the lists that are already here."""
        query, now = self._parameters.query(), self._canvas.waiter.now()
        found = suggest(query, kept=self._kept, runs=self._runs, now=now) if query else None
        self._suggested, self._open.description = found or (None, "Open")
        self._open.tooltip = self._suggested.reason if self._suggested else ""
        self._update_buttons()

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
            self._follow(lambda canvas: canvas.start(report, parameters=asked))
        else:
            self._follow(lambda canvas: canvas.begin(query))

    @_guarded
    def _open_clicked(self, _: object) -> None:
        if self._reports.selected and self._suggested and self._suggested.run_id is not None:
            is_stored = self._suggested.action == "stored"
            self._fetch(self._reports.selected.report, self._suggested.run_id, is_stored=is_stored)

    @_guarded
    def _stop_clicked(self, _: object) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._stop.disabled = True
            self._status.value = _html.status("Stopping …")

    @_guarded
    def _open_past(self, run: ReportRun) -> None:
        self._fetch(run.report, run.id, is_stored=False)

    @_guarded
    def _delete_past(self, run: ReportRun) -> None:
        delete = functools.partial(self._canvas.api.delete, run.report, run.id)
        in_background(delete, lambda _: self._load_history(), self._show_error)

    @_guarded
    def _table_chosen(self, table: str) -> None:
        result = self.result
        if result is not None:
            show = functools.partial(self._show_table, result, table)
            in_background(lambda: result.to_pandas(table), show, self._show_error)

    @_guarded
    def _show_table(self, result: ReportResult, table: str, frame: pd.DataFrame) -> None:
        if result is self.result:
            self._result.show(result, table, frame)

    def _fetch(self, report: str, run_id: int, *, is_stored: bool) -> None:
        def begin(canvas: Connection) -> ReportJob | ReportResult:
            # If the store has lost it, it is downloaded again, without a second bar.
            if is_stored:
                return canvas.obtain(report, run_id=run_id, progress=False)
            return canvas.attach(report, run_id)

        self._follow(begin)

    def _follow(self, begin: Callable[[Connection], ReportJob | ReportResult]) -> None:
        if self._is_busy:
            return  # a click sent before its button was disabled
        sink = WidgetSink(placed=True)
        self._worker = RunWorker(self._canvas, begin, sink, self._joined, self._finished)
        self._progress.children = [sink.box]
        self._result.clear()
        self._status.value = _html.status("Asking Canvas …")
        self._update_buttons()
        self._worker.thread.start()

    @_guarded
    def _joined(self, job: ReportJob) -> None:
        text = f"Following run {job.run.id}. To get it in another cell: {job.attach_line}"
        self._status.value = _html.status(text)

    def _finished(self, worker: RunWorker) -> None:
        """Load the frame in the worker's thread, then update the form."""
        try:
            if worker.result is not None:
                table = worker.result.tables[0]
                self._show_table(worker.result, table, worker.result.to_pandas(table))
        except Exception as error:  # noqa: BLE001 - any error must be seen
            worker.error = error
        self._show_end(worker)

    @_guarded
    def _show_end(self, worker: RunWorker) -> None:
        if worker is not self._worker:
            return  # the user has started the next run since
        if worker.error is not None:
            self._show_error(worker.error)
        else:
            self._status.value = _html.status(worker.summary, success=worker.result is not None)
        self._load_history()
        self._update_buttons()

    @property
    def _is_busy(self) -> bool:
        return self._worker is not None and not self._worker.is_finished

    def _update_buttons(self) -> None:
        """Enable what can be clicked now."""
        self._run.disabled = self._is_busy or self._reports.selected is None
        self._open.disabled = self._is_busy
        self._open.layout.display = None if self._suggested else "none"
        self._stop.disabled = not self._is_busy
        self._past.set_busy(self._is_busy)

    @_guarded
    def _show_error(self, error: Exception) -> None:
        if isinstance(error, CanvasReportsError):
            _LOG.warning("%s", error)
            self._status.value = _html.error(str(error))
        else:
            _LOG.error("the form failed", exc_info=error)
            self._status.value = _html.error(f"{type(error).__name__}: {error}")
