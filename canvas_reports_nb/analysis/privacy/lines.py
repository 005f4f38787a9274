"""Which cells of a table must be hidden so that no hidden one can be computed from known totals."""

from __future__ import annotations

from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import polars as pl

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Flags: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

_ZERO = 1e-7
_CONVERGED = 1e-24
# With more columns, only totals over one of them are taken to be known.
_MANY = 3


class Lines:
    """The lines of cells that add up to a total.

    With ``hits``, the part of each number that a share counts, the hidden cells of a line must not have a share
    beyond ``cap`` together.
    """

    def __init__(
        self,
        lines: Numbers,
        numbers: Vector,
        minimum: int,
        hidden: Flags,
        *,
        hits: Vector | None = None,
        cap: float = 1.0,
    ) -> None:
        self.minimum, self.numbers, self.cap = minimum, np.nan_to_num(numbers), cap
        self.hits = None if hits is None else np.nan_to_num(hits)
        self.hidden: Flags = hidden.copy()
        self.lines = lines
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
        if self.hits is not None:
            # The total of a line whose own share is beyond the cap must not be published.
            self.known &= np.array([not self._is_beyond(members) for members in self.members], dtype=np.bool_)
            self.alone = (self.known & (sizes == 1))[self.lines].any(axis=1)

    def _is_beyond(self, members: Numbers) -> bool:
        """Whether the share of these cells together is close to 0 or 1."""
        total = float(self.numbers[members].sum())
        share = float(self.hits[members].sum()) / total if self.hits is not None and total else 0.5
        return not 1 - self.cap <= share <= self.cap

    def protect(self) -> tuple[Flags, Flags]:
        """Hide what must be hidden; return the hidden cells, and those of them that can still be computed."""
        waiting = set(np.flatnonzero(self.known).tolist())
        while True:
            while waiting:
                line = waiting.pop()
                candidates = self._candidates(self.members[line])
                if self._is_weak(line) and candidates.size:
                    waiting |= {*self._hide_one(candidates), line}
            exposed = self._computable()
            neighbors = (self._candidates(self._neighbors(cell)) for cell in np.flatnonzero(exposed).tolist())
            candidates = next((cells for cells in neighbors if cells.size), np.empty(0, dtype=np.int64))
            if not candidates.size:
                return self.hidden, exposed | self._in_weak_lines()
            waiting |= self._hide_one(candidates)

    def _is_weak(self, line: int) -> bool:
        """Whether a line hides something, but too few cells or people, or a share close to 0 or 1."""
        members = self.members[line]
        hidden = members[self.hidden[members]]
        if self.hits is not None and hidden.size and self._is_beyond(hidden):
            return True
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


def number_lines(cells: pl.DataFrame, names: list[str]) -> Numbers:
    """Return the number of each line through each cell: a line adds up to a total that readers may know.

    A column that another one determines is a name of it or a level above it, such as the department of a course.
    """
    codes = {name: cells.select(pl.struct(name).rank("dense")).to_series() for name in names}
    kept: list[str] = []
    for name in names:
        if codes[name].n_unique() > 1 and not any(_same(codes, name, other) for other in kept):
            kept.append(name)
    numbers = [_number(cells, columns) for columns in _held(codes, kept)]
    sizes = np.cumsum([0, *(int(line.max(initial=-1)) + 1 for line in numbers)])
    return np.stack([line + start for line, start in zip(numbers, sizes, strict=False)], axis=1)


def _held(codes: dict[str, pl.Series], names: list[str]) -> list[list[str]]:
    """Return the columns that have one value in all cells of a line, for each kind of line."""
    above = [name for name in names if _is_above(codes, name, names)]
    held = []
    for fixed, summed in _directions([name for name in names if name not in above]):
        levels = [name for name in above if _is_above(codes, name, summed)]
        levels.sort(key=lambda name: -codes[name].n_unique())
        held += [[*fixed, *levels[at:]] for at in range(len(levels) + 1)]
    return held


def _is_above(codes: dict[str, pl.Series], name: str, others: list[str]) -> bool:
    """Whether another column determines this one."""
    return any(_pairs(codes, other, name) == codes[other].n_unique() for other in others if other != name)


def _directions(names: list[str]) -> list[tuple[list[str], list[str]]]:
    """Return which columns are held and which are summed for each kind of total."""
    if not names:
        return [([], [])]
    most = len(names) if len(names) <= _MANY else 1
    chosen = [list(some) for size in range(1, most + 1) for some in combinations(names, size)]
    return [([name for name in names if name not in summed], summed) for summed in chosen]


def _number(cells: pl.DataFrame, held: list[str]) -> Numbers:
    if not held:
        return np.zeros(cells.height, dtype=np.int64)
    return cells.select(pl.struct(held).rank("dense").cast(pl.Int64)).to_series().to_numpy() - 1


def _same(codes: dict[str, pl.Series], one: str, other: str) -> bool:
    return _pairs(codes, one, other) == codes[one].n_unique() == codes[other].n_unique()


def _pairs(codes: dict[str, pl.Series], one: str, other: str) -> int:
    return pl.DataFrame([codes[one].alias("one"), codes[other].alias("other")]).n_unique()
