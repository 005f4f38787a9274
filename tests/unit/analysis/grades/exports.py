"""Grade exports for the tests: generated ones, a small one, and SQL for one row per student and course."""

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

SHOWN = ("current", "final", "unposted current", "unposted final", "override")

KINDS = ("pandas", "polars", "lazy", "arrow", "dask", "duckdb")

STATE = pa.dictionary(pa.int32(), pa.string())

EXPORT = pa.schema(
    [
        ("student name", pa.string()), ("student id", pa.int64()), ("student sis", pa.string()),
        ("course", pa.string()), ("course id", pa.int64()), ("course sis", pa.string()),
        ("section", pa.string()), ("section id", pa.int64()), ("section sis", pa.string()),
        ("term", pa.string()), ("term id", pa.int64()), ("term sis", pa.string()),
        ("enrollment state", STATE),
        *((f"{name} score", pa.float64()) for name in SHOWN), *((f"{name} grade", pa.string()) for name in SHOWN),
        ("pos", pa.int64()),
    ]
)  # fmt: skip

# Sections 11 and 12 are of one course; 13 was cross-listed into course 2 from elsewhere.
PLACES = [(11, 1, 4), (12, 1, 4), (13, 2, 4), (14, 2, 4), (15, 3, 5), (16, 17_000_000_000_000_001, None)]

STATES = ["active", "concluded", "inactive", "deleted", None]

LETTERS = [
    "A",
    "A-",
    "B",
    "C",
    "D+",
    "F",
    None,
    "",
    " b+ ",
    "cr",
    "NC",
    "Inc",
    "wf",
    "EW",
    "AUD",
    "FN",
    "H",
    "Credit",
]

PERCENT = st.one_of(
    st.none(), st.sampled_from([0.0, 70.0, 69.99, 100.0]), st.integers(0, 11_000).map(lambda n: n / 100)
)

ROW = st.tuples(
    st.sampled_from(
        [(7, "007"), (7, "x-007"), (8, None), (12_340_000_000_000_567, "1e5"), (9, "9"), (None, None)]
    ),
    st.sampled_from(PLACES),
    st.sampled_from(STATES),
    st.tuples(*[PERCENT] * len(SHOWN)),
    st.tuples(*[st.sampled_from(LETTERS)] * len(SHOWN)),
    st.booleans(),
)


def export(rows: list[tuple[Any, ...]]) -> pa.Table:
    """Return a grade export of drawn rows; some names and SIS ids are blank."""
    records = []
    for pos, ((student, sis), (section, course, term), state, scores, letters, blank) in enumerate(rows):
        records.append(
            {
                "student name": f"Student {student}", "student id": student, "student sis": sis,
                "course": f"Course {course}", "course id": course, "course sis": None if blank else f"0{course}",
                "section": f"Section {section}", "section id": section, "section sis": None if blank else f"S{section}",
                "term": None if blank else f"Term {term}", "term id": term, "term sis": f"T{term}",
                "enrollment state": state,
                **{f"{name} score": score for name, score in zip(SHOWN, scores, strict=True)},
                **{f"{name} grade": letter for name, letter in zip(SHOWN, letters, strict=True)},
                "pos": pos,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(records, schema=EXPORT)


EXPORTS = st.lists(ROW, max_size=14).map(export)

WHOLE = export([((7, "007"), (11, 1, 4), "active", (80.0,) * 5, ("B",) * 5, False)])

COURSES = pa.table(
    {
        "canvas_course_id": pa.array([1, 2, 17_000_000_000_000_001]),
        "canvas_account_id": pa.array([40, 40, 50]),
        "account_id": ["ENG", "ENG", None],
    }
)

TERMS = pa.table(
    {
        "canvas_term_id": pa.array([5, 4, 1]),
        "start_date": pa.array([1, 2, None], pa.timestamp("us", tz="UTC")),
    }
)

RANKED = """
    SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY
        CASE CAST("enrollment state" AS VARCHAR)
            WHEN 'active' THEN 1 WHEN 'concluded' THEN 2 WHEN 'inactive' THEN 3 WHEN 'deleted' THEN 4 ELSE 5 END,
        "section id" NULLS LAST, pos) AS place
    FROM export WHERE "student id" IS NOT NULL AND "course id" IS NOT NULL
"""

COURSE_KEY = '"student id", "course id"'

SECTION_KEY = f'{COURSE_KEY}, "section id"'

ONCE = f"""
    SELECT r.* EXCLUDE (place), s.sections
    FROM ({RANKED.format(key=COURSE_KEY)}) r JOIN (
        SELECT "student id" AS sid, "course id" AS cid, count(DISTINCT "section id") AS sections FROM export GROUP BY ALL
    ) s ON sid = "student id" AND cid = "course id" WHERE place = 1
"""
