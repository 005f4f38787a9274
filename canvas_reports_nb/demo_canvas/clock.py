"""Where the demo Canvas reads the time."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What tells the demo Canvas the time."""

    def now(self) -> datetime:
        """Return the present instant, timezone-aware."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC)


class SteppedClock:
    """A clock that stands still until it is told to move.

    Parameters
    ----------
    start
        The first instant; must be timezone-aware.
    """

    def __init__(self, start: datetime) -> None:
        if start.utcoffset() is None:
            raise ValueError(f"a clock needs a timezone-aware start, not {start!r}")
        self._now = start.astimezone(UTC)
        # A test steps it from its own thread while the server reads it.
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the instant the clock stands at, in UTC."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> datetime:
        """Move forward by `seconds` and return the new instant."""
        if seconds < 0:
            raise ValueError("time only goes forward")
        with self._lock:
            self._now += timedelta(seconds=seconds)
            return self._now
