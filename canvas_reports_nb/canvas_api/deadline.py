"""The time budget of the call under way: one end for all its steps, however deep the step that asks."""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from canvas_reports_nb.typing import Clock

GRACE = 1.0
"""Seconds by which the answer to a question asked as the budget ends may be late."""

# Of the call, not of the connection: its transport may serve the thread of a form at the same time.
_LEFT: ContextVar[Callable[[], float]] = ContextVar("left", default=lambda: math.inf)


@contextmanager
def within(timeout: float | None, clock: Clock) -> Iterator[None]:
    """Give what runs inside so many seconds, and no more than are left already; ``None`` sets no end."""
    ends = math.inf if timeout is None else clock() + timeout
    outer = _LEFT.get()
    token = _LEFT.set(lambda: min(outer(), ends - clock()))
    try:
        yield
    finally:
        _LEFT.reset(token)


def left() -> float:
    """Seconds left of the budget; infinite where there is none, negative where it is exceeded."""
    return _LEFT.get()()


def is_expired() -> bool:
    """Whether nothing is left: no pause, no second try."""
    return left() <= 0
