"""No cell of an exported frame begins a formula, and nothing else changes."""

import csv
import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.analysis.excel.spreadsheets import for_spreadsheet

from .conftest import HARMLESS, HOSTILE

SIGNS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
risky = st.text(st.sampled_from([*SIGNS, *" '\"`\u200b\u00a0", *"a1.,"]), max_size=6)
cells = st.lists(st.none() | risky | st.text(max_size=4), min_size=1, max_size=8)


@pytest.mark.parametrize("text", [*HOSTILE, "\r=1"])
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert for_spreadsheet(pd.DataFrame({"name": [text]}))["name"].tolist() == [f"'{text}"]
    assert for_spreadsheet(pl.DataFrame({"name": [text]}))["name"].to_list() == [f"'{text}"]


@pytest.mark.parametrize("text", ["", *HARMLESS])
def test_other_text_is_unchanged(text: str) -> None:
    assert for_spreadsheet(pd.DataFrame({"name": [text]}))["name"].tolist() == [text]
    assert for_spreadsheet(pl.DataFrame({"name": [text]}))["name"].to_list() == [text]


@given(cells, st.sampled_from(["str", "object", "category", "string"]))
def test_no_cell_is_a_formula_and_none_is_lost(texts: list[str | None], dtype: str) -> None:
    frame = pd.DataFrame({"name": pd.Series(texts, dtype=dtype), "user id": range(len(texts))})
    frame.attrs["canvas_report"] = {"run_id": 7}
    before = frame.copy(deep=True)
    safe = for_spreadsheet(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert (safe.dtypes.astype(str) == frame.dtypes.astype(str)).all()
    assert safe.attrs == frame.attrs
    pd.testing.assert_series_equal(safe["user id"], frame["user id"])
    for was, made in zip(frame["name"], safe["name"], strict=True):
        if pd.isna(was):
            assert pd.isna(made)
            continue
        assert made in {was, f"'{was}"}
        bare = made.lstrip(' "`\u200b\u00a0')
        runs = bare[:1] in set(SIGNS) and not made.lstrip("+-").replace(",", "").replace(".", "").isdecimal()
        assert not (made and runs), made
    # Different texts stay different: an apostrophe taken off again gives back each.
    assert safe["name"].nunique() == frame["name"].nunique()
    assert for_spreadsheet(pl.from_pandas(frame[["name"]]))["name"].to_list() == [
        None if pd.isna(made) else made for made in safe["name"]
    ]


def test_other_kinds_are_unchanged() -> None:
    frame = pd.DataFrame(
        {
            "id": pd.array([-70000000000000481, None], dtype="Int64"),
            "score": pd.array([-0.5, None], dtype="Float64"),
            "done": pd.array([True, None], dtype="boolean"),
            "at": pd.to_datetime(["2026-03-02T09:14:07", None]),
            "days": [-np.float32(1), np.float32(2)],
            "many": [["=1"], -3],
        }
    )
    pd.testing.assert_frame_equal(for_spreadsheet(frame), frame)
    pd.testing.assert_frame_equal(for_spreadsheet(frame[[]]), frame[[]])
    assert for_spreadsheet(pl.from_pandas(frame.drop(columns="many"))).equals(
        pl.from_pandas(frame.drop(columns="many"))
    )


@pytest.mark.parametrize("zone", ["UTC", "America/Denver"])
def test_times_lose_their_zone_but_not_their_instant(zone: str) -> None:
    moment = pd.Timestamp("2026-03-02T16:14:07.123456Z").tz_convert(zone)
    times = pd.Series([moment, pd.NaT], dtype=f"datetime64[us, {zone}]")
    # A copy, because pandas 3.0 writes into the series that it converts.
    arrow = times.copy().astype(pd.ArrowDtype(pa.timestamp("us", tz=zone)))
    frame = pd.DataFrame({"seen": times, "arrow": arrow, "date": pd.to_datetime(["2026-03-02", None])})
    frame.index = pd.DatetimeIndex(times, name="=when")
    safe = for_spreadsheet(frame)
    expected = [pd.Timestamp("2026-03-02T16:14:07.123456"), pd.NaT]
    assert safe["seen"].tolist() == expected
    assert safe["arrow"].astype("datetime64[us]").tolist() == expected
    assert safe.index.tolist() == expected
    assert safe["date"].tolist() == frame["date"].tolist()
    from_polars = for_spreadsheet(pl.DataFrame({"seen": [moment, None]}))
    assert from_polars["seen"].to_list() == [expected[0], None]
    assert from_polars.schema["seen"] == pl.Datetime("us")


def test_names_and_index_are_escaped() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["=title", "=title"], index=["@a", "b"])
    safe = for_spreadsheet(frame)
    assert list(safe.columns) == ["'=title", "'=title"]
    assert list(safe.index) == ["'@a", "b"]
    grouped = pd.DataFrame({"n": [1]}, index=pd.MultiIndex.from_tuples([("=a", 7)], names=["+who", "id"]))
    assert for_spreadsheet(grouped).index.tolist() == [("'=a", 7)]
    assert for_spreadsheet(grouped).index.names == ["'+who", "id"]
    enumeration = pl.DataFrame({"=e": pl.Series(["=a", "b"], dtype=pl.Enum(["=a", "b"]))})
    assert for_spreadsheet(enumeration).to_dict(as_series=False) == {"'=e": ["'=a", "b"]}


@given(st.lists(risky, min_size=1, max_size=4))
def test_a_quoted_csv_holds_no_cell_that_begins_a_formula(texts: list[str]) -> None:
    frame = pd.DataFrame({"name": texts, "=n": range(len(texts))})
    written = for_spreadsheet(frame).to_csv(index=False, quoting=csv.QUOTE_ALL)
    for row in csv.reader(io.StringIO(written, newline="")):
        for cell in row:
            assert (
                cell[:1] not in set(SIGNS)
                or cell.lstrip("+-").strip(".,").replace(".", "").replace(",", "").isdecimal()
            )
