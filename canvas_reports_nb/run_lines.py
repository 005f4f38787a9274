"""Many runs as the lines of one table: what each shows, which have changed, and the table in a terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tqdm import tqdm

__all__ = ["HEADER", "RunLine", "TerminalTable", "changed"]

HEADER = ("request", "run", "state", "progress", "rows", "elapsed")
# States a run is in for a moment only, on the way from the server to the disk.
_MOMENTS = frozenset({"complete", "reading"})
_ENDED = frozenset({"done", "failed"})
# More would not fit a small terminal; the overall bar counts the others.
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run of many, as a table shows it.

    Attributes
    ----------
    request : str
        Report, account and parameters in a few words.
    run_id : int or None
        ``None`` until it is started.
    state : str
        ``waiting`` for its turn here, ``queued`` on Canvas, Canvas's own word, ``downloading``, ``done``,
        ``failed``.
    fraction : float or None
        0 to 1 of this state.
    rows : int or None
    elapsed : float
        Seconds since it was started or joined.
    """

    request: str
    run_id: int | None = None
    state: str = "waiting"
    fraction: float | None = None
    rows: int | None = None
    elapsed: float = 0.0

    @property
    def cells(self) -> tuple[str, ...]:
        """The line in words, one for each of `HEADER`."""
        return (
            self.request,
            "" if self.run_id is None else str(self.run_id),
            self.state,
            "" if self.fraction is None else f"{self.fraction:.0%}",
            "" if self.rows is None else f"{self.rows:,}",
            f"{self.elapsed:.0f} s" if self.elapsed else "",
        )

    @property
    def sentence(self) -> str:
        """The line without its request, for a log."""
        words = [self.state, self.cells[3], f"{self.rows:,} rows" if self.rows else "", self.cells[5]]
        return ", ".join(word for word in words if word)


def changed(before: Sequence[RunLine], now: Sequence[RunLine]) -> list[RunLine]:
    """The lines whose state is another than it was, and lasts."""
    was = [line.state for line in before] or ["waiting"] * len(now)
    return [line for line, old in zip(now, was, strict=True) if line.state not in {old, *_MOMENTS}]


class TerminalTable:
    """The runs at work as a table on stderr, an overall bar above it; what has ended scrolls away above both."""

    def __init__(self) -> None:
        self._overall: tqdm[Any] | None = None
        self._rows: list[tqdm[Any]] = []
        self._last: Sequence[RunLine] = ()

    def show(self, fraction: float | None, sentence: str, lines: Sequence[RunLine]) -> None:
        """Bring the table up to date."""
        from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

        for line in changed(self._last, lines):
            if line.state in _ENDED:
                tqdm.write("  ".join(filter(None, line.cells)), file=sys.stderr)
        self._last = lines
        if self._overall is None:
            form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
            self._overall = tqdm(
                desc="all runs", total=100, file=sys.stderr, bar_format=form, dynamic_ncols=True
            )
        self._overall.n = round((fraction or 0.0) * 100)
        self._overall.set_postfix_str(sentence, refresh=False)
        self._overall.refresh()
        self._show_rows([line for line in lines if line.state not in _ENDED | {"waiting"}][:_SHOWN])

    def _show_rows(self, lines: Sequence[RunLine]) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

        for place in range(len(self._rows), len(lines)):
            row = tqdm(
                position=place + 1, leave=False, bar_format="{desc}", file=sys.stderr, dynamic_ncols=True
            )
            self._rows.append(row)
        texts = [*_aligned(lines), *[""] * (len(self._rows) - len(lines))]
        for row, text in zip(self._rows, texts, strict=True):
            row.set_description_str(text)

    def close(self) -> None:
        """Take the table away and leave the bar standing; may be called twice."""
        for row in self._rows:
            row.close()
        self._rows.clear()
        if self._overall is not None:
            self._overall.close()
            self._overall = None


def _aligned(lines: Iterable[RunLine]) -> list[str]:
    cells = [line.cells for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
