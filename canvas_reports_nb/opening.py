"""Open a connection: to a Canvas, or to the one that ships in the package."""

from __future__ import annotations

import tempfile
import time
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from canvas_reports_nb import settings as settings_of
from canvas_reports_nb.connection import Connection
from canvas_reports_nb.credentials import Token, find_token, find_url
from canvas_reports_nb.exceptions import ConfigurationError
from canvas_reports_nb.settings import Settings, store_root
from canvas_reports_nb.transport import Transport

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import polars as pl

    from canvas_reports_nb.typing import Clock, Sleep

__all__ = [
    "connect",
    "demo",
    "read_report",
    "read_reports",
    "read_tables",
    "scan_report",
    "scan_reports",
]


class _Open:
    """The open connections of this process, oldest first: the one session the module-level functions use.

    Weak, so that a forgotten connection is not kept alive.
    """

    refs: ClassVar[list[weakref.ref[Connection]]] = []

    @classmethod
    def add(cls, connection: Connection) -> Connection:
        cls.refs.append(weakref.ref(connection))
        return connection

    @classmethod
    def newest(cls) -> Connection:
        cls.refs[:] = [ref for ref in cls.refs if (found := ref()) is not None and found.is_open]
        connection = cls.refs[-1]() if cls.refs else None
        if connection is None:
            raise ConfigurationError(
                "No connection is open.", hint="Call connect() or demo() first and keep what it gives."
            )
        return connection


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    account: str | int = "self",
    store: str | os.PathLike[str] | None = None,
    store_limit: int | None = None,
    clock: Clock = time.time,
    sleep: Sleep = time.sleep,
) -> Connection:
    """Connect to a Canvas. Nothing is asked of it yet.

    Parameters
    ----------
    url : str, optional
        Address of the Canvas; else ``CANVAS_API_URL``.
    token : str, optional
        Access token; else ``CANVAS_API_TOKEN``, else the keyring, else a prompt. Better left to those: a
        token in a notebook cell is a token in the notebook file.
    account : str or int
        ``"self"``, a Canvas id, or ``"sis_account_id:X"``.
    store : path, optional
        Folder of finished runs; else ``CANVAS_REPORTS_CACHE``, else the user's cache folder.
    store_limit : int, optional
        Bytes they may take, beyond which the oldest go; else ``CANVAS_REPORTS_CACHE_LIMIT``, else 20 GB.
    clock, sleep : callable
        For tests: the time in seconds since the epoch, and how to wait.

    Raises
    ------
    CredentialsError
        No address or no token.
    ConfigurationError
        The address is none, or is plain HTTP to another machine.
    """
    address = find_url(url)
    secret = find_token(token, address)
    settings = Settings(address, str(account), store_root(store), settings_of.store_limit(store_limit))
    transport = Transport(settings, secret, sleep)
    return _Open.add(Connection(transport, settings, clock=clock, sleep=sleep, on_close=transport.close))


def demo(
    *,
    account: str | int = "self",
    store: str | os.PathLike[str] | None = None,
    clock: Clock = time.time,
    sleep: Sleep = time.sleep,
    **serving: Any,
) -> Connection:
    """Start the Canvas that ships in the package and connect to it. Needs the extra ``demo``.

    It listens on this machine only and stops when the connection closes or the process ends.

    Parameters
    ----------
    account, store, clock, sleep
        As for `connect`; without ``store`` each demo gets a folder of its own under the user's cache folder.
    **serving
        Those of ``demo_canvas.serve``: ``seed``, ``enrollments``, ``files``, ``scenarios``, ...

    Raises
    ------
    MissingDependencyError
        With the line that installs what is missing.

    Examples
    --------
    >>> import canvas_reports_nb as crn
    >>> with crn.demo() as canvas:
    ...     len(canvas.reports())
    20
    """
    from canvas_reports_nb import demo_canvas  # noqa: PLC0415 - its servers are an extra

    with ExitStack() as stack:
        server = stack.enter_context(demo_canvas.serve(**serving))
        # A run id of another demo must never be taken for one of this: each has its own store.
        root = Path(store) if store is not None else _fresh(store_root() / "demo")
        settings = Settings(url=server.url, account=str(account), store=root)
        transport = Transport(settings, Token(server.token), sleep)
        stack.callback(transport.close)
        closing = stack.pop_all()
    connection = Connection(transport, settings, clock=clock, sleep=sleep, on_close=closing.close)
    # A demo nobody closes must not outlive the last reference to it.
    weakref.finalize(connection, closing.close)
    return _Open.add(connection)


def _fresh(parent: Path) -> Path:
    # One by one: a parent that mkdir makes by itself is open to everybody.
    for folder in (parent.parent, parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%dT%H%M%S-"), dir=parent))


def read_report(report: str, **keywords: Any) -> Any:
    """`Connection.read_report` on the newest open connection."""
    return _Open.newest().read_report(report, **keywords)


def read_tables(report: str, **keywords: Any) -> dict[str, Any]:
    """`Connection.read_tables` on the newest open connection."""
    return _Open.newest().read_tables(report, **keywords)


def scan_report(
    report: str, *, table: str | None = None, columns: Sequence[str] | None = None, **keywords: Any
) -> pl.LazyFrame:
    """`Connection.scan_report` on the newest open connection."""
    return _Open.newest().scan_report(report, table=table, columns=columns, **keywords)


def read_reports(requests: Any, **keywords: Any) -> Any:
    """`Connection.read_reports` on the newest open connection."""
    return _Open.newest().read_reports(requests, **keywords)


def scan_reports(requests: Any, **keywords: Any) -> Any:
    """`Connection.scan_reports` on the newest open connection."""
    return _Open.newest().scan_reports(requests, **keywords)
