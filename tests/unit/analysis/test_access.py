"""Access tokens and administrators: the worked example, plain SQL, and wrong options."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas_reports_nb import access
from canvas_reports_nb.analysis import access as access_module
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

NOW = datetime(2026, 3, 2, tzinfo=UTC)
HAND = "User-Generated"
TIME = pl.Datetime("us", "UTC")
TOKEN = {
    "user id": pl.Int64,
    "user name": pl.String,
    "id": pl.Int64,
    "purpose": pl.String,
    "token hint": pl.String,
    "creation": TIME,
    "expiration": TIME,
    "last used": TIME,
    "status": pl.String,
    "dev key id": pl.Int64,
    "dev key name": pl.String,
}


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 7, 30, tzinfo=UTC)


def token(number: int, user: int, *times: datetime | None, key: str = HAND, status: str = "active") -> Any:
    return user, f"P{user}", number, f"t{number}", "abcde", *times, status, 1, key


TOKENS = pl.DataFrame(
    [
        token(1, 70, at(2024, 1, 10), None, at(2024, 2, 1)),
        token(2, 70, at(2026, 1, 10), at(2026, 4, 10), at(2026, 3, 1)),
        token(2, 70, at(2026, 1, 10), at(2026, 4, 10), at(2026, 3, 1)),
        token(3, 71, at(2025, 1, 10), None, None),
        token(4, 72, at(2025, 1, 10), None, at(2026, 3, 1), key="Some app"),
        token(5, 73, at(2025, 1, 1), at(2025, 6, 1), at(2025, 5, 30)),
        token(6, 73, at(2025, 1, 1), None, None, status="deleted"),
    ],
    schema=TOKEN,
    orient="row",
)
ADMINS = pl.DataFrame({"canvas_user_id": [70, 71], "status": ["active", "deleted"]})
USERS = pl.DataFrame(
    {"canvas_user_id": [70, 71, 71, 73], "status": ["active", "deleted", "active", "deleted"]}
)
WANTED = [
    (1, 782, 760, None, True, True, "idle; no expiry; old; admin"),
    (5, 425, 276, -274, False, False, "expired; idle; old; no active login"),
    (3, 416, None, None, False, True, "never used; no expiry; old"),
    (2, 51, 1, 39, True, True, "admin"),
]
SHOWN = ("id", "age_days", "idle_days", "expires_in_days", "is_admin", "has_active_login", "findings")


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask", "duckdb"])
def test_the_worked_example(oracle: Any, kind: str) -> None:
    of_kind = [oracle.as_kind(frame.to_arrow(), kind) for frame in (TOKENS, ADMINS, USERS)]
    found = access.tokens(of_kind[0], now="2026-03-02", admins=of_kind[1], users=of_kind[2])
    assert oracle.kind_of(found) == kind
    names, rows = oracle.rows(found)
    assert names == [
        *("user id", "id", "name", "purpose", "kind", "created", "expires", "last_used"),
        *("age_days", "idle_days", "expires_in_days", "is_admin", "has_active_login", "findings"),
    ]
    assert [tuple(row[names.index(name)] for name in SHOWN) for row in rows] == WANTED


def test_the_words_of_a_file_read_as_text_are_understood() -> None:
    text = TOKENS.with_columns(
        pl.col("creation", "expiration", "last used").dt.strftime("%Y-%m-%dT%H:%M:%S%:z").fill_null("never")
    )
    for now in (NOW, date(2026, 3, 2), "2026-03-01T20:00:00-07:00"):
        assert access.tokens(text, now=now, admins=ADMINS, users=USERS).select(SHOWN).rows() == WANTED
    unknown = access.tokens(text.with_columns(creation=pl.lit("never")), now=NOW)
    assert unknown["age_days"].null_count() == unknown["is_admin"].null_count() == 4
    assert unknown["findings"].to_list() == [
        "idle; no expiry",
        "expired; idle",
        "never used; no expiry",
        None,
    ]


def test_kinds_are_developer_keys_and_a_blank_one_is_made_by_hand() -> None:
    every = access.tokens(TOKENS, now=NOW, kinds=None)
    assert sorted(every["id"]) == [1, 2, 3, 4, 5]
    assert access.tokens(TOKENS, now=NOW, kinds="Some app")["id"].to_list() == [4]
    blank = TOKENS.with_columns(
        pl.lit(None, pl.Int64).alias("dev key id"), pl.lit(None).alias("dev key name")
    )
    assert set(access.tokens(blank, now=NOW)["kind"]) == {HAND}


def test_an_older_file_tells_tokens_apart_by_user_hint_and_key() -> None:
    older = TOKENS.drop("id", "user name", "purpose", "creation", "status").with_columns(
        pl.Series("token hint", ["a", "b", "b", "c", "d", "e", "f"])
    )
    found = access.tokens(older, now=NOW)
    assert found["id"].null_count() == found["age_days"].null_count() == found.height == 5
    assert "token hint" not in found.columns
    with pytest.raises(UnknownColumnError, match="tokens needs the column 'token hint'"):
        access.tokens(older.drop("token hint"), now=NOW)


@pytest.mark.parametrize(
    ("options", "words"), [({"now": "March"}, "now='March'"), ({"now": NOW, "idle": "long"}, "idle='long'")]
)
def test_wrong_options_are_explained(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        access.tokens(TOKENS, **options)


TOKENS_SQL = f"""
    WITH once AS (
        SELECT DISTINCT ON (id) *, coalesce("dev key name", CASE WHEN "dev key id" IS NULL THEN '{HAND}' END) AS kind
        FROM report WHERE status IN ('active', 'pending') ORDER BY id, "user name", purpose
    ), judged AS (
        SELECT "user id", id, "user name" AS name, CASE WHEN trim(purpose) <> '' THEN purpose END AS purpose, kind,
            creation AS created, expiration AS expires, "last used" AS last_used,
            date_diff('day', creation, $now) AS age_days, date_diff('day', "last used", $now) AS idle_days,
            date_diff('day', $now, expiration) AS expires_in_days,
            "user id" IN (SELECT canvas_user_id FROM admins WHERE status = 'active') AS is_admin,
            "user id" IN (SELECT canvas_user_id FROM users WHERE status = 'active') AS has_active_login
        FROM once WHERE kind = '{HAND}'
    ), found AS (
        SELECT *, [
            CASE WHEN expires <= $now THEN 'expired' END, CASE WHEN last_used IS NULL THEN 'never used' END,
            CASE WHEN idle_days >= 180 THEN 'idle' END, CASE WHEN expires IS NULL THEN 'no expiry' END,
            CASE WHEN age_days >= 365 THEN 'old' END,
            CASE WHEN expires > $now AND expires_in_days <= 30 THEN 'expiring' END,
            CASE WHEN purpose IS NULL THEN 'no purpose' END, CASE WHEN is_admin THEN 'admin' END,
            CASE WHEN NOT has_active_login THEN 'no active login' END] AS all_findings FROM judged
    )
    SELECT * EXCLUDE all_findings, nullif(array_to_string(list_filter(all_findings, lambda x: x IS NOT NULL), '; '), '')
        AS findings
    FROM found ORDER BY list_count(all_findings) DESC, is_admin DESC, idle_days DESC NULLS LAST,
        age_days DESC NULLS LAST, "user id", id
"""


def compare_tokens(oracle: Any, tables: dict[str, pa.Table], kinds: tuple[str, ...]) -> None:
    moment = f"TIMESTAMPTZ '{NOW.isoformat()}'"
    wanted = oracle.sql("SET TimeZone = 'UTC'; " + TOKENS_SQL.replace("$now", moment), **tables)
    for kind in kinds:
        report, admins, users = (oracle.as_kind(tables[name], kind) for name in ("report", "admins", "users"))
        oracle.check(access.tokens(report, now=NOW, admins=admins, users=users), wanted)


MOMENT = st.none() | st.datetimes(datetime(2024, 6, 1), datetime(2026, 5, 1)).map(
    lambda found: found.replace(tzinfo=UTC)
)
PERSON = st.sampled_from([7, 8, 9, 12_340_000_000_000_567])
STATE = st.sampled_from(["active", "pending", "deleted"])
ROW = st.tuples(
    *(PERSON, st.just("Ü, N."), st.integers(1, 6), st.sampled_from([None, "", " ", "sync"]), st.just("abc")),
    *(MOMENT, MOMENT, MOMENT, STATE, st.just(1), st.sampled_from([HAND, "An app", None])),
)
FLAGGED = st.lists(st.tuples(PERSON, STATE), max_size=4)


@settings(max_examples=20)
@given(
    rows=st.lists(ROW, max_size=8), admins=FLAGGED, users=FLAGGED, kind=st.sampled_from(["polars", "pandas"])
)
def test_any_tokens_give_what_sql_gives(
    oracle: Any, rows: list[Any], admins: list[Any], users: list[Any], kind: str
) -> None:
    flags = {"canvas_user_id": pl.Int64, "status": pl.String}
    once = {row[2]: row for row in rows}.values()  # a token has one owner
    tables = {
        "report": pl.DataFrame([*once, *list(once)[:2]], schema=TOKEN, orient="row"),
        "admins": pl.DataFrame(admins, schema=flags, orient="row"),
        "users": pl.DataFrame(users, schema=flags, orient="row"),
    }
    compare_tokens(oracle, {name: frame.to_arrow() for name, frame in tables.items()}, (kind,))


@pytest.fixture(scope="module")
def demo(larger: Callable[..., dict[str, pa.Table]]) -> dict[str, pa.Table]:
    tables = larger("provisioning_csv", admins=True, users=True, accounts=True, courses=True)
    for name, report in (("report", "user_access_tokens_csv"), ("access", "last_user_access_csv")):
        tables[name] = larger(report)[report]
    return tables


def test_the_tokens_of_the_demo(oracle: Any, demo: dict[str, pa.Table]) -> None:
    compare_tokens(oracle, demo, oracle.kinds)


ADMINS_SQL = """
    WITH RECURSIVE below AS (
        SELECT canvas_account_id AS up, canvas_account_id AS id FROM (
            SELECT canvas_account_id FROM accounts UNION SELECT canvas_parent_id FROM accounts)
        UNION SELECT up, a.canvas_account_id FROM below JOIN accounts a ON a.canvas_parent_id = below.id
    ), paths AS (
        SELECT canvas_account_id AS id, canvas_parent_id AS up, name AS path FROM accounts
        UNION ALL SELECT id, a.canvas_parent_id, a.name || ' / ' || path FROM paths JOIN accounts a ON a.canvas_account_id = up
    ), logins AS (
        SELECT canvas_user_id, NOT bool_or(coalesce(lower(login_id) LIKE '%@example.edu', false)
            OR coalesce(lower(email) LIKE '%@example.edu', false)) AS external, bool_and(status <> 'active') AS gone
        FROM users GROUP BY canvas_user_id
    ), person AS (
        SELECT DISTINCT ON (canvas_user_id) canvas_user_id, user_id, full_name AS name, email FROM users
        ORDER BY canvas_user_id, status <> 'active', status <> 'suspended', user_id NULLS LAST, login_id
    )
    SELECT r.canvas_user_id, p.user_id, p.name, p.email, r.canvas_account_id, paths.path AS account_path, r.role,
        (SELECT count(*) FROM courses c JOIN below b ON b.id = c.canvas_account_id WHERE b.up = r.canvas_account_id)
            AS courses_below,
        seen.last_access,
        coalesce(l.external, true) AS external, paths.id IS NULL AS at_root, coalesce(l.gone, true) AS no_active_login,
        seen.last_access IS NULL AS never_seen
    FROM (SELECT DISTINCT canvas_user_id, canvas_account_id, role FROM admins WHERE status = 'active') r
        LEFT JOIN person p USING (canvas_user_id) LEFT JOIN logins l USING (canvas_user_id)
        LEFT JOIN (SELECT "user id", max("last access at") AS last_access FROM access GROUP BY ALL) seen
            ON seen."user id" = r.canvas_user_id
        LEFT JOIN (SELECT id, arg_max(path, len(path)) AS path FROM paths GROUP BY id) paths ON paths.id = r.canvas_account_id
    ORDER BY at_root DESC, courses_below DESC, external DESC, seen.last_access NULLS FIRST, 1, 5, 7
"""


def test_the_administrators_of_the_demo(oracle: Any, demo: dict[str, pa.Table]) -> None:
    names, rows = oracle.sql(f"SET TimeZone = 'UTC'; {ADMINS_SQL}", **demo)
    assert len(rows) > 3
    for kind in oracle.kinds:
        tables = {name: oracle.as_kind(table, kind) for name, table in demo.items()}
        found = access.admins(tables, tables["access"], internal=("@Example.edu", ".example.edu"))
        oracle.check(found, (names, rows))


def test_people_from_elsewhere_and_people_never_seen() -> None:
    tables = {
        "admins": pl.DataFrame(
            {
                "canvas_user_id": [70, 70, 71, 72, 73],
                "canvas_account_id": [1, 11, 11, 12, 12],
                "role": ["AccountAdmin", "Help desk", "Help desk", "AccountAdmin", "AccountAdmin"],
                "status": ["active", "active", "active", "active", "deleted"],
            }
        ),
        "users": pl.DataFrame(
            [
                (70, "1", "ann@SCHOOL.edu", "Ann", None, "active"),
                (71, "2", "bo", "Bo", "bo@vendor.example", "suspended"),
                (71, None, "bo2", "Bo", "bo@myschool.edu", "deleted"),
            ],
            schema=["canvas_user_id", "user_id", "login_id", "full_name", "email", "status"],
            orient="row",
        ),
        "accounts": pl.DataFrame(
            {
                "canvas_account_id": [11, 12],
                "account_id": ["H", None],
                "canvas_parent_id": [1, 11],
                "name": ["Health", "Nursing"],
                "status": ["active", "active"],
            }
        ),
        "courses": pl.DataFrame({"canvas_course_id": [1, 2, 3], "canvas_account_id": [1, 11, 12]}),
    }
    seen = pl.DataFrame({"user id": [70, 70, 71], "last access at": [at(2026, 1, 1), at(2026, 2, 1), None]})
    found = access.admins(tables, seen)
    shown = ("canvas_user_id", "account_path", "courses_below", "external", "at_root", "no_active_login")
    assert found.select(*shown, "never_seen").rows() == [
        (70, None, 3, False, True, False, False),
        (71, "Health", 2, True, False, True, True),
        (70, "Health", 2, False, False, False, False),
        (72, "Health / Nursing", 1, True, False, True, True),
    ]
    assert found["last_access"].to_list()[0] == at(2026, 2, 1)
    elsewhere = access.admins(tables, seen, internal="@myschool.edu").filter("external")
    assert elsewhere["canvas_user_id"].to_list() == [70, 70, 72]


def test_empty_reports_give_empty_lists() -> None:
    assert access.tokens(TOKENS.clear(), now=NOW, admins=ADMINS.clear(), users=USERS.clear()).height == 0


TOOL = {
    "context_type": pl.String,
    "context_id": pl.Int64,
    "tool_type_name": pl.String,
    "tool_created_at": TIME,
    "privacy_level": pl.String,
    "launch_url": pl.String,
}
TOOLS = pl.DataFrame(
    [
        ("Account", 1, "Check", at(2024, 1, 1), "anonymous", "https://API.plag.example.com:443/lti?x=1"),
        ("Course", 7, "Check", at(2025, 1, 1), "public", "https://api.plag.example.com/lti"),
        ("Course", 8, "Check", at(2023, 1, 1), "name_only", "//api.plag.example.com"),
        ("Course", 8, "Check", at(2023, 1, 1), "deleted", "https://api.plag.example.com"),
        ("Course", 8, "Video", at(2023, 1, 1), "email_only", "https://user@notplag.example.com/"),
        ("Course", 9, "Video", at(2023, 1, 1), "own level", None),
    ],
    schema=TOOL,
    orient="row",
)


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask", "duckdb"])
def test_tools_are_listed_by_host_and_name(oracle: Any, kind: str) -> None:
    found = access.tools(oracle.as_kind(TOOLS.to_arrow(), kind), approved=["Plag.example.com"])
    assert oracle.kind_of(found) == kind
    names, rows = oracle.rows(found)
    assert names[-2:] == ["first_installed", "last_installed"]
    assert [row[:7] for row in rows] == [
        ("notplag.example.com", "Video", False, 1, 0, 1, "email_only"),
        (None, "Video", False, 1, 0, 1, "own level"),
        ("api.plag.example.com", "Check", True, 3, 1, 2, "public"),
    ]
    assert rows[2][7:] == (at(2023, 1, 1), at(2025, 1, 1))


def test_tools_without_a_list_are_neither_approved_nor_not() -> None:
    assert access.tools(TOOLS)["approved"].null_count() == 3
    assert not access.tools(TOOLS, approved=[" "])["approved"].any()
    assert access.tools(TOOLS.drop("privacy_level"))["installs"].sum() == 6
    with pytest.raises(UnknownColumnError, match="tools needs the column 'launch_url'"):
        access.tools(TOOLS.drop("launch_url"))


def test_tools_give_what_sql_gives(oracle: Any, larger: Callable[..., dict[str, pa.Table]]) -> None:
    report = larger("lti_report_csv", include_deleted=True)["lti_report_csv"]
    found = access.tools(report, approved=["example.org"])
    wanted = oracle.sql(
        """
        WITH t AS (
            SELECT *, nullif(lower(regexp_extract(launch_url, '^[a-z]+://([^/:?#]+)', 1)), '') AS host FROM report
            WHERE privacy_level <> 'deleted'
        )
        SELECT host, tool_type_name, coalesce('.' || host LIKE '%.example.org', false) AS approved, count(*) AS installs,
            count(DISTINCT context_id) FILTER (context_type = 'Account') AS accounts,
            count(DISTINCT context_id) FILTER (context_type = 'Course') AS courses
        FROM t GROUP BY host, tool_type_name
        ORDER BY approved, installs DESC, host NULLS LAST, tool_type_name
        """,
        report=report,
    )
    oracle.check(found.select(wanted[0]), wanted)


def test_any_time_is_the_same_moment_in_utc() -> None:
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    aware = pl.Series([moment], dtype=pl.Datetime("ms", "UTC"))
    for times in (
        aware,
        aware.dt.convert_time_zone("America/Denver"),
        aware.dt.replace_time_zone(None),
        pl.Series([moment.date()]),
        pl.Series(["2026-03-02T00:00:00Z"]),
        pl.Series([None]),
    ):
        rows = pl.DataFrame({"at": times})
        found = rows.select(access_module._time(rows.schema, "at")).to_series()
        assert found.dtype == TIME
        assert found.to_list() == [None if times.dtype == pl.Null else moment]
