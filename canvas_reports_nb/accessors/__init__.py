"""``df.canvas`` on pandas and polars: thin, stateless, every method with a function twin.

Importing this package registers them.
"""

from canvas_reports_nb.accessors._pandas import CanvasAccessor
from canvas_reports_nb.accessors._polars import CanvasLazyNamespace, CanvasNamespace

__all__ = ["CanvasAccessor", "CanvasLazyNamespace", "CanvasNamespace"]
