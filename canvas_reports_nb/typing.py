"""Types that appear in public signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["Age", "Clock", "Engine", "OnError", "OnInterrupt", "Parameters", "Sleep"]

Engine: TypeAlias = Literal["pandas", "polars", "arrow", "dask"]
OnInterrupt: TypeAlias = Literal["detach", "abort"]
OnError: TypeAlias = Literal["raise", "return"]
Parameters: TypeAlias = Mapping[str, Any]
Age: TypeAlias = "float | str | timedelta"
"""Seconds, a text such as ``"7d"`` or ``"12h"``, or a ``timedelta``."""

Clock: TypeAlias = Callable[[], float]
"""Seconds since the epoch; a test steps it."""
Sleep: TypeAlias = Callable[[float], None]
"""Waits so many seconds; a test steps the clock instead."""
