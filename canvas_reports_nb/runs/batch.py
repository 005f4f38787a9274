"""Many runs at once: the server's queue kept filled, one question for the state of many, files as they come.

One thread and one loop, so that all requests of the batch take their turn and one slow-down slows all.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.canvas_api.models import RunStatus
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    DamagedFileError,
    NotReachedError,
    NotStartedError,
    RunDeletedError,
    ServerError,
    StoreLockedError,
    ThrottledError,
    UnknownRunError,
    WaitTimeoutError,
)
from canvas_reports_nb.runs.decide import PATIENCE, may_poll_again, next_look, room
from canvas_reports_nb.runs.download import retrieve
from canvas_reports_nb.runs.job import ending
from canvas_reports_nb.runs.progress import ProgressEvent, RunProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.runs.account import Runs
    from canvas_reports_nb.runs.progress import ProgressSink
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import OnInterrupt


_LOG = logging.getLogger(__name__)
_PAGE = 100
_HOUR = 3600.0
# A file that can't be fetched for the network's sake is tried again, but not for ever.
_FETCHES = 3


class Batch:
    """Settles tasks: each gets a result or an error.

    Parameters
    ----------
    tasks : sequence of Task
        In the order they are started.
    sink : ProgressSink
    timeout : float or None
        The budget for all of them together, in seconds, for the telling; `budget.left` keeps the time.
    """

    def __init__(self, tasks: Sequence[Task], sink: ProgressSink, timeout: float | None) -> None:
        self._tasks, self._sink, self._timeout = tasks, sink, timeout
        self._waiter = tasks[0].runs.waiter
        self._clock = self._waiter.clock
        self._begun = self._clock()
        self._failing_since: float | None = None
        self._next_look = self._begun + next_look(0.0, 0)
        self._looks: deque[float] = deque()
        self._looked: dict[tuple[str, str], float] = {}
        self._oldest_first = True
        self._queue: set[Task] = set()
        self._taken = 0

    def settle(self, on_interrupt: OnInterrupt) -> None:
        """Start, watch and fetch until every task is settled."""
        try:
            while self._unsettled():
                self._start()
                ready = self._ready()
                if ready is not None:
                    self._fetch(ready)
                elif self._unsettled():
                    self._wait()
                if self._clock() >= self._next_look:
                    self._look()
        except KeyboardInterrupt as interrupt:
            self._interrupted(interrupt, on_interrupt)
            raise
        self._show()

    # -- one turn ----------------------------------------------------------------------------

    def _start(self) -> None:
        """Fill the server's queue from the tasks that wait for their turn."""
        pending = [task for task in self._tasks if task.run is None and not task.is_finished]
        if not pending or self._waiter.is_expired:
            return
        for task in pending[: room(len(self._queued()), self._taken)]:
            task.runs.throttle()
            try:
                job = task.runs.begin(task.report, task.wire, task.known)
                task.join(job.run, ours=not job.is_joined)
                self._failing_since = None
                self._queue.add(task)
            except (ThrottledError, NotReachedError) as error:
                # Nothing was started, and the next one would fare no better: it keeps its turn.
                self._postpone(error)
                break
            except CanvasReportsError as error:
                self._fail(task, error)
            self._show()
        self._taken = 0

    def _wait(self) -> None:
        """Sleep until the next look, and look; or give up where the budget is spent."""
        if self._waiter.is_expired:
            self._give_up()
            return
        pause = min(self._next_look - self._clock(), self._waiter.remaining)
        self._show(next_poll=pause)
        if pause > 0:
            self._waiter.pause(pause)
        self._look()

    def _look(self) -> None:
        """Ask how the runs stand, one list after the other as long as that finds runs that have ended.

        Canvas takes runs in the order of their creation: the oldest is the likeliest to have ended. Every
        other time the list asked longest ago comes first, so that one long run hides no others.
        """
        groups = self._groups()
        if not self._oldest_first:
            groups = dict(sorted(groups.items(), key=lambda item: self._looked.get(item[0], 0.0)))
        self._oldest_first = not self._oldest_first
        for group, tasks in groups.items():
            self._looked[group] = self._clock()
            try:
                self._refresh(tasks)
                self._failing_since = None
            except (NotReachedError, ServerError) as error:
                self._postpone(error)
                break
            except CanvasReportsError as error:
                for task in tasks:
                    task.settle(error)
            if all(task.is_in_flight for task in tasks) or not may_poll_again(self._recent_looks()):
                break
        now, queued = self._clock(), self._queued()
        self._taken, self._queue = len(self._queue - queued), queued
        self._next_look = now + next_look(now - self._begun, self._recent_looks())

    def _refresh(self, tasks: Sequence[Task]) -> None:
        """The state of the runs of one list: one question, however many they are."""
        runs, report = tasks[0].runs, tasks[0].report
        wanted = {task.run.id: task for task in tasks if task.run}
        if len(wanted) > 1:
            self._note_question(runs)
            for place, run in enumerate(runs.api.index(report)):
                if run.id in wanted:
                    wanted.pop(run.id).run = run
                if not wanted or place + 1 == _PAGE:
                    break
        for run_id, task in wanted.items():
            self._note_question(runs)
            try:
                task.run = runs.api.show(report, run_id)
            except UnknownRunError as error:
                task.settle(_gone(task, error))

    def _fetch(self, task: Task) -> None:
        """The file of a run that has ended, or its error."""
        run = task.run
        if run is None:
            raise AssertionError("only what has ended is fetched")
        failed = ending(run, task.runs.account)
        if failed is not None:
            task.settle(failed)
        else:
            task.fetches += 1
            task.runs.throttle()
            try:
                task.settle(retrieve(task.runs.api, task.runs.store, task.runs.url, run, self._moved(task)))
            except CanvasReportsError as error:
                passing = isinstance(error, ThrottledError | NotReachedError)
                if not passing or task.fetches == _FETCHES or self._waiter.is_expired:
                    self._fail(task, error)
        self._show()

    # -- what is known -----------------------------------------------------------------------

    def _ready(self) -> Task | None:
        return next((t for t in self._tasks if t.run and t.run.is_ended and not t.is_finished), None)

    def _groups(self) -> dict[tuple[str, str], list[Task]]:
        """The tasks in flight by the list that tells of them, the oldest run's first."""
        groups: dict[tuple[str, str], list[Task]] = {}
        for task in self._in_order():
            if task.is_in_flight:
                groups.setdefault(task.group, []).append(task)
        return groups

    def _in_order(self) -> list[Task]:
        """The tasks Canvas knows, in the order it takes them."""
        return sorted(
            (task for task in self._tasks if task.run), key=lambda task: task.run.id if task.run else 0
        )

    def _queued(self) -> set[Task]:
        """The tasks that still stand in Canvas's queue: behind the last one known to have left it."""
        queued: set[Task] = set()
        for task in self._in_order():
            if task.run and task.run.status == RunStatus.CREATED and not task.is_finished:
                queued.add(task)
            else:
                queued.clear()
        return queued

    def _note_question(self, runs: Runs) -> None:
        runs.throttle()
        self._looks.append(self._clock())

    def _recent_looks(self) -> int:
        while self._looks and self._looks[0] < self._clock() - _HOUR:
            self._looks.popleft()
        return len(self._looks)

    # -- endings -----------------------------------------------------------------------------

    def _postpone(self, error: CanvasReportsError) -> None:
        """A passing fault costs one turn; one that stays costs all that is left."""
        _LOG.warning("%s; asking again", error.message)
        if self._failing_since is None:
            self._failing_since = self._clock()
        elif self._timeout is None and self._clock() - self._failing_since > PATIENCE:
            for task in self._unsettled():
                task.settle(error)

    def _fail(self, task: Task, error: CanvasReportsError) -> None:
        """Settle a task with its error, or with the lack of time for another try."""
        if self._waiter.is_expired and isinstance(error, ServerError | DamagedFileError | StoreLockedError):
            late = _late(task, self._timeout or 0.0)
            late.__cause__ = error
            task.settle(late)
        else:
            task.settle(error)

    def _give_up(self) -> None:
        for task in self._unsettled():
            task.settle(_late(task, self._timeout or 0.0))

    def _interrupted(self, interrupt: KeyboardInterrupt, on_interrupt: OnInterrupt) -> None:
        going = [task for task in self._unsettled() if task.run is not None]
        text = f"Interrupted; {_count(going, 'run')} {'goes' if len(going) == 1 else 'go'} on"
        if on_interrupt == "abort":
            text = f"Interrupted; {_count([t for t in going if self._aborted(t)], 'run')} stopped"
        done = sum(task.result is not None for task in self._tasks)
        ids = ", ".join(str(task.run.id) for task in going if task.run)
        text += f" ({ids})" if ids else ""
        text += f", {done} of {len(self._tasks)} are on this disk."
        text += " Later: canvas.read_reports(requests) goes on from here."
        self._sink.show(ProgressEvent("note", "read_reports", text=text))
        interrupt.add_note(text)

    def _aborted(self, task: Task) -> bool:
        """Stop a run of ours; one that was joined is somebody else's, too."""
        if not task.is_ours or task.run is None:
            return False
        try:
            return task.runs.api.abort(task.report, task.run.id).status == RunStatus.ABORTED
        except CanvasReportsError as error:
            # The interrupt must come through whatever Canvas says.
            _LOG.warning("run %s was not stopped: %s", task.run.id, error.message)
            return False

    def _unsettled(self) -> list[Task]:
        return [task for task in self._tasks if not task.is_finished]

    # -- showing -----------------------------------------------------------------------------

    def _moved(self, task: Task) -> Callable[[ProgressEvent], None]:
        def moved(event: ProgressEvent) -> None:
            if event.stage == "note":
                self._sink.show(event)
                return
            task.fetched = event
            self._show()

        return moved

    def _show(self, next_poll: float | None = None) -> None:
        now = self._clock()
        lines = tuple(task.line(now) for task in self._tasks)
        settled = all(line.state in {"done", "failed"} for line in lines)
        counts = [f"{sum(line.state == 'done' for line in lines)} of {len(lines)} done"]
        for state in ("running", "compiling", "queued", "waiting", "failed"):
            number = sum(line.state == state for line in lines)
            counts += [f"{number} {state}"] if number else []
        parts = (1.0 if line.state in {"done", "failed"} else (line.fraction or 0.0) for line in lines)
        self._sink.show(
            ProgressEvent(
                "done" if settled else "waiting",
                "read_reports",
                status=", ".join(counts),
                fraction=sum(parts) / len(lines),
                running=now - self._begun,
                next_poll=next_poll,
                text=", ".join(counts),
                runs=lines,
            )
        )


def _late(task: Task, timeout: float) -> CanvasReportsError:
    account, report = task.runs.account, task.report
    if task.run is None:
        return NotStartedError(
            f"Not started: {timeout:g} s were over before its turn.",
            hint="Call again with a larger timeout=; what is queued or finished is used again.",
            account=account,
            report=report,
        )
    hint, missing = "It goes on; the same call later joins it, unless with max_age=0.", ""
    if task.run.is_ended:
        hint = "The same call later fetches it, unless with max_age=0."
        missing = ", and its file is not here yet"
    said = f"The run is {task.run.status} after {timeout:g} s{missing}."
    late = WaitTimeoutError(said, task.run, hint=hint, account=account)
    late.job = task.runs.job(task.run)
    return late


def _gone(task: Task, error: UnknownRunError) -> CanvasReportsError:
    if task.run is None:
        return error
    said, hint = "The run is gone: somebody deleted it.", "Start it again."
    return RunDeletedError(said, task.run, hint=hint, account=task.runs.account)


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


@dataclass(slots=True, eq=False)
class Task:
    """One run that is wanted, and how far it is.

    Attributes
    ----------
    runs : Runs
        Of its account.
    report : str
    wire : mapping
        Its parameters, checked.
    label : str
    known : collection of int or None
        The runs Canvas's list held before it is started; ``None`` where it was not read.
    run : ReportRun or None
        As Canvas last told it; ``None`` until it is started.
    result : ReportResult or None
    error : CanvasReportsError or None
    rows : int or None
        Of all tables of the result.
    """

    runs: Runs
    report: str
    wire: Mapping[str, Any]
    label: str
    known: Collection[int] | None = None
    run: ReportRun | None = None
    result: ReportResult | None = None
    error: CanvasReportsError | None = None
    rows: int | None = None
    began: float | None = None
    took: float | None = None
    is_ours: bool = False
    fetches: int = 0
    fetched: ProgressEvent | None = None

    def join(self, run: ReportRun, *, ours: bool = False) -> None:
        """Let a run serve the task."""
        self.run, self.is_ours, self.began = run, ours, self.runs.waiter.clock()

    def settle(self, outcome: ReportResult | CanvasReportsError) -> None:
        """End the task with its result or its error."""
        if isinstance(outcome, CanvasReportsError):
            # One that has a result may still turn out not to have what was wanted of it.
            self.error, self.result, self.rows = outcome, None, None
        else:
            self.result = outcome
            self.rows = sum(outcome.load("arrow", table, []).num_rows for table in outcome.tables)
        if self.began is not None:
            self.took = self.runs.waiter.clock() - self.began

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will be done."""
        return self.result is not None or self.error is not None

    @property
    def is_in_flight(self) -> bool:
        """Whether it runs on Canvas, or did when last seen."""
        return not self.is_finished and self.run is not None and not self.run.is_ended

    @property
    def group(self) -> tuple[str, str]:
        """One list of Canvas's tells of all tasks that share this."""
        return self.runs.account, self.report

    def line(self, now: float) -> RunProgress:
        """The task as a line of the table."""
        run, elapsed = self.run, self.took
        if elapsed is None:
            elapsed = 0.0 if self.began is None else now - self.began
        if self.result is not None:
            run_id = self.result.provenance["run_id"]
            return RunProgress(self.label, run_id, "done", 1.0, self.rows, elapsed)
        if self.error is not None:
            return RunProgress(self.label, run.id if run else self.error.run_id, "failed", elapsed=elapsed)
        if run is None:
            return RunProgress(self.label)
        if self.fetched is not None:
            return RunProgress(self.label, run.id, self.fetched.stage, self.fetched.fraction, elapsed=elapsed)
        state = "queued" if run.status == RunStatus.CREATED else run.status
        return RunProgress(self.label, run.id, state, (run.progress or 0) / 100, run.current_line, elapsed)
