"""Threads of a form: short errands, and the one run it follows. They ask the server, so that no callback does.

A click only sets an event; the thread that follows the run notices it between two short sleeps.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from canvas_reports_nb.deadline import Stopped
from canvas_reports_nb.exceptions import NotReachedError, ParameterError, RunAbortedError, WaitTimeoutError
from canvas_reports_nb.store.stored_run import ReportResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.exceptions import CanvasReportsError
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.runs.progress import ProgressEvent, ProgressSink

_Answer = TypeVar("_Answer")

SLICE = 0.2
"""Seconds between two looks at whether to stop."""
_TICK = 1.0


def in_background(
    ask: Callable[[], _Answer], tell: Callable[[_Answer], None], fail: Callable[[Exception], None]
) -> threading.Thread:
    """Ask in a thread of its own, then tell the form the answer, or what went wrong."""

    def go() -> None:
        try:
            answer = ask()
        except Exception as error:  # noqa: BLE001 - nobody else would see it: the form shows it
            fail(error)
        else:
            tell(answer)

    thread = threading.Thread(target=go, name="canvas-reports-in_background", daemon=True)
    thread.start()
    return thread


class RunWorker:
    """One run, followed in one thread: begun or joined, waited for, fetched.

    Parameters
    ----------
    canvas : Connection
    begin : callable
        Gives the job to follow, or the result where it is on this disk already.
    sink : ProgressSink
    joined : callable
        Called with the job, in the thread, as soon as there is one.
    ended : callable
        Called with this object, in the thread, when there is nothing left to do.

    Attributes
    ----------
    job : ReportJob or None
    result : ReportResult or None
    error : Exception or None
    is_done : bool
        Whether nothing is left to do but to tell the form.
    """

    def __init__(
        self,
        canvas: Connection,
        begin: Callable[[Connection], ReportJob | ReportResult],
        sink: ProgressSink,
        joined: Callable[[ReportJob], None],
        ended: Callable[[RunWorker], None],
    ) -> None:
        self._canvas, self._waiter = canvas, canvas.waiter
        self._begin, self._sink, self._joined, self._tell = begin, sink, joined, ended
        self._stop, self._ended = threading.Event(), threading.Event()
        self._event: ProgressEvent | None = None
        self._shown = 0.0
        self.job: ReportJob | None = None
        self.result: ReportResult | None = None
        self.error: Exception | None = None
        self.is_done = False
        self.thread = threading.Thread(target=self._run, name="canvas-reports-run", daemon=True)

    @property
    def is_ended(self) -> bool:
        """Whether the thread has told the form how it went."""
        return self._ended.is_set()

    def stop(self) -> None:
        """Ask the thread to stop the run; returns at once."""
        self._stop.set()

    def says(self) -> str:
        """How it ended, in a sentence."""
        if self.result is not None:
            return f"Run {self.result.provenance['run_id']} is here."
        if self.job is None:
            return "Stopped. If Canvas had queued the run already, it stands under the past runs."
        if self.job.run.is_complete:
            return f"Run {self.job.run.id} had finished before it could be stopped: it can be loaded."
        return f"Run {self.job.run.id} was stopped."

    def wait(self, timeout: float | None = None) -> ReportResult:
        """Block the calling thread until the form was told; its own state is looked at, no callback needed.

        Raises
        ------
        CanvasReportsError
            What stands in the place of a result.
        """
        begun = self._waiter.clock()
        while not self.is_ended:
            if timeout is not None and self._waiter.clock() - begun >= timeout:
                raise self._timed_out(timeout)
            self._waiter.pause(SLICE)
        if self.error is not None:
            raise self.error
        if self.result is not None:
            return self.result
        if self.job is None:
            raise ParameterError(self.says(), hint="Press Start, then wait.")
        raise RunAbortedError(self.says(), self.job.run, hint="Press Start or Load, then wait.")

    def _timed_out(self, timeout: float) -> CanvasReportsError:
        if self.job is None:
            return NotReachedError(f"Canvas has not answered within {timeout:g} s.", hint="Wait once more.")
        error = WaitTimeoutError(
            f"The run is {self.job.status} after {timeout:g} s.",
            self.job.run,
            hint=f"It goes on. Later: {self.job.attach_line}",
        )
        error.job = self.job
        return error

    def _run(self) -> None:
        try:
            with self._waiter.limit(None, stop=self._stop, tick=self._tick):
                self._follow()
        except Stopped:
            self._abort()
        except Exception as error:  # noqa: BLE001 - nobody else would see it: the form shows it
            self.error = error
        try:
            self.is_done = True
            self._tell(self)
        finally:
            self._ended.set()

    def _follow(self) -> None:
        begun = self._begin(self._canvas)
        if isinstance(begun, ReportResult):
            self.result = begun
            return
        self.job = begun
        self._joined(begun)
        self.result = begun.result(progress=self)

    def _abort(self) -> None:
        if self.job is not None:
            try:
                self.job.abort()
            except Exception as error:  # noqa: BLE001 - as above
                self.error = error

    # -- how the job sees it: a way to sleep, and a sink ------------------------------------

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
        """The job lets go of its sink."""
        self._sink.close()


def later(event: ProgressEvent, seconds: float) -> ProgressEvent:
    """An event of a wait as it stands some seconds later, nobody having asked the server."""
    if event.stage != "waiting":
        return event
    next_poll = None if event.next_poll is None else max(event.next_poll - seconds, 0.0)
    if event.running:
        return replace(event, running=event.running + seconds, next_poll=next_poll)
    return replace(event, queued=event.queued + seconds, next_poll=next_poll)
