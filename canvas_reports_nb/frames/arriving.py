"""A file that is read while its download is still writing it."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from canvas_reports_nb.frames.provenance import Provenance

_BUFFER = 64 * 1024


class AttemptEndedError(Exception):
    """The download began again or ended with an error, so the bytes read so far no longer count."""


class ArrivingFile:
    """What the thread that writes a file and the one that reads it know of each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._provenance: Provenance | None = None
        self._changed = threading.Condition()
        self._size = self._attempt = 0
        self._is_abandoned = False

    def grow(self, size: int) -> None:
        """Let readers have this many bytes."""
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def restart(self) -> None:
        """Let readers begin again, before the file is emptied."""
        with self._changed:
            self._size, self._attempt = 0, self._attempt + 1
            self._changed.notify_all()

    def finish(self, provenance: Provenance) -> None:
        """Let readers have the end of the file, and its whole provenance."""
        with self._changed:
            self._provenance = provenance
            self._changed.notify_all()

    def abandon(self) -> None:
        """Make all readers stop."""
        with self._changed:
            self._is_abandoned = True
            self._changed.notify_all()

    def known(self) -> Provenance:
        """Return the provenance of a file that has arrived."""
        if self._provenance is None:
            raise AssertionError("the end of a file is read after it has arrived")
        return self._provenance

    def attempt(self) -> Attempt | None:
        """Return the bytes of the current attempt as a source to read; ``None`` once the file is abandoned."""
        with self._changed:
            return None if self._is_abandoned else Attempt(self, self._attempt)

    def read_into(self, buffer: Any, file: io.FileIO, attempt: int) -> int:
        """Read the next bytes, at least one before the end; wait for them if necessary."""
        position = file.tell()
        with self._changed:
            self._changed.wait_for(lambda: self._size > position or self._is_over(attempt))
            self._check(attempt)
            # Read under the lock, so that the writer can't empty the file in between.
            return file.readinto(buffer[: self._size - position])

    def wait(self, attempt: int) -> int:
        """Wait until the file has arrived, and return its size."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over(attempt))
            self._check(attempt)
            return self._size

    def _is_over(self, attempt: int) -> bool:
        return self._provenance is not None or self._is_abandoned or attempt != self._attempt

    def _check(self, attempt: int) -> None:
        if self._is_abandoned or attempt != self._attempt:
            raise AttemptEndedError


@dataclass(frozen=True, slots=True)
class Attempt:
    """The bytes of one attempt to download a file: a source to open as often as necessary."""

    arriving: ArrivingFile
    number: int

    def open(self) -> io.BufferedReader:
        """Open the file from its start; a read waits for bytes that have not arrived yet."""
        return io.BufferedReader(_Follower(self), _BUFFER)


class _Follower(io.RawIOBase):
    def __init__(self, attempt: Attempt) -> None:
        self._arriving, self._attempt = attempt.arriving, attempt.number
        self._file = io.FileIO(self._arriving.path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._arriving.read_into(memoryview(buffer), self._file, self._attempt)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset, whence = self._arriving.wait(self._attempt) + offset, io.SEEK_SET
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()
