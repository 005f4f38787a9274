"""When people were last seen."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import FrameT, lazy, like, require

__all__ = ["last_access_by_week"]

_MOMENTS = ("last access at", "last activity at")


def last_access_by_week(frame: FrameT, *, zone: str = "UTC") -> FrameT:
    """How many people were last seen in each week.

    A person counts once, at the latest moment any of their logins shows.

    Parameters
    ----------
    frame : DataFrame
        ``last_user_access_csv`` (a row a login) or ``last_enrollment_activity_csv`` (a row a person, without
        those never seen), of any kind.
    zone : str
        Where the week begins, such as ``"America/Denver"``; the reports' times are UTC.

    Returns
    -------
    DataFrame
        Of the same kind, one row a week from the first to the last, those without anybody too, and a last
        one, its week missing, for those never seen. ``week`` (the midnight its Monday begins with, without
        a zone), ``people`` (Int64), ``share`` (Float64, of all people in the report).

    Raises
    ------
    ParameterError
        The moments are no times: some cell of the column could not be read as one; or nobody knows the zone.
    """
    _refuse_unknown(zone)
    rows = lazy(frame, ("user id", *_MOMENTS))
    schema = rows.collect_schema()
    moment = next((name for name in _MOMENTS if name in schema), _MOMENTS[0])
    require(rows, ("user id", moment), "Last access by week", given=frame)
    if not isinstance(schema[moment], pl.Datetime | pl.Null):
        raise ParameterError(
            f"Weeks need times, and {moment!r} is {schema[moment]} here.",
            hint="A column stays text when a cell is no time: crn.provenance(frame)['notes'] says which.",
        )
    week = (
        pl.col(moment)
        .cast(pl.Datetime("us", "UTC"))
        .dt.convert_time_zone(zone)
        .dt.replace_time_zone(None)
        .dt.truncate("1w")
    )
    last_seen = (
        rows.filter(pl.col("user id").is_not_null())
        .group_by("user id")
        .agg(pl.col(moment).max())
        .select(week.alias("week"))
    )
    counts = last_seen.group_by("week").agg(pl.len().cast(pl.Int64).alias("people"))
    first, last = pl.col("week").min(), pl.col("week").max()
    weeks = counts.select(pl.datetime_ranges(first, last, "1w").explode(empty_as_null=False).alias("week"))
    every = pl.concat([weeks.drop_nulls(), counts.filter(pl.col("week").is_null()).select("week")])
    people = pl.col("people").fill_null(0)
    by_week = (
        every.join(counts, on="week", how="left", nulls_equal=True)
        .with_columns(people, (people / people.sum()).alias("share"))
        .sort("week", nulls_last=True)
    )
    return like(by_week, frame)


def _refuse_unknown(zone: str) -> None:
    """A zone is what polars takes for one, which brings its own list; but to it a blank one is UTC."""
    try:
        pl.select(pl.lit(datetime(2026, 1, 1, tzinfo=UTC)).dt.convert_time_zone(zone or "none"))
    except (pl.exceptions.PolarsError, TypeError):
        raise ParameterError(
            f"zone={zone!r} is no time zone.", hint='Name one such as "America/Denver" or "UTC".'
        ) from None
