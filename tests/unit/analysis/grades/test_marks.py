"""One row per student and course, in any order of the file; overrides are read only when needed."""

from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from tests.unit.analysis.grades.exports import EXPORTS, WHOLE


@settings(max_examples=25)
@given(table=EXPORTS, seed=st.randoms())
def test_one_row_per_student_is_stable_and_complete_in_any_order(
    oracle: Any, table: pa.Table, seed: Any
) -> None:
    export = oracle.as_kind(table, "polars")
    kept, left = crn.grades.one_per_student(export), crn.grades.dropped(export)
    assert crn.grades.one_per_student(kept).equals(kept)
    assert crn.grades.summary(kept, "term").equals(crn.grades.summary(export, "term"))
    assert sorted([*kept["pos"], *left["pos"]]) == list(range(len(table)))
    order = list(range(len(table)))
    seed.shuffle(order)
    again = crn.grades.one_per_student(export[order])
    key = ["student id", "course id", "section id", "enrollment state", "sections"]
    assert again.select(key).sort(key).equals(kept.select(key).sort(key))


def test_an_override_that_is_text_matters_only_where_it_is_read(oracle: Any) -> None:
    frame = oracle.as_kind(WHOLE, "polars")
    texts = frame.cast({"override score": pl.String})
    for analysis in (crn.grades.summary, crn.grades.inflation):
        assert analysis(texts, score="final").equals(analysis(frame, score="final"))
