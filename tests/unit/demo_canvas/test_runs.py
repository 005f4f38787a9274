"""A run's state follows from instants alone."""

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.demo_canvas.runs import (
    Outcome,
    Run,
    fixed_length,
    has_file,
    natural_length,
    schedule,
    state_at,
    stored_parameters,
)

START = datetime(2026, 3, 2, 16, 14, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ORDER = ["created", "running", "compiling", "complete"]


def make_run(number=1, after=0, *, made=True, failure=None, lines=2_500, report="grade_export_csv"):
    outcome: Future[Outcome] = Future()
    if made:
        file = None if failure else Path("report.csv")
        outcome.set_result(Outcome(START, file, "report.csv", lines, "Term: Autumn; ", failure))
    return Run(number, number, report, 1, START + after * SECOND, {"x": "1"}, outcome)


def state_of(run, seconds, length=100):
    span = schedule([run], 1, fixed_length(length), SECOND)[run.id]
    return state_at(run, span, START + seconds * SECOND)


@given(
    after=st.lists(st.integers(0, 300), min_size=1, max_size=12).map(sorted),
    stops=st.lists(st.none() | st.integers(0, 400), min_size=12, max_size=12),
    width=st.integers(1, 4),
    length=st.integers(1, 120),
)
def test_a_strand_works_in_order_and_never_on_more_than_its_width(after, stops, width, length):
    runs = [make_run(number, seconds) for number, seconds in enumerate(after)]
    for run, stop in zip(runs, stops, strict=False):
        if stop is not None:
            run.stop("aborted", run.created_at + stop * SECOND)
    spans = schedule(runs, width, fixed_length(length), SECOND)
    worked = [spans[run.id] for run in runs if spans[run.id].started_at is not None]
    starts = [span.started_at for span in worked]
    assert starts == sorted(starts)
    for start in starts:
        assert sum(span.started_at <= start < span.ended_at for span in worked) <= width
    for run in runs:
        span = spans[run.id]
        if span.started_at is None:
            assert span.ended_at == run.stopped_at
        else:
            assert span.started_at >= run.created_at + SECOND
            assert span.ended_at <= span.started_at + length * SECOND
            assert (run.stopped_at is not None) or span.ended_at == span.started_at + length * SECOND


@given(st.lists(st.integers(0, 150), min_size=2, max_size=20).map(sorted))
def test_status_and_progress_only_go_forward(instants):
    run = make_run()
    states = [state_of(run, seconds) for seconds in instants]
    assert [ORDER.index(s.status) for s in states] == sorted(ORDER.index(s.status) for s in states)
    assert [s.progress for s in states] == sorted(s.progress for s in states)
    assert [s.current_line or 0 for s in states] == sorted(s.current_line or 0 for s in states)
    for state in states:
        assert (state.progress == 100) == (state.status == "complete")
        assert has_file(run, state) == (state.status == "complete")
        assert ("extra_text" in stored_parameters(run, state)) == (state.status != "created")


def test_lines_are_saved_by_the_thousand_until_the_end():
    run = make_run(lines=2_500)
    assert [state_of(run, s).current_line for s in (10, 50, 90, 101)] == [None, 1_000, 2_000, 2_500]


def test_a_failed_run_is_at_100_percent_without_a_file():
    run = make_run(failure="no file selected")
    state = state_of(run, 101)
    assert (state.status, state.progress, has_file(run, state)) == ("error", 100, False)
    assert stored_parameters(run, state)["extra_text"] == "no file selected"


def test_a_run_whose_file_is_late_goes_on_running():
    assert state_of(make_run(made=False), 500).status == "compiling"


def test_a_natural_run_takes_at_least_its_making_and_holds_up_the_next():
    slow, second = make_run(1, made=False), make_run(2, 1)
    spans = schedule([slow, second], 1, natural_length, SECOND)
    assert spans[1].ended_at is None
    assert spans[2].started_at is None
    slow.outcome.set_result(Outcome(START + 60 * SECOND, Path("report.csv"), lines=10))
    spans = schedule([slow, second], 1, natural_length, SECOND)
    assert spans[1].ended_at == spans[2].started_at == START + 60 * SECOND


def test_deleting_a_finished_run_leaves_its_times_and_file():
    run = make_run()
    before = state_of(run, 150)
    run.stop("deleted", START + 150 * SECOND)
    after = state_of(run, 160)
    assert after.status == "deleted"
    assert (after.started_at, after.ended_at) == (before.started_at, before.ended_at)
    assert has_file(run, after)


def test_what_the_report_computed_is_stored_once_the_run_has_started():
    run = make_run(made=False)
    run.parameters = {"start_at": "2026-01-01", "course_id": "501"}
    echo = {"start_at": "2026-02-16 00:00:00 UTC", "end_at": "2026-03-02 00:00:00 UTC"}
    run.outcome.set_result(Outcome(START, Path("report.csv"), echo=echo))
    assert stored_parameters(run, state_of(run, 0)) == run.parameters
    for seconds in (10, 101):
        stored = stored_parameters(run, state_of(run, seconds))
        assert stored == {**run.parameters, **echo, "locale": "en"}
