"""No hidden number can be computed from the totals, by exact arithmetic, and no result of nearly everybody read."""

import warnings
from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.analysis.privacy.lines import Lines
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from tests.unit.analysis.grades.test_rates import EXAMPLE

MINIMUM = 5
NAMES = ("term", "course", "grade")


def lines(cells: list[dict[str, Any]], by: tuple[str, ...]) -> list[list[int]]:
    """Return the places of the cells that add up to each total a reader knows."""
    found: dict[tuple[object, ...], list[int]] = {}
    summed = [some for size in range(1, len(by) + 1) for some in combinations(by, size)]
    for place, cell in enumerate(cells):
        for names in summed:
            found.setdefault((names, *(cell[other] for other in by if other not in names)), []).append(place)
    return [line for line in found.values() if sum(cells[place]["n"] for place in line) >= MINIMUM]


def solved(equations: list[dict[Any, Fraction]], unknown: list[Any]) -> set[Any]:
    """Return the unknowns that linear equations determine; the constants don't matter."""
    rows = [[each.get(one, Fraction(0)) for one in unknown] for each in equations]
    top = 0
    for column in range(len(unknown)):
        pivot = next((row for row in range(top, len(rows)) if rows[row][column]), None)
        if pivot is None:
            continue
        rows[top], rows[pivot] = rows[pivot], rows[top]
        rows[top] = [value / rows[top][column] for value in rows[top]]
        for row in range(len(rows)):
            if row != top and rows[row][column]:
                rows[row] = [a - rows[row][column] * b for a, b in zip(rows[row], rows[top], strict=True)]
        top += 1
    found = [[one for one, value in zip(unknown, row, strict=True) if value] for row in rows]
    return {ones[0] for ones in found if len(ones) == 1}


def computable(known: list[list[int]], hidden: list[int]) -> set[int]:
    """Return the hidden cells that the totals determine."""
    return solved([dict.fromkeys(line, Fraction(1)) for line in known], hidden)


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    sizes = draw(st.sampled_from([(1,), (4,), (3, 3), (2, 6), (5, 4), (2, 2, 3), (3, 3, 2)]))
    whole = draw(st.booleans())
    numbers = st.integers(0, 12) | st.just(40)
    return [
        {**dict(zip(NAMES, cell, strict=False)), "n": draw(numbers), "mean": 81.5}
        for cell in product(*map(range, sizes))
        if whole or draw(st.integers(0, 3))
    ]


@settings(max_examples=60)
@given(tables())
# Every line of the two squares has two blanks, but the cell between them can still be computed.
@example(
    [
        {"term": row, "course": column, "n": 3 if cell == "x" else 9, "mean": 0.5}
        for row, line in enumerate(["xx...", "xxx..", "...xx", "..xxx"])
        for column, cell in enumerate(line)
    ]
)
# Nothing is left to hide with the two ones: the total of their line minus the shown 40 gives their sum.
@example(
    [
        {"term": row, "course": column, "n": number, "mean": 0.5}
        for row, line in enumerate([[1, 1, 40], [50, 50]])
        for column, number in enumerate(line)
    ]
)
def test_no_suppressed_cell_follows_from_the_totals(cells: list[dict[str, Any]]) -> None:
    if not cells:
        return
    by = tuple(name for name in NAMES if name in cells[0])
    # A column with one value, or one that another determines, has no totals of its own.
    for one, other in product(by, by):
        pairs = {(cell[one], cell[other]) for cell in cells}
        assume(len(by) == 1 or len(pairs) > len({cell[one] for cell in cells}) or one == other)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = crn.publish(pl.DataFrame(cells), minimum=MINIMUM, by=by)
    known = lines(cells, by)
    hidden = table["suppressed"].arg_true().to_list()
    behind = [[place for place in line if place in hidden] for line in known]
    short = [
        line for line in behind if len(line) == 1 or (line and sum(cells[n]["n"] for n in line) < MINIMUM)
    ]
    computed = computable(known, hidden).union(*short)
    assert bool(computed) == bool(caught)
    if caught:
        assert str(caught[0].message).startswith(
            f"{len(computed)} of {len(hidden)} suppressed cells can be computed, at least nearly,"
        )
    for place, (cell, row) in enumerate(zip(cells, table.to_dicts(), strict=True)):
        assert cell["n"] >= MINIMUM or row["suppressed"]
        blank = {"n": None, "mean": None} if place in hidden else {}
        assert row == {**cell, **blank, "suppressed": place in hidden}


def test_a_full_table_can_always_be_protected_and_little_is_lost() -> None:
    cells = [(course, letter, 20 + course + letter) for course in range(30) for letter in range(5)]
    cells[17] = (*cells[17][:2], 1)
    table = crn.publish(pl.DataFrame(cells, schema=["course", "letter", "n"], orient="row"),
                        by=["course", "letter"])  # fmt: skip
    assert table["suppressed"].sum() == 4


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow"])
def test_every_kind_returns_its_own(kind: str) -> None:
    frame = pl.DataFrame(
        {"course": ["A", None, "C", "D"], "n": [3, 19, 40, None], "mean": [1.5, 2.0, 3.0, None]}
    )
    given_frame = {
        "pandas": frame.to_pandas(),
        "polars": frame,
        "lazy": frame.lazy(),
        "arrow": frame.to_arrow(),
    }[kind]
    made = crn.publish(given_frame)
    assert type(made) is type(given_frame)
    whole = (
        made.collect() if kind == "lazy" else pl.from_pandas(made) if kind == "pandas" else pl.DataFrame(made)
    )
    assert whole["suppressed"].to_list() == [True, True, False, True]
    assert whole["mean"].to_list() == [None, None, 3.0, None]
    if kind == "pandas":
        assert str(made["suppressed"].dtype) == "boolean"


def test_a_cell_without_neighbors_is_named() -> None:
    table = pd.DataFrame({"course": ["A", "A", "B"], "term": ["x", "y", "x"], "n": [3, 18, 20]})
    with pytest.warns(crn.ReportWarning, match=r"1 of 1 .* course and term, such as \(A, x\)"):
        made = crn.publish(table)
    assert made["n"].tolist() == [pd.NA, 18, 20]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"by": "course", "minimum": 1}, "hides nothing"),
        ({"by": "course", "cap": 1}, "Can't use cap=1"),
        ({"by": "course", "cap": 0.5}, "Can't use cap=0.5"),
        ({"by": []}, "can't identify a cell"),
        ({"by": ["n"]}, "can't identify a cell"),
        ({"by": "twice"}, "Several rows have the same twice"),
        ({"by": "course", "count": "twice"}, "has no numbers"),
        ({"by": "course", "count": "share"}, "negative or fractional"),
        ({"by": "course", "count": "less"}, "negative or fractional"),
    ],
)
def test_other_tables_are_rejected(keywords: dict[str, Any], message: str) -> None:
    table = pl.DataFrame(
        {"course": ["A", "B"], "twice": ["x", "x"], "n": [3, 9], "share": [0.5, 1.0], "less": [-1, 1]}
    )
    with pytest.raises(ParameterError, match=message):
        crn.publish(table, **keywords)
    with pytest.raises(UnknownColumnError, match="'cuorse'"):
        crn.publish(table, by="cuorse")
    with pytest.raises(ParameterError, match="already has a column 'suppressed'"):
        crn.publish(crn.publish(table, by="course"), by="course")
    with pytest.raises(ParameterError, match="no column of counts"):
        crn.publish(table.select("course"))


def test_the_worked_example() -> None:
    """C has 8 grades; B goes with it, because C is the total without A and B."""
    gaps = crn.grades.gaps(*EXAMPLE, on={"student sis": "sis"}, group="g").to_pandas()
    made = crn.publish(gaps)
    assert made["n"].tolist() == [200, pd.NA, pd.NA]
    assert made["rate"].tolist() == [0.75, pd.NA, pd.NA]
    assert made["g"].tolist() == ["A", "B", "C"]
    assert made.iloc[1:].drop(columns=["g", "suppressed"]).isna().all(axis=None)
    assert (
        made.attrs["definition"]
        == "Published with at least 10 people per row and shares between 5 % and 95 %."
    )


GROUPS = {
    "group": list("ABCDE"),
    "n": [20, 19, 40, 50, 12],
    "successes": [20, 11, 30, 40, 6],
    "rate": [1.0, 11 / 19, 0.75, 0.8, 0.5],
    "low": [0.9, 0.3, 0.6, 0.7, 0.2],
}


def test_a_share_of_everybody_is_capped_with_all_that_would_tell_it() -> None:
    made = crn.publish(pl.DataFrame(GROUPS))
    assert made["n"].to_list() == GROUPS["n"]
    # The other group is hidden because the total without the others would tell the successes of A.
    assert made["rate"].to_list() == [">95 %", "57.9 %", "75.0 %", "80.0 %", None]
    assert made["successes"].to_list() == [None, 11, 30, 40, None]
    assert made["low"].to_list() == [None, 0.3, 0.6, 0.7, None]
    assert made["suppressed"].to_list() == [True, False, False, False, True]
    none = crn.publish(
        pl.DataFrame({**GROUPS, "successes": [0, 11, 30, 40, 0], "rate": [0.0, 0.6, 0.75, 0.8, 0.0]})
    )
    assert none["rate"].to_list()[::4] == ["<5 %", "<5 %"]
    # Here the total is beyond the cap itself, so it is not known.
    tighter = crn.publish(pl.DataFrame(GROUPS), cap=0.75)
    assert tighter["rate"].to_list() == [">75 %", "57.9 %", "75.0 %", ">75 %", "50.0 %"]


def test_the_result_of_two_groups_together_is_capped_too() -> None:
    """All of A and all of B succeeded; the total without C and D would tell that."""
    frame = pl.DataFrame({"group": list("ABCD"), "n": [20, 20, 20, 60], "successes": [20, 20, 10, 30]})
    made = crn.publish(frame.with_columns(rate=pl.col("successes") / pl.col("n")))
    assert made["successes"].to_list() == [None, None, None, 30]
    assert made["rate"].to_list() == [">95 %", ">95 %", None, "50.0 %"]


def test_a_reference_that_tells_the_result_of_the_others_is_hidden() -> None:
    """Compared with all others, the reference of A is the rate of B."""
    frame = pl.DataFrame(
        {"group": ["A", "B"], "n": [40, 20], "successes": [30, 20], "rate": [0.75, 1.0],
         "reference": [1.0, 0.75], "gap": [-0.25, 0.25]}
    )  # fmt: skip
    made = crn.publish(frame)
    assert made.select("successes", "reference", "gap").rows() == [(None, None, None), (None, None, None)]
    assert made["rate"].to_list() == [None, ">95 %"]


def test_departments_have_totals_of_their_own() -> None:
    """Hiding one course in each of two departments hides neither."""
    courses = pl.DataFrame(
        {"department": ["x", "x", "x", "y", "y"], "course": list("abcde"), "n": [3, 30, 40, 4, 50]}
    )
    hidden = crn.publish(courses).filter("suppressed")["course"].to_list()
    assert hidden == ["a", "b", "d", "e"]


def test_nothing_small_leaves_the_table_as_it_was_and_empty_ones_empty() -> None:
    frame = pl.DataFrame({"group": ["A", "B"], "n": [40, 20], "rate": [0.75, 0.5]})
    assert crn.publish(frame).equals(frame.with_columns(suppressed=pl.lit(value=False)))
    assert crn.publish(frame.clear()).height == 0


def test_few_people_with_many_grades_are_hidden() -> None:
    frame = pl.DataFrame({"group": list("ABC"), "n": [30, 30, 30], "people": [4, 25, 20]})
    assert crn.publish(frame)["people"].to_list() == [None, None, 20]


CLASSES = ("A", "B", "C", "D", "F", "P", "NP", "W", "I")
BAD = ("D", "F", "NP", "W")


@settings(max_examples=20, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    st.lists(
        st.fixed_dictionaries({name: st.integers(0, 9) | st.just(0) | st.just(30) for name in CLASSES}),
        min_size=2,
        max_size=5,
    )
)
def test_no_hidden_count_of_rates_follows_from_what_is_left(counts: list[dict[str, int]]) -> None:
    people = [(place, name) for place, row in enumerate(counts) for name in CLASSES for _ in range(row[name])]
    letters = pl.DataFrame(
        [(who, place, name) for who, (place, name) in enumerate(people)],
        schema=["student id", "course id", "letter class"],
        orient="row",
    )
    rates = crn.grades.rates(letters)
    overall = crn.grades.rates(letters, None).row(0, named=True) if people else None
    # A total that is small or beyond the cap must not be published, so it is not known.
    assume(overall is not None and overall["valid"] >= 10)
    assume(all(0.05 <= overall[name] <= 0.95 for name in ("dfw", "dfwi", "success", "completion")))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = crn.publish(rates).to_dicts()
    assume(not caught)
    unknown, equations = [], []
    for row, whole in zip(made, rates.to_dicts(), strict=True):
        at, n = row["course id"], whole["valid"]
        unknown += [(at, name) for name in ("valid", *CLASSES) if row[name] is None]
        count = {(at, name): Fraction(1) for name in CLASSES}
        equations.append({**count, (at, "valid"): Fraction(-1)})
        if row["students"] is None:
            continue
        for share, parts, judged in (
            ("dfw", BAD, n - whole["I"]),
            ("dfwi", (*BAD, "I"), n),
            ("success", ("A", "B", "C", "P"), n),
            ("completion", tuple(name for name in CLASSES if name != "W"), n),
        ):
            value = row[share]
            if value is None or str(value)[0] in "<>":
                continue
            exact = Fraction(sum(whole[name] for name in parts), judged)
            left = {(at, name): Fraction(1) for name in parts}
            left[at, "valid"] = -exact
            if share == "dfw":
                left[at, "I"] = exact
            equations.append(left)
    equations += [{(row["course id"], name): Fraction(1) for row in made} for name in CLASSES]
    shown = [{one: value for one, value in each.items() if one in unknown} for each in equations]
    assert not solved(shown, unknown)
    for row in made:
        for share in ("dfw", "dfwi", "success", "completion"):
            text = str(row[share])
            assert (
                row[share] is None
                or text[0] in "<>"
                or 0.05 <= float(text.split(maxsplit=1)[0]) / (100 if "%" in text else 1) <= 0.95
            )


@pytest.mark.parametrize(
    ("numbers", "is_known"),
    [([3, 6], False), ([3, 7], True), ([3, np.nan], True), ([np.nan, np.nan], True)],
)
def test_a_total_is_known_if_it_is_large_or_a_cell_is_blank(numbers: list[float], is_known: bool) -> None:
    found = Lines(np.zeros((2, 1), int), np.array(numbers, float), 10, np.zeros(2, bool))
    assert found.known.tolist() == [is_known]


def test_totals_that_give_a_hidden_cell_away_are_named() -> None:
    frame = pd.DataFrame({"course": ["A", "A", "B"], "term": ["x", "y", "x"], "n": [0, 3, 12]})
    with pytest.warns(crn.ReportWarning) as warned:
        crn.publish(frame)
    assert [str(each.message) for each in warned] == [
        (
            "2 of 2 suppressed cells can be computed, at least nearly, from totals over course and term, "
            "such as (A, x), (A, y). Do not publish those totals."
        )
    ]
