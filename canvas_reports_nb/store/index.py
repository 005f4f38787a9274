"""What a look-up needs to know of each run of a report, so that no sidecar is read to find one.

``<report>/.index`` has one line per stored run: run id, digest of its key, bytes, when it was stored, and a checksum.
It only saves time. A run without a valid line is read and gets one, so the file may be missing, damaged, out of date, or
written by several processes at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from canvas_reports_nb._disk import SAFELY, file_state, open_private
from canvas_reports_nb.store.stored_run import bytes_in, read_run, run_names, sidecar_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from canvas_reports_nb.store.stored_run import ReportResult

_NAME = ".index"
_LINE = re.compile(rb"^((\d+) ([0-9a-f]{16}) (\d+) (\S+)) (\d+)$", re.MULTILINE)
# Lines of removed runs stay, up to this many more than there are runs.
_SPARE = 100


class Entry(NamedTuple):
    """A run as the index knows it."""

    run_id: str
    key: str
    size: int
    stored_at: str


class Index:
    """The index of each report; a file that has not changed is read once."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[dict[str, int], list[Entry], set[str]]] = {}

    def entries(self, folder: Path) -> list[Entry]:
        """Return the stored runs of a report; of a run id that started again, the last entry counts."""
        names = set(run_names(folder))
        if not names:
            return []
        found, known = self._lines(folder)
        new = [entry_of(run) for name in sorted(names - known) if (run := read_run(folder / name))]
        if len(found) > 2 * len(names) + _SPARE:
            _rewrite(folder, [*(entry for entry in found if entry.run_id in names), *new])
        elif new:
            _append(folder, new)
        return [entry for entry in [*found, *new] if entry.run_id in names]

    def _lines(self, folder: Path) -> tuple[list[Entry], set[str]]:
        """Return the valid lines, and the run ids in them."""
        state, found, known = self._read.get(folder, ({}, [], set()))
        try:
            now = file_state(folder / _NAME)
            if now != state:
                # Lines are only added, except to a new file.
                has_more = now["inode"] == state.get("inode") and now["size"] > state["size"]
                new = _entries_in(folder / _NAME, state["size"] if has_more else 0)
                found = [*found, *new] if has_more else new
                known = {entry.run_id for entry in found}
                self._read[folder] = now, found, known
        except OSError:
            return [], set()
        return found, known


def _entries_in(path: Path, offset: int) -> list[Entry]:
    """Return the valid lines of an index from an offset on."""
    with path.open("rb") as file:
        file.seek(offset)
        lines = _LINE.findall(file.read())
    valid = (each[1:5] for each in lines if crc32(each[0]) == int(each[5]))
    return [Entry(i.decode(), key.decode(), int(size), at.decode()) for i, key, size, at in valid]


def note(run: ReportResult) -> None:
    """Add a run before its sidecar is written, so that it never has only an outdated entry."""
    entry = entry_of(run)
    size = entry.size + len(sidecar_text(run.facts).encode())
    _append(run.folder.parent, [entry._replace(size=size)])


def remove(folder: Path) -> None:
    """Remove the index of a report."""
    (folder / _NAME).unlink(missing_ok=True)


def digest(key: str) -> str:
    """Return the digest of a key; a lone surrogate has one, too."""
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def entry_of(run: ReportResult) -> Entry:
    """Return the entry of a run."""
    stored_at = "".join((run.origin.retrieved_at or "-").split())
    return Entry(run.folder.name, digest(run.key), bytes_in(run.folder), stored_at)


def _text(entries: Iterable[Entry]) -> bytes:
    lines = (" ".join(map(str, entry)).encode() for entry in entries)
    return b"".join(b"%b %d\n" % (line, crc32(line)) for line in lines)


def _append(folder: Path, entries: Iterable[Entry]) -> None:
    with suppress(OSError):  # a store that can't be written works without an index
        file = os.open(folder / _NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT | SAFELY, 0o600)
        try:
            # The first line break ends a line that a killed process left half-written.
            os.write(file, b"\n" + _text(entries))
        finally:
            os.close(file)


def _rewrite(folder: Path, entries: Iterable[Entry]) -> None:
    """Write the index anew; lines that another process adds at this moment are lost, and made again."""
    part = folder / f"{_NAME}.{os.getpid()}-{threading.get_ident()}.part"
    with suppress(OSError):
        with open_private(part) as file:
            file.write(_text(entries))
        try:
            part.replace(folder / _NAME)
        finally:
            part.unlink(missing_ok=True)  # on Windows, no file replaces one that somebody reads
