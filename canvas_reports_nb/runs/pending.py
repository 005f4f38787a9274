"""A requested run: its progress, and the error it may end with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from canvas_reports_nb.canvas_api.models import RunStatus
from canvas_reports_nb.catalog.parameters import is_number
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    NotStartedError,
    ParameterError,
    RunAbortedError,
    RunDeletedError,
    RunError,
    RunFailedError,
    UnknownRunError,
    WaitTimeoutError,
)
from canvas_reports_nb.runs.progress import ProgressEvent, RunProgress, span

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.catalog.query import Query
    from canvas_reports_nb.frames.parquet import Keep
    from canvas_reports_nb.runs.account import AccountRuns
    from canvas_reports_nb.runs.decide import Decision
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import OnInterrupt


# Each of so many runs in a row was stopped, failed, or had no file.
_MOST_PASSED = 20


@dataclass(slots=True, eq=False)
class PendingRun:
    """A requested run and its progress.

    Attributes
    ----------
    report : str
    query : Query or None
        What it answers; ``None`` for a run that was attached by its id.
    known : collection of int
        The runs that Canvas listed before the start.
    run : ReportRun or None
        As Canvas last described it; ``None`` until it is started.
    rows : int or None
        Of all tables of the result.
    is_ours : bool
        Whether this call started it, so that it may stop it.
    usual : tuple of float, or None
        How long earlier runs took; an empty tuple if that is not known.
    is_reused : bool
        Whether an existing run was chosen to answer the query, so that another one may take its place.
    others : tuple of ReportRun
        The earlier runs to try if the chosen one has no file.
    passed : int
        How many runs were passed over.
    keep : mapping, optional
        The columns of each table that the caller wants as a frame now.
    """

    runs: AccountRuns
    report: str
    query: Query | None = None
    known: Collection[int] = ()
    run: ReportRun | None = None
    result: ReportResult | None = None
    error: CanvasReportsError | None = None
    rows: int | None = None
    began: float | None = None
    took: float | None = None
    is_ours: bool = False
    downloads: int = 0
    downloading: ProgressEvent | None = None
    locked_until: float | None = None
    locked_since: float | None = None
    usual: tuple[float, float] | tuple[()] | None = None
    is_reused: bool = False
    others: tuple[ReportRun, ...] = ()
    passed: int = 0
    keep: Keep | None = None

    def take(self, decision: Decision, known: Collection[int]) -> None:
        """Continue with the run that was decided on."""
        self.known, self.usual = known, decision.usual or ()
        self.is_reused, self.others = decision.run is not None, decision.others
        if decision.stored is not None:
            self.finish(decision.stored)
        elif decision.run is not None:
            self.follow(decision.run)

    @property
    def may_pass_over(self) -> bool:
        """Whether another run may take the place of the chosen one."""
        return self.is_reused and self.passed < _MOST_PASSED

    def pass_over(self) -> str:
        """Turn from a run that gives no file to the next choice, and return it in words."""
        self.passed += 1
        if self.run is not None:
            self.known = {*self.known, self.run.id}
            self.runs.ledger.forget(self.report, self.run.id)
        if self.others:
            self.run, *others = self.others
            self.others = tuple(others)
            return f"Using run {self.run.id} instead."
        self.run, self.is_reused = None, False
        return "Starting a new run."

    def begin(self, history: Sequence[ReportRun]) -> ReportRun:
        """Start a new run, even if Canvas already has an equal one."""
        if self.query is not None:
            self.take(*self.runs.decide(self.query, 0, lambda: history))
        return self.start()

    def start(self) -> ReportRun:
        """Start the run, or join an equal one."""
        if self.query is None:
            raise AssertionError("a run without a query is attached, never started")
        run, joined = self.runs.begin(self.query, self.known)
        self.is_reused = joined
        self.follow(run, ours=not joined)
        return run

    def follow(self, run: ReportRun, *, ours: bool = False) -> None:
        """Use a run for the request."""
        self.run, self.is_ours, self.began = run, ours, self.runs.waiter.elapsed()

    def finish(self, outcome: ReportResult | CanvasReportsError) -> None:
        """Set the result or the error."""
        if isinstance(outcome, CanvasReportsError):
            # A run with a result may turn out to lack the requested table.
            self.error, self.result, self.rows = outcome, None, None
        else:
            self.result = replace(outcome, asked=self.query.question) if self.query else outcome
            self.rows = outcome.rows
        if self.began is not None:
            self.took = self.runs.waiter.elapsed() - self.began

    def done_event(self) -> ProgressEvent:
        """Return the last event of a run with a result: its rows, how long it took, and where it came from."""
        if self.result is None:
            raise AssertionError("only a run with a result is done")
        run_id = int(self.result.provenance["run_id"])
        source = f"took {span(self.took)}" if self.took is not None else f"run {run_id} from this disk"
        if self.is_reused and self.took is not None:
            source = "from a run that Canvas already had"
        text = f"done, {self.rows:,} rows, {source}"
        return ProgressEvent("done", self.report, run_id, RunStatus.COMPLETE, fraction=1.0, text=text)

    @property
    def is_finished(self) -> bool:
        """Whether there is a result or an error."""
        return self.result is not None or self.error is not None

    @property
    def is_in_flight(self) -> bool:
        """Whether it was running in Canvas when last seen."""
        return not self.is_finished and self.run is not None and not self.run.is_ended

    @property
    def group(self) -> tuple[str, str]:
        """Account and report: one list of Canvas's describes all runs that share them."""
        return self.runs.account, self.report

    def line(self, now: float) -> RunProgress:
        """The run as a line of a table."""
        run_id = self.run.id if self.run else None
        if self.result is not None:
            run_id, state, fraction = self.result.provenance["run_id"], "done", 1.0
        elif self.error is not None:
            run_id, state, fraction = run_id or self.error.run_id, "failed", None
        elif self.run is None:
            state, fraction = "waiting", None
        elif self.downloading is not None:
            state, fraction = self.downloading.stage, self.downloading.fraction
        else:
            state = "queued" if self.run.status == RunStatus.CREATED else self.run.status
            fraction = (self.run.progress or 0) / 100
        rows = self.run.current_line if self.run and self.is_in_flight else self.rows
        label = self.query.label if self.query else self.report
        return RunProgress(label, run_id, state, fraction, rows, self._elapsed(now))

    def _elapsed(self, now: float) -> float:
        if self.took is not None:
            return self.took
        return 0.0 if self.began is None else now - self.began


def waiting_event(pending: PendingRun, run: ReportRun, waited: float, pause: float) -> ProgressEvent:
    """Return the state of one run, with the server's times if it sends them, because clocks may differ."""
    spent = waited if run.run_time is None else run.run_time
    is_queued = run.status == RunStatus.CREATED
    queued = spent if is_queued else 0.0
    if not is_queued and run.started_at and run.created_at:
        queued = max((run.started_at - run.created_at).total_seconds(), 0.0)
    return ProgressEvent(
        "waiting",
        run.report,
        run.id,
        run.status,
        fraction=(run.progress or 0) / 100,
        rows=run.current_line,
        queued=queued,
        running=0.0 if is_queued else spent,
        next_poll=pause,
        usual=pending.usual or None,
    )


def table_event(
    pending: Sequence[PendingRun], now: float, begun: float, next_poll: float | None
) -> ProgressEvent:
    """Return the state of many runs: one line per run, and the number of runs in each state."""
    lines = tuple(each.line(now) for each in pending)
    states = Counter(line.state for line in lines)
    shown = ("running", "compiling", "queued", "waiting", "failed")
    counts = [f"{states['done']} of {len(lines)} done"]
    counts += [f"{states[state]} {state}" for state in shown if states[state]]
    ended = states["done"] + states["failed"]
    fractions = sum(line.fraction or 0.0 for line in lines if line.state not in ("done", "failed"))
    return ProgressEvent(
        "done" if ended == len(lines) else "waiting",
        "read_reports",
        status=", ".join(counts),
        fraction=(ended + fractions) / len(lines),
        running=now - begun,
        next_poll=next_poll,
        text=", ".join(counts),
        runs=lines,
    )


def check_wait(timeout: float | None, on_interrupt: OnInterrupt) -> None:
    """Reject an invalid ``timeout`` or ``on_interrupt``."""
    if timeout is not None and not is_number(timeout):
        raise ParameterError(
            f"timeout= must be a number of seconds, not {timeout!r}.", hint="Use seconds, or None."
        )
    if on_interrupt not in ("detach", "abort"):
        raise ParameterError(f"Unknown on_interrupt={on_interrupt!r}.", hint='Use "detach" or "abort".')


def attach_line(run: ReportRun) -> str:
    """Return the line that gets a run later, in another cell or after a restart."""
    return f"canvas.attach({run.report!r}, {run.id}).result()"


def ending(run: ReportRun, account: str) -> RunError | None:
    """Return the error of an ended run; ``None`` if it has a file."""
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
        hint="Check the parameters. If they are right, start it again or show the reason to a Canvas admin.",
        account=account,
    )


def late(pending: PendingRun, timeout: float) -> CanvasReportsError:
    """Return the error of a run for which the time is up."""
    account, run = pending.runs.account, pending.run
    if run is None:
        return NotStartedError(
            f"Not started: the {timeout:g} s were over before its turn.",
            hint="Use a larger timeout=. Runs that are queued or finished are reused.",
            account=account,
            report=pending.report,
        )
    if run.is_ended:
        missing = (
            "another process is still downloading its file"
            if pending.locked_until
            else "its file is not here yet"
        )
        message = f"Stopped waiting after {timeout:g} s; the run has ended, but {missing}."
    else:
        message = f"Stopped waiting after {timeout:g} s; the run is still {run.status} in Canvas."
    return WaitTimeoutError(message, run, hint=f"To get it later: {attach_line(run)}", account=account)


def gone(pending: PendingRun, error: UnknownRunError) -> CanvasReportsError:
    """Return the error of a run that somebody deleted."""
    if pending.run is None:
        return error
    gone = RunDeletedError(
        "The run is gone: somebody deleted it.",
        pending.run,
        hint="Start it again.",
        account=pending.runs.account,
    )
    gone.__cause__ = error
    return gone
