"""Open a connection: to a Canvas, or to the one that ships in the package."""

from __future__ import annotations

import functools
import time
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from urllib.parse import urlsplit

from canvas_reports_nb import settings as settings_of
from canvas_reports_nb.canvas_api.credentials import Token, find_token, find_url
from canvas_reports_nb.canvas_api.transport import Transport
from canvas_reports_nb.connection import Connection
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.demo_folders import fresh_folder
from canvas_reports_nb.exceptions import ConfigurationError
from canvas_reports_nb.readers import Readers
from canvas_reports_nb.settings import Settings, shared_address, store_root

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from canvas_reports_nb.typing import Clock, Sleep

_F = TypeVar("_F", bound="Callable[..., Any]")


class _Open:
    """The open connections of this process, oldest first: the one session the module-level functions use.

    Kept until they are closed, whether or not somebody holds them: else an older one, to another Canvas, would
    take the place of one that was opened without keeping it.
    """

    connections: ClassVar[list[Connection]] = []

    @classmethod
    def add(cls, connection: Connection) -> Connection:
        cls.connections.append(connection)
        return connection

    @classmethod
    def newest_first(cls) -> list[Connection]:
        cls.connections[:] = [each for each in cls.connections if each.is_open]
        return cls.connections[::-1]

    @classmethod
    def newest(cls) -> Connection:
        for connection in cls.newest_first():
            return connection
        raise ConfigurationError("No connection is open.", hint="Call connect() or demo() first.")


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
    store : path or address, optional
        Folder of finished runs; else ``CANVAS_REPORTS_CACHE``, else the user's cache folder. An address,
        such as ``s3://bucket/folder`` or ``file:///mnt/share``, is a store a team shares: see `SharedStore`.
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

    It listens on this machine only and stops when the connection closes or the process ends.

    Parameters
    ----------
    account, store, clock, sleep
        As for `connect`; without ``store`` each demo gets a folder of its own under the user's cache folder,
        removed by a later one when it is a day old and nobody's any more.
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
        root = fresh_folder(store_root()) if store is None else store_root(store)
        shared = "" if store is None else shared_address(store)
        settings = Settings(url=server.url, account=str(account), store=root, shared=shared)
        transport = Transport(settings, Token(server.token), Waiter(clock, sleep))
        stack.callback(transport.close)
        closing = ExitStack()
        connection = Connection(transport, settings, on_close=closing.close)
        closing.enter_context(stack.pop_all())
    # A demo nobody closes stops with the process.
    weakref.finalize(connection, closing.close)
    return _Open.add(connection)


def newest() -> Connection:
    """The newest open connection, which the module-level functions use.

    Raises
    ------
    ConfigurationError
        None is open.
    """
    return _Open.newest()


def connection_to(host: str, account: str) -> Connection:
    """An open connection to an account of this Canvas: the newest, or another account of the newest.

    Raises
    ------
    ConfigurationError
        None is open to this Canvas.
    """
    there = [each for each in _Open.newest_first() if urlsplit(each.url).netloc == host]
    if not there:
        raise ConfigurationError(
            f"No connection to {host} is open.", hint=f'Call connect("{host}") and keep what it gives.'
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
