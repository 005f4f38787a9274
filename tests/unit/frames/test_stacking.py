"""Tables of many runs as one, with columns that only some of them have."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from canvas_reports_nb.frames import Part, Stack

ENUM = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us", "UTC")
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int64(): st.integers(-(2**60), 2**60),
    pa.float64(): st.floats(-1e9, 1e9).map(lambda x: round(x, 2)),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(max_size=3),
    ENUM: st.sampled_from(["active", "deleted", "007", "é"]),
    TIME: st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(
        lambda t: t.replace(tzinfo=UTC, microsecond=0)
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(st.sampled_from("abcd"), unique=True, min_size=1))
    rows = draw(st.integers(0, 3))
    fields, columns = [], []
    for name in names:
        kind = draw(st.sampled_from(list(VALUES)))
        values = draw(st.lists(st.none() | VALUES[kind], min_size=rows, max_size=rows))
        known = {"values": "active\ndeleted"} if kind == ENUM else None
        fields.append(pa.field(name, kind, metadata=known))
        plain = pa.array(values, pa.string() if kind == ENUM else kind)
        columns.append(plain.dictionary_encode() if kind == ENUM else plain)
    return pa.table(columns, schema=pa.schema(fields))


def stack(folder: Path, parts: list[pa.Table], front: dict[str, list[Any]]) -> Stack:
    made = []
    for place, table in enumerate(parts):
        path = folder / f"{place}.parquet"
        pq.write_table(table, path)
        made.append(Part(path, {name: values[place] for name, values in front.items()}))
    return Stack(made, front)


def plain(value: Any) -> Any:
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


@settings(max_examples=40)
@given(parts=st.lists(tables(), min_size=1, max_size=3), data=st.data())
def test_all_engines_agree_on_any_mix(
    parts: list[pa.Table], data: st.DataObject, tmp_path_factory: Any
) -> None:
    front = {
        "term": data.draw(st.lists(st.none() | st.integers(1, 9), min_size=len(parts), max_size=len(parts))),
        "a": data.draw(
            st.lists(st.sampled_from([None, "x", 7, [1, 2]]), min_size=len(parts), max_size=len(parts))
        ),
    }
    made = stack(tmp_path_factory.mktemp("stack"), parts, front)
    wanted = made.load("polars").to_dicts()
    assert len(wanted) == sum(table.num_rows for table in parts)
    assert made.load("arrow").to_pylist() == wanted
    assert made.scan().collect().to_dicts() == wanted
    pandas = made.load("pandas")
    shown = pandas.astype(object).where(pandas.notna(), None).to_dict("records")
    assert [{k: plain(v) for k, v in row.items()} for row in shown] == wanted
    lazy = made.load("dask")
    some = data.draw(st.lists(st.sampled_from(list(pandas)), unique=True, min_size=1))
    computed, projected = (
        frame.compute(scheduler="synchronous").reset_index(drop=True) for frame in (lazy, lazy[some])
    )
    pd.testing.assert_frame_equal(computed, pandas)
    pd.testing.assert_frame_equal(projected, pandas[some])
    _holds_each_part(wanted, parts, made)


def _holds_each_part(wanted: list[dict[str, Any]], parts: list[pa.Table], made: Stack) -> None:
    rows = [row for table in parts for row in table.to_pylist()]
    for got, own in zip(wanted, rows, strict=True):
        for name, value in own.items():
            differing = name in made.differing
            if not differing or isinstance(value, str | None):
                assert got[name] == value
            else:
                assert isinstance(got[name], str)
        assert all(got[name] is None for name in "bcd" if name in got and name not in own)


def test_columns_of_one_type_keep_it_and_others_become_text_as_canvas_writes_them(tmp_path: Path) -> None:
    when = datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC)
    typed = pa.table({"id": [7], "at": pa.array([when], TIME), "on": [True], "score": [88.0]})
    text = pa.table({"id": [8], "at": ["never"], "on": ["maybe"], "score": ["A-"]})
    made = stack(tmp_path, [typed, text], {"report": ["x", "y"]})
    assert made.differing == ["at", "on", "score"]
    frame = made.load("polars")
    assert frame.rows() == [
        ("x", 7, "2026-03-02T16:14:07Z", "true", "88.0"),
        ("y", 8, "never", "maybe", "A-"),
    ]


def test_categories_are_united_and_the_documented_ones_come_first(tmp_path: Path) -> None:
    def states(*values: str) -> pa.Table:
        field = pa.field("state", ENUM, metadata={"values": "active\ndeleted"})
        return pa.table([pa.array(values).dictionary_encode()], schema=pa.schema([field]))

    made = stack(tmp_path, [states("zombie"), states("active", "asleep")], {"term": ["FA25", "SP26"]})
    for frame in (made.load("pandas"), made.load("dask").compute(scheduler="synchronous")):
        assert frame["state"].cat.categories.tolist() == ["active", "deleted", "asleep", "zombie"]
        assert frame["term"].cat.categories.tolist() == ["FA25", "SP26"]


def test_columns_of_requests_come_first_and_give_way_to_names_of_the_table(tmp_path: Path) -> None:
    made = stack(tmp_path, [pa.table({"account": ["A"], "b": [1]})], {"report": ["x"], "account": [7]})
    assert made.load("pandas", ["b"]).columns.tolist() == ["report", "request_account", "b"]
    assert made.scan(["account"]).collect().rows() == [("x", 7, "A")]
    with pytest.raises(UnknownColumnError, match="request_account"):
        made.scan(["missing"])
    with pytest.raises(ParameterError, match="Unknown engine 'spark'"):
        made.load("spark")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False], "bool"),
        ([1, 2**63 - 1], "int64"),
        ([1, 2**63], "category"),
        ([1, 2.5], "double"),
        ([1.5, 2.5], "double"),
        ([True, 1], "category"),
        ([1, "2"], "category"),
        ([["a", "b"], None], "category"),
        ([None, None], "category"),
    ],
)
def test_a_column_of_requests_has_the_one_type_that_holds_its_values(
    tmp_path: Path, values: list[Any], kind: str
) -> None:
    made = stack(tmp_path, [pa.table({"a": ["x"]}), pa.table({"a": ["y"]})], {"asked": values})
    found = made.load("arrow")["asked"]
    assert ("category" if pa.types.is_dictionary(found.type) else str(found.type)) == kind
    texts = ["a,b" if isinstance(each, list) else None if each is None else str(each) for each in values]
    assert found.to_pylist() == (texts if kind == "category" else values)


def test_only_what_a_query_needs_is_read(tmp_path: Path) -> None:
    made = stack(tmp_path, [pa.table({"a": [1, 2], "b": ["x", "y"]})] * 2, {"term": [1, 2]})
    plan = made.scan().group_by("term").agg(pl.col("a").sum()).explain()
    assert plan.count("PROJECT 1/2 COLUMNS") == 2
    assert "PROJECT 2/2" not in plan


@pytest.mark.parametrize("columns", [["id"], None])
def test_a_stacked_pandas_frame_can_be_changed_in_place(columns: list[str] | None, tmp_path: Path) -> None:
    day = datetime(2026, 3, 2, tzinfo=UTC)
    made = {"id": [1, 2], "score": [1.5, 2.5], "is": [True, False], "text": ["a", "b"], "at": [day, day]}
    parts = [pa.table({**made, "kind": pa.array(["x", "y"]).dictionary_encode()})]
    frame = stack(tmp_path, parts, {}).load("pandas", columns)
    for place in range(frame.shape[1]):
        frame.iloc[0, place] = frame.iloc[1, place]
    assert frame.iloc[0].tolist() == frame.iloc[1].tolist()
