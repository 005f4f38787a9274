"""The cache of lists on this disk: which responses it keeps, and what of them."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.canvas_api.redaction import body_without_keys
from canvas_reports_nb.canvas_api.responses import is_html
from canvas_reports_nb.canvas_api.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from requests import Response

    from canvas_reports_nb.deadline import Waiter

_LOG = logging.getLogger(__name__)
RECEIVED = "X-Received-At"
"""The header of a cached response with the time of our clock when it arrived."""
_LONGEST_WAIT = 1.0  # seconds for another process to release the cache
_SECONDS = {
    # Each pattern matches a whole path, so that the status of a run (".../reports/x/42") is never cached.
    re.compile(r"^[^?]*/api/v1/accounts/[^/?]+/reports(\?.*)?$"): 600,
    re.compile(r"^[^?]*/api/v1/accounts/[^/?]+(\?.*)?$"): 3600,
    re.compile(r"^[^?]*/api/v1/accounts/[^/?]+/(terms|sub_accounts)(\?.*)?$"): 600,
    re.compile(r"^[^?]*/api/v1/accounts(\?.*)?$"): 600,
}


def make_file(root: Path, path: Path) -> None:
    """Make the cache's file below the store's folder, readable only by its owner."""
    # One by one, because mkdir applies the mode to the last folder only.
    for step in (root, path.parent):
        step.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def is_free(path: Path, waiter: Waiter) -> bool:
    """Return whether the cache can be written now; the library would wait for it without end."""
    wait = max(min(_LONGEST_WAIT, waiter.remaining), 0.0)
    try:
        with closing(sqlite3.connect(path, timeout=wait, isolation_level=None)) as probe:
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
    except sqlite3.Error as error:
        _LOG.info("The cache of lists was skipped: %s", error)
        return False
    return True


def cached_session(path: Path, waiter: Waiter) -> Any:
    """Return a session that answers the GETs of lists from the cache, if they are recent."""
    # requests_cache keeps the stack of its first import alive, with everything the callers hold. A thread
    # has a stack of its own.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(import_module, "requests_cache").result()
    import requests_cache  # noqa: PLC0415 - slow to import, and needed only here

    class Cached(requests_cache.CacheMixin, Session):
        """The same session with a cache."""

    session = Cached(
        str(path),
        backend="sqlite",
        serializer="json",
        allowable_methods=("GET",),
        # A redirected response would be stored with its earlier requests, token included, and a login page
        # would be reused after the login.
        filter_fn=lambda response: not response.history and not is_html(response),
        urls_expire_after=dict([*_SECONDS.items(), ("*", requests_cache.DO_NOT_CACHE)]),
    )
    session.hooks["response"].append(partial(_before_caching, waiter))
    return session


def _before_caching(waiter: Waiter, response: Response, **_: Any) -> Response:
    """Remove cookies and the keys of links from a response before it is cached on disk, and note when it arrived."""
    response.headers.setdefault(RECEIVED, str(waiter.clock()))
    response.headers.pop("Set-Cookie", None)
    response.cookies.clear()
    if hasattr(response.raw, "headers"):
        response.raw.headers.pop("Set-Cookie", None)
    response._content = body_without_keys(response.content or b"")  # noqa: SLF001 - no public way to replace it
    return response
