"""Pseudonyms are stable and keyed, replace everything personal, and keep joins working."""

import hashlib
import hmac
import io
from typing import Any

import dask.dataframe as dd
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.catalog.schemas import Column, reports, schema
from canvas_reports_nb.exceptions import ParameterError, PersonalDataError

KEY = b"a key of the test, 32 bytes long"
ACCESS = b"""user id,user sis id,user name,last access at,last ip
10000000000000481,000481,"Ng, Bea",2026-03-02T16:14:07-07:00,10.0.0.1
7,,"O'Neil, Cem",,
7,1e5,"O'Neil, Cem",2026-03-02T01:00:00Z,10.0.0.1
"""
TABLES = [table for report in reports() for table in schema(report).tables.values()]


def access() -> pd.DataFrame:
    return crn.read_file(ACCESS)


def expected(identity: str, text: str) -> str:
    own = hmac.new(KEY, identity.encode(), hashlib.sha256).digest()
    return f"{identity}_{hmac.new(own, text.encode(), hashlib.sha256).hexdigest()[:20]}"


def test_every_personal_cell_is_replaced_and_nothing_else() -> None:
    frame = access()
    before = frame.copy(deep=True)
    made = frame.canvas.pseudonymize(KEY)
    pd.testing.assert_frame_equal(frame, before)
    assert made.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    assert made["user sis id"].iloc[0] == expected("sis", "000481")
    assert made["user name"].tolist() == [expected("name", name) for name in frame["user name"]]
    assert made["last ip"].isna().tolist() == [False, True, False]
    assert set(made["last ip"].dropna()) == {expected("ip", "10.0.0.1")}
    assert made["user id"].iloc[1] == made["user id"].iloc[2] != made["user id"].iloc[0]
    assert (made["user id"] >= 2**62).all()
    assert made["last access at"].dt.strftime("%Y-%m-%d %H:%M").fillna("").tolist() == [
        "2026-03-02 00:00", "", "2026-03-02 00:00",
    ]  # fmt: skip
    crn.check_pseudonymized(made)
    again = access().canvas.pseudonymize(KEY.decode())
    pd.testing.assert_frame_equal(again, made)
    other = frame.canvas.pseudonymize(KEY[::-1])
    for name in ("user id", "user sis id", "user name", "last ip"):
        assert not set(other[name].dropna()) & set(made[name].dropna())


def test_the_provenance_notes_each_column_that_was_replaced_and_no_other() -> None:
    frame = access().assign(score=1.0)
    with pytest.warns(crn.ReportWarning, match="may name people: 'score'"):
        notes = frame.canvas.pseudonymize(KEY, keep=["score"]).canvas.provenance["notes"]
    assert notes == {
        "user id": "pseudonym (person)",
        "user sis id": "pseudonym (sis)",
        "user name": "pseudonym (name)",
        "last access at": "cut to the day",
        "last ip": "pseudonym (ip)",
        "file": "pseudonymized",
    }


@pytest.mark.parametrize("number", ["12345678901234567890", "4611686018427387903", "461168601842738790"])
def test_a_number_that_is_no_pseudonym_is_found_even_if_no_integer_holds_it(number: str) -> None:
    frame = pl.DataFrame({"user id": ["4611686018427387904", number]})
    with pytest.raises(PersonalDataError, match="user id"):
        crn.check_pseudonymized(frame, report="last_user_access_csv")
    as_float = frame.with_columns(pl.col("user id").cast(pl.Float64))
    made = crn.pseudonymize(as_float, KEY, report="last_user_access_csv")
    assert made["user id"].n_unique() == len({float(each) for each in frame["user id"]})


def test_no_trace_is_left_in_what_is_saved() -> None:
    frame = access()
    frame.attrs["canvas_report"]["source"] = "Ng Bea.csv"
    frame.attrs["canvas_report"]["notes"] = {"last ip": "kept as text: row 1 holds 'Ng, Bea'"}
    frame.attrs["mine"] = "Ng"
    frame.index = pd.Index(["Ng", "O'Neil", "O'Neil"], name="who")
    made = frame.assign(role=pd.Categorical(["x", "y", "y"], categories=["x", "y", "Ng"])).canvas
    with pytest.warns(crn.ReportWarning, match="Dropped columns .* 'role'"):
        made = made.pseudonymize(KEY)
    assert made.canvas.provenance["report"] == "last_user_access_csv"
    assert made.canvas.provenance["notes"]["file"] == "pseudonymized"
    saved = io.BytesIO()
    made.to_parquet(saved)
    for blob in (saved.getvalue(), made.to_csv().encode(), repr(made.attrs).encode()):
        for trace in (b"Ng", b"Neil", b"000481", b"1e5", b"10.0.0.1", b"10000000000000481", KEY, b"16:14"):
            assert trace not in blob
    reread = pd.read_csv(io.StringIO(made.to_csv(index=False)))
    crn.check_pseudonymized(reread, report="last_user_access_csv")
    crn.check_pseudonymized(pd.read_parquet(saved))


@pytest.mark.parametrize("kind", ["polars", "lazy", "arrow", "dask"])
def test_every_kind_returns_its_own_with_equal_values(kind: str) -> None:
    whole = pl.from_pandas(access())
    frame: Any = {
        "polars": lambda: whole,
        "lazy": whole.lazy,
        "arrow": whole.to_arrow,
        "dask": lambda: dd.from_pandas(access(), npartitions=2),
    }[kind]()
    made = crn.pseudonymize(frame, KEY)
    assert type(made) is type(frame)
    crn.check_pseudonymized(made, report="last_user_access_csv")
    with pytest.raises(PersonalDataError, match="user id, user sis id, user name, last access at, last ip"):
        crn.check_pseudonymized(frame, report="last_user_access_csv")
    held = made.compute() if kind == "dask" else made.collect() if kind == "lazy" else made
    held = pl.from_pandas(held) if kind == "dask" else pl.DataFrame(held)
    assert held.equals(pl.from_pandas(access().canvas.pseudonymize(KEY)))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.report}/{table.name}")
def test_a_single_cell_left_as_it_was_is_found(table: Any) -> None:
    personal = [column for column in table.columns if column.personal]
    for column in personal:
        assert (column.identity is None) == (column.kind in {"timestamp", "text"})
        frame = pl.DataFrame({column.name: [None, *_values(column)]}, strict=False)
        named = {"report": table.report, "table": None if table.dynamic else table.name}
        with pytest.raises(PersonalDataError, match=column.name):
            crn.check_pseudonymized(frame, **named)
        made = crn.pseudonymize(frame, KEY, **named)
        crn.check_pseudonymized(made, **named)
        assert (column.name in made.columns) == (column.kind != "text")
        if column.identity:
            mixed = pl.concat([made.head(2), frame.tail(1)])
            with pytest.raises(PersonalDataError, match=column.name):
                crn.check_pseudonymized(mixed, **named)


def _values(column: Column) -> list[Any]:
    if column.kind == "timestamp":
        return ["2026-03-02T16:14:07Z", "never" if column.words else None]
    return [481, 10_000_000_000_000_481] if column.kind == "canvas_id" else ["000481", "Ng"]


def test_tables_that_share_a_header_agree_on_what_is_personal() -> None:
    by_header: dict[frozenset[str], set[Any]] = {}
    for table in TABLES:
        names = frozenset(column.name for column in table.columns)
        marks = frozenset((column.name, column.personal, column.identity) for column in table.columns)
        by_header.setdefault(names, set()).add((marks, table.key))
    assert all(len(marks) == 1 for marks in by_header.values())


cells = st.lists(st.none() | st.integers(0, 10**17), max_size=8)


@settings(max_examples=30)
@given(cells, cells)
def test_joins_hold_whatever_the_column_is_called_and_its_type(left: list[Any], right: list[Any]) -> None:
    grades = pl.DataFrame({"student id": pl.Series(left, dtype=pl.Int64)})
    # One odd cell, and the reader keeps a column of ids as text.
    users = pl.DataFrame({"canvas_user_id": pl.Series(right, dtype=pl.Int64).cast(pl.String)})
    hidden = (
        crn.pseudonymize(grades, KEY, report="grade_export_csv"),
        crn.pseudonymize(users, KEY, report="provisioning_csv", table="users"),
    )
    before, after = (
        one.with_columns(pl.col("student id").cast(pl.String)).join(
            other, left_on="student id", right_on="canvas_user_id", nulls_equal=True
        )
        for one, other in ((grades, users), hidden)
    )
    assert before.height == after.height
    assert hidden[0]["student id"].n_unique() == grades["student id"].n_unique()
    assert hidden[0]["student id"].null_count() == grades["student id"].null_count()


PORTFOLIOS = pl.DataFrame(
    {
        "eportfolio_name": ["Bea's works"],
        "author_id": [7.0],
        "campus": ["North"],
        "advisor": [7],
        "mentor": ["Ng"],
    }
)


def test_free_text_and_unknown_columns_are_kept_only_on_request() -> None:
    named = {"report": "eportfolio_report_csv"}
    with pytest.warns(crn.ReportWarning, match="Dropped columns .* 'campus', 'advisor', 'mentor'"):
        made = crn.pseudonymize(PORTFOLIOS, KEY, **named)
    assert made.columns == ["author_id"]
    identities = {"advisor": "person", "mentor": "guide"}
    with pytest.warns(crn.ReportWarning, match="may name people: 'eportfolio_name', 'campus'"):
        made = PORTFOLIOS.canvas.pseudonymize(
            KEY, **named, free_text="keep", keep=["campus"], identities=identities
        )
    assert made.columns == PORTFOLIOS.columns
    assert made["advisor"].item() == made["author_id"].item()
    assert made["mentor"].item() == expected("guide", "Ng")
    kept = {"keep": ["campus", "eportfolio_name"], "identities": identities}
    crn.check_pseudonymized(made, **named, **kept)
    with pytest.raises(PersonalDataError, match="personal data in eportfolio_name, campus"):
        crn.check_pseudonymized(made, **named, identities=identities)
    with pytest.warns(crn.ReportWarning, match="may name people: 'last access at'"):
        exact = access().canvas.pseudonymize(KEY, keep="last access at")
    assert exact["last access at"].equals(access()["last access at"])


def test_a_remark_of_canvas_in_place_of_rows_is_kept() -> None:
    named, remark = {"report": "outcome_results_csv"}, "No outcomes found"
    empty = pl.DataFrame({remark: []}, schema={remark: pl.String})
    assert crn.pseudonymize(empty, KEY, **named).equals(empty)
    crn.check_pseudonymized(pl.DataFrame({remark: ["x"]}), **named)
    for columns in ([remark, "x"], ["x"]):
        with pytest.warns(crn.ReportWarning, match=f"Dropped columns .*{columns[0]}"):
            made = crn.pseudonymize(pl.DataFrame(dict.fromkeys(columns, "Ng")), KEY, **named)
        assert made.columns == []


@pytest.mark.parametrize(
    ("key", "keywords", "message"),
    [
        (b"too short", {}, "The key has 9 bytes and needs at least 16"),
        (481, {}, "must be bytes or text"),
        (KEY, {"keep": ["user name"]}, "'user name' identifies people"),
        (KEY, {"keep": ["user nam"]}, "no column 'user nam'"),
        (KEY, {"free_text": "mask"}, '''Unknown free_text 'mask'.*\n.*"drop".*"keep"'''),
        (KEY, {"identities": {"last ip": "A B"}}, """Can't use 'A B' as the identity of 'last ip'"""),
        (KEY, {"report": "users"}, "Unknown report"),
    ],
)
def test_wrong_calls_are_explained_without_the_key(key: Any, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message) as error:
        crn.pseudonymize(access(), key, **keywords)
    assert "too short" not in str(error.value)
    with pytest.raises(ParameterError, match="can't tell which of its columns are personal"):
        crn.check_pseudonymized(pl.DataFrame({"who": ["Ng"]}))


@pytest.mark.parametrize("free_text", ["drop", "keep"])
def test_an_unknown_column_is_dropped_even_if_free_text_is_kept(free_text: str) -> None:
    frame = pl.DataFrame({"login": ["ada"], "note": ["Ada called"]})
    with pytest.warns(crn.ReportWarning, match=r"^Dropped columns that may be personal: 'note'\. Keep them"):
        made = crn.pseudonymize(
            frame, "a long secret phrase", identities={"login": "login"}, free_text=free_text
        )
    assert made.columns == ["login"]
