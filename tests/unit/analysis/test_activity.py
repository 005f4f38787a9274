"""The analyses of activity give what plain SQL gives, on the demo and on generated reports."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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


COURSES = st.lists(st.sampled_from([1, 2, 3, 17_000_000_000_000_001]), unique=True)


def courses(ids: list[int], *, unused: bool = False, megabytes: list[float] | None = None) -> pa.Table:
    first, sis, name = ("course id", "course sis id", "long name") if unused else ("id", "sis id", "name")
    described = {first: pa.int64(), sis: pa.string(), "short name": pa.string(), name: pa.string()}
    rows = [(one, None if one == 2 else f"0{one}", f"C{one}", f"Course {one}") for one in ids]
    if megabytes is None:
        return table(described, rows)
    return table(
        {**described, "storage used in MB": pa.float64()},
        [(*row, mb) for row, mb in zip(rows, megabytes, strict=True)],
    )


CLEAN_SQL = """
    WITH listed AS (
        SELECT "course id" AS id, "course sis id" AS sis, "short name" AS code, "long name" AS name, 1 AS reason FROM unused
        UNION ALL SELECT id, "sis id", "short name", name, 2 FROM unpublished
        UNION ALL SELECT id, "sis id", "short name", name, 3 FROM public
        UNION ALL SELECT id, "sis id", "short name", name, 4 FROM storage WHERE "storage used in MB" >= {heavy}
    )
    SELECT id AS "course id", max(sis) AS "sis id", max(code) AS "short name", max(l.name) AS name,
        bool_or(reason = 1) AS unused, bool_or(reason = 2) AS unpublished, bool_or(reason = 3) AS public,
        bool_or(reason = 4) AS heavy,
        (SELECT "storage used in MB" FROM storage s WHERE s.id = l.id) AS "storage used in MB",
        string_agg(['unused', 'unpublished', 'public', 'heavy'][reason], ', ' ORDER BY reason) AS reasons,
        count(*) AS "number of reasons"
    FROM listed l GROUP BY l.id ORDER BY 11 DESC, 9 DESC NULLS LAST, 1
"""


def tidy(oracle: Any, tables: dict[str, pa.Table], heavy: float, kinds: tuple[str, ...]) -> None:
    wanted = oracle.sql(CLEAN_SQL.format(heavy=heavy), **tables)
    for kind in kinds:
        frames = {name: oracle.as_kind(one, kind) for name, one in tables.items()}
        found = crn.activity.clean_up(**frames, heavy=heavy)
        assert oracle.kind_of(found) == kind
        oracle.check(found, wanted)


@settings(max_examples=20)
@given(
    unused=COURSES,
    unpublished=COURSES,
    public=COURSES,
    stored=COURSES,
    megabytes=st.lists(PERCENT, min_size=4),
)
def test_any_lists_make_one_clean_up_list(  # noqa: PLR0917 - hypothesis gives them by name
    oracle: Any,
    unused: list[int],
    unpublished: list[int],
    public: list[int],
    stored: list[int],
    megabytes: list[float],
) -> None:
    tables = {
        "unused": courses(unused, unused=True),
        "unpublished": courses(unpublished),
        "public": courses(public),
        "storage": courses(stored, megabytes=megabytes[: len(stored)]),
    }
    tidy(oracle, tables, 50.0, ("polars", "lazy"))


def test_the_demo_is_cleaned_up(oracle: Any, larger: Callable[..., dict[str, pa.Table]]) -> None:
    names = {
        "unused": "unused",
        "unpublished": "unpublished",
        "public": "public",
        "course_storage": "storage",
    }
    reports = {"course_storage": "course_storage_csv"} | {
        name: f"{name}_courses_csv" for name in ("unused", "unpublished", "public")
    }
    tables = {names[name]: larger(report)[report] for name, report in reports.items()}
    assert all(map(len, tables.values()))
    tidy(oracle, tables, 600.0, oracle.kinds)


def test_reasons_of_reports_not_given_are_missing(oracle: Any) -> None:
    found = crn.activity.clean_up(public=oracle.as_kind(courses([3, 1]), "pandas"))
    assert found["reasons"].tolist() == ["public", "public"]
    assert found["course id"].tolist() == [1, 3]
    assert found[["unused", "unpublished", "heavy", "storage used in MB"]].isna().all(axis=None)
    assert [str(found[name].dtype) for name in ("unused", "storage used in MB")] == ["boolean", "Float64"]


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
        (crn.activity.clean_up, ParameterError, "unused_courses_csv"),
        (lambda: crn.activity.clean_up(public=pl.DataFrame(), heavy="1 GB"), ParameterError, "heavy='1 GB'"),
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
            lambda: crn.activity.clean_up(
                **{
                    name: pl.DataFrame({"id": ids, "sis id": ["7"], "short name": ["C"], "name": ["C"]})
                    for name, ids in (("unpublished", [None]), ("public", [1]))
                },
                storage=pl.DataFrame(
                    {
                        "id": ["x"],
                        "sis id": ["7"],
                        "short name": ["C"],
                        "name": ["C"],
                        "storage used in MB": [1.0],
                    }
                ),
            ),
            ParameterError,
            "'course id'",
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
