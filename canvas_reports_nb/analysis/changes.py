"""Two frames matched row by row on a key, and compared column by column.

Only the key's columns are joined. Of the rest one column of either side is in hand at a time, so that two
frames of millions of rows never stand beside a third that is as wide as both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import polars as pl

from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, to_lazy

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

_ROW, _OTHER_ROW = "row", "other row"
_TEXTS = (pl.String, pl.Categorical, pl.Enum)


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs.

    Attributes
    ----------
    added, removed : array of int
        Row numbers in the newer and in the older frame.
    changed : polars.DataFrame
        Key columns, ``column``, ``before``, ``after``: one row a cell.
    ambiguous : polars.DataFrame
        Key columns, ``older``, ``newer``: keys that several rows share, and the wholly blank one.
    counts, by_column : dict
    """

    added: Rows
    removed: Rows
    changed: pl.DataFrame
    ambiguous: pl.DataFrame
    counts: dict[str, int]
    by_column: dict[str, int]


class Side:
    """One of the two frames, whatever its kind, a column at a time."""

    def __init__(self, frame: Any) -> None:
        import narwhals as nw  # noqa: PLC0415 - only analyses need it

        once = isinstance(frame, pl.LazyFrame) or nw.dependencies.is_dask_dataframe(frame)
        # A query may give its rows in another order each time, and row numbers must stay what they were.
        self._held = nw.from_native(to_lazy(frame).collect() if once else frame, eager_only=True)
        self.names: list[str] = self._held.columns
        self.height = len(self._held)

    def column(self, name: str) -> pl.Series:
        """One column as polars."""
        return to_lazy(self._held.select(name).to_native()).collect().to_series()

    def rows(self, numbers: Rows, kind: FrameT) -> FrameT:
        """Whole rows, as the kind of a frame; where this side is of that kind, with its own dtypes."""
        picked: Any = self._held[numbers].to_native()
        return picked if type(picked) is type(kind) else as_kind_of(to_lazy(picked), kind)


def compare(older: Side, newer: Side, key: Sequence[str]) -> Changes:
    """Match the rows of two frames on a key, and compare their common columns cell by cell."""
    pairs = [_alike(older.column(name), newer.column(name)) for name in key]
    names = [f"key {place}" for place in range(len(key))]
    old, new = (
        pl.DataFrame([pair[side].alias(name) for name, pair in zip(names, pairs, strict=True)])
        .with_row_index(_ROW)
        .cast({_ROW: pl.Int64})
        for side in (0, 1)
    )
    unclear = _unclear(old, new, names)
    matched = _matched(old, new, names, unclear)
    loose_old, loose_new = (_loose(side, names, unclear) for side in (old, new))
    odd_old, odd_new = _odd(older, newer, loose_old, loose_new)
    removed = np.concatenate([_rest(older.height, matched[_ROW].to_numpy(), loose_old), odd_old])
    added = np.concatenate([_rest(newer.height, matched[_OTHER_ROW].to_numpy(), loose_new), odd_new])
    changed, by_column = _changed(older, newer, matched, key)
    rows = changed["at"].n_unique()
    counts = {
        "added": len(added),
        "removed": len(removed),
        "changed": rows,
        "unchanged": matched.height - rows + len(loose_new) - len(odd_new),
        "cells": changed.height,
        "ambiguous_older": len(loose_old),
        "ambiguous_newer": len(loose_new),
    }
    return Changes(
        added=np.sort(added),
        removed=np.sort(removed),
        changed=changed.drop("at"),
        ambiguous=unclear.rename(dict(zip(names, key, strict=True))),
        counts=counts,
        by_column=by_column,
    )


def _unclear(old: pl.DataFrame, new: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The keys that name no single row in one of the frames, and how often either has them."""
    blank = pl.all_horizontal(pl.col(names).is_null())
    found = [
        side.filter(blank | (pl.col(names[0]) if len(names) == 1 else pl.struct(names)).is_duplicated())
        for side in (old, new)
    ]
    keys = pl.concat(side.select(names) for side in found).unique(maintain_order=True)
    for label, side in (("older", old), ("newer", new)):
        held = side.join(keys, on=names, how="semi", nulls_equal=True) if len(keys) else side.clear()
        count = held.group_by(names).agg(pl.len().cast(pl.Int64).alias(label))
        keys = keys.join(count, on=names, how="left", nulls_equal=True, maintain_order="left")
    return keys.with_columns(pl.col("older", "newer").fill_null(0))


def _matched(old: pl.DataFrame, new: pl.DataFrame, names: list[str], unclear: pl.DataFrame) -> pl.DataFrame:
    """The row numbers, in both frames, of each row that both have; in the order of the newer."""
    if len(unclear):
        old = old.join(unclear, on=names, how="anti", nulls_equal=True)
    both = new.rename({_ROW: _OTHER_ROW}).join(old, on=names, how="inner", nulls_equal=True)
    return both.select(_ROW, _OTHER_ROW).sort(_OTHER_ROW)


def _loose(side: pl.DataFrame, names: list[str], unclear: pl.DataFrame) -> Rows:
    if not len(unclear):
        return np.empty(0, dtype=np.int64)
    return side.join(unclear, on=names, how="semi", nulls_equal=True)[_ROW].sort().to_numpy()


def _rest(height: int, matched: Rows, loose: Rows) -> Rows:
    left = np.ones(height, dtype=np.bool_)
    left[matched] = False
    left[loose] = False
    return np.flatnonzero(left)


def _odd(older: Side, newer: Side, loose_old: Rows, loose_new: Rows) -> tuple[Rows, Rows]:
    """Of the rows without a key of their own, those that the other frame does not have as often."""
    common = [name for name in older.names if name in newer.names]
    pairs = [
        _alike(older.column(name).gather(loose_old), newer.column(name).gather(loose_new))
        for name in (common if len(loose_old) and len(loose_new) else [])
    ]
    if not pairs:
        return loose_old, loose_new
    names = [f"cell {place}" for place in range(len(pairs))]
    sides = [
        pl.DataFrame([pair[side].alias(name) for name, pair in zip(names, pairs, strict=True)])
        .with_columns(pl.int_range(pl.len()).over(names).alias("nth"))
        .with_columns(pl.Series(_ROW, rows))
        for side, rows in ((0, loose_old), (1, loose_new))
    ]
    on = [*names, "nth"]
    left, right = (
        mine.join(other, on=on, how="anti", nulls_equal=True)[_ROW].to_numpy()
        for mine, other in (sides, reversed(sides))
    )
    return left, right


def _changed(
    older: Side, newer: Side, matched: pl.DataFrame, key: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Every cell that differs, and how many each column has; ``at`` is the place in ``matched``."""
    pieces, by_column = [], {}
    common = [name for name in newer.names if name in older.names and name not in key]
    for place, name in enumerate(common):
        before = older.column(name).gather(matched[_ROW])
        after = newer.column(name).gather(matched[_OTHER_ROW])
        left, right = _alike(before, after)
        at = left.ne_missing(right).arg_true()
        if len(at):
            by_column[name] = len(at)
            texts = {"before": _printed(before.gather(at)), "after": _printed(after.gather(at))}
            pieces.append(pl.DataFrame({"at": at, "place": place, "column": name, **texts}))
    made = {"at": pl.UInt32, "place": pl.Int32, "column": pl.String, "before": pl.String, "after": pl.String}
    cells = pl.concat([pl.DataFrame(schema=made), *(piece.cast(cast("Any", made)) for piece in pieces)])
    cells = cells.sort("at", "place").drop("place")
    numbers = matched[_OTHER_ROW].gather(cells["at"])
    return pl.DataFrame([newer.column(name).gather(numbers).alias(name) for name in key]).hstack(
        cells
    ), by_column


def _alike(left: pl.Series, right: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Two columns in one type, in which equal cells are equal and others are not."""
    if left.dtype != right.dtype or left.dtype.is_float():
        left, right = _plain(left), _plain(right)
    if left.dtype == right.dtype:
        return left, right
    return _spelled(left, right.dtype), _spelled(right, left.dtype)


def _plain(column: pl.Series) -> pl.Series:
    """Text for every kind of text, and one kind of missing."""
    if column.dtype in _TEXTS:
        return column.cast(pl.String)
    return column.fill_nan(None) if column.dtype.is_float() else column


def _spelled(column: pl.Series, other: pl.DataType) -> pl.Series:
    """A column as text, in the one spelling that a column of another type is brought to as well."""
    if column.dtype == pl.String and (other.is_float() or other == pl.Datetime):
        read = column.cast(pl.Float64, strict=False) if other.is_float() else _times(column)
        return pl.select(pl.coalesce(_spelled(read, column.dtype), column)).to_series()
    if column.dtype == pl.String and other == pl.Boolean:
        # Canvas writes true, pandas True.
        lowered = column.str.to_lowercase()
        truth = pl.when(lowered.is_in(["true", "false"])).then(lowered)
        return pl.select(truth.otherwise(column)).to_series()
    if column.dtype.is_float():
        # Through integers, for as a float one 17-digit id equals its neighbours.
        whole = column.cast(pl.Int64, strict=False)
        text = pl.when(whole.cast(pl.Float64) == column).then(whole.cast(pl.String))
        return pl.select(text.otherwise(column.cast(pl.Float64).cast(pl.String))).to_series()
    return _printed(column)


def _times(texts: pl.Series) -> pl.Series:
    iso = texts.str.replace(" UTC$", "Z").str.replace(" ", "T")
    return iso.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def _printed(column: pl.Series) -> pl.Series:
    """A column as text: times in ISO 8601, UTC where they have a zone."""
    if isinstance(column.dtype, pl.Datetime):
        zoned = column.dtype.time_zone is not None
        universal = column.dt.convert_time_zone("UTC") if zoned else column
        return universal.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if zoned else ""))
    return _plain(column).cast(pl.String)
