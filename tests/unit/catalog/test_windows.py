"""Periods longer than Canvas looks at: rejected with the dates, or split so that nothing is left out."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.catalog.windows import check_window, split_window
from canvas_reports_nb.exceptions import InvalidChoiceError, ParameterError

REPORT = "students_with_no_submissions_csv"
TWO_WEEKS = timedelta(days=14)


def query(report: str = REPORT, **asked: Any) -> Query:
    """Check a request."""
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return Query.checked(report, asked, account="self", listed=set(asked), terms=list, now=now)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-01-01", "2026-01-15"),
        ("2026-01-01T00:00:00-07:00", "2026-01-15T00:00:00-07:00"),
        ("2026-01-01T12:00:00Z", "2026-01-15T05:00:00-07:00"),
        ("2026-01-01", None),
        (None, "2026-06-01"),
        (pd.Timestamp("2026-01-01"), datetime(2026, 1, 15)),
    ],
)
def test_a_period_that_canvas_takes_as_it_is(start: Any, end: Any) -> None:
    asked = {"start_at": start, "end_at": end}
    assert query(**asked).report == REPORT
    assert split_window(REPORT, asked) == [asked]


def test_a_longer_period_is_rejected_with_the_dates_that_canvas_would_use() -> None:
    with pytest.raises(InvalidChoiceError) as caught:
        query(start_at="2026-01-01", end_at="2026-02-01T00:00:01")
    assert "14 days at most" in str(caught.value)
    assert "only at 2026-01-18 to 2026-02-01" in str(caught.value)
    assert "windows=True" in str(caught.value)
    assert "3 runs" in str(caught.value)
    assert caught.value.parameter == "start_at"


def test_a_period_that_ends_before_it_starts_is_rejected() -> None:
    with pytest.raises(InvalidChoiceError, match="is after"):
        query(start_at="2026-02-01", end_at="2026-01-31")


def test_other_reports_have_no_limit() -> None:
    check_window("zero_activity_csv", {"start_at": "2020-01-01", "end_at": "2026-01-01"})
    with pytest.raises(ParameterError, match="no other report"):
        split_window("zero_activity_csv", {"start_at": "2020-01-01"})
    with pytest.raises(ParameterError, match="run_id="):
        split_window(REPORT, {}, run_id=7)
    with pytest.raises(InvalidChoiceError, match="as a date"):
        split_window(REPORT, {"start_at": "yesterday", "end_at": "2026-01-01"})


@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    length=st.timedeltas(timedelta(0), timedelta(days=400)),
    is_aware=st.booleans(),
)
def test_the_parts_cover_every_moment_and_fit(start: datetime, length: timedelta, *, is_aware: bool) -> None:
    start = start.replace(microsecond=0, tzinfo=UTC if is_aware else None)
    end = start + length
    asked = {"start_at": start.isoformat(), "end_at": end.isoformat(), "include_enrollment_state": True}
    parts = split_window(REPORT, asked)
    ends = [
        (datetime.fromisoformat(part["start_at"]), datetime.fromisoformat(part["end_at"])) for part in parts
    ]
    assert ends[0][0] == start
    assert ends[-1][1] == end
    # Canvas leaves out both ends of a period.
    assert all(
        after < before and before - after == timedelta(seconds=1)
        for (_, before), (after, _) in itertools.pairwise(ends)
    )
    assert all(last - first <= TWO_WEEKS for first, last in ends)
    for part in parts:
        assert query(**part).wire["include_enrollment_state"] is True
