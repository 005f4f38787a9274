"""Grades in Canvas against the SIS: an example by hand, plain SQL, and lists that are refused."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas_reports_nb.analysis.grades import compare_with_sis
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

KINDS = ["pandas", "polars", "lazy", "arrow", "dask", "duckdb"]
EXPORT = {
    "student sis": pl.String,
    "section sis": pl.String,
    "student id": pl.Int64,
    "course id": pl.Int64,
    "section id": pl.Int64,
    "enrollment state": pl.String,
    **dict.fromkeys(("current score", "final score", "override score"), pl.Float64),
    **dict.fromkeys(("final grade", "override grade"), pl.String),
}
LIST = dict.fromkeys(("user_id", "section_id", "grade"), pl.String)


def graded(
    student: int, grade: str | None, override: str | None = None, state: str = "active"
) -> tuple[Any, ...]:
    score = None if grade is None else 80.0
    # Ungraded work counts as zero in the final score, and has a final grade.
    final = (80.0, grade) if grade else (0.0, "F")
    return f"00{student}", "S1", student, 7, 1, state, score, final[0], None, final[1], override


GRADES = pl.DataFrame(
    [
        graded(1, "A"),
        graded(2, "b+ "),
        graded(3, "C", "B"),
        graded(4, "C", "B"),
        graded(5, None),
        graded(6, None),
        graded(7, "A"),
        graded(8, "A"),
        graded(10, "A", state="inactive"),
        graded(11, "A", state="deleted"),
        graded(12, "A", state="deleted"),
        graded(13, None, "I"),
    ],
    schema=EXPORT,
    orient="row",
)
SIS = pl.DataFrame(
    [
        *(("001", "S1", "A"), ("002", "S1", " B+"), ("003", "S1", "B"), ("004", "S1", "C")),
        *(("005", "S1", "F"), ("006", "S1", None), ("007", "S1", " "), ("009", "S1", "A")),
        *(("0010", "S1", "W"), ("0011", "S1", "D"), ("0013", "S1", "i")),
    ],
    schema=LIST,
    orient="row",
)
WANTED = [
    ("differs", "004", "B", "C", True),
    ("blank in Canvas", "005", None, "F", False),
    ("blank in the SIS", "007", "A", None, False),
    ("not in Canvas", "009", None, "A", None),
    ("not in the SIS", "008", "A", None, False),
    ("withdrawn in Canvas", "0011", "A", "D", False),
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_example(oracle: Any, kind: str) -> None:
    found = compare_with_sis(oracle.as_kind(GRADES.to_arrow(), kind), oracle.as_kind(SIS.to_arrow(), kind))
    assert oracle.kind_of(found) == kind
    names, rows = oracle.rows(found)
    assert names == [
        *("finding", "student sis", "section sis", "canvas grade", "sis grade", "score", "override"),
        *("student id", "course id", "section id"),
    ]
    shown = [
        names.index(name) for name in ("finding", "student sis", "canvas grade", "sis grade", "override")
    ]
    assert [tuple(row[at] for at in shown) for row in rows] == WANTED
    # Student 12 left and is not on the list, so there is nothing to compare.
    everyone = oracle.rows(compare_with_sis(GRADES, SIS, all=True))[1]
    assert [row[1] for row in everyone if row[0] == "agrees"] == ["001", "0010", "0013", "002", "003", "006"]
    assert len(everyone) == 12


def test_a_list_with_its_own_names_and_an_export_without_overrides() -> None:
    listed = SIS.rename({"user_id": "EMPLID", "section_id": "CLASS", "grade": "MARK"})
    ids = {"user_id": "EMPLID", "section_id": "CLASS"}
    plain = GRADES.drop("override score", "override grade")
    found = compare_with_sis(plain, listed, on=ids, grade="MARK")
    assert found.filter(pl.col("finding") == "differs")["student sis"].to_list() == ["003"]
    assert not found["override"].drop_nulls().any()
    assert compare_with_sis(GRADES.clear(), SIS.clear()).height == 0


def test_numbers_and_repeated_students_are_refused() -> None:
    with pytest.raises(ParameterError, match="are numbers"):
        compare_with_sis(GRADES, SIS.with_columns(pl.col("user_id").cast(pl.Int64)))
    twice, first = pl.concat([SIS, SIS.head(1)]), "The extract has user '001' in section 'S1' several times"
    last = twice.height
    for repeated, rows in (
        (twice, f"1, {last}."),
        (twice.vstack(SIS.slice(1, 1)), f"1, {last}. This is one of 2 such pairs."),
        (pl.concat([SIS.head(1)] * 11), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10."),
    ):
        with pytest.raises(ParameterError) as caught:
            compare_with_sis(GRADES, repeated)
        assert caught.value.message == f"{first}, in the rows {rows}"
    with pytest.raises(UnknownColumnError, match="compare_with_sis, in the extract, needs the column 'mark'"):
        compare_with_sis(GRADES, SIS, grade="mark")


SQL = """
    WITH once AS (
        SELECT *, row_number() OVER (PARTITION BY "student id", "section id" ORDER BY pos) AS place FROM canvas
    ), c AS (
        SELECT "student sis" AS u, "section sis" AS s, "enrollment state" IN ('inactive', 'deleted') AS gone,
            coalesce(nullif(trim("override grade"), ''),
                CASE WHEN "current score" IS NOT NULL THEN nullif(trim("final grade"), '') END) AS own
        FROM once WHERE place = 1
    ), x AS (SELECT user_id AS u, section_id AS s, nullif(trim(grade), '') AS theirs FROM sis)
    SELECT finding, count(*) AS n FROM (
        SELECT CASE
            WHEN gone IS NULL THEN 'not in Canvas'
            WHEN x.u IS NULL THEN CASE WHEN gone THEN NULL ELSE 'not in the SIS' END
            WHEN gone THEN CASE WHEN theirs IS NULL OR lower(theirs) LIKE 'w%' THEN 'agrees'
                ELSE 'withdrawn in Canvas' END
            WHEN lower(own) IS NOT DISTINCT FROM lower(theirs) THEN 'agrees'
            WHEN own IS NULL THEN 'blank in Canvas'
            WHEN theirs IS NULL THEN 'blank in the SIS'
            ELSE 'differs' END AS finding
        FROM c FULL JOIN x ON c.u = x.u AND c.s = x.s
    ) WHERE finding IS NOT NULL GROUP BY finding ORDER BY finding
"""
LETTER = st.sampled_from([None, "", "A", "a ", "B", "W", "wf"])
STATE = st.sampled_from(["active", "inactive", "deleted"])


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(1, 6), LETTER, LETTER, STATE), max_size=8, unique_by=lambda row: row[0]),
    st.dictionaries(st.integers(1, 8), LETTER, max_size=8),
)
def test_plain_sql_agrees(oracle: Any, rows: list[Any], listed: dict[int, str | None]) -> None:
    export = pl.DataFrame([graded(*row) for row in rows], schema=EXPORT, orient="row")
    sis = pl.DataFrame(
        [(f"00{one}", "S1", grade) for one, grade in listed.items()], schema=LIST, orient="row"
    )
    found = compare_with_sis(export, sis, all=True)
    wanted = oracle.sql(SQL, canvas=export.with_row_index("pos").to_arrow(), sis=sis.to_arrow())
    assert found.group_by("finding").len().sort("finding").rows() == wanted[1]
