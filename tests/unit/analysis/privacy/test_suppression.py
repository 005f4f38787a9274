"""No suppressed cell can be computed from the totals, by exact arithmetic."""

import warnings
from fractions import Fraction
from itertools import product
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

MINIMUM = 5
NAMES = ("term", "course", "grade")


def lines(cells: list[dict[str, Any]], by: tuple[str, ...]) -> list[list[int]]:
    """Return the places of the cells that add up to each total a reader knows."""
    found: dict[tuple[object, ...], list[int]] = {}
    for place, cell in enumerate(cells):
        for name in by:
            found.setdefault((name, *(cell[other] for other in by if other != name)), []).append(place)
    return [line for line in found.values() if sum(cells[place]["n"] for place in line) >= MINIMUM]


def computable(known: list[list[int]], hidden: list[int]) -> set[int]:
    """Return the hidden cells that the totals determine, by Gauss-Jordan elimination in fractions."""
    rows = [[Fraction(int(place in line)) for place in hidden] for line in known]
    top = 0
    for column in range(len(hidden)):
        pivot = next((row for row in range(top, len(rows)) if rows[row][column]), None)
        if pivot is None:
            continue
        rows[top], rows[pivot] = rows[pivot], rows[top]
        rows[top] = [value / rows[top][column] for value in rows[top]]
        for row in range(len(rows)):
            if row != top and rows[row][column]:
                rows[row] = [a - rows[row][column] * b for a, b in zip(rows[row], rows[top], strict=True)]
        top += 1
    computed = [[place for place, value in zip(hidden, row, strict=True) if value] for row in rows]
    return {places[0] for places in computed if len(places) == 1}


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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = crn.suppress_small_cells(pl.DataFrame(cells), by=by, minimum=MINIMUM)
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
    table = crn.suppress_small_cells(pl.DataFrame(cells, schema=["course", "letter", "n"], orient="row"),
                                     by=["course", "letter"])  # fmt: skip
    assert table["suppressed"].sum() == 4


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow"])
def test_every_kind_returns_its_own(kind: str) -> None:
    frame = pl.DataFrame(
        {"course": ["A", None, "C", "D"], "n": [3, 9, 40, None], "mean": [1.5, 2.0, 3.0, None]}
    )
    given_frame = {
        "pandas": frame.to_pandas(),
        "polars": frame,
        "lazy": frame.lazy(),
        "arrow": frame.to_arrow(),
    }[kind]
    made = crn.suppress_small_cells(given_frame, by="course")
    assert type(made) is type(given_frame)
    whole = (
        made.collect() if kind == "lazy" else pl.from_pandas(made) if kind == "pandas" else pl.DataFrame(made)
    )
    assert whole["suppressed"].to_list() == [True, True, False, True]
    assert whole["mean"].to_list() == [None, None, 3.0, None]
    if kind == "pandas":
        assert str(made["suppressed"].dtype) == "boolean"


def test_a_cell_without_neighbors_is_named() -> None:
    table = pd.DataFrame({"course": ["A", "A", "B"], "term": ["x", "y", "x"], "n": [3, 8, 20]})
    with pytest.warns(crn.ReportWarning, match=r"1 of 1 .* course and term, such as \(A, x\)"):
        made = crn.suppress_small_cells(table, by=["course", "term"])
    assert made["n"].tolist() == [pd.NA, 8, 20]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"by": "course", "minimum": 1}, "hides nothing"),
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
        crn.suppress_small_cells(table, **keywords)
    with pytest.raises(UnknownColumnError, match="'cuorse'"):
        crn.suppress_small_cells(table, by="cuorse")
    with pytest.raises(ParameterError, match="already has a column 'suppressed'"):
        crn.suppress_small_cells(crn.suppress_small_cells(table, by="course"), by="course")
