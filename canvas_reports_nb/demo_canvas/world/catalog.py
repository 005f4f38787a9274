"""Terms, grading periods, courses and sections of the university."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from canvas_reports_nb.demo_canvas.data import attach, table

from .draws import Draws, Ints

SPRING, SUMMER, FALL = range(3)
FALL_2025 = 12  # a term's id counts terms, three per year, so it does not depend on when the world is made
DEFAULT_TERM, DELETED_TERM = 1, 990
FIRST_COURSE, FIRST_SECTION = 201, 20_001
FIXED_COURSES = (500, 599)
"""The ids of the fixed courses, which come after many ordinary ones; templates have smaller ids."""
MOMENT = pl.Datetime("us", "UTC")
DAY = 86_400
_UTC_OFFSET = -7 * 3_600
"""Of the university's clocks in winter."""
ORDINARY = 20
"""Rows of a table that come before its odd ones."""
_LECTURE, _SEMINAR = 80, 12
_STATES = ("unpublished", "available", "completed", "deleted")
_GONE = _STATES.index("deleted")
_LEVELS = ("Introduction to {}", "{} I", "{} II", "Advanced {}", "Topics in {}", "{} Laboratory")

_SEASONS = (
    ("Spring {}", "SP", (1, 12), (5, 8)),
    ("Summer {}, Session I/II", "SU", (5, 18), (8, 7)),
    ("Fall {}", "FA", (8, 25), (12, 19)),
)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The instant of the world, aware and in UTC, and its newest term that has begun."""

    now: datetime
    current_term: int


def moments(seconds: Ints | Sequence[float | None]) -> pl.Series:
    """Return seconds since 1970 as a column of UTC instants, microseconds."""
    return (pl.Series(seconds, dtype=pl.Int64) * 1_000_000).cast(MOMENT)


def waking(draws: Draws, ids: ArrayLike, latest: Ints) -> Ints:
    """Return an instant in waking hours of the university, at most a day before the latest allowed one."""
    local = latest + _UTC_OFFSET
    hours = 7.5 + 8.0 * (draws.uniform("hour a", ids) + draws.uniform("hour b", ids))
    at = local // DAY * DAY + (hours * 3_600).astype(np.int64)
    return np.asarray(np.where(at > local, at - DAY, at) - _UTC_OFFSET)


def season(term_id: int) -> int:
    """Return whether a term is a spring, a summer or a fall."""
    return (term_id - 10) % 3


def _season(term_id: int, zone: ZoneInfo) -> tuple[str, str, datetime, datetime]:
    year = 2025 + (term_id - 10) // 3
    name, code, first, last = _SEASONS[season(term_id)]
    start = datetime(year, *first, tzinfo=zone)
    end = datetime(year, *last, 23, 59, tzinfo=zone)
    return name.format(year), f"{code}{year % 100:02}", start.astimezone(UTC), end.astimezone(UTC)


def current_term_id(now: datetime, zone: ZoneInfo) -> int:
    """Return the id of the newest term that has begun."""
    newest = 10 + 3 * (now.year - 2025) + 2
    return next(term for term in range(newest, newest - 4, -1) if _season(term, zone)[2] <= now)


def terms(now: datetime, zone: ZoneInfo) -> pl.DataFrame:
    """Return eight terms that have begun, the next one, the default term and a deleted one.

    Exactly one is current at `now`: in a vacation the last term is extended.
    """
    current = current_term_id(now, zone)
    if current < FALL_2025 - 3:
        raise ValueError(f"The demo university has no calendar for {now:%Y-%m-%d}. Use a date from 2025 on.")
    rows: list[tuple[object, ...]] = [(DEFAULT_TERM, None, "Default Term", "active", None, None, False)]
    for term in range(current - 7, current + 2):
        name, sis, start, end = _season(term, zone)
        if term == current and end <= now:
            end = now.replace(second=0, microsecond=0) + timedelta(days=14)
        rows.append((term, sis, name, "active", start, end, True))
    rows.append((DELETED_TERM, "WI-ERR", "Winter (made in error)", "deleted", None, None, True))
    names = ["id", "sis_id", "name", "status", "start_at", "end_at", "created_by_sis"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame.with_columns(pl.col("start_at", "end_at").cast(MOMENT))


def grading_periods(terms: pl.DataFrame) -> pl.DataFrame:
    """Return the periods of every spring and fall term, first to last.

    The two halves of a spring share a title, as they do at real schools.
    """
    halves = {"SP": ("Half-term", "Half-term"), "FA": ("Quarter 1", "Quarter 2")}
    rows = [
        (term["id"] * 10, f"{term['name']} periods", term["id"] * 10 + part, title, term["id"])
        for term in terms.iter_rows(named=True)
        for part, title in enumerate(halves.get((term["sis_id"] or "")[:2], ()), start=1)
    ]
    return pl.DataFrame(rows, schema=["set_id", "set_title", "id", "title", "term_id"], orient="row")


def _showpieces(calendar: Calendar, terms: pl.DataFrame) -> pl.DataFrame:
    """Return the courses with the oddities of real files, which are in a world of any size."""
    current = calendar.current_term
    fall = max(t for t in terms["id"] if t <= current and t % 3 == FALL_2025 % 3)
    frame = table("courses")
    today = int(calendar.now.timestamp())
    return frame.select(
        pl.exclude("term", "changed_days_ago"),
        term_id=pl.col("term").replace_strict({"default": DEFAULT_TERM, "fall": fall, "current": current}),
        created_by_sis=pl.col("sis_id").is_not_null(),
        mean=pl.lit(78.0),
        spread=pl.lit(11.0),
        extra_sections=pl.lit(0, dtype=pl.Int64),
        created_at=moments(np.full(frame.height, today - 200 * DAY)),
        updated_at=moments(today - DAY * frame["changed_days_ago"].to_numpy()),
    )


def _subject_columns(draws: Draws, ids: Ints, term: Ints, size: Ints) -> dict[str, object]:
    """Return what a class teaches; a code has one name in every term, and large classes are introductions."""
    subjects = table("subjects")
    subject = draws.choose("course subject", ids, [3, 3, 5, 6, 4, 3, 2, 4, 4, 0])
    subject = np.where((term == DEFAULT_TERM) & draws.chance("sandbox", ids, 0.5), len(subjects) - 1, subject)
    drawn = subjects[subject]
    counts = subjects["topics"].list.len().cast(pl.Int64).to_numpy()
    # The first topics of a subject are taught most often.
    nth = (draws.small("course topic", ids) * counts[subject]).astype(np.int64)
    topic = (np.cumsum(counts) - counts)[subject] + nth
    level = draws.choose("course level", ids, [1, 8, 5, 2, 1, 1])
    level = np.where(size >= _LECTURE, draws.below("lecture level", ids, 2), level)
    level = np.where(size <= _SEMINAR, len(_LEVELS) - 1 - draws.below("seminar level", ids, 2), level)
    titles = pl.Series([form.format(text) for text in subjects["topics"].explode() for form in _LEVELS])
    number = pl.Series(100 * (level + 1) + 10 * nth + 1).cast(pl.String)
    return {
        "account_id": drawn["account_id"],
        "code": drawn["code"] + " " + number,
        "name": titles.gather(topic * len(_LEVELS) + level),
        "mean": drawn["mean"] + 2.0 * draws.normal("course mean", ids),
        "spread": drawn["spread"],
    }


def _status(draws: Draws, ids: Ints, term: Ints, current: int) -> Ints:
    past = draws.choose("course status past", ids, [0, 60, 37, 3])
    now = draws.choose("course status now", ids, [6, 88, 1, 5])
    future = draws.choose("course status future", ids, [60, 36, 0, 4])
    return np.where(term > current, future, np.where((term < current) & (term != DEFAULT_TERM), past, now))


def _times(draws: Draws, ids: Ints, calendar: Calendar, terms: pl.DataFrame, term: Ints) -> tuple[Ints, Ints]:
    """Return when courses were created, some weeks before their terms, and when the deleted ones were deleted."""
    today = int(calendar.now.timestamp())
    begun = attach(pl.DataFrame({"term_id": term}), terms, "term_id", at="start_at")["at"].dt.epoch("s")
    started = begun.fill_null(today - 300 * DAY).to_numpy()
    created = np.minimum(started, today) - DAY * (20 + draws.below("course age", ids, 60))
    gone = today - (draws.small("course deleted", ids) * 300 * DAY).astype(np.int64)
    return created, np.maximum(gone, created)


def _drawn_courses(
    draws: Draws, term: Ints, size: Ints, calendar: Calendar, terms: pl.DataFrame
) -> pl.DataFrame:
    ids = course_ids(len(term))
    status = _status(draws, ids, term, calendar.current_term)
    created, gone = _times(draws, ids, calendar, terms, term)
    storage = np.round(draws.small("course files", ids) * 900.0, 2)
    text = pl.Series(ids).cast(pl.String)
    return pl.DataFrame(
        {
            "id": ids,
            "sis_id": text.str.zfill(7),
            **_subject_columns(draws, ids, term, size),
            "term_id": term,
            "status": pl.Series(_STATES).gather(status),
            "restricted": draws.chance("course dates", ids, 0.1),
            "format": draws.pick(
                "course format", ids, [None, "on_campus", "online", "blended"], [4, 3, 2, 1]
            ),
            "blueprint_id": np.where(draws.chance("course blueprint", ids, 0.05), 90, 0),
            "integration_id": "crs-" + text,
            "public": draws.chance("course public", ids, 0.04),
            "unused": draws.chance("course unused", ids, 0.05),
            "graded_by_letter": draws.chance("course scheme", ids, 0.9),
            "aligned": draws.chance("course aligned", ids, 0.08),
            "size": size,
            "extra_sections": np.where(
                size > _SEMINAR, draws.choose("course sections", ids, [70, 20, 10]), 0
            ),
            "storage_mb": storage,
            "files_mb": np.round(storage * (1.0 + 0.2 * draws.uniform("course copies", ids)), 2),
            "created_at": moments(created),
            "updated_at": moments(np.where(status == _GONE, gone, created + DAY)),
        }
    )


def courses(draws: Draws, term: Ints, size: Ints, calendar: Calendar, terms: pl.DataFrame) -> pl.DataFrame:
    """Return a course per class, of which term and size are given, and after some of them the fixed courses."""
    drawn = _drawn_courses(draws, term, size, calendar, terms)
    ids = drawn["id"].to_numpy()
    drawn = drawn.with_columns(
        sis_id=pl.when(pl.Series(~draws.chance("course sis", ids, 0.06))).then("sis_id"),
        created_by_sis=pl.Series(~draws.chance("course sis", ids, 0.08)),
        blueprint_id=pl.when(pl.col("blueprint_id") > 0).then("blueprint_id"),
        integration_id=pl.when(pl.col("id") % 5 == 0).then("integration_id"),
    )
    return attach(after_some(drawn, _showpieces(calendar, terms)), terms, "term_id", "start_at", "end_at")


def course_ids(count: int) -> Ints:
    """Return the ids of the first drawn courses."""
    ids = FIRST_COURSE + np.arange(count, dtype=np.int64)
    first, last = FIXED_COURSES
    return np.where(ids < first, ids, ids + last + 1 - first)


def is_drawn() -> pl.Expr:
    """Return the condition for drawn courses."""
    return (pl.col("id") >= FIRST_COURSE) & ~pl.col("id").is_between(*FIXED_COURSES)


def after_some(drawn: pl.DataFrame, fixed: pl.DataFrame) -> pl.DataFrame:
    """Return the drawn rows with the fixed ones among them, so that the first rows are ordinary."""
    drawn = drawn.select(fixed.columns)
    return pl.concat([drawn[:ORDINARY], fixed, drawn[ORDINARY:]], how="vertical_relaxed")


def sections(draws: Draws, courses: pl.DataFrame) -> pl.DataFrame:
    """Return the sections of all courses; `home_course_id` is the original course of a cross-listed one.

    Every drawn course keeps its first section; in a few the last one was cross-listed from the course before.
    """
    drawn = courses.filter(is_drawn())
    per_course = drawn["extra_sections"].to_numpy() + 1
    course = np.repeat(drawn["id"].to_numpy(), per_course)
    ids = FIRST_SECTION + np.arange(len(course), dtype=np.int64)
    nth = ids - FIRST_SECTION - np.repeat(np.cumsum(per_course) - per_course, per_course)
    last = (nth > 0) & (nth == np.repeat(per_course, per_course) - 1)
    gone_courses = drawn.filter(status="deleted")["id"].to_numpy()
    listed = last & (draws.chance("section xlist", ids, 0.12)) & (course > FIRST_COURSE)
    before = np.where(course - 1 == FIXED_COURSES[1], FIXED_COURSES[0] - 1, course - 1)
    listed &= ~np.isin(before, gone_courses)
    gone = last & ~listed & (draws.chance("section deleted", ids, 0.03))
    frame = pl.DataFrame(
        {
            "id": ids,
            "sis_id": "S" + pl.Series(ids).cast(pl.String).str.zfill(8),
            "course_id": course,
            "name": pl.Series(np.array(["Lecture A", "Lecture B", "Evening, online"])[np.minimum(nth, 2)]),
            "home_course_id": np.where(listed, before, 0),
            "restricted": draws.chance("section dates", ids, 0.03),
            "integration_id": "sec-" + pl.Series(ids).cast(pl.String),
            "status": pl.Series(np.where(gone, "deleted", "active")),
        }
    ).with_columns(
        sis_id=pl.when(pl.Series(~draws.chance("section sis", ids, 0.08))).then("sis_id"),
        home_course_id=pl.when(pl.col("home_course_id") > 0).then("home_course_id"),
        integration_id=pl.when(pl.col("id") % 6 == 0).then("integration_id"),
    )
    pieces = table("sections").with_columns(
        integration_id=pl.lit(None, dtype=pl.String), status=pl.lit("active")
    )
    both = after_some(frame, pieces).with_columns(created_by_sis=pl.col("sis_id").is_not_null())
    return attach(both, courses, "course_id", "account_id", "start_at", "end_at")
