"""``df.canvas`` on pandas and polars, registered by importing this package. Every method has a function, too."""

from canvas_reports_nb.accessors._pandas import CanvasAccessor
from canvas_reports_nb.accessors._polars import CanvasLazyNamespace, CanvasNamespace

__all__ = ["CanvasAccessor", "CanvasLazyNamespace", "CanvasNamespace"]
