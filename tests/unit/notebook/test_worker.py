"""The time shown between two polls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.notebook.worker import later
from canvas_reports_nb.runs.progress import ProgressEvent


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 100))
def test_time_passes_between_two_polls(queued: float, running: float, seconds: float) -> None:
    event = ProgressEvent("waiting", "r", 1, "running", queued=queued, running=running, next_poll=20.0)
    after = later(event, seconds)
    assert after.queued + after.running == pytest.approx(queued + running + seconds)
    assert after.queued == queued if running else after.running == 0
    assert after.next_poll == max(20.0 - seconds, 0)
    done = ProgressEvent("downloading", "r", 1)
    assert later(done, seconds) is done
