"""The namespaces ``pl.DataFrame.canvas`` and ``pl.LazyFrame.canvas``.

A polars frame can't carry its provenance: ``provenance`` and ``refresh`` raise an error that says what to do.
"""

from __future__ import annotations

import polars as pl

from canvas_reports_nb import opening
from canvas_reports_nb.accessors._pandas import FrameAccessor, on_frame, register, with_engine


class _PolarsAccessor(FrameAccessor):
    read_reports = on_frame(with_engine(opening.read_reports, "polars", only=False))


@register(pl.DataFrame, pl.api.register_dataframe_namespace)
class CanvasNamespace(_PolarsAccessor):
    """The namespace of a polars frame and, for the readers, of the class: ``pl.DataFrame.canvas.read_report(...)``."""

    read_report = staticmethod(with_engine(opening.read_report, "polars"))
    read_tables = staticmethod(with_engine(opening.read_tables, "polars"))


@register(pl.LazyFrame, pl.api.register_lazyframe_namespace)
class CanvasLazyNamespace(_PolarsAccessor):
    """The namespace of a lazy polars frame and, for the reader, of the class: ``pl.LazyFrame.canvas.scan_report(...)``."""

    scan_report = staticmethod(opening.scan_report)
