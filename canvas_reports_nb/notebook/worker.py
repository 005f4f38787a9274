"""The threads of a form: they send its requests, so that no callback has to wait for Canvas."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from canvas_reports_nb.deadline import Stopped
from canvas_reports_nb.exceptions import NotReachedError, ParameterError, RunAbortedError, WaitTimeoutError
from canvas_reports_nb.runs.progress import ENDS, ProgressEvent, ended
from canvas_reports_nb.store.stored_run import ReportResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.exceptions import CanvasReportsError
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.runs.progress import ProgressSink

_Answer = TypeVar("_Answer")

_SLICE = 0.2
_TICK = 1.0


def in_background(
    ask: Callable[[], _Answer], show: Callable[[_Answer], None], fail: Callable[[Exception], None]
) -> None:
    """Call ``ask`` in a new thread, then ``show`` with its result or ``fail`` with its error."""

    def work() -> None:
        try:
            answer = ask()
        except Exception as error:  # noqa: BLE001 - the form shows it
            fail(error)
        else:
            show(answer)

    threading.Thread(target=work, name="canvas-reports-background", daemon=True).start()


class RunWorker:
    """The thread that starts or joins a run, waits for it and downloads it.

    ``joined`` is called in the thread with the job as soon as there is one, ``finished`` with this object at the end.
    """

    def __init__(
        self,
        canvas: Connection,
        report: str,
        begin: Callable[[Connection], ReportJob | ReportResult],
        *,
        sink: ProgressSink,
        joined: Callable[[ReportJob], None],
        finished: Callable[[RunWorker], None],
    ) -> None:
        self.canvas, self._waiter, self.report = canvas, canvas.waiter, report
        self._begin, self._sink, self._joined, self._finished = begin, sink, joined, finished
        self._stop, self._reported = threading.Event(), threading.Event()
        self._event: ProgressEvent | None = None
        self._shown = 0.0
        self.job: ReportJob | None = None
        self.result: ReportResult | None = None
        self.error: Exception | None = None
        self.is_finished = False
        self.thread = threading.Thread(target=self._run, name="canvas-reports-run", daemon=True)

    @property
    def is_reported(self) -> bool:
        """Whether the form shows how the run ended."""
        return self._reported.is_set()

    def stop(self) -> None:
        """Ask the thread to stop the run; return at once."""
        self._stop.set()

    @property
    def summary(self) -> str:
        """How the run ended, in one or two sentences."""
        if self.result is not None:
            return f"Run {self.result.provenance['run_id']} is ready."
        if self.job is None:
            return "Stopped. If Canvas had already queued the run, it is listed under Past runs."
        if self.job.run.is_complete:
            return f"Run {self.job.run.id} finished before it could be stopped. Open it under Past runs."
        if self.job.is_joined:
            return (
                f"Stopped waiting; run {self.job.run.id} continues in Canvas, because this form did not start it. "
                f"To get it later: {self.job.attach_line}"
            )
        return f"Run {self.job.run.id} was stopped."

    def wait(self, timeout: float | None = None) -> ReportResult:
        """Block the calling thread until the form shows the result; raise the run's error if it has no result."""
        with self._waiter.limit(timeout):
            while not self.is_reported:
                if self._waiter.is_expired:
                    raise self._timed_out(timeout)
                self._waiter.pause(_SLICE)
        if self.error is not None:
            raise self.error
        if self.result is not None:
            return self.result
        if self.job is None:
            raise ParameterError(self.summary, hint="Click Run, then wait.")
        raise RunAbortedError(self.summary, self.job.run, hint="Click Run or Open, then wait.")

    def _timed_out(self, timeout: float | None) -> CanvasReportsError:
        if self.job is None:
            return NotReachedError(
                f"Canvas did not answer within {timeout:g} s.", hint="Call form.wait() again."
            )
        error = WaitTimeoutError(
            f"Stopped waiting after {timeout:g} s; the report is still running in Canvas.",
            self.job.run,
            hint=f"To get it later: {self.job.attach_line}",
        )
        error.job = self.job
        return error

    def _run(self) -> None:
        with self.canvas.store.pin_used():  # another process may fill the store up to its limit
            self._work()

    def _work(self) -> None:
        try:
            with self._waiter.limit(None, stop=self._stop, tick=self._tick):
                self._follow()
        except Stopped:
            self._abort()
        except Exception as error:  # noqa: BLE001 - the form shows it
            self.error = error
        self._show_end()
        try:
            self.is_finished = True
            self._finished(self)
        finally:
            self._reported.set()

    def _follow(self) -> None:
        begun = self._begin(self.canvas)
        if isinstance(begun, ReportResult):
            self.result = begun
            return
        self.job = begun
        self._joined(begun)
        self.result = begun.result(progress=self)

    def _show_end(self) -> None:
        """Show how the run ended, unless the batch has shown it."""
        if self._event is not None and self._event.stage in ENDS:
            return
        run_id = self.job.run.id if self.job else None
        if self.result is not None:
            origin = self.result.origin
            rows = self.result.rows
            text = f"done, {rows:,} rows, from this disk"
            self._sink.show(ProgressEvent("done", self.report, origin.run_id, fraction=1.0, text=text))
        else:
            stage = "stopped" if self.error is None else ended(self.error)
            text = "the run continues in Canvas" if self.job and self.job.is_joined and not self.error else ""
            if stage is not None:
                self._sink.show(ProgressEvent(stage, self.report, run_id, text=text))
        self._sink.close()

    def _abort(self) -> None:
        if self.job is not None and not self.job.is_joined and not self.job.run.is_ended:
            try:
                self.job.abort()
            except Exception as error:  # noqa: BLE001 - as above
                self.error = error

    def _tick(self, passed: float) -> None:
        if self._event is not None and passed - self._shown >= _TICK:
            self._shown = passed
            self._sink.show(later(self._event, passed))

    def show(self, event: ProgressEvent) -> None:
        """Show one event, unless it is time to stop."""
        self._waiter.check()
        self._event, self._shown = event, 0.0
        self._sink.show(event)

    def close(self) -> None:
        """Close the bar."""
        self._sink.close()


def later(event: ProgressEvent, seconds: float) -> ProgressEvent:
    """Return a waiting event as it is some seconds later, without asking the server."""
    if event.stage != "waiting":
        return event
    next_poll = None if event.next_poll is None else max(event.next_poll - seconds, 0.0)
    if event.running:
        return replace(event, running=event.running + seconds, next_poll=next_poll)
    return replace(event, queued=event.queued + seconds, next_poll=next_poll)
