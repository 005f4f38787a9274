"""Letter classes: the worked example, any export in SQL, and what must not change the rate of D, F and W."""

import warnings
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.analysis.grades import letters, rates
from canvas_reports_nb.exceptions import ParameterError, ReportWarning, UnknownColumnError
from tests.unit.analysis.conftest import same_cell
from tests.unit.analysis.grades.exports import EXPORTS, KINDS, ONCE, WHOLE

IDS = {"student id": pl.Int64, "course id": pl.Int64, "section id": pl.Int64, "enrollment state": pl.String}
MARKS = {
    "current score": pl.Float64,
    "final score": pl.Float64,
    "final grade": pl.String,
    "override score": pl.Float64,
    "override grade": pl.String,
}


def enrolled(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Return an export of rows of student, course, state, current and final score, letter and override letter."""
    full = [(who, course, 10 * course, state, now, end, letter, None, own)
            for who, course, state, now, end, letter, own in rows]  # fmt: skip
    return pl.DataFrame(full, schema={**IDS, **MARKS}, orient="row")


def listed(*pairs: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={"student id": pl.Int64, "course id": pl.Int64}, orient="row")


EXAMPLE = enrolled(
    *((who, 7, "active", 50.0, 50.0, letter, None)
      for who, letter in zip(range(1, 9), ("A", "A", "A-", "B", "B-", "C", "C", "D"), strict=True)),
    (9, 7, "active", 41.0, 41.0, "F", None),
    (10, 7, "inactive", 90.0, 90.0, "A", None),
    (11, 7, "deleted", 80.0, 80.0, "B", None),
    (12, 7, "deleted", None, 0.0, "F", None),
    (13, 7, "active", 20.0, 20.0, "F", "I"),
    (14, 7, "active", 85.0, 85.0, "B", "AU"),
    (15, 7, "active", None, 0.0, "F", None),
)  # fmt: skip
CENSUS = listed(*((who, 7) for who in (*range(1, 12), 13, 14, 15)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_worked_example(oracle: Any, kind: str) -> None:
    grades, census = (oracle.as_kind(frame.to_arrow(), kind) for frame in (EXAMPLE, CENSUS))
    found = rates(letters(grades, census=census))
    assert oracle.kind_of(found) == kind
    names, (row,) = oracle.rows(found)
    row = dict(zip(names, row, strict=True))
    counts = {"A": 3, "B": 2, "C": 2, "D": 1, "F": 1, "P": 0, "NP": 0, "W": 2, "I": 1, "AU": 1, "dropped": 1}
    assert {name: row[name] for name in counts} == counts
    assert (row["none"], row["other"], row["valid"], row["students"]) == (1, 0, 12, 15)
    assert (row["dfw"], row["dfwi"]) == pytest.approx((4 / 11, 5 / 12))
    assert (row["success"], row["completion"]) == pytest.approx((7 / 12, 10 / 12))
    assert not row["gradebook unused"]
    more = rates(letters(EXAMPLE, census=listed(*CENSUS.rows(), (16, 7)))).row(0, named=True)
    assert (more["W"], more["dfw"]) == (3, pytest.approx(5 / 12))


def test_without_a_census_deleted_enrollments_are_dropped_and_counted_aloud() -> None:
    with pytest.warns(ReportWarning, match="^2 deleted enrollments count as dropped") as caught:
        found = letters(EXAMPLE)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert rates(found)["dfw"].item() == pytest.approx(0.3)
    assert found["at census"].to_list() == [None] * 15
    lazy = letters(EXAMPLE.lazy())
    with pytest.warns(ReportWarning, match="^2 deleted enrollments"):
        assert lazy.collect().equals(found)


def test_an_unused_gradebook_is_no_judgment() -> None:
    found = rates(letters(enrolled(*((who, 7, "active", None, 0.0, "F", None) for who in range(9)))))
    row = found.row(0, named=True)
    assert (row["none"], row["valid"], row["dfw"], row["low"], row["gradebook unused"]) == (
        *(9, 0, None, None),
        True,
    )


def classes(*found: str | None, **options: Any) -> list[str]:
    grades = enrolled(*((who, 7, "active", 66.0, 66.0, letter, None) for who, letter in enumerate(found)))
    return letters(grades, **options)["letter class"].to_list()


def test_letters_by_scheme() -> None:
    assert classes("a+", " B ", "C-", "d", "F", "FN", "P", "cr", "S", "NP", "NC", "u") == (
        ["A", "B", "C", "D", "F", "F", "P", "P", "P", "NP", "NP", "NP"]
    )
    assert classes("I", "inc", "IP", "W", "WF", "EW", "AU", "Audit", "", None) == (
        ["I", "I", "I", "W", "W", "W", "AU", "AU", "D", "D"]
    )
    own = {" c- ": "d", "ew": "other", "Hon": "P", "AW": "W"}
    assert classes("C-", "C", "EW", "HON", "AW", scheme=own) == ["D", "C", "other", "P", "W"]
    assert classes(None, bands={"P": 60}) == ["P"]
    assert classes(None, bands={"P": 67}) == ["F"]


def test_unknown_letters_are_named_with_their_counts() -> None:
    with pytest.warns(
        ReportWarning, match=r"2 unknown letters are of class other: 'H' \(2\), 'Credit' \(1\)"
    ):
        assert classes("H", "Credit", "A", "H") == ["other", "other", "A", "other"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"scheme": {"Z": "Q"}}, ParameterError, "letter 'Z' the unknown class 'Q'"),
        ({"bands": {"A": "90"}}, ParameterError, "Can't use the band 'A': '90'"),
        ({"bands": {"Excellent": 90}}, ParameterError, "'Excellent'"),
        ({"score": "finale"}, ParameterError, "Unknown score 'finale'"),
        ({"score": "in effect"}, ParameterError, "Unknown score 'in effect'"),
        ({"census": pl.DataFrame({"course id": [1]})}, UnknownColumnError, "needs the column 'student id'"),
        (
            {"census": pl.DataFrame({"student id": ["1"], "course id": [1]})},
            ParameterError,
            "can't be matched",
        ),
    ],
)
def test_wrong_options_are_explained(options: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        letters(EXAMPLE, **options)


def test_a_census_from_provisioning_counts_students_only() -> None:
    census = pl.DataFrame(
        {
            "canvas_user_id": [1, 1, 99, 50],
            "canvas_course_id": [7, 7, 7, 7],
            "base_role_type": [
                "StudentEnrollment",
                "StudentEnrollment",
                "TeacherEnrollment",
                "StudentEnrollment",
            ],
        }
    )
    found = letters(EXAMPLE.head(2), census=census)
    assert found["student id"].to_list() == [1, 2, 50]
    assert found["at census"].to_list() == [True, False, True]
    assert found["letter class"].to_list() == ["A", "A", "W"]


def test_an_added_student_gets_what_other_rows_show() -> None:
    rows = [(1, "007", 7, "Welding", "FA25"), (2, "008", 8, None, "FA25"), (2, "008", 9, "Art", None)]
    names = ["student id", "student sis", "course id", "course", "term sis"]
    grades = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        **{"section id": 1, "enrollment state": pl.lit("active")},
        **{name: pl.lit(None, dtype) for name, dtype in MARKS.items()},
    )
    census = listed((2, 7), (3, 8)).with_columns(course=pl.Series([None, "Brazing"]))
    added = letters(grades, census=census).tail(2)
    assert added.select(names).rows() == [(2, "008", 7, "Welding", "FA25"), (3, None, 8, "Brazing", "FA25")]


CENSUSES = st.lists(
    st.tuples(st.sampled_from([7, 8, 9, 11, None]), st.sampled_from([1, 2, 3, None])), max_size=6
)
PAIRS = 'SELECT DISTINCT "student id" AS sid, "course id" AS cid FROM census WHERE sid IS NOT NULL AND cid IS NOT NULL'
OVERRIDDEN = """("override score" IS NOT NULL OR nullif(trim("override grade"), '') IS NOT NULL)"""
CLASS_SQL = f"""
    CASE WHEN "student id" IS NULL THEN 'W' WHEN "enrollment state" = 'inactive' THEN 'W'
         WHEN "enrollment state" = 'deleted' THEN CASE WHEN sid IS NOT NULL THEN 'W' ELSE 'dropped' END
         WHEN "current score" IS NULL AND NOT {OVERRIDDEN} THEN 'none'
         WHEN letter IN ('P', 'CR', 'S') THEN 'P' WHEN letter IN ('NP', 'NC', 'U') THEN 'NP'
         WHEN letter IN ('I', 'INC', 'IP') THEN 'I' WHEN letter = 'EW' OR letter LIKE 'W%' THEN 'W'
         WHEN letter LIKE 'AU%' THEN 'AU' WHEN letter LIKE 'F%' THEN 'F'
         WHEN regexp_full_match(letter, '[A-D][+-]?') THEN left(letter, 1)
         WHEN letter IS NOT NULL THEN 'other' WHEN score >= 90 THEN 'A' WHEN score >= 80 THEN 'B'
         WHEN score >= 70 THEN 'C' WHEN score >= 60 THEN 'D' WHEN score IS NOT NULL THEN 'F' ELSE 'none' END
"""
LETTERS_SQL = f"""
    SELECT coalesce("student id", sid) AS student, coalesce("course id", cid) AS course, {CLASS_SQL} AS class,
           sid IS NOT NULL AS listed, pos, "term id" AS term
    FROM (SELECT *, CASE WHEN {OVERRIDDEN} THEN "override score" ELSE "final score" END AS score,
             upper(CASE WHEN {OVERRIDDEN} THEN nullif(trim("override grade"), '')
                        ELSE nullif(trim("final grade"), '') END) AS letter FROM ({ONCE}))
    FULL JOIN ({PAIRS}) ON sid = "student id" AND cid = "course id"
"""


def ratio(part: str, whole: str) -> str:
    return f"({part}) / nullif({whole}, 0)"


COUNTED = [
    f'"{name}"' for name in ("A", "B", "C", "D", "F", "P", "NP", "W", "I", "AU", "dropped", "none", "other")
]
RATES_SQL = f"""
    WITH counted AS (
        SELECT course, count(DISTINCT student) AS students,
               {", ".join(f"count(*) FILTER (class = '{name.strip(chr(34))}') AS {name}" for name in COUNTED)}
        FROM ({LETTERS_SQL}) GROUP BY course
    ), valid AS (SELECT *, A + B + C + D + F + P + NP + W + I AS valid, D + F + NP + W AS bad FROM counted),
    shared AS (SELECT *, {ratio("bad", "valid - I")} AS dfw, valid - I AS n FROM valid)
    SELECT course AS "course id", students, {", ".join(COUNTED)}, valid, dfw, {ratio("bad + I", "valid")} AS dfwi,
           {ratio("A + B + C + P", "valid")} AS success, {ratio("valid - W", "valid")} AS completion,
           (dfw + 1.920729410347062 / n - 1.959963984540054 * sqrt(dfw * (1 - dfw) / n + 0.960364705173531 / n ** 2)) / (1 + 3.841458820694124 / n),
           (dfw + 1.920729410347062 / n + 1.959963984540054 * sqrt(dfw * (1 - dfw) / n + 0.960364705173531 / n ** 2)) / (1 + 3.841458820694124 / n),
           2 * "none" > A + B + C + D + F + P + NP + I + AU + "none" + other
    FROM shared ORDER BY "course id" NULLS LAST
"""


@settings(max_examples=12)
@given(table=EXPORTS, pairs=CENSUSES, kind=st.sampled_from(KINDS))
def test_any_export_and_census(oracle: Any, table: pa.Table, pairs: list[Any], kind: str) -> None:
    census = listed(*pairs).to_arrow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReportWarning)
        found = letters(oracle.as_kind(table, kind), census=oracle.as_kind(census, kind))
        names, rows = oracle.rows(found)
        with oracle.sql_of(export=table, census=census) as answer:
            shown = [tuple(dict(zip(names, row, strict=True))[name] for name in
                           ("student id", "course id", "letter class", "at census", "pos")) for row in rows]  # fmt: skip
            right = answer(
                f"SELECT * EXCLUDE (term) FROM ({LETTERS_SQL}) ORDER BY pos NULLS LAST, course, student"
            )
            assert shown == right[1]
            measured = oracle.rows(rates(found))
            without = [name for name in measured[0] if name not in ("course sis", "course")]
            kept = [
                tuple(dict(zip(measured[0], row, strict=True))[name] for name in without)
                for row in measured[1]
            ]
            names, wanted = answer(RATES_SQL)
            for here, there in zip(kept, wanted, strict=True):
                assert all(map(same_cell, here, there)), (here, there)
    for row in kept:
        values = dict(zip(without, row, strict=True))
        assert values["valid"] == 0 or values["success"] + values["dfwi"] == pytest.approx(1)


@settings(max_examples=10)
@given(
    stay=st.lists(st.sampled_from(["A", "C", "F", "W", "I"]), min_size=1, max_size=6),
    leave=st.lists(
        st.tuples(st.sampled_from(["inactive", "deleted", "gone"]), st.sampled_from([None, 30.0])), max_size=6
    ),
)
def test_with_a_census_it_does_not_matter_how_a_school_records_leaving(
    stay: list[str], leave: list[tuple[str, float | None]]
) -> None:
    active = [(who, 7, "active", 80.0, 80.0, letter, None) for who, letter in enumerate(stay)]
    left = {100 + who: how for who, how in enumerate(leave)}
    census = listed(*((row[0], 7) for row in active), *((who, 7) for who in left))
    recorded = [
        (who, 7, state, score, 0.0, "F", None) for who, (state, score) in left.items() if state != "gone"
    ]
    found = rates(letters(enrolled(*active, *recorded), census=census)).drop("students")
    same = rates(letters(enrolled(*active), census=census)).drop("students")
    assert found.equals(same)


def test_an_empty_export_gives_empty_frames() -> None:
    made = letters(EXAMPLE.clear(), census=CENSUS.clear())
    assert made.columns == [*EXAMPLE.columns, "letter class", "at census"]
    assert rates(made).height == 0
    assert rates(made).schema == rates(letters(EXAMPLE, census=CENSUS)).schema
    assert letters(EXAMPLE.clear(), census=CENSUS)["letter class"].to_list() == ["W"] * 14


def test_the_definition_tells_how_leaving_counts() -> None:
    assert "there is no census list" in crn.definition(letters)
    made = letters(WHOLE.to_pandas(), census=WHOLE.to_pandas())
    assert "on the census list" in made.attrs["definition"]
    assert "dfw = (D+F+NP+W)/(valid-I)" in rates(made).attrs["definition"]
