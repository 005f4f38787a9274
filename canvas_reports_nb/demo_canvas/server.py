"""The listening side: one thread, one loop, two sockets."""

import asyncio
import shutil
import socket
import struct
import tempfile
import threading
import weakref
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import app
from .canvas import Canvas, Hosts, RequestRecord, Settings
from .clock import Clock
from .files import scan
from .scenarios import choose

__all__ = ["Server", "Settings", "start"]

LOOPBACK = "127.0.0.1"
START_SECONDS = 10.0


class Server:
    """A running demo Canvas; a context manager that stops it.

    Attributes
    ----------
    url
        Address of the Canvas host, such as `http://127.0.0.1:40123`.
    token
        The one access token it knows; random.
    """

    def __init__(self, settings: Settings) -> None:
        folder = Path(tempfile.mkdtemp(prefix="demo-canvas-"))
        sockets = [_listener(), _listener()]
        urls = ["http://{}:{}".format(*listener.getsockname()) for listener in sockets]
        self._canvas = Canvas(settings, folder, Hosts(*urls))
        listening = _Listening(app.build(self._canvas, sockets[1].getsockname()[1]))
        thread = threading.Thread(
            target=listening.work, args=(sockets,), name="demo-canvas-server", daemon=True
        )
        self._stop = weakref.finalize(self, _stop, listening, thread, self._canvas, folder)
        thread.start()
        if not listening.ready.wait(START_SECONDS):
            self.close()
            raise RuntimeError("the demo Canvas did not start")
        self.url = urls[0]
        self.token = self._canvas.token

    @property
    def clock(self) -> Clock:
        """The clock it goes by."""
        return self._canvas.clock

    @property
    def log(self) -> tuple[RequestRecord, ...]:
        """The requests answered so far, oldest first, of both hosts; without secrets."""
        return tuple(self._canvas.traffic.log)

    def close(self) -> None:
        """Stop listening and remove the files made; again does nothing."""
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<demo Canvas at {self.url}{'' if self._stop.alive else ', closed'}>"


def start(settings: Settings, files: Path | None, scenarios: Iterable[str]) -> Server:
    """Start a server; `canvas_reports_nb.demo_canvas.serve` explains the arguments."""
    if settings.width < 1:
        raise ValueError(f"width must be at least 1, not {settings.width}")
    found = None if files is None else scan(files)
    return Server(replace(settings, found=found, scenarios=choose(scenarios)))


class _Breakable(H11Protocol):
    """Gives the application the means to break its connection off, for which ASGI has no word."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self.app_state = {**self.app_state, "reset": partial(_reset, transport)}


def _reset(transport: asyncio.Transport) -> None:
    # To linger for no time at all makes the kernel send a reset in place of a goodbye.
    no_time = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
    transport.abort()


class _Listening(uvicorn.Server):
    """A uvicorn server that tells another thread when it is up."""

    def __init__(self, application: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="asyncio",
                http=_Breakable,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
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
    # named because asyncio turns delayed sending off only where it is: 40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((LOOPBACK, 0))
    return listener


def _stop(listening: _Listening, thread: threading.Thread, canvas: Canvas, folder: Path) -> None:
    listening.should_exit = listening.force_exit = True
    canvas.worker.shutdown(wait=False, cancel_futures=True)
    thread.join(START_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
