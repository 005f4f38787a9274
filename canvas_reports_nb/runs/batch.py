"""Run one report or many: fill Canvas's queue, poll many runs with one request, download files as they finish.

It is one loop in one thread, so that all requests take turns and one throttled response slows all of them.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from canvas_reports_nb.canvas_api.models import RunStatus
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    DamagedFileError,
    NotFoundError,
    NotPermittedError,
    NotReachedError,
    ServerError,
    StoreLockedError,
    ThrottledError,
    UnexpectedAnswerError,
    UnknownRunError,
)
from canvas_reports_nb.runs.decide import (
    FAILURES,
    PATIENCE,
    estimate,
    free_slots,
    may_poll_again,
    next_batch_poll,
)
from canvas_reports_nb.runs.download import retrieve
from canvas_reports_nb.runs.pending import (
    PendingRun,
    attach_line,
    ending,
    gone,
    late,
    table_event,
    waiting_event,
)
from canvas_reports_nb.runs.progress import ProgressEvent, ended
from canvas_reports_nb.runs.start import rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.runs.account import AccountRuns
    from canvas_reports_nb.runs.progress import ProgressSink
    from canvas_reports_nb.typing import OnInterrupt

_LOG = logging.getLogger(__name__)
_PAGE, _HOUR = 100, 3600.0
# Attempts to download a file despite temporary errors.
_DOWNLOADS = 3
# Seconds until the next attempt if another process has locked the folder of a run.
_LOCKED = 1.0
_FILE_MISSING = (NotFoundError, NotPermittedError, UnexpectedAnswerError)


class Batch:
    """A batch of pending runs, each of which gets a result or an error.

    Parameters
    ----------
    pending : sequence of PendingRun
        In the order they are started.
    sink : ProgressSink
    timeout : float or None
        The caller's total seconds, for messages; the deadline itself is the waiter's.
    as_table : bool
        Show one line per run, not the one run.
    until : {"downloaded", "ended"}
        Whether to download the files of runs that have ended.
    """

    def __init__(
        self,
        pending: Sequence[PendingRun],
        sink: ProgressSink,
        timeout: float | None,
        *,
        as_table: bool = False,
        until: Literal["downloaded", "ended"] = "downloaded",
    ) -> None:
        self._pending, self._sink, self._timeout = pending, sink, timeout
        self._as_table, self._downloads = as_table, until == "downloaded"
        self._waiter = pending[0].runs.waiter
        self._clock = self._waiter.elapsed
        self._begun = self._answered = self._clock()
        self._failures = 0
        self._pause = next_batch_poll(0.0, 0)
        self._next_poll = self._begun + self._pause
        self._polls: deque[float] = deque()
        self._polled: dict[tuple[str, str], float] = {}
        self._oldest_first = True
        self._queue: set[PendingRun] = set()
        self._taken = 0

    def run(self, on_interrupt: OnInterrupt) -> None:
        """Start, watch and download until every run has a result or an error."""
        try:
            while self._unfinished():
                self._start()
                ready = self._ready()
                if ready is not None:
                    self._end(ready)
                elif self._unfinished():
                    self._wait()
                if self._clock() >= self._next_poll:
                    self._poll()
        except KeyboardInterrupt as interrupt:
            self._interrupted(interrupt, on_interrupt)
            raise
        self._show()

    # -- one turn ----------------------------------------------------------------------------

    def _start(self) -> None:
        """Fill the server's queue from the runs that wait for their turn."""
        waiting = [each for each in self._pending if each.run is None and not each.is_finished]
        if not waiting or self._waiter.is_expired:
            return
        for pending in waiting[: free_slots(len(self._queued()), self._taken)]:
            if not self._start_one(pending):
                break
            self._show()
        self._taken = 0  # until the next look

    def _start_one(self, pending: PendingRun) -> bool:
        """Start a run; return False if the next start would fail too."""
        pending.runs.throttle()
        try:
            if self._downloads:
                pending.runs.check_store(pending.report)
            pending.start()
        except CanvasReportsError as error:
            if self._as_table and isinstance(error, ThrottledError | NotReachedError):
                self._postpone(error)
                return False
            self._fail(pending, error)
            return True
        self._answered, self._failures = self._clock(), 0
        self._queue.add(pending)
        return True

    def _wait(self) -> None:
        """Wait until the next poll, and poll; or give up if the time is up."""
        if self._waiter.is_expired:
            self._give_up()
            return
        self._learn_usual()
        locked = [each.locked_until for each in self._unfinished() if each.locked_until is not None]
        in_flight = any(each.is_in_flight for each in self._pending) or not locked
        # A whole pause between two looks, however long the last one took.
        pauses = [*(until - self._clock() for until in locked), *([self._pause] if in_flight else [])]
        pause = min(max(min(pauses), 0.0), self._waiter.remaining)
        self._show(next_poll=pause)
        self._waiter.pause(pause)
        if in_flight and min(pauses) == self._pause:
            self._poll()

    def _poll(self) -> None:
        """Look at the runs, one list after the other, as long as that finds runs that have ended.

        Canvas takes runs in the order of their creation, so the oldest is the likeliest to have ended. Every other
        time the list that was read longest ago comes first, so that one long run hides no others.
        """
        groups = self._groups()
        if not self._oldest_first:
            groups = dict(sorted(groups.items(), key=lambda item: self._polled.get(item[0], 0.0)))
        self._oldest_first = not self._oldest_first
        for group, pending in groups.items():
            self._polled[group] = self._clock()
            try:
                self._refresh(pending)
                self._answered, self._failures = self._clock(), 0
            except (NotReachedError, ServerError) as error:
                self._postpone(error)
                break
            except CanvasReportsError as error:
                for each in pending:
                    each.finish(error)
            if all(each.is_in_flight for each in pending) or not may_poll_again(self._recent_polls()):
                break
        now, queued = self._clock(), self._queued()
        self._taken, self._queue = len(self._queue - queued), queued
        self._pause = next_batch_poll(now - self._begun, self._recent_polls())
        self._next_poll = now + self._pause

    def _refresh(self, pending: Sequence[PendingRun]) -> None:
        """Update the runs of one list: one request, however many they are."""
        runs, report = pending[0].runs, pending[0].report
        wanted = {each.run.id: each for each in pending if each.run}
        if len(wanted) > 1:
            self._note_poll(runs)
            for place, run in enumerate(runs.api.index(report)):
                if run.id in wanted:
                    wanted.pop(run.id).run = run
                if not wanted or place + 1 == _PAGE:
                    break
        for run_id, each in wanted.items():
            self._note_poll(runs)
            try:
                each.run = runs.api.show(report, run_id)
            except UnknownRunError as error:
                self._end_without_file(each, gone(each, error))

    def _end(self, pending: PendingRun) -> None:
        """Download the file of a run that has ended, or set its error."""
        run = pending.run
        if run is None:
            raise AssertionError("only a run that has ended is downloaded")
        failed = ending(run, pending.runs.account)
        if failed is not None:
            self._end_without_file(pending, failed)
        else:
            self._download(pending, run)
        self._show()

    def _end_without_file(self, pending: PendingRun, error: CanvasReportsError) -> None:
        """Set the error of a run, or turn to the next choice if this call did not start it."""
        run = pending.run
        if run is None or not pending.may_pass_over:
            self._fail(pending, error)
            return
        text = f"Run {run.id} can't be used: {error.message} {pending.pass_over()}"
        self._sink.show(ProgressEvent("note", run.report, run.id, run.status, text=text))

    def _download(self, pending: PendingRun, run: ReportRun) -> None:
        pending.runs.throttle()
        query, runs = pending.query, pending.runs
        key = query.key if query else runs.ledger.key(run.report, run.id)
        if query and rewritten(query, run):
            key = None  # the warning was shown once; the run must not answer the next call without it
        show, asked = self._moved(pending), query.question if query else None
        try:
            found = retrieve(
                runs.api, runs.store, runs.url, run, show, key=key, asked=asked, keep=pending.keep
            )
            pending.finish(found)
        except StoreLockedError as error:
            self._wait_for_lock(pending, run, error)
        except _FILE_MISSING as error:
            self._end_without_file(pending, error)
        except CanvasReportsError as error:
            pending.downloads += 1
            passing = isinstance(error, ThrottledError | NotReachedError) and self._as_table
            if not passing or pending.downloads == _DOWNLOADS or self._waiter.is_expired:
                self._fail(pending, error)
        else:
            pending.locked_until = pending.locked_since = None

    def _wait_for_lock(self, pending: PendingRun, run: ReportRun, error: StoreLockedError) -> None:
        """Try a download again later, because another process is at it."""
        now = self._clock()
        if pending.locked_since is None:
            pending.locked_since = now
            text = f"Waiting for another process that is downloading run {run.id} ..."
            self._sink.show(ProgressEvent("note", run.report, run.id, run.status, text=text))
        if self._timeout is None and now - pending.locked_since > PATIENCE:
            pending.finish(error)  # a stopped process holds its locks forever
        pending.locked_until = now + _LOCKED

    # -- what is known -----------------------------------------------------------------------

    def _ready(self) -> PendingRun | None:
        """Return a run that has ended and is not locked by another process."""
        now = self._clock()
        ended = (each for each in self._unfinished() if each.run and each.run.is_ended)
        return next((each for each in ended if (each.locked_until or now) <= now), None)

    def _groups(self) -> dict[tuple[str, str], list[PendingRun]]:
        """The runs in flight by the list that describes them, the oldest run's list first."""
        groups: dict[tuple[str, str], list[PendingRun]] = {}
        for each in self._in_order():
            if each.is_in_flight:
                groups.setdefault(each.group, []).append(each)
        return groups

    def _in_order(self) -> list[PendingRun]:
        """The runs that Canvas knows, in the order it takes them."""
        return sorted(
            (each for each in self._pending if each.run), key=lambda each: each.run.id if each.run else 0
        )

    def _queued(self) -> set[PendingRun]:
        """The runs still in Canvas's queue: behind the last one known to have left it."""
        queued: set[PendingRun] = set()
        for each in self._in_order():
            if each.run and each.run.status == RunStatus.CREATED and not each.is_finished:
                queued.add(each)
            else:
                queued.clear()
        return queued

    def _note_poll(self, runs: AccountRuns) -> None:
        runs.throttle()
        self._polls.append(self._clock())

    def _recent_polls(self) -> int:
        while self._polls and self._polls[0] < self._clock() - _HOUR:
            self._polls.popleft()
        return len(self._polls)

    def _learn_usual(self) -> None:
        """Estimate how long a single run takes, unless the decision already has an estimate."""
        only = self._pending[0]
        if not self._as_table and only.usual is None and only.is_in_flight:
            only.usual = estimate(only.runs.page(only.report)) or ()

    # -- endings -----------------------------------------------------------------------------

    def _postpone(self, error: CanvasReportsError) -> None:
        """Ignore a temporary fault for one turn; without a deadline, a lasting one ends the batch."""
        _LOG.warning("%s; asking again", error.message)
        self._failures += 1
        # Attempts count, too: a laptop may have been asleep all that time.
        is_lost = self._failures >= FAILURES and self._clock() - self._answered > PATIENCE
        if self._timeout is None and is_lost:
            for each in self._unfinished():
                each.finish(error)

    def _fail(self, pending: PendingRun, error: CanvasReportsError) -> None:
        """Set the error, or the timeout if there is no time left for another attempt."""
        if self._waiter.is_expired and isinstance(error, ServerError | DamagedFileError):
            timed_out = late(pending, self._timeout or 0.0)
            timed_out.__cause__ = error
            pending.finish(timed_out)
        else:
            pending.finish(error)

    def _give_up(self) -> None:
        for each in self._unfinished():
            each.finish(late(each, self._timeout or 0.0))

    def _interrupted(self, interrupt: KeyboardInterrupt, on_interrupt: OnInterrupt) -> None:
        text = (
            self._table_interrupted(on_interrupt) if self._as_table else self._one_interrupted(on_interrupt)
        )
        if text:
            self._sink.show(replace(self._note(), text=text))
            interrupt.add_note(text)

    def _one_interrupted(self, on_interrupt: OnInterrupt) -> str:
        pending = self._pending[0]
        run = pending.run
        if run is None:
            return ""
        left = f"Interrupted; run {run.id} {_fate(run)}. To get it later: {attach_line(run)}"
        if on_interrupt != "abort" or run.is_ended:
            return left
        if not pending.is_ours:
            return f"{left} It was not stopped, because this call did not start it."
        try:
            pending.run = pending.runs.api.abort(run.report, run.id)
        except CanvasReportsError as error:
            # The interrupt must get through, whatever Canvas responds.
            return f"{left} It could not be stopped: {error.message}"
        return f"Interrupted; run {run.id} was stopped."

    def _table_interrupted(self, on_interrupt: OnInterrupt) -> str:
        going = [each for each in self._unfinished() if each.run is not None]
        verb = "continues in Canvas" if len(going) == 1 else "continue in Canvas"
        if on_interrupt == "abort":
            stopped = [each for each in going if _aborted(each)]
            left = len(going) - len(stopped)
            text = f"Interrupted; {_count(stopped, 'run')} stopped"
            text += f", {left} not, because this call did not start them or they have ended" if left else ""
        else:
            text = f"Interrupted; {_count(going, 'run')} {verb}"
        ids = ", ".join(str(each.run.id) for each in going if each.run)
        done = sum(each.result is not None for each in self._pending)
        text += f" ({ids})" if ids else ""
        return (
            f"{text}, {done} of {len(self._pending)} are on this disk. "
            "To continue: canvas.read_reports(requests)"
        )

    def _unfinished(self) -> list[PendingRun]:
        if self._downloads:
            return [each for each in self._pending if not each.is_finished]
        return [
            each for each in self._pending if not each.is_finished and not (each.run and each.run.is_ended)
        ]

    # -- showing -----------------------------------------------------------------------------

    def _moved(self, pending: PendingRun) -> Callable[[ProgressEvent], None]:
        def moved(event: ProgressEvent) -> None:
            pending.downloading = event
            if self._as_table:
                self._show()
            else:
                self._sink.show(event)

        return moved

    def _note(self) -> ProgressEvent:
        """A note on this batch, or on its only run."""
        pending = self._pending[0]
        if self._as_table or pending.run is None:
            return ProgressEvent("note", "read_reports" if self._as_table else pending.report)
        return ProgressEvent("note", pending.report, pending.run.id, pending.run.status)

    def _show(self, next_poll: float | None = None) -> None:
        if self._as_table:
            self._sink.show(table_event(self._pending, self._clock(), self._begun, next_poll))
            return
        pending = self._pending[0]
        if pending.result is not None:
            self._sink.show(pending.done_event())
        elif pending.error is not None:
            stage = ended(pending.error)
            if stage is not None:
                text = "" if stage == "stopped" else pending.error.message
                self._sink.show(replace(self._note(), stage=stage, text=text))
        elif next_poll is not None and pending.run is not None and not pending.run.is_ended:
            waited = self._clock() - self._begun
            self._sink.show(waiting_event(pending, pending.run, waited, next_poll))


def _aborted(pending: PendingRun) -> bool:
    """Stop a run that this call started."""
    if not pending.is_ours or pending.run is None:
        return False
    try:
        return pending.runs.api.abort(pending.report, pending.run.id).status == RunStatus.ABORTED
    except CanvasReportsError as error:
        # The interrupt must get through, whatever Canvas responds.
        _LOG.warning("run %s was not stopped: %s", pending.run.id, error.message)
        return False


def _fate(run: ReportRun) -> str:
    return "is kept in Canvas" if run.is_ended else "continues in Canvas"


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
