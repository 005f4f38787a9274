"""Decide from numbers, asking nobody: how many runs to queue, when to look again, when to catch breath."""

from __future__ import annotations

from canvas_reports_nb.jobs import next_poll

__all__ = ["breather", "may_look_on", "next_look", "room"]

_QUEUED, _MOST_QUEUED, _AT_ONCE = 4, 24, 8
_HOUR, _LOOKS_AN_HOUR, _SPARE = 3600.0, 200, 60
# Canvas refuses when nothing remains, keeps 50 back for each request under way, and gives 10 a second back.
_COMFORT, _DRAIN, _LONGEST = 100.0, 10.0, 10.0


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


def may_look_on(looks: int) -> bool:
    """Whether there are questions to spare for a second look at once."""
    return looks < _LOOKS_AN_HOUR - _SPARE


def breather(remaining: float | None) -> float:
    """Seconds to wait before the next request, from the ``X-Rate-Limit-Remaining`` of the last answer."""
    if remaining is None or remaining >= _COMFORT:
        return 0.0
    return min((_COMFORT - remaining) / _DRAIN, _LONGEST)
