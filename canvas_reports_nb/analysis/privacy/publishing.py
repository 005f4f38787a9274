"""A table to be published: small cells, what would reveal them, and results that hold for nearly everybody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from numbers import Real

import numpy as np
import polars as pl

from canvas_reports_nb.analysis.definitions import definition, with_definition
from canvas_reports_nb.analysis.privacy.lines import Flags, Lines, Vector, number_lines
from canvas_reports_nb.exceptions import NoProvenanceError, ParameterError, warn
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_kinds,
    meta_of,
    require_columns,
    to_lazy,
)

_SMALLEST_MINIMUM = 2
_ROW = "__row"
_HALF = 0.5
#: Columns that count the people or grades of a row; the first is the count, and each must reach the minimum.
SIZES = ("n", "students", "people", "headcount", "enrollments", "valid")
# What the shares of a row are parts of.
_WHOLES = ("n", "valid")
# Shares of nobody: limits, margins and differences, blanked with the share they belong to.
_DERIVED = ("low", "high", "moe", "gap", "reference")
# What a group is compared with: beyond the cap, it would tell the result of the others.
_COMPARED = ("reference", "gap")
# Counts and remarks that say nothing about the shares beside them.
_OUTSIDE = ("AU", "dropped", "none", "other", "gradebook unused")
# Shares of `rates` that follow from each other and I, so they are known together or not at all.
_LINKED = ("dfw", "dfwi", "success")
# Counts that follow from these shares alone, so they are hidden only with them.
_FOLLOW = {"I": _LINKED, "W": ("completion",)}
_ID = re.compile(r"(.*[ _])?id|canvas_.*")
_RULE = "Published with at least {} people"
#: The column that marks the rows of a published table in which something is hidden.
HIDDEN = "suppressed"


def publish(
    frame: FrameT,
    minimum: int = 10,
    cap: float = 0.95,
    *,
    by: str | Sequence[str] | None = None,
    count: str | None = None,
) -> FrameT:
    """Blank what would reveal individuals: small cells, and shares close to 0 or 1.

    Parameters
    ----------
    frame : DataFrame
        A table of any kind with one row per group, such as ``grades.rates`` and ``grades.gaps`` return. A lazy
        frame is collected. Publish only the columns you need: each share adds something to hide.
    minimum : int
        The smallest number of people, or grades, that may be shown.
    cap : float
        Shares above this, and below one minus this, are shown as text: ``">95 %"``, ``"<5 %"``.
    by : str or sequence of str, optional
        The columns that identify a row; by default those before the count. Readers are assumed to know the totals
        over each of them, except totals below the minimum or beyond the cap, which must not be published.
    count : str, optional
        The number of people or grades of a row; by default ``n`` or ``students``, else the first whole number
        that is no id. A missing one counts as hidden already.

    Returns
    -------
    DataFrame
        The same rows and columns, and ``suppressed`` (boolean: something in the row is hidden).

        A row below the minimum has nothing but its ``by`` left, and so have as many others as needed to keep its
        numbers from being computed from totals. A row with a share beyond the cap keeps its size and its other
        shares; the counts and limits that would give the share away are missing. So they are in other rows, with
        their share, if it could be computed from a total. A column of shares with such a text is text as a whole.

    Warns
    -----
    ReportWarning
        Some hidden cells can still be computed from totals, exactly or nearly, because too few neighbors can be
        hidden with them. These totals must not be published.

    Raises
    ------
    ParameterError
        Two rows are the same group, a count is negative or not whole, or the minimum or cap hides nothing.

    Notes
    -----
    In each line of rows that add up to a known total, either nothing is hidden or at least two rows with
    ``minimum`` people together and a common share within the cap; and no hidden number can be computed from all
    totals together. The rule is added to the definition of the result.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"course": ["A", "B", "C"], "n": [3, 19, 40], "success": [0.67, 0.6, 0.8]})
    >>> crn.publish(table)["n"].tolist()
    [<NA>, <NA>, 40]
    """
    check_kinds("the name of a column", str | None, count=count)
    cells = to_lazy(frame).collect()
    size = _count_of(cells, count)
    require_columns(cells.lazy(), [size], "publish")
    names = as_list(by) if by is not None else _keys_of(cells, size)
    require_columns(cells.lazy(), names, "publish")
    _check(cells, names, size, minimum, cap)
    others = _numbers_of(cells, SIZES if count is None else ())
    sizes = [size, *(name for name in others if name not in (size, *names))]
    # In one order, so that the same is hidden whatever the order of the rows.
    cells = cells.with_row_index(_ROW).sort(names)
    cover = _Cover(cells.drop(_ROW), names, sizes, minimum, cap)
    made = cover.covered().with_columns(cells[_ROW]).sort(_ROW).drop(_ROW)
    if cover.exposed.any():
        rows = cells.filter(pl.Series(cover.exposed)).select(names).head(3).rows()
        examples = ", ".join(f"({', '.join(map(str, row))})" for row in rows)
        warn(
            f"{cover.exposed.sum():,} of {cover.touched.sum():,} suppressed cells can be computed, at least nearly, "
            f"from totals over {' and '.join(names)}, such as {examples}. Do not publish those totals."
        )
    rule = f"{_RULE.format(minimum)} per row and shares between {_percent(1 - cap)} and {_percent(cap)}."
    before = getattr(meta_of(frame), "attrs", {}).get("definition", "")
    return with_definition(as_kind_of(made.lazy(), frame), f"{before} {rule}".strip())


def hidden_text(frame: object) -> str:
    """Return what a published table shows in place of a hidden count, such as ``<10``."""
    with suppress(NoProvenanceError):
        found = re.search(_RULE.format("([0-9]+)"), definition(frame))
        if found:
            return f"<{found[1]}"
    return "hidden"  # this kind of frame carries no definition


def _percent(share: float) -> str:
    return f"{round(100 * share, 6):g} %"


def _count_of(cells: pl.DataFrame, count: str | None) -> str:
    if count is not None:
        return count
    # In plain pandas, a column of counts with a missing one is of floats.
    known = _numbers_of(cells, SIZES)
    integers = [name for name, dtype in cells.schema.items() if dtype.is_integer()]
    found = [*known, *(name for name in integers if not _ID.fullmatch(name))]
    if not found:
        raise ParameterError(
            "The table has no column of counts.",
            hint="Name it: count=, and the columns that identify a row: by=.",
        )
    return found[0]


def _numbers_of(cells: pl.DataFrame, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in cells.columns and cells.schema[name].is_numeric()]


def _keys_of(cells: pl.DataFrame, size: str) -> list[str]:
    before = cells.columns[: cells.columns.index(size)]
    keys = [name for name in before if not (cells.schema[name].is_float() or name in SIZES)]
    return keys or [
        name for name, dtype in cells.schema.items() if dtype in (pl.String, pl.Categorical, pl.Enum)
    ]


def _check(cells: pl.DataFrame, names: list[str], count: str, minimum: int, cap: float) -> None:
    check_kinds("a number", Real, minimum=minimum, cap=cap)
    if not minimum >= _SMALLEST_MINIMUM:
        raise ParameterError(f"minimum={minimum} hides nothing.", hint="Use 2 or more; 5 and 10 are common.")
    if not _HALF < cap < 1:
        raise ParameterError(
            f"Can't use cap={cap!r}.", hint="Give a share above 0.5 and below 1, such as cap=0.95."
        )
    if not names or count in names:
        raise ParameterError(
            f"by={names} can't identify a cell.", hint="Name the columns that do, without the count."
        )
    if HIDDEN in cells.columns:
        raise ParameterError(
            "The table already has a column 'suppressed'.", hint="Use the table it was made from."
        )
    if not cells.schema[count].is_numeric():
        raise ParameterError(
            f"The column {count!r} has no numbers.", hint="Name the column of counts: count=."
        )
    numbers = cells[count].cast(pl.Float64).drop_nulls().drop_nans()
    if ((numbers < 0) | (numbers % 1 > 0)).any():
        raise ParameterError(
            f"{count!r} contains a negative or fractional number.", hint="Use counts of people."
        )
    if cells.select(names).is_duplicated().any():
        raise ParameterError(
            f"Several rows have the same {', '.join(names)}.",
            hint="Add them up first, or name all columns that identify a cell in by=.",
        )


class _Cover:
    """What is hidden in a table: whole rows, and in others a share with all that would give it away."""

    def __init__(
        self, cells: pl.DataFrame, names: list[str], sizes: list[str], minimum: int, cap: float
    ) -> None:
        self.cells, self.names, self.sizes, self.cap = cells, names, sizes, cap
        self.shares = [name for name in cells.columns if name not in names and self._is_share(name)]
        self.lines = number_lines(cells, names)
        self.exposed: Flags = np.zeros(cells.height, dtype=np.bool_)
        self.rows = self._hidden_rows(minimum)
        self.beyond = {name: self._is_beyond(name) for name in self.shares}
        self.behind = {name: self._hidden_shares(name, minimum) for name in self.shares}
        self.behind |= dict.fromkeys([name for name in _LINKED if name in self.shares], self._any(_LINKED))
        self.touched: Flags = self.rows | self._any(self.shares)

    def _is_share(self, name: str) -> bool:
        values = self.cells[name]
        if not values.dtype.is_float() or name in _DERIVED:
            return False
        # A column without any value is no share.
        found = values.drop_nulls().drop_nans()
        return bool(found.len()) and bool(found.is_between(0, 1).all())

    def _values(self, name: str) -> Vector:
        return self.cells[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()

    def _hidden_rows(self, minimum: int) -> Flags:
        """Return the rows below the minimum, and those that hide them."""
        numbers = [self._values(name) for name in self.sizes]
        hidden: Flags = np.logical_or.reduce([~(size >= minimum) for size in numbers])
        while True:
            before = hidden.sum()
            exposed = np.zeros_like(hidden)
            for size in numbers:
                hidden, found = Lines(self.lines, size, minimum, hidden).protect()
                exposed |= found
            if hidden.sum() == before:
                self.exposed |= exposed
                return hidden

    def _is_beyond(self, name: str) -> Flags:
        values = self._values(name)
        beyond: Flags = ((values < 1 - self.cap) | (values > self.cap)) & ~self.rows
        return beyond

    def _hidden_shares(self, name: str, minimum: int) -> Flags:
        """Return the rows whose share must not be known: those beyond the cap, and what hides them."""
        whole = self._values(next((one for one in _WHOLES if one in self.sizes), self.sizes[0]))
        missing = np.isnan(self._values(name))
        start = self.rows | self.beyond[name]
        if not start.any():
            return start
        numbers = np.where(missing, 0.0, np.nan_to_num(whole))
        lines = Lines(self.lines, numbers, minimum, start, hits=numbers * self._values(name), cap=self.cap)
        hidden, exposed = lines.protect()
        self.exposed |= exposed
        return hidden

    def _any(self, shares: list[str] | tuple[str, ...]) -> Flags:
        flags = [self.behind[name] for name in shares if name in self.behind]
        found: Flags = np.logical_or.reduce([np.zeros(self.cells.height, dtype=np.bool_), *flags])
        return found

    def covered(self) -> pl.DataFrame:
        columns = []
        for name in self.cells.columns:
            column = pl.col(name)
            if name in self.shares and (self.beyond[name] & ~self.rows).any():
                column = self._as_text(name)
            elif name not in self.names:
                column = pl.when(~pl.Series(self._blank(name))).then(column).alias(name)
            columns.append(column)
        return self.cells.select(*columns, pl.Series(HIDDEN, self.touched))

    def _blank(self, name: str) -> Flags:
        if name in self.sizes or name in _OUTSIDE:
            return self.rows
        if name in self.shares:
            return self.behind[name]
        if name in _COMPARED and "reference" in self.cells.columns:
            return self.touched | self._is_beyond("reference")
        if name in _DERIVED and "dfw" in self.shares:
            return self.behind["dfw"]
        if set(_FOLLOW.get(name, ())) & set(self.shares):
            return self._any(_FOLLOW[name]) | self.rows
        return self.touched

    def _as_text(self, name: str) -> pl.Expr:
        values = self._values(name)
        low, high = f"<{_percent(1 - self.cap)}", f">{_percent(self.cap)}"
        texts = [
            None
            if (hidden and not beyond) or np.isnan(value)
            else (high if value > _HALF else low)
            if beyond
            else f"{100 * value:.1f} %"
            for value, hidden, beyond in zip(
                values, self.behind[name] | self.rows, self.beyond[name], strict=True
            )
        ]
        return pl.lit(pl.Series(name, texts, dtype=pl.String))
