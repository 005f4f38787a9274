"""Types that appear in public signatures, and the type of a text column in pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["TEXT", "Age", "Clock", "Engine", "OnError", "OnInterrupt", "Parameters", "Sleep"]

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

# pandas 3 names it `str`, pandas 2 would make `str` a plain object column, and pandas 2.2 has no `na_value=`.
_IS_2_2 = pd.__version__.startswith("2.2.")
TEXT: Any = pd.StringDtype("pyarrow_numpy") if _IS_2_2 else pd.StringDtype("pyarrow", na_value=np.nan)
"""Text in Arrow's format, missing values are NaN."""
