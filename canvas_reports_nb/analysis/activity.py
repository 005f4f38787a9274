"""Who was active, and which courses can be cleaned up.

The activity reports have one row per enrollment or login. Every analysis here counts people by their Canvas id,
and a student once per course. Times are in UTC, storage in megabytes as Canvas reports it, shares between 0 and
1; counts are ``Int64``.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import Any

import polars as pl

from canvas_reports_nb.analysis.alerts import Alerts, alerts
from canvas_reports_nb.catalog.parameters import is_number
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    check_joinable,
    check_zone,
    require_columns,
    require_times,
    to_lazy,
)

__all__ = ["Alerts", "alerts", "clean_up", "last_access_by_week"]

_TIMES = ("last access at", "last activity at")
_PAIR = ("user id", "course id")
_ENROLLMENT = ("canvas_user_id", "canvas_course_id", "base_role_type", "status")
# The ids of other reports, and their names in the activity reports.
_IDS = {
    "canvas_user_id": "user id",
    "canvas_course_id": "course id",
    "student id": "user id",
    "course id": "course id",
}
_COURSE = ("course id", "sis id", "short name", "name")
_STORAGE = "storage used in MB"
_REASONS = ("unused", "unpublished", "public", "heavy")


def __dir__() -> list[str]:
    return __all__


def last_access_by_week(frame: FrameT, *, zone: str = "UTC") -> FrameT:
    """Count the people last seen in each week.

    Each person counts once, at the latest time of all their logins.

    Parameters
    ----------
    frame : DataFrame
        ``last_user_access_csv`` (one row per login) or ``last_enrollment_activity_csv`` (one row per person,
        without those never seen), of any kind.
    zone : str
        The time zone in which weeks begin, such as ``"America/Denver"``; the reports are in UTC.

    Returns
    -------
    DataFrame
        The same kind of frame, one row per week from the first to the last, including weeks without anyone, and
        a last row without a week for people never seen. ``week`` (the midnight that begins its Monday, without a
        zone), ``people`` (Int64), ``share`` (Float64, of all people in the report).
    """
    schema = to_lazy(frame, _TIMES).collect_schema()
    moment = next((name for name in _TIMES if name in schema), _TIMES[0])
    seen = last_seen(frame, moment, zone, "last_access_by_week")
    counts = seen.group_by(pl.col("seen").dt.truncate("1w").alias("week")).agg(
        pl.len().cast(pl.Int64).alias("people")
    )
    first, last = pl.col("week").min(), pl.col("week").max()
    weeks = counts.select(pl.datetime_ranges(first, last, "1w").explode(empty_as_null=False).alias("week"))
    every = pl.concat([weeks.drop_nulls(), counts.filter(pl.col("week").is_null()).select("week")])
    people = pl.col("people").fill_null(0)
    by_week = (
        every.join(counts, on="week", how="left", nulls_equal=True)
        .with_columns(people, (people / people.sum()).alias("share"))
        .sort("week", nulls_last=True)
    )
    return as_kind_of(by_week, frame)


def last_seen(frame: Any, column: str, zone: str, analysis: str) -> pl.LazyFrame:
    """Return ``user id`` and ``seen``, the latest local time of each person."""
    check_zone(zone)
    rows = to_lazy(frame, ("user id", column))
    require_columns(rows, ("user id", column), analysis, given=frame)
    require_times(rows, (column,), analysis)
    seen = pl.col(column).max().cast(pl.Datetime("us", "UTC"))
    return (
        rows.filter(pl.col("user id").is_not_null())
        .group_by("user id")
        .agg(seen.dt.convert_time_zone(zone).dt.replace_time_zone(None).alias("seen"))
    )


def clean_up(
    *,
    unused: FrameT | None = None,
    unpublished: FrameT | None = None,
    public: FrameT | None = None,
    storage: FrameT | None = None,
    heavy: float = 1000.0,
) -> FrameT:
    """List the courses that are unused, unpublished, public or storage-heavy, with the reasons.

    Parameters
    ----------
    unused, unpublished, public, storage : DataFrame, optional
        ``unused_courses_csv``, ``unpublished_courses_csv``, ``public_courses_csv`` and ``course_storage_csv``
        of one account and term, of any kind; at least one of them.
    heavy : float
        A course that uses this many megabytes or more of its quota is storage-heavy.

    Returns
    -------
    DataFrame
        The kind of the first frame given, one row per course, sorted by number of reasons, storage and id:
        ``course id`` (Int64), ``sis id``, ``short name``, ``name`` (text), ``unused``, ``unpublished``,
        ``public``, ``heavy`` (boolean; missing if that report was not given), ``storage used in MB`` (Float64;
        missing likewise), ``reasons`` (text, such as ``"unused, public"``) and ``number of reasons`` (Int64).
    """
    if not is_number(heavy):
        raise ParameterError(f"Can't use heavy={heavy!r}.", hint="Give a number of megabytes: heavy=1000.")
    reports = dict(zip(_REASONS, (unused, unpublished, public, storage), strict=True))
    given = {reason: table for reason, table in reports.items() if table is not None}
    if not given:
        raise ParameterError(
            "clean_up needs at least one report.",
            hint='Add unused=canvas.read_report("unused_courses_csv"), or unpublished=, public= or storage=.',
        )
    lists = [_listed(reason, table, heavy) for reason, table in given.items()]
    for one, other in combinations(lists, 2):
        check_joinable(one, "course id", other, "course id")
    courses = _with_reasons(pl.concat(lists, how="diagonal_relaxed"), given)
    if storage is not None:
        used = to_lazy(storage, ("id", _STORAGE)).group_by(pl.col("id").alias("course id"))
        courses = courses.join(used.agg(pl.col(_STORAGE).max()), on="course id", how="left")
    else:
        courses = courses.with_columns(pl.lit(None, pl.Float64).alias(_STORAGE))
    order = ("number of reasons", _STORAGE, "course id")
    ordered = courses.sort(order, descending=[True, True, False], nulls_last=True)
    return as_kind_of(
        ordered.select(*_COURSE, *_REASONS, _STORAGE, "reasons", "number of reasons"),
        next(iter(given.values())),
    )


def _listed(reason: str, table: Any, heavy: float) -> pl.LazyFrame:
    """Return the courses of one report under common names."""
    own = (
        ("course id", "course sis id", "short name", "long name")
        if reason == "unused"
        else ("id", "sis id", "short name", "name")
    )
    sizes = [_STORAGE] if reason == "heavy" else []
    rows = to_lazy(table, (*own, *sizes))
    require_columns(rows, own, f"clean_up, for {reason} courses,", numbers=sizes, given=table)
    if sizes:
        rows = rows.filter(pl.col(_STORAGE) >= heavy)
    columns = [pl.col(name).alias(common) for name, common in zip(own, _COURSE, strict=True)]
    return rows.select(*columns, pl.lit(reason).alias("__reason")).filter(pl.col("course id").is_not_null())


def _with_reasons(rows: pl.LazyFrame, given: Collection[str]) -> pl.LazyFrame:
    flags = [
        ((pl.col("__reason") == reason).any() if reason in given else pl.lit(None, pl.Boolean)).alias(reason)
        for reason in _REASONS
    ]
    words = [pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in given]
    return (
        rows.group_by("course id")
        .agg(*(pl.col(name).drop_nulls().max() for name in _COURSE[1:]), *flags)
        .with_columns(pl.concat_str(words, separator=", ", ignore_nulls=True).alias("reasons"))
        .with_columns(pl.sum_horizontal(pl.col(list(given)).cast(pl.Int64)).alias("number of reasons"))
    )
