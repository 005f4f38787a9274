"""Every fault on every call it can affect: the right frame or error, at most one run, no partial files.

The demo plays the fault, the client knows nothing of it. Time is stepped; a read times out when the demo has fallen
silent, and only then. The matrix is printed at the end: ``pytest -n0 -s``.
"""

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from urllib3.connectionpool import HTTPConnectionPool

from canvas_reports_nb import demo_canvas
from canvas_reports_nb import exceptions as ex
from canvas_reports_nb.canvas_api.credentials import Token
from canvas_reports_nb.canvas_api.transport import Transport
from canvas_reports_nb.connection import Connection
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.frames import parquet
from canvas_reports_nb.runs import download
from canvas_reports_nb.settings import Settings
from canvas_reports_nb.store.stored_run import SIDECAR, ReportResult
from tests.faults import CALLS, FAULTS, patient_connection, refuse_locks, serve

REPORT, QUIET = "grade_export_csv", {"progress": False}
START, RUN = datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC), 20.0
"""When the stepped clock begins, and how many of its seconds a run takes."""
LONG = 90.0
"""Seconds of a run that is stopped or deleted: the pauses before a retry are shorter."""
SOON = 0.05
"""Seconds between two looks of a waiting client at whether the demo has fallen silent."""
FRAME = "frame"
READING = "list history start show link file"
ALL = f"{READING} abort delete"

Ending = type[ex.CanvasReportsError] | str
# fault: {calls: ending}; "*" after a call makes the fault last.
MATRIX: dict[str, dict[str, Ending]] = {
    "reset_before": {ALL: FRAME, "list* history* link* file*": ex.NotReachedError},
    "reset_unanswered": {ALL: FRAME},
    "reset_while": {f"{ALL} file*": FRAME},
    "reset_after": {ALL: FRAME},
    "byte_by_byte": {ALL: FRAME},
    "silence": {"history start show file": FRAME},
    "stall": {"list show file": FRAME},
    "cut": {f"{ALL} file*": FRAME},
    "half": {"file": FRAME},
    "http_500": {ALL: FRAME, "list* history*": ex.ServerError},
    "http_500_page": {"list start show file": FRAME},
    "http_502_page": {ALL: FRAME, "link* file*": ex.ServerError},
    "http_503": {ALL: FRAME},
    "http_503_retry": {ALL: FRAME},
    "throttled_403": {"list history start show link abort delete": FRAME, "start*": ex.ThrottledError},
    "throttled_429": {"list history start show link abort delete": FRAME, "link*": ex.ThrottledError},
    "throttled_429_retry": {"list history start show link abort delete": FRAME},
    "forbidden": {"list history start show link abort delete": ex.NotPermittedError, "file": FRAME},
    "no_user_agent": {
        "list history": ex.UserAgentRefusedError,
        "link*": ex.NotPermittedError,
        "show link": FRAME,
    },
    "unauthorized": {"list history start show link abort delete": ex.AuthenticationError},
    "login_page": {"list history start show link abort delete file": ex.AuthenticationError},
    "login_redirect": {
        "list history show link": ex.AuthenticationError,
        "abort delete": ex.UnexpectedAnswerError,
        "start": FRAME,
    },
    "redirect_loop": {"list* history* link*": ex.UnexpectedAnswerError, "list start show link": FRAME},
    "redirect_plain": {"list history link file": ex.UnexpectedAnswerError, "start show": FRAME},
    "bad_json": {"list history": ex.UnexpectedAnswerError, "start show": FRAME},
    "other_shape": {"list history": ex.UnexpectedAnswerError, "start show": FRAME},
    "json_error": {"file link": ex.UnexpectedAnswerError},
    "wrong_type": {"file": FRAME},
    "expired": {"file": FRAME, "file*": ex.ServerError},
    "rejected_link": {"link file": FRAME, "link*": ex.NotPermittedError, "file*": ex.ServerError},
    "odd_headers": {ALL: FRAME},
    "odd_next_page": {"list* history*": ex.UnexpectedAnswerError, "show start": FRAME},
    "other_run": {"history show start": FRAME},
    "packed": {"list* history*": ex.UnexpectedAnswerError, "show start": FRAME},
    "strange_packing": {"list* history*": ex.UnexpectedAnswerError, "show start": FRAME},
    "unknown_state": {"show history start": FRAME},
    "size_more": {"show*": ex.DamagedFileError},
    "size_less": {"show*": ex.DamagedFileError},
    "switched_off": {"start": ex.UnknownReportError, "show": FRAME},
    "deleted": {"show": ex.RunDeletedError},
    "aborted": {"show": ex.RunAbortedError},
}
CASES = [
    pytest.param(fault, call, ending, id=f"{fault}-{call}")
    for fault, row in MATRIX.items()
    for calls, ending in row.items()
    for call in calls.split()
]


@pytest.fixture(scope="module")
def matrix() -> Iterator[dict[tuple[str, str], str]]:
    """Collect the outcome of each pair, and print a table at the end."""
    seen: dict[tuple[str, str], str] = {}
    yield seen
    rows: dict[str, dict[str, str]] = {}
    for (fault, call), ending in seen.items():
        row, kind = rows.setdefault(fault, {}), call.rstrip("*")
        cell = ending.removesuffix("Error") + (" (duration_option)" if call.endswith("*") else "")
        row[kind] = ", ".join(filter(None, [row.get(kind), cell]))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[*CALLS, "other"]).fillna("")
    print(f"\n{len(seen)} pairs of fault and call\n{table.to_string()}")


@pytest.fixture(scope="module")
def aside() -> Iterator[Executor]:
    """Close servers in the background, because each takes a moment."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def impatient(
    aside: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Connection]]:
    """Connect to a demo as `canvas` does, with a client that gives up a silent server at once."""
    opened: list[Connection] = []
    silent = patient_connection(lambda: set().union(*(each.server.silent for each in opened)))  # type: ignore[attr-defined]
    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", silent)

    def connect(*, lead: float = 0.0, **settings: Any) -> Connection:
        stepped = demo_canvas.SteppedClock(START)
        server = serve(**{"enrollments": 300, "duration": RUN, "clock": stepped, **settings})

        def sleep(seconds: float) -> None:
            stepped.advance(seconds)

        known = Settings(server.url, store=tmp_path / "store", read_timeout=SOON)
        clock = lambda: stepped.now().timestamp() + lead  # noqa: E731 - a function would be longer
        transport = Transport(known, Token(server.token), Waiter(clock, sleep))
        connection = Connection(transport, known, on_close=transport.close)
        connection.server = server  # type: ignore[attr-defined]
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()
        aside.submit(connection.server.close)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return the frame of a run without faults."""
    import canvas_reports_nb as crn  # noqa: PLC0415 - only here

    with crn.demo(enrollments=300, duration=0, store=tmp_path_factory.mktemp("plain")) as plain:
        return plain.read_report(REPORT, **QUIET)


def runs_made(connection: Any) -> int:
    """Count the runs on the server, including deleted ones and those the client never saw."""
    return len(connection.server._canvas.runs)


def assert_nothing_partial(connection: Connection, *, stored: bool) -> None:
    root = connection.store.path
    sidecars = {path.parent for path in root.glob(f"runs/*/*/*/*/{SIDECAR}")}
    assert set(root.glob("runs/*/*/*/[0-9]*/")) == sidecars
    assert not list(root.rglob("*.part"))
    assert len(sidecars) == stored == len(connection.store.info())
    for path in root.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def read(connection: Connection, call: str) -> Any:
    if call not in {"abort", "delete"}:
        return connection.read_report(REPORT, **QUIET)
    job = connection.start(REPORT)
    getattr(job, call)()
    assert job.status == {"abort": "aborted", "delete": "deleted"}[call]
    return None


def end(connection: Connection, call: str, ending: Ending, wanted: pd.DataFrame) -> str:
    """Make the call, check its outcome and return it as text."""
    if ending == FRAME:
        frame = read(connection, call)
        assert frame is None or frame.equals(wanted)
        return FRAME if frame is not None else "done"
    with pytest.raises(ex.CanvasReportsError) as caught:
        read(connection, call)
    error = caught.value
    assert type(error) is ending, repr(error)
    assert error.hint, "every error has a hint"
    assert connection.server.token not in f"{error!r} {error} {vars(error)}"  # type: ignore[attr-defined]
    assert "signed" not in f"{error!r} {error} {vars(error)}"
    return ending.__name__


@pytest.mark.parametrize(("fault", "call", "ending"), CASES)
def test_fault(
    *, impatient: Any, wanted: pd.DataFrame, matrix: Any, fault: str, call: str, ending: Ending
) -> None:
    kind = call.rstrip("*")
    duration = LONG if kind in {"abort", "delete"} else RUN
    connection = impatient(scenarios=[f"{fault}@{call}"], duration=duration)
    matrix[fault, call] = end(connection, kind, ending, wanted)
    assert connection.server.kinds[kind] >= 1, "the fault occurred"
    assert runs_made(connection) <= 1
    assert_nothing_partial(connection, stored=ending == FRAME and kind not in {"abort", "delete"})


def test_every_fault_and_every_call_is_in_the_matrix() -> None:
    assert set(MATRIX) == set(FAULTS)
    assert {call.rstrip("*") for row in MATRIX.values() for calls in row for call in calls.split()} == set(
        CALLS
    )
    assert len(CASES) >= 40


@pytest.mark.parametrize("scenario", ["half_stored", "fails"])
def test_a_run_that_fails_on_the_server(*, impatient: Any, matrix: Any, scenario: str) -> None:
    error = {"half_stored": ex.DamagedFileError, "fails": ex.RunFailedError}[scenario]
    connection = impatient(scenarios=[scenario])
    with pytest.raises(error) as caught:
        connection.read_tables("provisioning_csv", users=True, courses=True, **QUIET)
    assert caught.value.run_id
    matrix[scenario, "other"] = error.__name__
    assert runs_made(connection) == 1
    assert_nothing_partial(connection, stored=False)


@pytest.mark.parametrize("lead", [-7200.0, 86_400.0])
def test_a_clock_that_is_wrong(*, impatient: Any, wanted: pd.DataFrame, matrix: Any, lead: float) -> None:
    connection = impatient(lead=lead)
    matrix[f"clock {lead:+.0f} s", "other"] = end(connection, "show", FRAME, wanted)
    assert runs_made(connection) == 1
    assert_nothing_partial(connection, stored=True)


@pytest.mark.parametrize("jump", [-7200.0, 86_400.0])
def test_a_clock_that_jumps_during_the_wait(*, impatient: Any, wanted: Any, matrix: Any, jump: float) -> None:
    connection = impatient()
    clock, sleep = connection.waiter.clock, connection.waiter.sleep
    asleep = [0]

    def sleeping(seconds: float) -> None:
        asleep[0] += 1
        sleep(seconds)

    # As after a sleep or a clock correction: from the third pause on, the clock is off.
    connection.waiter.clock = lambda: clock() + (jump if asleep[0] > 2 else 0.0)
    connection.waiter.sleep = sleeping
    matrix[f"clock jumps {jump:+.0f} s", "other"] = end(connection, "show", FRAME, wanted)
    assert asleep[0] > 3
    assert runs_made(connection) == 1
    assert_nothing_partial(connection, stored=True)


KERNEL = """
import os, signal, sys, time
import canvas_reports_nb as crn

class Deadly:
    def show(self, event):
        if event.stage == stage:
            os.kill(os.getpid(), signal.SIGKILL)
    def close(self):
        pass

stage, url, store, now = sys.argv[1:]
crn.connect(url, store=store, clock=lambda: float(now), sleep=lambda _: None).read_report(
    "grade_export_csv", progress=Deadly())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs the signal SIGKILL")
@pytest.mark.parametrize("stage", ["waiting", "downloading", "reading", "done"])
def test_a_kernel_that_is_killed(*, impatient: Any, wanted: Any, matrix: Any, stage: str) -> None:
    connection = impatient()
    if stage != "waiting":  # the clock of the other process does not move
        connection.start(REPORT).wait(progress=False)
    given = [stage, connection.url, str(connection.store.path), str(connection.waiter.clock())]
    environment = {**os.environ, "CANVAS_API_TOKEN": connection.server.token}
    killed = subprocess.run([sys.executable, "-c", KERNEL, *given], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    matrix[f"killed while {stage}", "other"] = end(connection, "show", FRAME, wanted)
    assert runs_made(connection) == 1
    assert_nothing_partial(connection, stored=True)


def no_name(*_: Any, **__: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def refused(*_: Any, **__: Any) -> Any:
    raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


@pytest.mark.parametrize(("fault", "target"), [(no_name, "getaddrinfo"), (refused, "socket")])
def test_an_unreachable_server(
    *, impatient: Any, monkeypatch: Any, matrix: Any, fault: Any, target: str
) -> None:
    connection = impatient()
    with monkeypatch.context() as broken:
        broken.setattr(socket, target, fault)
        with pytest.raises(ex.NotReachedError, match="was not reached"):
            connection.read_report(REPORT, **QUIET)
    matrix[fault.__name__, "list"] = "NotReachedError"
    assert runs_made(connection) == 0
    assert_nothing_partial(connection, stored=False)


@pytest.mark.parametrize("name", ["raw.part", f"{REPORT}.parquet", SIDECAR])
def test_a_full_disk(*, impatient: Any, wanted: Any, monkeypatch: Any, matrix: Any, name: str) -> None:
    connection = impatient()

    def no_room(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full(io.FileIO):
        write = no_room

    def open_private(path: Path) -> Any:
        return Full(path, "w+") if path.name == name else made_private(path)

    def replace(path: Path, target: Path) -> Path:
        return no_room() if target.name == name else moved(path, target)

    made_private, moved = download.open_private, Path.replace
    with monkeypatch.context() as full:
        full.setattr(download, "open_private", open_private)
        full.setattr(parquet, "open_private", open_private)
        full.setattr(Path, "replace", replace)
        with pytest.raises(ex.StoreError, match=r"needs about [\d.]+ MB, and [\d,.]+ MB are free"):
            connection.read_report(REPORT, **QUIET)
    matrix[f"disk full at {name}", "file"] = "StoreError"
    assert_nothing_partial(connection, stored=False)
    assert connection.read_report(REPORT, **QUIET).equals(wanted), (
        "with enough space, the same run is downloaded"
    )
    assert runs_made(connection) == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_schedule_of_temporary_faults(*, impatient: Any, wanted: Any, matrix: Any, seed: int) -> None:
    connection = impatient(scenarios=[f"schedule:{seed}"])
    matrix[f"schedule:{seed}", "other"] = end(connection, "show", FRAME, wanted)
    assert runs_made(connection) == 1
    assert_nothing_partial(connection, stored=True)


TIMEOUT = 600.0
"""More than a run takes, and less than any wait for a lock."""


def no_locks(code: int) -> Callable[..., None]:
    def apply(_connection: Connection, monkeypatch: pytest.MonkeyPatch, _hold: Any) -> None:
        refuse_locks(monkeypatch, code)

    return apply


def in_the_way(name: str) -> Callable[..., None]:
    """Put a file where the store would make a folder."""

    def apply(connection: Connection, _monkeypatch: pytest.MonkeyPatch, _hold: Any) -> None:
        path = connection.store.path / name
        path.parent.mkdir(parents=True, mode=0o700)
        path.touch(0o600)

    return apply


def held(name: str) -> Callable[..., None]:
    """Let another process hold a lock."""

    def apply(connection: Connection, _monkeypatch: pytest.MonkeyPatch, hold: Any) -> None:
        if name == "run":
            hold(connection, REPORT, connection.start(REPORT).wait(progress=False).run.id)
        else:
            query = connection._runs.query(REPORT, {})
            hold.path(connection._ledger.lock_path(query))

    return apply


def removed_while_read(connection: Connection, monkeypatch: pytest.MonkeyPatch, _hold: Any) -> None:
    choose, left = ReportResult.choose, [1]

    def remove(result: ReportResult, table: str | None) -> str:
        if left and left.pop():
            connection.store.clear()
        return choose(result, table)

    monkeypatch.setattr(ReportResult, "choose", remove)


def id_started_again(connection: Connection, _monkeypatch: pytest.MonkeyPatch, _hold: Any) -> None:
    """Store a run of another question under the id that the next run will have."""
    other = connection.read_report(REPORT, include_deleted=True, **QUIET).canvas.provenance["run_id"]
    connection.server._canvas.runs.clear()  # type: ignore[attr-defined]
    folder = connection.store.folder(connection.url, "self", REPORT, other)
    facts = json.loads((folder / SIDECAR).read_text())
    for made in (facts["provenance"], *(table["provenance"] for table in facts["tables"].values())):
        made |= {"run_id": other + 1, "created_at": "2025-01-01T00:00:00+00:00"}
    (folder / SIDECAR).write_text(json.dumps(facts))
    folder.rename(folder.with_name(str(other + 1)))
    assert connection.store.info()["run_id"].tolist() == [other + 1]


# fault of this machine: what it does, how the read ends, and how many runs are started.
LOCAL: dict[str, tuple[Callable[..., None], Ending, int]] = {
    "no locks (ENOLCK)": (no_locks(errno.ENOLCK), FRAME, 1),
    "no locks (EOPNOTSUPP)": (no_locks(errno.EOPNOTSUPP), FRAME, 1),
    "no locks (EACCES)": (no_locks(errno.EACCES), FRAME, 1),
    "a file in place of the runs": (in_the_way("runs"), ex.StoreError, 0),
    "a file in place of the ledger": (in_the_way("ledger"), FRAME, 1),
    "a file in place of the metadata": (in_the_way("http"), FRAME, 1),
    "a file in place of the pins": (in_the_way("runs/.pins"), FRAME, 1),
    "the run's lock is held": (held("run"), ex.WaitTimeoutError, 1),
    "the query's lock is held": (held("query"), FRAME, 1),
    "the run is removed while read": (removed_while_read, FRAME, 1),
    "its id was another run's": (id_started_again, FRAME, 1),
}


@pytest.mark.parametrize("fault", LOCAL)
def test_a_fault_of_this_machine(
    *, impatient: Any, wanted: Any, monkeypatch: Any, matrix: Any, hold_lock: Any, fault: str
) -> None:
    connection = impatient()
    apply, ending, runs = LOCAL[fault]
    apply(connection, monkeypatch, hold_lock)
    began = connection.waiter.clock()
    if ending == FRAME:
        assert connection.read_report(REPORT, timeout=TIMEOUT, **QUIET).equals(wanted)
    else:
        with pytest.raises(ex.CanvasReportsError) as caught:
            connection.read_report(REPORT, timeout=TIMEOUT, **QUIET)
        assert type(caught.value) is ending
        assert caught.value.hint
    matrix[fault, "other"] = ending if isinstance(ending, str) else ending.__name__
    assert connection.waiter.clock() - began <= TIMEOUT + 1
    assert runs_made(connection) == runs
    assert not list(connection.store.path.rglob("*.part"))


@pytest.mark.parametrize("fault", ["aborted", "deleted"])
def test_a_joined_run_that_somebody_stops(*, impatient: Any, wanted: Any, matrix: Any, fault: str) -> None:
    connection = impatient()
    connection._api.start(REPORT, {"skip_message": True})
    connection.server.plan(f"{fault}@show")
    began = connection.waiter.clock()
    assert connection.read_report(REPORT, timeout=TIMEOUT, **QUIET).equals(wanted)
    matrix[f"joined, then {fault}", "show"] = FRAME
    assert connection.waiter.clock() - began <= TIMEOUT
    assert runs_made(connection) == 2, "theirs and ours"
    assert_nothing_partial(connection, stored=True)
