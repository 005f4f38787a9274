"""A shared store: all see complete runs, nobody sees incomplete ones, and failures never stop a report."""

import json
import re
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest

from canvas_reports_nb._disk import file_facts
from canvas_reports_nb.catalog.query import key_of
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.exceptions import (
    ConfigurationError,
    MissingDependencyError,
    ReportWarning,
    StoreError,
)
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.settings import Settings, shared_address, store_root
from canvas_reports_nb.store import store as store_module
from canvas_reports_nb.store.shared import SharedStore, open_store
from canvas_reports_nb.store.store import Store
from canvas_reports_nb.store.stored_run import ReportResult

URL, ACCOUNT, GRADES = "https://canvas.example.edu", "sis_account_id:ENG/1", "grade_export_csv"
RUN = (URL, ACCOUNT, GRADES, 7)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def keep(
    store: Store, run_id: int, *, report: str = GRADES, age: float = 60, **parameters: Any
) -> ReportResult:
    """Store a run as `retrieve` does."""
    ended = NOW - timedelta(seconds=age)
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
        (folder / f"{report}.parquet").write_bytes(b"PAR1" * run_id)
        tables = {report: {**file_facts(folder / f"{report}.parquet"), "provenance": made}}
        return store.seal(
            folder, {"provenance": made, "raw": file_facts(folder / "raw.csv"), "tables": tables}
        )


@pytest.fixture(params=["memory", "file"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return f"memory://{uuid4().hex}/team"
    (tmp_path / "share").mkdir()
    return f"file://{tmp_path}/share"


@pytest.fixture
def disk(address: str, tmp_path: Path) -> Callable[[str], SharedStore]:
    """Open stores of several machines at one address."""

    def open_at(name: str) -> SharedStore:
        settings = Settings(URL, store=tmp_path / name, shared=address)
        store = open_store(settings, Waiter(NOW.timestamp))
        assert isinstance(store, SharedStore)
        return store

    return open_at


@pytest.fixture
def there(address: str) -> Any:
    """The files at the address: `find`, `read`, `write` and `remove` them by the end of their names."""
    files, base = fsspec.url_to_fs(address)

    class There:
        def find(self, end: str = "") -> list[str]:
            return [name for name in files.find(base) if name.endswith(end)]

        def read(self, end: str) -> bytes:
            return files.cat_file(self.find(end)[0])

        def write(self, end: str, data: bytes) -> None:
            files.pipe_file(self.find(end)[0], data)

        def remove(self, end: str) -> None:
            files.rm_file(self.find(end)[0])

        def add(self, name: str, data: bytes) -> None:
            files.makedirs(f"{base}/{name}".rpartition("/")[0], exist_ok=True)
            files.pipe_file(f"{base}/{name}", data)

    return There()


def test_a_run_kept_on_one_machine_is_found_on_another(disk: Any, there: Any) -> None:
    one, other = disk("one"), disk("other")
    kept = keep(one, 7)
    found = other.find(*RUN)
    assert found is not None
    assert not found.is_complete
    assert found.facts == kept.facts
    assert not other.path.exists(), "a look-up creates no folder"
    copied = other.verify(found)
    assert copied is not None
    assert copied.folder == found.folder
    names = {"raw.csv", f"{GRADES}.parquet", "run.json"}
    assert {file.name: file.read_bytes() for file in copied.folder.iterdir()} == {
        name: (kept.folder / name).read_bytes() for name in names
    }
    assert {stat.S_IMODE(file.stat().st_mode) for file in copied.folder.iterdir()} == {0o600}
    assert {name.rpartition("/")[2] for name in there.find()} == names
    assert [run.origin.run_id for run in other.runs()] == [7]


def test_equal_runs_include_copies_and_shared_runs_newest_first(disk: Any) -> None:
    one, other = disk("one"), disk("other")
    keep(one, 7, age=300, enrollment_term_id="1")
    keep(one, 8, age=100, enrollment_term_id="1")
    keep(one, 9, age=50, enrollment_term_id="2")
    other.verify(other.find(*RUN))
    keep(other, 10, age=200, enrollment_term_id=1)
    for store, here in ((one, [True, False, True]), (other, [False, True, True])):
        found = store.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {"enrollment_term": 1}))
        assert [run.origin.run_id for run in found] == [8, 10, 7]
        assert [run.is_complete for run in found] == here
        assert [run.size > 0 for run in found] == [True] * 3


def test_only_the_sidecars_of_equal_shared_runs_are_read(disk: Any, there: Any) -> None:
    one, other = disk("one"), disk("other")
    for run_id in (7, 8, 9):
        keep(one, run_id, age=run_id, enrollment_term_id=str(run_id % 2))
    old = next(name for name in there.find("run.json") if "/7/" in name)
    files, _ = fsspec.url_to_fs(one.address)
    place = old.rpartition("/")[0]
    files.mv(place, f"{place.rpartition('/')[0]}/{uuid4().hex}", recursive=True)  # as version 0.1.0 names it
    found = other.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {"enrollment_term_id": "1"}))
    assert [run.origin.run_id for run in found] == [7, 9]
    assert len(other._shared._sidecars) == 2
    assert other.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {"enrollment_term_id": "0"}))
    assert len(other._shared._sidecars) == 3


def test_a_copy_that_another_process_is_making_is_waited_for(
    disk: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "canvas_reports_nb")
    keep(disk("one"), 7)
    other, pauses, try_lock = disk("other"), [], store_module.try_lock
    found, other._waiter = other.find(*RUN), Waiter(NOW.timestamp, pauses.append)
    monkeypatch.setattr(store_module, "try_lock", lambda *a, **k: try_lock(*a, **k) if pauses else None)
    assert other.verify(found) is not None
    assert pauses == [0.1]
    assert caplog.messages[0] == "Waiting for another process that is downloading run 7 ..."


def test_a_list_of_runs_reads_no_file_unasked(disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store := disk("one"), 7)
    monkeypatch.setattr(ReportResult, "is_intact", lambda _: pytest.fail("it was read"))
    assert store.info()["run_id"].tolist() == [7]


def test_a_sidecar_that_could_not_be_read_once_is_read_again(
    disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(disk("one"), 7)
    other = disk("other")

    def fail_as_buckets_do(_: Any, names: list[str], on_error: str = "raise") -> dict[str, Exception]:
        return {name: TimeoutError() for name in names if on_error != "omit"}

    with monkeypatch.context() as gone:
        gone.setattr(type(other._shared.files), "cat", fail_as_buckets_do)
        assert other.find(*RUN) is None
    assert other.find(*RUN) is not None


def test_info_shows_where_a_run_is(disk: Any) -> None:
    one, other = disk("one"), disk("other")
    empty = one.info()
    keep(one, 7)
    full = one.info()
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert full[["run_id", "here", "shared"]].to_numpy().tolist() == [[7, True, True]]
    seen = other.info()
    assert seen[["run_id", "here", "shared"]].to_numpy().tolist() == [[7, False, True]]
    assert seen["bytes"][0] == len(b"a\n1\n2\n") + len(b"PAR1") * 7


@pytest.mark.parametrize("gone", ["run.json", "raw.csv", f"{GRADES}.parquet"])
def test_a_run_with_a_missing_file_is_not_found(disk: Any, there: Any, gone: str) -> None:
    keep(disk("one"), 7)
    there.remove(gone)
    assert disk("other").find(*RUN) is None
    assert disk("other").info().empty


def facts_with(facts: dict[str, Any], **raw: Any) -> bytes:
    return json.dumps({**facts, "raw": {**facts["raw"], **raw}}).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b'{"format": 1',
        lambda _: b"[]",
        lambda facts: json.dumps({**facts, "format": 2}).encode(),
        lambda facts: facts_with(facts, file="../7/raw.csv"),
        lambda facts: facts_with(facts, file=".."),
        lambda facts: facts_with(facts, file="run.json"),
        lambda facts: facts_with(facts, size="6"),
        lambda facts: facts_with(facts, size=5),
    ],
)
def test_a_foreign_sidecar_is_ignored(disk: Any, there: Any, damage: Any) -> None:
    keep(disk("one"), 7)
    there.write("run.json", damage(json.loads(there.read("run.json"))))
    assert disk("other").find(*RUN) is None
    assert disk("other").info().empty


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "runs/run.json",
        "runs/host/account/report/notes/attempt/run.json",
        "runs/host/account/report/7/run.json",
        "runs/host/account/report/7/attempt/deeper/run.json",
        "runs/host/ac count/report/7/attempt/run.json",
        "runs/host/account/.../7/attempt/run.json",
        "other/host/account/report/7/attempt/run.json",
    ],
)
def test_foreign_files_are_neither_read_nor_removed(disk: Any, there: Any, name: str) -> None:
    store = disk("one")
    keep(store, 7)
    there.add(name, there.read("run.json"))
    assert disk("other").info()["run_id"].tolist() == [7]
    assert store.clear(shared=True) == 1
    assert [found.endswith(name) for found in there.find()] == [True]


@pytest.mark.parametrize("which", ["raw.csv", f"{GRADES}.parquet"])
def test_a_damaged_run_is_quarantined_for_everybody_and_can_be_shared_again(
    disk: Any, there: Any, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "canvas_reports_nb")
    keep(disk("one"), 7)
    good = there.read(which)
    there.write(which, good[::-1])
    other = disk("other")
    assert other.verify(other.find(*RUN)) is None
    assert caplog.messages == [
        f"Copying run 7 from {other.address}.",
        "Run 7 in the shared store was damaged; it was set aside.",
    ]
    assert list(other.path.rglob("*.csv")) == [], "no part of it stays on this disk"
    assert disk("third").find(*RUN) is None
    keep(other, 7)
    third = disk("third")
    assert third.verify(third.find(*RUN)) is not None
    assert there.read(which) == good


def test_a_damaged_copy_is_copied_again(disk: Any) -> None:
    store = disk("one")
    kept = keep(store, 7)
    kept.path_of(GRADES).write_bytes(b"broken")
    again = store.verify(kept)
    assert again is not None
    assert again.path_of(GRADES).read_bytes() == b"PAR1" * 7


def test_two_writers_of_one_run_leave_one_run(disk: Any, there: Any) -> None:
    one, other = disk("one"), disk("other")
    kept = keep(one, 7)
    other._shared._root = one.path
    other._shared.upload(kept.folder, kept.facts)
    assert len(there.find("run.json")) == 2
    assert disk("third").info()["run_id"].tolist() == [7]
    assert disk("third").clear(shared=True) == 1
    assert there.find() == []


def test_the_next_writer_removes_what_a_killed_writer_left(disk: Any, there: Any) -> None:
    keep(disk("one"), 7)
    there.remove("run.json")
    keep(disk("other"), 7)
    assert len(there.find()) == 3


@pytest.mark.parametrize("files_done", [1, 2])
def test_two_writers_at_the_same_time_leave_one_run(disk: Any, there: Any, files_done: int) -> None:
    slow, fast = disk("slow"), disk("fast")
    files, count = slow._shared.files, 0

    class Interleaved:
        """Let the other machine upload the same run after so many files of this one."""

        def put_file(self, *arguments: Any) -> None:
            nonlocal count
            files.put_file(*arguments)
            count += 1
            if count == files_done:
                keep(fast, 7)

        def __getattr__(self, name: str) -> Any:
            return getattr(files, name)

    slow._shared.files = Interleaved()
    assert keep(slow, 7).is_intact()
    assert len(there.find()) == 3
    third = disk("third")
    assert third.verify(third.find(*RUN)) is not None


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
@pytest.mark.parametrize("shared", [False, True])
def test_clear(disk: Any, asked: dict[str, Any], left: set[int], *, shared: bool) -> None:
    one, other = disk("one"), disk("other")
    keep(one, 1, age=60)
    keep(one, 2, age=7200)
    keep(other, 3, age=600, report="zero_activity_csv")
    mine = {run.origin.run_id for run in one.runs()} - left
    assert one.clear(**asked, shared=shared) == (3 - len(left) if shared else len(mine))
    assert {run.origin.run_id for run in one.runs()} == left - {3}
    assert set(disk("third").info()["run_id"]) == (left if shared else {1, 2, 3})
    assert {run.origin.run_id for run in other.runs()} == {3}, "the copies of others stay"


def test_clear_removes_incomplete_uploads(disk: Any, there: Any) -> None:
    store = disk("one")
    keep(store, 7)
    there.remove("run.json")
    assert disk("other").clear(older_than=0, shared=True) == 0
    assert len(there.find()) == 2
    assert disk("other").clear(shared=True) == 0
    assert there.find() == []


def test_a_local_store_has_no_shared_runs_to_clear(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="only on this disk"):
        Store(tmp_path).clear(shared=True)


def test_the_limit_applies_to_the_copies(disk: Any, there: Any) -> None:
    keep(disk("one"), 7)
    keep(disk("one"), 8)
    other = disk("other")
    other.limit = 1
    for run_id in (7, 8):
        other.verify(other.find(URL, ACCOUNT, GRADES, run_id))
    assert [run.origin.run_id for run in other.runs()] == [8]
    assert len(there.find("run.json")) == 2


def test_repr_shows_the_address_and_the_folder(disk: Any, address: str) -> None:
    store = disk("one")
    keep(store, 7)
    for text in (repr(store), store._repr_html_()):
        assert address in text
        assert str(store.path) in text
    assert store.address == address
    labels = ["address", "copies in", "copies", "size"]
    assert re.findall("<th [^>]*>([^<]*)<", store._repr_html_()) == labels
    assert Store(store.path).address == str(store.path)


class Failing:
    """A storage whose calls all fail with its key in the message."""

    protocol, async_impl = ("failing",), True

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any, **__: Any) -> None:
            self.calls += 1
            raise ConnectionError("https://storage.example.org/?sig=SECRET refused")

        return call


def test_a_failing_storage_is_reported_once_and_stops_nothing(disk: Any) -> None:
    store = disk("one")
    store._shared.files = failing = Failing()
    with pytest.warns(ReportWarning, match="Continuing with the runs on this disk") as warned:
        assert store.find(*RUN) is None
    calls = failing.calls
    kept = keep(store, 7)
    assert store.verify(store.find(*RUN)) == kept
    assert store.info()["shared"].tolist() == [False]
    assert failing.calls == calls, "a storage that failed is not called for a while"
    assert "SECRET" not in str(warned[0].message)
    assert "can't be read: ConnectionError" in str(warned[0].message)
    store._waiter = Waiter(lambda: NOW.timestamp() + 61)
    with pytest.warns(ReportWarning):
        assert store.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {})) == [kept]
    with pytest.raises(StoreError, match="can't be cleared") as caught:
        store.clear(shared=True)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_each_failing_action_is_named_and_keeps_the_key_secret(disk: Any) -> None:
    store = disk("one")
    kept = keep(store, 7)
    (upload,) = store._shared.uploads(kept.folder)
    store._shared.files = Failing()
    for action, call in (
        ("read", lambda: store._shared.uploads(kept.folder)),
        ("read", lambda: store._shared.fetch(upload)),
        ("written", lambda: store._shared.upload(kept.folder, kept.facts)),
        ("written", lambda: store._shared.quarantine(upload)),
        ("cleared", lambda: store._shared.clear(None, None)),
    ):
        with pytest.raises(StoreError) as caught:
            call()
        assert str(caught.value) == (
            f"The shared store {store.address} can't be {action}: ConnectionError."
            "\nCheck that it exists, and check the permissions and settings of this storage."
        )
        assert caught.value.__suppress_context__


def test_a_storage_without_write_permission_is_still_read(disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(disk("one"), 7)
    other = disk("other")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "no")

    for name in ("pipe_file", "put_file", "makedirs", "mv", "rm", "rm_file"):
        monkeypatch.setattr(type(other._shared.files), name, refuse)
    assert other.verify(other.find(*RUN)) is not None
    with pytest.warns(ReportWarning, match="can't be written: Permission denied") as warned:
        kept = keep(other, 8)
    assert len(warned) == 1
    assert kept.is_intact()


def test_a_file_that_vanishes_during_the_upload_is_reported(
    disk: Any, there: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = disk("one")

    def vanish(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(2, "no")

    monkeypatch.setattr(type(store._shared.files), "put_file", vanish)
    with pytest.warns(ReportWarning, match="can't be written: No such file or directory"):
        keep(store, 7)
    assert disk("other").find(*RUN) is None


def test_nothing_is_written_where_the_share_is_not_mounted(tmp_path: Path) -> None:
    settings = Settings(URL, store=tmp_path / "one", shared=f"file://{tmp_path}/mnt/share")
    store = open_store(settings, Waiter(NOW.timestamp))
    with pytest.warns(
        ReportWarning, match=r"can't be written: there is no folder .*/mnt/share.*make the folder"
    ):
        keep(store, 7)
    assert not (tmp_path / "mnt").exists()


@pytest.mark.parametrize(
    ("address", "module", "line"),
    [
        ("s3://bucket/team", "fsspec", '"canvas-reports-nb[s3]"'),
        ("s3://bucket/team", "s3fs", '"canvas-reports-nb[s3]"'),
        ("s3a://bucket/team", "s3fs", '"canvas-reports-nb[s3]"'),
        ("gs://bucket/team", "fsspec", '"canvas-reports-nb[remote]"'),
        ("gs://bucket/team", "gcsfs", '"canvas-reports-nb[remote]" gcsfs'),
        ("abfs://box/team", "adlfs", '"canvas-reports-nb[remote]" adlfs'),
        ("sftp://host.example.org/team", "paramiko", '"canvas-reports-nb[remote]" paramiko'),
    ],
)
def test_a_missing_package_is_named(
    address: str, module: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    opened_before = sys.modules["fsspec.registry"]._registry
    monkeypatch.delitem(opened_before, address.partition("://")[0], raising=False)
    with pytest.raises(MissingDependencyError) as caught:
        open_store(Settings(URL, store=tmp_path, shared=address), Waiter(NOW.timestamp))
    assert caught.value.hint == f"Install it with: python -m pip install {line}"


def test_an_unknown_address(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"nonsense://x can't be opened: ValueError\.\nCheck the address"
    ):
        open_store(Settings(URL, store=tmp_path, shared="nonsense://x"), Waiter(NOW.timestamp))


@pytest.mark.parametrize(
    "address",
    [
        "sftp://user:SECRET@host.example.org/team",
        "sftp://user:SEC/RET@host.example.org/team",
        "abfs://box@account.example.org/team?sig=SECRET",
        "simplecache::s3://bucket",
        "s3://",
    ],
)
def test_an_address_with_a_key_in_it_is_rejected_and_not_repeated(address: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        shared_address(address)
    assert not [part for part in ("user", "SEC", "RET", "sig") if part in str(caught.value)]


@pytest.mark.parametrize(
    ("argument", "variable", "address", "root"),
    [
        (None, None, "", "user"),
        ("/data/x", "s3://b/t", "", "/data/x"),
        ("s3://b/t/", None, "s3://b/t", "user/shared"),
        (None, "s3://b/t", "s3://b/t", "user/shared"),
        ("s3://b/t", "/data/x", "s3://b/t", "/data/x/shared"),
        ("s3://b/t", "gs://c", "s3://b/t", "user/shared"),
        ("abfs://box@account.example.org/t", None, "abfs://box@account.example.org/t", "user/shared"),
    ],
)
def test_the_folder_of_the_copies(
    argument: str | None, variable: str | None, address: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: Path("user"))
    monkeypatch.delenv("CANVAS_REPORTS_CACHE", raising=False)
    if variable:
        monkeypatch.setenv("CANVAS_REPORTS_CACHE", variable)
    assert shared_address(argument) == address
    found = store_root(argument)
    assert (found.parent if address else found) == Path(root)


def test_each_address_has_its_own_copies() -> None:
    roots = {store_root(f"s3://bucket/{'x' * 200}{end}") for end in ("a", "b", "a/")}
    assert len(roots) == 2
    assert all(len(root.name) < 80 for root in roots)


def remade(store: Store, facts: dict[str, Any], created: str, **parameters: Any) -> ReportResult:
    """Store another run with the id of a stored one, as after a test Canvas was overwritten."""
    made = {**facts["provenance"], "created_at": created, "parameters": parameters}
    tables = {name: {**table, "provenance": made} for name, table in facts["tables"].items()}
    with store.lock(*RUN) as folder:
        (folder / "raw.csv").write_bytes(created.encode())
        (folder / f"{GRADES}.parquet").write_bytes(b"PAR1" * 7)
        return store.seal(
            folder, {**facts, "provenance": made, "raw": file_facts(folder / "raw.csv"), "tables": tables}
        )


OLD, NEW = "2026-03-01T08:00:00+00:00", "2026-03-02T08:00:00+00:00"


def test_another_run_of_the_same_id_is_shared_and_never_copied_in_place_of_the_wanted_one(disk: Any) -> None:
    one, other, third = disk("one"), disk("other"), disk("third")
    facts = dict(keep(one, 7).facts)
    one.clear(shared=True)
    remade(one, facts, OLD, enrollment_term_id="1")
    remade(other, facts, NEW, enrollment_term_id="2")
    for term, created in ((1, OLD), (2, NEW), (1, OLD)):
        (found,) = third.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {"enrollment_term_id": term}))
        copied = third.verify(found)
        assert copied is not None
        assert copied.origin.created_at == created
        assert copied.raw.read_text() == created
    assert disk("fourth").find(*RUN).origin.created_at == NEW, "the newest run has the id"


def test_a_sidecar_about_another_run_is_ignored(disk: Any, there: Any) -> None:
    keep(disk("one"), 7)
    facts = json.loads(there.read("run.json"))
    for wrong in (
        {"run_id": 8},
        {"report": "zero_activity_csv"},
        {"account": "self"},
        {"host": "x.example.edu"},
    ):
        there.write(
            "run.json", json.dumps({**facts, "provenance": {**facts["provenance"], **wrong}}).encode()
        )
        assert disk(f"other {wrong}").find(*RUN) is None
    there.write("run.json", json.dumps(facts).encode())
    assert disk("right").find(*RUN) is not None


@pytest.mark.parametrize("damaged", ["raw.csv", f"{GRADES}.parquet"])
def test_a_damaged_file_is_not_uploaded(disk: Any, there: Any, damaged: str) -> None:
    store = disk("one")
    kept = keep(store, 7)
    facts, files = (
        dict(kept.facts),
        {each["file"]: (kept.folder / each["file"]).read_bytes() for each in kept.files},
    )
    store.clear(shared=True)
    with store.lock(*RUN) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data[::-1] if name == damaged else data)
        with pytest.raises(StoreError, match=r"^Run 7 was damaged while it was stored\.\nCall again\.$"):
            store.seal(folder, facts)
    assert there.find() == []
    assert store.find(*RUN) is None
