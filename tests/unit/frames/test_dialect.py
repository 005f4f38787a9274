"""Arrow's reader and ours split every file into the same cells, wherever its blocks end."""

import csv
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.frames import csv_members, reading
from canvas_reports_nb.frames.dialect import Dialect, Utf8Blocks, read_dialect, split_records

Rows = list[list[str | None]]
CELLS = st.none() | st.text(st.sampled_from([*'\r\n",;\t a', "é", "漢", "🏫", "\ufeff", "\x85"]), max_size=6)
TABLES = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=20)
)


def written(rows: Rows, delimiter: str, end: str) -> str:
    def cell(text: str | None) -> str:
        return "" if text is None else '"' + text.replace('"', '""') + '"'

    return "".join(delimiter.join(map(cell, row)) + end for row in rows)


def table(data: bytes, encoding: str | None = None) -> Rows:
    read = crn.read_file(data, "own_report_csv", engine="arrow", encoding=encoding)
    return [list(row) for row in zip(*read.to_pydict().values(), strict=True)]


@pytest.fixture(scope="module", params=[40, 64, 101, 1 << 20])
def block(request: pytest.FixtureRequest) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_BLOCK", request.param)
        yield request.param


@settings(max_examples=150)
@given(
    TABLES,
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([None, "utf-16", "utf-16-le", "utf-8-sig"]),
)
def test_no_cell_is_damaged_at_the_end_of_a_block(
    block: int, rows: Rows, delimiter: str, end: str, encoding: str | None
) -> None:
    header: Rows = [["first", "second", "third", "fourth"][: len(rows[0]) if rows else 2]]
    text = written([*header, *rows], delimiter, end)
    data = text.encode(encoding or "utf-8")
    # With one column that is text in every file, no row of the file is a blank line.
    assert table(data, encoding if encoding == "utf-16-le" else None) == rows


@settings(max_examples=300)
@given(st.text(st.sampled_from('",\r\n a'), max_size=40))
@example('a"b,"c"d\n')
@example('"a"b"c",d\n')
@example('"a\n')
def test_both_readers_agree_on_any_text(text: str) -> None:
    (member,) = csv_members(f"first,second\n{text}".encode(), "own.csv")
    dialect = read_dialect(member)
    plan = reading._plan(member, dialect, None, {}, "text", locale=False)
    facts = reading.Facts(dialect)
    try:
        batches = list(reading._batches(member, plan, facts))
    except pa.ArrowInvalid:
        return  # then only the slow reader counts
    fast = [list(row.values()) for batch in batches for row in batch.to_pylist()]
    slow = [row for row in list(split_records(io.StringIO(text, newline=""), ",")) if row]
    assert fast == slow


@settings(max_examples=300)
@given(st.text(st.sampled_from('",\r\n a'), max_size=40), st.sampled_from(",a"))
def test_our_splitting_is_that_of_the_standard_library(text: str, delimiter: str) -> None:
    ours = [[cell or "" for cell in row] for row in split_records(io.StringIO(text, newline=""), delimiter)]
    assert ours == list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\xff", b"\r")), st.integers(1, 9))
def test_blocks_hold_the_whole_file_and_none_ends_on_cr(data: bytes, size: int) -> None:
    blocks = Utf8Blocks(io.BytesIO(data), Dialect("utf-8", ",", (), has_rows=True))
    found = list(iter(lambda: blocks.read(size), b""))
    assert b"".join(found) == data
    assert not any(piece.endswith(b"\r") for piece in found[:-1])


@pytest.mark.parametrize("place", range(-2, 3))
@pytest.mark.parametrize("mark", ["\r\n", '""', "é", "🏫", "\n"])
def test_a_mark_across_the_border_of_a_real_block(tmp_path: Path, mark: str, place: int) -> None:
    start = b"first,second\n"
    filler = b"x" * 998 + b",\n"
    count = (reading._BLOCK - len(start)) // len(filler)
    short = reading._BLOCK - len(start) - count * len(filler)
    cell = "y" * (short - 1 + place)
    path = tmp_path / "own.csv"
    path.write_bytes(start + filler * count + f'"{cell}{mark}z",\n'.encode() + filler)
    last = table(path.read_bytes())[-2]
    assert last == [f"{cell}{mark.replace(chr(34) * 2, chr(34))}z", None]
    frame = crn.read_file(path, "own_report_csv", engine="polars")
    assert frame["first"][-2] == last[0]
