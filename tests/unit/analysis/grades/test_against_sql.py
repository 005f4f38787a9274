"""The analyses of grades give what plain SQL gives, on the demo and on generated exports."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, note, settings

import canvas_reports_nb as crn
from tests.unit.analysis.grades.exports import (
    EXPORT,
    EXPORTS,
    ONCE,
    WHOLE,
)

DROPPED = f"""
    WITH kept AS ({ONCE})
    SELECT e.*, CASE WHEN e."student id" IS NULL OR e."course id" IS NULL THEN 'no id'
                     WHEN e."section id" IS NOT DISTINCT FROM k."section id" THEN 'repeated'
                     ELSE 'other section' END AS reason,
           k."section id" AS "kept section id"
    FROM export e LEFT JOIN kept k ON e."student id" = k."student id" AND e."course id" = k."course id"
    WHERE k.pos IS NULL OR k.pos <> e.pos ORDER BY e.pos
"""

IDENTITY = ", ".join(f'"{name}"' for name in EXPORT.names[:13])

OVERRIDES = f"""
    SELECT {IDENTITY}, "final score", "override score", "override score" - "final score" AS change,
        "final grade", "override grade", "override grade" <> "final grade" AS "letter changed"
    FROM ({ONCE}) WHERE "override score" IS NOT NULL OR "override grade" IS NOT NULL ORDER BY pos
"""

Question = tuple[Callable[[Any], Any], str]

QUESTIONS: dict[str, Question] = {
    "one_per_student": (crn.grades.one_per_student, f"SELECT * FROM ({ONCE}) ORDER BY pos"),
    "dropped": (crn.grades.dropped, DROPPED),
    "overrides": (crn.grades.overrides, OVERRIDES),
}


@settings(max_examples=25)
@given(table=EXPORTS)
def test_any_export_gives_what_sql_gives(oracle: Any, table: pa.Table) -> None:
    export = oracle.as_kind(table, "polars")
    with oracle.sql_of(export=table) as answer:
        for question, (analysis, query) in QUESTIONS.items():
            note(question)
            oracle.check(analysis(export), answer(query))


@settings(max_examples=3)
@given(table=EXPORTS)
def test_every_kind_gives_the_same(oracle: Any, table: pa.Table) -> None:
    for question, (analysis, _) in QUESTIONS.items():
        note(question)
        wanted = oracle.rows(analysis(oracle.as_kind(table, "polars")))
        for kind in oracle.kinds:
            found = analysis(oracle.as_kind(table, kind))
            assert oracle.kind_of(found) == kind
            oracle.check(found, wanted)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_demo_gives_what_sql_gives(oracle: Any, demo: dict[str, pa.Table], question: str) -> None:
    analysis, query = QUESTIONS[question]
    wanted = oracle.sql(query, **demo)
    assert wanted[1]
    for kind in oracle.kinds:
        oracle.check(analysis(oracle.as_kind(demo["export"], kind)), wanted)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_lazy_export_is_read_only_on_collect(oracle: Any, question: str) -> None:
    analysis, _ = QUESTIONS[question]
    answer = analysis(oracle.unread(WHOLE))
    assert answer.collect_schema() == analysis(oracle.as_kind(WHOLE, "lazy")).collect_schema()
    with pytest.raises(AssertionError, match="collected"):
        answer.collect()
