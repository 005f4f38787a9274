"""Summaries and inflation: options, errors, and exports with few columns."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from tests.unit.analysis.grades.exports import COURSES, KINDS, WHOLE


def test_an_export_without_overrides_is_summarized_by_its_final_scores() -> None:
    export = pl.DataFrame(
        {"student id": [7, 8], "course id": [1, 1], "section id": [11, 11], "enrollment state": ["active", "active"],
         "current score": [80.0, None], "final score": [60.0, 70.0], "course": ["C", None], "course sis": [None, "0"]}
    )  # fmt: skip
    row = crn.grades.summary(export).row(0, named=True)
    assert (row["n"], row["mean"], row["failed"], row["ungraded"], row["course sis"]) == (2, 65.0, 1, 1, "0")
    assert crn.grades.summary(export).equals(crn.grades.summary(export, score="final"))
    with pytest.raises(UnknownColumnError, match="override grade"):
        crn.grades.overrides(export)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda frame: crn.grades.summary(frame, "cuorse"), ParameterError, "'course'"),
        (lambda frame: crn.grades.summary(frame, []), ParameterError, "course, section, term, account"),
        (lambda frame: crn.grades.summary(frame, score="finale"), ParameterError, "Unknown score 'finale'"),
        (lambda frame: crn.grades.summary(frame, score="in force"), ParameterError, '"effective", "final"'),
        (lambda frame: crn.grades.summary(frame, score="finale"), ParameterError, "Did you mean 'final'"),
        (lambda frame: crn.grades.summary(frame, "account"), ParameterError, "courses=True"),
        (lambda frame: crn.grades.gap(frame.drop("final score")), UnknownColumnError, "'final score'"),
        (lambda frame: crn.grades.gap(frame.cast({"final score": pl.String})), ParameterError, "String"),
        (lambda frame: crn.grades.summary(frame.cast({"final score": pl.String})), ParameterError, "String"),
        (
            lambda frame: crn.grades.summary(frame.cast({"override score": pl.String})),
            ParameterError,
            "String",
        ),
        (
            lambda frame: crn.grades.inflation(frame.cast({"override score": pl.String})),
            ParameterError,
            "String",
        ),
        (lambda frame: crn.grades.summary(frame, below="70"), ParameterError, "Can't use below='70'"),
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
        (
            lambda frame: crn.grades.summary(
                frame.cast({"course id": pl.String}), "account", courses=COURSES
            ),
            ParameterError,
            "'course id' \\(String\\) and 'canvas_course_id' \\(Int64\\)",
        ),
    ],
)
def test_wrong_calls_are_explained(oracle: Any, ask: Callable[[Any], Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        ask(oracle.as_kind(WHOLE, "polars"))


def test_a_single_state_or_letter_may_be_a_string(oracle: Any, demo: dict[str, pa.Table]) -> None:
    frame = oracle.as_kind(demo["export"], "polars")
    for analysis, keyword, word in (
        (crn.grades.summary, "withdrawn", "deleted"),
        (crn.grades.summary, "letters", "F"),
        (crn.grades.inflation, "withdrawn", "deleted"),
        (crn.grades.inflation, "top", "A-"),
    ):
        oracle.check(analysis(frame, **{keyword: word}), oracle.rows(analysis(frame, **{keyword: [word]})))


@pytest.mark.parametrize(
    "ask",
    [
        crn.grades.summary,
        crn.grades.inflation,
        crn.grades.gap,
        crn.grades.overrides,
        crn.activity.last_access_by_week,
        lambda frame: crn.activity.clean_up(public=frame),
        lambda frame: crn.grades.summary(WHOLE, "account", courses=frame),
        lambda frame: crn.grades.inflation(WHOLE, terms=frame),
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
