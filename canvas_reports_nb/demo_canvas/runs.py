"""The life of report runs: one queue, and the state of each run at any instant.

Nothing here waits or ticks. The state of a run follows from the instants at which the runs of the school
were created and stopped, and from the time each one takes.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

TOTAL_KNOWN = frozenset((
    "course_storage_csv", "last_user_access_csv", "outcome_results_csv", "public_courses_csv",
    "recently_deleted_courses_csv", "unpublished_courses_csv",
))  # fmt: skip
"""Reports that know their number of rows beforehand, so that their progress moves."""
PARALLEL = frozenset({"grade_export_csv", "mgp_grade_export_csv"})
"""Reports made in batches, which pass through `compiling`."""
COMPILING_FROM = 0.8
LATE = 0.99
"""Share shown for a run that should have ended but has no file yet."""
IN_FLIGHT = frozenset({"created", "running", "compiling"})
SHORTEST = timedelta(seconds=2.5)
PICK_UP = timedelta(seconds=1)
"""Longest time that a run waits for a free queue."""
PER_LINE = timedelta(microseconds=5)
SAVED_LINES = 1_000
"""Canvas stores the progress of a file every so many lines."""
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of computing a report: a file, or the reason for having no file."""

    at: datetime
    file: Path | None = None
    name: str = ""
    lines: int | None = None
    summary: str = ""
    failure: str | None = None
    echo: Mapping[str, str] = field(default_factory=dict)
    """Parameters that the report computed, stored in place of those sent."""


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
    """Finished before the demo began, so it was never in the queue."""
    stopped_at: datetime | None = None
    stopped_as: str | None = None

    def made(self) -> Outcome | None:
        """Return the outcome, or None while the file is being computed."""
        return self.outcome.result() if self.outcome.done() and not self.outcome.cancelled() else None

    def stop(self, status: str, now: datetime) -> None:
        """Abort or delete the run; a second stop keeps the instant of the first."""
        self.stopped_at = self.stopped_at or now
        self.stopped_as = status
        self.outcome.cancel()


@dataclass(frozen=True, slots=True)
class Span:
    """When a run is worked on; None if that is unknown or never happens."""

    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None = None
    """When it would end if nobody stopped it."""


@dataclass(frozen=True, slots=True)
class RunState:
    """A run at one instant."""

    status: str
    progress: int
    current_line: int | None
    started_at: datetime | None
    ended_at: datetime | None
    share: float
    """Part of the running time that has passed, 0 to 1."""


QUEUED = RunState("created", 0, None, None, None, 0.0)

Length = Callable[[Run, datetime], datetime | None]
"""From a run and its start to its natural end, or None while that is unknown."""


def fixed_length(seconds: float) -> Length:
    """Return a rule by which every run takes the same time."""
    return lambda _run, started: started + timedelta(seconds=seconds)


def natural_length(run: Run, started: datetime) -> datetime | None:
    """Return the end of a run that takes some seconds, more for many lines, until its file is ready at least."""
    made = run.made()
    if made is None:
        return None
    return max(started + SHORTEST + (made.lines or 0) * PER_LINE, made.at)


def schedule(runs: Iterable[Run], width: int, length: Length, lag: timedelta) -> dict[int, Span]:
    """Place runs, in order of creation, in a queue that works on `width` of them at once.

    `lag` is the time from the creation of a run to its pick-up by a free queue.
    """
    free = [datetime.min.replace(tzinfo=UTC)] * width
    spans: dict[int, Span] = {}
    for run in runs:
        if run.imported:
            spans[run.id] = Span(run.created_at, run.created_at, run.created_at)
            continue
        start = max(run.created_at + lag, free[0])
        if run.stopped_at is not None and run.stopped_at <= start:
            # Canvas ends a run that was aborted in the queue only when its turn comes.
            spans[run.id] = Span(None, None if start == NEVER else start)
            continue
        if start == NEVER:
            spans[run.id] = Span(None, None)
            continue
        natural = length(run, start)
        end = min(natural or NEVER, run.stopped_at or NEVER)
        heapq.heapreplace(free, end)
        spans[run.id] = Span(start, None if end == NEVER else end, natural)
    return spans


def state_at(run: Run, span: Span, now: datetime) -> RunState:
    """Return the state of `run` at `now`."""
    if run.stopped_as is None or run.stopped_at is None:
        return _unstopped(run, span, now)
    if run.stopped_as == "deleted" or (run.report in PARALLEL and span.started_at is not None):
        # Deleting changes only the status. Aborting a parallel report does too: it is never finalized.
        return replace(_unstopped(run, span, run.stopped_at), status=run.stopped_as)
    if span.ended_at is None or now < span.ended_at:
        return replace(QUEUED, status=run.stopped_as)
    return RunState(run.stopped_as, 100, None, span.started_at, span.ended_at, 1.0)


def _unstopped(run: Run, span: Span, now: datetime) -> RunState:
    started, due, made = span.started_at, span.due_at, run.made()
    if started is None or now < started:
        return QUEUED
    if due is not None and now >= due and made is not None:
        if made.failure:
            return RunState("error", 100, None, started, due, 1.0)
        return RunState("complete", 100, made.lines, started, due, 1.0)
    total = max((due or started + SHORTEST) - started, timedelta.resolution)
    lines = (made.lines or 0) if made else None
    return _under_way(run, started, min((now - started) / total, LATE), lines)


def _under_way(run: Run, started: datetime, share: float, lines: int | None) -> RunState:
    """Return the state of a run that has done `share` of its work; progress falls back when compiling starts."""
    if run.report in PARALLEL and share < COMPILING_FROM:
        done = share / COMPILING_FROM  # as if there were a hundred batches
        rows = None if lines is None else int(done * max(0, lines - 1))
        return RunState("running", min(int(done * 100), 99), rows, started, None, share)
    status, written = "running", share
    if run.report in PARALLEL:
        status, written = "compiling", (share - COMPILING_FROM) / (1 - COMPILING_FROM)
    saved = None if lines is None else int(written * lines) // SAVED_LINES * SAVED_LINES
    moves = run.report in TOTAL_KNOWN or status == "compiling"
    progress = saved * 100 // (lines + 1) if saved and lines and moves else 0
    return RunState(status, progress, saved, started, None, share)


def states_at(runs: Sequence[Run], width: int, seconds: float | None, now: datetime) -> dict[int, RunState]:
    """Return the state of every run at `now`, by id; `seconds` is the duration of a run, if fixed."""
    length = natural_length if seconds is None else fixed_length(seconds)
    lag = min(PICK_UP, (SHORTEST if seconds is None else timedelta(seconds=seconds)) / 10)
    spans = schedule(runs, width, length, lag)
    return {run.id: state_at(run, spans[run.id], now) for run in runs}


def has_file(run: Run, state: RunState) -> bool:
    """Whether the run finished with a file, which a later deletion leaves alone."""
    made = run.made()
    return (
        state.status in {"complete", "deleted"}
        and state.ended_at is not None
        and made is not None
        and made.file is not None
    )


def stored_parameters(run: Run, state: RunState, locale: str = "en") -> dict[str, object]:
    """Return the parameters as Canvas stores them: from the pick-up on it adds its own to those sent."""
    parameters, made = dict(run.parameters), run.made()
    finalized = state.ended_at is not None
    if state.status == "aborted" and finalized:
        return parameters | {"locale": locale, "extra_text": "Report has been aborted"}
    if state.started_at is None:
        return parameters
    parameters["locale"] = locale
    if made is None:
        return parameters
    parameters |= made.echo
    text = made.failure if state.status == "error" else made.summary
    return parameters | ({"extra_text": text} if text else {})
