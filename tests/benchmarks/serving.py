"""A demo Canvas in its own process, so that its work and memory are not counted as the client's.

``python serving.py FOLDER`` prints the URL and the token as one line of JSON and serves until its standard input ends.
"""

# ruff: noqa: PLC0415 - only the served process loads the server
from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Address(NamedTuple):
    """The URL and token of a demo Canvas."""

    url: str
    token: str


@contextmanager
def served(folder: Path) -> Iterator[Address]:
    """Serve the report files in a folder as finished runs until the block ends."""
    command = [sys.executable, __file__, str(folder)]
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


def _serve(folder: str) -> None:
    from canvas_reports_nb.demo_canvas import serve

    with serve(files=folder) as server:
        print(json.dumps({"url": server.url, "token": server.token}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1])
