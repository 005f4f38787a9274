"""Courses that are about to start and not ready, with the people to write to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.provisioning.courses import count_people
from canvas_reports_nb.analysis.provisioning.places import contacts, places
from canvas_reports_nb.analysis.provisioning.tables import (
    has_role,
    has_status,
    takes_tables,
    unique_rows,
)
from canvas_reports_nb.catalog.parameters import is_number
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    check_zone,
    require_columns,
    require_times,
    to_lazy,
)

_COURSE, _TERM, _PERSON = "canvas_course_id", "canvas_term_id", "canvas_user_id"
_PRESENT = ("active", "invited")
_REASONS = ("unpublished", "teacherless", "empty", "teachers_away")


def _sentence(given: Mapping[str, Any]) -> str:
    today = "today" if given.get("today") is None else str(given["today"])
    return (
        f"Open courses with active or invited students that start within {given['within']} days of {today}, or have no "
        "start date, and lack something."
    )


@defined(_sentence)
@takes_tables(
    joined={"access": ("user id", "enrollments", _PERSON), "unused": ("course id", "courses", _COURSE)},
    courses=(_COURSE, _TERM, "canvas_account_id", "status"),
    terms=(_TERM, "start_date"),
    enrollments=(_PERSON, _COURSE, "canvas_section_id", "role", "status"),
    users=(_PERSON, "user_id", "login_id", "full_name", "sortable_name", "email", "status"),
    accounts=("canvas_account_id", "canvas_parent_id", "name"),
)
def readiness(
    tables: Mapping[str, pl.LazyFrame],
    *,
    today: str | date,
    access: Any = None,
    unused: Any = None,
    seen_since: str | date | None = None,
    within: int = 14,
    zone: str = "UTC",
) -> pl.LazyFrame:
    """Return the courses with students that start soon, or just did, and lack something.

    Parameters
    ----------
    tables : mapping of str to frame
        ``courses``, ``terms``, ``enrollments``, ``users`` and ``accounts`` of one provisioning_csv run on the root
        account. If the frames are lazy, the accounts are collected.
    today : str or date
        Such as ``"2026-08-20"``.
    access : frame, optional
        ``last_user_access_csv`` of any kind, for ``teachers_away``.
    unused : frame, optional
        ``unused_courses_csv`` of any kind, for ``empty``.
    seen_since : str or date, optional
        Teachers last seen before this day are away. Without it, only those who were never seen are.
    within : int
        Days before or after today in which the course starts.
    zone : str
        The time zone of the school, which decides on which day a start or a visit falls.

    Returns
    -------
    frame
        The kind of ``courses``, one row per course that is neither concluded nor deleted, has active or invited
        students, and lacks something; unpublished courses first, then those with the most students:
        ``canvas_course_id``, ``course_id``, ``canvas_term_id``, ``short_name``, ``long_name``; ``canvas_account_id``,
        ``account_path``, ``college``, ``department`` as in `places`; ``students`` and ``teachers`` (Int64: people, by
        base role); ``unpublished``, ``teacherless``, ``empty`` (nothing in it), ``teachers_away`` (it has teachers,
        and none was seen; boolean, missing if that report was not given); ``starts`` (date of the course, otherwise
        of the term), ``starts_in`` (Int64: days; both missing if neither has a date); ``reasons`` (text, joined with
        "; "); ``names`` and ``emails`` of the teachers as in `contacts`.

    Examples
    --------
    >>> late = crn.provisioning.readiness(tables, today="2026-01-10")
    >>> late[["short_name", "reasons", "starts_in"]].head(2).values.tolist()
    [['NURS 601', 'unpublished', 2], ['PHIL 601', 'unpublished', 2]]
    """
    day, since = read_day(today, "today"), None if seen_since is None else read_day(seen_since, "seen_since")
    if not is_number(within):
        raise ParameterError(f"Can't use within={within!r}.", hint="Give a number of days: within=14.")
    check_zone(zone)
    courses = unique_rows(tables, "courses").filter(~has_status(("concluded", "deleted")))
    names = courses.collect_schema().names()
    for table, rows in (("courses", courses), ("terms", tables["terms"])):
        dates = [name for name in ("start_date",) if name in rows.collect_schema().names()]
        require_times(rows, dates, f"readiness, in the table {table!r},")
    own = [name for name in ("course_id", "short_name", "long_name") if name in names]
    started = pl.coalesce(local_day("start_date" if "start_date" in names else None, zone), "__term_start")
    terms = unique_rows(tables, "terms").select(_TERM, local_day("start_date", zone).alias("__term_start"))
    counts = count_people(tables, _COURSE, _PRESENT).filter(pl.col("students") > 0)
    teachers = contacts(tables, states=_PRESENT).select(_COURSE, "names", "emails")
    found = (
        courses.join(terms, on=_TERM, how="left")
        .select(
            _COURSE,
            *own[:1],
            _TERM,
            *own[1:],
            (pl.col("status").cast(pl.String) == "unpublished").alias("unpublished"),
            started.alias("starts"),
        )
        .with_columns((pl.col("starts") - pl.lit(day)).dt.total_days().alias("starts_in"))
        .filter((pl.col("starts_in").abs() <= within).fill_null(value=True))
        .join(counts, on=_COURSE)
        .join(places(tables), on=_COURSE, how="left")
        .join(teachers, on=_COURSE, how="left")
        .with_columns((pl.col("teachers") == 0).alias("teacherless"))
    )
    found = _with_empty(found, unused)
    found = _with_away(found, tables, access, since, zone)
    words = [pl.when(pl.col(name)).then(pl.lit(name)) for name in _REASONS]
    return (
        found.with_columns(pl.concat_str(words, separator="; ", ignore_nulls=True).alias("reasons"))
        .filter(pl.col("reasons") != "")
        .sort("unpublished", "students", _COURSE, descending=[True, True, False])
        .select(
            *(
                _COURSE,
                *own[:1],
                _TERM,
                *own[1:],
                "canvas_account_id",
                "account_path",
                "college",
                "department",
            ),
            *("students", "teachers", *_REASONS, "starts", "starts_in", "reasons", "names", "emails"),
        )
    )


def read_day(day: str | date, name: str) -> date:
    """Return a date, or the date of a time or of its text."""
    try:
        found = datetime.fromisoformat(day) if isinstance(day, str) else day
        return found.date() if isinstance(found, datetime) else date(found.year, found.month, found.day)
    except (AttributeError, ValueError):
        raise ParameterError(
            f"Can't read {name}={day!r}.", hint=f'Give a date: {name}="2026-08-20".'
        ) from None


def local_day(column: str | None, zone: str) -> pl.Expr:
    """Return the local date of a time."""
    if column is None:
        return pl.lit(None, pl.Date)
    return pl.col(column).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.date()


def _with_empty(courses: pl.LazyFrame, unused: Any) -> pl.LazyFrame:
    if unused is None:
        return courses.with_columns(pl.lit(None, pl.Boolean).alias("empty"))
    listed = to_lazy(unused, ("course id",))
    flags = listed.select(pl.col("course id").alias(_COURSE), pl.lit(value=True).alias("empty")).unique()
    return courses.join(flags, on=_COURSE, how="left").with_columns(pl.col("empty").fill_null(value=False))


def _with_away(
    courses: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame], access: Any, since: date | None, zone: str
) -> pl.LazyFrame:
    if access is None:
        return courses.with_columns(pl.lit(None, pl.Boolean).alias("teachers_away"))
    seen = to_lazy(access, ("user id", "last access at"))
    require_columns(seen, ("last access at",), "readiness, in access,", given=access)
    require_times(seen, ("last access at",), "readiness, in access,")
    enrollments = tables["enrollments"]
    last = seen.group_by(pl.col("user id").alias(_PERSON)).agg(
        local_day("last access at", zone).max().alias("__seen")
    )
    here = pl.col("__seen").is_not_null() if since is None else pl.col("__seen") >= pl.lit(since)
    teaching = enrollments.filter(has_role(enrollments, "teacher"), has_status(_PRESENT))
    present = (
        teaching.select(_PERSON, _COURSE)
        .join(last, on=_PERSON, how="left")
        .group_by(_COURSE)
        .agg(here.any().alias("__here"))
    )
    away = ((pl.col("teachers") > 0) & ~pl.col("__here").fill_null(value=False)).alias("teachers_away")
    return courses.join(present, on=_COURSE, how="left").with_columns(away)
