"""The proof that no cell was damaged when Arrow parsed numbers and booleans directly.

Arrow reads ``007`` as 7. But a number printed again has as many bytes as its cell only if nothing was lost, and never
more. So if all cells of a file, printed again, have as many bytes as the file, all are as they were written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.frames.dialect import Dialect

    Numbers: TypeAlias = np.ndarray[Any, np.dtype[Any]]

#: The only words that are booleans; Arrow's own list includes 1 and 0.
TRUE, FALSE = ["true", "True", "TRUE"], ["false", "False", "FALSE"]
# Not counted, because they may or may not belong to a cell.
_UNCOUNTED = (b'"', b"\r", b"\n")
_WITHOUT = str.maketrans(dict.fromkeys('"\r\n'))
# Counting many blocks at once takes a third of the time.
_AT_ONCE = 32
_ZERO = ord("0")


class Proof:
    """Counts the bytes of a file as they are read, and those of its cells as they were parsed."""

    def __init__(self, dialect: Dialect) -> None:
        self._separators = len(dialect.delimiter.encode()) * (len(dialect.header) - 1)
        self._printed = len("".join(dialect.header).translate(_WITHOUT).encode()) + self._separators
        self._written = 0
        self._waiting: list[pa.RecordBatch] = []
        self._has_quotes, self._last = False, b""
        self.is_hopeless = False

    def read(self, block: bytes) -> None:
        """Count the bytes of the next block."""
        self._has_quotes |= b'"' in block
        self._written += _counted(block)
        # The number after a "0x", which Arrow reads, too, may have more digits than its cell has bytes.
        self.is_hopeless |= any(_has_hex(self._last + block, mark) for mark in (b"x", b"X") if mark in block)
        self._last = block[-1:]

    def parsed(self, batch: pa.RecordBatch) -> None:
        """Count the bytes of the cells in the next batch."""
        self._waiting.append(batch)
        if len(self._waiting) == _AT_ONCE:
            self._count()

    def holds(self) -> bool:
        """Return whether every cell is as it was written."""
        self._count()
        return not self.is_hopeless and self._written == self._printed

    def _count(self) -> None:
        self._printed += self._separators * sum(batch.num_rows for batch in self._waiting)
        self._printed += sum(
            self._bytes_of(pieces) for pieces in zip(*(b.columns for b in self._waiting), strict=True)
        )
        self._waiting = []

    def _bytes_of(self, pieces: Sequence[pa.Array]) -> int:
        """Return how many bytes the cells of a column have when they are printed."""
        kind = pieces[0].type
        if pa.types.is_boolean(kind):
            return sum(5 * (len(cells) - cells.null_count) - cells.true_count for cells in pieces)
        if pa.types.is_integer(kind):
            return _digits(np.concatenate(list(map(_present, pieces))))
        return sum(map(_enum_bytes if pa.types.is_dictionary(kind) else self._text_bytes, pieces))

    def _text_bytes(self, cells: pa.StringArray) -> int:
        _, ends, text = cells.buffers()
        first, last = np.frombuffer(ends, np.int32)[[cells.offset, cells.offset + len(cells)]].tolist()
        # A cell holds line breaks only if there are quotes around it.
        return _counted(text[first:last].to_pybytes()) if self._has_quotes and last > first else last - first


def _enum_bytes(cells: pa.DictionaryArray) -> int:
    lengths = [len(value.translate(_WITHOUT).encode()) for value in cells.dictionary.to_pylist()]
    return int(np.bincount(_present(cells.indices), minlength=len(lengths)) @ lengths) if lengths else 0


def _counted(text: bytes) -> int:
    """Return how many bytes of a text count."""
    cells = np.frombuffer(text, np.uint8)
    marks = [mark for mark in _UNCOUNTED if mark in text]
    return len(cells) - sum(int(np.count_nonzero(cells == ord(mark))) for mark in marks)


def _present(numbers: pa.Array) -> Numbers:
    """Return the numbers that are not missing."""
    found: Numbers = (numbers.drop_null() if numbers.null_count else numbers).to_numpy()
    return found


def _digits(numbers: Numbers) -> int:
    """Return how many bytes the numbers have when they are printed."""
    if not len(numbers):
        return 0
    least, most = int(numbers.min()), int(numbers.max())
    if least < 0:
        return sum(map(len, map(str, numbers.tolist())))
    shortest, longest = len(str(least)), len(str(most))
    longer = sum(int(np.count_nonzero(numbers >= 10**digits)) for digits in range(shortest, longest))
    return len(numbers) * shortest + longer


def _has_hex(block: bytes, mark: bytes) -> bool:
    at = block.find(mark, 1)
    while at > 0 and block[at - 1] != _ZERO:
        at = block.find(mark, at + 1)
    return at > 0
