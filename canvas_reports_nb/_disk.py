"""Files and folders that only their owner can read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from canvas_reports_nb.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

# Never write through a link that someone else placed here. Windows has no such flag; there, files would be texts.
SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# Windows replaces no file that a virus scanner or a reader has open, so try again after these seconds.
_RETRIES = (0.01, 0.1, 0.4, 1.0) if os.name == "nt" else ()
# Encrypted folders allow 143 bytes, and a suffix is added.
_LONGEST = 120
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
# FAT keeps times in steps of two seconds, exFAT in steps of 10 ms.
_FINE_NS, _TICK_NS = 10_000_000, 2_000_000_000
# How often another process may remove a folder between the attempt to make it and the look at it.
_REMOVALS = 100
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def disk_name(name: str, *, safe: str = "", taken: Iterable[str] = ()) -> str:
    """Return a file name for any text: percent-encoded, or a digest of what a disk could not hold.

    ``taken`` are names that the result must differ from in more than case.
    """
    encoded = quote(name, safe=safe, errors="surrogatepass")
    fits = len(encoded) <= _LONGEST and not _RESERVED.match(encoded) and encoded.strip(". ") == encoded
    if fits and encoded.lower() not in {each.lower() for each in taken}:
        return encoded
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"{re.sub(r'[^0-9A-Za-z]+', '_', name)[:40]}-{digest}"


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with its ``~`` replaced; it stays if no home folder is known, and the file is then missing."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - `Path.expanduser` raises RuntimeError


def open_private(path: Path) -> Any:
    """Open a new or emptied file that only its owner can read; raise OSError if the path is a link."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | SAFELY, 0o600), "w+b")


def replace_file(part: Path, target: Path) -> Path:
    """Move a complete file to its place in one step, and return the place."""
    for pause in _RETRIES:
        try:
            return part.replace(target)
        except PermissionError:
            time.sleep(pause)
    return part.replace(target)


def make_private(root: Path, folder: Path) -> None:
    """Make a folder below the root, and all folders in between, readable only by their owner."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        step = root
        for part in folder.relative_to(root).parts:
            step /= part
            _make(step)
    except OSError as error:
        raise StoreError(
            f"Can't write to the store at {root}: {error.strerror}.",
            hint="Choose another folder with CANVAS_REPORTS_CACHE or store=.",
        ) from None


def _make(folder: Path) -> None:
    for _ in range(_REMOVALS):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700, exist_ok=True)
            break
        if os.path.lexists(folder) and not folder.is_dir():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    if folder.is_symlink():
        raise OSError(errno.ELOOP, f"{folder} is a link to another place")


def try_lock(path: Path, *, is_reentrant: bool = False) -> AbstractContextManager[object] | None:
    """Lock a file without waiting; return ``None`` if it is locked already, and raise OSError if it can't be opened.

    Some file systems have no locks: then nothing is locked, and the context gives ``None``.

    Parameters
    ----------
    is_reentrant : bool
        Whether the thread that holds the lock may lock it again.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - slow to import, and a look at the store needs none

    try:
        return FileLock(path, mode=0o600, is_singleton=is_reentrant).acquire(blocking=False)
    except Timeout:
        # A refused permission looks like a lock that somebody holds, so try a file that nobody else can know.
        return None if _has_locks(path.with_name(f".{uuid4().hex}.lock")) else nullcontext()
    except NotImplementedError:
        return nullcontext()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return nullcontext()


def _has_locks(probe: Path) -> bool:
    from filelock import FileLock, Timeout  # noqa: PLC0415 - likewise

    try:
        FileLock(probe, mode=0o600).acquire(blocking=False).lock.release()
    except Timeout:
        return False
    except OSError:
        return True
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return True


class HashedFile:
    """A file being written, and the SHA-256 of what was written since it began."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write and hash some bytes."""
        self._digest.update(data)
        return int(self._file.write(data))

    def restart(self) -> None:
        """Empty the file and begin again."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The digest of the bytes so far."""
        return self._digest.hexdigest()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def file_facts(path: Path, sha256: str | None = None) -> dict[str, Any]:
    """Return what a sidecar keeps about a file; ``sha256`` is its digest, if that is known already."""
    return {"file": path.name, "sha256": sha256 or file_digest(path), **file_state(path)}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_state(path: Path) -> dict[str, int]:
    """Return what shows that a file was not written again: its size, time and inode."""
    state = path.stat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "inode": state.st_ino}


def is_settled(state: Mapping[str, int], noted_ns: int) -> bool:
    """Whether a change after ``noted_ns``, a time by the same file system, would have changed this state."""
    return state["mtime_ns"] % _FINE_NS != 0 or noted_ns - state["mtime_ns"] >= _TICK_NS
