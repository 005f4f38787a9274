"""A handle on a run, and the one wait loop.

Nothing else in the package waits; ``clock`` and ``sleep`` are injected.
"""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Self

from canvas_reports_nb.canvas_api.models import RunStatus
from canvas_reports_nb.catalog.parameters import asked_of, is_number
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    DamagedFileError,
    NotReachedError,
    ParameterError,
    RunAbortedError,
    RunDeletedError,
    RunError,
    RunFailedError,
    ServerError,
    StoreLockedError,
    UnknownRunError,
    WaitTimeoutError,
)
from canvas_reports_nb.runs.decide import PATIENCE, estimate, next_poll
from canvas_reports_nb.runs.download import retrieve
from canvas_reports_nb.runs.progress import ProgressEvent, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from canvas_reports_nb.canvas_api.client import AccountReports
    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.runs.progress import Progress, ProgressSink
    from canvas_reports_nb.store.store import Store
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import OnInterrupt

_LOG = logging.getLogger(__name__)
_PAGE = 100


def check_wait(timeout: float | None, on_interrupt: OnInterrupt) -> None:
    """Refuse what no wait could keep to, before anything is started.

    Raises
    ------
    ParameterError
    """
    if timeout is not None and not is_number(timeout):
        raise ParameterError(f"timeout={timeout!r} is no number of seconds.", hint="Give one, or None.")
    if on_interrupt not in ("detach", "abort"):
        raise ParameterError(
            f"on_interrupt={on_interrupt!r} is no choice.", hint='It is "detach" or "abort".'
        )


class ReportJob:
    """A handle on a run: look, wait, fetch, stop.

    Not made by hand: `Connection.start` and `Connection.attach` give one.

    Attributes
    ----------
    run : ReportRun
        As Canvas last told it; `refresh` asks again.
    is_joined : bool
        Whether a start found the run under way: somebody else's, too, so no Interrupt stops it.
    """

    def __init__(
        self,
        api: AccountReports,
        store: Store,
        url: str,
        run: ReportRun,
        *,
        joined: bool = False,
    ) -> None:
        self._api, self._store, self._url = api, store, url
        self._waiter = api.waiter
        self.run, self.is_joined = run, joined

    def __repr__(self) -> str:
        return f"ReportJob({self.run.report!r}, run {self.run.id}, {self.run.status})"

    def _repr_html_(self) -> str:
        return self.run._repr_html_()

    @property
    def status(self) -> str:
        """The state as last told; no question is asked."""
        return self.run.status

    def refresh(self) -> Self:
        """Ask Canvas how the run stands."""
        self.run = self._api.show(self.run.report, self.run.id)
        return self

    def abort(self) -> Self:
        """Stop the run; one that has ended stays as it is."""
        self.run = self._api.abort(self.run.report, self.run.id)
        return self

    def delete(self) -> Self:
        """Delete the run from Canvas's list, unless it is gone already; what is stored on this disk stays."""
        try:
            self.run = self._api.delete(self.run.report, self.run.id)
        except UnknownRunError:
            # It was there when this job was made: somebody was faster, or the answer to a first try was lost.
            self.run = replace(self.run, status=RunStatus.DELETED.value)
        return self

    def wait(
        self, timeout: float | None = None, progress: Progress = "auto", on_interrupt: OnInterrupt = "detach"
    ) -> Self:
        """Block until the run has ended, well or not.

        Parameters
        ----------
        timeout : float, optional
            Budget in seconds for the whole wait, faults of the network included; ``None`` waits as long as
            Canvas takes, but half an hour at most for any answer at all.
        progress : {"auto", "widget", "tqdm", "log", False} or ProgressSink
        on_interrupt : {"detach", "abort"}
            What an Interrupt does to the run on Canvas: lets it go on, or stops it, unless it was joined.

        Raises
        ------
        WaitTimeoutError
            The budget is spent; the run goes on.
        RunDeletedError
            The run is gone.
        """
        with self._attended(progress, timeout, on_interrupt) as sink:
            self._wait(sink, timeout)
        return self

    def result(
        self, timeout: float | None = None, progress: Progress = "auto", on_interrupt: OnInterrupt = "detach"
    ) -> ReportResult:
        """Wait, then fetch, type and store the file.

        Raises
        ------
        RunFailedError, RunAbortedError, RunDeletedError
            The run ended without a file; the reason is Canvas's own.
        WaitTimeoutError
            The budget is spent; the run goes on, or its file has not come yet.
        """
        with self._attended(progress, timeout, on_interrupt) as sink:
            self._wait(sink, timeout)
            ended = ending(self.run, self._api.account)
            if ended is not None:
                ended.job = self
                raise ended
            try:
                result = retrieve(self._api, self._store, self._url, self.run, sink.show)
            except (ServerError, DamagedFileError, StoreLockedError) as error:
                if self._waiter.is_expired:
                    raise self._timed_out(timeout, error) from error
                raise
            rows = sum(result.load("arrow", table, []).num_rows for table in result.tables)
            sink.show(
                ProgressEvent(
                    "done", self.run.report, self.run.id, self.run.status, 1.0, text=f"{rows:,} rows"
                )
            )
        return result

    @contextmanager
    def _attended(
        self, progress: Progress, timeout: float | None, on_interrupt: OnInterrupt
    ) -> Iterator[ProgressSink]:
        """One sink and one budget for all there is to do, and a word to whoever interrupts it."""
        check_wait(timeout, on_interrupt)
        sink = resolve(progress)
        try:
            with self._waiter.limit(timeout):
                yield sink
        except KeyboardInterrupt as interrupt:
            self._interrupted(interrupt, sink, on_interrupt)
            raise
        finally:
            sink.close()

    def _wait(self, sink: ProgressSink, timeout: float | None) -> None:
        begun = answered = self._waiter.clock()
        usual: tuple[float, float] | tuple[()] | None = None
        while not self.run.is_ended:
            if usual is None and not self._waiter.is_expired:
                usual = self._usual()
            waited = self._waiter.clock() - begun
            pause = min(next_poll(waited), self._waiter.remaining)
            if pause <= 0:
                raise self._timed_out(timeout)
            sink.show(replace(_waiting(self.run, waited, pause), usual=usual or None))
            self._waiter.pause(pause)
            answered = self._poll(answered)

    def _usual(self) -> tuple[float, float] | tuple[()]:
        """What earlier runs took, from one page of Canvas's list; nothing where it gives none."""
        try:
            history = list(islice(self._api.index(self.run.report), _PAGE))
        except CanvasReportsError as error:
            _LOG.debug("no estimate: %s", error.message)
            return ()
        return estimate(self.run.report, asked_of(self.run.report, self.run.parameters), history) or ()

    def _poll(self, answered: float) -> float:
        """Ask once; a passing fault costs one turn, not the wait. Gives when Canvas last answered."""
        try:
            self.refresh()
        except UnknownRunError as error:
            gone = RunDeletedError(
                "The run is gone: somebody deleted it.",
                self.run,
                hint="Start it again.",
                account=self._api.account,
            )
            gone.job = self
            raise gone from error
        except (NotReachedError, ServerError) as error:
            # Who gives a budget has said how long to be patient.
            if self._waiter.remaining == math.inf and self._waiter.clock() - answered > PATIENCE:
                error.job = self
                raise
            _LOG.warning("%s run %s: %s; asking again", self.run.report, self.run.id, error.message)
            return answered
        return self._waiter.clock()

    def _timed_out(self, timeout: float | None, cause: CanvasReportsError | None = None) -> WaitTimeoutError:
        missing = ", and its file is not here yet" if self.run.is_ended else ""
        if isinstance(cause, StoreLockedError):
            missing = ", and another process is still downloading its file"
        error = WaitTimeoutError(
            f"The run is {self.run.status} after {timeout:g} s{missing}.",
            self.run,
            hint=f"It {self._fate}. Later: {self.attach_line}",
            account=self._api.account,
        )
        error.job = self
        return error

    def _interrupted(
        self, interrupt: KeyboardInterrupt, sink: ProgressSink, on_interrupt: OnInterrupt
    ) -> None:
        text = f"Interrupted; run {self.run.id} {self._fate}. Later: {self.attach_line}"
        stop = on_interrupt == "abort" and not self.run.is_ended
        if stop and self.is_joined:
            text += " It was not stopped: it was under way before, and may be somebody else's."
        elif stop:
            try:
                self.abort()
                text = f"Interrupted; run {self.run.id} was stopped."
            except CanvasReportsError as error:
                # The interrupt must come through whatever Canvas says.
                text += f" It was not stopped: {error.message}"
        sink.show(ProgressEvent("note", self.run.report, self.run.id, self.run.status, text=text))
        interrupt.add_note(text)

    @property
    def _fate(self) -> str:
        return "is kept on Canvas" if self.run.is_ended else "goes on"

    @property
    def attach_line(self) -> str:
        """The line that takes the run up again, in another cell or after a restart."""
        return f"canvas.attach({self.run.report!r}, {self.run.id}).result()"


def _waiting(run: ReportRun, waited: float, pause: float) -> ProgressEvent:
    """The server's own times where it sends them (no clock skew), ours where it is old."""
    queued = running = 0.0
    if run.status == RunStatus.CREATED:
        queued = run.run_time if run.run_time is not None else waited
    else:
        running = run.run_time if run.run_time is not None else waited
        if run.started_at and run.created_at:
            queued = max((run.started_at - run.created_at).total_seconds(), 0.0)
    return ProgressEvent(
        "waiting",
        run.report,
        run.id,
        run.status,
        fraction=(run.progress or 0) / 100,
        rows=run.current_line,
        queued=queued,
        running=running,
        next_poll=pause,
    )


def ending(run: ReportRun, account: str) -> RunError | None:
    """The error an ended run stands for; ``None`` where it ended with a file."""
    match run.status:
        case RunStatus.COMPLETE:
            return None
        case RunStatus.ABORTED:
            return RunAbortedError("The run was stopped.", run, hint="Start it again.", account=account)
        case RunStatus.DELETED:
            return RunDeletedError("The run was deleted.", run, hint="Start it again.", account=account)
    return RunFailedError(
        f"Canvas ended the run with an error: {run.reason}",
        run,
        hint="Check the parameters; if they are right, start it again or show the reason to a Canvas admin.",
        account=account,
    )
