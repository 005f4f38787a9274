"""Columns that grow piece by piece hold what the pieces hold, and become a frame that can be changed."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from canvas_reports_nb.frames import engines
from canvas_reports_nb.frames.gathering import Gathered

ENUM = pa.dictionary(pa.int32(), pa.string())
KINDS = [
    (pa.int64(), lambda n: n * 2**52 - 5),
    (pa.float64(), lambda n: n / 3),
    (pa.bool_(), lambda n: n % 2 == 0),
    (pa.timestamp("us", tz="UTC"), lambda n: n * 10**6),
    (pa.string(), lambda n: f"{n:03}\n"),
    (ENUM, lambda n: f"word {n % 3}"),
    (ENUM, lambda n: f"word {n}"),
]


def column(kind: pa.DataType, made: Callable[[int], Any], rows: range, *, missing: int) -> pa.Array:
    values = [None if missing and n % missing == 0 else made(n) for n in rows]
    # Slices, as the parts of a batch are, begin within their buffers.
    array = pa.array([None, *values], kind.value_type if kind == ENUM else kind)
    return (array.dictionary_encode() if kind == ENUM else array)[1:]


@pytest.mark.parametrize("missing", [0, 1, 7])
@pytest.mark.parametrize(("kind", "made"), KINDS)
def test_pieces_become_one_column(kind: pa.DataType, made: Callable[[int], Any], missing: int) -> None:
    schema = pa.schema([("a", kind), ("b", pa.string())])
    whole = Gathered(schema, lambda name: name == "a")
    pieces = []
    for rows, gaps in ((range(2), 0), (range(2, 2), missing), (range(2, 200), missing), (range(200, 205), 0)):
        piece = column(kind, made, rows, missing=gaps)
        pieces.append(piece)
        texts = pa.array(["not wanted"] * len(piece))
        whole.add(pa.table([pa.chunked_array([piece], kind), texts], schema=schema))
    (name, found), *others = whole.columns().items()
    expected = [value for piece in pieces for value in piece.to_pylist()]
    assert (name, others, found.to_pylist()) == ("a", [], expected)
    found.validate(full=True)
    wanted = pa.chunked_array(pieces, kind).unify_dictionaries()
    owned = engines.to_pandas(pa.table({"a": found}), is_owned=True)
    copied = engines.to_pandas(pa.table({"a": wanted}))
    assert owned.equals(copied)
    assert owned.dtypes.tolist() == copied.dtypes.tolist()
    assert pl.Series(found.cast(kind)).to_list() == expected
    owned.iloc[1:3, 0] = owned.iloc[0, 0]
    assert owned.iloc[2, 0] == copied.iloc[0, 0]
    assert copied.equals(engines.to_pandas(pa.table({"a": wanted})))


def test_no_piece_is_an_empty_column() -> None:
    schema = pa.schema([(str(number), kind) for number, (kind, _) in enumerate(KINDS)])
    found = Gathered(schema, lambda _: True).columns()
    assert pa.table(found).cast(schema).num_rows == 0
    assert engines.to_pandas(pa.table(found), is_owned=True).shape == (0, len(KINDS))
