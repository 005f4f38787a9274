"""One writer at a time where no file lock reaches: a small object beside the runs says who is at work.

It saves work and guards nothing: whoever ignores it, or loses it, only does again what another does too.
Its owner writes it anew while at work. One that stays the same is a dead process's, and anybody may take
it over; no two clocks are ever compared.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from canvas_reports_nb.typing import Clock, Sleep

_LOG = logging.getLogger(__name__)
EXPIRY = 30.0
"""Seconds without a sign of life after which a claim is nobody's."""

_POLL = 2.0


@contextmanager
def claimed(files: Any, path: str, done: Callable[[], bool], *, clock: Clock, sleep: Sleep) -> Iterator[None]:
    """Hold the claim at a path, or find the work done; where the storage takes no claims, go on without.

    Parameters
    ----------
    files : fsspec file system
    path : str
        The object to hold.
    done : callable
        Whether another has finished the work, so that there is nothing left to claim.
    clock, sleep : callable
    """
    owner = uuid4().hex.encode()
    if not _take(files, path, owner, done, clock=clock, sleep=sleep):
        yield
        return
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(files, path, owner, stop), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()
        with suppress(Exception):
            if _owner(files.cat_file(path)) == owner:
                files.rm_file(path)


def _take(
    files: Any, path: str, owner: bytes, done: Callable[[], bool], *, clock: Clock, sleep: Sleep
) -> bool:
    seen, since = b"", clock()
    # Each storage has errors of its own, and none of them is a reason not to do the work.
    with suppress(Exception):
        while True:
            try:
                files.pipe_file(path, owner, mode="create")
            except FileExistsError:
                if done():
                    return False
            else:
                return True
            with suppress(FileNotFoundError):  # released this very moment
                found = files.cat_file(path)
                if found != seen:
                    if not seen:
                        _LOG.info("another machine is at work on %s; waiting for it", path)
                    seen, since = found, clock()
                elif clock() - since >= EXPIRY:
                    files.pipe_file(path, owner)
                    return True
            sleep(_POLL)
    return False


def _keep(files: Any, path: str, owner: bytes, stop: threading.Event) -> None:
    beats = 0
    while not stop.wait(EXPIRY / 3):
        beats += 1
        with suppress(Exception):
            files.pipe_file(path, owner + b" %d" % beats)


def _owner(text: bytes) -> bytes:
    return text.partition(b" ")[0]
