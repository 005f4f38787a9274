"""The analyses of grades against plain SQL, on the demo and on whatever a grade export may hold."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

SHOWN = ("current", "final", "unposted current", "unposted final", "override")
KINDS = ("pandas", "polars", "lazy", "arrow", "dask")
STATE = pa.dictionary(pa.int32(), pa.string())
EXPORT = pa.schema(
    [
        ("student name", pa.string()), ("student id", pa.int64()), ("student sis", pa.string()),
        ("course", pa.string()), ("course id", pa.int64()), ("course sis", pa.string()),
        ("section", pa.string()), ("section id", pa.int64()), ("section sis", pa.string()),
        ("term", pa.string()), ("term id", pa.int64()), ("term sis", pa.string()),
        ("enrollment state", STATE),
        *((f"{name} score", pa.float64()) for name in SHOWN), *((f"{name} grade", pa.string()) for name in SHOWN),
        ("pos", pa.int64()),
    ]
)  # fmt: skip
# Sections 11 and 12 are of one course; 13 was cross-listed into course 2 from elsewhere.
PLACES = [(11, 1, 4), (12, 1, 4), (13, 2, 4), (14, 2, 4), (15, 3, 5), (16, 17_000_000_000_000_001, None)]
STATES = ["active", "concluded", "inactive", "deleted", None]
LETTERS = ["A", "A-", "B", "C", "D+", "F", None]
PERCENT = st.one_of(
    st.none(), st.sampled_from([0.0, 70.0, 69.99, 100.0]), st.integers(0, 11_000).map(lambda n: n / 100)
)
ROW = st.tuples(
    st.sampled_from(
        [(7, "007"), (7, "x-007"), (8, None), (12_340_000_000_000_567, "1e5"), (9, "9"), (None, None)]
    ),
    st.sampled_from(PLACES),
    st.sampled_from(STATES),
    st.tuples(*[PERCENT] * len(SHOWN)),
    st.tuples(*[st.sampled_from(LETTERS)] * len(SHOWN)),
    st.booleans(),
)


def export(rows: list[tuple[Any, ...]]) -> pa.Table:
    """A grade export of drawn rows; names and SIS ids are blank now and then."""
    records = []
    for pos, ((student, sis), (section, course, term), state, scores, letters, blank) in enumerate(rows):
        records.append(
            {
                "student name": f"Student {student}", "student id": student, "student sis": sis,
                "course": f"Course {course}", "course id": course, "course sis": None if blank else f"0{course}",
                "section": f"Section {section}", "section id": section, "section sis": None if blank else f"S{section}",
                "term": None if blank else f"Term {term}", "term id": term, "term sis": f"T{term}",
                "enrollment state": state,
                **{f"{name} score": score for name, score in zip(SHOWN, scores, strict=True)},
                **{f"{name} grade": letter for name, letter in zip(SHOWN, letters, strict=True)},
                "pos": pos,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(records, schema=EXPORT)


EXPORTS = st.lists(ROW, max_size=14).map(export)
COURSES = pa.table(
    {
        "canvas_course_id": pa.array([1, 2, 17_000_000_000_000_001]),
        "canvas_account_id": pa.array([40, 40, 50]),
        "account_id": ["ENG", "ENG", None],
    }
)
TERMS = pa.table(
    {
        "canvas_term_id": pa.array([5, 4, 1]),
        "start_date": pa.array([1, 2, None], pa.timestamp("us", tz="UTC")),
    }
)

RANKED = """
    SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY
        CASE CAST("enrollment state" AS VARCHAR)
            WHEN 'active' THEN 1 WHEN 'concluded' THEN 2 WHEN 'inactive' THEN 3 WHEN 'deleted' THEN 4 ELSE 5 END,
        "section id" NULLS LAST, pos) AS place
    FROM export WHERE "student id" IS NOT NULL AND "course id" IS NOT NULL
"""
COURSE_KEY = '"student id", "course id"'
ONCE = f"""
    SELECT r.* EXCLUDE (place), s.sections
    FROM ({RANKED.format(key=COURSE_KEY)}) r JOIN (
        SELECT "student id" AS sid, "course id" AS cid, count(DISTINCT "section id") AS sections FROM export GROUP BY ALL
    ) s ON sid = "student id" AND cid = "course id" WHERE place = 1
"""
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
def test_any_export_gives_what_sql_gives(asking: Any, table: pa.Table) -> None:
    export = asking.as_kind(table, "polars")
    with asking.sql_of(export=table, courses=COURSES, terms=TERMS) as answer:
        for question, (analysis, query) in QUESTIONS.items():
            note(question)
            asking.check(analysis(export), answer(query))


@settings(max_examples=3)
@given(table=EXPORTS)
def test_every_kind_gives_the_same(asking: Any, table: pa.Table) -> None:
    for question, (analysis, _) in QUESTIONS.items():
        note(question)
        wanted = asking.rows(analysis(asking.as_kind(table, "polars")))
        for kind in asking.kinds:
            found = analysis(asking.as_kind(table, kind))
            assert asking.kind_of(found) == kind
            asking.check(found, wanted)


@settings(max_examples=25)
@given(table=EXPORTS, seed=st.randoms())
def test_counting_once_is_final_loses_nothing_and_minds_no_order(
    asking: Any, table: pa.Table, seed: Any
) -> None:
    export = asking.as_kind(table, "polars")
    kept, left = crn.grades.one_per_student(export), crn.grades.dropped(export)
    assert crn.grades.one_per_student(kept).equals(kept)
    assert crn.grades.summary(kept, "term").equals(crn.grades.summary(export, "term"))
    assert sorted([*kept["pos"], *left["pos"]]) == list(range(len(table)))
    order = list(range(len(table)))
    seed.shuffle(order)
    again = crn.grades.one_per_student(export[order])
    key = ["student id", "course id", "section id", "enrollment state", "sections"]
    assert again.select(key).sort(key).equals(kept.select(key).sort(key))


@pytest.fixture(scope="module")
def demo(larger: Callable[..., dict[str, pa.Table]]) -> dict[str, pa.Table]:
    export = larger("grade_export_csv", include_deleted=True)["grade_export_csv"]
    tables = larger("provisioning_csv", courses=True, terms=True, include_deleted=True)
    return {"export": export, "courses": tables["courses"], "terms": tables["terms"]}


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
def test_the_demo_gives_what_sql_gives(asking: Any, demo: dict[str, pa.Table], question: str) -> None:
    analysis, query = on(demo, question)
    wanted = asking.sql(query, **demo)
    assert wanted[1]
    for kind in asking.kinds:
        asking.check(analysis(asking.as_kind(demo["export"], kind)), wanted)


def periods_sql(asking: Any, table: pa.Table, periods: list[tuple[str, str]]) -> tuple[list[str], list[Any]]:
    """The long form, period by period; ``periods`` are the titles and the numbers behind their columns."""
    measures = [f"{name} {kind}" for kind in ("score", "grade") for name in SHOWN]
    dynamic = {
        f"{title} {name}{again}" for title, again in periods for name in ("grading period id", *measures)
    }
    shared = ", ".join(f'"{name}"' for name in table.column_names if name not in {*dynamic, *measures})
    parts = [
        f"""SELECT {shared}, sections, {number} AS period, '{title}' AS "grading period",
            "{title} grading period id{again}" AS "grading period id",
            {", ".join(f'"{title} {name}{again}" AS "{name}"' for name in measures)} FROM ({ONCE})"""
        for number, (title, again) in enumerate(periods, 1)
    ]
    return asking.sql(f"{' UNION ALL '.join(parts)} ORDER BY period, pos", export=table)


def test_grading_periods_stand_below_each_other(
    asking: Any, larger: Callable[..., dict[str, pa.Table]]
) -> None:
    tables = larger("mgp_grade_export_csv")
    asked = {"Fall 2025": None, "Spring 2026": [("Half-term", ""), ("Half-term", ".1")]}
    for term, periods in asked.items():
        table = tables[term]
        ids = [name for name in table.column_names if " grading period id" in name]
        titles = periods or [(name.removesuffix(" grading period id"), "") for name in ids]
        assert len(titles) == len(ids) > 1
        wanted = periods_sql(asking, table, titles)
        for kind in asking.kinds:
            asking.check(crn.grades.grading_periods(asking.as_kind(table, kind)), wanted)


def test_a_period_without_overrides_has_them_missing() -> None:
    columns = {"student id": [7], "course id": [1], "section id": [11], "enrollment state": ["active"]}
    wide = pl.DataFrame({**columns, "Half\none grading period id": [131], "Half\none final score": [71.5]})
    long = crn.grades.grading_periods(wide).row(0, named=True)
    assert (long["grading period"], long["grading period id"], long["final score"]) == (
        "Half\none",
        131,
        71.5,
    )
    assert long["override score"] is None
    assert long["current grade"] is None


def test_an_export_without_overrides_is_summed_up_by_its_final_scores() -> None:
    export = pl.DataFrame(
        {"student id": [7, 8], "course id": [1, 1], "section id": [11, 11], "enrollment state": ["active", "active"],
         "current score": [80.0, None], "final score": [60.0, 70.0], "course": ["C", None], "course sis": [None, "0"]}
    )  # fmt: skip
    row = crn.grades.summary(export).row(0, named=True)
    assert (row["n"], row["mean"], row["failed"], row["ungraded"], row["course sis"]) == (2, 65.0, 1, 1, "0")
    assert crn.grades.summary(export).equals(crn.grades.summary(export, score="final"))
    with pytest.raises(UnknownColumnError, match="override grade"):
        crn.grades.overrides(export)


WHOLE = export([((7, "007"), (11, 1, 4), "active", (80.0,) * 5, ("B",) * 5, False)])


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
def test_what_cannot_be_answered_says_so(
    asking: Any, ask: Callable[[Any], Any], error: type, words: str
) -> None:
    with pytest.raises(error, match=words):
        ask(asking.as_kind(WHOLE, "polars"))


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_lazy_export_is_not_read_for_an_answer_that_is_not_collected(asking: Any, question: str) -> None:
    analysis, _ = QUESTIONS[question]
    answer = analysis(asking.unread(WHOLE))
    assert answer.collect_schema() == analysis(asking.as_kind(WHOLE, "lazy")).collect_schema()
    with pytest.raises(AssertionError, match="collected"):
        answer.collect()


def test_an_override_that_is_text_matters_only_where_it_is_read(asking: Any) -> None:
    frame = asking.as_kind(WHOLE, "polars")
    texts = frame.cast({"override score": pl.String})
    for analysis in (crn.grades.summary, crn.grades.inflation):
        assert analysis(texts, score="final").equals(analysis(frame, score="final"))


def test_a_state_or_a_letter_alone_is_one(asking: Any, demo: dict[str, pa.Table]) -> None:
    frame = asking.as_kind(demo["export"], "polars")
    for analysis, keyword, word in (
        (crn.grades.summary, "withdrawn", "deleted"),
        (crn.grades.summary, "letters", "F"),
        (crn.grades.inflation, "withdrawn", "deleted"),
        (crn.grades.inflation, "top", "A-"),
    ):
        asking.check(analysis(frame, **{keyword: word}), asking.rows(analysis(frame, **{keyword: [word]})))


@pytest.mark.parametrize(
    "ask",
    [
        crn.grades.summary,
        crn.grades.inflation,
        crn.grades.gap,
        crn.grades.overrides,
        crn.activity.last_access_by_week,
        crn.activity.no_submissions,
        lambda frame: crn.activity.clean_up(public=frame),
        lambda frame: crn.grades.summary(WHOLE, "account", courses=frame),
        lambda frame: crn.grades.inflation(WHOLE, terms=frame),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_said_of_the_frame_as_it_was_given(asking: Any, kind: str, ask: Any) -> None:
    frame = asking.as_kind(pa.table({"full_name": ["Ng"], "Course Id": [1]}), kind)
    with pytest.raises(UnknownColumnError) as caught:
        ask(frame)
    assert caught.value.hint.endswith("The frame has: full_name, Course Id.")
