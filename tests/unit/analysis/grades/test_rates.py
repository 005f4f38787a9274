"""Rates by any level, and gaps between groups: the worked example and plain SQL."""

import math
import warnings
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas_reports_nb.analysis import provisioning
from canvas_reports_nb.analysis.grades import gaps, rates
from canvas_reports_nb.analysis.grades.rates import wilson
from canvas_reports_nb.exceptions import ParameterError, ReportWarning, UnknownColumnError
from tests.unit.analysis.conftest import same_cell
from tests.unit.analysis.grades.exports import KINDS

ACCOUNTS = pl.DataFrame(
    {"canvas_account_id": [2, 3], "canvas_parent_id": [1, 2], "name": ["Health", "Nursing"]}
)
COURSES = pl.DataFrame({"canvas_course_id": [7, 8, 9], "canvas_account_id": [2, 3, 1]})
LETTERS = pl.DataFrame(
    [(1, 7, 4, "Fall", "A"), (1, 8, 4, "Fall", "F"), (2, 7, 5, "Spring", "W"), (2, 9, 5, None, "none"),
     (3, 9, 5, "Spring", "P"), (3, 10, 5, "Spring", "I")],
    schema=["student id", "course id", "term id", "term", "letter class"],
    orient="row",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_by_takes_terms_accounts_and_the_names_of_places(oracle: Any, kind: str) -> None:
    letters, accounts, courses = (
        oracle.as_kind(frame.to_arrow(), kind) for frame in (LETTERS, ACCOUNTS, COURSES)
    )
    tables = {"accounts": accounts, "courses": courses}

    def shown(found: Any, *columns: str) -> list[tuple[Any, ...]]:
        names, rows = oracle.rows(found)
        return [tuple(dict(zip(names, row, strict=True))[name] for name in columns) for row in rows]

    by_term = rates(letters, by="term")
    assert shown(by_term, "term id", "term", "students", "valid", "dfw") == [
        (4, "Fall", 1, 2, 0.5),
        (5, "Spring", 2, 3, 0.5),
    ]
    by_department = rates(letters, by=["term", "department"], places=tables)
    assert shown(by_department, "term id", "department", "students", "dfw") == [
        *((4, "Health", 1, 0.0), (4, "Nursing", 1, 1.0)),
        *((5, "Health", 1, 1.0), (5, None, 2, 0.0)),
    ]
    named = provisioning.places(tables, levels=("school",))
    assert shown(rates(letters, "school", named), "school", "students") == [("Health", 2), (None, 2)]
    assert shown(rates(letters, "account", tables), "canvas_account_id", "account_path", "valid") == [
        *((1, None, 1), (2, "Health", 2), (3, "Health / Nursing", 1), (None, None, 1)),
    ]
    assert shown(rates(letters, None), "students", "valid") == [(3, 5)]


def test_an_enumeration_of_the_places_keeps_all_its_values(oracle: Any) -> None:
    values = ["Health", "Arts", "never used"]
    schools = pl.DataFrame({"canvas_course_id": [7, 8], "school": ["Health", "Arts"]})
    places = schools.with_columns(pl.col("school").cast(pl.Enum(values))).to_pandas()
    found = rates(oracle.as_kind(LETTERS.to_arrow(), "pandas"), "school", places)
    assert list(found["school"].cat.categories) == values


def test_any_column_of_the_letters_is_a_level() -> None:
    with_college = LETTERS.with_columns(college=pl.lit("Arts"))
    assert rates(with_college, by="college").select("college", "students").rows() == [("Arts", 3)]


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: rates(LETTERS, by="cuorse"), UnknownColumnError, "by cuorse needs the column 'cuorse'"),
        (lambda: rates(LETTERS, by="department"), UnknownColumnError, "needs the column 'department'"),
        (lambda: rates(LETTERS, by=[]), ParameterError, "by= is empty"),
        (lambda: rates(LETTERS.drop("letter class")), UnknownColumnError, "needs the column 'letter class'"),
        (
            lambda: rates(LETTERS, "college", {"accounts": ACCOUNTS}),
            ParameterError,
            "needs the table 'courses'",
        ),
        (lambda: gaps(LETTERS, GROUPS, on="student id", group="g", measure="dfw"), ParameterError, "'dfw'"),
        (lambda: gaps(LETTERS, GROUPS, on="student id", group="race"), UnknownColumnError, "'race'"),
    ],
)
def test_wrong_calls_are_explained(ask: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        ask()


def graded(*groups: tuple[str | None, int, int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return letters and groups in which so many of so many students of each group succeeded."""
    people = [(group, at < successes) for group, successes, n in groups for at in range(n)]
    letters = pl.DataFrame(
        {
            "student id": range(len(people)),
            "student sis": [f"{who:04}" for who in range(len(people))],
            "course id": 7,
            "letter class": ["A" if passed else "F" for _, passed in people],
        }
    )
    listed = pl.DataFrame(
        [(f"{who:04}", group) for who, (group, _) in enumerate(people) if group],
        schema=["sis", "g"],
        orient="row",
    )
    return letters, listed


GROUPS = pl.DataFrame({"student id": [1, 2, 3], "g": ["x", "y", "x"]})
EXAMPLE = graded(("A", 150, 200), ("B", 30, 50), ("C", 6, 8))


@pytest.mark.parametrize("kind", KINDS)
def test_the_worked_example(oracle: Any, kind: str) -> None:
    letters, groups = (oracle.as_kind(frame.to_arrow(), kind) for frame in EXAMPLE)
    found = gaps(letters, groups, on={"student sis": "sis"}, group="g")
    assert oracle.kind_of(found) == kind
    names, rows = oracle.rows(found)
    a, b, c = (dict(zip(names, row, strict=True)) for row in rows)
    assert (a["g"], a["n"], a["people"], a["successes"], a["rate"]) == ("A", 200, 200, 150, 0.75)
    assert a["reference"] == pytest.approx(36 / 58)
    assert (a["disproportionate"], a["needed"], a["small"]) == (False, 0, False)
    assert (b["rate"], b["reference"], b["gap"]) == pytest.approx((0.6, 0.75, -0.15))
    assert (b["moe"], b["low"], b["high"]) == pytest.approx((0.1386, 0.4614, 0.7386), abs=1e-4)
    assert (b["disproportionate"], b["needed"]) == (True, 1)
    assert (c["small"], c["disproportionate"], c["needed"]) == (True, False, 0)


def test_references() -> None:
    letters, groups = EXAMPLE

    def references(reference: Any, minimum: int = 10) -> list[float]:
        found = gaps(
            letters, groups, on={"student sis": "sis"}, group="g", reference=reference, minimum=minimum
        )
        return found["reference"].to_list()

    assert references("overall") == pytest.approx([186 / 258] * 3)
    assert references("highest") == [0.75] * 3
    assert references("B") == [0.6] * 3
    assert references(0.8) == [0.8] * 3
    assert references("D") == [None] * 3
    (alone,) = gaps(*graded(("A", 1, 20)), on={"student sis": "sis"}, group="g").rows(named=True)
    assert (alone["reference"], alone["gap"], alone["disproportionate"]) == (None, None, False)
    tiny = graded(("A", 5, 20), ("B", 3, 3))
    assert gaps(*tiny, on={"student sis": "sis"}, group="g", reference="highest")["reference"][0] == 0.25


def test_students_without_a_group_are_counted_and_named() -> None:
    letters, groups = graded(("A", 3, 4), (None, 2, 2))
    with pytest.warns(ReportWarning, match="^2 students have no group"):
        found = gaps(letters, groups, on={"student sis": "sis"}, group="g")
    assert found.select("g", "n").rows() == [("A", 4), ("unknown", 2)]
    twice = pl.concat([groups, groups.with_columns(g=pl.lit("B"))])
    with pytest.raises(ParameterError, match="4 students are in several groups of 'g'"):
        gaps(letters, twice, on={"student sis": "sis"}, group="g")
    repeated = pl.concat([groups, groups])
    with pytest.warns(ReportWarning):
        assert gaps(letters, repeated, on={"student sis": "sis"}, group="g").equals(found)


SQL = """
    WITH valid AS (
        SELECT "course id", coalesce(g, 'unknown') AS g, "student id",
               "letter class" IN ('A', 'B', 'C', 'P') AS hit
        FROM letters LEFT JOIN groups USING ("student id")
        WHERE "letter class" IN ('A', 'B', 'C', 'D', 'F', 'P', 'NP', 'W', 'I')
    ), counted AS (
        SELECT "course id", g, count(*) AS n, count(DISTINCT "student id") AS people,
               count(*) FILTER (hit) AS successes, successes / n AS rate, greatest(1.96 * sqrt(0.25 / n), 0.03) AS moe
        FROM valid GROUP BY "course id", g
    ), compared AS (
        SELECT *, (sum(successes) OVER course - successes) / nullif(sum(n) OVER course - n, 0) AS reference
        FROM counted WINDOW course AS (PARTITION BY "course id")
    ), flagged AS (SELECT *, coalesce(rate + moe <= reference, false) AND n >= 3 AS flagged FROM compared)
    SELECT "course id", g, n, people, successes, rate, reference, rate - reference, moe, rate - moe, rate + moe,
           flagged, CASE WHEN flagged THEN ceil(round((reference - rate - moe) * n, 9)) ELSE 0 END, n < 3
    FROM flagged ORDER BY "course id", g = 'unknown', g
"""


@settings(max_examples=12)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(1, 6), st.integers(1, 2), st.sampled_from(["A", "P", "F", "W", "I", "AU", "none"])
        ),
        max_size=40,
    ),
    listed=st.dictionaries(st.integers(1, 6), st.sampled_from(["x", "y", "z"])),
    kind=st.sampled_from(KINDS),
)
def test_any_groups_give_what_sql_gives(oracle: Any, rows: Any, listed: dict[int, str], kind: str) -> None:
    schema = {"student id": pl.Int64, "course id": pl.Int64, "letter class": pl.String}
    letters = pl.DataFrame(rows, schema=schema, orient="row").to_arrow()
    groups = pl.DataFrame(
        list(listed.items()), schema={"student id": pl.Int64, "g": pl.String}, orient="row"
    ).to_arrow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReportWarning)
        made = gaps(
            oracle.as_kind(letters, kind),
            oracle.as_kind(groups, kind),
            on="student id",
            group="g",
            by="course",
            minimum=3,
        )
        found = oracle.rows(made)[1]
    right = oracle.sql(SQL, letters=letters, groups=groups)[1]
    assert len(found) == len(right)
    for here, there in zip(found, right, strict=True):
        assert all(map(same_cell, here, there)), (here, there)


def test_rates_of_nothing_are_missing() -> None:
    nothing = rates(LETTERS.filter(pl.col("letter class") == "none")).row(0, named=True)
    assert all(nothing[name] is None for name in ("dfw", "dfwi", "success", "completion", "low", "high"))
    assert nothing["gradebook unused"]
    assert not any(isinstance(value, float) and math.isnan(value) for value in nothing.values())


def test_wilsons_interval_ends_at_0_and_1_and_is_missing_of_nothing() -> None:
    def ends(hits: pl.Series, of: pl.Series) -> list[pl.Series]:
        return [pl.select(end).to_series() for end in wilson(pl.lit(hits), pl.lit(of))]

    n = pl.Series(range(1, 400))
    low, high = ends(n * 0, n)
    assert 0 <= low.min() <= low.max() < 1e-12
    few, all_of_them = ends(n, n)
    assert 1 - 1e-12 < all_of_them.min() <= all_of_them.max() <= 1
    assert (few + high - 1).abs().max() < 1e-12
    assert [end.to_list() for end in ends(n[:1] * 0, n[:1] * 0)] == [[None], [None]]


@settings(max_examples=50)
@given(of=st.integers(1, 400), data=st.data())
def test_wilson(of: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, of))
    ends = wilson(pl.lit(hits), pl.lit(of))
    low, high = (pl.select(end).item() for end in ends)
    assert 0 <= low <= hits / of + 1e-12
    assert hits / of - 1e-12 <= high <= 1
    # Its ends are where the score test just rejects: |share - p| = z * sqrt(p (1 - p) / n).
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            assert abs(hits / of - end) == pytest.approx(
                1.959964 * (end * (1 - end) / of) ** 0.5, rel=1e-4, abs=1e-9
            )
