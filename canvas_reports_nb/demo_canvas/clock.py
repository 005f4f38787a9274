"""Time in the demo Canvas: its clocks, and the throttle that refills as time passes."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The source of time of the demo Canvas."""

    def now(self) -> datetime:
        """Return the present instant, timezone-aware."""
        ...


class SystemClock:
    """The clock of this machine, or one that starts at another instant and runs at the same speed.

    Parameters
    ----------
    start
        The first instant; this machine's time if None.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._ahead = timedelta(0) if start is None else start - datetime.now(UTC)

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC) + self._ahead


class SteppedClock:
    """A clock that moves only when `advance` is called.

    Parameters
    ----------
    start
        The first instant; must be timezone-aware.
    """

    def __init__(self, start: datetime) -> None:
        if start.utcoffset() is None:
            raise ValueError(f"The start {start!r} has no time zone. Pass a timezone-aware datetime.")
        self._now = start.astimezone(UTC)
        # A test steps it from its own thread while the server reads it.
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the clock's present instant, in UTC."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> datetime:
        """Move forward by `seconds` and return the new instant."""
        if seconds < 0:
            raise ValueError(f"Can't move the clock back by {-seconds} s. It only goes forward.")
        with self._lock:
            self._now += timedelta(seconds=seconds)
            return self._now


@dataclass(frozen=True, slots=True)
class Limits:
    """Size and speed of a throttle, in units of cost (about one second of server time each).

    The numbers are those of an open-source Canvas with default settings.
    """

    high_water: float = 600.0
    capacity: float = 800.0
    drain: float = 10.0
    """Per second."""
    reserve: float = 50.0
    """Booked when a request begins, given back when it ends."""
    cost: float = 0.04
    """Of one request."""
    status: int = 403


@dataclass(slots=True)
class Throttle:
    """The leaky bucket of one token."""

    limits: Limits
    at: datetime
    level: float = 0.0

    def enter(self, now: datetime) -> bool:
        """Begin a request; False when the token has to wait."""
        self.level = max(0.0, self.level - self.limits.drain * (now - self.at).total_seconds())
        self.at = now
        if self.level >= self.limits.high_water:
            return False
        self.level += self.limits.reserve
        return True

    def leave(self) -> None:
        """End a request: give the reserve back, keep its cost."""
        used = self.level - self.limits.reserve + self.limits.cost
        self.level = min(max(used, 0.0), self.limits.capacity)

    @property
    def remaining(self) -> float:
        """What is left below the high-water mark; can be negative."""
        return self.limits.high_water - self.level
