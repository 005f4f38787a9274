"""Files that nobody but their owner can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_private"]

# A link laid in the way must not lead names and marks elsewhere; Windows has no such flag.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def write_private(path: Path) -> Any:
    """Open a file for writing, from its start, that nobody but its owner can read.

    Raises
    ------
    OSError
        Among others, where the path is a link.
    """
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o600), "w+b")
