"""A frame of any kind goes in, and the same kind comes out with the same cells and dtypes."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dask
import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from canvas_reports_nb.frames import exchange
from canvas_reports_nb.frames.engines import to_pandas
from canvas_reports_nb.frames.exchange import (
    LOWEST_PSEUDONYM,
    FrameResult,
    as_kind_of,
    check_joinable,
    column_names,
    frame_of,
    require_columns,
    take_rows,
    to_lazy,
)
from canvas_reports_nb.typing import TEXT

STATES = ["active", "concluded", "deleted"]
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("score", pa.float64()),
        pa.field("sis", pa.bool_()),
        pa.field("name", pa.string()),
        pa.field("state", pa.dictionary(pa.int32(), pa.string()), metadata={"values": "\n".join(STATES)}),
        pa.field("seen", pa.timestamp("us", tz="UTC")),
    ],
    metadata={"canvas_report": "{}"},
)
DTYPES = ["Int64", "Float64", "boolean", str(TEXT), "category", "datetime64[us, UTC]"]
OTHER = pl.DataFrame({"id": [1, 2], "more": [0.5, None]})
ROW = st.tuples(
    st.one_of(st.none(), st.sampled_from([1, 2**53 + 1, 12_340_000_000_000_567])),
    st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, "", "000481", "1e5", "NA", "null", "李小明", "a\nb"]),
    # Never "deleted", because the enumeration must keep values that are in no row.
    st.sampled_from([None, "active", "concluded"]),
    st.one_of(st.none(), st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))),
)
TABLES = st.lists(ROW, max_size=6).map(
    lambda rows: pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA
    )
)
FILLED = pa.Table.from_pylist(
    [dict(zip(SCHEMA.names, (7, 1.5, True, "007", "active", datetime(2026, 3, 2, tzinfo=UTC)), strict=True))],
    schema=SCHEMA,
)


def every_kind(table: pa.Table) -> dict[str, Any]:
    frame = to_pandas(table)
    frame.attrs = {"canvas_report": {"run_id": 7}}
    return {
        "pandas": frame,
        "polars": pl.from_arrow(table),
        "lazy": pl.from_arrow(table).lazy(),
        "arrow": table,
        "dask": dd.from_pandas(frame, npartitions=1),
    }


@settings(max_examples=25)
@given(table=TABLES)
def test_a_round_trip_changes_nothing(table: pa.Table) -> None:
    with dask.config.set({"dataframe.convert-string": False}):
        for kind, frame in every_kind(table).items():
            query = to_lazy(frame)
            assert query.collect().equals(pl.from_arrow(table)), kind
            back = as_kind_of(query, frame)
            assert type(back) is type(frame)
            if kind == "arrow":
                assert back.equals(table)
                assert back.schema.equals(SCHEMA, check_metadata=False)
                assert back.schema.metadata == SCHEMA.metadata
            elif kind == "pandas":
                pd.testing.assert_frame_equal(back, frame)
                assert list(map(str, back.dtypes)) == DTYPES
                assert list(back["state"].cat.categories) == STATES
                assert back.attrs == frame.attrs
                assert back.attrs["canvas_report"] is not frame.attrs["canvas_report"]
            elif kind == "dask":
                assert list(back.dtypes) == list(to_pandas(table).dtypes)
                pd.testing.assert_frame_equal(back.compute(), to_pandas(table))
            else:
                assert back.lazy().collect().equals(pl.from_arrow(table))


@settings(max_examples=10)
@given(table=TABLES)
def test_an_analysis_of_several_frames_works_for_every_kind(table: pa.Table) -> None:
    def joined(frame: Any, other: Any) -> Any:
        query = to_lazy(frame, ("id", "score")).join(
            to_lazy(other), on="id", how="left", maintain_order="left"
        )
        return as_kind_of(query.select("id", pl.col("score") * 2, "more"), frame, other)

    wanted = joined(pl.from_arrow(table), OTHER)
    for kind, frame in every_kind(table).items():
        found = joined(frame, every_kind(OTHER.to_arrow())[kind])
        assert to_lazy(found).collect().equals(wanted), kind


def test_values_of_a_joined_enumeration_stay() -> None:
    states = to_pandas(FILLED)
    scores = pd.DataFrame({"id": pd.array([7, 8], "Int64")})
    joined = as_kind_of(
        to_lazy(scores).join(to_lazy(states, ("id", "state")), on="id", how="left"), scores, states
    )
    assert list(joined["state"].cat.categories) == STATES
    assert pd.concat([joined, states[["id", "state"]]])["state"].dtype == "category"


class Answers(FrameResult[Any]):
    def answer(self) -> int:
        return id(self.frame)


def outcome(use: Callable[[Any], Any], frame: Any) -> Any:
    try:
        return re.sub("0x[0-9a-f]+", "", str(use(frame)))  # without addresses
    except Exception as error:  # noqa: BLE001 - whatever the frame raises, the result raises, too
        return type(error)


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask"])
def test_a_result_is_used_like_its_frame(kind: str) -> None:
    frame = every_kind(FILLED)[kind]
    result = Answers(frame)
    for use in (
        len,
        list,
        repr,
        lambda f: f["id"],
        lambda f: "id" in f,
        lambda f: f.none,
    ):
        assert outcome(use, result) == outcome(use, frame)
    assert isinstance(result, type(frame))
    assert frame_of(result) is frame_of(frame) is frame
    assert result.answer() == id(frame)
    assert dir(result) == sorted({*dir(frame), "answer", "frame"})


def test_times_of_a_database_are_in_utc_whatever_its_zone() -> None:
    with duckdb.connect() as base:
        base.execute("SET TimeZone = 'Pacific/Auckland'")
        assert (
            to_lazy(base.from_arrow(FILLED))
            .select("seen")
            .collect()
            .equals(pl.from_arrow(FILLED.select(["seen"])))
        )


def test_other_pandas_frames_are_accepted() -> None:
    frame = pd.DataFrame({"n": [1.5, np.nan], "text": ["a", None], "whole": [1, 2]}, index=[5, 9])
    rows = to_lazy(frame).collect()
    assert rows.rows() == [(1.5, "a", 1), (None, None, 2)]
    assert list(as_kind_of(to_lazy(frame), frame).index) == [0, 1]


def test_a_lazy_frame_is_never_collected() -> None:
    def unreadable(_: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("collected")

    frame = pl.LazyFrame({"id": [1]}).map_batches(unreadable, schema={"id": pl.Int64})
    require_columns(to_lazy(frame), ["id"], "This", numbers=["id"])
    check_joinable(frame, "id", frame, "id")
    back = as_kind_of(to_lazy(frame, ["id"]).with_columns(more=1), frame)
    assert isinstance(back, pl.LazyFrame)
    with pytest.raises(AssertionError, match="collected"):
        back.collect()


def test_dask_computes_only_the_columns_that_are_read() -> None:
    asked: list[list[str]] = []

    def part(_: int, columns: list[str] | None = None) -> pd.DataFrame:
        asked.append(list(columns or SCHEMA.names))
        return to_pandas(FILLED)[columns or SCHEMA.names]

    with dask.config.set({"dataframe.convert-string": False}):
        frame = dd.from_map(part, [0], meta=to_pandas(FILLED).iloc[:0], enforce_metadata=False)
        asked.clear()
        assert to_lazy(frame, ("score", "id", "absent")).collect().rows() == [(7, 1.5)]
    assert asked == [["id", "score"]]


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "dask"])
def test_columns_not_read_are_left_behind(kind: str) -> None:
    assert to_lazy(every_kind(FILLED)[kind], {"score", "absent"}).collect_schema().names() == ["score"]


@pytest.mark.parametrize("thing", [7, "grades.csv", None, {"id": [1]}, [1, 2], np.zeros(3)])
def test_other_objects_are_rejected(thing: Any) -> None:
    with pytest.raises(ParameterError, match=f"not {type(thing).__name__}"):
        to_lazy(thing)


def test_the_error_for_a_missing_column_suggests_a_similar_one() -> None:
    frame = pl.LazyFrame({"final score": ["x"], "id": [1]})
    with pytest.raises(UnknownColumnError, match="This needs the column 'final scores'") as error:
        require_columns(frame, ["id", "final scores"], "This")
    assert "Did you mean 'final score'?" in str(error.value)
    with pytest.raises(ParameterError, match="'final score', which is String"):
        require_columns(frame, ["id"], "This", numbers=["final score"])
    with pytest.raises(UnknownColumnError, match="'score'"):
        require_columns(frame, ["id"], "This", numbers=["score"])


def test_ids_of_two_dtypes_are_not_joined() -> None:
    numbers, texts, nothing = (pl.LazyFrame({"id": values}) for values in ([1], ["1"], [None]))
    with pytest.raises(ParameterError, match=r"'id' \(Int64\) and 'id' \(String\)"):
        check_joinable(numbers, "id", texts, "id")
    check_joinable(numbers, "id", nothing, "id")


def test_pseudonyms_are_not_joined_to_ids() -> None:
    raw, hidden, texts, long, nothing = (
        pl.DataFrame({"id": values}, schema={"id": dtype})
        for values, dtype in (
            ([1, LOWEST_PSEUDONYM - 1], pl.Int64),
            ([LOWEST_PSEUDONYM, None], pl.Int64),
            (["p1"], pl.String),
            (["12345678901234567890"], pl.String),  # longer than any integer
            ([None], pl.Int64),
        )
    )
    sides = (raw, "id"), (hidden.rename({"id": "user"}), "user")
    for (left, left_on), (right, right_on) in (sides, sides[::-1]):
        with pytest.raises(ParameterError, match="The ids 'user' are pseudonyms and 'id' are not"):
            check_joinable(left.lazy(), left_on, right.lazy(), right_on, made_of=(left, right))
        check_joinable(left.lazy(), left_on, right.lazy(), right_on, made_of=(left.lazy(), right))
    equal = ((each, each) for each in (raw, hidden, texts, long))
    for one, other in (*equal, (raw, nothing), (hidden, nothing), (texts, long)):
        check_joinable(one.lazy(), "id", other.lazy(), "id", made_of=(one, other))


TWICE = pd.DataFrame([[1, 2, 3]], columns=["id", "id", "name"])


@pytest.mark.parametrize(
    "frame",
    [TWICE, dd.from_pandas(TWICE, npartitions=1), pa.table([[1], [2], [3]], names=["id", "id", "name"])],
    ids=["pandas", "dask", "arrow"],
)
@pytest.mark.parametrize("ask", [to_lazy, column_names])
def test_duplicate_column_names_are_rejected(frame: Any, ask: Any) -> None:
    with pytest.raises(ParameterError, match=r"Several columns of the frame are called 'id'\."):
        ask(frame)


def test_rows_are_taken_by_number_in_many_pieces() -> None:
    frame = to_pandas(pa.table({"id": [7, None, 9], "name": ["Ada", None, "007"]}))
    rows = np.array([2, -1, 1, 0] * 20_000)
    taken = take_rows(frame, rows, {"id": "id", "name": "login", "none": "none"})
    assert taken.dtypes.tolist() == frame.dtypes.tolist()
    for name, wanted in (("id", [9, None, None, 7]), ("login", ["007", None, None, "Ada"])):
        assert pa.array(taken[name]).to_pylist() == wanted * 20_000
    assert take_rows(frame, rows[:0])["name"].tolist() == []


IDS = pl.LazyFrame({"id": [7], "text": ["7"], "when": ["soon"], "empty": [None]})
BOTH = "Read both frames with read_report, and pseudonymize both or neither, with one key."
NOTES = "crn.provenance(frame)['notes']"
MESSAGES: list[tuple[Callable[[], object], str]] = [
    (lambda: exchange.as_list(7), "Expected texts, not 7.\nGive a text or a list of texts."),
    (lambda: exchange.as_list(["a", b"b"]), "Expected texts, not b'b'.\nGive a text or a list of texts."),
    (lambda: exchange.as_list(["a", ["x" * 57]]), "Expected texts, not a list.\nGive a text or a list of texts."),
    (lambda: exchange.check_kinds("a number", int, a=1, b="x" * 58), f"Can't use {'x' * 58!r} as b=.\nGive a number."),
    (lambda: exchange.check_kinds("a number", int, b="x" * 59), "Can't use a str as b=.\nGive a number."),
    *((lambda zone=zone: exchange.check_zone(zone),
       f'Unknown time zone {zone!r}.\nUse an IANA name, such as "America/Denver" or "UTC".')
      for zone in ("Mountain Time", "", None, 7)),
    (lambda: exchange.require_times(IDS, ["empty", "when"], "This"),
     f"This needs times in 'when', which is String here.\nLook in {NOTES} for the cell that kept the column as text."),
    (lambda: require_columns(IDS, ["id"], "This", numbers=["id", "empty", "text", "when"]),
     ("This needs numbers in 'text', 'when', which is String here.\n"
     f"A column stays text if a cell is not a number. {NOTES} names the cell.")),
    (lambda: check_joinable(IDS, "id", IDS, "text"),
     f"The ids 'id' (Int64) and 'text' (String) can't be matched.\n{BOTH}"),
    (lambda: check_joinable(IDS, "id", IDS.select(pl.lit(LOWEST_PSEUDONYM).alias("user")), "user", made_of=[]),
     f"The ids 'user' are pseudonyms and 'id' are not, so they can't be matched.\n{BOTH}"),
    (lambda: to_lazy(7), ("Expected a frame, not int.\nPass a pandas, polars, Arrow or Dask frame, "
     "such as read_report returns, or a DuckDB relation.")),
    (lambda: to_lazy(pd.DataFrame([[1, 2, 3, 4, 5]], columns=list("abcab"))),
     ("Several columns of the frame are called 'a', 'b'.\n"
     "Rename or drop all but one of each; in pandas: frame.loc[:, ~frame.columns.duplicated()].")),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), MESSAGES, ids=range(len(MESSAGES)))
def test_each_wrong_argument_is_explained(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        call()
    assert str(caught.value) == message
