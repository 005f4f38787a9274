"""What the university teaches and when: accounts, terms, grading periods, courses and sections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

    from canvas_reports_nb.demo_canvas.world.draws import Draws

__all__ = [
    "FALL_2025",
    "Calendar",
    "accounts",
    "courses",
    "current_term_id",
    "grading_periods",
    "moments",
    "sections",
    "terms",
]

FALL_2025 = 12  # a term's id counts terms, three a year, so it does not move when the world is made later
DEFAULT_TERM, DELETED_TERM = 1, 990
FIRST_COURSE, FIRST_SECTION = 1_001, 20_001
MOMENT = pl.Datetime("us", "UTC")
_DAY = 86_400
_ROBOTS, _DELETED_COURSE = 505, 509
_STATES = ("unpublished", "available", "completed", "deleted")
_GONE = _STATES.index("deleted")

_ACCOUNTS = [
    (1, None, None, None, "Meridian University", "active", False),
    (2, "ARTS", None, 1, "Arts & Humanities", "active", True),
    (3, "SCI", "int-sci", 1, "Science", "active", True),
    (7, "ENG", "int-eng", 1, "Engineering", "active", True),
    (8, None, None, 3, "Biology", "active", False),
    (9, "BUS", None, 1, "Business, Law and Economics", "active", True),
    (10, "MED", None, 1, "Medicine", "active", True),
    (11, "ENG-CIV", None, 7, "Civil Engineering", "active", True),
    (12, "ENG-ELE", None, 7, "Electrical Engineering", "active", True),
    (13, "SCI-MATH", None, 3, "Mathematics", "active", True),
    (14, "SCI-CS", None, 3, "Computer Science", "active", True),
    (15, "ARTS-LANG", None, 2, "Languages, Literatures", "active", True),
    (16, "0042", None, 2, "Philosophy", "active", True),
    (17, None, None, 1, 'Sandbox "Playground"', "active", False),
    (18, "OLD-AGR", None, 1, "Agriculture", "deleted", True),
    (19, "BUS-ECO", None, 9, "Economics", "active", True),
    (20, "MED-NUR", None, 10, "Nursing", "active", True),
]

# account, code prefix, topics, typical mark, its spread
_SUBJECTS: tuple[tuple[int, str, tuple[str, ...], float, float], ...] = (
    (11, "CIV", ("Structures", "Hydraulics", "Soil Mechanics", "Bridges, Tunnels and Dams"), 76.0, 11.0),
    (12, "ELE", ("Circuits", "Signals", "Control Systems", "Power Electronics"), 73.0, 13.0),
    (13, "MATH", ("Calculus", "Linear Algebra", "Number Theory", "Statistics"), 69.0, 15.0),
    (14, "CS", ("Programming", "Algorithms", "Databases", "Operating Systems"), 74.0, 14.0),
    (8, "BIO", ("Genetics", "Ecology", "Microbiology", "Anatomy"), 77.0, 11.0),
    (15, "LANG", ("Español", "Français", "日本語", "Íslenska", "العربية"), 84.0, 8.0),
    (16, "PHIL", ("Logic", "Ethics", 'The "Self"', "Ancient Thought"), 81.0, 9.0),
    (19, "ECON", ("Microeconomics", "Macroeconomics", "Game Theory", "Trade"), 75.0, 11.0),
    (20, "NURS", ("Patient Care", "Pharmacology", "Public Health", "Midwifery"), 83.0, 7.0),
    (17, "SAND", ("Trial Course", "Training Shell"), 80.0, 10.0),
)
_LEVELS = ("Introduction to {}", "{} I", "{} II", "Advanced {}", "Topics in {}", "{} Laboratory")

_SEASONS = (
    ("Spring {}", "SP", (1, 12), (5, 8)),
    ("Summer {}, Session I/II", "SU", (5, 18), (8, 7)),
    ("Fall {}", "FA", (8, 25), (12, 19)),
)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When the world is: its instant, aware and in UTC, and the newest term that has begun."""

    now: datetime
    current_term: int


def moments(seconds: NDArray[np.int64] | Sequence[float | None]) -> pl.Series:
    """Return seconds since 1970 as a column of UTC instants, microseconds."""
    return (pl.Series(seconds, dtype=pl.Int64) * 1_000_000).cast(MOMENT)


def accounts() -> pl.DataFrame:
    """Return the account tree; the root is account 1."""
    names = ["id", "sis_id", "integration_id", "parent_id", "name", "status", "created_by_sis"]
    return pl.DataFrame(_ACCOUNTS, schema=names, orient="row")


def _season(term_id: int, zone: ZoneInfo) -> tuple[str, str, datetime, datetime]:
    year, season = 2025 + (term_id - 10) // 3, (term_id - 10) % 3
    name, code, first, last = _SEASONS[season]
    start = datetime(year, *first, tzinfo=zone)
    end = datetime(year, *last, 23, 59, tzinfo=zone)
    return name.format(year), f"{code}{year % 100:02}", start.astimezone(UTC), end.astimezone(UTC)


def current_term_id(now: datetime, zone: ZoneInfo) -> int:
    """Return the id of the newest term that has begun."""
    newest = 10 + 3 * (now.year - 2025) + 2
    return next(term for term in range(newest, newest - 4, -1) if _season(term, zone)[2] <= now)


def terms(now: datetime, zone: ZoneInfo) -> pl.DataFrame:
    """Return eight begun terms, the next one, the default term and one made in error and deleted.

    Exactly one is current at `now`: in a vacation the term just over is prolonged.
    """
    current = current_term_id(now, zone)
    if current < FALL_2025 - 3:
        raise ValueError(
            f"the demo university has no calendar before its terms of 2024; now is {now:%Y-%m-%d}"
        )
    rows: list[tuple[object, ...]] = [(DEFAULT_TERM, None, "Default Term", "active", None, None, False)]
    for term in range(current - 7, current + 2):
        name, sis, start, end = _season(term, zone)
        if term == current and end <= now:
            end = now.replace(second=0, microsecond=0) + timedelta(days=14)
        rows.append((term, sis, name, "active", start, end, True))
    rows.append((DELETED_TERM, "WI-ERR", "Winter (made in error)", "deleted", None, None, True))
    schema: dict[str, pl.DataType | type[pl.DataType]] = {"id": pl.Int64, "sis_id": pl.String, "name": pl.String, "status": pl.String, "start_at": MOMENT,
              "end_at": MOMENT, "created_by_sis": pl.Boolean}  # fmt: skip
    return pl.DataFrame(rows, schema=pl.Schema(schema), orient="row")


def grading_periods(terms: pl.DataFrame) -> pl.DataFrame:
    """Return the periods of every spring and fall term, first to last.

    The two halves of a spring bear the same title, as schools do write it.
    """
    halves = {"SP": ("Half-term", "Half-term"), "FA": ("Quarter 1", "Quarter 2")}
    rows = [
        (term["id"] * 10, f"{term['name']} periods", term["id"] * 10 + part, title, term["id"])
        for term in terms.iter_rows(named=True)
        for part, title in enumerate(halves.get((term["sis_id"] or "")[:2], ()), start=1)
    ]
    return pl.DataFrame(rows, schema=["set_id", "set_title", "id", "title", "term_id"], orient="row")


def _showpieces(calendar: Calendar, terms: pl.DataFrame) -> pl.DataFrame:
    """Return the courses that hold each oddity of real files, in a world of any size."""
    now, current = calendar.now, calendar.current_term
    fall = max(t for t in terms["id"] if t <= current and t % 3 == FALL_2025 % 3)
    rows: list[tuple[object, ...]] = [
        (90, "BP-ENG", "BP", "Engineering template", 7, DEFAULT_TERM, "available", False, None, None),
        (91, None, "BP BIO", "Biology template", 8, DEFAULT_TERM, "available", False, None, None),
        (501, "00123", "NA", 'Naval Architecture, "The Basics"', 7, fall, "available", True, "online", 90),
        (502, None, "MATH 1", "MATH 1", 7, DEFAULT_TERM, "available", False, None, None),
        (503, "007E2", "BIO 7", "Botánica — 植物学", 8, DEFAULT_TERM, "unpublished", False, "on_campus", 91),
        (504, "1e5", "", "Line one\nline two", 13, current, "available", True, "blended", None),
        (505, "null", "null", "🤖 Robots & You 🚀", 12, current, "available", False, "online", None),
        (506, "0506", "عمارة", "مدخل إلى الفلسفة", 16, current, "available", False, None, None),
        (507, "XL-1", "LANG 7", "Combined Seminar", 15, current, "available", False, None, None),
        (508, "XL-2", "LANG 8", "Seminar, taught elsewhere", 15, current, "available", False, None, None),
        (509, "DEL-1", "GONE", "Deleted last week", 17, current, "deleted", False, None, None),
        (510, None, None, "Empty shell", 17, current, "available", False, None, None),
        (511, "00511", "PHIL 9", "Not yet published", 16, current, "unpublished", True, None, None),
    ]
    names = ["id", "sis_id", "code", "name", "account_id", "term_id", "status", "restricted", "format",
             "blueprint_id"]  # fmt: skip
    made = int(now.timestamp()) - 200 * _DAY
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        integration_id=pl.when(id=501).then(pl.lit("int-501")),
        created_by_sis=pl.col("sis_id").is_not_null(),
        public=pl.col("id") == _ROBOTS,
        unused=pl.col("id").is_in([510, 511]),
        graded_by_letter=pl.col("id") != _ROBOTS,
        aligned=pl.col("id").is_in([501, 504]),
        mean=pl.lit(78.0),
        spread=pl.lit(11.0),
        size=pl.when(pl.col("id").is_in([504, 505, 506, 507])).then(6).otherwise(0).cast(pl.Int64),
        extra_sections=pl.lit(0, dtype=pl.Int64),
        storage_mb=pl.when(id=501).then(12.5).otherwise(0.0),
        files_mb=pl.when(id=501).then(13.02).otherwise(0.0),
        created_at=moments(np.full(len(rows), made)),
        updated_at=moments(
            np.where([r[0] == _DELETED_COURSE for r in rows], int(now.timestamp()) - 6 * _DAY, made)
        ),
    )


def _subject_columns(draws: Draws, ids: NDArray[np.int64]) -> dict[str, object]:
    subject = draws.choose("course subject", ids, [3, 3, 5, 6, 4, 3, 2, 4, 4, 1])
    topics = [topic for _, _, topics, _, _ in _SUBJECTS for topic in topics]
    counts = np.array([len(s[2]) for s in _SUBJECTS])
    topic = (np.cumsum(counts) - counts)[subject] + draws.below("course topic", ids, counts[subject])
    level = draws.below("course level", ids, len(_LEVELS))
    titles = pl.Series([form.format(text) for text in topics for form in _LEVELS])
    number = pl.Series(100 + 100 * level + draws.below("course number", ids, 90)).cast(pl.String)
    return {
        "account_id": np.array([s[0] for s in _SUBJECTS])[subject],
        "code": pl.Series([s[1] for s in _SUBJECTS]).gather(subject) + " " + number,
        "name": titles.gather(topic * len(_LEVELS) + level),
        "mean": np.array([s[3] for s in _SUBJECTS])[subject] + 4.0 * draws.normal("course mean", ids),
        "spread": np.array([s[4] for s in _SUBJECTS])[subject],
    }


def _status(draws: Draws, ids: NDArray[np.int64], term: NDArray[np.int64], current: int) -> NDArray[np.int64]:
    past = draws.choose("course status past", ids, [2, 60, 32, 6])
    now = draws.choose("course status now", ids, [6, 88, 1, 5])
    future = draws.choose("course status future", ids, [60, 36, 0, 4])
    return np.where(term > current, future, np.where((term < current) & (term != DEFAULT_TERM), past, now))


def _times(
    draws: Draws, ids: NDArray[np.int64], calendar: Calendar, terms: pl.DataFrame, term: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when courses were made, some weeks before their terms, and when the deleted ones were deleted."""
    today = int(calendar.now.timestamp())
    starts = terms.select(term_id="id", at=pl.col("start_at").dt.epoch("s").fill_null(today - 300 * _DAY))
    begun = pl.DataFrame({"term_id": term}).join(starts, on="term_id", how="left", maintain_order="left")[
        "at"
    ]
    created = np.minimum(begun.to_numpy(), today) - _DAY * (20 + draws.below("course age", ids, 60))
    gone = today - (draws.small("course deleted", ids) * 300 * _DAY).astype(np.int64)
    return created, np.maximum(gone, created)


def _drawn_courses(draws: Draws, count: int, calendar: Calendar, terms: pl.DataFrame) -> pl.DataFrame:
    ids = np.arange(FIRST_COURSE, FIRST_COURSE + count, dtype=np.int64)
    begun = [calendar.current_term - k for k in range(8)]
    pool = np.array([calendar.current_term + 1, DEFAULT_TERM, *begun])
    term = pool[draws.choose("course term", ids, [4, 3, 24, 20, 6, 12, 10, 4, 9, 8])]
    status = _status(draws, ids, term, calendar.current_term)
    created, gone = _times(draws, ids, calendar, terms, term)
    storage = np.round(draws.small("course files", ids) * 900.0, 2)
    text = pl.Series(ids).cast(pl.String)
    formats = pl.Series([None, "on_campus", "online", "blended"])
    return pl.DataFrame(
        {
            "id": ids,
            "sis_id": text.str.zfill(7),
            **_subject_columns(draws, ids),
            "term_id": term,
            "status": pl.Series(_STATES).gather(status),
            "restricted": draws.chance("course dates", ids, 0.1),
            "format": formats.gather(draws.choose("course format", ids, [4, 3, 2, 1])),
            "blueprint_id": np.where(draws.chance("course blueprint", ids, 0.05), 90, 0),
            "integration_id": "crs-" + text,
            "public": draws.chance("course public", ids, 0.04),
            "unused": draws.chance("course unused", ids, 0.05),
            "graded_by_letter": draws.chance("course scheme", ids, 0.8),
            "aligned": draws.chance("course aligned", ids, 0.08),
            "size": 8 + draws.below("course size a", ids, 22) + draws.below("course size b", ids, 22),
            "extra_sections": draws.choose("course sections", ids, [60, 28, 12]),
            "storage_mb": storage,
            "files_mb": np.round(storage * (1.0 + 0.2 * draws.uniform("course copies", ids)), 2),
            "created_at": moments(created),
            "updated_at": moments(np.where(status == _GONE, gone, created + _DAY)),
        }
    )


def courses(draws: Draws, count: int, calendar: Calendar, terms: pl.DataFrame) -> pl.DataFrame:
    """Return the showpieces and `count` drawn courses; `size` is the number of students of each."""
    drawn = _drawn_courses(draws, count, calendar, terms)
    ids = drawn["id"].to_numpy()
    drawn = drawn.with_columns(
        sis_id=pl.when(pl.Series(~draws.chance("course sis", ids, 0.06))).then("sis_id"),
        created_by_sis=pl.Series(~draws.chance("course sis", ids, 0.08)),
        blueprint_id=pl.when(pl.col("blueprint_id") > 0).then("blueprint_id"),
        integration_id=pl.when(pl.col("id") % 5 == 0).then("integration_id"),
    )
    showpieces = _showpieces(calendar, terms)
    return pl.concat([showpieces, drawn.select(showpieces.columns)], how="vertical_relaxed").join(
        terms.select("start_at", "end_at", term_id="id"), on="term_id", how="left", maintain_order="left"
    )


def _showpiece_sections() -> pl.DataFrame:
    rows: list[tuple[object, ...]] = [
        (10001, "SEC-1", 501, "SEC 1", None, True),
        (10002, "SEC-2", 501, "SEC 2", None, False),
        (10009, None, 502, "MATH 1", None, False),
        (10010, "007E2-1", 503, "Main", None, False),
        (10011, "1e5-1", 504, "Line one\nline two", None, False),
        (10012, "0505", 505, "🤖 A", None, False),
        (10013, "0506", 506, "شعبة أولى", None, False),
        (10014, "XL-1-1", 507, "Seminar, first", None, False),
        (10015, "XL-2-1", 507, "Seminar, second", 508, False),
        (10016, None, 510, "Empty shell", None, False),
    ]
    names = ["id", "sis_id", "course_id", "name", "home_course_id", "restricted"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        integration_id=pl.lit(None, dtype=pl.String), status=pl.lit("active")
    )


def sections(draws: Draws, courses: pl.DataFrame) -> pl.DataFrame:
    """Return the sections of all courses, sorted by id; `home_course_id` is where a cross-listed one came from.

    Every drawn course has its first section; in a few the last one was cross-listed from the course before.
    """
    drawn = courses.filter(pl.col("id") >= FIRST_COURSE)
    per_course = drawn["extra_sections"].to_numpy() + 1
    course = np.repeat(drawn["id"].to_numpy(), per_course)
    ids = FIRST_SECTION + np.arange(len(course), dtype=np.int64)
    nth = ids - FIRST_SECTION - np.repeat(np.cumsum(per_course) - per_course, per_course)
    last = (nth > 0) & (nth == np.repeat(per_course, per_course) - 1)
    gone_courses = drawn.filter(status="deleted")["id"].to_numpy()
    listed = last & (draws.chance("section xlist", ids, 0.12)) & (course > FIRST_COURSE)
    listed &= ~np.isin(course - 1, gone_courses)
    gone = last & ~listed & (draws.chance("section deleted", ids, 0.03))
    frame = pl.DataFrame(
        {
            "id": ids,
            "sis_id": "S" + pl.Series(ids).cast(pl.String).str.zfill(8),
            "course_id": course,
            "name": pl.Series(np.array(["Lecture A", "Lecture B", "Evening, online"])[np.minimum(nth, 2)]),
            "home_course_id": np.where(listed, course - 1, 0),
            "restricted": draws.chance("section dates", ids, 0.03),
            "integration_id": "sec-" + pl.Series(ids).cast(pl.String),
            "status": pl.Series(np.where(gone, "deleted", "active")),
        }
    ).with_columns(
        sis_id=pl.when(pl.Series(~draws.chance("section sis", ids, 0.08))).then("sis_id"),
        home_course_id=pl.when(pl.col("home_course_id") > 0).then("home_course_id"),
        integration_id=pl.when(pl.col("id") % 6 == 0).then("integration_id"),
    )
    pieces = _showpiece_sections()
    return (
        pl.concat([pieces, frame.select(pieces.columns)], how="vertical_relaxed")
        .with_columns(created_by_sis=pl.col("sis_id").is_not_null())
        .join(courses.select(course_id="id", account_id="account_id", start_at="start_at", end_at="end_at"),
              on="course_id", how="left", maintain_order="left")
    )  # fmt: skip
