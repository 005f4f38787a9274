"""Which runs answer for a past day."""

from datetime import UTC, date, datetime, timedelta

import pytest

from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.runs.past import PastDay, _Found, check_past

MIDNIGHT = datetime(2026, 3, 6, tzinfo=UTC)
PAST = PastDay(date(2026, 3, 6), MIDNIGHT, timedelta(hours=12))
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("started", "answers"),
    [
        (MIDNIGHT, True),
        (MIDNIGHT + TICK, False),
        (MIDNIGHT - timedelta(hours=12), True),
        (MIDNIGHT - timedelta(hours=12) - TICK, False),
    ],
)
def test_a_run_answers_up_to_the_midnight_and_not_from_too_long_before(
    started: datetime, answers: bool
) -> None:
    assert PAST.answers(_Found(None, 7, started)) is answers  # type: ignore[arg-type]


@pytest.mark.parametrize("ask", [("12h", None), (0, None), (None, "UTC")])
def test_keywords_of_a_past_day_need_the_day(ask: tuple[object, object]) -> None:
    with pytest.raises(ParameterError, match="only work with as_of="):
        check_past(None, *ask, None)  # type: ignore[arg-type]
    check_past("2026-03-06", *ask, None)  # type: ignore[arg-type]
    check_past(None, None, None, 7)
