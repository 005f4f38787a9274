"""The listening side: one thread, one event loop, two sockets."""

import asyncio
import shutil
import socket
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import app
from .canvas import Canvas, Hosts, Options, RequestRecord
from .clock import Clock
from .files import scan
from .scenarios import choose

__all__ = ["Middleware", "Options", "Server", "start"]

LOOPBACK = "127.0.0.1"
START_SECONDS = 10.0
Middleware = Callable[[ASGIApp], ASGIApp]


class Server:
    """A running demo Canvas; a context manager that stops it.

    Attributes
    ----------
    url
        Address of the Canvas host, such as `http://127.0.0.1:40123`.
    token
        The only valid access token; random.
    """

    def __init__(self, options: Options, middleware: Middleware | None = None) -> None:
        folder = Path(tempfile.mkdtemp(prefix="demo-canvas-"))
        sockets = [_listener(), _listener()]
        urls = ["http://{}:{}".format(*listener.getsockname()) for listener in sockets]
        self._canvas = Canvas(options, folder, Hosts(*urls))
        web = _WebServer(app.build(self._canvas, sockets[1].getsockname()[1], middleware))
        thread = threading.Thread(target=web.work, args=(sockets,), name="demo-canvas-server", daemon=True)
        self._stop = weakref.finalize(self, _stop, web, thread, self._canvas, folder)
        thread.start()
        if not web.ready.wait(START_SECONDS):
            self.close()
            raise RuntimeError(f"The demo Canvas did not start within {START_SECONDS:.0f} s. Try again.")
        self.url = urls[0]
        self.token = self._canvas.token

    @property
    def clock(self) -> Clock:
        """The source of its time."""
        return self._canvas.clock

    @property
    def log(self) -> tuple[RequestRecord, ...]:
        """The requests answered so far by both hosts, oldest first, without secrets."""
        return tuple(self._canvas.traffic.log)

    def close(self) -> None:
        """Stop listening and remove the files; closing again does nothing."""
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<demo Canvas at {self.url}{'' if self._stop.alive else ', closed'}>"


def start(
    options: Options, files: Path | None, scenarios: Iterable[str], middleware: Middleware | None = None
) -> Server:
    """Start a server; `canvas_reports_nb.demo_canvas.serve` explains the arguments."""
    if options.width < 1:
        raise ValueError(f"Can't work on width={options.width} runs at once. Use 1 or more.")
    found = None if files is None else scan(files)
    return Server(replace(options, found=found, scenarios=choose(scenarios)), middleware)


class _Protocol(H11Protocol):
    """Shows middleware the transport of a connection, which ASGI hides."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _WebServer(uvicorn.Server):
    """A uvicorn server that signals another thread when it is up."""

    def __init__(self, application: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="asyncio",
                http=_Protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=0,
            )
        )
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def work(self, sockets: list[socket.socket]) -> None:
        asyncio.run(self.serve(sockets))


def _listener() -> socket.socket:
    # Bound here and handed over, so that no other program can take the port in between. The protocol is
    # named because asyncio sends small pieces at once only where it is: otherwise 40 ms per response.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((LOOPBACK, 0))
    return listener


def _stop(web: _WebServer, thread: threading.Thread, canvas: Canvas, folder: Path) -> None:
    web.should_exit = web.force_exit = True
    for pool in (canvas.worker, canvas.archivist):
        pool.shutdown(wait=False, cancel_futures=True)
    if thread is not threading.current_thread():  # which may collect garbage, and with it the last reference
        thread.join(START_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
