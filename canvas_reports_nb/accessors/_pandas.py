"""``pd.DataFrame.canvas``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from canvas_reports_nb import opening
from canvas_reports_nb.accessors.twins import dictionary, provenance

__all__ = ["CanvasAccessor"]


@pd.api.extensions.register_dataframe_accessor("canvas")
class CanvasAccessor:
    """What this package adds to a pandas frame.

    On the class, with no frame in hand, it reads: ``pd.DataFrame.canvas.read_report(...)``.
    pandas makes a new accessor at each use, so it holds nothing but the frame.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    @staticmethod
    def read_report(report: str, **keywords: Any) -> pd.DataFrame:
        """`read_report` on the newest open connection, as pandas."""
        frame: pd.DataFrame = opening.read_report(report, **{**keywords, "engine": "pandas"})
        return frame

    def read_reports(self, **keywords: Any) -> Any:
        """`read_reports` on the newest open connection: the rows of this frame are the requests."""
        return opening.read_reports(self._frame, **keywords)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the frame came from: host, account, report, run id, parameters, times, rows, sha256."""
        return provenance(self._frame)

    def dictionary(self) -> pd.DataFrame:
        """What each column is: kind, personal data or not, key or not, meaning. See `dictionary`."""
        return dictionary(self._frame)
