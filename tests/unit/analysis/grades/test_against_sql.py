"""The analyses of grades give what plain SQL gives, on the demo and on generated exports."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, note, settings

import canvas_reports_nb as crn
from tests.unit.analysis.grades.exports import (
    COURSE_KEY,
    COURSES,
    EXPORT,
    EXPORTS,
    ONCE,
    RANKED,
    TERMS,
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

GAP = f"""
    SELECT {IDENTITY}, "current score", "final score", "current score" - "final score" AS gap,
        "unposted current score", "unposted final score",
        "unposted current score" - "current score" AS "current change",
        "unposted final score" - "final score" AS "final change",
        "unposted current score" IS DISTINCT FROM "current score"
            OR "unposted final score" IS DISTINCT FROM "final score" AS "hidden marks"
    FROM ({ONCE}) ORDER BY pos
"""

OVERRIDES = f"""
    SELECT {IDENTITY}, "final score", "override score", "override score" - "final score" AS change,
        "final grade", "override grade", "override grade" <> "final grade" AS "letter changed"
    FROM ({ONCE}) WHERE "override score" IS NOT NULL OR "override grade" IS NOT NULL ORDER BY pos
"""

EFFECTIVE = '("override score" IS NOT NULL OR "override grade" IS NOT NULL)'


def summed(by: list[str], shown: list[str], score: str, failing: str, *, key: str, joined: str = "") -> str:
    """The summary in SQL; ``failing`` is a condition on ``score`` and ``letter``."""
    if score == "effective":
        value = f'CASE WHEN {EFFECTIVE} THEN "override score" ELSE "final score" END'
        letter = f'CASE WHEN {EFFECTIVE} THEN "override grade" ELSE "final grade" END'
        unmarked = f'"current score" IS NULL AND NOT {EFFECTIVE}'
    else:
        value, letter = f'"{score} score"', f'"{score} grade"'
        unmarked = f'"{"unposted " if score.startswith("unposted") else ""}current score" IS NULL'
    quoted = ", ".join(f'"{name}"' for name in by)
    names = "".join(f'max("{name}") AS "{name}", ' for name in shown)
    return f"""
        WITH counted AS (
            SELECT *, {value} AS score, {letter} AS letter,
                coalesce(CAST("enrollment state" AS VARCHAR) IN ('inactive', 'deleted'), false) AS gone
            FROM ({RANKED.format(key=key)}) {joined} WHERE place = 1
        ), grouped AS (
            SELECT {quoted}, {names} count(*) AS enrollments, count(DISTINCT "student id") AS students,
                count(score) FILTER (NOT gone) AS n,
                count(*) FILTER (NOT gone AND score IS NULL) AS missing,
                count(*) FILTER (NOT gone AND score IS NOT NULL AND {unmarked}) AS ungraded,
                avg(score) FILTER (NOT gone) AS mean,
                quantile_cont(score, 0.25) FILTER (NOT gone) AS "lower quartile",
                quantile_cont(score, 0.5) FILTER (NOT gone) AS median,
                quantile_cont(score, 0.75) FILTER (NOT gone) AS "upper quartile",
                count(*) FILTER (NOT gone AND NOT ({failing})) AS passed,
                count(*) FILTER (NOT gone AND ({failing})) AS failed,
                count(*) FILTER (gone) AS withdrawn
            FROM counted GROUP BY {quoted}
        )
        SELECT *, failed + withdrawn AS dfw,
            (failed + withdrawn) / nullif(passed + failed + withdrawn, 0) AS "dfw share"
        FROM grouped ORDER BY {", ".join(f'"{name}" NULLS LAST' for name in by)}
    """


BELOW, BY_LETTER = "score < 70", "letter IN ('D+', 'F')"

FAILING = {BELOW: {}, BY_LETTER: {"letters": ("D+", "F")}, "score < 50.5": {"below": 50.5}}

WITH_ACCOUNT = """LEFT JOIN (SELECT canvas_course_id, canvas_account_id AS "account id", account_id AS "account sis"
                  FROM courses) ON canvas_course_id = "course id" """

Question = tuple[Callable[[Any], Any], str]

SECTION_KEY = f'{COURSE_KEY}, "section id"'


def summaries() -> dict[str, Question]:
    def ask(by: Any, score: str, failing: str) -> Callable[[Any], Any]:
        return lambda frame: crn.grades.summary(frame, by, score=score, courses=COURSES, **FAILING[failing])

    course, term = ["course sis", "course"], ["term sis", "term"]
    account = ["account sis"]
    forms = {
        "course": (["course id"], course, COURSE_KEY, ""),
        "section": (["course id", "section id"], ["section sis", "section", "course"], SECTION_KEY, ""),
        "term": (["term id"], term, COURSE_KEY, ""),
        "account": (["account id"], account, COURSE_KEY, WITH_ACCOUNT),
        ("term", "account"): (["term id", "account id"], term + account, COURSE_KEY, WITH_ACCOUNT),
    }
    asked = [(by, "effective", BELOW) for by in forms]
    asked += [
        ("course", score, BELOW) for score in ("final", "current", "unposted final", "unposted current")
    ]
    asked += [
        ("term", "effective", BY_LETTER),
        ("section", "current", BY_LETTER),
        ("account", "final", "score < 50.5"),
    ]
    made = {}
    for by, score, failing in asked:
        ids, shown, key, joined = forms[by]
        made[f"{by}, {score}, {failing}"] = (
            ask(by, score, failing),
            summed(ids, shown, score, failing, key=key, joined=joined),
        )
    return made


def inflated(score: str, letter: str, order: str, dates: str = "") -> str:
    return f"""
        WITH by_term AS (
            SELECT "term id", max("term sis") AS "term sis", max(term) AS term, {"any_value(start_date) AS" if dates else "0 AS"} begins,
                count({score}) AS n, avg({score}) AS mean, quantile_cont({score}, 0.5) AS median,
                count({letter}) AS lettered,
                count(*) FILTER ({letter} IN ('A', 'A-')) / nullif(count({letter}), 0) AS "top share"
            FROM ({ONCE}) {dates}
            WHERE coalesce(CAST("enrollment state" AS VARCHAR) NOT IN ('inactive', 'deleted'), true) GROUP BY "term id"
        )
        SELECT "term id", "term sis", term, {'begins AS "start date",' if dates else ""}
            n, mean, CASE WHEN begins IS NOT NULL THEN mean - lag(mean) OVER terms END AS "mean change",
            median, CASE WHEN begins IS NOT NULL THEN median - lag(median) OVER terms END AS "median change",
            lettered, "top share",
            CASE WHEN begins IS NOT NULL THEN "top share" - lag("top share") OVER terms END AS "top share change"
        FROM by_term WINDOW terms AS (ORDER BY {order}) ORDER BY {order}
    """


BY_ID, BY_DATE = '"term id" NULLS LAST', 'begins NULLS LAST, "term id" NULLS LAST'

SCORE_EFFECTIVE = f'(CASE WHEN {EFFECTIVE} THEN "override score" ELSE "final score" END)'

LETTER_EFFECTIVE = f'(CASE WHEN {EFFECTIVE} THEN "override grade" ELSE "final grade" END)'

QUESTIONS: dict[str, Question] = {
    "one_per_student": (crn.grades.one_per_student, f"SELECT * FROM ({ONCE}) ORDER BY pos"),
    "dropped": (crn.grades.dropped, DROPPED),
    "gap": (crn.grades.gap, GAP),
    "overrides": (crn.grades.overrides, OVERRIDES),
    "inflation": (crn.grades.inflation, inflated(SCORE_EFFECTIVE, LETTER_EFFECTIVE, BY_ID)),
    "inflation in time": (
        lambda frame: crn.grades.inflation(frame, score="current", terms=TERMS),
        inflated(
            '"current score"', '"current grade"', BY_DATE, 'LEFT JOIN terms ON canvas_term_id = "term id"'
        ),
    ),
    **summaries(),
}


@settings(max_examples=25)
@given(table=EXPORTS)
def test_any_export_gives_what_sql_gives(oracle: Any, table: pa.Table) -> None:
    export = oracle.as_kind(table, "polars")
    with oracle.sql_of(export=table, courses=COURSES, terms=TERMS) as answer:
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


def on(demo: dict[str, pa.Table], question: str) -> Question:
    """A question about the demo: with its own courses and terms."""
    analysis, query = QUESTIONS[question]
    if "account" in question:
        by = ("term", "account") if question.startswith("(") else "account"
        form = {"score": "final", "below": 50.5} if "50.5" in question else {}
        return lambda frame: crn.grades.summary(frame, by, courses=demo["courses"], **form), query
    if question == "inflation in time":
        return lambda frame: crn.grades.inflation(frame, score="current", terms=demo["terms"]), query
    return analysis, query


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_demo_gives_what_sql_gives(oracle: Any, demo: dict[str, pa.Table], question: str) -> None:
    analysis, query = on(demo, question)
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
