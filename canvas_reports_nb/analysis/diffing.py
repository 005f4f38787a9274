"""What changed between two runs of a table: rows added, rows removed, cells changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from canvas_reports_nb import _html
from canvas_reports_nb.analysis.changes import Side, compare
from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError, warn
from canvas_reports_nb.frames.describe import provenance_of, table_of
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, column_names

_RESERVED = frozenset({"column", "before", "after", "older", "newer", "at"})
_SHOWN = 12


@dataclass(frozen=True, repr=False)
class Diff(Generic[FrameT]):
    """The result of `diff`; its frames are of the kind of the newer one.

    Attributes
    ----------
    added, removed : frame
        Whole rows of the newer and of the older frame, in their order.
    changed : frame
        One row per changed cell: the key columns, then ``column``, ``before`` and ``after`` as text, missing if
        the cell is empty; in the order of the newer frame.
    ambiguous : frame
        One row per key that is blank or belongs to several rows: the key columns, then ``older`` and ``newer``,
        the number of its rows (Int64). Such rows are compared whole: rows that only one frame has are in
        ``added`` or ``removed``, never in ``changed``.
    key : tuple of str
    counts : dict
        Rows: ``added``, ``removed``, ``changed``, ``unchanged``, ``ambiguous_older``, ``ambiguous_newer``; and
        ``cells`` changed.
    by_column : dict
        Changed cells per column, for columns that have any.
    columns_added, columns_removed : tuple of str
        Columns that only one of the frames has; they are not compared.
    between : str
        The two runs, if the frames have provenance.
    """

    added: FrameT
    removed: FrameT
    changed: FrameT
    ambiguous: FrameT
    key: tuple[str, ...]
    counts: dict[str, int]
    by_column: dict[str, int]
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    between: str

    @property
    def _ambiguous_rows(self) -> int:
        return self.counts["ambiguous_older"] + self.counts["ambiguous_newer"]

    def __repr__(self) -> str:
        rows = {name: f"{count:,}" for name, count in self.counts.items()}
        parts = [
            f"{rows['added']} added",
            f"{rows['removed']} removed",
            f"{rows['changed']} changed (cells: {rows['cells']})",
            f"{rows['unchanged']} unchanged",
            f"{self._ambiguous_rows:,} rows ambiguous" if self._ambiguous_rows else "",
            f"new columns {', '.join(self.columns_added)}" if self.columns_added else "",
            f"lost columns {', '.join(self.columns_removed)}" if self.columns_removed else "",
        ]
        return f"Diff({', '.join(filter(None, parts))})"

    def _repr_html_(self) -> str:
        most = sorted(self.by_column.items(), key=lambda item: -item[1])[:_SHOWN]
        facts = [
            ("between", self.between),
            *(
                (f"rows {name}", f"{self.counts[name]:,}")
                for name in ("added", "removed", "changed", "unchanged")
            ),
            ("rows whose key is not unique", self._ambiguous_rows or None),
            ("new columns", ", ".join(self.columns_added)),
            ("lost columns", ", ".join(self.columns_removed)),
            ("compared on", ", ".join(self.key)),
        ]
        cells = _html.table(("column", "cells changed"), [(name, f"{count:,}") for name, count in most])
        return _html.card("What changed", _html.facts(facts), cells if most else "")


def diff(
    older: Any,
    newer: FrameT,
    *,
    report: str | None = None,
    table: str | None = None,
    key: str | Sequence[str] | None = None,
) -> Diff[FrameT]:
    """Compare two frames of one table, cell by cell, on the table's documented key.

    Parameters
    ----------
    older, newer : pandas, polars, Arrow or Dask frame
        Lazy and Dask frames are computed.
    report, table : str, optional
        The table they are, if neither their provenance nor their columns identify it.
    key : str or sequence of str, optional
        Columns that identify a row; by default the table's documented key, or the key of older files.

    Returns
    -------
    Diff

    Warns
    -----
    ReportWarning
        Some rows share their key or have a blank one; see `Diff.ambiguous`.

    Raises
    ------
    ParameterError
        The frames are of different tables, or of a table without a documented key.
    UnknownColumnError
        A frame lacks a column of the key.

    Notes
    -----
    Two empty cells are equal, whether ``None``, ``NA``, ``NaN`` or an empty text. Columns of different types are compared as
    text: text and categories, a number and its text. A blank in one of several key columns is a value like any
    other.

    Examples
    --------
    >>> import pandas as pd
    >>> then = pd.DataFrame({"id": [1, 2], "name": ["Ada", "Bea"]})
    >>> now = pd.DataFrame({"id": [2, 3], "name": ["Bee", "Cem"]})
    >>> crn.diff(then, now, key="id")
    Diff(1 added, 1 removed, 1 changed (cells: 1), 0 unchanged)
    >>> crn.diff(then, now, key="id").changed.to_dict("records")
    [{'id': 2, 'column': 'name', 'before': 'Bea', 'after': 'Bee'}]
    """
    on = _key(older, newer, report, table, key)
    then, now = Side(older), Side(newer)
    found = compare(then, now, on)
    if len(found.ambiguous):
        warn(
            f"{len(found.ambiguous):,} keys ({', '.join(on)}) are blank or belong to several rows, "
            "so these rows were compared whole. See .ambiguous."
        )
    return Diff(
        added=now.rows(found.added, newer),
        removed=then.rows(found.removed, newer),
        changed=as_kind_of(found.changed.lazy(), newer),
        ambiguous=as_kind_of(found.ambiguous.lazy(), newer),
        key=on,
        counts=found.counts,
        by_column=found.by_column,
        columns_added=tuple(name for name in now.names if name not in then.names),
        columns_removed=tuple(name for name in then.names if name not in now.names),
        between=" and ".join(filter(None, map(_run, (older, newer)))),
    )


def _key(
    older: Any, newer: Any, report: str | None, table: str | None, key: str | Sequence[str] | None
) -> tuple[str, ...]:
    """Return the columns that identify a row, after checking that both frames have them."""
    names = [set(column_names(frame)) for frame in (older, newer)]
    if key is None:
        _check_same_table(older, newer, report)
        on = _documented_key(newer, report, table, names[0] & names[1])
    else:
        on = _check_key(key)
    for name in on:
        for known, which in zip(names, ("older", "newer"), strict=True):
            if name not in known:
                raise UnknownColumnError(
                    f"The {which} frame has no column {name!r}, which is part of the key.",
                    hint=f'{near(name, known)}Choose other columns with key=["..."].',
                )
    return on


def _check_key(key: Any) -> tuple[str, ...]:
    names = (key,) if isinstance(key, str) or not isinstance(key, Iterable) else tuple(key)
    are_texts = all(isinstance(name, str) for name in names)
    if not names or not are_texts or len({*names}) < len(names) or _RESERVED.intersection(names):
        raise ParameterError(
            f"{list(names)} can't be the key of a diff.",
            hint=f"Name one or more columns, each once, other than {', '.join(sorted(_RESERVED))}.",
        )
    return names


def _documented_key(newer: Any, report: str | None, table: str | None, common: set[str]) -> tuple[str, ...]:
    known = table_of(newer, report, table)
    if known is None or not known.key:
        raise ParameterError(
            "No key is documented for this frame.",
            hint='Name the report with report="...", table="...", or the key columns with key=["..."].',
        )
    older_key = known.older_key or known.key
    return older_key if not common.issuperset(known.key) and common.issuperset(older_key) else known.key


def _check_same_table(older: Any, newer: Any, report: str | None) -> None:
    """Reject frames whose provenance names different tables, unless the caller named the report."""
    sources = [(found.get("report"), found.get("table")) for found in map(provenance_of, (older, newer))]
    if report is None and all(name for name, _ in sources) and sources[0] != sources[1]:
        described = " and ".join(f"{table} of {name}" for name, table in sources)
        raise ParameterError(
            f"The frames are of different tables: {described}.",
            hint="Compare two runs of one table, or name the columns that match: key=[...].",
        )


def _run(frame: Any) -> str:
    """Return the run of a frame in words, if it has provenance."""
    found = provenance_of(frame)
    if found.get("run_id") is None:
        return str(found.get("source") or "")
    return f"run {found['run_id']} ({found.get('ended_at') or 'end unknown'})"
