"""Types that appear in public signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from datetime import timedelta

    from canvas_reports_nb.progress import ProgressEvent

__all__ = ["Age", "Clock", "Engine", "OnInterrupt", "Parameters", "Progress", "ProgressSink", "Sleep"]

Engine: TypeAlias = Literal["pandas", "polars", "arrow", "dask"]
OnInterrupt: TypeAlias = Literal["detach", "abort"]
Parameters: TypeAlias = Mapping[str, Any]
Age: TypeAlias = "float | timedelta"
"""Seconds, or a ``timedelta``."""

Clock: TypeAlias = Callable[[], float]
"""Seconds since the epoch; a test steps it."""
Sleep: TypeAlias = Callable[[float], None]
"""Waits so many seconds; a test steps the clock instead."""


class ProgressSink(Protocol):
    """Anything that shows progress: one method to show an event, one to let go."""

    def show(self, event: ProgressEvent) -> None:
        """Show one event."""

    def close(self) -> None:
        """Let go of what was opened; may be called twice."""


Progress: TypeAlias = "Literal['auto', 'widget', 'tqdm', 'log', False] | ProgressSink"
