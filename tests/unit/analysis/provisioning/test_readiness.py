"""Courses about to start: the worked example, plain SQL, and wrong options."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas_reports_nb.analysis import provisioning
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

TIME = pl.Datetime("us", "UTC")


def at(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, 6, tzinfo=UTC)


COURSE = {
    "canvas_course_id": pl.Int64,
    "course_id": pl.String,
    "long_name": pl.String,
    "canvas_account_id": pl.Int64,
    "canvas_term_id": pl.Int64,
    "status": pl.String,
    "start_date": TIME,
}
ENROLLMENT = {
    "canvas_user_id": pl.Int64,
    "canvas_course_id": pl.Int64,
    "canvas_section_id": pl.Int64,
    "role": pl.String,
    "status": pl.String,
}
USER = {
    "canvas_user_id": pl.Int64,
    **dict.fromkeys(("user_id", "login_id", "full_name", "sortable_name", "email", "status"), pl.String),
}
ACCOUNT = {"canvas_account_id": pl.Int64, "canvas_parent_id": pl.Int64, "name": pl.String}
TABLES = {
    "courses": pl.DataFrame(
        [
            (10, "C10", "Ten", 12, 1, "unpublished", None),
            (11, "C11", "Eleven", 12, 1, "active", None),
            (12, "C12", "Twelve", 1, 2, "active", at(8, 24)),
            (13, "C13", "Thirteen", 1, 1, "unpublished", None),
            (14, "C14", "Fourteen", 1, 1, "unpublished", at(1, 11, 2027)),
            (15, "C15", "Fifteen", 1, 1, "concluded", None),
        ],
        schema=COURSE,
        orient="row",
    ),
    "terms": pl.DataFrame(
        {"canvas_term_id": [1, 2], "start_date": [at(8, 24), at(1, 1)]}, schema_overrides={"start_date": TIME}
    ),
    "enrollments": pl.DataFrame(
        [
            *(
                (1, 10, 100, "student", "active"),
                (2, 10, 100, "student", "invited"),
                (2, 10, 101, "student", "active"),
            ),
            *(
                (8, 10, 100, "teacher", "active"),
                (1, 11, 110, "student", "active"),
                (9, 11, 110, "teacher", "active"),
            ),
            *(
                (1, 12, 120, "student", "active"),
                (3, 12, 120, "student", "deleted"),
                (8, 12, 120, "teacher", "deleted"),
            ),
            *(
                (8, 13, 130, "teacher", "active"),
                (1, 14, 140, "student", "active"),
                (1, 15, 150, "student", "active"),
            ),
        ],
        schema=ENROLLMENT,
        orient="row",
    ),
    "users": pl.DataFrame(
        [(8, "8", "ng", "Ann Ng", "Ng, Ann", "ng@example.edu", "active")], schema=USER, orient="row"
    ),
    "accounts": pl.DataFrame([(11, 1, "Health"), (12, 11, "Nursing")], schema=ACCOUNT, orient="row"),
}
ACCESS = pl.DataFrame(
    {"user id": [8, 8, 9], "last access at": [at(8, 18), None, at(5, 1)]},
    schema_overrides={"last access at": TIME},
)
UNUSED = pl.DataFrame({"course id": [11, 14]})


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask", "duckdb"])
def test_the_worked_example(oracle: Any, kind: str) -> None:
    tables = {name: oracle.as_kind(frame.to_arrow(), kind) for name, frame in TABLES.items()}
    access, unused = (oracle.as_kind(frame.to_arrow(), kind) for frame in (ACCESS, UNUSED))
    found = provisioning.readiness(
        tables, today="2026-08-20", access=access, unused=unused, seen_since="2026-08-01"
    )
    assert oracle.kind_of(found) == kind
    names, rows = oracle.rows(found)
    assert names == [
        *("canvas_course_id", "course_id", "canvas_term_id", "long_name"),
        *("canvas_account_id", "account_path", "college", "department", "students", "teachers"),
        *("unpublished", "teacherless", "empty", "teachers_away", "starts", "starts_in", "reasons"),
        *("names", "emails"),
    ]
    shown = ("course_id", "college", "students", "teachers", "starts_in", "reasons", "emails")
    assert [tuple(row[names.index(name)] for name in shown) for row in rows] == [
        ("C10", "Health", 2, 1, 4, "unpublished", "ng@example.edu"),
        ("C11", "Health", 1, 1, 4, "empty; teachers_away", None),
        ("C12", None, 1, 0, 4, "teacherless", None),
    ]


def test_what_was_not_given_is_missing_and_a_course_without_a_date_is_kept() -> None:
    undated = TABLES["terms"].with_columns(start_date=pl.lit(None))
    found = provisioning.readiness({**TABLES, "terms": undated}, today=date(2026, 8, 20))
    assert found.select("course_id", "starts", "starts_in").rows() == [
        ("C10", None, None),
        ("C12", date(2026, 8, 24), 4),
    ]
    assert found["empty"].null_count() == found["teachers_away"].null_count() == found.height
    assert provisioning.readiness(TABLES, today=date(2026, 8, 20), within=3).height == 0
    never = provisioning.readiness(TABLES, today=at(8, 20), access=ACCESS.filter(pl.col("user id") == 9))
    assert never.select("course_id", "teachers_away").rows() == [("C10", True), ("C12", False)]


def test_days_are_those_of_the_zone() -> None:
    found = provisioning.readiness(TABLES, today="2026-08-20", zone="Pacific/Pago_Pago")
    assert found["starts"].to_list() == [date(2026, 8, 23)] * 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"today": "soon"}, "today='soon'"),
        ({"today": "2026-08-20", "seen_since": 5}, "seen_since=5"),
        ({"today": "2026-08-20", "within": "2w"}, "within='2w'"),
        ({"today": "2026-08-20", "zone": "Denver"}, "time zone 'Denver'"),
    ],
)
def test_wrong_options_are_explained(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        provisioning.readiness(TABLES, **options)
    with pytest.raises(UnknownColumnError, match=r"in access,.*'last access at'"):
        provisioning.readiness(TABLES, today="2026-08-20", access=ACCESS.drop("last access at"))


def test_empty_tables_give_an_empty_table() -> None:
    found = provisioning.readiness(
        {name: frame.clear() for name, frame in TABLES.items()},
        today="2026-08-20", access=ACCESS.clear(), unused=UNUSED.clear(),
    )  # fmt: skip
    assert found.height == 0
    assert (
        found.schema
        == provisioning.readiness(TABLES, today="2026-08-20", access=ACCESS, unused=UNUSED).schema
    )


SQL = """
    WITH counts AS (
        SELECT canvas_course_id, count(DISTINCT canvas_user_id) FILTER (WHERE kind = 'student') AS students,
            count(DISTINCT canvas_user_id) FILTER (WHERE kind = 'teacher') AS teachers,
            max(seen) FILTER (WHERE kind = 'teacher') AS seen
        FROM (SELECT *, CAST(role AS VARCHAR) AS kind FROM enrollments WHERE status IN ('active', 'invited'))
        LEFT JOIN (SELECT "user id" AS canvas_user_id, max("last access at") AS seen FROM access GROUP BY ALL)
            USING (canvas_user_id)
        GROUP BY canvas_course_id
    ), starting AS (
        SELECT canvas_course_id, students, teachers, c.status = 'unpublished' AS unpublished, teachers = 0 AS teacherless,
            canvas_course_id IN (SELECT "course id" FROM unused) AS empty,
            teachers > 0 AND coalesce(CAST(seen AS DATE) < DATE '2026-02-20', true) AS teachers_away,
            CAST(coalesce(c.start_date, t.start_date) AS DATE) AS starts
        FROM courses c LEFT JOIN terms t USING (canvas_term_id) JOIN counts USING (canvas_course_id)
        WHERE c.status NOT IN ('concluded', 'deleted') AND students > 0
    )
    SELECT * , starts - DATE '2026-03-02' AS starts_in FROM starting
    WHERE coalesce(abs(starts - DATE '2026-03-02') <= 60, true)
        AND (unpublished OR teacherless OR empty OR teachers_away)
    ORDER BY unpublished DESC, students DESC, canvas_course_id
"""


def compare(oracle: Any, tables: dict[str, pa.Table], kinds: tuple[str, ...]) -> int:
    wanted = oracle.sql("SET TimeZone = 'UTC'; " + SQL, **tables)
    for kind in kinds:
        frames = {name: oracle.as_kind(table, kind) for name, table in tables.items()}
        found = provisioning.readiness(
            frames, today="2026-03-02", access=frames["access"], unused=frames["unused"], seen_since="2026-02-20",
            within=60,
        )  # fmt: skip
        names, rows = oracle.rows(found)
        cells = [tuple(row[names.index(name)] for name in wanted[0]) for row in rows]
        assert cells == wanted[1], kind
    return len(wanted[1])


def test_the_demo_gives_what_sql_gives(oracle: Any, larger: Callable[..., dict[str, pa.Table]]) -> None:
    names = ("courses", "terms", "enrollments", "users", "accounts")
    tables = larger("provisioning_csv", **dict.fromkeys(names, True))
    for name, report in (("access", "last_user_access_csv"), ("unused", "unused_courses_csv")):
        tables[name] = larger(report)[report]
    based = pl.DataFrame(pl.from_arrow(tables["enrollments"])).with_columns(
        role=pl.col("base_role_type").cast(pl.String).str.strip_suffix("Enrollment").str.to_lowercase()
    )
    tables["enrollments"] = based.drop("base_role_type").to_arrow()
    assert compare(oracle, tables, oracle.kinds) > 10


WHEN = st.none() | st.datetimes(datetime(2025, 11, 1), datetime(2026, 7, 1)).map(
    lambda day: day.replace(tzinfo=UTC)
)
PERSON, PLACE = st.integers(1, 4), st.integers(1, 4)
STATUS = st.sampled_from(["unpublished", "active", "active", "concluded", "deleted"])
STATE = st.sampled_from(["active", "invited", "inactive", "deleted"])


@settings(max_examples=25)
@given(
    courses=st.lists(
        st.tuples(PLACE, st.just("C"), st.just("Course"), PLACE, st.integers(1, 2), STATUS, WHEN),
        unique_by=lambda row: row[0],
    ),
    terms=st.lists(st.tuples(st.integers(1, 2), WHEN), unique_by=lambda row: row[0]),
    seats=st.lists(
        st.tuples(PERSON, PLACE, PLACE, st.sampled_from(["student", "teacher", "ta"]), STATE), max_size=12
    ),
    seen=st.lists(st.tuples(PERSON, WHEN), max_size=5),
    unused=st.lists(PLACE),
)
def test_any_tables_give_what_sql_gives(  # noqa: PLR0917 - hypothesis gives them by name
    oracle: Any, courses: list[Any], terms: list[Any], seats: list[Any], seen: list[Any], unused: list[Any]
) -> None:
    tables = {
        **TABLES,
        "courses": pl.DataFrame(courses, schema=COURSE, orient="row"),
        "terms": pl.DataFrame(terms, schema={"canvas_term_id": pl.Int64, "start_date": TIME}, orient="row"),
        "enrollments": pl.DataFrame(seats, schema=ENROLLMENT, orient="row"),
        "access": pl.DataFrame(seen, schema={"user id": pl.Int64, "last access at": TIME}, orient="row"),
        "unused": pl.DataFrame({"course id": unused}, schema={"course id": pl.Int64}),
    }
    compare(oracle, {name: frame.to_arrow() for name, frame in tables.items()}, ("polars",))
