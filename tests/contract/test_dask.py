"""On a Dask cluster, a worker converts the downloaded files and never gets the token."""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pandas as pd
import polars as pl
import pytest
from dask.dataframe.dask_expr.io import FromMapProjectable
from distributed import Client, LocalCluster

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import DamagedFileError
from canvas_reports_nb.frames import parquet
from canvas_reports_nb.frames.provenance import Provenance

ENROLLMENTS: dict[str, Any] = {"report": "provisioning_csv", "enrollments": True, "users": True}
QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Start one worker in its own process."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as made:
        yield made


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as made:
        yield made


def refuse(*_: Any) -> None:
    raise AssertionError("converted in this process")


@pytest.mark.usefixtures("client")
def test_a_worker_writes_the_same_files(canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    connection = canvas()
    with monkeypatch.context() as here:
        here.setattr(parquet, "derive_here", refuse)
        by_worker = connection.read_tables(**ENROLLMENTS, **QUIET)
    (stored,) = connection.store.runs()
    assert {path.suffix for path in stored.folder.iterdir()} == {".json", ".parquet", ".zip"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in stored.folder.iterdir())
    first = {name: stored.provenance_of(name) for name in stored.tables}
    connection.store.clear()
    monkeypatch.setattr(parquet, "_dask_client", lambda: None)
    here_alone = connection.read_tables(**ENROLLMENTS, run_id=stored.origin.run_id, **QUIET)
    (again,) = connection.store.runs()
    assert stored.facts["tables"].keys() == here_alone.keys() == by_worker.keys()
    for name, frame in here_alone.items():
        pd.testing.assert_frame_equal(by_worker[name], frame)
        assert first[name].rows == again.provenance_of(name).rows == len(frame)


def search() -> Callable[[], int]:
    """Return a search for demo tokens in the memory of the calling process; a closure, so pickle carries it whole."""

    def count() -> int:
        found = 0
        with Path("/proc/self/mem").open("rb", buffering=0) as memory:
            for line in Path("/proc/self/maps").read_text().splitlines():
                place, rights, *_ = line.split()
                begin, end = (int(number, 16) for number in place.split("-"))
                if not rights.startswith("rw"):
                    continue
                memory.seek(begin)
                try:
                    held = memory.read(end - begin) or b""
                except OSError as error:
                    # A mapping beyond the end of its file holds nothing (EIO), nor does one that another thread has
                    # released since it was listed.
                    if error.errno != 5 and line in Path("/proc/self/maps").read_text().splitlines():
                        raise
                    continue
                found += len(re.findall(rb"demo-canvas~[\w-]{20,}", held))
        return found

    return count


def test_the_token_is_neither_in_a_task_nor_in_the_memory_of_a_worker(
    canvas: Callable[..., Any], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def submit(*task: Any, **named: Any) -> Any:
        sent.append(cloudpickle.dumps((task, named)))
        return Client.submit(client, *task, **named)

    monkeypatch.setattr(client, "submit", submit)
    connection = canvas()
    connection.read_tables(**ENROLLMENTS, **QUIET)
    token = connection.server.token.encode()
    (task,) = sent
    assert b"raw.part" in task
    assert token not in task
    assert b"verifier" not in task, "the key of the link is not sent"
    logs = repr((client.get_worker_logs(), client.get_scheduler_logs())).encode()
    assert token not in logs
    if Path("/proc/self/mem").exists():
        assert search()(), "the search finds the token in this process"
        assert set(client.run(search()).values()) == {0}


@pytest.fixture
def contradictory(tmp_path: Path) -> Path:
    """Write a report file with an invalid id."""
    path = tmp_path / "raw.part"
    path.write_bytes(b"user id,user sis id,user name,last access at,last ip\noops,,A,2026-03-02T09:14:07Z,\n")
    return path


def derived_from(path: Path) -> parquet.Derived:
    known = Provenance(report="last_user_access_csv", source="last_user_access.csv")
    return parquet.derive(path, path.parent, known, {})


@pytest.mark.usefixtures("client")
def test_warnings_of_a_worker_appear_here(contradictory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "derive_here", refuse)
    monkeypatch.chdir(contradictory.parent)  # the worker runs in another folder
    with pytest.warns(crn.ReportWarning, match="row 1 holds 'oops'") as caught:
        made = derived_from(Path(contradictory.name))
    assert len(caught) == 1
    assert made.tables["last_user_access_csv"]["provenance"]["rows"] == 1
    contradictory.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DamagedFileError, match="damaged zip"):
        derived_from(contradictory)


def test_without_a_usable_worker_this_process_converts(
    canvas: Callable[..., Any],
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def blind(path: Path, scratch: Path, *known: Any) -> Any:
        """Act like a worker on another disk."""
        return parquet._derive_apart(Path("/another/disk") / path.name, scratch, *known)

    with monkeypatch.context() as there:
        there.setattr(parquet, "_derive_apart", blind)
        frames = canvas().read_tables(**ENROLLMENTS, **QUIET)
    assert all(map(len, frames.values()))
    assert "no Dask worker could convert run" in caplog.text
    assert "FileNotFoundError" in caplog.text


def test_a_task_does_not_wait_for_another_task(contradictory: Path) -> None:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as one_thread,
        Client(one_thread) as client,
        pytest.warns(crn.ReportWarning),
    ):
        made = client.submit(derived_from, contradictory).result(timeout=600)
    assert (contradictory.parent / made.tables["last_user_access_csv"]["file"]).exists()


@pytest.mark.usefixtures("client")
def test_workers_convert_and_group_many_runs(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "derive_here", refuse)
    connection = canvas()
    requests = crn.requests_for("provisioning_csv", terms=[11, 12, 13], enrollments=True)
    keys = ["enrollment_term_id", "status"]
    scanned = connection.scan_reports(requests, **QUIET)
    wanted = scanned.group_by(keys).agg(pl.len().alias("rows"), pl.col("canvas_user_id").max()).collect()
    lazy = connection.scan_reports(requests, engine="dask", **QUIET)
    assert lazy.npartitions == len(requests)
    groups = lazy.groupby(keys, observed=True)
    counted = groups.agg({"canvas_course_id": "size", "canvas_user_id": "max"})
    (reading,) = counted.optimize(fuse=False).expr.find_operations(FromMapProjectable)
    assert set(reading.operand("columns")) == {*keys, "canvas_course_id", "canvas_user_id"}
    found = counted.compute().reset_index()
    assert wanted.height > 3
    assert sorted(found.itertuples(index=False, name=None)) == sorted(wanted.rows())
