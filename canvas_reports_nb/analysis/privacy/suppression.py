"""Small numbers taken out of a table that is to be published, so that no subtraction brings them back."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl

from canvas_reports_nb.exceptions import ParameterError, ReportWarning
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, require_columns, to_lazy

if TYPE_CHECKING:
    from collections.abc import Sequence

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Marks: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

_SMALLEST_MINIMUM = 2
_NOTHING = 1e-7
_CONVERGED = 1e-24


def suppress_small_cells(
    table: FrameT, *, by: str | Sequence[str], count: str = "n", minimum: int = 5
) -> FrameT:
    """Blank the small cells of a table of counts, and as many others as it takes to keep them hidden.

    Parameters
    ----------
    table : pandas, polars, Arrow or Dask frame
        One row a cell: the columns of ``by`` name it, ``count`` says how many people are in it. A lazy one is
        collected.
    by : str or sequence of str
        The columns that name a cell. The totals over each of them, the others held fast, count as known to the
        reader, and so do the totals of those; except totals under ``minimum``, which must not be published.
    count : str
        Whole numbers; a missing one counts as hidden already.
    minimum : int
        The smallest number that may be shown.

    Returns
    -------
    DataFrame
        The same rows; where a cell is suppressed, ``count`` and all columns but those of ``by`` are missing
        (a mean over three people tells as much as their number). ``suppressed`` (boolean) says where.

    Warns
    -----
    ReportWarning
        Some cells follow from totals whatever is hidden, or all but follow, for they have no neighbour to
        hide behind; those totals must not be published.

    Raises
    ------
    ParameterError
        Two rows name the same cell, a count is negative or no whole number, the minimum is under 2.
    UnknownColumnError

    Notes
    -----
    In each line of cells that add up to a known total, either nothing is hidden or at least two cells that
    together hold ``minimum`` people; and no hidden cell follows from all totals together. Of the cells that
    could be hidden the one is taken that needs the fewest others, then the smallest.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"course": ["A", "B", "C"], "n": [3, 9, 40]})
    >>> suppress_small_cells(table, by="course")["n"].tolist()
    [<NA>, <NA>, 40]
    """
    names = [by] if isinstance(by, str) else list(by)
    query = to_lazy(table)
    require_columns(query, [*names, count], "Suppression")
    cells = query.collect()
    numbers = _checked(cells, names, count, minimum)
    lines = _Lines(cells, names, numbers, minimum)
    hidden, exposed = lines.protect()
    if exposed.any():
        rows = cells.filter(pl.Series(exposed)).select(names).head(3).rows()
        warnings.warn(
            f"{exposed.sum():,} of {hidden.sum():,} suppressed cells follow, or nearly so, from totals over "
            f"{' and '.join(names)}, such as {', '.join(map(_spelled, rows))}: do not publish those totals.",
            ReportWarning,
            stacklevel=2,
        )
    told = pl.Series("suppressed", hidden)
    kept = [
        pl.col(name) if name in names else pl.when(~told).then(pl.col(name)).alias(name)
        for name in cells.columns
    ]
    return as_kind_of(cells.lazy().select(*kept, told), table)


def _spelled(cell: tuple[object, ...]) -> str:
    return "(" + ", ".join(map(str, cell)) + ")"


def _checked(cells: pl.DataFrame, names: list[str], count: str, minimum: int) -> Vector:
    """The counts; a missing one is NaN."""
    if minimum < _SMALLEST_MINIMUM:
        raise ParameterError(f"minimum={minimum} hides nothing.", hint="5 and 10 are common.")
    if not names or count in names:
        raise ParameterError(
            "by= names no cell.", hint="Name the columns that tell the cells apart, without the count."
        )
    if "suppressed" in cells.columns:
        raise ParameterError("The table has a column 'suppressed' already.", hint="Suppress the original.")
    if not cells.schema[count].is_numeric():
        raise ParameterError(f"{count!r} holds no numbers.", hint="Name the column of counts: count=.")
    if cells.select(names).is_duplicated().any():
        raise ParameterError(
            f"Several rows name the same cell of {', '.join(names)}.",
            hint="Sum them first, or name all columns that tell the cells apart.",
        )
    numbers = cells[count].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if (numbers < 0).any() or (numbers % 1 > 0).any():
        raise ParameterError(
            f"{count!r} holds a number that is no count of people.", hint="Counts are whole and not negative."
        )
    return numbers


class _Lines:
    """The lines of cells that add up to a total: one a cell for each column of ``by``."""

    def __init__(self, cells: pl.DataFrame, names: list[str], numbers: Vector, minimum: int) -> None:
        self.minimum, self.numbers = minimum, np.nan_to_num(numbers)
        self.hidden: Marks = ~(numbers >= minimum)
        self.of: Numbers = _line_numbers(cells, names)
        size = int(self.of.max(initial=-1)) + 1
        totals = np.bincount(self.of.ravel(), np.repeat(self.numbers, self.of.shape[1]), size)
        blank = np.bincount(self.of.ravel(), np.repeat(np.isnan(numbers), self.of.shape[1]), size)
        self.known: Marks = (totals >= minimum) | (blank > 0)
        sizes = np.bincount(self.of.ravel(), minlength=size)
        # Hidden behind nobody: its line's total is its own number.
        self.useless: Marks = (self.known & (sizes == 1))[self.of].any(axis=1)
        order = np.argsort(self.of.ravel(), kind="stable") // self.of.shape[1]
        self.members = np.split(order, np.cumsum(sizes)[:-1])

    def protect(self) -> tuple[Marks, Marks]:
        """Hide what must be; tell what is hidden, and which of it can be computed, or nearly so, all the same."""
        waiting = set(np.flatnonzero(self.known).tolist())
        while True:
            while waiting:
                waiting |= self._fill(waiting.pop())
            exposed = self._computable()
            more = next(
                (cell for cell in np.flatnonzero(exposed).tolist() if self._free(self._near(cell)).size), None
            )
            if more is None:
                return self.hidden, exposed | self._crowded()
            waiting |= self._hide(self._free(self._near(more)))

    def _fill(self, line: int) -> set[int]:
        """Hide one more cell of a line that shows too much; the lines to look at again."""
        free = self._free(self.members[line]) if self._short(line) else self.members[line][:0]
        return self._hide(free) if free.size else set()

    def _short(self, line: int) -> bool:
        """Whether something is hidden in a line, but behind too little."""
        members = self.members[line]
        behind = members[self.hidden[members]]
        return behind.size == 1 or bool(behind.size and self.numbers[behind].sum() < self.minimum)

    def _crowded(self) -> Marks:
        """Hidden cells of a line where there is nothing more to hide, and too few people behind it all."""
        found = np.zeros(len(self.hidden), dtype=np.bool_)
        for line in np.flatnonzero(self.known).tolist():
            if self._short(line):
                found[self.members[line]] = self.hidden[self.members[line]]
        return found

    def _near(self, cell: int) -> Numbers:
        lines = self.of[cell][self.known[self.of[cell]]]
        return np.concatenate([self.members[line] for line in lines] or [np.empty(0, dtype=np.int64)])

    def _free(self, cells: Numbers) -> Numbers:
        return cells[~self.hidden[cells] & ~self.useless[cells]]

    def _hide(self, free: Numbers) -> set[int]:
        """Hide the cell that draws the fewest others with it, then the smallest."""
        bare = [
            sum(self.known[line] and not self.hidden[self.members[line]].any() for line in self.of[cell])
            for cell in free
        ]
        best = free[np.lexsort((self.numbers[free], bare))[0]]
        self.hidden[best] = True
        return {int(line) for line in self.of[best] if self.known[line]}

    def _computable(self) -> Marks:
        """Which hidden cells follow from the known totals, as a system of linear equations.

        A random vector, less its part in the span of the equations, is zero just where they fix a cell. That
        part is found by conjugate gradients, so that no matrix is ever made.
        """
        places = np.flatnonzero(self.hidden)
        size = len(self.known)
        lines = np.where(self.known[self.of[places]], self.of[places], size)
        left = np.random.default_rng(0).standard_normal(len(places))

        def sums(cells: Vector) -> Vector:
            total = np.bincount(lines.ravel(), np.repeat(cells, lines.shape[1]), size + 1)
            return total[:size].astype(np.float64)

        steep = sums(left)
        step, norm = steep, float(steep @ steep)
        enough = norm * _CONVERGED
        for _ in range(10 * size):
            if norm <= enough:
                break
            moved = np.append(step, 0.0)[lines].sum(axis=1)
            left = left - norm / float(moved @ moved) * moved
            steep = sums(left)
            before, norm = norm, float(steep @ steep)
            step = steep + norm / before * step
        found = np.zeros(len(self.hidden), dtype=np.bool_)
        found[places] = np.abs(left) < _NOTHING
        return found


def _line_numbers(cells: pl.DataFrame, names: list[str]) -> Numbers:
    """For each cell and each column of ``by``, the number of the line through the cell along that column."""
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
