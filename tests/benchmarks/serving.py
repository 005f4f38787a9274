"""A demo Canvas in its own process, so that its work and memory are not counted as the client's.

``python serving.py FOLDER [RATE]`` prints the URL and the token as one line of JSON and serves until its standard input
ends, files at no more than RATE bytes per second.
"""

# ruff: noqa: PLC0415 - only the served process loads the server
from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Address(NamedTuple):
    """The URL and token of a demo Canvas."""

    url: str
    token: str


@contextmanager
def served(folder: Path, rate: float = 0) -> Iterator[Address]:
    """Serve the report files in a folder as finished runs until the block ends."""
    command = [sys.executable, __file__, str(folder), str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("The demo Canvas did not start. See its error above.")
        try:
            yield Address(**json.loads(line))
        finally:
            process.stdin.close()


class Limited:
    """Sends each body at no more than so many bytes per second."""

    def __init__(self, app: ASGIApp, rate: float) -> None:
        self.app, self.rate = app, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun, sent = time.perf_counter(), 0

        async def limited(message: Message) -> None:
            nonlocal begun, sent
            if message["type"] == "http.response.start":
                begun = time.perf_counter()
            sent += len(message.get("body", b""))
            await asyncio.sleep(begun + sent / self.rate - time.perf_counter())
            await send(message)

        await self.app(scope, receive, limited)


def _serve(folder: str, rate: float) -> None:
    from canvas_reports_nb.demo_canvas import serve

    with serve(files=folder, middleware=(lambda app: Limited(app, rate)) if rate else None) as server:
        print(json.dumps({"url": server.url, "token": server.token}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1], float(sys.argv[2]))
