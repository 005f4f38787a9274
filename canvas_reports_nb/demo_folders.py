"""Where a demo keeps its runs: a folder of its own, and what becomes of the folders of earlier ones.

::

    <cache>/demo/2026-03-02T161407-k3x9q2/
        .demo.lock      held by the process of the demo until it ends
        ...             the store
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from canvas_reports_nb._disk import make_private

if TYPE_CHECKING:
    from filelock import FileLock

_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}-\w+")
_DAY = 24 * 3600.0
# No lock to be had: somebody holds it, or the file system knows none.
_NO_LOCK = (OSError, NotImplementedError)


def fresh_folder(root: Path) -> Path:
    """A new folder for one demo; those of demos that are over, and a day old, are removed.

    Parameters
    ----------
    root : Path
        The folder of stores.

    Raises
    ------
    StoreError
        It can't be written.
    """
    parent = root / "demo"
    make_private(root, parent)
    for folder in parent.iterdir():
        _sweep(folder)
    fresh = Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%dT%H%M%S-"), dir=parent))
    lock = _lock(fresh)
    with suppress(*_NO_LOCK):
        lock.acquire()
        # Until the process ends, not the connection: a lazy frame still reads the files of a closed demo.
        atexit.register(lock.release)
    return fresh


def _sweep(folder: Path) -> None:
    """Remove a folder that only an ended demo can have left."""
    with suppress(*_NO_LOCK):
        # A day also for what the demo said it keeps, and for one that has yet to take its lock.
        made_a_day_ago = time.time() - folder.stat().st_mtime > _DAY
        if _NAME.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink() and made_a_day_ago:
            with _lock(folder):
                pass
            shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path) -> FileLock:
    from filelock import FileLock  # noqa: PLC0415 - slow to import, and only a demo needs it

    return FileLock(folder / ".demo.lock", mode=0o600, timeout=0)
