"""One deadline and one stop signal for everything a call does; nothing here sleeps."""

import math
import threading
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.deadline import Stopped, Waiter

SECONDS = st.floats(0, 100)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def waiter(time: Time) -> Waiter:
    return Waiter(clock=lambda: time.now, sleep=time.sleep)


def test_the_earlier_of_two_deadlines_counts(time: Time, waiter: Waiter) -> None:
    assert waiter.remaining == math.inf
    with waiter.limit(10):
        time.now = 4.0
        for inner, remaining in ((None, 6.0), (20, 6.0), (2, 2.0)):
            with waiter.limit(inner):
                assert waiter.remaining == remaining
        assert waiter.remaining == 6.0
    assert not waiter.is_expired


@given(timeout=SECONDS, pauses=st.lists(SECONDS))
def test_no_pause_goes_past_the_deadline(timeout: float, pauses: list[float]) -> None:
    time = Time()
    waiter = Waiter(clock=lambda: time.now, sleep=time.sleep)
    with waiter.limit(timeout):
        for seconds in pauses:
            waiter.pause(seconds)
    assert time.now == pytest.approx(min(timeout, sum(pauses)))
    assert all(seconds > 0 for seconds in time.slept)


@pytest.mark.parametrize("after", [0.0, 0.3, 7.0])
def test_a_stop_is_noticed_within_a_slice(time: Time, waiter: Waiter, after: float) -> None:
    stop, ticks = threading.Event(), list[float]()

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if time.now >= after:
            stop.set()

    waiter = Waiter(clock=lambda: time.now, sleep=sleep)
    if not after:
        stop.set()
    with pytest.raises(Stopped), waiter.limit(None, stop=stop, tick=ticks.append):
        waiter.pause(60)
    assert time.now <= after + 0.3
    assert ticks == sorted(ticks)


def test_a_stop_reaches_every_limit_inside_and_none_outside(waiter: Waiter) -> None:
    stop = threading.Event()
    stop.set()
    with waiter.limit(None, stop=stop), waiter.limit(5), pytest.raises(Stopped):
        waiter.check()
    waiter.check()


def test_a_stop_stays_in_its_thread(waiter: Waiter) -> None:
    stop, raised = threading.Event(), list[Any]()
    stop.set()
    with waiter.limit(0, stop=stop):
        thread = threading.Thread(target=lambda: raised.append((waiter.check(), waiter.remaining)))
        thread.start()
        thread.join()
    assert raised == [(None, math.inf)]


@given(st.lists(st.floats(-7200, 7200), max_size=20))
def test_durations_never_go_back(jumps: list[float]) -> None:
    clock = Time()
    waiter = Waiter(clock=lambda: clock.now, sleep=clock.sleep)
    seen = [waiter.elapsed()]
    for jump in jumps:
        clock.now += jump
        seen.append(waiter.elapsed())
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(sum(jump for jump in jumps if jump > 0))


def test_a_clock_that_is_set_back_does_not_move_the_deadline(time: Time, waiter: Waiter) -> None:
    with waiter.limit(60):
        waiter.pause(20)
        time.now -= 7200
        while not waiter.is_expired:
            waiter.pause(10)
    assert sum(time.slept) == pytest.approx(60)


def test_the_systems_own_clock_is_the_monotonic_one() -> None:
    before = monotonic()
    assert before <= Waiter().elapsed() <= monotonic()


HOURS = st.floats(-2e4, 2e4)


@given(lead=HOURS, seconds=st.floats(0, 1e6), step=HOURS)
def test_ages_are_measured_by_the_servers_clock(lead: float, seconds: float, step: float) -> None:
    server, ours = datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC), [1_772_467_200.0 + lead * 3600]
    waiter = Waiter(lambda: ours[0])
    assert waiter.now().timestamp() == pytest.approx(ours[0])
    waiter.sync(server)
    ours[0] += seconds
    assert (waiter.now() - server).total_seconds() == pytest.approx(seconds, abs=2.001)
    ours[0] += step * 3600  # the next response corrects a clock that was set
    waiter.sync(server)
    assert (waiter.now() - server).total_seconds() == pytest.approx(0, abs=2.001)
    assert waiter.is_synced
