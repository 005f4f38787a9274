"""Open a connection: to a Canvas, or to the one that ships in the package."""

from __future__ import annotations

import atexit
import functools
import tempfile
import time
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from urllib.parse import urlsplit

from canvas_reports_nb import settings as settings_of
from canvas_reports_nb.canvas_api.credentials import Token, find_token, find_url
from canvas_reports_nb.canvas_api.transport import Transport
from canvas_reports_nb.connection import Connection
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.exceptions import ConfigurationError
from canvas_reports_nb.runs.readers import Readers
from canvas_reports_nb.settings import Settings, shared_address, store_root

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from canvas_reports_nb.typing import Clock, Sleep

_F = TypeVar("_F", bound="Callable[..., Any]")


class _Open:
    """The open connections of this process, for the functions that take none.

    The newest one is kept even if nobody holds it. Older ones are not, so that a demo stops once a newer one
    has taken its place and its name.
    """

    newest: ClassVar[Connection | None] = None
    all: ClassVar[list[weakref.ref[Connection]]] = []

    @classmethod
    def add(cls, connection: Connection) -> Connection:
        cls.newest = connection
        cls.all.append(weakref.ref(connection))
        return connection

    @classmethod
    def newest_first(cls) -> list[Connection]:
        found = [each for kept in cls.all if (each := kept()) is not None and each.is_open]
        cls.all[:] = map(weakref.ref, found)
        cls.newest = found[-1] if found else None
        return found[::-1]


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
    """Connect to a Canvas. Nothing is sent to it yet.

    Parameters
    ----------
    url : str, optional
        Address of the Canvas. By default ``CANVAS_API_URL``.
    token : str, optional
        Access token. By default ``CANVAS_API_TOKEN``, then the keyring, then a prompt. Prefer those: a token
        typed into a cell is saved with the notebook.
    account : str or int
        ``"self"``, a Canvas id, or ``"sis_account_id:X"``.
    store : path or address, optional
        Folder for finished runs. By default ``CANVAS_REPORTS_CACHE``, then the user's cache folder. An address
        such as ``s3://bucket/folder`` or ``file:///mnt/share`` is a store a team shares.
    store_limit : int, optional
        Bytes the store may take; the oldest runs are removed beyond that. By default
        ``CANVAS_REPORTS_CACHE_LIMIT``, then 20 GB.
    clock, sleep : callable
        For tests: return the time in seconds since the epoch, and wait.

    Raises
    ------
    CredentialsError
        There is no address or no token.
    ConfigurationError
        The address can't be used, or is plain HTTP to another machine.

    Examples
    --------
    >>> with crn.connect("https://canvas.example.edu", "1234~" + "a" * 64) as canvas:
    ...     canvas
    Connection('canvas.example.edu', account 'self')
    """
    try:
        address = find_url(url)
        secret = find_token(token, address)
    except ConfigurationError as error:
        # Tracebacks that show local variables must not show a token, even if it was passed as the address.
        url = token = None
        raise error.with_traceback(None) from None
    settings = Settings(
        address, str(account), store_root(store), settings_of.store_limit(store_limit), shared_address(store)
    )
    transport = Transport(settings, secret, Waiter(clock, sleep))
    return _Open.add(Connection(transport, settings, on_close=transport.close))


def demo(
    *,
    account: str | int = "self",
    store: str | os.PathLike[str] | None = None,
    clock: Clock = time.time,
    sleep: Sleep = time.sleep,
    **serving: Any,
) -> Connection:
    """Start the Canvas that ships in the package and connect to it. Needs the extra ``demo``.

    It listens on this machine only. It stops when the connection closes, when nothing uses it any more, or
    when the process ends.

    Parameters
    ----------
    account, store, clock, sleep
        As for `connect`. Without ``store``, finished runs go to a temporary folder, which is removed when the
        process ends.
    **serving
        Keywords of ``demo_canvas.serve``: ``seed``, ``enrollments``, ``files``, ``scenarios``, ...

    Raises
    ------
    MissingDependencyError
        The extra is not installed. The error shows the line that installs it.

    Examples
    --------
    >>> with crn.demo() as canvas:
    ...     len(canvas.reports())
    20
    """
    from canvas_reports_nb import demo_canvas  # noqa: PLC0415 - its servers are an extra

    server = demo_canvas.serve(**serving)
    with ExitStack() as stack:
        stack.callback(server.close)
        # Each demo has its own store, because run ids repeat from demo to demo.
        root = _temporary_folder() if store is None else store_root(store)
        shared = "" if store is None else shared_address(store)
        settings = Settings(url=server.url, account=str(account), store=root, shared=shared)
        transport = Transport(settings, Token(server.token), Waiter(clock, sleep))
        # Jobs hold the transport, too: the demo stops only when neither they nor a connection need it.
        weakref.finalize(transport, server.close)
        stack.callback(transport.close)
        closing = stack.pop_all()
    return _Open.add(Connection(transport, settings, on_close=closing.close))


def _temporary_folder() -> Path:
    """Make a folder that is kept until the process ends: lazy frames read from it after a demo closed."""
    folder = tempfile.TemporaryDirectory(prefix="canvas-reports-demo-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return Path(folder.name)


def newest() -> Connection:
    """Return the newest open connection, which the package's own readers use.

    Raises
    ------
    ConfigurationError
        No connection is open.
    """
    for connection in _Open.newest_first():
        return connection
    raise ConfigurationError("No connection is open.", hint="Call connect() or demo() first.")


def connection_to(host: str, account: str) -> Connection:
    """Return the newest open connection to an account of a Canvas, or one made from the newest to that Canvas.

    Raises
    ------
    ConfigurationError
        No connection to this Canvas is open.
    """
    there = [each for each in _Open.newest_first() if urlsplit(each.url).netloc == host]
    if not there:
        raise ConfigurationError(
            f"No connection to {host} is open.", hint=f'Call connect("{host}") and keep the connection.'
        )
    same = (each for each in there if each.account_id == account)
    return next(same, None) or there[0].account(account)


def _on_newest(method: _F) -> _F:
    """Return a reader as a function: it reads with the newest open connection."""

    @functools.wraps(method)
    def read(*positional: Any, **keywords: Any) -> Any:
        return getattr(newest(), method.__name__)(*positional, **keywords)

    read.__module__, read.__qualname__ = __name__, method.__name__
    return cast("_F", read)


_readers = Readers()  # lends the functions its signatures and docstrings
read_report = _on_newest(_readers.read_report)
read_tables = _on_newest(_readers.read_tables)
scan_report = _on_newest(_readers.scan_report)
read_reports = _on_newest(_readers.read_reports)
scan_reports = _on_newest(_readers.scan_reports)
