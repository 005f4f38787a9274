"""Decide from what is known, asking nobody: use a run again or start one, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from canvas_reports_nb.catalog.parameters import asked_of, comparable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Clock


_SAMPLE = 10
_FIRST, _LONGEST, _SHARE = 2.0, 60.0, 0.05
# Without a deadline of the caller's, a server that answers nothing for this long is given up.
PATIENCE = 30 * 60.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Which run serves a request, and why.

    Attributes
    ----------
    action : {"stored", "finished", "in flight", "start"}
    run_id : int or None
        ``None`` to start one.
    reason : str
        One line for the user.
    known : frozenset of int or None
        To start one: the runs of Canvas's list it was decided on; ``None`` where the list was not read.
    """

    action: Literal["stored", "finished", "in flight", "start"]
    run_id: int | None
    reason: str
    known: frozenset[int] | None = None


def reuse_or_start(
    report: str,
    parameters: Mapping[str, Any],
    *,
    stored: Sequence[ReportResult],
    history: Iterable[ReportRun],
    now: datetime,
    max_age: float,
) -> Decision:
    """Decide, without asking anybody: stored, else finished on Canvas, else in flight, else a new run.

    Parameters
    ----------
    stored : sequence of ReportResult
        Of equal parameters, newest first.
    history : iterable of ReportRun
        Canvas's own list, newest first; only read as far as it is needed.
    now : datetime
        Aware.
    max_age : float
        Seconds for which a finished run is good enough; 0 always starts anew.
    """
    known: set[int] | None = None
    if max_age > 0:
        for kept in stored:
            age = (now - kept.finished_at).total_seconds()
            if age <= max_age:
                return Decision(
                    "stored",
                    kept.origin.run_id,
                    f"using run {kept.origin.run_id} from this disk, {ago(age)}",
                )
        wanted = comparable(report, parameters)
        in_flight: ReportRun | None = None
        known = set()
        for run in history:
            known.add(run.id)
            when = run.ended_at or run.created_at
            age = (now - when).total_seconds() if when else 0.0
            if not is_recent(run, now, max_age):
                break
            if comparable(report, asked_of(report, run.parameters)) != wanted:
                continue
            if run.is_complete and age <= max_age:
                return Decision("finished", run.id, f"using run {run.id}, finished on Canvas {ago(age)}")
            if not run.is_ended and in_flight is None:
                in_flight = run
        if in_flight is not None:
            return Decision(
                "in flight", in_flight.id, f"joining run {in_flight.id}, which is {in_flight.status} already"
            )
    return Decision("start", None, "starting a new run", None if known is None else frozenset(known))


def is_recent(run: ReportRun, now: datetime, max_age: float) -> bool:
    """Whether a run of Canvas's list, or an older one, can have ended within ``max_age`` seconds."""
    return run.created_at is None or (now - run.created_at).total_seconds() <= max_age + _LONGEST_RUN


_LONGEST_RUN = 24 * 3600.0


def ago(age: float) -> str:
    """An age in seconds, in words: ``12 min ago``."""
    if age < 90:  # noqa: PLR2004 - where seconds stop being the unit people use
        return f"{max(age, 0):.0f} s ago"
    return f"{age / 60:.0f} min ago" if age < 5400 else f"{age / 3600:.1f} h ago"  # noqa: PLR2004 - likewise


def estimate(
    report: str, parameters: Mapping[str, Any], history: Iterable[ReportRun]
) -> tuple[float, float] | None:
    """How long runs of a report took lately, as a range in seconds; never a promise.

    Parameters
    ----------
    history : iterable of ReportRun
        Newest first. Those of equal parameters count where there are two or more, all others else.

    Returns
    -------
    tuple of float or None
        The shortest and the longest of the last ten, at work, without the queue; ``None`` without two.
    """
    wanted = comparable(report, parameters)
    equal: list[float] = []
    others: list[float] = []
    for run in history:
        if run.is_complete and run.started_at and run.ended_at:
            took = (run.ended_at - run.started_at).total_seconds()
            (equal if comparable(report, asked_of(report, run.parameters)) == wanted else others).append(took)
    sample = (equal if len(equal) > 1 else equal + others)[:_SAMPLE]
    return (min(sample), max(sample)) if len(sample) > 1 else None


_QUEUED, _MOST_QUEUED, _AT_ONCE = 4, 24, 8
_HOUR, _LOOKS_AN_HOUR, _SPARE = 3600.0, 200, 60
# Canvas refuses when nothing remains, keeps 50 back for each request under way, and gives 10 a second back.
_COMFORT, _DRAIN, _LONGEST_PAUSE = 100.0, 10.0, 10.0


def room(queued: int, taken: int) -> int:
    """How many runs to start now.

    The server must never be idle for want of a run in its queue, and never be flooded. How many it works
    on at once it does not say, but what it took from the queue since the last look it may take again.

    Parameters
    ----------
    queued : int
        Runs of ours that still wait in Canvas's queue.
    taken : int
        Runs that left the queue since the last look.
    """
    target = min(max(_QUEUED, 2 * taken), _MOST_QUEUED)
    return max(min(target - queued, _AT_ONCE), 0)


def next_look(waited: float, looks: int) -> float:
    """Seconds to the next look, which costs one question, whatever the number of runs.

    Parameters
    ----------
    waited : float
        Seconds since the first start.
    looks : int
        Questions of the last hour; of 200 the last 60 are spread over an hour.
    """
    left = _LOOKS_AN_HOUR - looks
    return next_poll(waited) if left > _SPARE else max(next_poll(waited), _HOUR / max(left, 1))


def may_poll_again(looks: int) -> bool:
    """Whether there are questions to spare for a second look at once."""
    return looks < _LOOKS_AN_HOUR - _SPARE


def throttle_pause(remaining: float | None) -> float:
    """Seconds to wait before the next request, from the ``X-Rate-Limit-Remaining`` of the last answer."""
    if remaining is None or remaining >= _COMFORT:
        return 0.0
    return min((_COMFORT - remaining) / _DRAIN, _LONGEST_PAUSE)


def next_poll(waited: float) -> float:
    """Seconds to the next question: 2 s, later 5 % of the time waited so far, never more than 60 s.

    So the end is noticed within 2 s or 5 % of the run's time, and an hour costs some 130 questions.
    """
    return min(max(_FIRST, waited * _SHARE), _LONGEST)


def utc(clock: Clock) -> datetime:
    """The clock's time as an aware datetime."""
    return datetime.fromtimestamp(clock(), UTC)
