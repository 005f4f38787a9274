"""A frame of any kind in, the same kind out: what every analysis is wrapped in.

narwhals tells the kinds apart and fetches the rows; between the edges stands one polars query. So pandas,
polars, lazy polars, Arrow and Dask give the same numbers, and no analysis is written twice.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import polars as pl

from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from canvas_reports_nb.parameters import near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FrameT", "lazy", "like", "require", "same_kind"]

#: pandas, polars (eager or lazy), Arrow or Dask; the result is of the same.
FrameT = TypeVar("FrameT")
_P = ParamSpec("_P")


def lazy(frame: Any) -> pl.LazyFrame:
    """A frame of any kind as a polars query; Dask is computed for it.

    Raises
    ------
    ParameterError
        It is no frame.
    """
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    if isinstance(frame, pl.LazyFrame):
        return frame
    whole = frame.compute() if nw.dependencies.is_dask_dataframe(frame) else frame
    try:
        known = nw.from_native(whole, eager_only=True)
    except TypeError:
        raise ParameterError(
            f"A frame is wanted, not {type(frame).__name__}.",
            hint="Give a pandas, polars, Arrow or Dask frame, as read_report gives.",
        ) from None
    return cast("pl.LazyFrame", known.lazy("polars").to_native())


def like(result: pl.LazyFrame, frame: FrameT) -> FrameT:
    """A query's result as the kind of ``frame``; a lazy frame stays lazy."""
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    if isinstance(frame, pl.LazyFrame):
        return cast("FrameT", result)
    if isinstance(frame, pl.DataFrame):
        return cast("FrameT", result.collect())
    from canvas_reports_nb.frames.engines import typed  # noqa: PLC0415 - brings pandas and pyarrow

    table = result.collect().to_arrow()
    if nw.dependencies.is_pyarrow_table(frame):
        return cast("FrameT", table)
    made = typed(table)
    if nw.dependencies.is_dask_dataframe(frame):
        import dask.dataframe as dd  # noqa: PLC0415 - an extra; who has such a frame has it

        return cast("FrameT", dd.from_pandas(made, npartitions=1))
    return cast("FrameT", made)


def same_kind(
    analysis: Callable[Concatenate[pl.LazyFrame, _P], pl.LazyFrame],
) -> Callable[Concatenate[FrameT, _P], FrameT]:
    """Let an analysis of polars queries take and give any kind; its first argument decides which."""

    @wraps(analysis)
    def wrapped(frame: FrameT, /, *args: _P.args, **kwargs: _P.kwargs) -> FrameT:
        return like(analysis(lazy(frame), *args, **kwargs), frame)

    return wrapped


def require(frame: pl.LazyFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a frame that lacks a column an analysis reads.

    Raises
    ------
    UnknownColumnError
        What is missing, near names, and which report has it.
    """
    held = frame.collect_schema().names()
    missing = [name for name in columns if name not in held]
    if missing:
        raise UnknownColumnError(
            f"{what} needs the column {', '.join(map(repr, missing))}.",
            hint=f"{near(missing[0], held)}The frame has: {', '.join(held)}.",
        )
