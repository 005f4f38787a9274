"""The form: every callback returns at once, every question to the server is asked in a thread of its own."""

from __future__ import annotations

import functools
import logging
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from canvas_reports_nb import _html
from canvas_reports_nb.exceptions import CanvasReportsError, ParameterError
from canvas_reports_nb.notebook.controls import ParameterForm, button
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
    from canvas_reports_nb.notebook.past_runs import Suggestion
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.store.stored_run import ReportResult, StoredRun

_LOG = logging.getLogger(__name__)
_HISTORY = 100
_LOADING = _html.news("Loading …")


def _shown(method: Callable[..., None]) -> Callable[..., None]:
    """Run a callback alone, and show its error in the form: JupyterLab shows none."""

    @functools.wraps(method)
    def guarded(self: ReportForm, *arguments: Any) -> None:
        with self._lock:
            try:
                method(self, *arguments)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody else would see it
                self._tell(error)

    return guarded


class ReportForm(widgets.VBox):  # type: ignore[misc]  # ipywidgets is not typed
    """A form: choose a report of this account, start and follow it, load it as a frame.

    Not made by hand: `Connection.form` gives one.

    Parameters
    ----------
    canvas : Connection
    """

    def __init__(self, canvas: Connection) -> None:
        super().__init__()
        self._canvas = canvas
        self._lock = threading.RLock()
        self._past_runs: list[ReportRun] = []
        self._kept: list[StoredRun] = []
        self._suggestion: Suggestion | None = None
        self._work: RunWorker | None = None
        self._compose()
        self._load_lists()

    def _compose(self) -> None:
        self._chooser = ReportList(self._report_typed, self._refresh_clicked)
        self._start = button("Start", "crn-start", "Start a new run of this report", style="primary")
        self._reuse = button("Reuse", "crn-reuse", "Use a run that exists instead of starting one")
        self._abort = button("Abort", "crn-abort", "Stop the run on Canvas")
        self._asking = ParameterForm(self._parameters_changed)
        self._status = widgets.HTML().add_class("crn-status")
        self._progress = widgets.VBox().add_class("crn-progress")
        account = self._canvas.account_id
        self._outcome = ResultCard(self._choose_table, None if account == "self" else account)
        self._past = PastRuns(self._load_past, self._delete_past)
        self._start.on_click(self._start_clicked)
        self._reuse.on_click(self._reuse_clicked)
        self._abort.on_click(self._abort_clicked)
        buttons = widgets.HBox([self._start, self._reuse, self._abort]).add_class("crn-row")
        self.add_class("crn-form")
        above = (widgets.HTML(_html.form_style()), self._chooser.box, self._asking.box, buttons)
        self.children = (*above, self._status, self._progress, self._outcome.box, self._past.box)
        self._follow_state()

    # -- what a notebook sees ----------------------------------------------------------------

    def __repr__(self) -> str:
        return f"ReportForm(account {self._canvas.account_id!r})"

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        shown = super()._repr_mimebundle_(**keywords)
        # For places that show no widgets, such as a page on a code host.
        still = _html.card("Report form", _html.says("Run this cell in Jupyter to use the form."))
        return {**shown, "text/html": still} if isinstance(shown, dict) else shown

    @property
    def job(self) -> ReportJob | None:
        """The run that was started or loaded last; ``None`` where it came from this disk."""
        return self._work.job if self._work else None

    @property
    def result(self) -> ReportResult | None:
        """The result of that run, once it is here."""
        return self._work.result if self._work else None

    @property
    def frame(self) -> pd.DataFrame | None:
        """The table shown, as pandas."""
        return self._outcome.frame

    def wait(self, timeout: float | None = None, *, progress: bool = True) -> ReportResult:
        """Block the cell until the run has ended; the bar goes on moving.

        An Interrupt lets go: the run and the form go on.

        Parameters
        ----------
        timeout : float, optional
            Budget in seconds.
        progress : bool
            Whether to show the bar below this cell, too.

        Raises
        ------
        ParameterError
            Nothing was started.
        WaitTimeoutError
            The budget is spent; the run goes on.
        RunFailedError, RunAbortedError, RunDeletedError
            The run ended without a file.
        """
        work = self._work
        if work is None:
            raise ParameterError("This form follows no run.", hint="Press Start or Load, then wait.")
        if progress and not work.is_ended:
            display(self._progress)
        try:
            return work.wait(timeout)
        except KeyboardInterrupt as interrupt:
            line = f" In another cell: {work.job.attach_line}" if work.job else ""
            text = f"Interrupted; the form goes on.{line}"
            display({"text/plain": text}, raw=True)
            interrupt.add_note(text)
            raise

    # -- the lists: asked for in threads ------------------------------------------------------

    def _load_lists(self) -> None:
        self._status.value = _LOADING
        in_background(lambda: self._canvas.api.available(html=True), self._know_offers, self._no_offers)
        in_background(self._canvas.api.terms, self._know_terms, self._tell)

    @_shown
    def _know_offers(self, offers: list[AvailableReport]) -> None:
        self._chooser.know(offers)
        if self._status.value == _LOADING:
            self._status.value = ""
        self._choose_report()

    @_shown
    def _no_offers(self, error: Exception) -> None:
        self._chooser.wait("no list of reports; Refresh asks again")
        self._tell(error)

    @_shown
    def _know_terms(self, terms: list[dict[str, Any]]) -> None:
        self._asking.know_terms(terms, self._canvas.waiter.now())

    def _load_history(self) -> None:
        canvas, offer = self._canvas, self._chooser.offer
        if offer is None:
            return

        def ask() -> tuple[list[ReportRun], list[StoredRun]]:
            kept = runs_in(canvas.store.folder(canvas.url, canvas.account_id, offer.report))
            return list(islice(canvas.api.index(offer.report), _HISTORY)), list(kept)

        in_background(ask, functools.partial(self._know_history, offer.report), self._tell)

    @_shown
    def _know_history(self, report: str, found: tuple[list[ReportRun], list[StoredRun]]) -> None:
        if self._chooser.offer is None or report != self._chooser.offer.report:
            return  # another one was chosen in the meantime
        self._past_runs, self._kept = found
        self._chooser.know_last(self._past_runs[0] if self._past_runs else None)
        self._past.show(self._past_runs, self._canvas.waiter.now())
        self._suggest(self._asking.asked())

    # -- what the user does ------------------------------------------------------------------

    @_shown
    def _report_typed(self, _: object) -> None:
        self._choose_report()

    def _choose_report(self) -> None:
        if not self._chooser.changed():
            return
        offer = self._chooser.offer
        self._past_runs, self._kept, self._suggestion = [], [], None
        self._asking.show(offer)
        self._past.clear("Loading the past runs …" if offer else "")
        self._load_history()
        if not self._is_busy:
            self._status.value = ""
        self._follow_state()

    @_shown
    def _parameters_changed(self) -> None:
        self._suggest(self._asking.asked())

    def _suggest(self, asked: dict[str, Any] | None) -> None:
        """Offer a run that exists, from what is known already."""
        offer, now = self._chooser.offer, self._canvas.waiter.now()
        self._suggestion = None
        if asked is not None and offer is not None:
            self._suggestion = suggest(offer.report, asked, kept=self._kept, runs=self._past_runs, now=now)
        if self._suggestion is not None:
            self._reuse.description, self._reuse.tooltip = self._suggestion.text, self._suggestion.reason
        self._follow_state()

    @_shown
    def _refresh_clicked(self, _: object) -> None:
        self._load_lists()
        self._load_history()

    @_shown
    def _start_clicked(self, _: object) -> None:
        asked = self._asking.complete()
        if self._chooser.offer is None or asked is None:
            self._status.value = _html.problem("Nothing was started: see the remark beside the parameters.")
            return
        report = self._chooser.offer.report
        self._follow(lambda canvas: canvas.start(report, parameters=asked))

    @_shown
    def _reuse_clicked(self, _: object) -> None:
        if self._chooser.offer is not None and self._suggestion is not None:
            self._fetch(self._chooser.offer.report, self._suggestion.run_id, stored=self._suggestion.stored)

    @_shown
    def _abort_clicked(self, _: object) -> None:
        if self._work is not None:
            self._work.stop()
            self._abort.disabled = True
            self._status.value = _html.news("Stopping …")

    @_shown
    def _load_past(self, run: ReportRun) -> None:
        self._fetch(run.report, run.id, stored=False)

    @_shown
    def _delete_past(self, run: ReportRun) -> None:
        delete = functools.partial(self._canvas.api.delete, run.report, run.id)
        in_background(delete, lambda _: self._load_history(), self._tell)

    @_shown
    def _choose_table(self, table: str) -> None:
        result = self.result
        if result is not None:
            shown = functools.partial(self._show_table, result, table)
            in_background(lambda: result.to_pandas(table), shown, self._tell)

    @_shown
    def _show_table(self, result: ReportResult, table: str, frame: pd.DataFrame) -> None:
        if result is self.result:
            self._outcome.show(result, table, frame)

    # -- the run -----------------------------------------------------------------------------

    def _fetch(self, report: str, run_id: int, *, stored: bool) -> None:
        def begin(canvas: Connection) -> ReportJob | ReportResult:
            # Where the store lost it in the meantime, it is fetched; no second bar shall appear then.
            if stored:
                return canvas.obtain(report, run_id=run_id, progress=False)
            return canvas.attach(report, run_id)

        self._follow(begin)

    def _follow(self, begin: Callable[[Connection], ReportJob | ReportResult]) -> None:
        if self._is_busy:
            return  # a click that was on its way when the button was switched off
        sink = WidgetSink(placed=True)
        self._work = RunWorker(self._canvas, begin, sink, self._joined, self._ended)
        self._progress.children = [sink.box]
        self._outcome.clear()
        self._status.value = _html.news("Asking Canvas …")
        self._follow_state()
        self._work.thread.start()

    @_shown
    def _joined(self, job: ReportJob) -> None:
        self._status.value = _html.news(f"Following run {job.run.id}. In another cell: {job.attach_line}")

    def _ended(self, work: RunWorker) -> None:
        """In the thread of the run: the frame is made before the form is touched."""
        try:
            if work.result is not None:
                table = work.result.tables[0]
                self._show_table(work.result, table, work.result.to_pandas(table))
        except Exception as error:  # noqa: BLE001 - nobody else would see it
            work.error = error
        self._conclude(work)

    @_shown
    def _conclude(self, work: RunWorker) -> None:
        if work is not self._work:
            return  # the next one was quicker
        if work.error is not None:
            self._tell(work.error)
        else:
            self._status.value = _html.news(work.says(), well=work.result is not None)
        self._load_history()
        self._follow_state()

    @property
    def _is_busy(self) -> bool:
        return self._work is not None and not self._work.is_done

    def _follow_state(self) -> None:
        """Switch the buttons by what can be done now."""
        self._start.disabled = self._is_busy or self._chooser.offer is None
        self._reuse.disabled = self._is_busy
        self._reuse.layout.display = None if self._suggestion is not None else "none"
        self._abort.disabled = not self._is_busy
        self._past.busy(self._is_busy)

    @_shown
    def _tell(self, error: Exception) -> None:
        if isinstance(error, CanvasReportsError):
            _LOG.warning("%s", error)
            self._status.value = _html.problem(str(error))
        else:
            _LOG.error("the form failed", exc_info=error)
            self._status.value = _html.problem(f"{type(error).__name__}: {error}")
