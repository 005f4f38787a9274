"""The life of report runs: one strand, and the state of each run at any instant.

Nothing here waits or ticks. A run's state follows from the instants at which the runs of the school were
created and stopped, and from how long each one takes.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

SMOOTH = frozenset((
    "course_storage_csv", "grade_export_csv", "last_user_access_csv", "mgp_grade_export_csv", "outcome_results_csv",
    "public_courses_csv", "recently_deleted_courses_csv", "student_assignment_outcome_map_csv",
    "unpublished_courses_csv", "unused_courses_csv",
))  # fmt: skip
"""Reports whose total is known beforehand, so that their progress moves."""
PARALLEL = frozenset({"grade_export_csv", "mgp_grade_export_csv"})
"""Reports made in batches, which pass through `compiling`."""
COMPILING_FROM = 0.8
LATE = 0.99
"""Share shown of a run that should have ended but has no file yet."""
IN_FLIGHT = frozenset({"created", "running", "compiling"})
SHORTEST = timedelta(seconds=2.5)
PICK_UP = timedelta(seconds=1)
"""Longest time a free strand leaves a run waiting."""
PER_LINE = timedelta(microseconds=5)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What making a report gave: a file, or the reason why there is none."""

    at: datetime
    file: Path | None = None
    name: str = ""
    lines: int | None = None
    summary: str = ""
    failure: str | None = None
    echo: Mapping[str, str] = field(default_factory=dict)
    """Parameters the report computed, stored in place of those sent."""


@dataclass(slots=True)
class Run:
    """One execution of a report."""

    id: int
    attachment_id: int
    report: str
    account_id: int
    created_at: datetime
    parameters: Mapping[str, object]
    outcome: Future[Outcome]
    imported: bool = False
    """Found finished in a folder: it never stood in the queue."""
    stopped_at: datetime | None = None
    stopped_as: str | None = None

    def made(self) -> Outcome | None:
        """Return the outcome once it is there."""
        return self.outcome.result() if self.outcome.done() and not self.outcome.cancelled() else None

    def stop(self, status: str, now: datetime) -> None:
        """Abort or delete the run; a second stop keeps the instant of the first."""
        self.stopped_at = self.stopped_at or now
        self.stopped_as = status
        self.outcome.cancel()


@dataclass(frozen=True, slots=True)
class Span:
    """When a run is being worked on; None where that is not known or never happens."""

    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunState:
    """What a run looks like at one instant."""

    status: str
    progress: int
    current_line: int | None
    started_at: datetime | None
    ended_at: datetime | None
    share: float
    """Part of the running time that has passed, 0 to 1."""


QUEUED = RunState("created", 0, None, None, None, 0.0)

Length = Callable[[Run, datetime], datetime | None]
"""From a run and its start to its natural end, or None while nobody can tell."""


def fixed_length(seconds: float) -> Length:
    """Return a rule by which every run takes the same time."""
    return lambda _run, started: started + timedelta(seconds=seconds)


def natural_length(run: Run, started: datetime) -> datetime | None:
    """Return the end of a run that takes a moment, more for many lines, and never less than its making."""
    made = run.made()
    if made is None:
        return None
    return max(started + SHORTEST + (made.lines or 0) * PER_LINE, made.at)


def schedule(runs: Iterable[Run], width: int, length: Length, lag: timedelta) -> dict[int, Span]:
    """Place runs, in order of creation, on a strand that works on `width` of them at once.

    Parameters
    ----------
    lag
        From the creation of a run to its pick-up on a free strand.
    """
    free = [datetime.min.replace(tzinfo=UTC)] * width
    spans: dict[int, Span] = {}
    for run in runs:
        if run.imported:
            spans[run.id] = Span(run.created_at, run.created_at)
            continue
        start = NEVER if free[0] == NEVER else max(run.created_at + lag, free[0])
        if run.stopped_at is not None and run.stopped_at <= start:
            spans[run.id] = Span(None, run.stopped_at)
            continue
        if start == NEVER:
            spans[run.id] = Span(None, None)
            continue
        natural = length(run, start)
        end = min(natural or NEVER, run.stopped_at or NEVER)
        heapq.heapreplace(free, end)
        spans[run.id] = Span(start, None if end == NEVER else end)
    return spans


def state_at(run: Run, span: Span, now: datetime) -> RunState:
    """Return what `run` looks like at `now`."""
    started, ended, made = span.started_at, span.ended_at, run.made()
    if run.stopped_as is not None and run.stopped_at is not None:
        # Deleting a run that had ended before leaves its times alone.
        lines = made.lines if made and ended is not None and ended < run.stopped_at else None
        return RunState(run.stopped_as, 100, lines, started, ended, 1.0)
    if started is None or now < started:
        return QUEUED
    if ended is not None and now >= ended and made is not None:
        lines = made.lines if made.failure is None else None
        return RunState("error" if made.failure else "complete", 100, lines, started, ended, 1.0)
    return _under_way(run, started, ended, now, made)


def _under_way(
    run: Run, started: datetime, ended: datetime | None, now: datetime, made: Outcome | None
) -> RunState:
    total = (ended - started) if ended is not None else SHORTEST
    share = min((now - started) / total, LATE) if total else LATE
    status, done = "running", share
    if run.report in PARALLEL:
        status = "compiling" if share >= COMPILING_FROM else "running"
        done = min(share / COMPILING_FROM, LATE)
    # Rows are counted in thousands while a report is written, and not at all before the first thousand.
    lines = int(share * (made.lines or 0)) // 1000 * 1000 if made else 0
    progress = int(done * 100) if run.report in SMOOTH else 0
    return RunState(status, progress, lines or None, started, None, share)


def states_at(runs: Sequence[Run], width: int, seconds: float | None, now: datetime) -> dict[int, RunState]:
    """Return what every run looks like at `now`, by id; `seconds` is how long each takes, where that is fixed."""
    length = natural_length if seconds is None else fixed_length(seconds)
    lag = min(PICK_UP, (SHORTEST if seconds is None else timedelta(seconds=seconds)) / 10)
    spans = schedule(runs, width, length, lag)
    return {run.id: state_at(run, spans[run.id], now) for run in runs}


def has_file(run: Run, state: RunState) -> bool:
    """Whether the run finished with a file; to delete it later takes nothing back."""
    made = run.made()
    finished = run.stopped_at is None or (state.ended_at is not None and state.ended_at < run.stopped_at)
    return state.status in {"complete", "deleted"} and finished and made is not None and made.file is not None


def stored_parameters(run: Run, state: RunState) -> dict[str, object]:
    """Return the parameters as the server keeps them: once started it adds its own to those sent."""
    parameters = dict(run.parameters)
    if state.started_at is None and run.stopped_as is None:
        return parameters
    made = run.made()
    text = str(parameters.get("extra_text") or "")
    if run.stopped_as == "aborted":
        text += "Report has been aborted"
    elif state.status == "error" and made is not None:
        text += made.failure or ""
    elif made is not None:
        text += made.summary
    if made is not None and state.started_at is not None:
        parameters.update(made.echo)
    return parameters | {"locale": "en"} | ({"extra_text": text} if text else {})
