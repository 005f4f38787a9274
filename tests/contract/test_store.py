"""The store under strain: damage, eviction, killed processes, two processes at once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions
from canvas_reports_nb.frames import engines, parquet
from canvas_reports_nb.store.stored_run import SIDECAR

QUIET: dict[str, Any] = {"progress": False}
POINTS = 20


def downloads(connection: Any) -> int:
    """Return how many files were downloaded."""
    return sum("/files/" in record.path and record.status in {200, 206} for record in connection.server.log)


def entry(connection: crn.Connection) -> Path:
    (folder,) = {path.parent for path in (connection.store.path / "runs").rglob(SIDECAR)}
    return folder


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip(next(folder.glob("*.parquet"))),
        lambda folder: next(folder.glob("*.parquet")).unlink(),
        lambda folder: next(folder.glob("*.parquet")).write_bytes(b""),
        lambda folder: (folder / "raw.csv").write_bytes(b"cut"),
        lambda folder: (folder / "raw.csv").unlink(),
        lambda folder: (folder / SIDECAR).write_text("{"),
        lambda folder: (folder / SIDECAR).unlink(),
    ],
    ids=["flipped-bit", "no-parquet", "empty-parquet", "short-raw", "no-raw", "half-sidecar", "no-sidecar"],
)
def test_a_damaged_run_is_quarantined_and_downloaded_again(canvas: Any, damage: Any) -> None:
    connection = canvas()
    frame = connection.read_report("grade_export_csv", **QUIET)
    damage(entry(connection))
    again = connection.read_report("grade_export_csv", **QUIET)
    pd.testing.assert_frame_equal(frame, again)
    assert connection.starts() == 1, "the run itself was not started again"
    assert downloads(connection) == 2
    connection.read_report("grade_export_csv", offline=True)


def test_a_damaged_run_is_not_served_offline(canvas: Any) -> None:
    connection = canvas()
    connection.read_report("grade_export_csv", **QUIET)
    flip(next(entry(connection).glob("*.parquet")))
    with pytest.raises(exceptions.NotStoredError):
        connection.read_report("grade_export_csv", offline=True)


def test_a_damaged_file_from_canvas_is_never_returned(canvas: Any) -> None:
    connection = canvas()
    sent = connection.obtain("grade_export_csv", **QUIET).path.read_bytes()
    flip(entry(connection) / "raw.csv")
    with pytest.raises(exceptions.DamagedFileError, match="set aside"):
        connection.obtain("grade_export_csv", **QUIET).path.read_bytes()
    assert connection.obtain("grade_export_csv", **QUIET).path.read_bytes() == sent
    assert connection.starts() == 1
    connection.store.clear()
    assert not list((connection.store.path / "runs").rglob("*.csv")), "quarantined files contain names, too"


def test_beyond_the_limit_the_oldest_runs_are_removed(canvas: Any) -> None:
    connection = canvas()
    connection.read_report("grade_export_csv", **QUIET)
    room = int(connection.store.info()["bytes"].iloc[0])
    connection.store.limit = int(room * 1.5)
    connection.server.clock.advance(5)
    newest = connection.read_report("grade_export_csv", include_deleted=True, **QUIET)
    kept = connection.store.info()
    assert kept["run_id"].tolist() == [newest.canvas.provenance["run_id"]]
    connection.store.limit = 1
    assert len(connection.read_report("zero_activity_csv", **QUIET)) >= 0
    assert connection.store.info()["report"].tolist() == ["zero_activity_csv"]


def test_a_batch_larger_than_the_limit_stays_complete_and_older_runs_are_removed(canvas: Any) -> None:
    connection = canvas()
    connection.read_report("zero_activity_csv", **QUIET)
    connection = crn.connect(
        connection.url,
        connection.server.token,
        store=connection.store.path,
        store_limit=1,
        clock=connection.waiter.clock,
        sleep=connection.waiter.sleep,
    )
    batch = [{"report": "grade_export_csv"}, {"report": "grade_export_csv", "account": 3}]
    first = connection.read_reports(batch, **QUIET)
    held = connection.store.info()
    assert held["report"].tolist() == ["grade_export_csv"] * 2
    again = connection.obtain_reports([*batch, {"report": "grade_export_csv", "account": 2}], **QUIET)
    assert set(held["run_id"]) < set(connection.store.info()["run_id"])
    assert len(again.to_pandas()) > len(first) > 0
    assert connection.read_reports(batch, **QUIET).equals(first)
    connection.read_report("zero_activity_csv", max_age=0, **QUIET)
    assert connection.store.info()["report"].tolist() == ["zero_activity_csv"], (
        "they were kept for one call only"
    )


def test_beyond_the_limit_only_runs_behind_lazy_frames_are_kept(
    canvas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = canvas(enrollments=100, duration=1)
    connection.store.limit = 1
    lazy: dict[str, Any] = {
        "grade_export_csv": partial(connection.read_report, engine="dask"),
        "last_user_access_csv": partial(connection.read_tables, engine="dask"),
        "unused_courses_csv": connection.scan_report,
        "course_storage_csv": lambda report, **how: connection.read_reports(
            [{"report": report}], engine="dask", **how
        ),
        "public_courses_csv": lambda report, **how: connection.scan_reports([{"report": report}], **how),
        "unpublished_courses_csv": lambda report, **how: connection.scan_reports(
            [{"report": report}], engine="dask", **how
        ),
    }
    eager: dict[str, Any] = {
        "zero_activity_csv": connection.read_report,
        "recently_deleted_courses_csv": partial(connection.read_tables, engine="arrow"),
        "lti_report_csv": lambda report, **how: connection.read_reports(
            [{"report": report}], engine="polars", **how
        ),
        "last_enrollment_activity_csv": connection.read_report,
    }
    with monkeypatch.context() as patched:
        patched.setattr(parquet, "Gathered", lambda *_: pytest.fail("kept in memory"))
        for report, read in lazy.items():
            read(report, **QUIET)
    for report, read in eager.items():
        read(report, **QUIET)
    assert set(connection.store.info()["report"]) == {*lazy, "last_enrollment_activity_csv"}


def test_what_was_just_downloaded_becomes_a_frame_without_being_read_again(
    canvas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = canvas(enrollments=100)

    def fail(*_: object) -> None:
        raise AssertionError("read from the disk")

    monkeypatch.setattr(engines, "_read", fail)
    monkeypatch.setattr(engines, "scan", fail)
    fresh: dict[str, Any] = {"max_age": 0, "users": True, **QUIET}
    assert len(connection.read_report("provisioning_csv", columns=["user_id"], **fresh)) > 0
    for how in ({}, {"table": "users", "engine": "polars"}, {"columns": ["user_id"], "engine": "arrow"}):
        found = connection.read_tables("provisioning_csv", **how, **fresh)
        assert len(found["users"]) > 0
    with pytest.raises(AssertionError, match="read from the disk"):
        connection.read_report("provisioning_csv", users=True, **QUIET)


def test_clear_removes_what_a_killed_process_left(canvas: Any) -> None:
    connection = canvas()
    connection.read_report("grade_export_csv", **QUIET)
    (entry(connection) / SIDECAR).unlink()
    assert connection.store.clear() == 0
    assert not list((connection.store.path / "runs").rglob("*.csv"))


# One process that forks. Each child reads a run and is killed at another step of download or storage.
READER = """
import json, os, signal, sys
import canvas_reports_nb as crn
from canvas_reports_nb.runs import download as results

url, token, run_id, plan = sys.argv[1:]

def steps(store, limit):
    count = 0
    def step(*_):
        nonlocal count
        count += 1
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)
    def audit(event, arguments):
        if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.chmod"} and str(store) in str(arguments):
            step()
    sys.addaudithook(audit)
    take = results._Body._take
    def taking(*arguments):
        step(); take(*arguments); step()
    results._Body._take = taking
    with crn.connect(url, token, store=store) as canvas:
        canvas.read_report("grade_export_csv", run_id=int(run_id), progress=False)
    if limit:
        # The body came in fewer pieces than the first time, so the last step is the end.
        os.kill(os.getpid(), signal.SIGKILL)
    return count

def child(store, limit):
    pid = os.fork()
    if pid == 0:
        try:
            with open(os.environ["COUNT"], "w") as file:
                file.write(str(steps(store, limit)))
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else int(open(os.environ["COUNT"]).read())

print(json.dumps([child(store, limit) for store, limit in json.loads(plan)]))
"""


@pytest.fixture
def reader(canvas: Any, tmp_path: Path) -> Any:
    """A finished run, and a function that reads it in other processes, each killed at a step (0: never).

    It returns the signal that ended each process, or the number of steps.
    """
    connection = canvas()
    job = connection.start("grade_export_csv").wait(progress=False)
    environment = {**os.environ, "COUNT": str(tmp_path / "count"), "CANVAS_REPORTS_CACHE_LIMIT": "1 GB"}

    def read(plan: list[tuple[Path, int]]) -> list[int]:
        call = [sys.executable, "-c", READER, connection.url, connection.server.token, str(job.run.id)]
        done = subprocess.run(
            [*call, json.dumps([(str(store), step) for store, step in plan])],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        return list(json.loads(done.stdout))

    read.connection, read.run_id = connection, job.run.id
    return read


def test_killed_at_any_point_the_store_stays_valid_and_the_next_call_succeeds(
    reader: Any, tmp_path: Path
) -> None:
    wanted = reader.connection.read_report("grade_export_csv", run_id=reader.run_id, **QUIET)
    (steps,) = reader([(tmp_path / "whole", 0)])
    assert steps >= POINTS
    plan = [(tmp_path / f"killed-{n}", 1 + n * (steps - 1) // (POINTS - 1)) for n in range(POINTS)]
    assert reader(plan) == [signal.SIGKILL] * POINTS
    for store, _ in plan:
        with crn.connect(reader.connection.url, reader.connection.server.token, store=store) as after:
            listed = after.store.info()
            assert len(listed) <= 1, "the run is complete or not listed"
            if len(listed):
                pd.testing.assert_frame_equal(
                    after.read_report("grade_export_csv", run_id=reader.run_id, offline=True), wanted
                )
            frame = after.read_report("grade_export_csv", run_id=reader.run_id, **QUIET)
            pd.testing.assert_frame_equal(frame, wanted)
            assert not list(store.rglob("*.part"))


class Sink:
    """Keeps the events it is asked to show."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def show(self, event: Any) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


@pytest.fixture
def locked(canvas: Any, hold_lock: Any) -> tuple[Any, int, Callable[[], object]]:
    """A connection, a finished run whose lock another process holds, and a function that ends that process."""
    connection = canvas()
    run_id = connection.start("grade_export_csv").wait(**QUIET).run.id
    return connection, run_id, hold_lock(connection, "grade_export_csv", run_id)


def test_waiting_for_another_process_ends_at_the_deadline_and_is_shown(locked: Any) -> None:
    connection, run_id, release = locked
    sink, began = Sink(), connection.server.clock.now()
    with pytest.raises(exceptions.WaitTimeoutError, match="another process is still downloading") as caught:
        connection.read_report("grade_export_csv", run_id=run_id, timeout=2, progress=sink)
    assert (connection.server.clock.now() - began).total_seconds() == pytest.approx(2)
    assert caught.value.run_id == run_id
    assert caught.value.job is not None
    assert f"canvas.attach('grade_export_csv', {run_id}).result()" in str(caught.value)
    notes = [event.text for event in sink.events if event.stage == "note"]
    assert notes == [f"Waiting for another process that is downloading run {run_id} ..."]
    assert downloads(connection) == 0
    release()
    assert len(connection.read_report("grade_export_csv", run_id=run_id, timeout=2, **QUIET)) > 0


def test_without_a_deadline_the_wait_for_a_stopped_process_ends_all_the_same(locked: Any) -> None:
    connection, run_id, _ = locked
    began = connection.server.clock.now()
    with pytest.raises(exceptions.StoreLockedError, match=f"still downloading run {run_id}"):
        connection.read_report("grade_export_csv", run_id=run_id, **QUIET)
    assert 1800 < (connection.server.clock.now() - began).total_seconds() < 1900


def test_in_a_batch_the_wait_for_another_process_ends_at_the_deadline(locked: Any) -> None:
    connection, run_id, _ = locked
    began = connection.server.clock.now()
    found = connection.obtain_reports([{"report": "grade_export_csv"}], timeout=2, on_error="return", **QUIET)
    assert (connection.server.clock.now() - began).total_seconds() == pytest.approx(2)
    (error,) = found.errors
    assert isinstance(error, exceptions.WaitTimeoutError)
    assert error.run_id == run_id


def test_clear_leaves_what_another_process_is_writing(locked: Any) -> None:
    connection, run_id, release = locked
    folder = connection.store.folder(connection.url, connection.account_id, "grade_export_csv", run_id)
    folder.mkdir()
    (folder / "raw.part").write_bytes(b"half")
    began = connection.server.clock.now()
    assert connection.store.clear() == 0
    assert connection.server.clock.now() == began, "it doesn't wait"
    assert folder.exists()
    release()
    assert connection.store.clear() == 0
    assert not folder.exists()


def test_two_processes_asking_at_once_download_once(reader: Any, tmp_path: Path) -> None:
    call = """
import sys
import canvas_reports_nb as crn
url, token, store, run_id = sys.argv[1:]
with crn.connect(url, token, store=store) as canvas:
    sys.stdin.read(1)
    print(len(canvas.read_report("grade_export_csv", run_id=int(run_id), progress=False)))
"""
    before = downloads(reader.connection)
    arguments = [sys.executable, "-c", call, reader.connection.url, reader.connection.server.token]
    both = [
        subprocess.Popen(
            [*arguments, str(tmp_path / "shared"), str(reader.run_id)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in both:
        process.stdin.write(b"x")
        process.stdin.flush()
    rows = [process.communicate(timeout=600)[0] for process in both]
    assert rows[0] == rows[1]
    assert int(rows[0]) > 0
    assert downloads(reader.connection) == before + 1
