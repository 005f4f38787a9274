"""The functions behind the accessors, for a type checker, which can't see an accessor."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.exceptions import CanvasReportsError
from canvas_reports_nb.models import ATTRS_KEY

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["provenance"]


def provenance(frame: pd.DataFrame) -> dict[str, Any]:
    """Where a frame came from.

    Parameters
    ----------
    frame : pandas.DataFrame
        As this package loaded it, or a frame made from it: pandas keeps ``attrs`` through ``query``,
        ``assign``, ``astype`` and Parquet, and drops them where frames of different origin are joined.

    Raises
    ------
    CanvasReportsError
        The frame does not say.
    """
    found = frame.attrs.get(ATTRS_KEY)
    if not isinstance(found, dict):
        raise CanvasReportsError(
            "This frame does not say where it came from.",
            hint="Joining or grouping frames drops it; keep the frame read_report gave.",
        )
    return deepcopy(found)
