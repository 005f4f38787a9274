"""Two frames matched row by row on a key and compared column by column.

Only the key columns are joined; of the others, one column per side is converted at a time. Two frames of
millions of rows therefore never need a third as wide as both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import polars as pl

from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, to_lazy

Rows: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

_ROW, _OTHER_ROW = "row", "other row"
_TEXTS = (pl.String, pl.Categorical, pl.Enum)
_CELLS = {"at": pl.UInt32, "place": pl.Int32, "column": pl.String, "before": pl.String, "after": pl.String}


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences: row numbers, changed cells, ambiguous keys and counts, as in `Diff`."""

    added: Rows
    removed: Rows
    changed: pl.DataFrame
    ambiguous: pl.DataFrame
    counts: dict[str, int]
    by_column: dict[str, int]


class Side:
    """One of the two frames, of any kind, read one column at a time."""

    def __init__(self, frame: Any) -> None:
        import narwhals as nw  # noqa: PLC0415 - only analyses need it

        # A query may return its rows in another order each time, so row numbers need one collected result.
        is_query = isinstance(frame, pl.LazyFrame) or nw.dependencies.is_dask_dataframe(frame)
        self._frame = nw.from_native(to_lazy(frame).collect() if is_query else frame, eager_only=True)
        self.names: list[str] = self._frame.columns
        self.height = len(self._frame)

    def column(self, name: str) -> pl.Series:
        """Return one column as polars."""
        return to_lazy(self._frame.select(name).to_native()).collect().to_series()

    def rows(self, numbers: Rows, kind: FrameT) -> FrameT:
        """Return whole rows as another frame's kind, with their own dtypes if this side is of that kind."""
        picked: Any = self._frame[numbers].to_native()
        return picked if type(picked) is type(kind) else as_kind_of(to_lazy(picked), kind)


def compare(older: Side, newer: Side, key: Sequence[str]) -> Changes:
    """Match the rows of two frames on a key, and compare their common columns cell by cell."""
    names = [f"key {place}" for place in range(len(key))]
    pairs = [_comparable(older.column(name), newer.column(name)) for name in key]
    old, new = (keys.with_row_index(_ROW).cast({_ROW: pl.Int64}) for keys in _sides(names, pairs))
    ambiguous = _ambiguous_keys(old, new, names)
    matched = _match(old, new, names, ambiguous)
    loose_old, loose_new = (_rows_with(side, names, ambiguous) for side in (old, new))
    odd_old, odd_new = _unpaired(older, newer, loose_old, loose_new)
    removed = np.concatenate([_others(older.height, matched[_ROW].to_numpy(), loose_old), odd_old])
    added = np.concatenate([_others(newer.height, matched[_OTHER_ROW].to_numpy(), loose_new), odd_new])
    changed, by_column = _changed_cells(older, newer, matched, key)
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
        ambiguous=ambiguous.rename(dict(zip(names, key, strict=True))),
        counts=counts,
        by_column=by_column,
    )


def _sides(names: list[str], pairs: list[tuple[pl.Series, pl.Series]]) -> list[pl.DataFrame]:
    """Return both sides of pairs of columns as two frames."""
    columns = list(zip(names, pairs, strict=True))
    return [pl.DataFrame([pair[side].alias(name) for name, pair in columns]) for side in (0, 1)]


def _ambiguous_keys(old: pl.DataFrame, new: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return the keys that are blank or repeated in one of the frames, with their number of rows in each."""
    blank = pl.all_horizontal(pl.col(names).is_null())
    repeated = (pl.col(names[0]) if len(names) == 1 else pl.struct(names)).is_duplicated()
    found = [side.filter(blank | repeated).select(names) for side in (old, new)]
    keys = pl.concat(found).unique(maintain_order=True)
    for label, side in (("older", old), ("newer", new)):
        rows = side.join(keys, on=names, how="semi", nulls_equal=True) if len(keys) else side.clear()
        count = rows.group_by(names).agg(pl.len().cast(pl.Int64).alias(label))
        keys = keys.join(count, on=names, how="left", nulls_equal=True, maintain_order="left")
    return keys.with_columns(pl.col("older", "newer").fill_null(0))


def _match(old: pl.DataFrame, new: pl.DataFrame, names: list[str], ambiguous: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of row numbers of the rows that both frames have, in the order of the newer."""
    if len(ambiguous):
        old = old.join(ambiguous, on=names, how="anti", nulls_equal=True)
    both = new.rename({_ROW: _OTHER_ROW}).join(old, on=names, how="inner", nulls_equal=True)
    return both.select(_ROW, _OTHER_ROW).sort(_OTHER_ROW)


def _rows_with(side: pl.DataFrame, names: list[str], keys: pl.DataFrame) -> Rows:
    if not len(keys):
        return np.empty(0, dtype=np.int64)
    return side.join(keys, on=names, how="semi", nulls_equal=True)[_ROW].sort().to_numpy()


def _others(height: int, matched: Rows, loose: Rows) -> Rows:
    others = np.ones(height, dtype=np.bool_)
    others[matched] = False
    others[loose] = False
    return np.flatnonzero(others)


def _unpaired(older: Side, newer: Side, loose_old: Rows, loose_new: Rows) -> tuple[Rows, Rows]:
    """Return the rows with an ambiguous key that the other frame has less often, compared whole."""
    common = [name for name in older.names if name in newer.names]
    if not common or not len(loose_old) or not len(loose_new):
        return loose_old, loose_new
    names = [f"cell {place}" for place in range(len(common))]
    pairs = [
        _comparable(older.column(name).gather(loose_old), newer.column(name).gather(loose_new))
        for name in common
    ]
    old, new = (
        cells.with_columns(pl.int_range(pl.len()).over(names).alias("nth"), pl.Series(_ROW, rows))
        for cells, rows in zip(_sides(names, pairs), (loose_old, loose_new), strict=True)
    )
    on = [*names, "nth"]
    left = old.join(new, on=on, how="anti", nulls_equal=True)[_ROW].to_numpy()
    right = new.join(old, on=on, how="anti", nulls_equal=True)[_ROW].to_numpy()
    return left, right


def _changed_cells(
    older: Side, newer: Side, matched: pl.DataFrame, key: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return every cell that differs, with its place in ``matched``, and their number per column."""
    pieces, by_column = [pl.DataFrame(schema=_CELLS)], {}
    common = [name for name in newer.names if name in older.names and name not in key]
    for place, name in enumerate(common):
        before = older.column(name).gather(matched[_ROW])
        after = newer.column(name).gather(matched[_OTHER_ROW])
        left, right = _comparable(before, after)
        at = left.ne_missing(right).arg_true()
        if len(at):
            by_column[name] = len(at)
            texts = {"before": _as_text(before.gather(at)), "after": _as_text(after.gather(at))}
            piece = pl.DataFrame({"at": at, "place": place, "column": name, **texts})
            pieces.append(piece.cast(cast("Any", _CELLS)))
    cells = pl.concat(pieces).sort("at", "place").drop("place")
    numbers = matched[_OTHER_ROW].gather(cells["at"])
    keys = pl.DataFrame([newer.column(name).gather(numbers).alias(name) for name in key])
    return keys.hstack(cells), by_column


def _comparable(left: pl.Series, right: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return two columns in one type in which only equal cells are equal."""
    left, right = _plain(left), _plain(right)
    if left.dtype == right.dtype:
        return left, right
    return _normalized(left, right.dtype), _normalized(right, left.dtype)


def _plain(column: pl.Series) -> pl.Series:
    """Return any kind of text as text, and NaN and an empty pair of quotes as missing."""
    if column.dtype in _TEXTS:
        text = column.cast(pl.String)
        return text.set(text == "", None) if (text.str.len_bytes() == 0).any() else text
    return column.fill_nan(None) if column.dtype.is_float() else column


def _normalized(column: pl.Series, other: pl.DataType) -> pl.Series:
    """Return a column as text, spelled as a column of the other type would be."""
    if column.dtype == pl.String and (other.is_float() or other == pl.Datetime):
        values = column.cast(pl.Float64, strict=False) if other.is_float() else _times(column)
        return pl.select(pl.coalesce(_normalized(values, column.dtype), column)).to_series()
    if column.dtype == pl.String and other == pl.Boolean:
        # Canvas writes true, pandas True.
        lowered = column.str.to_lowercase()
        truth = pl.when(lowered.is_in(["true", "false"])).then(lowered)
        return pl.select(truth.otherwise(column)).to_series()
    if column.dtype.is_float():
        # As integers first, because neighboring 17-digit ids are equal as floats.
        whole = column.cast(pl.Int64, strict=False)
        text = pl.when(whole.cast(pl.Float64) == column).then(whole.cast(pl.String))
        return pl.select(text.otherwise(column.cast(pl.Float64).cast(pl.String))).to_series()
    return _as_text(column)


def _times(texts: pl.Series) -> pl.Series:
    iso = texts.str.replace(" UTC$", "Z").str.replace(" ", "T")
    return iso.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def _as_text(column: pl.Series) -> pl.Series:
    """Return a column as text, times in ISO 8601 and in UTC if they have a zone."""
    if isinstance(column.dtype, pl.Datetime):
        zoned = column.dtype.time_zone is not None
        universal = column.dt.convert_time_zone("UTC") if zoned else column
        return universal.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if zoned else ""))
    return _plain(column).cast(pl.String)
