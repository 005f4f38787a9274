"""Many runs at once: the server's queue kept filled, one question for the state of many, files as they come.

One thread and one loop, so that all requests of the batch take their turn and one slow-down slows all.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    NotReachedError,
    NotStartedError,
    RunDeletedError,
    ServerError,
    ThrottledError,
    UnknownRunError,
    WaitTimeoutError,
)
from canvas_reports_nb.jobs import PATIENCE, ending
from canvas_reports_nb.models import RunStatus
from canvas_reports_nb.progress import ProgressEvent
from canvas_reports_nb.results import retrieve
from canvas_reports_nb.run_lines import RunLine
from canvas_reports_nb.scheduling import breather, may_look_on, next_look, room

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from canvas_reports_nb.models import ReportRun
    from canvas_reports_nb.obtaining import Runs
    from canvas_reports_nb.progress import ProgressSink
    from canvas_reports_nb.results import ReportResult
    from canvas_reports_nb.typing import OnInterrupt

__all__ = ["FanOut", "Task"]

_LOG = logging.getLogger(__name__)
_PAGE = 100
_HOUR = 3600.0
# A file that can't be fetched for the network's sake is tried again, but not for ever.
_FETCHES = 3
_QUEUED = RunStatus.CREATED


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
    run : ReportRun or None
        As Canvas last told it; ``None`` until it is started.
    result : ReportResult or None
    error : CanvasReportsError or None
    """

    runs: Runs
    report: str
    wire: Mapping[str, Any]
    label: str
    run: ReportRun | None = None
    result: ReportResult | None = None
    error: CanvasReportsError | None = None
    began: float | None = None
    is_ours: bool = False
    fetches: int = 0
    fetched: ProgressEvent | None = None

    def join(self, run: ReportRun, *, ours: bool = False) -> None:
        """Let a run serve the task."""
        self.run, self.is_ours, self.began = run, ours, self.runs.clock()

    @property
    def rows(self) -> int:
        """Rows of all tables of the result."""
        result = self.result
        return sum(result.load("arrow", table, []).num_rows for table in result.tables) if result else 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will be done."""
        return self.result is not None or self.error is not None

    @property
    def is_in_flight(self) -> bool:
        """Whether it runs on Canvas, or did when last seen."""
        return not self.is_settled and self.run is not None and not self.run.is_ended

    @property
    def group(self) -> tuple[str, str]:
        """One list of Canvas's tells of all tasks that share this."""
        return self.runs.account, self.report

    def line(self, now: float) -> RunLine:
        """The task as a line of the table."""
        run, elapsed = self.run, 0.0 if self.began is None else now - self.began
        if self.result is not None:
            return RunLine(self.label, self.result.provenance["run_id"], "done", 1.0, self.rows, elapsed)
        if self.error is not None:
            return RunLine(self.label, run.id if run else self.error.run_id, "failed", elapsed=elapsed)
        if run is None:
            return RunLine(self.label)
        if self.fetched is not None:
            return RunLine(self.label, run.id, self.fetched.stage, self.fetched.fraction, elapsed=elapsed)
        state = "queued" if run.status == _QUEUED else run.status
        return RunLine(self.label, run.id, state, (run.progress or 0) / 100, run.current_line, elapsed)


class FanOut:
    """Settles tasks: each gets a result or an error.

    Parameters
    ----------
    tasks : sequence of Task
        In the order they are started.
    sink : ProgressSink
    timeout : float or None
        Budget in seconds for all of them together.
    """

    def __init__(self, tasks: Sequence[Task], sink: ProgressSink, timeout: float | None) -> None:
        self._tasks, self._sink, self._timeout = tasks, sink, timeout
        self._clock, self._sleep = tasks[0].runs.clock, tasks[0].runs.sleep
        self._begun = self._answered = self._clock()
        self._next_look = self._begun + next_look(0.0, 0)
        self._looks: deque[float] = deque()
        self._looked: dict[tuple[str, str], float] = {}
        self._oldest_first = True
        self._queue: set[Task] = set()
        self._taken = 0

    def settle(self, on_interrupt: OnInterrupt) -> None:
        """Start, watch and fetch until every task is settled."""
        try:
            while any(not task.is_settled for task in self._tasks):
                self._start()
                ready = self._ready()
                if ready is not None:
                    self._fetch(ready)
                elif any(not task.is_settled for task in self._tasks):
                    self._wait()
                    continue
                if self._clock() >= self._next_look:
                    self._look()
        except KeyboardInterrupt as interrupt:
            self._interrupted(interrupt, on_interrupt)
            raise
        self._show()

    # -- one turn ----------------------------------------------------------------------------

    def _start(self) -> None:
        """Fill the server's queue from the tasks that wait for their turn."""
        pending = [task for task in self._tasks if task.run is None and not task.is_settled]
        if not pending or self._is_late():
            return
        for task in pending[: room(len(self._queued()), self._taken)]:
            self.breathe(task.runs)
            try:
                task.join(task.runs.begin(task.report, task.wire).run, ours=True)
                self._answered = self._clock()
                self._queue.add(task)
            except (ThrottledError, NotReachedError) as error:
                # Nothing was started, and the next one would fare no better: it keeps its turn.
                self._postpone(error)
                break
            except CanvasReportsError as error:
                task.error = error
            self._show()
        self._taken = 0

    def _wait(self) -> None:
        """Sleep until the next look, and look; or give up where the budget is spent."""
        pause = self._next_look - self._clock()
        if self._timeout is not None:
            left = self._begun + self._timeout - self._clock()
            if left <= 0:
                self._give_up()
                return
            pause = min(pause, left)
        self._show(next_poll=pause)
        if pause > 0:
            self._sleep(pause)
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
            self.breathe(tasks[0].runs)
            self._looks.append(self._clock())
            self._looked[group] = self._clock()
            try:
                self._refresh(tasks)
                self._answered = self._clock()
            except (NotReachedError, ServerError) as error:
                self._postpone(error)
                break
            except CanvasReportsError as error:
                for task in tasks:
                    task.error = error
            if all(task.is_in_flight for task in tasks) or not may_look_on(self._recent_looks()):
                break
        now, queued = self._clock(), self._queued()
        self._taken, self._queue = len(self._queue - queued), queued
        self._next_look = now + next_look(now - self._begun, self._recent_looks())

    def _refresh(self, tasks: Sequence[Task]) -> None:
        """The state of the runs of one list: one question, however many they are."""
        runs, report = tasks[0].runs, tasks[0].report
        wanted = {task.run.id: task for task in tasks if task.run}
        if len(wanted) > 1:
            for place, run in enumerate(runs.api.index(report)):
                if run.id in wanted:
                    wanted.pop(run.id).run = run
                if not wanted or place + 1 == _PAGE:
                    break
        for run_id, task in wanted.items():
            try:
                task.run = runs.api.show(report, run_id)
            except UnknownRunError as error:
                task.error = self._gone(task, error)

    def _fetch(self, task: Task) -> None:
        """The file of a run that has ended, or its error."""
        run = task.run
        if run is None:
            raise AssertionError("only what has ended is fetched")
        task.error = ending(run, task.runs.account)
        if task.error is None:
            task.fetches += 1
            self.breathe(task.runs)
            try:
                task.result = retrieve(task.runs.api, task.runs.store, task.runs.url, run, self._moved(task))
            except (ThrottledError, NotReachedError) as error:
                task.error = error if task.fetches == _FETCHES else None
            except CanvasReportsError as error:
                task.error = error
        self._show()

    # -- what is known -----------------------------------------------------------------------

    def _ready(self) -> Task | None:
        return next((t for t in self._tasks if t.run and t.run.is_ended and not t.is_settled), None)

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
            if task.run and task.run.status == _QUEUED and not task.is_settled:
                queued.add(task)
            else:
                queued.clear()
        return queued

    def _recent_looks(self) -> int:
        while self._looks and self._looks[0] < self._clock() - _HOUR:
            self._looks.popleft()
        return len(self._looks)

    def _is_late(self) -> bool:
        return self._timeout is not None and self._clock() - self._begun >= self._timeout

    def breathe(self, runs: Runs) -> None:
        """Slow down where Canvas says that little is left of the token's allowance."""
        pause = breather(runs.api.remaining)
        if pause:
            _LOG.debug("little is left of the rate limit: a pause of %.1f s", pause)
            self._sleep(pause)

    # -- endings -----------------------------------------------------------------------------

    def _postpone(self, error: CanvasReportsError) -> None:
        """A passing fault costs one turn; one that stays costs all that is left."""
        _LOG.warning("%s; asking again", error.message)
        if self._clock() - self._answered > PATIENCE:
            for task in self._unsettled():
                task.error = error

    def _give_up(self) -> None:
        for task in self._unsettled():
            if task.run is None:
                task.error = NotStartedError(
                    f"Not started: {self._timeout:g} s were over before its turn.",
                    hint="Call again with a larger timeout=; what is finished is used again.",
                    account=task.runs.account,
                    report=task.report,
                )
                continue
            late = WaitTimeoutError(
                f"The run is {task.run.status} after {self._timeout:g} s.",
                task.run,
                hint="It goes on; the same call later joins it.",
                account=task.runs.account,
            )
            late.job = task.runs.job(task.run)
            task.error = late

    def _gone(self, task: Task, error: UnknownRunError) -> CanvasReportsError:
        if task.run is None:
            return error
        return RunDeletedError(
            "The run is gone: somebody deleted it.",
            task.run,
            hint="Start it again.",
            account=task.runs.account,
        )

    def _interrupted(self, interrupt: KeyboardInterrupt, on_interrupt: OnInterrupt) -> None:
        going = [task for task in self._unsettled() if task.run is not None]
        text = f"Interrupted; {_count(going, 'run')} {'goes' if len(going) == 1 else 'go'} on"
        if on_interrupt == "abort":
            text = f"Interrupted; {_count([t for t in going if self._aborted(t)], 'run')} stopped"
        done = sum(task.result is not None for task in self._tasks)
        ids = ", ".join(str(task.run.id) for task in going if task.run)
        text += f" ({ids})" if ids else ""
        text += f", {done} of {len(self._tasks)} are on this disk."
        text += " The same canvas.read_reports(requests) goes on from here."
        self._sink.show(ProgressEvent("note", "", text=text))
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

    def _unsettled(self) -> Iterator[Task]:
        return (task for task in self._tasks if not task.is_settled)

    # -- showing -----------------------------------------------------------------------------

    def _moved(self, task: Task) -> Any:
        def moved(event: ProgressEvent) -> None:
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
                _count(lines, "run"),
                status=", ".join(counts),
                fraction=sum(parts) / len(lines),
                running=now - self._begun,
                next_poll=next_poll,
                text=", ".join(counts),
                runs=lines,
            )
        )


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
