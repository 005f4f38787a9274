from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.demo_canvas import SteppedClock, SystemClock
from canvas_reports_nb.demo_canvas.clock import Limits, Throttle

START = datetime(2026, 3, 2, 16, 14, tzinfo=UTC)
ROUNDING = 1e-9


def test_a_stepped_clock_moves_only_forward_and_only_when_stepped():
    clock = SteppedClock(START)
    assert clock.now() == clock.now() == START
    assert clock.advance(90.5) == clock.now() == START + timedelta(seconds=90.5)
    with pytest.raises(ValueError, match="only goes forward"):
        clock.advance(-1)


def test_both_clocks_are_aware():
    assert SystemClock().now().utcoffset() == SystemClock(START).now().utcoffset() == timedelta(0)
    assert timedelta(0) <= SystemClock(START).now() - START < timedelta(hours=1)
    with pytest.raises(ValueError, match="aware"):
        SteppedClock(START.replace(tzinfo=None))


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_the_level_stays_within_the_throttle_and_drains(pauses):
    limits = Limits(high_water=120, cost=15)
    throttle, now = Throttle(limits, START), START
    for pause in pauses:
        now += timedelta(seconds=pause)
        before = throttle.level
        if throttle.enter(now):
            throttle.leave()
            assert 0 <= throttle.level <= before + limits.cost + ROUNDING
        else:
            assert throttle.remaining <= 0
    assert throttle.enter(now + timedelta(seconds=80))


def test_simultaneous_requests_fill_it_and_sequential_ones_never_do():
    throttle = Throttle(Limits(), START)
    for _ in range(1_000):
        assert throttle.enter(START)
        throttle.leave()
    crowded = Throttle(Limits(), START)
    assert [crowded.enter(START) for _ in range(14)].count(True) == 12
