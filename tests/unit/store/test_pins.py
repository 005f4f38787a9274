"""A run that is in use stays, whichever process or thread uses it, and a killed process keeps nothing."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from canvas_reports_nb.store.pins import Pin, Pins
from canvas_reports_nb.store.store import Store
from tests.faults import refuse_locks
from tests.unit.store.test_store import ACCOUNT, GRADES, URL, keep


@pytest.fixture
def full(tmp_path: Path) -> Store:
    """A store with one run, and its limit reached."""
    store = Store(tmp_path / "store", limit=1)
    keep(store, 1)
    return store


def evict(store: Store) -> list[int]:
    """Store another run over the limit as another kernel does, and return the runs that are left."""
    other = Store(store.path, limit=1)
    other.evict(keep(other, 2))
    return [int(run.folder.name) for run in other.runs()]


def test_a_run_in_use_elsewhere_is_kept_until_its_use_ends(full: Store) -> None:
    with full.pin_used():
        used = full.verify(full.find(URL, ACCOUNT, GRADES, 1))
        assert used is not None
        assert evict(full) == [1, 2]
        assert used.is_complete
    assert evict(full) == [2]
    assert not list((full.path / "runs" / ".pins").iterdir())


def test_a_run_is_in_use_from_the_moment_it_is_stored(full: Store) -> None:
    with full.pin_used():
        keep(full, 3)
        assert evict(full) == [2, 3]


def test_a_run_behind_a_lazy_frame_is_kept_while_the_process_lives(full: Store) -> None:
    run = full.find(URL, ACCOUNT, GRADES, 1)
    assert run is not None
    full.hold(run)
    assert evict(full) == [1, 2]


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_a_killed_process_keeps_nothing(full: Store) -> None:
    code = (
        "import os, sys; from pathlib import Path; from canvas_reports_nb.store.pins import Pin\n"
        "Pin(Path(sys.argv[1])).add(Path(sys.argv[2])); os.kill(os.getpid(), 9)"
    )
    (run,) = full.runs()
    subprocess.run([sys.executable, "-c", code, str(full.path), str(run.folder)], check=False)
    assert len(list((full.path / "runs" / ".pins").glob("*.txt"))) == 1
    assert evict(full) == [2]
    assert not list((full.path / "runs" / ".pins").iterdir())


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EACCES])
def test_without_file_locks_a_pin_counts_all_the_same(
    full: Store, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refuse_locks(monkeypatch, code)
    with full.pin_used():
        full.verify(full.find(URL, ACCOUNT, GRADES, 1))
        assert evict(full) == [1, 2]
        (listed,) = (full.path / "runs" / ".pins").glob("*.txt")
        made = listed.stat().st_mtime
        for hours, left in ((23, [1, 2]), (25, [2])):
            os.utime(listed, (then := made - hours * 3600, then))
            assert evict(full) == left
    assert evict(full) == [2]


def test_a_store_that_cannot_be_written_is_read_without_a_pin(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "canvas_reports_nb")
    (tmp_path / "runs").write_text("in the way")
    pins = Pins(tmp_path)
    with pins.keep():
        pins.add(tmp_path / "runs" / "7")
        assert pins.used() == {tmp_path / "runs" / "7"}
    assert f"The run in {tmp_path / 'runs' / '7'} is used without a pin: Can't write" in caplog.text


def test_threads_open_and_close_pins_at_once(tmp_path: Path) -> None:
    pins, folder = Pins(tmp_path), tmp_path / "runs" / "7"
    lost: list[int] = []

    def use(number: int) -> None:
        for _ in range(20):
            with pins.keep():
                pins.add(folder)
                if folder not in Pins(tmp_path).used():
                    lost.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert lost == []
    assert not list((tmp_path / "runs" / ".pins").iterdir())
    assert Pin(tmp_path).folders == set()
