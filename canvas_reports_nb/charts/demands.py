"""What a chart asks of its keywords and of its columns, told before anything is drawn."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["number", "times", "whole", "zoned"]


def whole(name: str, value: Any, most: int | None = None) -> int:
    """A keyword that counts something: 1 or more.

    Raises
    ------
    ParameterError
        It is anything else, or more than ``most``.
    """
    counted = int(value) if isinstance(value, Integral) else 0
    if counted >= 1 and (most is None or counted <= most):
        return counted
    raise ParameterError(
        f"{name}={value!r} is no count this chart can show.",
        hint=f"Give a whole number, 1 or more{f', {most} at most' if most else ''}.",
    )


def number(name: str, value: Any) -> float:
    """A keyword that measures something.

    Raises
    ------
    ParameterError
        It is no number, or no finite one.
    """
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    raise ParameterError(f"{name}={value!r} is no number.", hint=f"Give it without quotes, as in {name}=70.")


def zoned(zone: Any) -> str:
    """A keyword that names a time zone.

    Raises
    ------
    ParameterError
        No such zone is known.
    """
    noon = pl.lit(datetime(2026, 1, 1, 12, tzinfo=UTC))
    try:
        # polars brings its own list of zones, which alone decides.
        pl.select(noon.dt.convert_time_zone(zone))
    except (pl.exceptions.PolarsError, TypeError, ValueError):
        raise ParameterError(
            f"zone={zone!r} is no time zone.",
            hint='Give its name of the IANA list, such as "America/Denver".',
        ) from None
    return str(zone)


def times(rows: pl.LazyFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a frame that has text where a chart needs moments.

    Raises
    ------
    ParameterError
        It names the first such column.
    """
    schema = rows.collect_schema()
    for name in columns:
        if not isinstance(schema[name], pl.Datetime | pl.Null):
            raise ParameterError(
                f"{what} needs times, and {name!r} is {schema[name]} here.",
                hint="A column stays text when a cell is no time: crn.provenance(frame)['notes'] says which.",
            )
