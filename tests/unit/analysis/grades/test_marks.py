"""One row per student and course, in any order of the file; overrides are read only when needed."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from tests.unit.analysis.grades.exports import EXPORTS, KINDS, WHOLE


@settings(max_examples=25)
@given(table=EXPORTS, seed=st.randoms())
def test_one_row_per_student_is_stable_and_complete_in_any_order(
    oracle: Any, table: pa.Table, seed: Any
) -> None:
    export = oracle.as_kind(table, "polars")
    kept, left = crn.grades.one_per_student(export), crn.grades.dropped(export)
    assert crn.grades.one_per_student(kept).equals(kept)
    census = export.select("student id", "course id")
    scheme = {"H": "P", "Credit": "P"}
    assert crn.grades.rates(crn.grades.letters(kept, census=census, scheme=scheme), "term").equals(
        crn.grades.rates(crn.grades.letters(export, census=census, scheme=scheme), "term")
    )
    assert sorted([*kept["pos"], *left["pos"]]) == list(range(len(table)))
    order = list(range(len(table)))
    seed.shuffle(order)
    again = crn.grades.one_per_student(export[order])
    key = ["student id", "course id", "section id", "enrollment state", "sections"]
    assert again.select(key).sort(key).equals(kept.select(key).sort(key))


def test_an_override_that_is_text_matters_only_where_it_is_read(oracle: Any) -> None:
    frame = oracle.as_kind(WHOLE, "polars")
    texts = frame.cast({"override score": pl.String})
    found, wanted = (crn.grades.letters(one, score="final") for one in (texts, frame))
    assert found["letter class"].equals(wanted["letter class"])
    with pytest.raises(ParameterError, match="'override score', which is String"):
        crn.grades.letters(texts)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (
            lambda frame: crn.grades.overrides(frame.drop("override grade")),
            UnknownColumnError,
            "override grade",
        ),
        (lambda frame: crn.grades.letters(frame.drop("final score")), UnknownColumnError, "'final score'"),
        (lambda frame: crn.grades.letters(frame.cast({"final score": pl.String})), ParameterError, "String"),
        (
            lambda frame: crn.grades.grading_periods(
                frame.with_columns(
                    pl.lit(1).alias("Half grading period id"), pl.lit("B?").alias("Half final score")
                )
            ),
            ParameterError,
            "'Half final score', which is String",
        ),
        (crn.grades.grading_periods, UnknownColumnError, "mgp_grade_export_csv"),
        (lambda frame: crn.grades.one_per_student(7), ParameterError, "not int"),
    ],
)
def test_wrong_calls_are_explained(oracle: Any, ask: Callable[[Any], Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        ask(oracle.as_kind(WHOLE, "polars"))


@pytest.mark.parametrize(
    "ask",
    [
        crn.grades.letters,
        crn.grades.rates,
        crn.grades.missing_grades,
        crn.grades.overrides,
        crn.activity.last_access_by_week,
        lambda frame: crn.grades.gaps(crn.grades.letters(WHOLE), frame, on="student id", group="group"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_column_error_lists_the_columns_of_the_given_frame(
    oracle: Any, kind: str, ask: Any
) -> None:
    frame = oracle.as_kind(pa.table({"full_name": ["Ng"], "Course Id": [1]}), kind)
    with pytest.raises(UnknownColumnError) as caught:
        ask(frame)
    assert caught.value.hint.endswith("The frame has: full_name, Course Id.")


def test_the_first_state_of_the_list_is_kept_whatever_its_section() -> None:
    states = ["active", "concluded", "inactive", "deleted", "rejected"]
    for at in range(len(states)):
        for later in states[at + 1 :]:
            ids = {"student id": [7, 7], "course id": [1, 1], "section id": [1, 2]}
            frame = pl.DataFrame({**ids, "enrollment state": [later, states[at]]})
            assert crn.grades.one_per_student(frame)["enrollment state"].to_list() == [states[at]]
    frame = pl.DataFrame({**ids, "section id": [None, 9], "enrollment state": "active"})
    assert crn.grades.one_per_student(frame)["section id"].to_list() == [9], "a missing section comes last"
