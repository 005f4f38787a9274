"""``pl.DataFrame.canvas`` and ``pl.LazyFrame.canvas``: read with no frame in hand.

A polars frame has no ``attrs``; ``canvas.obtain(...)`` gives frame and provenance together.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from canvas_reports_nb import opening

__all__ = ["CanvasLazyNamespace", "CanvasNamespace"]


@pl.api.register_dataframe_namespace("canvas")
class CanvasNamespace:
    """What this package adds to a polars frame."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    @staticmethod
    def read_report(report: str, **keywords: Any) -> pl.DataFrame:
        """`read_report` on the newest open connection, as polars."""
        frame: pl.DataFrame = opening.read_report(report, **{**keywords, "engine": "polars"})
        return frame

    def read_reports(self, **keywords: Any) -> Any:
        """`read_reports` on the newest open connection, as polars: the rows of this frame are the requests."""
        return opening.read_reports(self._frame, **{"engine": "polars", **keywords})


@pl.api.register_lazyframe_namespace("canvas")
class CanvasLazyNamespace:
    """What this package adds to a lazy polars frame."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    @staticmethod
    def scan_report(report: str, **keywords: Any) -> pl.LazyFrame:
        """`scan_report` on the newest open connection."""
        return opening.scan_report(report, **keywords)
