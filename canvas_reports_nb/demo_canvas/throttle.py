"""The leaky bucket that limits how much one token may ask for.

Numbers are those of an open-source Canvas with default settings.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """Size and speed of a bucket, in units of cost (about one second of server time each)."""

    high_water: float = 600.0
    capacity: float = 800.0
    drain: float = 10.0
    """Per second."""
    reserve: float = 50.0
    """Taken when a request begins, given back when it ends."""
    cost: float = 0.04
    """Of one request."""
    status: int = 403


@dataclass(slots=True)
class Bucket:
    """What one token has used."""

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
        """End a request: the reserve comes back, its cost stays."""
        used = self.level - self.limits.reserve + self.limits.cost
        self.level = min(max(used, 0.0), self.limits.capacity)

    @property
    def remaining(self) -> float:
        """What is left below the high-water mark; can be negative."""
        return self.limits.high_water - self.level
