"""Fixtures that connect to a demo Canvas on this machine."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from tests import faults

START = datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC)


class Caller(requests.Session):
    """A session that sends requests with the token of a demo Canvas."""

    def __init__(self, server: Any) -> None:
        super().__init__()
        self.server = server
        self.headers["Authorization"] = f"Bearer {server.token}"

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        where = url if url.startswith("http") else f"{self.server.url}/{url.lstrip('/')}"
        return super().request(method, where, *args, **{"timeout": 60, **kwargs})

    def reports(self, rest: str = "", method: str = "GET", **kwargs: Any) -> requests.Response:
        return self.request(method, f"api/v1/accounts/self/reports{rest}", **kwargs)

    def start(self, report: str = "zero_activity_csv", **parameters: Any) -> dict[str, Any]:
        reply = self.reports(f"/{report}", "POST", json={"parameters": parameters})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def show(self, run: dict[str, Any]) -> dict[str, Any]:
        reply = self.reports(f"/{run['report']}/{run['id']}")
        assert reply.status_code == 200, reply.text
        return reply.json()


@pytest.fixture
def demo() -> Iterator[Callable[..., Caller]]:
    """Start demo Canvases with a stepped clock; `scenarios` can name faults. All are closed at the end."""
    opened = []

    def serve(**settings: Any) -> Caller:
        clock = demo_canvas.SteppedClock(START)
        server = faults.serve(**{"enrollments": 300, "clock": clock, "duration": 0, **settings})
        opened.append(Caller(server))
        return opened[-1]

    yield serve
    for caller in opened:
        caller.close()
        caller.server.close()


@pytest.fixture
def canvas(demo: Callable[..., Caller], tmp_path: Path) -> Iterator[Callable[..., crn.Connection]]:
    """Connect to a demo Canvas whose clock advances with every wait; `canvas.server` is the demo's server."""
    opened = []

    def connect(**settings: Any) -> crn.Connection:
        server = demo(**settings).server
        connection = crn.connect(
            server.url,
            server.token,
            store=tmp_path / "store",
            clock=lambda: server.clock.now().timestamp(),
            sleep=lambda seconds: server.clock.advance(seconds) and None,
        )
        connection.server = server
        connection.starts = lambda: sum(record.method == "POST" for record in server.log)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


class Recorder:
    """A progress sink that records its events."""

    def __init__(self) -> None:
        self.events: list[crn.ProgressEvent] = []

    def show(self, event: crn.ProgressEvent) -> None:
        self.events.append(event)

    def close(self) -> None:
        """Do nothing: nothing was opened."""


@pytest.fixture
def recorder() -> Recorder:
    """Return a progress sink whose events a test can check."""
    return Recorder()


HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold_lock() -> Iterator[Callable[[crn.Connection, str, int], Callable[[], object]]]:
    """Let another process hold the lock of a run that is not stored yet; return a function that ends it.

    ``hold_lock.path`` does so for any lock file.
    """
    holders: list[subprocess.Popen[bytes]] = []

    def hold_path(path: Path) -> Callable[[], object]:
        path.parent.mkdir(parents=True)
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        holders.append(holder)
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        return holder.communicate

    def hold(connection: crn.Connection, report: str, run_id: int) -> Callable[[], object]:
        folder = connection.store.folder(connection.url, connection.account_id, report)
        return hold_path(folder / f".{run_id}.lock")

    hold.path = hold_path  # type: ignore[attr-defined]
    yield hold
    for holder in holders:
        holder.communicate()
