"""What changed between two runs of a table: rows added, rows removed, cells changed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from canvas_reports_nb import _html
from canvas_reports_nb.analysis.changes import Side, compare
from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError, ReportWarning, UnknownColumnError
from canvas_reports_nb.frames.describe import provenance_of, table_of
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, column_names

if TYPE_CHECKING:
    from collections.abc import Sequence

_MADE = frozenset({"column", "before", "after", "older", "newer", "at"})
_SHOWN = 12


@dataclass(frozen=True, repr=False)
class Diff(Generic[FrameT]):
    """What `diff` found; the frames are of the kind of the newer one.

    Attributes
    ----------
    added, removed : frame
        Whole rows of the newer and of the older frame, in their order.
    changed : frame
        One row a changed cell: the key's columns, then ``column``, ``before`` and ``after`` as text, missing
        where the cell is empty; in the order of the newer frame.
    ambiguous : frame
        One row a key that does not tell one row from another: the key's columns, then ``older`` and ``newer``,
        the rows that bear it (Int64). Such rows are compared whole: what only one frame has is in ``added`` or
        ``removed``, never in ``changed``.
    key : tuple of str
    counts : dict
        Rows: ``added``, ``removed``, ``changed``, ``unchanged``, ``ambiguous_older``, ``ambiguous_newer``;
        and ``cells`` changed.
    by_column : dict
        Changed cells of each column that has any.
    columns_added, columns_removed : tuple of str
        Columns that only one of the two has; they are not compared.
    between : str
        The two runs, where the frames carry them.
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

    def __repr__(self) -> str:
        rows = self.counts
        ambiguous = rows["ambiguous_older"] + rows["ambiguous_newer"]
        parts = [
            f"{rows['added']:,} added",
            f"{rows['removed']:,} removed",
            f"{rows['changed']:,} changed (cells: {rows['cells']:,})",
            f"{rows['unchanged']:,} unchanged",
            *([f"{ambiguous:,} rows ambiguous"] if ambiguous else []),
            *([f"new columns {', '.join(self.columns_added)}"] if self.columns_added else []),
            *([f"lost columns {', '.join(self.columns_removed)}"] if self.columns_removed else []),
        ]
        return f"Diff({', '.join(parts)})"

    def _repr_html_(self) -> str:
        rows = self.counts
        most = sorted(self.by_column.items(), key=lambda item: -item[1])[:_SHOWN]
        return _html.card(
            "What changed",
            _html.facts(
                [
                    ("between", self.between),
                    ("rows added", f"{rows['added']:,}"),
                    ("rows removed", f"{rows['removed']:,}"),
                    ("rows changed", f"{rows['changed']:,}"),
                    ("rows unchanged", f"{rows['unchanged']:,}"),
                    (
                        "rows whose key is not unique",
                        rows["ambiguous_older"] + rows["ambiguous_newer"] or None,
                    ),
                    ("new columns", ", ".join(self.columns_added)),
                    ("lost columns", ", ".join(self.columns_removed)),
                    ("compared on", ", ".join(self.key)),
                ]
            ),
            _html.table(("column", "cells changed"), [(name, f"{count:,}") for name, count in most])
            if most
            else "",
        )


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
        Lazy ones are collected, Dask is computed.
    report, table : str, optional
        Which table they are, where the frames neither say nor show it by their columns.
    key : str or sequence of str, optional
        Columns that identify a row; the table's documented key where left out, or that of older files.

    Returns
    -------
    Diff

    Warns
    -----
    ReportWarning
        Some rows share their key, or have none of its cells; see `Diff.ambiguous`.

    Raises
    ------
    ParameterError
        The frames are of different tables, or of one without a documented key.
    UnknownColumnError
        A frame lacks a column of the key.

    Notes
    -----
    Two empty cells are equal, whether ``None``, ``NA`` or ``NaN``. Columns of different types are compared by
    what they would print: text and category, a number and the text of it. A blank in one of several key
    columns is a value like any other.

    Examples
    --------
    >>> import pandas as pd
    >>> then = pd.DataFrame({"id": [1, 2], "name": ["Ada", "Bea"]})
    >>> now = pd.DataFrame({"id": [2, 3], "name": ["Bee", "Cem"]})
    >>> diff(then, now, key="id")
    Diff(1 added, 1 removed, 1 changed (cells: 1), 0 unchanged)
    >>> diff(then, now, key="id").changed.to_dict("records")
    [{'id': 2, 'column': 'name', 'before': 'Bea', 'after': 'Bee'}]
    """
    on = _key(older, newer, report, table, key)
    then, now = Side(older), Side(newer)
    found = compare(then, now, on)
    if len(found.ambiguous):
        warnings.warn(
            f"{len(found.ambiguous):,} keys ({', '.join(on)}) are blank or fit several rows; "
            "these rows are compared whole. See .ambiguous.",
            ReportWarning,
            stacklevel=2,
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
    """The columns that identify a row, checked to be in both frames."""
    held = [set(column_names(frame)) for frame in (older, newer)]
    on = _named(key) if key is not None else _documented(older, newer, report, table, held[0] & held[1])
    for name in on:
        for names, which in zip(held, ("older", "newer"), strict=True):
            if name not in names:
                raise UnknownColumnError(
                    f"The {which} frame has no column {name!r}, which the key needs.",
                    hint=f'{near(name, names)}Name others with key=["..."].',
                )
    return on


def _named(key: Any) -> tuple[str, ...]:
    """The names a caller gave, checked to be a key."""
    names = (key,) if isinstance(key, str) or not isinstance(key, Iterable) else tuple(key)
    sound = all(isinstance(name, str) for name in names) and len({*names}) == len(names)
    if not names or not sound or _MADE.intersection(names):
        raise ParameterError(
            f"{list(names)} can't be the key of a diff.",
            hint=f"Name at least one column, each once, and none of: {', '.join(sorted(_MADE))}.",
        )
    return names


def _documented(
    older: Any, newer: Any, report: str | None, table: str | None, common: set[str]
) -> tuple[str, ...]:
    """The table's key, or the one of older files where only that is to be had."""
    known = table_of(newer, report, table)
    if known is None or not known.key:
        raise ParameterError(
            "Nobody documented what identifies a row of this frame.",
            hint='Say which report it is, report="...", table="...", or name the columns: key=["..."].',
        )
    carried = [(found.get("report"), found.get("table")) for found in map(provenance_of, (older, newer))]
    if report is None and None not in (carried[0][0], carried[1][0]) and carried[0] != carried[1]:
        raise ParameterError(
            f"These are different tables: {_spelled(carried[0])} and {_spelled(carried[1])}.",
            hint="Compare two runs of one table, or name the columns that match: key=[...].",
        )
    if not common.issuperset(known.key) and common.issuperset(known.older_key or known.key):
        return known.older_key or known.key
    return known.key


def _spelled(carried: tuple[Any, Any]) -> str:
    return f"{carried[1]} of {carried[0]}"


def _run(frame: Any) -> str:
    """A run in words, where the frame carries it."""
    found = provenance_of(frame)
    if found.get("run_id") is None:
        return str(found.get("source") or "")
    return f"run {found['run_id']} ({found.get('ended_at') or 'end unknown'})"
