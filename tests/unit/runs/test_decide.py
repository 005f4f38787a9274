"""How long it may take: a range from earlier runs, never a promise."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.runs.decide import estimate, reuse_or_start

BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def past(seconds: float, status: str = "complete", **parameters: object) -> ReportRun:
    return ReportRun(
        id=1,
        report="grade_export_csv",
        status=status,
        parameters=parameters,
        started_at=BEGAN,
        ended_at=BEGAN + timedelta(seconds=seconds),
    )


@given(st.lists(st.floats(0, 10_000), min_size=2, max_size=10))
def test_the_range_holds_every_run_of_the_sample(seconds: list[float]) -> None:
    low, high = estimate([past(each) for each in seconds])
    assert low <= high
    assert all(low - 1e-3 <= each <= high + 1e-3 for each in seconds)


@pytest.mark.parametrize(("term", "usual"), [(12, (60, 90)), (13, (60, 9000))])
def test_equal_parameters_count_before_others(term: int, usual: tuple[float, float]) -> None:
    history = [past(5000), past(60, enrollment_term_id="12"), past(90, enrollment_term="12"), past(9000)]
    asked = {"enrollment_term_id": term}
    query = Query.checked("grade_export_csv", asked, account="self", listed=None, terms=list, now=BEGAN)
    decision = reuse_or_start(query, stored=[], remembered=[], history=history, now=BEGAN, max_age=0)
    assert (decision.action, decision.usual) == ("start", usual)


def test_without_two_finished_runs_nothing_is_said() -> None:
    assert estimate([]) is None
    assert estimate([past(60), past(100, status="error"), past(0, status="running")]) is None
