"""Who was active, and which courses can be cleaned up or have reached the end of their retention.

The activity reports have one row per enrollment or login. Every analysis here counts people by their Canvas id,
and a student once per course. Times are in UTC, storage in megabytes as Canvas reports it, shares between 0 and
1; counts are ``Int64``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.analysis.alerts import Alerts, alerts
from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.provisioning.courses import count_people
from canvas_reports_nb.analysis.provisioning.readiness import local_day, read_day
from canvas_reports_nb.analysis.provisioning.tables import has_status, lazy_tables, unique_rows
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

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Alerts", "alerts", "clean_up", "last_access_by_week", "retention"]

_TIMES = ("last access at", "last activity at")
_OPEN = ("canvas_course_id", "status")
_ALSO = {"courses": ("course_id", "short_name", "long_name"), "enrollments": ("base_role_type",)}
_SEAT = ("canvas_user_id", "canvas_course_id", "role", "status")
_STORAGE = "storage used in MB"
_NAMES = {
    "canvas_course_id": "course id",
    "course_id": "sis id",
    "short_name": "short name",
    "long_name": "name",
}
_REASONS = ("unused", "unpublished", "no students", "no teachers", "public", "heavy")


def __dir__() -> list[str]:
    return __all__


@defined("People by the week of their last access in the time zone {zone}, each counted once.")
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

    Examples
    --------
    >>> access = canvas.read_report("last_user_access_csv")
    >>> weeks = crn.activity.last_access_by_week(access, zone="America/Denver")
    >>> int(weeks["people"].max())
    144
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


@defined(
    "Open courses with a reason to clean them up: no students, no teachers, never published, nothing in them, public, or "
    "at least {heavy:g} MB; people with active or invited enrollments count."
)
def clean_up(
    tables: Mapping[str, FrameT],
    *,
    unused: Any = None,
    public: Any = None,
    storage: Any = None,
    heavy: float = 1000.0,
) -> FrameT:
    """List the open courses that can be cleaned up, with the reasons.

    Parameters
    ----------
    tables : mapping of str to frame
        ``courses`` and ``enrollments`` of one provisioning_csv run without an enrollment filter.
    unused, public, storage : frame, optional
        ``unused_courses_csv``, ``public_courses_csv`` and ``course_storage_csv`` of the same account, of any kind.
    heavy : float
        A course that uses this many megabytes or more of its quota is heavy.

    Returns
    -------
    frame
        The kind of ``courses``, one row per course that is neither concluded nor deleted and has a reason, sorted by
        number of reasons, storage and id: ``course id`` (Int64), ``sis id``, ``short name``, ``name`` (text);
        ``students`` and ``teachers`` (Int64: people, by base role); ``unused`` (nothing in it), ``unpublished``,
        ``no students``, ``no teachers``, ``public``, ``heavy`` (boolean; missing if that report was not given);
        ``storage used in MB`` (Float64; missing likewise), ``reasons`` (text, such as ``"unused; no students"``) and
        ``number of reasons`` (Int64).

    Examples
    --------
    >>> old = crn.activity.clean_up(tables)
    >>> old[["short name", "reasons"]].head(1).values.tolist()
    [['PHIL 9', 'unpublished; no students; no teachers']]
    """
    if not is_number(heavy):
        raise ParameterError(f"Can't use heavy={heavy!r}.", hint="Give a number of megabytes: heavy=1000.")
    given = lazy_tables(tables, "clean_up", (), {"courses": _OPEN, "enrollments": _SEAT}, _ALSO)
    courses = unique_rows(given, "courses").filter(~has_status(("concluded", "deleted")))
    counts = count_people(given, "canvas_course_id", ("active", "invited"))
    rows = courses.join(counts, on="canvas_course_id", how="left").select(
        *_named(courses),
        pl.col("students", "teachers").fill_null(0),
        (pl.col("status").cast(pl.String) == "unpublished").alias("unpublished"),
    )
    rows = rows.with_columns(
        (pl.col("students") == 0).alias("no students"), (pl.col("teachers") == 0).alias("no teachers")
    )
    for flag, report, key in (("unused", unused, "course id"), ("public", public, "id")):
        rows = _with_flag(rows, flag, report, key, tables["courses"])
    rows = _with_storage(rows, storage, heavy, tables["courses"])
    words = [pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in _REASONS]
    found = rows.with_columns(
        pl.concat_str(words, separator="; ", ignore_nulls=True).alias("reasons"),
        pl.sum_horizontal(pl.col(_REASONS).cast(pl.Int64)).alias("number of reasons"),
    ).filter(pl.col("number of reasons") > 0)
    order = ("number of reasons", _STORAGE, "course id")
    ordered = found.sort(order, descending=[True, True, False], nulls_last=True)
    return as_kind_of(
        ordered.select(
            *_NAMES.values(), "students", "teachers", *_REASONS, _STORAGE, "reasons", "number of reasons"
        ),
        tables["courses"],
    )


def _named(courses: pl.LazyFrame) -> list[pl.Expr]:
    """Return the ids and names of courses under the names of reports; missing in older files."""
    known = courses.collect_schema().names()
    return [
        (pl.col(own) if own in known else pl.lit(None, pl.String)).alias(name) for own, name in _NAMES.items()
    ]


@defined(
    "Courses that are not deleted, by the full years on {today} since they ended: the date of the course, else of its term, "
    "in the time zone {zone}; due after {keep} years."
)
def retention(
    tables: Mapping[str, FrameT],
    *,
    today: str | date,
    keep: int = 5,
    storage: Any = None,
    zone: str = "UTC",
) -> FrameT:
    """List the courses that have ended, with the years since then, those to delete or archive first.

    Parameters
    ----------
    tables : mapping of str to frame
        ``courses`` and ``terms`` of one provisioning_csv run with ``include_deleted=True``; without it, Canvas leaves
        concluded courses out.
    today : str or date
        The day to count to: ``"2026-03-02"``.
    keep : int
        The years that a course is kept after its end.
    storage : frame, optional
        ``course_storage_csv`` of the same account, of any kind.
    zone : str
        The time zone in which days begin; the tables are in UTC.

    Returns
    -------
    frame
        The kind of ``courses``, one row per course that is not deleted and has ended, or has no end: ``course id``
        (Int64), ``sis id``, ``short name``, ``name``, ``term`` and ``status`` (text); ``ended`` (date), ``years``
        (Int64: full years since then; both missing without an end), ``due`` (boolean), ``storage used in MB``
        (Float64; missing without ``storage``). Sorted by years, the oldest first, then by storage and id.

    Examples
    --------
    >>> files = {"courses": True, "terms": True, "include_deleted": True}
    >>> ended = crn.activity.retention(canvas.read_tables("provisioning_csv", **files), today="2026-03-02", keep=2)
    >>> int(ended["due"].sum())
    15
    """
    day = read_day(today, "today")
    check_zone(zone)
    if not is_number(keep):
        raise ParameterError(f"Can't use keep={keep!r}.", hint="Give a number of years: keep=5.")
    needed = {"courses": (*_OPEN, "canvas_term_id"), "terms": ("canvas_term_id", "name", "end_date")}
    given = lazy_tables(tables, "retention", (), needed, {"courses": (*_NAMES, "end_date")})
    courses = unique_rows(given, "courses").filter(~has_status(("deleted",)))
    own = "end_date" if "end_date" in courses.collect_schema() else None
    for table, rows in (("courses", courses), ("terms", given["terms"])):
        dates = [name for name in ("end_date",) if name in rows.collect_schema()]
        require_times(rows, dates, f"retention, in the table {table!r},")
    terms = unique_rows(given, "terms").select(
        "canvas_term_id",
        pl.col("name").cast(pl.String).alias("term"),
        local_day("end_date", zone).alias("__term"),
    )
    ended = pl.coalesce(local_day(own, zone), "__term")
    birthday = ended.dt.month().cast(pl.Int32) * 100 + ended.dt.day()
    years = day.year - ended.dt.year() - (birthday > day.month * 100 + day.day).cast(pl.Int32)
    rows = (
        courses.join(terms, on="canvas_term_id", how="left")
        .select(
            *_named(courses),
            "term",
            pl.col("status").cast(pl.String),
            ended.alias("ended"),
            years.cast(pl.Int64).alias("years"),
            (years >= keep).fill_null(value=False).alias("due"),
        )
        .filter((pl.col("ended") < pl.lit(day)).fill_null(value=True))
    )
    found = _with_storage(rows, storage, 0, tables["courses"], "retention").drop("heavy")
    order = ("years", _STORAGE, "course id")
    return as_kind_of(found.sort(order, descending=[True, True, False], nulls_last=True), tables["courses"])


def _with_flag(courses: pl.LazyFrame, flag: str, report: Any, key: str, given: Any) -> pl.LazyFrame:
    """Add whether a report lists the course; missing without the report."""
    if report is None:
        return courses.with_columns(pl.lit(None, pl.Boolean).alias(flag))
    listed = to_lazy(report, (key,))
    require_columns(listed, (key,), f"clean_up, in {flag},", given=report)
    check_joinable(courses, "course id", listed, key, made_of=(given, report))
    flags = listed.select(pl.col(key).alias("course id"), pl.lit(value=True).alias(flag)).unique()
    return courses.join(flags, on="course id", how="left").with_columns(pl.col(flag).fill_null(value=False))


def _with_storage(
    courses: pl.LazyFrame, storage: Any, heavy: float, given: Any, analysis: str = "clean_up"
) -> pl.LazyFrame:
    if storage is None:
        return courses.with_columns(
            pl.lit(None, pl.Float64).alias(_STORAGE), pl.lit(None, pl.Boolean).alias("heavy")
        )
    used = to_lazy(storage, ("id", _STORAGE))
    require_columns(used, ("id",), f"{analysis}, in storage,", numbers=(_STORAGE,), given=storage)
    check_joinable(courses, "course id", used, "id", made_of=(given, storage))
    most = used.group_by(pl.col("id").alias("course id")).agg(pl.col(_STORAGE).max())
    return courses.join(most, on="course id", how="left").with_columns(
        (pl.col(_STORAGE) >= heavy).fill_null(value=False).alias("heavy")
    )
