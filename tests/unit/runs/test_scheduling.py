"""When to start, to look and to rest, from numbers alone."""

from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.runs.decide import free_slots, may_poll_again, next_batch_poll, throttle_pause


@given(queued=st.integers(0, 100), taken=st.integers(0, 100))
def test_the_queue_is_neither_empty_nor_flooded(queued: int, taken: int) -> None:
    starts = free_slots(queued, taken)
    assert 0 <= starts <= 8
    assert queued + starts <= max(queued, 24)
    assert queued + starts >= 4


@given(queued=st.integers(0, 30), taken=st.integers(0, 30))
def test_a_quicker_server_gets_no_less(queued: int, taken: int) -> None:
    assert free_slots(queued, taken + 1) >= free_slots(queued, taken)
    assert free_slots(queued + 1, taken) <= free_slots(queued, taken)


@given(st.floats(0, 1e5))
def test_an_hour_has_at_most_200_looks(start: float) -> None:
    """However many looks go on at once after a find."""
    asked: list[float] = []
    now = start
    while now < start + 7200:
        recent = sum(when > now - 3600 for when in asked)
        asked += [now] * (2 if may_poll_again(recent) else 1)
        now += next_batch_poll(now, recent)
    for first in asked:
        assert sum(first <= when < first + 3600 for when in asked) <= 200


@given(st.floats(-100, 1000))
def test_the_less_is_left_the_longer_the_rest(remaining: float) -> None:
    assert throttle_pause(None) == 0
    assert 0 <= throttle_pause(remaining) <= 10
    assert throttle_pause(remaining - 1) >= throttle_pause(remaining)
    assert (throttle_pause(remaining) > 0) == (remaining < 100)
