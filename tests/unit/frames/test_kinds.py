"""A text gets a type only if it has a single reading."""

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from canvas_reports_nb.frames.kinds import Contradiction, arrow_type, cast, offsets


def typed(kind: str, *cells: str | None, words: tuple[str, ...] = (), comma: Any = "none") -> Any:
    column: Any = SimpleNamespace(kind=kind, words=words)
    found = cast(pa.array(cells, pa.string()), column, comma=comma)
    if isinstance(found, Contradiction):
        return found.row, found.value
    assert found.type == arrow_type(column)
    return found.to_pylist()


@pytest.mark.parametrize(
    ("kind", "cells", "values"),
    [
        ("text", ("007", "", None), ["007", "", None]),
        ("canvas_id", ("10", "0", "-7", "", None), [10, 0, -7, None, None]),
        ("canvas_id", ("1", "2", "007", "08"), (3, "007")),
        ("canvas_id", ("1", "00"), (2, "00")),
        ("integer", ("5", "-0"), (2, "-0")),
        ("integer", ("5", "-05"), (2, "-05")),
        ("integer", ("9223372036854775808",), (1, "9223372036854775808")),
        ("integer", ("1.0",), (1, "1.0")),
        ("float", ("1", "2.5", "-0.5", ""), [1.0, 2.5, -0.5, None]),
        ("float", ("1", "NaN"), (2, "NaN")),
        ("float", ("inf",), (1, "inf")),
        ("float", ("1,5",), (1, "1,5")),
        ("boolean", ("true", "false", None, ""), [True, False, None, None]),
        ("boolean", ("true", "1"), (2, "1")),
        ("timestamp", ("0000-12-31T23:59:59Z",), (1, "0000-12-31T23:59:59Z")),
        ("timestamp", ("9999-12-31T23:59:59-07:00",), (1, "9999-12-31T23:59:59-07:00")),
        ("enum", ("active", "", None, "active"), ["active", None, None, "active"]),
        ("enum", ("active", "deleted"), ["active", "deleted"]),
        ("canvas_id", (None, None), [None, None]),
    ],
)
def test_a_column_is_typed_or_its_first_contradiction_named(
    kind: str, cells: tuple[str | None, ...], values: Any
) -> None:
    assert typed(kind, *cells) == values
    if isinstance(values, tuple):
        # Halving finds it wherever it is.
        right = next((cell for cell in cells[:-1] if cell), None)
        assert typed(kind, *[right] * 20, values[1], *[right] * 7) == (21, values[1])


def test_times_are_instants() -> None:
    times = typed("timestamp", "2026-03-02T09:14:07-07:00", "2026-03-02 16:14:07 UTC", "0001-01-01T00:00:00Z")
    assert [time.isoformat() for time in times] == [
        *["2026-03-02T16:14:07+00:00"] * 2,
        "0001-01-01T00:00:00+00:00",
    ]
    assert offsets(pa.array(["2026-03-02T09:14:07-07:00", "x Z", "2 UTC", None, ""])) == {
        "-07:00",
        "Z",
        "UTC",
    }


def test_the_words_of_a_column_are_missing_values() -> None:
    assert typed("float", "n/a", "1", words=("n/a", "-")) == [None, 1.0]
    assert typed("float", "1", "x", words=("n/a",)) == (2, "x")
    assert typed("canvas_id", "none", "7", words=("none",)) == [None, 7]


@pytest.mark.parametrize(
    ("comma", "cell", "value"),
    [
        ("decimal", "1,000", 1.0),
        ("decimal", "-12,5", -12.5),
        ("unclear", "12,5", 12.5),
        ("unclear", "12,5678", 12.5678),
        ("unclear", "0,500", 0.5),
        ("unclear", ",500", 0.5),
        ("unclear", "1,000", None),
        ("none", "12,5", None),
        ("decimal", "1,000,000", None),
    ],
)
def test_a_comma_is_read_where_it_has_one_meaning(comma: Any, cell: str, value: float | None) -> None:
    assert typed("float", cell, comma=comma) == ((1, cell) if value is None else [value])
    assert typed("integer", cell, comma=comma) == (1, cell)


def test_cells_that_have_their_type_stay_as_they_are() -> None:
    column: Any = SimpleNamespace(kind="enum", words=())
    cells = pa.array(["a", "", "a"]).dictionary_encode()
    assert cast(cells, column).to_pylist() == ["a", None, "a"]
    kept = pa.array(["a", "b"]).dictionary_encode()
    assert cast(kept, column) is kept
    assert cast(text := pa.array(["007", ""]), None) is text
