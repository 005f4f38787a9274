"""Finished runs on this disk: private, and complete or not listed at all."""

import errno
import json
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import dask.dataframe as dd
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb._disk import file_digest, file_facts, file_state
from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query, key_of
from canvas_reports_nb.deadline import Stopped, Waiter
from canvas_reports_nb.exceptions import (
    DamagedFileError,
    NotStoredError,
    ParameterError,
    ReportWarning,
    StoreError,
    StoreLockedError,
    UnknownColumnError,
    UnknownTableError,
)
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.runs.ledger import Ledger
from canvas_reports_nb.settings import Settings
from canvas_reports_nb.store import store as store_module
from canvas_reports_nb.store import stored_run
from canvas_reports_nb.store.shared import open_store
from canvas_reports_nb.store.store import Store, seconds
from canvas_reports_nb.store.stored_run import ReportResult, read_run

URL, ACCOUNT, GRADES = "https://canvas.example.edu", "sis_account_id:ENG/1", "grade_export_csv"


def keep(
    store: Store, run_id: int, *, report: str = GRADES, age: float = 60, **parameters: Any
) -> ReportResult:
    """Store a run of two rows as `retrieve` does."""
    ended = datetime.now(UTC) - timedelta(seconds=age)
    made = Provenance(
        host="canvas.example.edu",
        account=ACCOUNT,
        report=report,
        run_id=run_id,
        parameters=parameters,
        ended_at=ended.isoformat(timespec="seconds"),
        rows=2,
    ).to_dict()
    with store.lock(URL, ACCOUNT, report, run_id) as folder:
        (folder / "raw.csv").write_bytes(b"a\n1\n2\n")
        (folder / f"{report}.parquet").write_bytes(b"PAR1")
        tables = {report: {**file_facts(folder / f"{report}.parquet"), "provenance": made}}
        raw = file_facts(folder / "raw.csv")
        return store.seal(folder, {"provenance": made, "raw": raw, "tables": tables})


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(params=["local", "shared"])
def store(request: pytest.FixtureRequest, local: Store) -> Store:
    """A local store, and a shared one in memory that must behave the same on this disk."""
    if request.param == "local":
        return local
    shared = f"memory://{uuid4().hex}/team"
    return open_store(Settings(URL, store=local.path, shared=shared), Waiter())


def test_layout_and_permissions(store: Store) -> None:
    with store.pin_used():
        kept = keep(store, 7)
        written = {path.name for path in kept.folder.iterdir()} - {"run.json"}
        modes = {
            path: stat.S_IMODE(path.stat().st_mode)
            for path in (store.path, *store.path.rglob("*"))
            if path.name not in written
        }
        assert {path.suffix or path.name for path in modes if path.is_file()} == {
            *(".txt", ".lock", ".index", ".json")
        }
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    inside = kept.folder.relative_to(store.path)
    assert inside.parts == ("runs", "canvas.example.edu", "sis_account_id%3AENG%2F1", GRADES, "7")
    assert not list(store.path.rglob("*.part"))
    found = store.verify(store.find(URL, ACCOUNT, GRADES, 7))
    assert found == kept
    assert found.tables == (GRADES,)
    assert found.size > len(b"a\n1\n2\nPAR1")


def test_what_is_synced_to_the_disk_is_complete(local: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: dict[int, int] = {}
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.update({os.fstat(file).st_ino: os.fstat(file).st_size})
    )
    sidecar = (keep(local, 7).folder / "run.json").stat()
    assert synced == {sidecar.st_ino: sidecar.st_size}


def test_a_look_up_creates_no_folder(store: Store) -> None:
    assert store.find(URL, ACCOUNT, GRADES, 7) is None
    assert store.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {})) == []
    assert store.clear() == 0
    assert "0.0 MB" in store._repr_html_()
    assert not store.path.exists()


@pytest.mark.parametrize("gone", ["run.json", "raw.csv", f"{GRADES}.parquet"])
def test_a_run_with_a_missing_file_is_not_found(local: Store, gone: str) -> None:
    kept = keep(local, 7)
    (kept.folder / gone).unlink()
    assert not kept.is_complete
    assert kept.is_as_stored is False
    assert kept.is_intact() is (gone == "run.json")
    assert kept.is_raw_intact() is (gone != "raw.csv")
    assert local.find(URL, ACCOUNT, GRADES, 7) is None
    assert list(local.runs()) == []
    shutil.rmtree(kept.folder)
    assert [kept.is_complete, kept.is_as_stored, kept.is_intact(), kept.is_raw_intact()] == [False] * 4
    assert kept.size == len(b"a\n1\n2\nPAR1")


def broken(text: str) -> Any:
    return lambda _: text


def made_with(**facts: Any) -> Any:
    return lambda right: json.dumps({**right, "provenance": {**right["provenance"], **facts}})


def outside(facts: dict[str, Any], name: str) -> str:
    return json.dumps({**facts, "raw": {"file": name}})


@pytest.mark.parametrize(
    "damage",
    [
        broken(""),
        broken("{"),
        broken("[]"),
        broken("null"),
        broken('{"format": 1}'),
        broken('{"format": 1, "raw": [], "tables": [], "provenance": 3}'),
        lambda facts: json.dumps({**facts, "format": 2}),
        lambda facts: json.dumps({**facts, "tables": {GRADES: {"file": "raw.csv"}}}),
        lambda facts: json.dumps({**facts, "provenance": {"ended_at": "yesterday"}}),
        lambda facts: json.dumps({**facts, "provenance": {"ended_at": "2026-03-02T09:00:00"}}),
        lambda facts: json.dumps({**facts, "provenance": {"parameters": [1]}}),
        *(made_with(rows=rows) for rows in ("2", 2.5, 2**53)),
        *(made_with(**{name: 7}) for name in ("created_at", "ended_at", "retrieved_at")),
        lambda facts: outside(facts, "../secret.csv"),
        lambda facts: outside(facts, "/etc/hostname"),
        lambda facts: outside(facts, ".."),
        lambda facts: outside(facts, ""),
        lambda facts: outside(facts, "raw\x00.csv"),
    ],
)
def test_a_foreign_sidecar_is_ignored(local: Store, damage: Any) -> None:
    folder = keep(local, 7).folder
    (folder.parent / "secret.csv").write_bytes(b"x")
    sidecar = folder / "run.json"
    sidecar.write_text(damage(json.loads(sidecar.read_text())))
    assert local.find(URL, ACCOUNT, GRADES, 7) is None
    assert local.info().empty
    assert local.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {})) == []


json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("raw.csv"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["file", "provenance", "rows", "ended_at", "parameters"]), inner)
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.fixed_dictionaries(
        {"format": st.just(1), "raw": json_values, "tables": json_values, "provenance": json_values}
    )
)
def test_no_sidecar_breaks_the_store(local: Store, facts: dict[str, Any]) -> None:
    with local.lock(URL, ACCOUNT, GRADES, 7) as folder:
        (folder / "raw.csv").write_bytes(b"a\n")
        (folder / "run.json").write_text(json.dumps(facts))
    assert len(local.info()) == len(list(local.runs()))
    assert len(local.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {}))) <= 1


def test_a_sidecar_without_times_and_with_the_largest_numbers(local: Store) -> None:
    kept = keep(local, 7)
    timeless = replace(
        kept, facts={**kept.facts, "provenance": {**kept.facts["provenance"], "ended_at": None}}
    )
    assert timeless.finished_at == datetime(1970, 1, 1, tzinfo=UTC)
    for name, bound in (("run_id", 2**63), ("rows", 2**53)):
        for number, is_valid in ((bound - 1, True), (1 - bound, True), (bound, False), (-bound, False)):
            assert stored_run._has_valid_types(timeless.origin.replace(**{name: number})) is is_valid


def test_a_file_among_the_runs_is_skipped(store: Store) -> None:
    folder = keep(store, 7).folder.parent
    (folder / "8").write_text("no folder")
    (folder / "notes").mkdir()
    assert [run.origin.run_id for run in store.runs()] == [7]


def test_equal_runs_newest_first(store: Store) -> None:
    for run_id, age, term in ((9, 300, "1"), (7, 100, 1), (8, 200, "1"), (6, 50, "2")):
        keep(store, run_id, age=age, enrollment_term_id=term)
    keep(store, 5, report="zero_activity_csv", enrollment_term_id="1")
    found = store.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {"enrollment_term": 1, "skip_message": True}))
    assert [run.origin.run_id for run in found] == [7, 8, 9]
    assert (
        store.equal("https://other.example.edu", ACCOUNT, GRADES, key_of(GRADES, {"enrollment_term": 1}))
        == []
    )
    assert store.equal(URL, "self", GRADES, key_of(GRADES, {"enrollment_term": 1})) == []


def test_info_has_the_same_types_when_empty(store: Store) -> None:
    empty = store.info()
    keep(store, 7, age=3600, enrollment_term_id="1")
    full = store.info()
    assert empty.empty
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    row = full.loc[0]
    assert (row["report"], row["run_id"], row["rows"], row["tables"]) == (GRADES, 7, 2, GRADES)
    assert row["parameters"] == {"enrollment_term_id": "1"}
    assert pd.Timedelta(hours=1) <= row["age"] < pd.Timedelta(hours=2)
    assert full["finished_at"].dt.tz is not None


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({}, set()),
        ({"report": GRADES}, {3}),
        ({"older_than": timedelta(hours=1)}, {1, 3}),
        ({"older_than": 30, "report": "zero_activity_csv"}, {1, 2}),
        ({"report": "grade"}, {1, 2, 3}),
    ],
)
def test_clear(store: Store, asked: dict[str, Any], left: set[int]) -> None:
    keep(store, 1, age=60)
    keep(store, 2, age=7200)
    keep(store, 3, age=600, report="zero_activity_csv")
    assert store.clear(**asked) == 3 - len(left)
    assert {run.origin.run_id for run in store.runs()} == left
    assert {int(path.parent.name) for path in store.path.rglob("raw.csv")} == left


def test_clear_removes_what_was_set_aside_or_never_finished(store: Store) -> None:
    reports = [keep(store, 7, report=report).folder.parent for report in (GRADES, "zero_activity_csv")]
    leftovers = [folder / name for folder in reports for name in ("8.damaged", "9")]
    for leftover in leftovers:
        leftover.mkdir()
        (leftover / "raw.part").touch()
    assert store.clear(older_than="7d") == 0
    assert all(leftover.is_dir() for leftover in leftovers)
    assert store.clear(GRADES) == 1
    assert [leftover.is_dir() for leftover in leftovers] == [False, False, True, True]
    assert store.clear() == 1
    assert not any(leftover.exists() for leftover in leftovers)


def test_the_name_of_the_user_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "ng"))
    inside, outside = Store(tmp_path / "ng" / "kept"), Store(tmp_path / "kept")
    shown = str(Path("~") / "kept")
    assert repr(inside) == f"Store({shown!r})"
    assert shown in inside._repr_html_()
    assert re.findall("<th [^>]*>([^<]*)<", inside._repr_html_()) == ["path", "runs", "size"]
    assert repr(outside) == f"Store({str(tmp_path / 'kept')!r})"
    assert inside.address == str(inside.path), "a program needs the whole path"


def test_a_store_without_write_permission(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = keep(store, 1)
    ledger = Ledger(store.path, URL, ACCOUNT)
    query = Query.checked(GRADES, {}, account=ACCOUNT, listed=None, terms=list, now=datetime.now(UTC))
    ledger.note(ReportRun(1, GRADES, "created"), query)

    def refused(path: Path, **_: Any) -> None:
        # Pretended: the tests may run as root, who may remove anything.
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    ledger.forget(GRADES, 1)
    assert list(ledger.equal(query)) == [1]
    with pytest.raises(StoreError, match=r"can't be cleared: Permission denied\.\nAsk the owner"):
        store.clear()
    assert [kept.folder for kept in store.runs()] == [run.folder]


def test_one_writer_at_a_time(store: Store) -> None:
    inside, most, done = 0, 0, []

    def write(worker: int) -> None:
        nonlocal inside, most
        for _ in range(5):
            with store.lock(URL, ACCOUNT, GRADES, 7) as folder:
                inside += 1
                most = max(most, inside)
                (folder / "raw.part").write_text(str(worker))
                done.append((folder / "raw.part").read_text() == str(worker))
                inside -= 1

    workers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(600)
    assert (most, done) == (1, [True] * 20)


@pytest.fixture
def busy(store: Store) -> Iterator[Store]:
    """A store with run 7, whose lock another thread holds."""
    locked, release = threading.Event(), threading.Event()
    keep(store, 7)

    def hold() -> None:
        with store.lock(URL, ACCOUNT, GRADES, 7):
            locked.set()
            release.wait(600)

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(600)
    yield store
    release.set()
    holder.join(600)


class Raising:
    """A function that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise self._error


class Steps:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now, self.longest = 0.0, 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.longest = max(self.longest, seconds)


def test_a_lock_that_stays_held_is_given_up_at_the_deadline(busy: Store) -> None:
    steps, notes = Steps(), []
    busy._waiter = waiter = Waiter(steps.clock, steps.sleep)
    with (
        waiter.limit(2),
        pytest.raises(StoreLockedError, match="still downloading run 7") as caught,
        busy.lock(URL, ACCOUNT, GRADES, 7, on_wait=notes.append),
    ):
        pytest.fail("the lock is held")
    assert steps.now == pytest.approx(2)
    assert steps.longest <= 0.1, "a free lock is noticed at once"
    assert notes == ["Waiting for another process that is downloading run 7 ..."]
    assert (caught.value.account, caught.value.report) == (ACCOUNT, GRADES)
    assert "timeout=" in str(caught.value)


def test_a_lock_is_tried_once_without_blocking(busy: Store) -> None:
    notes: list[str] = []
    busy._waiter = Waiter(sleep=lambda _: pytest.fail("it must not wait"))
    with (
        pytest.raises(StoreLockedError),
        busy.lock(URL, ACCOUNT, GRADES, 7, on_wait=notes.append, blocking=False),
    ):
        pytest.fail("the lock is held")
    assert notes == []
    with busy.lock(URL, ACCOUNT, GRADES, 8, blocking=False) as folder:
        assert folder.name == "8", "another run is free"


def test_a_run_that_is_stored_again_is_neither_removed_nor_quarantined(busy: Store) -> None:
    run = Store(busy.path).find(URL, ACCOUNT, GRADES, 7)
    assert run is not None
    busy._waiter = Waiter(sleep=lambda _: pytest.fail("it must not wait"))
    busy.limit = 1
    busy.evict(keep(busy, 8))
    busy.discard(run)
    assert read_run(run.folder) == run
    assert busy.clear() == 1, "only run 8"
    assert run.is_complete
    other, file = Store(busy.path, waiter=busy._waiter), run.folder / f"{GRADES}.parquet"
    os.utime(file, ns=(1, 1))
    assert other.verify(run) == run
    file.write_bytes(b"half")
    assert other.verify(run) is None
    assert other.info(verify=True)["run_id"].tolist() == [7]
    assert run.folder.is_dir()


def test_a_discarded_run_leaves_an_empty_folder_for_the_run_that_has_its_id_now(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "canvas_reports_nb")
    kept = keep(store, 7)
    with store.lock(URL, ACCOUNT, GRADES, 7):
        store.discard(kept)
    assert list(kept.folder.iterdir()) == []
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    assert caplog.messages == ["Run 7 on this disk is another run than the one on Canvas; removed."]


def test_a_writer_sets_its_own_damaged_run_aside(local: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "canvas_reports_nb")
    kept = keep(local, 7)
    (kept.folder / f"{GRADES}.parquet").write_bytes(b"half")
    with local.lock(URL, ACCOUNT, GRADES, 7):
        assert local.verify(kept) is None
    aside = kept.folder.with_name("7.damaged")
    assert aside.is_dir()
    assert caplog.messages == [f"Run 7 in the store was damaged; it was moved to {aside}."]


def test_without_a_deadline_a_lock_is_given_up_after_five_minutes(
    local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps()
    local._waiter = Waiter(steps.clock, steps.sleep)
    monkeypatch.setattr(store_module, "try_lock", lambda *_, **__: None)
    with pytest.raises(StoreLockedError, match="Call again when it has finished"):
        local._acquire(local.folder(URL, ACCOUNT, GRADES, 7), print, blocking=True)
    assert steps.now == pytest.approx(300)


def test_each_failure_of_the_disk_is_explained(
    local: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = local.folder(URL, ACCOUNT, GRADES)
    (folder / ".7.lock").mkdir(parents=True)
    another = "\nChoose another folder with CANVAS_REPORTS_CACHE or store=."
    in_use = os.strerror(errno.EISDIR)
    with pytest.raises(StoreError) as caught, local.lock(URL, ACCOUNT, GRADES, 7):
        pytest.fail("its lock is a folder")
    assert str(caught.value) == f"Can't lock a run in the store at {local.path}: {in_use}.{another}"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    file = nullcontext(SimpleNamespace(write=Raising(full)))  # a full disk still makes an empty file
    for made in (Raising(full), lambda **_: file):
        monkeypatch.setattr(store_module.tempfile, "TemporaryFile", made)
        with pytest.raises(StoreError) as caught:
            local.check_writable(folder)
        assert str(caught.value) == (
            f"Can't write to the store at {local.path}: {full.strerror}."
            "\nFree space there, or choose another folder with CANVAS_REPORTS_CACHE or store=."
        )
    monkeypatch.setattr(store_module, "read_run", lambda _: None)
    with pytest.raises(StoreError) as caught:
        keep(local, 8)
    assert str(caught.value) == f"The store at {local.path} lost a run while it was written.\nCall again."


def test_a_writer_gets_its_folder_again_if_the_store_was_cleared_while_it_waited(store: Store) -> None:
    path, locked, release = store.folder(URL, ACCOUNT, GRADES, 7), threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock(URL, ACCOUNT, GRADES, 7) as folder:
            locked.set()
            assert release.wait(600)
            folder.rmdir()

    def release_and_wait(_: object) -> None:
        release.set()
        holder.join(600)

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(600)
    with store.lock(URL, ACCOUNT, GRADES, 7, on_wait=release_and_wait) as folder:
        assert folder == path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_stop_is_heard_while_waiting_for_a_lock(busy: Store) -> None:
    stop, steps = threading.Event(), Steps()
    busy._waiter = waiter = Waiter(steps.clock, steps.sleep)
    with (
        waiter.limit(None, stop=stop),
        pytest.raises(Stopped),
        busy.lock(URL, ACCOUNT, GRADES, 7, on_wait=lambda _: stop.set()),
    ):
        pytest.fail("the lock is held")
    assert steps.now < 1


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match="CANVAS_REPORTS_CACHE"), store.lock(URL, ACCOUNT, GRADES, 7):
        pass


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        *((5, 5.0), (0.5, 0.5), (timedelta(days=1), 86400.0), ("90", 90.0), (" 30 s ", 30.0), ("5m", 300.0)),
        *(("12h", 43_200.0), ("1.5 h", 5400.0), ("7d", 604_800.0), ("2w", 1_209_600.0)),
    ],
)
def test_seconds(age: Any, expected: float) -> None:
    assert seconds(age) == expected


@pytest.mark.parametrize("age", ["1 week", "", "d", "-1", "1.", ".5d", "7 d d", None, True, [7]])
def test_another_age_is_rejected(age: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        seconds(age)
    assert str(caught.value) == f'Can\'t read {age!r} as an age.\nUse seconds, "7d", "12h" or a timedelta.'


def test_runs_behind_a_link_are_neither_listed_nor_cleared(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    theirs = keep(other, 7)
    keep(store, 8)
    account = store.folder(URL, ACCOUNT, GRADES).parent
    (account.with_name("linked")).symlink_to(theirs.folder.parents[1])
    (account / GRADES / "7").symlink_to(theirs.folder)
    assert store.info()["run_id"].tolist() == [8]
    assert store.find(URL, ACCOUNT, GRADES, 7) is None
    assert store.clear() == 1
    assert other.find(URL, ACCOUNT, GRADES, 7) == theirs


@pytest.mark.parametrize("name", ["run.json", "raw.csv", f"{GRADES}.parquet"])
def test_a_run_with_links_is_not_found(store: Store, tmp_path: Path, name: str) -> None:
    kept = keep(store, 7)
    (kept.folder / name).rename(tmp_path / name)
    (kept.folder / name).symlink_to(tmp_path / name)
    found = store.verify(store.find(URL, ACCOUNT, GRADES, 7))
    # A shared store fetches a copy of its own in the place of the link.
    assert found is None or (store.address.startswith("memory:") and not (found.folder / name).is_symlink())


def test_nothing_is_written_through_a_link(store: Store, tmp_path: Path) -> None:
    kept = keep(store, 7)
    (tmp_path / "mine").write_text("mine")
    (kept.folder / "run.json.part").symlink_to(tmp_path / "mine")
    with store.lock(URL, ACCOUNT, GRADES, 7) as folder, pytest.raises(OSError, match="symbolic"):
        store.seal(folder, kept.facts)
    assert (tmp_path / "mine").read_text() == "mine"
    (kept.folder.parent / "8").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="link"), store.lock(URL, ACCOUNT, GRADES, 8):
        pass


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read in full to check them."""
    names: list[str] = []

    def digest(path: Path) -> str:
        names.append(path.name)
        return file_digest(path)

    monkeypatch.setattr(stored_run, "file_digest", digest)
    return names


def overwrite(path: Path, *, keep_time: bool) -> None:
    """Change a file in place without changing its size."""
    state = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    later = state.st_mtime_ns if keep_time else state.st_mtime_ns + 1
    os.utime(path, ns=(later, later))


def test_an_unchanged_run_is_not_read_to_check_it(store: Store, read: list[str]) -> None:
    kept = keep(store, 7)
    read.clear()  # a shared store checks what it uploads
    assert store.verify(store.find(URL, ACCOUNT, GRADES, 7)) == kept
    assert kept.path.read_bytes() == b"a\n1\n2\n"
    assert read == []


@pytest.mark.parametrize("change", ["copied", "restored", "touched", "noted by an older version"])
def test_a_run_that_was_copied_or_touched_is_read_once(
    local: Store, read: list[str], tmp_path: Path, change: str
) -> None:
    folder, store = keep(local, 7).folder, local
    if change == "copied":
        store = Store(shutil.copytree(local.path, tmp_path / "copy"))
    elif change == "restored":
        # The originals stay: a file system may give the inode of a removed file to a new one.
        folder.rename(tmp_path / "backup")
        shutil.copytree(tmp_path / "backup", folder)
    elif change == "touched":
        os.utime(folder / f"{GRADES}.parquet", ns=(1, 1))
    else:
        facts = json.loads((folder / "run.json").read_text())
        for recorded in (facts["raw"], facts["tables"][GRADES]):
            del recorded["mtime_ns"], recorded["inode"]
        (folder / "run.json").write_text(json.dumps(facts))
    for _ in range(3):
        found = store.verify(store.find(URL, ACCOUNT, GRADES, 7))
        assert found is not None
        assert found.facts["tables"][GRADES]["sha256"]
    assert read == [f"{GRADES}.parquet"]


def test_a_copied_run_that_differs_is_quarantined(local: Store, tmp_path: Path) -> None:
    inside = keep(local, 7).folder.relative_to(local.path)
    copy = Store(shutil.copytree(local.path, tmp_path / "copy"))
    overwrite(copy.path / inside / f"{GRADES}.parquet", keep_time=True)
    aside = (copy.path / inside).with_name("7.damaged")
    aside.mkdir()
    (aside / "of an earlier time").touch()
    assert copy.verify(copy.find(URL, ACCOUNT, GRADES, 7)) is None
    assert {path.name for path in aside.iterdir()} == {"raw.csv", f"{GRADES}.parquet", "run.json"}


def test_a_run_that_was_stored_again_while_it_was_read_is_used(
    local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keep(local, 7)
    path = kept.folder / f"{GRADES}.parquet"
    good = path.read_bytes()
    overwrite(path, keep_time=False)

    def digest(file: Path) -> str:
        found = file_digest(file)
        path.write_bytes(good)  # by another process
        return found

    monkeypatch.setattr(stored_run, "file_digest", digest)
    assert local.verify(kept) == kept
    assert path.read_bytes() == good


def test_a_store_that_cannot_be_written_is_read_in_full_each_time(
    local: Store, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(keep(local, 7).folder / f"{GRADES}.parquet", ns=(1, 1))

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # pretended: root may write anywhere

    monkeypatch.setattr(store_module, "try_lock", refused)
    for _ in range(2):
        assert local.verify(local.find(URL, ACCOUNT, GRADES, 7)) is not None
    assert read == [f"{GRADES}.parquet"] * 2


@pytest.mark.parametrize("keep_time", [True, False])
def test_a_change_within_one_tick_of_a_coarse_clock_is_noticed(
    local: Store, monkeypatch: pytest.MonkeyPatch, *, keep_time: bool
) -> None:
    second = 1_772_452_800 * 10**9

    def coarse(path: Path) -> dict[str, int]:
        return {**file_state(path), "mtime_ns": path.stat().st_mtime_ns // 10**9 * 10**9}

    with monkeypatch.context() as fat:
        fat.setattr(stored_run, "file_state", coarse)
        run = keep(local, 7)
        path = run.folder / f"{GRADES}.parquet"
        for file in (path, run.folder / "run.json"):
            os.utime(file, ns=(second, second))
        run = replace(run, facts=run.noted_again())
        (run.folder / "run.json").write_text(json.dumps(run.facts))
        os.utime(run.folder / "run.json", ns=(second + 10**9, second + 10**9))
        overwrite(path, keep_time=keep_time)
        assert local.verify(local.find(URL, ACCOUNT, GRADES, 7)) is None


def test_info_with_verify_notices_what_hid_its_time(local: Store, read: list[str]) -> None:
    """The accepted exception: who restores the time of a changed file is believed until asked."""
    kept, other = keep(local, 7), keep(local, 8)
    overwrite(kept.folder / f"{GRADES}.parquet", keep_time=True)
    overwrite(other.folder / "raw.csv", keep_time=True)
    keep(local, 9)
    assert local.verify(local.find(URL, ACCOUNT, GRADES, 7)) is not None
    assert local.info()["run_id"].tolist() == [7, 8, 9]
    assert read == []
    with pytest.warns(ReportWarning, match="^Files of these runs changed .* were set aside: 7, 8") as warned:
        assert local.info(verify=True)["run_id"].tolist() == [9]
    assert len(warned) == 1
    assert sorted(path.name for path in kept.folder.parent.glob("*.damaged")) == ["7.damaged", "8.damaged"]
    assert local.info()["run_id"].tolist() == [9]


@pytest.mark.parametrize("engine", ["pandas", "polars", "arrow", "scan"])
def test_damage_that_an_engine_meets_is_explained(local: Store, engine: str) -> None:
    run = keep(local, 7)  # it has no valid Parquet file
    overwrite(run.folder / f"{GRADES}.parquet", keep_time=True)
    with pytest.raises(DamagedFileError, match="A stored file was damaged; it was set aside"):
        run.scan() if engine == "scan" else run.load(engine)
    assert local.find(URL, ACCOUNT, GRADES, 7) is None


@pytest.mark.parametrize(
    ("met", "raised"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), NotStoredError),
        (UnknownColumnError("No column"), UnknownColumnError),
        (MemoryError(), MemoryError),
    ],
)
def test_what_an_engine_meets_in_an_intact_run_is_raised(
    local: Store, monkeypatch: pytest.MonkeyPatch, met: Exception, raised: type[Exception]
) -> None:
    def refused(*_: Any) -> None:
        raise met

    run = keep(local, 7)
    monkeypatch.setattr(stored_run.frames, "load", refused)
    monkeypatch.setattr(stored_run.frames, "scan", refused)
    for read in (run.load, run.scan):
        with pytest.raises(raised):
            read()
    assert local.find(URL, ACCOUNT, GRADES, 7) == run


@pytest.fixture
def old(tmp_path: Path) -> Store:
    """A copy of a store that version 0.1.0 wrote: one run of 19 rows, without a key in its sidecar."""
    shutil.copytree(Path(__file__).with_name("store_0_1_0"), tmp_path / "old")
    return Store(tmp_path / "old")


OLD_URL = "http://127.0.0.1:52213"


def test_a_run_stored_by_version_0_1_0_is_listed_and_read(old: Store) -> None:
    row = old.info().loc[0]
    assert (row["report"], row["run_id"], row["account"], row["rows"]) == (GRADES, 81234, "10", 19)
    run = old.verify(old.find(OLD_URL, "10", GRADES, 81234))
    assert run is not None
    assert run.is_raw_intact()
    assert run.path.read_bytes().count(b"\n") == 20
    frame = run.to_pandas()
    assert len(frame) == 19
    assert frame["student sis"][0] == "0000306"
    assert run.to_polars().height == run.to_arrow().num_rows == 19


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("load", pd.DataFrame),
        ("to_pandas", pd.DataFrame),
        ("to_polars", pl.DataFrame),
        ("to_arrow", pa.Table),
        ("to_dask", dd.DataFrame),
        ("scan", pl.LazyFrame),
    ],
)
def test_a_table_is_read_or_the_error_names_what_is_missing(old: Store, name: str, kind: type) -> None:
    run = old.find(OLD_URL, "10", GRADES, 81234)
    assert run is not None
    read = getattr(run, name)
    assert isinstance(read(columns=["student sis"]), kind)
    with pytest.raises(UnknownColumnError, match="'student sys'"):
        read(columns=["student sys"])
    with pytest.raises(UnknownTableError, match="'users'"):
        read(table="users")
    assert old.clear() == 1
    for ask in (read, run.parquet, lambda: run.path):
        with pytest.raises(NotStoredError, match="no longer in the store"):
            ask()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"enrollment_term_id": 10, "include_deleted": True}, [81234]),
        ({"enrollment_term": "10", "include_deleted": "1"}, [81234]),
        ({"enrollment_term_id": 11, "include_deleted": True}, []),
        ({"enrollment_term_id": 10}, []),
    ],
)
def test_a_run_stored_by_version_0_1_0_is_found_by_its_parameters(
    old: Store, parameters: dict[str, Any], expected: list[int]
) -> None:
    found = old.equal(OLD_URL, "10", GRADES, key_of(GRADES, parameters))
    assert [run.origin.run_id for run in found] == expected


def test_a_run_stored_by_version_0_1_0_is_read_offline(old: Store) -> None:
    with crn.connect(OLD_URL, "token-of-nobody", store=old.path) as canvas:
        frame = canvas.account(10).read_report(
            GRADES, enrollment_term_id=10, include_deleted=True, offline=True
        )
    assert len(frame) == 19
