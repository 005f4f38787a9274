"""The analyses of activity give what plain SQL gives, on the demo and on generated reports."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

WORD = pa.dictionary(pa.int32(), pa.string())
MOMENT = pa.timestamp("us", tz="UTC")
PEOPLE = st.sampled_from([(7, "007"), (7, "x-007"), (8, None), (12_340_000_000_000_567, "1e5"), (None, None)])
ZONE = "America/Denver"


def table(schema: dict[str, pa.DataType], rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table(
        {name: pa.array(column, kind) for (name, kind), column in zip(schema.items(), columns, strict=True)}
        | {"pos": pa.array(range(len(rows)), pa.int64())}
    )


PERCENT = st.one_of(st.none(), st.integers(0, 100).map(float))
ACCESS = st.lists(
    st.tuples(PEOPLE, st.one_of(st.none(), st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 20)))),
    max_size=12,
).map(
    lambda rows: table(
        {"user id": pa.int64(), "user sis id": pa.string(), "last access at": MOMENT},
        [(*who, moment and moment.replace(tzinfo=UTC)) for who, moment in rows],
    )
)

WEEKS_SQL = f"""
    WITH people AS (
        SELECT CAST(date_trunc('week', max("last access at") AT TIME ZONE '{ZONE}') AS TIMESTAMP) AS week
        FROM access WHERE "user id" IS NOT NULL GROUP BY "user id"
    ), weeks AS (
        SELECT CAST(unnest(generate_series(min(week), max(week), INTERVAL 7 DAY)) AS TIMESTAMP) AS week FROM people
        UNION ALL SELECT NULL WHERE EXISTS (SELECT * FROM people WHERE week IS NULL)
    )
    SELECT w.week, count(p.row) AS people, count(p.row) / (SELECT count(*) FROM people) AS share
    FROM weeks w LEFT JOIN (SELECT week, 1 AS row FROM people) p ON p.week IS NOT DISTINCT FROM w.week
    GROUP BY w.week ORDER BY w.week NULLS LAST
"""
ASKED = ("access",)
QUESTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "weeks": (lambda frames: crn.activity.last_access_by_week(frames["access"], zone=ZONE), WEEKS_SQL),
}
TABLES = st.fixed_dictionaries(dict(zip(ASKED, (ACCESS,), strict=True)))


def compare(oracle: Any, tables: dict[str, pa.Table], kinds: tuple[str, ...]) -> None:
    with oracle.sql_of(**tables) as answer:
        for question, (analysis, query) in QUESTIONS.items():
            print(question)
            wanted = answer(query)
            for kind in kinds:
                found = analysis({name: oracle.as_kind(one, kind) for name, one in tables.items()})
                assert oracle.kind_of(found) == kind
                oracle.check(found, wanted)


@settings(max_examples=25)
@given(tables=TABLES)
def test_any_reports_give_what_sql_gives(oracle: Any, tables: dict[str, pa.Table]) -> None:
    compare(oracle, tables, ("polars",))


@settings(max_examples=4)
@given(tables=TABLES)
def test_every_kind_gives_the_same(oracle: Any, tables: dict[str, pa.Table]) -> None:
    compare(oracle, tables, oracle.kinds)


def test_the_demo_gives_what_sql_gives(oracle: Any, larger: Callable[..., dict[str, pa.Table]]) -> None:
    tables = {"access": larger("last_user_access_csv")["last_user_access_csv"]}
    assert all(map(len, tables.values()))
    compare(oracle, tables, oracle.kinds)


def test_lazy_reports_are_read_only_on_collect(oracle: Any) -> None:
    empty = {"access": table({"user id": pa.int64(), "last access at": MOMENT}, [])}
    for analysis, _ in QUESTIONS.values():
        answer = analysis({name: oracle.unread(one) for name, one in empty.items()})
        with pytest.raises(AssertionError, match="collected"):
            answer.collect()


COURSE = {
    "canvas_course_id": pl.Int64,
    **dict.fromkeys(("course_id", "short_name", "long_name", "status"), pl.String),
}
ENROLLMENT = {
    **dict.fromkeys(("canvas_user_id", "canvas_course_id"), pl.Int64),
    **dict.fromkeys(("role", "base_role_type", "status"), pl.String),
}
STORED = {"id": pl.Int64, "storage used in MB": pl.Float64}
BIG = 17_000_000_000_000_001
PLACE = st.sampled_from([1, 2, 3, BIG])

CLEAN_SQL = """
    WITH counts AS (
        SELECT canvas_course_id AS id,
            count(DISTINCT canvas_user_id) FILTER (base_role_type = 'StudentEnrollment') AS students,
            count(DISTINCT canvas_user_id) FILTER (base_role_type = 'TeacherEnrollment') AS teachers
        FROM enrollments WHERE status IN ('active', 'invited') GROUP BY ALL
    ), used AS (SELECT id, max("storage used in MB") AS mb FROM storage GROUP BY id
    ), marked AS (
        SELECT canvas_course_id AS "course id", course_id AS "sis id", short_name AS "short name", long_name AS name,
            coalesce(students, 0) AS students, coalesce(teachers, 0) AS teachers, [
                canvas_course_id IN (SELECT "course id" FROM unused), status = 'unpublished', coalesce(students, 0) = 0,
                coalesce(teachers, 0) = 0, canvas_course_id IN (SELECT id FROM public), coalesce(mb >= {heavy}, false)
            ] AS marks, mb AS "storage used in MB"
        FROM courses LEFT JOIN counts ON counts.id = canvas_course_id LEFT JOIN used ON used.id = canvas_course_id
        WHERE status NOT IN ('concluded', 'deleted')
    )
    SELECT * EXCLUDE (marks, "storage used in MB"), marks[1] AS unused, marks[2] AS unpublished,
        marks[3] AS "no students", marks[4] AS "no teachers", marks[5] AS public, marks[6] AS heavy, "storage used in MB",
        array_to_string(list_filter(list_transform(
            ['unused', 'unpublished', 'no students', 'no teachers', 'public', 'heavy'],
            lambda word, i: CASE WHEN marks[i] THEN word END), lambda word: word IS NOT NULL), '; ') AS reasons,
        list_count(list_filter(marks, lambda mark: mark)) AS "number of reasons"
    FROM marked WHERE list_contains(marks, true)
    ORDER BY "number of reasons" DESC, "storage used in MB" DESC NULLS LAST, "course id"
"""


def tidy(oracle: Any, tables: dict[str, pa.Table], heavy: float, kinds: tuple[str, ...]) -> None:
    wanted = oracle.sql(CLEAN_SQL.format(heavy=heavy), **tables)
    for kind in kinds:
        frames = {name: oracle.as_kind(one, kind) for name, one in tables.items()}
        reports = {name: frames[name] for name in ("unused", "public", "storage")}
        found = crn.activity.clean_up(frames, **reports, heavy=heavy)
        assert oracle.kind_of(found) == kind
        oracle.check(found, wanted)


@settings(max_examples=20)
@given(
    courses=st.lists(
        st.tuples(PLACE, st.just("01"), st.just("C"), st.just("Ü"), st.sampled_from(["active", "unpublished", "deleted"])),
        unique_by=lambda row: row[0],
    ),
    seats=st.lists(
        st.tuples(
            st.integers(1, 3), PLACE, st.just("x"), st.sampled_from(["StudentEnrollment", "TeacherEnrollment"]),
            st.sampled_from(["active", "invited", "deleted"]),
        ),
        max_size=8,
    ),
    unused=st.lists(PLACE),
    public=st.lists(PLACE),
    storage=st.lists(st.tuples(PLACE, PERCENT), max_size=5),
)  # fmt: skip
def test_any_courses_are_cleaned_up_as_in_sql(  # noqa: PLR0917 - hypothesis gives them by name
    oracle: Any,
    courses: list[Any],
    seats: list[Any],
    unused: list[int],
    public: list[int],
    storage: list[Any],
) -> None:
    frames = {
        "courses": pl.DataFrame(courses, schema=COURSE, orient="row"),
        "enrollments": pl.DataFrame(seats, schema=ENROLLMENT, orient="row"),
        "unused": pl.DataFrame({"course id": unused}, schema={"course id": pl.Int64}),
        "public": pl.DataFrame({"id": public}, schema={"id": pl.Int64}),
        "storage": pl.DataFrame(storage, schema=STORED, orient="row"),
    }
    tidy(oracle, {name: frame.to_arrow() for name, frame in frames.items()}, 50.0, ("polars", "lazy"))


def test_the_demo_is_cleaned_up(oracle: Any, larger: Callable[..., dict[str, pa.Table]]) -> None:
    tables = larger("provisioning_csv", courses=True, enrollments=True)
    reports = {
        "unused": "unused_courses_csv",
        "public": "public_courses_csv",
        "storage": "course_storage_csv",
    }
    tables |= {name: larger(report)[report] for name, report in reports.items()}
    assert all(map(len, tables.values()))
    tidy(oracle, tables, 600.0, oracle.kinds)


def test_reasons_of_reports_not_given_are_missing(oracle: Any) -> None:
    tables = {
        "courses": pl.DataFrame(
            [(3, "3", "C", "C", "unpublished"), (1, "1", "C", "C", "active")], schema=COURSE, orient="row"
        ),
        "enrollments": pl.DataFrame(schema=ENROLLMENT),
    }
    found = crn.activity.clean_up(
        {name: oracle.as_kind(frame.to_arrow(), "pandas") for name, frame in tables.items()}
    )
    assert found["reasons"].tolist() == ["unpublished; no students; no teachers", "no students; no teachers"]
    assert found["course id"].tolist() == [3, 1]
    assert found[["unused", "public", "heavy", "storage used in MB"]].isna().all(axis=None)
    assert [str(found[name].dtype) for name in ("unused", "storage used in MB")] == ["boolean", "Float64"]
    assert crn.definition(found).startswith("Open courses with a reason to clean them up")


TABLES_OF_COURSES = {"courses": pl.DataFrame(schema=COURSE), "enrollments": pl.DataFrame(schema=ENROLLMENT)}


def test_enrollment_activity_is_also_counted_by_week() -> None:
    moments = [datetime(2026, 3, 2, 6, tzinfo=UTC) + timedelta(days=days) for days in (0, 1, 15)]
    report = pl.DataFrame({"user id": [7, 8, 9], "user name": ["A", "B", "C"], "last activity at": moments})
    weeks = crn.activity.last_access_by_week(report)
    assert weeks["week"].to_list() == [datetime(2026, 3, day) for day in (2, 9, 16)]
    assert weeks["people"].to_list() == [2, 0, 1]
    # In Denver it is still Sunday.
    assert crn.activity.last_access_by_week(report, zone=ZONE)["week"].to_list()[0] == datetime(2026, 2, 23)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: crn.activity.clean_up({}), ParameterError, "needs the table 'courses'"),
        (lambda: crn.activity.clean_up(TABLES_OF_COURSES, heavy="1 GB"), ParameterError, "heavy='1 GB'"),
        (
            lambda: crn.activity.clean_up(TABLES_OF_COURSES, public=pl.DataFrame({"id": ["x"]})),
            ParameterError,
            "The ids 'course id'",
        ),
        (
            lambda: crn.activity.clean_up(TABLES_OF_COURSES, unused=pl.DataFrame({"id": [1]})),
            UnknownColumnError,
            "clean_up, in unused,.*'course id'",
        ),
        *(
            (
                lambda zone=zone: crn.activity.last_access_by_week(
                    pl.DataFrame({"user id": [7], "last access at": [datetime(2026, 3, 2, tzinfo=UTC)]}),
                    zone=zone,
                ),
                ParameterError,
                "Unknown time zone",
            )
            for zone in ("Mars/X", "", None, 7)
        ),
        (
            lambda: crn.activity.last_access_by_week(
                pl.DataFrame({"user id": [7], "last access at": ["soon"]})
            ),
            ParameterError,
            "String",
        ),
        (
            lambda: crn.activity.last_access_by_week(pl.DataFrame({"user id": [7]})),
            UnknownColumnError,
            "'last access at'",
        ),
    ],
)
def test_wrong_calls_are_explained(ask: Callable[[], Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        ask()


ENDS = {
    "courses": pl.DataFrame(
        {
            "canvas_course_id": [1, 2, 3, 4, 5, 6],
            "short_name": ["a", "b", "c", "d", "e", "f"],
            "canvas_term_id": [9, 9, 9, 8, 9, 9],
            "status": ["concluded", "active", "active", "concluded", "deleted", "active"],
            # The last is March 2, 2021, 18:00 in Denver.
            "end_date": [
                None,
                datetime(2026, 3, 3, tzinfo=UTC),
                None,
                None,
                None,
                datetime(2021, 3, 3, 1, tzinfo=UTC),
            ],
        }
    ),
    "terms": pl.DataFrame(
        {
            "canvas_term_id": [9, 8],
            "name": ["Fall 2023", "Default Term"],
            "end_date": [datetime(2023, 12, 20, 7, tzinfo=UTC), None],
        }
    ),
}


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask", "duckdb"])
def test_years_since_the_end(oracle: Any, kind: str) -> None:
    tables = {name: oracle.as_kind(frame.to_arrow(), kind) for name, frame in ENDS.items()}
    storage = pl.DataFrame({"id": [3], "storage used in MB": [40.0]})
    found = crn.activity.retention(tables, today="2026-03-02", keep=5, storage=storage, zone=ZONE)
    assert oracle.kind_of(found) == kind
    names, rows = oracle.rows(found)
    shown = [names.index(name) for name in ("course id", "ended", "years", "due", "storage used in MB")]
    assert [tuple(row[at] for at in shown) for row in rows] == [
        (6, date(2021, 3, 2), 5, True, None),
        (3, date(2023, 12, 20), 2, False, 40.0),
        (1, date(2023, 12, 20), 2, False, None),
        (4, None, None, False, None),
    ]
    eve = crn.activity.retention(ENDS, today="2026-03-01", zone=ZONE)
    assert eve["years"].to_list() == [4, 2, 2, None]
    assert "years on 2026-03-02 since they ended" in crn.definition(
        crn.activity.retention({name: frame.to_pandas() for name, frame in ENDS.items()}, today="2026-03-02")
    )


def test_retention_gives_what_sql_gives(oracle: Any, larger: Callable[..., dict[str, pa.Table]]) -> None:
    tables = larger("provisioning_csv", courses=True, terms=True, include_deleted=True)
    found = crn.activity.retention(tables, today="2026-03-02", keep=2)
    wanted = oracle.sql(
        """
        WITH ends AS (
            SELECT canvas_course_id AS "course id", name AS term, coalesce(c.end_date, t.end_date) AS moment
            FROM courses AS c LEFT JOIN terms AS t USING (canvas_term_id) WHERE c.status <> 'deleted'
        ), days AS (SELECT *, CAST(moment AT TIME ZONE 'UTC' AS DATE) AS ended FROM ends)
        SELECT "course id", term, ended, date_sub('year', ended, DATE '2026-03-02') AS years,
            coalesce(date_sub('year', ended, DATE '2026-03-02') >= 2, false) AS due
        FROM days WHERE ended IS NULL OR ended < DATE '2026-03-02'
        ORDER BY years DESC NULLS LAST, "course id"
        """,
        **tables,
    )
    oracle.check(found.select(wanted[0]), wanted)
    assert found.num_rows > 400


@pytest.mark.parametrize(
    ("options", "words"), [({"today": "soon"}, "today='soon'"), ({"keep": "5 y"}, "keep='5 y'")]
)
def test_wrong_options_of_retention_are_explained(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        crn.activity.retention(ENDS, **{"today": "2026-03-02", **options})
