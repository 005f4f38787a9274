"""The run that the form follows: its bar, and the button that stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.notebook.controls import button, show_if
from canvas_reports_nb.notebook.progress_bar import WidgetSink
from canvas_reports_nb.notebook.worker import RunWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.store.stored_run import ReportResult


class FollowedRun:
    """The line with the bar and the button. It shows one run at a time, in the thread of a `RunWorker`."""

    def __init__(self, stop_clicked: Callable[[Any], None]) -> None:
        self.worker: RunWorker | None = None
        self._progress = widgets.VBox().add_class("crn-progress")
        self._stop = button("Stop", "crn-stop", "Stop the run in Canvas")
        self._stop.on_click(stop_clicked)
        self.box = widgets.HBox([self._progress, self._stop]).add_class("crn-running")
        self.hide()

    @property
    def is_busy(self) -> bool:
        """Whether the run has not ended yet."""
        return self.worker is not None and not self.worker.is_finished

    @property
    def job(self) -> ReportJob | None:
        """The run's job; ``None`` if it came from this disk."""
        return self.worker.job if self.worker else None

    @property
    def result(self) -> ReportResult | None:
        """The run's result once it is finished."""
        return self.worker.result if self.worker else None

    def follow(
        self,
        canvas: Connection,
        report: str,
        begin: Callable[[Connection], ReportJob | ReportResult],
        *,
        joined: Callable[[ReportJob], None],
        finished: Callable[[RunWorker], None],
    ) -> None:
        """Show a new bar and start the thread, whose arguments are those of `RunWorker`."""
        sink = WidgetSink(placed=True)
        self.worker = RunWorker(canvas, report, begin, sink=sink, joined=joined, finished=finished)
        before, self._progress.children = self._progress.children, [sink.box]
        for each in before:
            each.close()
        show_if(self.box, shown=True)
        self.update_button()
        self._stop.focus()  # the button that was clicked will be disabled
        self.worker.thread.start()

    def stop(self) -> None:
        """Ask the thread to stop the run; return at once."""
        if self.worker is not None:
            self.worker.stop()
        self._stop.disabled = True

    def hide(self) -> None:
        """Hide the line."""
        show_if(self.box, shown=False)

    def update_button(self) -> None:
        """Let the button stop the run, or hide the line of a run that has ended."""
        self._stop.disabled = False
        self._stop.description = "Stop" if self.is_busy else "Hide"
        self._stop.tooltip = "Stop the run in Canvas" if self.is_busy else "Hide this line"

    def ending(self) -> str:
        """Return how a run without a result ended; empty for any other."""
        if self.worker is None or not self.worker.is_finished or self.worker.result is not None:
            return ""
        return self.worker.summary if self.worker.error is None else str(self.worker.error)

    def wait(self, timeout: float | None, *, progress: bool) -> ReportResult:
        """Block the cell until the form shows the end of the run."""
        worker = self.worker
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
