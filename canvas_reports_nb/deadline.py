"""How a call waits and how long it may take: one clock, one deadline, one stop signal; and the server's time."""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from canvas_reports_nb.typing import Clock, Sleep

GRACE = 1.0
"""Seconds by which the response to a request sent just before the deadline may be late."""
_SLICE = 0.2
_SAME_TIME = 2.0  # HTTP dates have no fractions, so a smaller difference is not one


class Stopped(BaseException):
    """The user asked to stop. Not an `Exception`, so that no error handler keeps the call alive."""


@dataclass(frozen=True, slots=True)
class _Limit:
    ends: float = math.inf
    stop: threading.Event | None = None
    tick: Callable[[float], None] | None = None


# Per call, not per connection: a form's thread and a cell may use one connection at the same time.
_LIMIT: ContextVar[_Limit] = ContextVar("limit", default=_Limit())  # noqa: B039 - it is frozen


class Waiter:
    """The only way the package waits.

    Parameters
    ----------
    clock : callable
        Returns the time in seconds since the epoch.
    sleep : callable
        Takes seconds.
    """

    def __init__(self, clock: Clock = time.time, sleep: Sleep = time.sleep) -> None:
        self.clock, self.sleep = clock, sleep
        self._lock, self._passed, self._last = threading.Lock(), -math.inf, 0.0
        self._ahead, self.is_synced = 0.0, False

    def now(self) -> datetime:
        """Return the server's time, from which every age is measured and which decides the current term.

        Until the server has responded, it is our own clock's.
        """
        return datetime.fromtimestamp(self.clock() + self._ahead, UTC)

    def sync(self, server_time: datetime, at: float | None = None) -> None:
        """Learn the server's time from a response, or from an earlier one that arrived when our clock showed ``at``."""
        ahead = server_time.timestamp() - (self.clock() if at is None else at)
        self._ahead, self.is_synced = ahead if abs(ahead) > _SAME_TIME else 0.0, at is None

    def elapsed(self) -> float:
        """Return seconds that never go back, for durations; the clock may be set back at any time."""
        if self.clock is time.time:
            return time.monotonic()
        with self._lock:
            now = self.clock()
            self._passed = max(self._passed + max(now - self._last, 0.0), now)
            self._last = now
            return self._passed

    @contextmanager
    def limit(
        self,
        timeout: float | None,
        *,
        stop: threading.Event | None = None,
        tick: Callable[[float], None] | None = None,
    ) -> Iterator[None]:
        """Limit what runs inside to so many seconds, within any limit around it; ``None`` sets no deadline.

        Parameters
        ----------
        stop : Event, optional
            Once it is set, every pause and every `check` inside raises `Stopped`.
        tick : callable, optional
            Called during a pause, several times per second, with the seconds the pause has taken so far.
        """
        outer = _LIMIT.get()
        ends = outer.ends if timeout is None else min(outer.ends, self.elapsed() + timeout)
        token = _LIMIT.set(_Limit(ends, stop or outer.stop, tick or outer.tick))
        try:
            yield
        finally:
            _LIMIT.reset(token)

    @property
    def remaining(self) -> float:
        """Seconds until the deadline: infinite without one, negative after it."""
        ends = _LIMIT.get().ends
        return math.inf if ends == math.inf else ends - self.elapsed()

    @property
    def is_expired(self) -> bool:
        """Whether the deadline has passed: no pause, no second attempt."""
        return self.remaining <= 0

    def check(self) -> None:
        """Raise `Stopped` if the user asked to stop."""
        stop = _LIMIT.get().stop
        if stop is not None and stop.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the deadline, and not after a stop."""
        limit = _LIMIT.get()
        rest = max(min(seconds, self.remaining), 0.0)
        if limit.stop is None:
            if rest:
                self.sleep(rest)
                self.elapsed()  # counts the pause, even if the clock is set back after it
            return
        passed = 0.0
        self.check()
        while passed < rest:
            step = min(_SLICE, rest - passed)
            self.sleep(step)
            passed += step
            self.check()
            if limit.tick is not None:
                limit.tick(passed)
