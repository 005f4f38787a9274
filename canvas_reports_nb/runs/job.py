"""A handle on one run."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self, cast

from canvas_reports_nb.canvas_api.models import RunStatus
from canvas_reports_nb.exceptions import CanvasReportsError, UnknownRunError
from canvas_reports_nb.runs.batch import Batch
from canvas_reports_nb.runs.pending import PendingRun, attach_line, check_wait
from canvas_reports_nb.runs.progress import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.runs.progress import Progress
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import OnInterrupt


class ReportJob:
    """A handle on a run: look, wait, download, stop.

    `Connection.start` and `Connection.attach` return one.

    Examples
    --------
    >>> job = canvas.start("unused_courses_csv", enrollment_term_id="current")
    >>> job.wait().status
    'complete'
    >>> job.result().tables
    ('unused_courses_csv',)
    """

    def __init__(self, pending: PendingRun, run: ReportRun) -> None:
        self._pending = pending
        pending.run = run

    def __repr__(self) -> str:
        return repr(self.run).replace("ReportRun", "ReportJob", 1)

    def _repr_html_(self) -> str:
        return self.run._repr_html_()

    @property
    def run(self) -> ReportRun:
        """The run as Canvas last described it; `refresh` asks again."""
        return cast("ReportRun", self._pending.run)  # a job has one from its start

    @property
    def status(self) -> str:
        """The status as last seen; nothing is sent."""
        return self.run.status

    @property
    def is_joined(self) -> bool:
        """Whether the run existed before this job: it may be somebody else's, so no interrupt stops it."""
        return not self._pending.is_ours

    @property
    def attach_line(self) -> str:
        """The line that gets the run later, in another cell or after a restart."""
        return attach_line(self.run)

    def refresh(self) -> Self:
        """Ask Canvas for the run's current state."""
        self._pending.run = self._pending.runs.api.show(self.run.report, self.run.id)
        return self

    def abort(self) -> Self:
        """Stop the run; a run that has ended stays as it is."""
        self._pending.run = self._pending.runs.api.abort(self.run.report, self.run.id)
        return self

    def delete(self) -> Self:
        """Delete the run from Canvas's list; what is stored on this disk stays."""
        try:
            self._pending.run = self._pending.runs.api.delete(self.run.report, self.run.id)
        except UnknownRunError:
            # It existed when this job was made: somebody was faster, or the response to a first try was lost.
            self._pending.run = replace(self.run, status=RunStatus.DELETED.value)
        return self

    def wait(
        self, timeout: float | None = None, progress: Progress = "auto", on_interrupt: OnInterrupt = "detach"
    ) -> Self:
        """Block until the run has ended, successfully or not.

        Parameters
        ----------
        timeout : float, optional
            Total seconds for the wait, network errors included. Without it, the wait lasts as long as the run, but
            ends after half an hour without any response.
        progress : {"auto", "widget", "tqdm", "log", False} or ProgressSink
        on_interrupt : {"detach", "abort"}
            Whether an interrupt lets the run continue in Canvas, or stops it, if this job started it.

        Raises
        ------
        WaitTimeoutError
            The time is up; the run continues.
        RunDeletedError
            The run is gone.
        """
        with self._outcome(timeout, progress, on_interrupt, until="ended"):
            return self

    def result(
        self, timeout: float | None = None, progress: Progress = "auto", on_interrupt: OnInterrupt = "detach"
    ) -> ReportResult:
        """Wait, then download, convert and store the file.

        Raises
        ------
        RunFailedError, RunAbortedError, RunDeletedError
            The run ended without a file; the reason is Canvas's own.
        WaitTimeoutError
            The time is up; the run continues, or its file is not here yet.
        """
        with self._outcome(timeout, progress, on_interrupt, until="downloaded") as pending:
            if pending.result is None:
                raise AssertionError("a batch sets a result or an error")
            return pending.result

    @contextmanager
    def _outcome(
        self,
        timeout: float | None,
        progress: Progress,
        on_interrupt: OnInterrupt,
        *,
        until: Literal["downloaded", "ended"],
    ) -> Iterator[PendingRun]:
        """Run a batch of one, and raise its error."""
        check_wait(timeout, on_interrupt)
        # What an earlier wait ended with does not end this one, and no other run takes the place of this one.
        self._pending = replace(
            self._pending, result=None, error=None, rows=None, downloads=0, is_reused=False
        )
        sink = resolve(progress)
        try:
            with self._pending.runs.waiter.limit(timeout):
                Batch([self._pending], sink, timeout, until=until).run(on_interrupt)
        finally:
            sink.close()
        error = self._pending.error
        if error is not None:
            raise with_job(error, self)
        yield self._pending


def with_job(error: CanvasReportsError, job: ReportJob) -> CanvasReportsError:
    """Return an error that carries the handle on its run."""
    error.job = job
    return error
