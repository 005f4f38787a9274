"""Claims: who holds one works alone, who died holding one stands in nobody's way."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import fsspec
import pytest

from canvas_reports_nb.store import claims
from canvas_reports_nb.store.claims import EXPIRY, claimed


class Steps:
    """A clock that moves only when somebody sleeps; each sleep may do something."""

    def __init__(self, during: Callable[[int], object] = lambda _: None) -> None:
        self.now, self.slept, self.during = 0.0, 0, during

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += 1
        self.during(self.slept)


@pytest.fixture
def files() -> Any:
    return fsspec.filesystem("memory")


@pytest.fixture
def path() -> str:
    return f"/claims-{uuid4().hex}/claim"


def take(files: Any, path: str, steps: Steps, done: Callable[[], bool] = lambda: False) -> Any:
    return claimed(files, path, done, clock=steps.clock, sleep=steps.sleep)


def test_held_while_at_work_and_gone_afterwards(files: Any, path: str) -> None:
    steps = Steps()
    with take(files, path, steps):
        assert files.exists(path)
    assert not files.exists(path)
    assert steps.slept == 0


def test_gone_after_an_error(files: Any, path: str) -> None:
    with pytest.raises(KeyboardInterrupt), take(files, path, Steps()):
        raise KeyboardInterrupt
    assert not files.exists(path)


def test_waits_until_the_work_is_done_and_leaves_the_owners_claim(files: Any, path: str) -> None:
    files.pipe_file(path, b"other")
    steps = Steps()
    with take(files, path, steps, lambda: steps.slept == 3):
        assert files.cat_file(path) == b"other"
    assert steps.slept == 3
    assert files.cat_file(path) == b"other"


def test_waits_until_it_is_released(files: Any, path: str) -> None:
    files.pipe_file(path, b"other")
    steps = Steps(lambda count: count == 2 and files.rm_file(path))
    with take(files, path, steps):
        assert files.cat_file(path) != b"other"
    assert steps.slept == 2


def test_a_dead_owners_claim_is_taken_over(files: Any, path: str) -> None:
    files.pipe_file(path, b"other")
    steps = Steps()
    with take(files, path, steps):
        assert files.cat_file(path) != b"other"
    assert EXPIRY <= steps.now < EXPIRY + 5


def test_one_who_gives_signs_of_life_is_waited_for(files: Any, path: str) -> None:
    files.pipe_file(path, b"other")
    busy = 10 * EXPIRY
    steps = Steps(lambda count: steps.now < busy and files.pipe_file(path, b"other %d" % count))
    with take(files, path, steps):
        assert busy + EXPIRY - 5 <= steps.now < busy + EXPIRY + 5


def test_gives_signs_of_life_while_at_work(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files, seen, told = fsspec.filesystem("memory"), [], threading.Event()
    monkeypatch.setattr(claims, "EXPIRY", 0.03)

    class Watched:
        def pipe_file(self, path: str, data: bytes, **keywords: Any) -> None:
            seen.append(data)
            files.pipe_file(path, data, **keywords)
            if len(seen) == 3:
                told.set()

        def __getattr__(self, name: str) -> Any:
            return getattr(files, name)

    with take(Watched(), path, Steps()):
        assert told.wait(20)
    assert len(set(seen[:3])) == 3
    assert len({data.partition(b" ")[0] for data in seen}) == 1
    assert not files.exists(path)


def test_taken_over_it_is_not_taken_away(files: Any, path: str) -> None:
    with take(files, path, Steps()):
        files.pipe_file(path, b"other")
    assert files.cat_file(path) == b"other"


@pytest.mark.parametrize("error", [PermissionError, NotImplementedError, ValueError, ConnectionError])
def test_where_there_are_no_claims_the_work_is_done_without(error: type[Exception]) -> None:
    class Refusing:
        def pipe_file(self, *_: Any, **__: Any) -> None:
            raise error

    done = []
    with take(Refusing(), "/nowhere", Steps()):
        done.append(1)
    assert done == [1]
