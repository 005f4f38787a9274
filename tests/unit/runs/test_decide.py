"""How long it may take: a range from earlier runs, never a promise."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.runs.decide import estimate

BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def query(**asked: object) -> Query:
    return Query.checked("grade_export_csv", asked, account="self", listed=None, terms=list, now=BEGAN)


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
    low, high = estimate(query(), [past(each) for each in seconds])
    assert low <= high
    assert all(low - 1e-3 <= each <= high + 1e-3 for each in seconds)


def test_equal_parameters_count_before_others() -> None:
    history = [past(5000), past(60, enrollment_term_id="12"), past(90, enrollment_term="12"), past(9000)]
    assert estimate(query(enrollment_term_id=12), history) == (60, 90)
    assert estimate(query(enrollment_term_id=13), history) == (60, 9000)


def test_without_two_finished_runs_nothing_is_said() -> None:
    assert estimate(query(), []) is None
    assert estimate(query(), [past(60), past(100, status="error"), past(0, status="running")]) is None
