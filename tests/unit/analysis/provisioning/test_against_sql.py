"""Every analysis gives what plain SQL gives, on the demo and on tables with everything wrong with them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import canvas_reports_nb as crn
from canvas_reports_nb.analysis import provisioning

Tables = Mapping[str, pl.DataFrame]

# `references` is compared pointer by pointer below, the other two in test files of their own.
WITH_SQL = {
    name: getattr(provisioning, name)
    for name in sorted({*provisioning.__all__} - {"duplicate_people", "readiness", "references"})
}
WITH_SQL["census_by_role"] = partial(provisioning.census, by=("term", "role", "status"), states=None)
KINDS = ("pandas", "polars", "lazy", "arrow", "dask", "duckdb")

POINTERS = (Path(__file__).parent / "sql" / "pointers.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def demo() -> Tables:
    switches = dict.fromkeys(
        (
            *("users", "accounts", "terms", "courses", "sections", "enrollments", "groups"),
            *("group_membership", "group_categories", "xlist", "user_observers", "admins", "include_deleted"),
        ),
        True,
    )
    with crn.demo(enrollments=20_000, duration=0) as canvas:
        return canvas.read_tables("provisioning_csv", **switches, engine="polars", progress=False)


@pytest.fixture(scope="module")
def demo_database(demo: Tables, database: Callable[..., Any]) -> Iterator[Any]:
    with database(demo) as loaded:
        yield loaded


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WITH_SQL)
def test_on_the_demo(name: str, kind: str, demo: Tables, demo_database: Any, asked: Any) -> None:
    right = demo_database.answer(name)
    assert right.height > 0
    assert_frame_equal(asked(WITH_SQL[name], demo, kind), right)


@pytest.mark.parametrize("kind", KINDS)
def test_references_of_the_demo(kind: str, demo: Tables, demo_database: Any, asked: Any) -> None:
    found = asked(provisioning.references, demo, kind)
    assert set(found.rows()) == set(counted(demo, demo_database))
    assert found["nowhere"].sum() > 0


def test_the_demo_has_the_cases_the_analyses_are_for(demo: Tables) -> None:
    people, roster = provisioning.people(demo), provisioning.roster(demo)
    assert demo["users"].height > people.height == demo["users"]["canvas_user_id"].n_unique()
    naive = demo["enrollments"].join(demo["users"], on="canvas_user_id", how="left")
    assert naive.height > roster.height == demo["enrollments"].height
    tree = provisioning.account_tree(demo)
    top = tree.row(0, named=True)
    assert (top["courses"], top["enrollments"]) == (demo["courses"].height, demo["enrollments"].height)
    assert top["people"] == demo["enrollments"]["canvas_user_id"].n_unique()


def has(tables: Tables, table: str, column: str) -> bool:
    return table in tables and column in tables[table].columns


def counted(tables: Tables, database: Any, root: int = 0) -> Iterator[tuple[Any, ...]]:
    for line in POINTERS:
        (table, column), (other, key) = (end.split(".") for end in line.split())
        if not (has(tables, table, column) and has(tables, other, key)):
            continue
        lost = f'"{column}" IS NOT NULL AND "{column}" NOT IN (SELECT "{key}" FROM {other} WHERE "{key}" IS NOT NULL)'
        if key == "canvas_account_id":
            lost += f' AND "{column}" <> {root}'
        (counts,) = database.rows(
            f'SELECT count(*), count(*) FILTER ("{column}" IS NULL), count(*) FILTER ({lost}),'
            f' count(DISTINCT "{column}") FILTER ({lost}), min("{column}"::VARCHAR) FILTER ({lost}) FROM {table}'
        )
        yield table, column, other, key, *counts


# What follows makes tables out of small pools, so that everything repeats, clashes or is missing.
SIS = st.sampled_from([None, "481", "0481", "00481", "ab", "AB", "0Ab", "0", "000", "NA", "1e5", "Ä", "ä"])
NAME = st.sampled_from([None, "", "Ng", "O'Neil, Null", "é", "Zoë", "null"])
FLAG = st.booleans()
PERSON = st.sampled_from([1, 2, 3, 12340000000000567])
COURSE, SECTION, TERM, ACCOUNT, GROUP = (st.integers(1, most) for most in (4, 5, 3, 5, 2))
TIME = st.none() | st.just(datetime(2025, 8, 25, 6, tzinfo=UTC))
DEAD_OR_ALIVE = st.sampled_from(["active", "deleted"])


def blank(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "users": {
        "canvas_user_id": blank(PERSON),
        "user_id": SIS,
        "authentication_provider_id": blank(st.just(107)),
        "login_id": st.sampled_from(["ng", "000481", "NA"]),
        "full_name": NAME,
        "sortable_name": NAME,
        "email": NAME,
        "status": st.sampled_from(["active", "suspended", "deleted"]),
        "created_by_sis": FLAG,
    },
    "accounts": {
        "canvas_account_id": ACCOUNT,
        "account_id": SIS,
        "canvas_parent_id": blank(ACCOUNT),
        "name": NAME,
        "status": DEAD_OR_ALIVE,
        "created_by_sis": FLAG,
    },
    "terms": {
        "canvas_term_id": TERM,
        "term_id": SIS,
        "name": NAME,
        "status": DEAD_OR_ALIVE,
        "start_date": TIME,
        "end_date": TIME,
        "created_by_sis": FLAG,
    },
    "courses": {
        "canvas_course_id": COURSE,
        "course_id": SIS,
        "short_name": NAME,
        "long_name": NAME,
        "canvas_account_id": ACCOUNT,
        "account_id": SIS,
        "canvas_term_id": TERM,
        "term_id": SIS,
        "status": st.sampled_from(["unpublished", "active", "concluded", "deleted"]),
        "created_by_sis": FLAG,
    },
    "sections": {
        "canvas_section_id": SECTION,
        "section_id": SIS,
        "canvas_course_id": COURSE,
        "name": NAME,
        "status": DEAD_OR_ALIVE,
        "created_by_sis": FLAG,
    },
    "enrollments": {
        "canvas_course_id": COURSE,
        "course_id": SIS,
        "canvas_user_id": PERSON,
        "user_id": SIS,
        "role": st.sampled_from(["student", "teacher", "Pathology grader"]),
        "canvas_section_id": SECTION,
        "status": st.sampled_from(["active", "invited", "concluded", "inactive", "deleted", "rejected"]),
        "canvas_associated_user_id": blank(PERSON),
        "created_by_sis": FLAG,
        "base_role_type": st.sampled_from(["StudentEnrollment", "TeacherEnrollment", "TaEnrollment"]),
        "canvas_enrollment_id": st.integers(1, 40),
    },
    "groups": {
        "canvas_group_id": GROUP,
        "group_id": SIS,
        "canvas_course_id": blank(COURSE),
        "name": NAME,
        "status": st.sampled_from(["available", "deleted"]),
        "created_by_sis": FLAG,
    },
    "xlist": {
        "canvas_xlist_course_id": COURSE,
        "canvas_section_id": SECTION,
        "section_id": SIS,
        "status": DEAD_OR_ALIVE,
        "canvas_nonxlist_course_id": COURSE,
    },
}
LONGEST = {"users": 12, "enrollments": 30}
TYPES = {"created_by_sis": pl.Boolean, "start_date": pl.Datetime("us", "UTC")}
TYPES |= {"end_date": TYPES["start_date"], "authentication_provider_id": pl.Int64}
ENUMERATIONS = {"status", "role", "base_role_type"}


def dtype(column: str) -> Any:
    if column in ENUMERATIONS:
        return pl.Categorical
    return TYPES.get(column, pl.Int64 if column.startswith("canvas_") else pl.String)


@st.composite
def runs(draw: st.DrawFn) -> Tables:
    """The tables of a run; rows may repeat, or share their key with another row."""
    tables = {}
    for name, columns in COLUMNS.items():
        rows = draw(st.lists(st.tuples(*columns.values()), max_size=LONGEST.get(name, 6)))
        again = draw(st.lists(st.sampled_from(rows), max_size=2)) if rows else []
        schema = {column: dtype(column) for column in columns}
        tables[name] = pl.DataFrame(rows + again, schema=schema, orient="row")
    return tables


@given(tables=runs(), kind=st.sampled_from(KINDS))
@settings(max_examples=15)
def test_on_any_tables(database: Any, asked: Any, tables: Tables, kind: str) -> None:
    with database(tables) as loaded:
        compare(tables, loaded, kind, asked)


def compare(tables: Tables, loaded: Any, kind: str, asked: Any) -> None:
    for name, analysis in WITH_SQL.items():
        assert_frame_equal(asked(analysis, tables, kind), loaded.answer(name))
    found = asked(lambda frames: provisioning.references(frames, root=1), tables, kind)
    assert set(found.rows()) == set(counted(tables, loaded, root=1))
