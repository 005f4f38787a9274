"""``pl.DataFrame.canvas`` and ``pl.LazyFrame.canvas``.

A polars frame has no ``attrs``, and polars keeps a namespace with its frame, so nothing may be kept here:
``canvas.obtain(...)`` gives frame and provenance together.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import polars as pl

from canvas_reports_nb import opening
from canvas_reports_nb.accessors._pandas import Plots, reading, register
from canvas_reports_nb.accessors.functions import provenance, refresh
from canvas_reports_nb.analysis.diffing import Diff, diff
from canvas_reports_nb.analysis.privacy.pseudonyms import pseudonymize
from canvas_reports_nb.frames.describe import dictionary

_Frame = TypeVar("_Frame", pl.DataFrame, pl.LazyFrame)


class _Namespace(Generic[_Frame]):
    """What polars frames, lazy or not, have in common."""

    def __init__(self, frame: _Frame) -> None:
        self._frame: _Frame = frame

    @property
    def provenance(self) -> dict[str, Any]:
        """An error that says what to do: a polars frame can't carry it."""
        return provenance(self._frame)  # type: ignore[arg-type]  # that is the point

    def refresh(self, **keywords: Any) -> pl.DataFrame:
        """An error that says what to do, as for `provenance`."""
        made: pl.DataFrame = refresh(self._frame, **keywords)  # type: ignore[call-overload]  # likewise
        return made

    def dictionary(self, report: str | None = None, table: str | None = None) -> pl.DataFrame:
        """What each column is: kind, personal data or not, key or not, meaning. See `dictionary`."""
        return dictionary(self._frame, report=report, table=table)

    def diff(self, older: Any, **keywords: Any) -> Diff[_Frame]:
        """What changed since an older frame of the same table. See `diff`."""
        return diff(older, self._frame, **keywords)

    def pseudonymize(self, key: bytes | str, **keywords: Any) -> _Frame:
        """Keyed pseudonyms in place of everything personal. See `pseudonymize`."""
        return pseudonymize(self._frame, key, **keywords)

    def read_reports(self, **keywords: Any) -> Any:
        """`read_reports` on the newest open connection, as polars: the rows of this frame are the requests."""
        return opening.read_reports(self._frame, **{"engine": "polars", **keywords})

    def scan_reports(self, **keywords: Any) -> Any:
        """`scan_reports` on the newest open connection: the rows of this frame are the requests."""
        return opening.scan_reports(self._frame, **keywords)

    @property
    def plot(self) -> Plots:
        """The charts: ``frame.canvas.plot.grade_distribution()``. Needs the extra ``plot``."""
        return Plots(self._frame)


@register(pl.DataFrame, pl.api.register_dataframe_namespace)
class CanvasNamespace(_Namespace[pl.DataFrame]):
    """What this package adds to a polars frame."""

    @staticmethod
    def read_report(report: str, **keywords: Any) -> pl.DataFrame:
        """`read_report` on the newest open connection, as polars."""
        frame: pl.DataFrame = opening.read_report(report, **reading("polars", keywords))
        return frame

    @staticmethod
    def read_tables(report: str, **keywords: Any) -> dict[str, pl.DataFrame]:
        """`read_tables` on the newest open connection, as polars."""
        return opening.read_tables(report, **reading("polars", keywords))


@register(pl.LazyFrame, pl.api.register_lazyframe_namespace)
class CanvasLazyNamespace(_Namespace[pl.LazyFrame]):
    """What this package adds to a lazy polars frame."""

    @staticmethod
    def scan_report(report: str, **keywords: Any) -> pl.LazyFrame:
        """`scan_report` on the newest open connection."""
        return opening.scan_report(report, **keywords)
