from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.demo_canvas.throttle import Bucket, Limits

START = datetime(2026, 3, 2, 16, 14, tzinfo=UTC)
ROUNDING = 1e-9


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_the_level_stays_within_the_bucket_and_drains(pauses):
    limits = Limits(high_water=120, cost=15)
    bucket, now = Bucket(limits, START), START
    for pause in pauses:
        now += timedelta(seconds=pause)
        before = bucket.level
        if bucket.enter(now):
            bucket.leave()
            assert 0 <= bucket.level <= before + limits.cost + ROUNDING
        else:
            assert bucket.remaining <= 0
    assert bucket.enter(now + timedelta(seconds=80))


def test_many_at_once_fill_it_and_one_after_the_other_never_does():
    bucket = Bucket(Limits(), START)
    for _ in range(1_000):
        assert bucket.enter(START)
        bucket.leave()
    crowd = Bucket(Limits(), START)
    assert [crowd.enter(START) for _ in range(14)].count(True) == 12
