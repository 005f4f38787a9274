"""``pd.DataFrame.canvas``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from canvas_reports_nb import opening
from canvas_reports_nb.accessors.plotting import Plots
from canvas_reports_nb.accessors.registration import canvas_of, reading
from canvas_reports_nb.accessors.twins import dictionary, provenance, refresh
from canvas_reports_nb.diffing import Diff, diff
from canvas_reports_nb.pseudonyms import pseudonymize

__all__ = ["CanvasAccessor"]


@canvas_of(pd.DataFrame, pd.api.extensions.register_dataframe_accessor)
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
        frame: pd.DataFrame = opening.read_report(report, **reading("pandas", keywords))
        return frame

    @staticmethod
    def read_tables(report: str, **keywords: Any) -> dict[str, pd.DataFrame]:
        """`read_tables` on the newest open connection, as pandas."""
        return opening.read_tables(report, **reading("pandas", keywords))

    def read_reports(self, **keywords: Any) -> Any:
        """`read_reports` on the newest open connection: the rows of this frame are the requests."""
        return opening.read_reports(self._frame, **keywords)

    def scan_reports(self, **keywords: Any) -> Any:
        """`scan_reports` on the newest open connection: the rows of this frame are the requests."""
        return opening.scan_reports(self._frame, **keywords)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the frame came from: host, account, report, run id, parameters, times, rows, sha256."""
        return provenance(self._frame)

    def refresh(self, **keywords: Any) -> pd.DataFrame:
        """The same report with the same parameters, run anew. See `refresh`."""
        return refresh(self._frame, **keywords)

    def dictionary(self, **keywords: Any) -> pd.DataFrame:
        """What each column is: kind, personal data or not, key or not, meaning. See `dictionary`."""
        return dictionary(self._frame, **keywords)

    def diff(self, older: Any, **keywords: Any) -> Diff[pd.DataFrame]:
        """What changed since an older frame of the same table. See `diff`."""
        return diff(older, self._frame, **keywords)

    def pseudonymize(self, key: bytes | str, **keywords: Any) -> pd.DataFrame:
        """Keyed pseudonyms in place of everything personal. See `pseudonymize`."""
        return pseudonymize(self._frame, key, **keywords)

    @property
    def plot(self) -> Plots:
        """The charts: ``frame.canvas.plot.grade_distribution()``. Needs the extra ``plot``."""
        return Plots(self._frame)
