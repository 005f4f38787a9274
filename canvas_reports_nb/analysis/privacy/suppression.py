"""Suppression of small cells in a table to be published, so that totals don't reveal them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from canvas_reports_nb.exceptions import ParameterError, warn
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, as_list, require_columns, to_lazy

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Flags: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

_SMALLEST_MINIMUM = 2
_ZERO = 1e-7
_CONVERGED = 1e-24


def suppress_small_cells(
    table: FrameT, *, by: str | Sequence[str], count: str = "n", minimum: int = 5
) -> FrameT:
    """Blank the small cells of a table of counts, and as many others as needed to keep them hidden.

    Parameters
    ----------
    table : pandas, polars, Arrow or Dask frame
        One row per cell: the columns of ``by`` identify it, ``count`` is its number of people. A lazy frame is
        collected.
    by : str or sequence of str
        The columns that identify a cell. Readers are assumed to know the totals over each of them, and the
        totals of those; except totals below ``minimum``, which must not be published.
    count : str
        The column of whole numbers; a missing one counts as hidden already.
    minimum : int
        The smallest number that may be shown.

    Returns
    -------
    DataFrame
        The same rows. In suppressed cells ``count`` and all columns except those of ``by`` are missing (a mean
        over three people reveals as much as their number), and ``suppressed`` (boolean) is true.

    Warns
    -----
    ReportWarning
        Some cells can still be computed from totals, exactly or nearly, because too few neighbors can be hidden
        with them. These totals must not be published.

    Raises
    ------
    ParameterError
        Two rows are the same cell, a count is negative or not whole, or the minimum is below 2.
    UnknownColumnError
        The table lacks one of the columns.

    Notes
    -----
    In each line of cells that add up to a known total, either nothing is hidden or at least two cells with
    ``minimum`` people together; and no hidden cell can be computed from all totals together. Of the cells that
    could be hidden, the one that requires fewest others is chosen, then the smallest.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"course": ["A", "B", "C"], "n": [3, 9, 40]})
    >>> suppress_small_cells(table, by="course")["n"].tolist()
    [<NA>, <NA>, 40]
    """
    names = as_list(by)
    query = to_lazy(table)
    require_columns(query, [*names, count], "suppress_small_cells")
    cells = query.collect()
    _check_table(cells, names, count, minimum)
    numbers = cells[count].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if (numbers < 0).any() or (numbers % 1 > 0).any():
        raise ParameterError(
            f"{count!r} contains a negative or fractional number.", hint="Use counts of people."
        )
    hidden, exposed = _Lines(cells, names, numbers, minimum).protect()
    if exposed.any():
        rows = cells.filter(pl.Series(exposed)).select(names).head(3).rows()
        examples = ", ".join(f"({', '.join(map(str, row))})" for row in rows)
        warn(
            f"{exposed.sum():,} of {hidden.sum():,} suppressed cells can be computed, at least nearly, from totals "
            f"over {' and '.join(names)}, such as {examples}. Do not publish those totals."
        )
    suppressed = pl.Series("suppressed", hidden)
    columns = [
        pl.col(name) if name in names else pl.when(~suppressed).then(pl.col(name)).alias(name)
        for name in cells.columns
    ]
    return as_kind_of(cells.lazy().select(*columns, suppressed), table)


def _check_table(cells: pl.DataFrame, names: list[str], count: str, minimum: int) -> None:
    if minimum < _SMALLEST_MINIMUM:
        raise ParameterError(f"minimum={minimum} hides nothing.", hint="Use 2 or more; 5 and 10 are common.")
    if not names or count in names:
        raise ParameterError(
            f"by={names} can't identify a cell.", hint="Name the columns that do, without the count."
        )
    if "suppressed" in cells.columns:
        raise ParameterError(
            "The table already has a column 'suppressed'.", hint="Use the table it was made from."
        )
    if not cells.schema[count].is_numeric():
        raise ParameterError(
            f"The column {count!r} has no numbers.", hint="Name the column of counts: count=."
        )
    if cells.select(names).is_duplicated().any():
        raise ParameterError(
            f"Several rows have the same {', '.join(names)}.",
            hint="Add them up first, or name all columns that identify a cell in by=.",
        )


class _Lines:
    """The lines of cells that add up to a total: one per cell and column of ``by``."""

    def __init__(self, cells: pl.DataFrame, names: list[str], numbers: Vector, minimum: int) -> None:
        self.minimum, self.numbers = minimum, np.nan_to_num(numbers)
        self.hidden: Flags = ~(numbers >= minimum)
        self.lines: Numbers = _number_lines(cells, names)
        per_cell = self.lines.shape[1]
        size = int(self.lines.max(initial=-1)) + 1
        totals = np.bincount(self.lines.ravel(), np.repeat(self.numbers, per_cell), size)
        blank = np.bincount(self.lines.ravel(), np.repeat(np.isnan(numbers), per_cell), size)
        self.known: Flags = (totals >= minimum) | (blank > 0)
        sizes = np.bincount(self.lines.ravel(), minlength=size)
        # Hiding a cell that is alone in its line is useless: the total is its own number.
        self.alone: Flags = (self.known & (sizes == 1))[self.lines].any(axis=1)
        order = np.argsort(self.lines.ravel(), kind="stable") // per_cell
        self.members = np.split(order, np.cumsum(sizes)[:-1])

    def protect(self) -> tuple[Flags, Flags]:
        """Hide what must be hidden; return the hidden cells, and those of them that can still be computed."""
        waiting = set(np.flatnonzero(self.known).tolist())
        while True:
            while waiting:
                line = waiting.pop()
                candidates = self._candidates(self.members[line])
                if self._is_weak(line) and candidates.size:
                    waiting |= self._hide_one(candidates)
            exposed = self._computable()
            neighbors = (self._candidates(self._neighbors(cell)) for cell in np.flatnonzero(exposed).tolist())
            candidates = next((cells for cells in neighbors if cells.size), np.empty(0, dtype=np.int64))
            if not candidates.size:
                return self.hidden, exposed | self._in_weak_lines()
            waiting |= self._hide_one(candidates)

    def _is_weak(self, line: int) -> bool:
        """Whether a line hides something, but too few cells or people."""
        members = self.members[line]
        hidden = members[self.hidden[members]]
        return hidden.size == 1 or bool(hidden.size and self.numbers[hidden].sum() < self.minimum)

    def _in_weak_lines(self) -> Flags:
        found = np.zeros(len(self.hidden), dtype=np.bool_)
        for line in np.flatnonzero(self.known).tolist():
            if self._is_weak(line):
                found[self.members[line]] = self.hidden[self.members[line]]
        return found

    def _neighbors(self, cell: int) -> Numbers:
        lines = self.lines[cell][self.known[self.lines[cell]]]
        return np.concatenate([self.members[line] for line in lines] or [np.empty(0, dtype=np.int64)])

    def _candidates(self, cells: Numbers) -> Numbers:
        return cells[~self.hidden[cells] & ~self.alone[cells]]

    def _hide_one(self, cells: Numbers) -> set[int]:
        """Hide the cell that requires fewest others, then the smallest; return its lines to check again."""
        untouched = [
            sum(self.known[line] and not self.hidden[self.members[line]].any() for line in self.lines[cell])
            for cell in cells
        ]
        best = cells[np.lexsort((self.numbers[cells], untouched))[0]]
        self.hidden[best] = True
        return {int(line) for line in self.lines[best] if self.known[line]}

    def _computable(self) -> Flags:
        """Return the hidden cells that a system of linear equations of the known totals determines.

        A random vector minus its part in the span of the equations is zero exactly in the cells they determine.
        Conjugate gradients find that part without a matrix.
        """
        places = np.flatnonzero(self.hidden)
        size = len(self.known)
        lines = np.where(self.known[self.lines[places]], self.lines[places], size)
        rest = np.random.default_rng(0).standard_normal(len(places))

        def sums(cells: Vector) -> Vector:
            total = np.bincount(lines.ravel(), np.repeat(cells, lines.shape[1]), size + 1)
            return total[:size].astype(np.float64)

        gradient = sums(rest)
        step, norm = gradient, float(gradient @ gradient)
        enough = norm * _CONVERGED
        for _ in range(10 * size):
            if norm <= enough:
                break
            moved = np.append(step, 0.0)[lines].sum(axis=1)
            rest = rest - norm / float(moved @ moved) * moved
            gradient = sums(rest)
            before, norm = norm, float(gradient @ gradient)
            step = gradient + norm / before * step
        found = np.zeros(len(self.hidden), dtype=np.bool_)
        found[places] = np.abs(rest) < _ZERO
        return found


def _number_lines(cells: pl.DataFrame, names: list[str]) -> Numbers:
    """Return the number of the line through each cell along each column of ``by``."""
    numbers, start = [], 0
    for name in names:
        others = [other for other in names if other != name]
        line = (
            cells.select(pl.struct(others).rank("dense").cast(pl.Int64)).to_series().to_numpy() - 1
            if others
            else np.zeros(cells.height, dtype=np.int64)
        )
        numbers.append(line + start)
        start += int(line.max(initial=-1)) + 1
    return np.stack(numbers, axis=1)
