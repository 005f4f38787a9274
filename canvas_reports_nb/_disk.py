"""Files that nobody but their owner can read."""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.exceptions import StoreError

if TYPE_CHECKING:
    from pathlib import Path

# A link laid in the way must not lead names and marks elsewhere; Windows has no such flag.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def open_private(path: Path) -> Any:
    """Open a file for writing, from its start, that nobody but its owner can read.

    Raises
    ------
    OSError
        Among others, where the path is a link.
    """
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o600), "w+b")


def make_private(root: Path, folder: Path) -> None:
    """Make a folder below the root, and all between, for their owner alone."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        step = root
        for part in folder.relative_to(root).parts:
            step /= part
            _make(step)
    except OSError as error:
        raise StoreError(
            f"The store at {root} can't be written: {error.strerror}.",
            hint="Name another folder with CANVAS_REPORTS_CACHE or store=.",
        ) from None


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink():
        raise OSError(errno.ELOOP, f"{folder} is a link, which leads elsewhere")


def file_facts(path: Path) -> dict[str, Any]:
    """What a sidecar holds of a file: ``file``, ``size``, ``sha256``."""
    with path.open("rb") as file:
        return {
            "file": path.name,
            "size": path.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
