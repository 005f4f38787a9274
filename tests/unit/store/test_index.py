"""The index of a report only saves time: whatever happens to it, every stored run is found."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canvas_reports_nb.catalog.query import key_of
from canvas_reports_nb.store import index, stored_run
from canvas_reports_nb.store.index import Index
from canvas_reports_nb.store.store import Store
from tests.unit.store.test_store import ACCOUNT, GRADES, URL, keep

RUNS = range(1, 13)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with twelve runs of three terms."""
    made = Store(tmp_path / "store")
    for run_id in RUNS:
        keep(made, run_id, age=run_id, enrollment_term_id=str(run_id % 3))
    return made


@pytest.fixture
def file(store: Store) -> Path:
    return store.folder(URL, ACCOUNT, GRADES) / ".index"


def found(store: Store, term: int) -> list[int | None]:
    equal = store.equal(URL, ACCOUNT, GRADES, key_of(GRADES, {"enrollment_term_id": str(term)}))
    return [run.origin.run_id for run in equal]


def expected(term: int) -> list[int]:
    return [run_id for run_id in RUNS if run_id % 3 == term]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose sidecars were read."""
    names: list[str] = []
    parse = stored_run.parse_run

    def counted(folder: Path, text: bytes) -> Any:
        names.append(folder.name)
        return parse(folder, text)

    monkeypatch.setattr(stored_run, "parse_run", counted)
    return names


def test_only_the_sidecars_of_equal_runs_are_read(store: Store, parsed: list[str]) -> None:
    for opened in (store, Store(store.path)):
        assert found(opened, 1) == expected(1)
    assert sorted(map(int, parsed)) == sorted(expected(1) * 2)


def test_an_index_is_read_once_and_then_only_its_new_lines(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, entries_in = [], index._entries_in

    def counted(path: Path, offset: int) -> list[index.Entry]:
        read.append(offset)
        return entries_in(path, offset)

    monkeypatch.setattr(index, "_entries_in", counted)
    opened, size = Store(store.path), file.stat().st_size
    assert [found(opened, term) for term in (0, 1, 1)] == [expected(term) for term in (0, 1, 1)]
    assert read == [0]
    keep(store, 13, age=0, enrollment_term_id="1")
    assert found(opened, 1) == [13, *expected(1)]
    assert read == [0, size]
    shutil.copy(file, file.with_name("copy")).replace(file)
    assert found(opened, 1) == [13, *expected(1)]
    assert read == [0, size, 0], "another file, even if it begins like the one before"


@pytest.mark.parametrize(("spare", "is_kept"), [(112, True), (113, False)])
def test_lines_of_removed_runs_stay_up_to_a_limit(
    store: Store, file: Path, spare: int, is_kept: bool
) -> None:
    gone = (index.Entry(str(n), "0" * 16, 1, "-") for n in range(1000, 1000 + spare))
    file.write_bytes(file.read_bytes() + index._text(gone))
    before = file.stat().st_ino
    assert found(Store(store.path), 1) == expected(1)
    assert (file.stat().st_ino == before) == is_kept
    assert is_kept or len(file.read_bytes().splitlines()) == len(RUNS)


def test_the_limit_is_kept_without_reading_sidecars(
    store: Store, parsed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "canvas_reports_nb")
    last = keep(store, 20)
    size = int(store.info()["bytes"].sum())
    parsed.clear()
    store.evict(keep=last)
    assert "13" in store._repr_html_()
    assert parsed == []
    store.limit = size
    store.evict(keep=last)
    assert parsed == [], "the sizes are exact"
    store.limit = size - 1
    store.evict(keep=last)
    assert len(parsed) == 1, "of the run that is removed"
    assert len(store.info()) == 12
    for oldest, lacking, left in (("2", 0, 11), ("3", 1, 9)):
        sizes = {entry.run_id: entry.size for _, entry in store._entries()}
        store.limit = sum(sizes.values()) - sizes[oldest] - lacking
        store.evict(keep=last)
        assert len(store.info()) == left, "as few as possible are removed"
    assert [each for each in caplog.messages if "over its limit" in each] == [
        f"Removed run {run_id}: the store at {store.path} was over its limit." for run_id in (1, 2, 3, 4)
    ]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "half a line": lambda file: file.write_bytes(file.read_bytes()[:-9]),
    "half the lines": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "binary": lambda file: file.write_bytes(bytes(range(256))),
    "of other keys": lambda file: file.write_bytes(file.read_bytes().replace(b" ", b" 0")),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "of runs that are gone": lambda file: file.write_bytes(
        file.read_bytes() + index._text(index.Entry(str(n), "0" * 16, 1, "-") for n in range(100, 400))
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_index_loses_no_run(store: Store, file: Path, parsed: list[str], damage: Any) -> None:
    damage(file)
    for opened in (store, Store(store.path)):
        assert [found(opened, term) for term in range(3)] == [expected(term) for term in range(3)]
        opened._totals("runs")
    assert file.is_dir() or file.stat().st_size < 2000
    if not file.is_dir():
        parsed.clear()
        assert found(Store(store.path), 0) == expected(0)
        assert len(parsed) == len(expected(0)), "it was made again"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(at=st.integers(0, 10**6), change=st.integers(1, 255))
def test_no_changed_byte_hides_a_run(store: Store, file: Path, at: int, change: int) -> None:
    (text := bytearray(whole := file.read_bytes()))[at % len(text)] ^= change
    file.write_bytes(bytes(text))
    assert [found(Store(store.path), term) for term in range(3)] == [expected(term) for term in range(3)]
    file.write_bytes(whole)


def test_runs_that_other_programs_add_and_remove_are_noticed(
    store: Store, file: Path, tmp_path: Path
) -> None:
    """An older version of the package, a backup, or a copy by hand writes no index."""
    shutil.move(file.parent / "4", tmp_path / "4")
    assert found(store, 1) == [1, 7, 10]
    assert found(store, 0) == expected(0)
    shutil.move(tmp_path / "4", file.parent / "4")
    (other := Store(tmp_path / "other")).path.mkdir()
    run = keep(other, 40, age=40, enrollment_term_id="1")
    shutil.copytree(run.folder, file.parent / "40")
    assert found(store, 1) == [*expected(1), 40]


def test_a_run_id_that_started_again_is_found_by_its_new_key_only(store: Store) -> None:
    again = store.find(URL, ACCOUNT, GRADES, 4)
    assert again is not None
    store.discard(again)
    keep(store, 4, age=4, enrollment_term_id="2")
    for opened in (store, Store(store.path)):
        assert (found(opened, 1), found(opened, 2)) == ([1, 7, 10], [2, 4, 5, 8, 11])
        assert dict(opened._totals("runs"))["runs"] == len(RUNS)


def test_a_crash_before_the_sidecar_leaves_an_entry_without_a_run(store: Store, file: Path) -> None:
    kept = store.find(URL, ACCOUNT, GRADES, 4)
    assert kept is not None
    (kept.folder / "run.json").unlink()
    assert found(store, 1) == [1, 7, 10]
    store.limit = 1
    last = store.find(URL, ACCOUNT, GRADES, 12)
    assert last is not None
    store.evict(keep=last)
    assert [run.origin.run_id for run in store.runs()] == [12]
    assert kept.folder.is_dir(), "another process may be storing it"
    assert store.clear() == 1
    assert not file.exists()


def test_many_processes_may_write_one_index(store: Store, file: Path) -> None:
    """Appends and rewrites at the same time lose lines at most, never runs."""

    def rebuild(number: int) -> None:
        for at in range(20):
            if at % 5 == number:
                file.unlink(missing_ok=True)
            Index().entries(file.parent)
            index._rewrite(file.parent, Index().entries(file.parent)[number:])

    threads = [threading.Thread(target=rebuild, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found(Store(store.path), term) for term in range(3)] == [expected(term) for term in range(3)]


def test_an_index_that_windows_does_not_replace_while_it_is_read_leaves_no_parts(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, _: object) -> None:
        raise PermissionError(13, "The process cannot access the file", str(source))

    monkeypatch.setattr(os, "replace", refuse)
    index._rewrite(file.parent, Index().entries(file.parent)[1:])
    assert found(store, 1) == expected(1)
    assert not list(file.parent.glob("*.part"))


def test_an_index_is_private_and_not_written_through_a_link(store: Store, file: Path, tmp_path: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    (tmp_path / "mine").write_text("mine")
    file.unlink()
    file.symlink_to(tmp_path / "mine")
    assert found(store, 1) == expected(1)
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_time_with_blanks_is_one_word(store: Store, file: Path, parsed: list[str]) -> None:
    sidecar = file.parent / "4" / "run.json"
    facts = json.loads(sidecar.read_text())
    facts["provenance"]["retrieved_at"] = "2026 \n\r1 9 1\u2028"
    sidecar.write_text(json.dumps(facts))
    file.unlink()
    assert found(Store(store.path), 1) == expected(1)
    parsed.clear()
    assert found(Store(store.path), 1) == expected(1)
    assert len(parsed) == len(expected(1))
