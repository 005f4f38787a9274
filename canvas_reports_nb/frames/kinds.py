"""From the text of a column to the type of its kind, or to the first value that contradicts it.

A cell is never damaged: a value gets a type only if its text has a single reading, and an id only if printing the
number gives the same text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from canvas_reports_nb.frames.proof import FALSE, TRUE

if TYPE_CHECKING:
    from canvas_reports_nb.catalog.schemas import Column, Kind

TEXT = pa.string()
TIME = pa.timestamp("us", tz="UTC")
_CATEGORY = pa.dictionary(pa.int32(), TEXT)
#: What a comma in a number means: nothing; a decimal sign unless it could separate thousands; a decimal sign.
Comma: TypeAlias = Literal["none", "unclear", "decimal"]
# In "1,000", the comma could separate thousands, but not in "0,500".
_DECIMAL_COMMAS: dict[Comma, tuple[str, ...]] = {
    "none": (),
    "unclear": ("^([+-]?[0-9]*),([0-9]{1,2}|[0-9]{4,})$", "^([+-]?0?),([0-9]{3})$"),
    "decimal": ("^([+-]?[0-9]*),([0-9]+)$",),
}
# Microseconds from 1970 to the beginning of year 1 and to the end of year 9999.
_FIRST_TIME, _LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999
_BOOLEANS = pa.array([*TRUE, *FALSE])

_TYPES: dict[Kind, pa.DataType] = {
    "canvas_id": pa.int64(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": TIME,
    "enum": _CATEGORY,
}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The first value of a column that its kind can't hold; rows count from 1, without the header."""

    row: int
    value: str


def arrow_type(column: Column | None) -> pa.DataType:
    """Return the Arrow type of a column's kind; text for an unknown column."""
    return TEXT if column is None else _TYPES.get(column.kind, TEXT)


def cast(cells: pa.Array, column: Column | None, *, comma: Comma = "none") -> pa.Array | Contradiction:
    """Type one piece of a column that is not typed yet; the row of a contradiction counts within the piece.

    A blank cell is ``null``, an empty pair of quotes ``""``.
    """
    wanted = arrow_type(column)
    if wanted == _CATEGORY:
        return _category(cells)
    if wanted == cells.type:
        return cells
    present = _present(cells, column)
    for pattern in _DECIMAL_COMMAS[comma] if wanted == pa.float64() else ():
        present = pc.replace_substring_regex(present, pattern, r"\1.\2")
    if wanted == TIME and _any(pc.ends_with(present, " UTC")):
        present = pc.replace_substring_regex(present, " UTC$", "Z")
    typed = _typed(present, wanted)
    return typed if typed is not None else _first(cells, present, wanted)


def _present(cells: pa.Array, column: Column | None) -> pa.Array:
    """Return the cells without empty quotes and the column's documented words, which are missing values."""
    if pc.min(pc.binary_length(cells)).as_py() == 0:
        cells = pc.if_else(pc.equal(cells, ""), None, cells)
    if column is not None and column.words:
        cells = pc.if_else(pc.is_in(cells, pa.array(column.words, TEXT)), None, cells)
    return cells


def _category(cells: pa.Array) -> pa.Array:
    """Return an enumeration, in which an empty pair of quotes is missing, too."""
    values = cells.dictionary if cells.type == _CATEGORY else cells
    if _any(pc.equal(values, "")):
        cells = cells.cast(TEXT)
        cells = pc.if_else(pc.equal(cells, ""), None, cells)
    return cells if cells.type == _CATEGORY else cells.dictionary_encode()


def _typed(cells: pa.Array, wanted: pa.DataType) -> pa.Array | None:
    """Return the cells in the wanted type, or ``None`` if one of them does not fit."""
    # Arrow would also accept "1" and "0" as booleans, but here they are numbers.
    if wanted == pa.bool_() and _any(pc.and_(pc.is_valid(cells), pc.invert(pc.is_in(cells, _BOOLEANS)))):
        return None
    try:
        typed = cells.cast(wanted)
    except pa.ArrowInvalid:
        return None
    if wanted == pa.int64() and _has_leading_zero(cells, typed):
        return None
    if wanted == TIME and not _are_representable(typed):
        return None
    # Arrow would read "NaN" and "inf" as numbers, which a frame shows as missing.
    if wanted == pa.float64() and not pc.all(pc.is_finite(typed), min_count=0).as_py():
        return None
    return typed


def _has_leading_zero(cells: pa.Array, typed: pa.Array) -> bool:
    """Return whether printing a number would give another text: ``007``, ``-0``."""
    zero = pc.starts_with(cells, "0")
    if _any(zero) and _any(pc.and_(zero, pc.greater(pc.binary_length(cells), 1))):
        return True
    # A "-0..." is rare, so look for it only if some number is not positive.
    smallest = pc.min(typed).as_py()
    return smallest is not None and smallest <= 0 and _any(pc.starts_with(cells, "-0"))


def _are_representable(times: pa.Array) -> bool:
    """Return whether all times are in the years 1 to 9999 in UTC; no other tool can show others."""
    ends = pc.min_max(times.cast(pa.int64())).as_py()
    return ends["min"] is None or (ends["min"] >= _FIRST_TIME and ends["max"] <= _LAST_TIME)


def _any(marks: pa.Array) -> bool:
    return bool(pc.any(marks, min_count=0).as_py())


def _first(cells: pa.Array, present: pa.Array, wanted: pa.DataType) -> Contradiction:
    """Halve the cells until one is left; only a cast shows what a cast accepts."""
    low, high = 0, len(present)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _typed(present[low:middle], wanted) is None else (middle, high)
    return Contradiction(low + 1, cells[low].as_py())


def offsets(cells: pa.Array) -> set[str]:
    """Return the UTC offsets in a column of times: ``-07:00``, ``Z``, ``UTC``."""
    tails = filter(None, pc.unique(pc.utf8_slice_codeunits(cells, -6)).to_pylist())
    return {next((end for end in ("Z", "UTC") if tail.endswith(end)), tail) for tail in tails}
