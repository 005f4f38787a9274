"""A shared store on a local S3 server: several machines, several writers, killed writers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import fsspec
import pandas as pd
import polars as pl
import pytest
from moto.server import ThreadedMotoServer

import canvas_reports_nb as crn
from canvas_reports_nb.store.stored_run import SIDECAR

QUIET: dict[str, Any] = {"progress": False}
POINTS = 6


def downloads(connection: Any) -> int:
    """Return how many files were downloaded."""
    return sum("/files/" in record.path and record.status in {200, 206} for record in connection.server.log)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 server, and the environment variables that point to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-anybody")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str) -> str:
    """The address of a store in its own bucket."""
    name = f"bucket-{uuid4().hex}"
    boto3.client("s3", endpoint_url=s3).create_bucket(Bucket=name)
    return f"s3://{name}/team"


def objects(address: str) -> dict[str, bytes]:
    files, path = fsspec.url_to_fs(address)
    files.invalidate_cache()
    return {name.removeprefix(f"{path}/"): files.cat_file(name) for name in files.find(path)}


@pytest.fixture
def machine(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Connections to one demo Canvas, each with its own disk."""
    first = canvas()
    opened = []

    def connect(name: str, store: str, **settings: Any) -> Any:
        monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / name))
        clock = first.waiter.clock
        opened.append(
            crn.connect(
                first.url, first.server.token, store=store, clock=clock, sleep=first.waiter.sleep, **settings
            )
        )
        return opened[-1]

    connect.canvas = first
    yield connect
    for connection in opened:
        connection.close()


def test_a_run_downloaded_once_is_there_for_everybody(machine: Any, bucket: str, tmp_path: Path) -> None:
    one, other = machine("one", bucket), machine("other", bucket)
    frame = one.read_report("grade_export_csv", **QUIET)
    again = other.read_report("grade_export_csv", **QUIET)
    pd.testing.assert_frame_equal(frame, again)
    assert again.canvas.provenance == frame.canvas.provenance
    assert (downloads(machine.canvas), machine.canvas.starts()) == (1, 1)
    held = other.store.info()
    assert held[["here", "shared"]].to_numpy().tolist() == [[True, True]]
    assert machine("third", bucket).store.info()["here"].tolist() == [False]
    third = machine("third", bucket)
    lazy = third.scan_report("grade_export_csv", offline=True).select(pl.len()).collect().item()
    assert lazy == len(frame)
    assert {path.name for path in (tmp_path / "third" / "shared").glob("*/*")} == {"runs"}
    local = {path.name for path in (tmp_path / "one" / "shared").glob("*/*")}
    assert {"http", "ledger", "runs"} <= local
    assert {name.partition("/")[0] for name in objects(bucket)} == {"runs"}, (
        "ledger and metadata stay on this disk"
    )


def test_a_run_that_is_too_old_is_not_copied(machine: Any, bucket: str) -> None:
    machine("one", bucket).read_report("grade_export_csv", **QUIET)
    machine.canvas.server.clock.advance(7200)
    other = machine("other", bucket)
    other.read_report("grade_export_csv", max_age=3600, **QUIET)
    assert sorted(other.store.info()["here"].tolist()) == [False, True]
    assert machine.canvas.starts() == 2


def test_a_failing_storage_does_not_stop_a_report(machine: Any, s3: str) -> None:
    connection = machine("one", "s3://bucket-that-is-not-there/team")
    with pytest.warns(crn.ReportWarning, match=r"can't be written: .*Continuing with the runs on this disk"):
        frame = connection.read_report("grade_export_csv", **QUIET)
    assert len(connection.read_report("grade_export_csv", offline=True)) == len(frame)
    buckets = boto3.client("s3", endpoint_url=s3).list_buckets()["Buckets"]
    assert "bucket-that-is-not-there" not in {bucket["Name"] for bucket in buckets}


def test_shared_files_contain_neither_token_nor_keys(machine: Any, bucket: str, tmp_path: Path) -> None:
    connection = machine("one", bucket)
    connection.read_tables("provisioning_csv", users=True, courses=True, **QUIET)
    shared = objects(bucket)
    assert sealed(bucket) == 1
    assert len(shared) == 4, "two tables, the zip and the sidecar"
    shown = "\n".join([repr(connection.store), connection.store._repr_html_(), repr(connection)])
    for secret in (machine.canvas.server.token, "not-for-anybody"):
        assert secret not in shown
        assert not any(secret.encode() in data for data in shared.values())
        assert not any(secret.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


# One process that forks. Each child has its own disk, reads the run through a shared store and is killed at a
# step of its upload (0: never). A late child starts once another has started to write.
READER = """
import json, os, signal, sys
import s3fs
import canvas_reports_nb as crn

url, token, run_id, plan = sys.argv[1:]
listen, signal_start = os.pipe()
call = s3fs.S3FileSystem._call_s3

def read(store, cache, limit, late):
    count = 0
    def step():
        nonlocal count
        count += 1
        if count == 2:
            os.write(signal_start, b"x")
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)
    async def counted(self, method, *arguments, **keywords):
        if method != "put_object":
            return await call(self, method, *arguments, **keywords)
        step()
        given = await call(self, method, *arguments, **keywords)
        step()
        return given
    s3fs.S3FileSystem._call_s3 = counted
    os.environ["CANVAS_REPORTS_CACHE"] = cache
    if late:
        os.read(listen, 1)
    with crn.connect(url, token, store=store) as canvas:
        frame = canvas.read_report("grade_export_csv", run_id=int(run_id), progress=False)
    return [count, frame.to_csv()]

def begin(store, cache, limit, late):
    pid = os.fork()
    if pid == 0:
        try:
            given = read(store, cache, limit, late)
            with open(cache + ".json", "w") as file:
                json.dump(given, file)
        finally:
            os._exit(0)
    return pid, cache

def end(pid, cache):
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else json.load(open(cache + ".json"))

begun = [begin(*each) for each in json.loads(plan)]
print(json.dumps([end(*each) for each in begun]))
"""


@pytest.fixture
def reader(machine: Any, tmp_path: Path) -> Any:
    """A finished run, and a function that reads it in several processes at once.

    Each process is given as store, name of its disk, step at which it is killed, and whether it is late. The
    function returns the signal that ended each, or the number of steps and the frame.
    """
    job = machine.canvas.start("grade_export_csv").wait(**QUIET)
    server = machine.canvas.server

    def read(*plan: tuple[str, str, int, bool]) -> list[Any]:
        paths = [(store, str(tmp_path / cache), step, late) for store, cache, step, late in plan]
        call = [sys.executable, "-c", READER, server.url, server.token, str(job.run.id), json.dumps(paths)]
        done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    read.run_id = job.run.id
    return read


def sealed(address: str) -> int:
    return sum(name.endswith(SIDECAR) for name in objects(address))


def test_two_machines_asking_at_once_get_the_same_run(machine: Any, reader: Any, bucket: str) -> None:
    before = downloads(machine.canvas)
    one, other = reader((bucket, "one", 0, False), (bucket, "other", 0, False))
    assert one[1] == other[1]
    assert one[1].count("\n") > 10
    assert downloads(machine.canvas) - before in {1, 2}, "each machine downloads it at most once"
    assert sealed(bucket) in {1, 2}
    assert machine("third", bucket).store.info()["run_id"].tolist() == [reader.run_id]


def test_a_writer_killed_at_any_step_leaves_the_store_usable(machine: Any, reader: Any, bucket: str) -> None:
    steps = range(1, POINTS + 1)
    stores = [f"{bucket}-killed-{step}" for step in steps]
    plan = [(store, f"killed-{step}", step, False) for step, store in zip(steps, stores, strict=True)]
    *killed, (written, text) = reader(*plan, (bucket, "whole", 0, False))
    assert killed == [signal.SIGKILL] * POINTS
    assert written == POINTS, "two files and the sidecar: before and after each"
    for step, store in zip(steps, stores, strict=True):
        before, whole = downloads(machine.canvas), sealed(store)
        assert len(machine(f"looking-{step}", store).store.info()) == whole, "complete or not listed"
        for name in (f"other-{step}", f"killed-{step}"):
            frame = machine(name, store).read_report("grade_export_csv", run_id=reader.run_id, **QUIET)
            assert frame.to_csv() == text
        assert downloads(machine.canvas) == before + 1 - whole
        assert len(objects(store)) == 3, "what the killed writer left is gone"


@pytest.mark.parametrize("step", [2, 5])
def test_another_machine_completes_the_run_of_a_killed_writer(
    machine: Any, reader: Any, bucket: str, step: int
) -> None:
    signalled, (_, text) = reader((bucket, "killed", step, False), (bucket, "survivor", 0, True))
    assert signalled == signal.SIGKILL
    third = machine("third", bucket)
    wanted = third.read_report("grade_export_csv", run_id=reader.run_id, **QUIET)
    assert text == wanted.to_csv()
    assert third.store.info()["shared"].tolist() == [True]
    assert sealed(bucket) == 1
