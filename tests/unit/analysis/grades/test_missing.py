"""Sections without grades: the worked example, and what is joined to it."""

from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas_reports_nb.analysis.grades import missing_grades
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from tests.unit.analysis.conftest import same_cell
from tests.unit.analysis.grades.exports import EXPORTS, KINDS, RANKED, SECTION_KEY

COLUMNS = {
    "student id": pl.Int64,
    "course id": pl.Int64,
    "section id": pl.Int64,
    "section sis": pl.String,
    "section": pl.String,
    "enrollment state": pl.String,
    **dict.fromkeys(("current score", "final score", "unposted final score", "override score"), pl.Float64),
    "final grade": pl.String,
    "override grade": pl.String,
}
ROWS = [
    (1, 7, 1, "active", 88.0, 88.0, 88.0, "B", None),
    (2, 7, 1, "active", None, 0.0, 0.0, None, None),
    (3, 7, 1, "active", 80.0, 71.0, 75.0, None, None),
    (4, 7, 1, "inactive", 10.0, 10.0, 10.0, "F", None),
    (5, 8, 2, "active", None, 0.0, 0.0, "F", None),
    (6, 8, 2, "active", None, 0.0, 0.0, "F", None),
    (7, 9, 3, "active", 90.0, 90.0, 90.0, None, None),
    (8, 9, 3, "concluded", None, None, None, None, "P"),
    (9, 9, 4, "inactive", 90.0, 90.0, 90.0, None, None),
]
EXAMPLE = pl.DataFrame(
    [
        (
            who,
            course,
            section,
            f"S{section}",
            f"Section {section}",
            state,
            now,
            end,
            coming,
            None,
            letter,
            own,
        )
        for who, course, section, state, now, end, coming, letter, own in ROWS
    ],
    schema=COLUMNS,
    orient="row",
)
SHOWN = ["section", "expected", "graded", "missing", "hidden", "no letter", "status"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_worked_example(oracle: Any, kind: str) -> None:
    found = missing_grades(oracle.as_kind(EXAMPLE.to_arrow(), kind))
    assert oracle.kind_of(found) == kind
    names, rows = oracle.rows(found)
    assert [tuple(dict(zip(names, row, strict=True))[name] for name in SHOWN) for row in rows] == [
        ("Section 2", 2, 0, 2, 0, 0, "none"),
        ("Section 1", 3, 2, 1, 1, 1, "partly"),
        ("Section 3", 2, 2, 0, 0, 1, "complete"),
    ]


def test_sections_that_the_sis_has_are_submitted() -> None:
    for known in (["S2"], [2], pl.Series([2]), pl.Series(["S2", None])):
        found = missing_grades(EXAMPLE, submitted=known)
        assert found.select("section id", "status").rows() == [
            (1, "partly"),
            (3, "complete"),
            (2, "submitted"),
        ]
    by_course = missing_grades(EXAMPLE, per="course", submitted=[7])
    assert by_course.select("course id", "expected", "status").rows() == [
        (8, 2, "none"),
        (9, 2, "complete"),
        (7, 3, "submitted"),
    ]


TABLES = {
    "users": pl.DataFrame(
        [(1, None, "ng", "Ann Ng", "Ng, Ann", "ng@example.edu", "active")],
        schema=["canvas_user_id", "user_id", "login_id", "full_name", "sortable_name", "email", "status"],
        orient="row",
    ),
    "enrollments": pl.DataFrame(
        [(1, 7, 1, "teacher", "active")],
        schema=["canvas_user_id", "canvas_course_id", "canvas_section_id", "role", "status"],
        orient="row",
    ),
    "courses": pl.DataFrame({"canvas_course_id": [7, 8], "canvas_account_id": [2, 1]}),
    "accounts": pl.DataFrame({"canvas_account_id": [2], "canvas_parent_id": [1], "name": ["Nursing"]}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_teachers_and_places_are_joined(oracle: Any, kind: str) -> None:
    tables = {name: oracle.as_kind(frame.to_arrow(), kind) for name, frame in TABLES.items()}
    names, rows = oracle.rows(missing_grades(oracle.as_kind(EXAMPLE.to_arrow(), kind), tables))
    told = ["names", "emails", "canvas_account_id", "account_path", "college", "department"]
    assert names == ["section id", "section sis", *SHOWN[:1], "course id", *SHOWN[1:], *told]
    assert [row[-6:] for row in rows] == [
        (None, None, 1, None, None, None),
        ("Ann Ng", "ng@example.edu", 2, "Nursing", "Nursing", "Nursing"),
        (None,) * 6,
    ]


def test_other_tables_and_options_are_explained() -> None:
    with pytest.raises(ParameterError, match="can't use these tables"):
        missing_grades(EXAMPLE, {"users": TABLES["users"]})
    with pytest.raises(ParameterError, match="Unknown per 'sectoin'"):
        missing_grades(EXAMPLE, per="sectoin")
    with pytest.raises(UnknownColumnError, match="'unposted final score'"):
        missing_grades(EXAMPLE.drop("unposted final score"))
    assert missing_grades(EXAMPLE.clear(), TABLES).height == 0


OVERRIDDEN = """("override score" IS NOT NULL OR nullif(trim("override grade"), '') IS NOT NULL)"""
SQL = f"""
    WITH expected AS (
        SELECT *, "current score" IS NOT NULL OR {OVERRIDDEN} AS graded,
               nullif(trim(CASE WHEN {OVERRIDDEN} THEN "override grade" ELSE "final grade" END), '') AS letter
        FROM ({RANKED.format(key=SECTION_KEY)})
        WHERE place = 1 AND coalesce(CAST("enrollment state" AS VARCHAR) NOT IN ('inactive', 'deleted'), true)
    ), marked AS (
        SELECT *, bool_or(letter IS NOT NULL) OVER (PARTITION BY "course id") AS lettered FROM expected
    ), counted AS (
        SELECT "section id", max("section sis") AS sis, count(*) AS expected, count(*) FILTER (graded) AS graded,
               count(*) FILTER (NOT graded) AS missing,
               count(*) FILTER ("unposted final score" IS DISTINCT FROM "final score") AS hidden,
               count(*) FILTER (graded AND letter IS NULL AND lettered) AS "no letter"
        FROM marked GROUP BY "section id"
    )
    SELECT "section id", expected, graded, missing, hidden, "no letter",
           CASE WHEN "section id" = 11 OR sis = 'S15' THEN 'submitted' WHEN graded = 0 THEN 'none'
                WHEN missing = 0 THEN 'complete' ELSE 'partly' END AS status
    FROM counted
    ORDER BY list_position(['none', 'partly', 'complete', 'submitted'], status), missing DESC, "section id"
"""


@settings(max_examples=12)
@given(table=EXPORTS, kind=st.sampled_from(KINDS))
def test_any_export_gives_what_sql_gives(oracle: Any, table: pa.Table, kind: str) -> None:
    names, rows = oracle.rows(missing_grades(oracle.as_kind(table, kind), submitted=[11, "S15"]))
    wanted, right = oracle.sql(SQL, export=table)
    shown = [[dict(zip(names, row, strict=True))[name] for name in wanted] for row in rows]
    assert len(shown) == len(right)
    for here, there in zip(shown, right, strict=True):
        assert all(map(same_cell, here, there)), (here, there)
