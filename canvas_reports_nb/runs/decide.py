"""Decisions without a request: reuse a run or start one, estimate its duration, and time the next poll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.catalog.query import Query
    from canvas_reports_nb.store.stored_run import ReportResult

# Without a deadline, give up a server after this many seconds and failed requests in a row.
PATIENCE, FAILURES = 30 * 60.0, 10
_LONGEST_RUN = 24 * 3600.0
_SAMPLE = 10
_FIRST_POLL, _LONGEST_POLL, _SHARE = 2.0, 60.0, 0.05
_QUEUED, _MOST_QUEUED, _AT_ONCE = 4, 24, 8
_HOUR, _POLLS_PER_HOUR, _SPARE_POLLS = 3600.0, 200, 60
# Canvas refuses when nothing remains, reserves 50 for each request under way, and restores 10 per second.
_COMFORT, _RESTORED, _LONGEST_PAUSE = 100.0, 10.0, 10.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Which run answers a query, and why.

    Attributes
    ----------
    action : {"stored", "finished", "in flight", "start"}
    reason : str
        One line for the user.
    stored : ReportResult or None
    run : ReportRun or None
        ``None`` if the run is stored, or to be started.
    usual : tuple of float or None
        How long earlier runs took; see `estimate`.
    others : tuple of ReportRun
        The runs that would also answer the query, the best first.
    """

    action: Literal["stored", "finished", "in flight", "start"]
    reason: str
    stored: ReportResult | None = None
    run: ReportRun | None = None
    usual: tuple[float, float] | None = None
    others: tuple[ReportRun, ...] = ()

    @property
    def run_id(self) -> int | None:
        """The id of the run; ``None`` for a new run."""
        if self.stored is not None:
            return int(self.stored.provenance["run_id"])
        return self.run.id if self.run else None


def reuse_or_start(
    query: Query,
    *,
    stored: Sequence[ReportResult],
    remembered: Sequence[ReportRun],
    history: Sequence[ReportRun],
    now: datetime,
    max_age: float,
) -> Decision:
    """Decide which run answers a query: a stored one, one that finished on Canvas, one in flight, or a new one.

    Parameters
    ----------
    stored : sequence of ReportResult
        Runs of this query, newest first.
    remembered : sequence of ReportRun
        Runs of this query that the ledger remembers, as Canvas describes them now.
    history : sequence of ReportRun
        Canvas's own list, newest first.
    max_age : float
        Seconds for which a finished run is recent enough; 0 always starts a new one.
    """
    kept = next(iter(stored), None) if max_age > 0 else None
    if kept is not None and (age := (now - kept.finished_at).total_seconds()) <= max_age:
        reason = f"using run {kept.provenance['run_id']} from this disk, {ago(age)}"
        return Decision("stored", reason, stored=kept)
    fitting = [run for run in history if query.is_same(run.parameters, run.created_at)]
    usual = estimate(fitting) or estimate(history)
    if max_age <= 0:
        return Decision("start", "starting a new run", usual=usual)
    listed = {run.id: run for run in (*remembered, *fitting)}.values()
    usable = [run for run in listed if run.is_complete and _age(run, now) <= max_age]
    # Canvas never ends a run whose job died, so nothing may wait for one forever.
    usable += [run for run in listed if not run.is_ended and _age(run, now) <= _LONGEST_RUN]
    return _chosen(usable, now, usual)


def _chosen(usable: Sequence[ReportRun], now: datetime, usual: tuple[float, float] | None) -> Decision:
    if not usable:
        return Decision("start", "starting a new run", usual=usual)
    run, *others = usable
    if run.is_complete:
        reason = f"using run {run.id}, which finished on Canvas {ago(_age(run, now))}"
        return Decision("finished", reason, run=run, usual=usual, others=tuple(others))
    reason = f"joining run {run.id}, which is already {run.status}"
    return Decision("in flight", reason, run=run, usual=usual, others=tuple(others))


def _age(run: ReportRun, now: datetime) -> float:
    return (now - (run.ended_at or run.created_at or now)).total_seconds()


def is_recent(run: ReportRun, now: datetime, max_age: float) -> bool:
    """Whether a run of Canvas's list, or an older one, can have ended within ``max_age`` seconds."""
    return run.created_at is None or (now - run.created_at).total_seconds() <= max_age + _LONGEST_RUN


def ago(age: float) -> str:
    """Return an age in seconds as text: ``12 min ago``."""
    if age < 90:  # noqa: PLR2004 - where seconds stop being the unit people use
        return f"{max(age, 0):.0f} s ago"
    return f"{age / 60:.0f} min ago" if age < 5400 else f"{age / 3600:.1f} h ago"  # noqa: PLR2004 - likewise


def estimate(history: Iterable[ReportRun]) -> tuple[float, float] | None:
    """Return how long the last ten finished runs took, without the queue: shortest and longest, in seconds.

    ``None`` if fewer than two are known.
    """
    took = [
        (run.ended_at - run.started_at).total_seconds()
        for run in history
        if run.is_complete and run.started_at and run.ended_at
    ][:_SAMPLE]
    return (min(took), max(took)) if len(took) > 1 else None


def next_poll(waited: float) -> float:
    """Seconds to the next look: 2 s, later 5 % of the time waited so far, never more than 60 s.

    So the end is noticed within 2 s or 5 % of the run's time, and an hour costs some 130 requests.
    """
    return min(max(_FIRST_POLL, waited * _SHARE), _LONGEST_POLL)


def next_batch_poll(waited: float, polls: int) -> float:
    """Return the seconds as `next_poll` does, but spread the last 60 of 200 requests per hour over an hour.

    ``polls`` counts the requests of the last hour.
    """
    rest = _POLLS_PER_HOUR - polls
    return next_poll(waited) if rest > _SPARE_POLLS else max(next_poll(waited), _HOUR / max(rest, 1))


def may_poll_again(polls: int) -> bool:
    """Whether enough requests are left to poll again at once."""
    return polls < _POLLS_PER_HOUR - _SPARE_POLLS


def free_slots(queued: int, taken: int) -> int:
    """How many runs to start now, so that the server's queue is neither empty nor flooded.

    Parameters
    ----------
    queued : int
        Runs of ours that wait in Canvas's queue.
    taken : int
        Runs that left the queue since the last look: so many may leave it again.
    """
    target = min(max(_QUEUED, 2 * taken), _MOST_QUEUED)
    return max(min(target - queued, _AT_ONCE), 0)


def throttle_pause(remaining: float | None) -> float:
    """Seconds to wait before the next request, from the last response's ``X-Rate-Limit-Remaining``."""
    if remaining is None or remaining >= _COMFORT:
        return 0.0
    return min((_COMFORT - remaining) / _RESTORED, _LONGEST_PAUSE)
