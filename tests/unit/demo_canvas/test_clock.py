from datetime import UTC, datetime, timedelta

import pytest

from canvas_reports_nb.demo_canvas import SteppedClock, SystemClock

START = datetime(2026, 3, 2, 16, 14, tzinfo=UTC)


def test_a_stepped_clock_moves_only_when_told_and_only_forward():
    clock = SteppedClock(START)
    assert clock.now() == clock.now() == START
    assert clock.advance(90.5) == clock.now() == START + timedelta(seconds=90.5)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_both_clocks_are_aware():
    assert SystemClock().now().utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="aware"):
        SteppedClock(START.replace(tzinfo=None))
