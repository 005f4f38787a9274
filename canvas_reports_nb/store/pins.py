"""The runs in use, in this process and in others: a store over its limit keeps them.

While runs are in use, ``<root>/runs/.pins/<name>.txt`` lists their folders, and a lock on ``<name>.lock`` shows that the process
still works. A pin whose lock is free is what a killed process left.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from canvas_reports_nb._disk import make_private, open_private, try_lock
from canvas_reports_nb.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOG = logging.getLogger(__name__)
# Without file locks, a pin counts for this long.
_DAY = 24 * 3600


class Pin:
    """A list of runs that one call uses; written on first use."""

    def __init__(self, root: Path) -> None:
        self.folders: set[Path] = set()
        self._root, self._name = root, uuid4().hex
        self._stack, self._thread_lock = ExitStack(), threading.Lock()

    @property
    def _list(self) -> Path:
        return self._root / "runs" / ".pins" / f"{self._name}.txt"

    def add(self, folder: Path) -> None:
        """Add a run. A store that can't be written is read without a pin: nothing can be removed there, either."""
        with self._thread_lock:
            if folder in self.folders:
                return
            is_first = not self.folders
            self.folders.add(folder)
            try:
                if is_first:
                    self._lock()
                with self._list.open("a", encoding="utf-8") as file:
                    file.write(f"{folder.relative_to(self._root).as_posix()}\n")
            except (OSError, StoreError) as error:
                _LOG.info("The run in %s is used without a pin: %s", folder, error)

    def _lock(self) -> None:
        make_private(self._root, self._list.parent)
        lock = self._list.with_suffix(".lock")
        self._stack.callback(lambda: _unlink(lock))
        held = try_lock(lock)
        if held is not None:
            self._stack.enter_context(held)
        open_private(self._list).close()
        self._stack.callback(lambda: _unlink(self._list))

    def close(self) -> None:
        """Remove the pin."""
        self._stack.close()


class Pins:
    """All runs in use.

    Parameters
    ----------
    root : Path
        The store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: list[Pin] = []
        self._lasting = Pin(root)

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Keep every run that is added inside the block."""
        pin = Pin(self._root)
        self._open.append(pin)
        try:
            yield
        finally:
            self._open.remove(pin)
            pin.close()

    def add(self, folder: Path) -> None:
        """Add a run to the open blocks."""
        for pin in tuple(self._open):  # other threads open and close blocks, too
            pin.add(folder)

    def hold(self, folder: Path) -> None:
        """Keep a run until this process ends."""
        self._lasting.add(folder)

    def used(self) -> set[Path]:
        """Return the folders of all runs in use; remove what killed processes left."""
        own = (*self._open, self._lasting)
        found = {folder for pin in own for folder in tuple(pin.folders)}
        for listed in (self._root / "runs" / ".pins").glob("*.txt"):
            with suppress(OSError):
                if _is_used(listed):
                    found |= {self._root / line for line in listed.read_text(encoding="utf-8").splitlines()}
                else:
                    _unlink(listed)
                    _unlink(listed.with_suffix(".lock"))
        return found


def _is_used(listed: Path) -> bool:
    lock_file = listed.with_suffix(".lock")
    held = try_lock(lock_file)
    if held is None:
        return True
    with held as lock:
        # Opening the lock has set its time, by the same clock as that of the list.
        return lock is None and lock_file.stat().st_mtime - listed.stat().st_mtime < _DAY


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
