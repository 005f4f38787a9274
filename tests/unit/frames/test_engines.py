"""Every engine gives the same cells, from memory and from the stored file."""

import gc
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dask.dataframe.dask_expr.io import FromMapProjectable
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb import frames
from canvas_reports_nb.exceptions import DamagedFileError
from canvas_reports_nb.frames import parquet
from canvas_reports_nb.frames.engines import pandas_by_columns, pick, to_pandas
from canvas_reports_nb.frames.identity import identify
from canvas_reports_nb.frames.provenance import Provenance

REPORT = "lti_report_csv"
HEADER = [
    "context_type",
    "context_id",
    "account_name",
    "tool_created_at",
    "privacy_level",
    "custom_fields",
]
TEXT = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=10),
    st.sampled_from(["", "NA", "null", "000481", "1e5", '"', ",", "\n", "🤖 ل", '{"a"=>1, "b"=>"x"}', " "]),
)
MOMENT = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
ROW = st.tuples(
    st.sampled_from([None, "Account", "Course", "Group"]),
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    TEXT,
    st.one_of(st.none(), st.tuples(MOMENT, st.sampled_from([-720, -420, -360, 0, 345, 840]))),
    st.sampled_from([None, "anonymous", "public", "deleted"]),
    TEXT,
)


def written(value: Any) -> str:
    """Write a cell as Canvas does: quotes only if needed, nothing if missing, two quotes for an empty text."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        moment, minutes = value
        return moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    text = str(value)
    quoted = text == "" or any(mark in text for mark in ',"\n\r')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def canvas_csv(rows: list[tuple[Any, ...]]) -> bytes:
    return "".join(",".join(map(written, row)) + "\n" for row in [tuple(HEADER), *rows]).encode()


def plain(values: Iterator[Any]) -> list[Any]:
    """Return Python values, with None for missing, which are equal for all engines."""
    found = []
    for value in values:
        if (
            value is None
            or value is pd.NaT
            or value is pd.NA
            or (isinstance(value, float) and np.isnan(value))
        ):
            found.append(None)
        elif isinstance(value, pd.Timestamp):
            found.append(value.to_pydatetime())
        else:
            found.append(value.item() if isinstance(value, np.generic) else value)
    return found


def cells(frame: Any) -> dict[str, list[Any]]:
    """Return the cells of any engine's frame as Python values."""
    if hasattr(frame, "compute"):
        frame = frame.compute(scheduler="synchronous")
    if hasattr(frame, "collect"):
        frame = frame.collect()
    if hasattr(frame, "to_pydict"):
        return frame.to_pydict()
    if hasattr(frame, "to_dict") and hasattr(frame, "get_columns"):
        return frame.to_dict(as_series=False)
    return {name: plain(frame[name]) for name in frame.columns}


@settings(max_examples=30)
@given(rows=st.lists(ROW, max_size=7))
def test_any_table_is_the_same_in_every_engine(rows: list[tuple[Any, ...]], tmp_path_factory: Any) -> None:
    data = canvas_csv(rows)
    wanted = {
        name: [row[place][0] if isinstance(row[place], tuple) else row[place] for row in rows]
        for place, name in enumerate(HEADER)
    }
    target = tmp_path_factory.mktemp("table") / "t.parquet"
    (member,) = frames.csv_members(data, "lti.csv")
    _, provenance = frames.write_parquet(member, identify(member, REPORT), target, Provenance())
    for engine in ("arrow", "polars", "pandas", "dask"):
        assert cells(crn.read_file(data, REPORT, engine=engine)) == wanted, engine
        assert cells(frames.load(target, provenance, engine)) == wanted, engine
    assert cells(frames.scan(target)) == wanted


def test_dask_has_one_partition_per_row_group_and_the_dtypes_of_pandas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP", 26_000)
    kinds = ["Account", "Course", "Group"]
    rows = [(kinds[n % 3] if n > 50_000 else "Account", n, "x", None, "public", None) for n in range(100_000)]
    target = tmp_path / "t.parquet"
    (member,) = frames.csv_members(canvas_csv(rows), "lti.csv")
    _, provenance = frames.write_parquet(member, identify(member, REPORT), target, Provenance(run_id=1))
    pandas = frames.load(target, provenance, "pandas")
    lazy = frames.load(target, provenance, "dask", ["context_type", "context_id"])
    assert lazy.npartitions == 3, "no partition of a few rows"
    whole = lazy.compute(scheduler="synchronous").reset_index(drop=True)
    assert whole["context_type"].cat.categories.tolist() == kinds
    pd.testing.assert_frame_equal(whole, pandas[["context_type", "context_id"]])
    counted = lazy.groupby("context_id").size()
    (reading,) = counted.optimize(fuse=False).expr.find_operations(FromMapProjectable)
    assert reading.operand("columns") == ["context_id"], "only what a query needs is read from the file"
    assert (counted.compute(scheduler="synchronous") == 1).all()


def test_dask_answers_queries_of_single_columns(tmp_path: Path) -> None:
    rows = [("Account", 1, "x", None, "public", None), ("Course", 2, "y", None, "public", None)]
    target = tmp_path / "t.parquet"
    (member,) = frames.csv_members(canvas_csv(rows), "lti.csv")
    _, provenance = frames.write_parquet(member, identify(member, REPORT), target, Provenance())
    lazy = frames.load(target, provenance, "dask")
    sizes = lazy.groupby("context_type", observed=True).size().compute(scheduler="synchronous")
    assert sizes.to_dict() == {"Account": 1, "Course": 1}
    assert lazy["context_id"].sum().compute(scheduler="synchronous") == 3


def test_a_wide_table_is_read_in_a_bounded_number_of_pieces() -> None:
    for width in (0, 1, 5, 128, 129, 3000):
        table, reads = pa.table({f"c{at}": ["x"] for at in range(width)}), list[int]()

        def read(names: list[str], table: pa.Table = table, reads: list[int] = reads) -> pa.Table:
            reads.append(len(names))
            return table.select(names)

        frame = pandas_by_columns(table.column_names, read)
        assert frame.columns.tolist() == table.column_names
        assert len(reads) <= 32
        assert max(reads) <= max(4, width / 16)  # small pieces, because each one is in memory twice


def test_a_file_cut_short_leaves_no_open_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    (member,) = frames.csv_members(canvas_csv([("Account", 1, "x", None, "public", None)])[:-5], "lti.csv")
    with pytest.raises(DamagedFileError):
        frames.write_parquet(member, identify(member, REPORT), tmp_path / "t.parquet", Provenance())
    gc.collect()
    assert seen == []


def test_the_error_for_a_missing_engine_shows_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setitem(sys.modules, "dask.dataframe", None)
    with pytest.raises(ImportError, match=r'python -m pip install "canvas-reports-nb\[dask\]"'):
        crn.read_file(canvas_csv([]), REPORT, engine="dask")


@pytest.mark.parametrize("is_owned", [False, True])
def test_numbers_are_not_copied_if_only_the_frame_has_them(is_owned: bool) -> None:
    table = pa.table({"whole": [1, 2, 3], "at": pa.array([1, 2, 3], pa.timestamp("us", tz="UTC"))})
    numbers = np.frombuffer(table["whole"].chunk(0).buffers()[1], np.int64)
    frame = to_pandas(table, is_owned=is_owned)
    is_same = np.shares_memory(frame["whole"].to_numpy("int64"), numbers)
    assert is_same == (is_owned and not pd.__version__.startswith("2."))  # pandas 2 copies what is inserted
    frame.iloc[0, 1] = frame.iloc[2, 1]
    assert (frame["whole"].tolist(), frame["at"].astype("int64").tolist()) == ([1, 2, 3], [3, 2, 3])
    assert table["at"].cast(pa.int64()).to_pylist() == [1, 2, 3]


def test_text_is_str_where_pandas_has_it_and_missing_text_is_nan() -> None:
    frame = crn.read_file(b"user id,user sis id,user name\n7,007,Ng\n8,,None\n", "last_user_access_csv")
    names, sis_ids = frame["user name"], frame["user sis id"]
    assert str(names.dtype) == ("string" if pd.__version__.startswith("2.2.") else "str")
    assert names.tolist() == ["Ng", "None"]
    assert sis_ids.tolist()[0] == "007"
    assert isinstance(sis_ids.tolist()[1], float)
    assert np.isnan(sis_ids.tolist()[1])


def test_columns_are_picked_in_the_wanted_order_and_each_once() -> None:
    assert pick(["a", "b", "c"], None) is None
    assert pick(["a", "b", "c"], ["c", "a"]) == ["c", "a"]
    assert pick(["a", "bc"], "bc") == ["bc"]
    with pytest.raises(
        crn.exceptions.ParameterError, match=r"columns= names 'a' more than once\.\nName each"
    ):
        pick(["a", "b"], ["a", "b", "a"])
    with pytest.raises(crn.exceptions.UnknownColumnError, match=r"no column 'name'\.\n.*It has: names, b\."):
        pick(["names", "b"], ["name"])
