"""Decisions without a request: which run to reuse, how long it takes, when to start, poll and slow down."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.runs.decide import (
    ago,
    estimate,
    free_slots,
    is_recent,
    may_poll_again,
    next_batch_poll,
    next_poll,
    reuse_or_start,
    throttle_pause,
)

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
def test_the_estimate_covers_every_run_of_the_sample(seconds: list[float]) -> None:
    low, high = estimate([past(each) for each in seconds])
    assert low <= high
    assert all(low - 1e-3 <= each <= high + 1e-3 for each in seconds)


@pytest.mark.parametrize(("term", "usual"), [(12, (60, 90)), (13, (60, 9000))])
def test_runs_with_equal_parameters_are_preferred_for_the_estimate(
    term: int, usual: tuple[float, float]
) -> None:
    history = [past(5000), past(60, enrollment_term_id="12"), past(90, enrollment_term="12"), past(9000)]
    asked = {"enrollment_term_id": term}
    query = Query.checked("grade_export_csv", asked, account="self", listed=None, terms=list, now=BEGAN)
    decision = reuse_or_start(query, stored=[], remembered=[], history=history, now=BEGAN, max_age=0)
    assert (decision.action, decision.usual) == ("start", usual)


def test_fewer_than_two_finished_runs_give_no_estimate() -> None:
    assert estimate([]) is None
    assert estimate([past(60), past(100, status="error"), past(0, status="running")]) is None


@given(queued=st.integers(0, 100), taken=st.integers(0, 100))
def test_the_queue_is_neither_empty_nor_flooded(queued: int, taken: int) -> None:
    starts = free_slots(queued, taken)
    assert 0 <= starts <= 8
    assert queued + starts <= max(queued, 24)
    assert queued + starts >= 4


@given(queued=st.integers(0, 30), taken=st.integers(0, 30))
def test_a_faster_server_gets_at_least_as_many_runs(queued: int, taken: int) -> None:
    assert free_slots(queued, taken + 1) >= free_slots(queued, taken)
    assert free_slots(queued + 1, taken) <= free_slots(queued, taken)


@given(st.floats(0, 1e5))
def test_an_hour_has_at_most_200_polls(start: float) -> None:
    """This holds even if each poll finds an ended run and is followed by another one at once."""
    asked: list[float] = []
    now = start
    while now < start + 7200:
        recent = sum(when > now - 3600 for when in asked)
        asked += [now] * (2 if may_poll_again(recent) else 1)
        now += next_batch_poll(now, recent)
    for first in asked:
        assert sum(first <= when < first + 3600 for when in asked) <= 200


@given(st.floats(-100, 1000))
def test_the_pause_grows_as_the_allowance_shrinks(remaining: float) -> None:
    assert throttle_pause(None) == 0
    assert 0 <= throttle_pause(remaining) <= 10
    assert throttle_pause(remaining - 1) >= throttle_pause(remaining)
    assert (throttle_pause(remaining) > 0) == (remaining < 100)


STATUS = st.sampled_from(["created", "running", "compiling", "complete", "error", "aborted", "deleted"])


@given(
    st.lists(
        st.tuples(st.integers(1, 6), STATUS, st.integers(0, 200), st.sampled_from(["12", "13"])), max_size=8
    ),
    st.integers(0, 100),
)
def test_every_choice_answers_the_query_and_can_be_used(
    facts: list[tuple[int, str, int, str]], hours: int
) -> None:
    listed = [
        ReportRun(
            run_id,
            "grade_export_csv",
            status,
            parameters={"enrollment_term_id": term},
            created_at=BEGAN - timedelta(hours=age),
        )
        for run_id, status, age, term in facts
    ]
    asked = Query.checked(
        "grade_export_csv", {"enrollment_term_id": 12}, account="self", listed=None, terms=list, now=BEGAN
    )
    decision = reuse_or_start(
        asked, stored=[], remembered=listed[:2], history=listed[2:], now=BEGAN, max_age=hours * 3600
    )
    choices = [*([decision.run] if decision.run else []), *decision.others]
    assert len({run.id for run in choices}) == len(choices)
    assert [run.is_complete for run in choices] == sorted((run.is_complete for run in choices), reverse=True)
    for run in choices:
        age = (BEGAN - run.created_at).total_seconds() / 3600
        assert age <= hours if run.is_complete else (not run.is_ended and age <= 24)
        assert run in listed[:2] or asked.is_same(run.parameters, run.created_at)
    assert (decision.action == "start") == (not choices)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (-5, "0 s ago"),
        (1.4, "1 s ago"),
        (89, "89 s ago"),
        (90, "2 min ago"),
        (5_399, "90 min ago"),
        (5_400, "1.5 h ago"),
        (86_400, "24.0 h ago"),
    ],
)
def test_the_words_of_an_age(age: float, words: str) -> None:
    assert ago(age) == words


def test_the_waits_that_the_documentation_names() -> None:
    assert [next_poll(waited) for waited in (0, 40, 100, 1200, 9000)] == [2, 2, 5, 60, 60]
    assert [next_batch_poll(0, polls) for polls in (0, 139, 140, 199, 200)] == [2, 2, 60, 3600, 3600]
    assert [may_poll_again(polls) for polls in (139, 140)] == [True, False]
    assert [free_slots(0, 0), free_slots(3, 0), free_slots(0, 3), free_slots(20, 50)] == [4, 1, 6, 4]
    assert [throttle_pause(remaining) for remaining in (100, 95, 0, -50)] == [0, 0.5, 10, 10]


@pytest.mark.parametrize("late", [0, 1])
def test_a_run_is_used_up_to_its_age_and_not_a_second_longer(late: int) -> None:
    query = Query.checked("grade_export_csv", {}, account="self", listed=None, terms=list, now=BEGAN)
    ended, day = past(60), 24 * 3600
    running = ReportRun(2, "grade_export_csv", "running", parameters={}, created_at=BEGAN)

    def action(run: ReportRun, age: float) -> str:
        now = (run.ended_at or BEGAN) + timedelta(seconds=age + late)
        found = reuse_or_start(query, stored=[], remembered=[], history=[run], now=now, max_age=3600)
        assert found.run_id == (None if late else run.id)
        return found.action

    assert action(ended, 3600) == ("start" if late else "finished")
    assert action(running, day) == ("start" if late else "in flight")
    now = BEGAN + timedelta(seconds=day + 3600 + late)
    assert is_recent(running, now, 3600) is not bool(late)
    assert is_recent(ended, now, 0), "it has no time of creation"
