"""Students to call: the worked example, plain SQL, quiet courses and the words of the reasons."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb import activity
from canvas_reports_nb.analysis import alerts
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from canvas_reports_nb.frames.provenance import ATTRS_KEY

SEATS = {1: (10, 11, 12), 2: (10, 11), 3: (10, 12), 4: (12,), 5: (10,)}
PAIR = {"user id": pl.Int64, "course id": pl.Int64}
GRADE = {
    **dict.fromkeys(("student id", "course id", "section id"), pl.Int64),
    "enrollment state": pl.String,
    "current score": pl.Float64,
}
TABLES = {
    "enrollments": pl.DataFrame(
        [
            *((person, course, "student", "active") for person, places in SEATS.items() for course in places),
            *((1, 10, "student", "deleted"), (5, 12, "student", "invited"), (9, 10, "teacher", "active")),
            (5, 13, "student", "active"),
        ],
        schema={
            "canvas_user_id": pl.Int64,
            "canvas_course_id": pl.Int64,
            "role": pl.String,
            "status": pl.String,
        },
        orient="row",
    ),
    "users": pl.DataFrame(
        {"canvas_user_id": [1, 2, 3, 4, 5, 9]}, schema={"canvas_user_id": pl.Int64}
    ).with_columns(
        pl.format("00{}", "canvas_user_id").alias("user_id"),
        pl.lit("active").alias("status"),
        pl.format("Person {}", "canvas_user_id").alias("full_name"),
        pl.format("p{}@example.edu", "canvas_user_id").alias("email"),
    ),
    "courses": pl.DataFrame(
        {
            "canvas_course_id": [10, 11, 12, 13],
            "course_id": ["H", "M", "B", "U"],
            "short_name": ["HIST 1", "MATH 2", None, "UNPUB 1"],
            "long_name": ["History", "Mathematics", "Biology", "Unpublished"],
            "status": ["active", "active", "active", "unpublished"],
        }
    ),
}
SCORES = {
    (1, 10): 55.0,
    (1, 11): 90.0,
    (2, 10): 69.9,
    (2, 11): 70.0,
    (3, 10): 80.0,
    (5, 10): 95.0,
    (5, 13): 1.0,
}
GRADES = pl.DataFrame(
    [
        (person, course, course * 10, "active", SCORES.get((person, course)))
        for person, places in {**SEATS, 5: (10, 13)}.items()
        for course in places
    ],
    schema=GRADE,
    orient="row",
)
SILENT = pl.DataFrame([(1, 11), (2, 10), (9, 10)], schema=PAIR, orient="row")
NOTHING = pl.DataFrame([(1, 12), (3, 12), (4, 12), (2, 10), (1, 11), (1, 11)], schema=PAIR, orient="row")
REPORTS = {"grades": GRADES, "silent": SILENT, "no_submissions": NOTHING}
STUDENTS = [
    (1, "001", "Person 1", "p1@example.edu", 3, 2, 1, 1, 1, 2 / 3, "HIST 1: 55 %; MATH 2: not seen, no hand-ins", True),
    (2, "002", "Person 2", "p2@example.edu", 2, 1, 1, 1, 1, 0.5, "HIST 1: 69.9 %, not seen, no hand-ins", False),
]  # fmt: skip


def test_a_course_without_a_name_is_called_by_its_sis_id_or_canvas_id() -> None:
    names = {
        "short_name": ["", " ", None, "X"],
        "long_name": ["", "", None, "X"],
        "course_id": ["A1", " ", "", ""],
    }
    courses = TABLES["courses"].head(4).with_columns(pl.Series(name, cells) for name, cells in names.items())
    found = activity.alerts({**TABLES, "courses": courses}, grades=GRADES, below=101)
    ids = courses["canvas_course_id"].to_list()
    wanted = {ids[0]: "A1", ids[1]: str(ids[1]), ids[2]: str(ids[2]), ids[3]: "X"}
    shown = dict(found.per_course().select("course id", "course").unique().rows())
    assert shown == {course: wanted[course] for course in shown}
    assert not any(reason.startswith(":") for reason in found["reasons"])


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask", "duckdb"])
def test_the_worked_example(oracle: Any, kind: str) -> None:
    tables = {name: oracle.as_kind(frame.to_arrow(), kind) for name, frame in TABLES.items()}
    reports = {name: oracle.as_kind(frame.to_arrow(), kind) for name, frame in REPORTS.items()}
    found = activity.alerts(tables, **reports)
    assert isinstance(found, type(tables["users"]))
    names = [
        *("user id", "user sis id", "name", "email", "courses", "flagged"),
        *("low", "silent", "without hand-ins", "share", "reasons", "urgent"),
    ]
    # Frames that carry no provenance can't say whether the report has a start.
    oracle.check(found.frame, (names, STUDENTS))
    assert oracle.kind_of(found.quiet_courses) == oracle.kind_of(found.per_course()) == kind
    assert [row[:6] for row in oracle.rows(found.quiet_courses)[1]] == [
        (12, "B", "Biology", "without hand-ins", 3, 3)
    ]
    by_course = oracle.rows(found.per_course())
    assert by_course[0][4:] == [
        *(
            "course id",
            "course sis id",
            "course",
            "current score",
            "low",
            "silent",
            "without hand-ins",
            "reasons",
        )
    ]
    assert [(row[0], *row[4:5], *row[7:11]) for row in by_course[1]] == [
        (1, 10, 55.0, True, False, False),
        (1, 11, 90.0, False, True, True),
        (2, 10, 69.9, True, True, True),
    ]


def test_reports_that_were_not_given_are_missing() -> None:
    found = activity.alerts(TABLES, grades=GRADES, below=70.5, courses=1)
    assert found.select("user id", "flagged", "low", "silent", "without hand-ins", "urgent").rows() == [
        (2, 2, 2, None, None, True),
        (1, 1, 1, None, None, True),
    ]
    assert found.quiet_courses.height == 0
    every = activity.alerts(TABLES, no_submissions=NOTHING, quiet=1)
    assert (every.height, every.quiet_courses.height) == (4, 0)


def test_the_months_are_english_everywhere() -> None:
    found = []
    for month in range(1, 13):
        silent = pa.table({"a": [1]}).to_pandas()
        silent.attrs[ATTRS_KEY] = {"parameters": {"start_at": f"2026-{month:02}-03"}}
        found.append(alerts._silence(silent).removeprefix("not seen since 3 "))
    assert found == ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"start_at": "2026-02-16T00:00:00-07:00"}, "not seen since 16 Feb"),
        ({"start_at": "last week"}, "not seen"),
        ({}, "not seen"),
    ],
)
def test_silence_is_told_with_its_day_and_the_run(parameters: dict[str, str], words: str) -> None:
    tables = {name: frame.to_pandas() for name, frame in TABLES.items()}
    silent = SILENT.to_pandas()
    silent.attrs[ATTRS_KEY] = {"parameters": parameters, "started_at": "2026-03-02T09:00:00Z"}
    found = activity.alerts(tables, silent=silent)
    assert found["reasons"].tolist()[0] == f"HIST 1: {words}"
    assert "no activity (report of 2026-03-02)" in found.attrs["definition"]
    assert "score" not in crn.definition(found)
    assert "a current score under 70 or no activity or no hand-ins" in crn.definition(activity.alerts)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, ParameterError, "at least one report"),
        ({"silent": SILENT, "below": "C"}, ParameterError, "below='C'"),
        ({"silent": SILENT, "quiet": 50}, ParameterError, "quiet=50"),
        ({"silent": SILENT.drop("course id")}, UnknownColumnError, "in silent,.*'course id'"),
        ({"grades": GRADES.cast({"student id": pl.String})}, ParameterError, "can't be matched"),
        (
            {"grades": GRADES.cast({"current score": pl.String})},
            ParameterError,
            "needs numbers in 'current score'",
        ),
    ],
)
def test_wrong_calls_are_explained(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        activity.alerts(TABLES, **options)


def test_empty_reports_give_no_alerts() -> None:
    full = activity.alerts(TABLES, **REPORTS)
    empty = activity.alerts(
        {name: frame.clear() for name, frame in TABLES.items()},
        **{name: frame.clear() for name, frame in REPORTS.items()},
    )
    for one, other in ((empty.frame, full.frame), (empty.quiet_courses, full.quiet_courses)):
        assert (one.height, one.schema) == (0, other.schema)
    assert (empty.per_course().height, empty.per_course().schema) == (0, full.per_course().schema)


SQL = """
    WITH seats AS (
        SELECT DISTINCT canvas_user_id AS person, canvas_course_id AS course FROM enrollments
        WHERE role = 'student' AND status = 'active'
            AND canvas_course_id IN (SELECT canvas_course_id FROM courses WHERE status = 'active')
    ), sizes AS (SELECT course, count(*) AS students FROM seats GROUP BY course
    ), scores AS (
        SELECT DISTINCT ON ("student id", "course id") "student id" AS person, "course id" AS course, "current score" AS score
        FROM grades ORDER BY 1, 2, list_position(['active', 'concluded', 'inactive', 'deleted'], "enrollment state"),
            "section id"
    ), marked AS (
        SELECT s.*, students, coalesce(score < 70, false) AS low,
            EXISTS (SELECT 1 FROM silent r WHERE r."user id" = person AND r."course id" = s.course) AS silent,
            EXISTS (SELECT 1 FROM nothing r WHERE r."user id" = person AND r."course id" = s.course) AS without
        FROM seats s JOIN sizes USING (course) LEFT JOIN scores USING (person, course)
    ), shares AS (
        SELECT course, count(*) FILTER (silent) > 0.5 * any_value(students) AS quiet,
            count(*) FILTER (without) > 0.5 * any_value(students) AS elsewhere
        FROM marked GROUP BY course
    ), flagged AS (
        SELECT person, course, low, silent AND NOT quiet AS silent, without AND NOT elsewhere AS without
        FROM marked JOIN shares USING (course)
    )
    SELECT person, count(*) AS courses, count(*) FILTER (low OR silent OR without) AS flagged,
        count(*) FILTER (low) AS low, count(*) FILTER (silent) AS silent, count(*) FILTER (without) AS without,
        count(*) FILTER (low OR silent OR without) / count(*) AS share,
        count(*) FILTER (low OR silent OR without) >= 2 AS urgent
    FROM flagged GROUP BY person HAVING count(*) FILTER (low OR silent OR without) > 0
    ORDER BY flagged DESC, share DESC, person
"""


def compare(oracle: Any, tables: dict[str, pa.Table], kinds: tuple[str, ...]) -> int:
    _, wanted = oracle.sql(SQL, **tables)
    for kind in kinds:
        frames = {name: oracle.as_kind(table, kind) for name, table in tables.items()}
        found = activity.alerts(
            frames, grades=frames["grades"], silent=frames["silent"], no_submissions=frames["nothing"]
        )
        names, rows = oracle.rows(found.frame)
        shown = ("user id", "courses", "flagged", "low", "silent", "without hand-ins", "share", "urgent")
        assert [tuple(row[names.index(name)] for name in shown) for row in rows] == wanted, kind
    return len(wanted)


def test_the_demo_gives_what_sql_gives(oracle: Any, larger: Callable[..., dict[str, pa.Table]]) -> None:
    tables = larger("provisioning_csv", users=True, courses=True, enrollments=True)
    reports = {
        "grades": "grade_export_csv",
        "silent": "zero_activity_csv",
        "nothing": "students_with_no_submissions_csv",
    }
    tables |= {name: larger(report)[report] for name, report in reports.items()}
    based = pl.DataFrame(pl.from_arrow(tables["enrollments"])).with_columns(
        role=pl.col("base_role_type").cast(pl.String).str.strip_suffix("Enrollment").str.to_lowercase()
    )
    tables["enrollments"] = based.drop("base_role_type").to_arrow()
    assert compare(oracle, tables, oracle.kinds) > 10


PERSON, PLACE = st.integers(1, 4), st.integers(10, 13)
PAIRS = st.lists(st.tuples(PERSON, PLACE), max_size=8)


@settings(max_examples=25)
@given(
    seats=st.lists(
        st.tuples(PERSON, PLACE, st.sampled_from(["student", "student", "ta"]), st.sampled_from(["active", "active", "invited"])),
        max_size=14,
    ),
    scores=st.lists(
        st.tuples(PERSON, PLACE, st.integers(1, 9), st.sampled_from(["active", "deleted"]), st.sampled_from([None, 0.0, 69.9, 70.0])),
        max_size=10, unique_by=lambda row: row[:3],
    ),
    silent=PAIRS,
    nothing=PAIRS,
)  # fmt: skip
def test_any_reports_give_what_sql_gives(
    oracle: Any, seats: list[Any], scores: list[Any], silent: list[Any], nothing: list[Any]
) -> None:
    frames = {
        **TABLES,
        "enrollments": pl.DataFrame(seats, schema=TABLES["enrollments"].schema, orient="row"),
        "grades": pl.DataFrame(scores, schema=GRADE, orient="row"),
        "silent": pl.DataFrame(silent, schema=PAIR, orient="row"),
        "nothing": pl.DataFrame(nothing, schema=PAIR, orient="row"),
    }
    compare(oracle, {name: frame.to_arrow() for name, frame in frames.items()}, ("polars",))
