"""The state of a run follows from instants alone."""

from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
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
PARALLEL = "grade_export_csv"
ORDER = ["created", "running", "compiling", "complete"]


def make_run(number=1, after=0, *, made=True, failure=None, lines=2_500, report="grade_export_csv"):
    outcome: Future[Outcome] = Future()
    if made:
        file = None if failure else Path("report.csv")
        outcome.set_result(Outcome(START, file, "report.csv", lines, "Term: Autumn;", failure))
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
def test_a_queue_works_in_order_and_never_on_more_than_its_width(after, stops, width, length):
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
            assert run.stopped_at <= span.ended_at, "an aborted run ends when its turn comes"
        else:
            assert span.started_at >= run.created_at + SECOND
            assert span.ended_at <= span.started_at + length * SECOND
            assert (run.stopped_at is not None) or span.ended_at == span.started_at + length * SECOND


@given(
    st.lists(st.integers(0, 150), min_size=2, max_size=20).map(sorted),
    st.sampled_from(["lti_report_csv", PARALLEL]),
)
def test_status_goes_forward_and_progress_falls_only_when_compiling_starts(instants, report):
    run = make_run(report=report)
    states = [state_of(run, seconds) for seconds in instants]
    assert [ORDER.index(s.status) for s in states] == sorted(ORDER.index(s.status) for s in states)
    for status in ORDER:
        within = [s for s in states if s.status == status]
        assert [s.progress for s in within] == sorted(s.progress for s in within)
        assert [s.current_line or 0 for s in within] == sorted(s.current_line or 0 for s in within)
    for state in states:
        assert (state.progress == 100) == (state.status == "complete")
        assert has_file(run, state) == (state.status == "complete")
        assert ("extra_text" in stored_parameters(run, state)) == (state.status != "created")


# Report, seconds of 100: status, progress, current line. Files have 2,500 lines.
@pytest.mark.parametrize(("report", "moments"), [
    (PARALLEL, {0: ("created", 0, None), 41: ("running", 50, 1249), 80: ("running", 98, 2467),
                82: ("compiling", 0, 0), 95: ("compiling", 39, 1000), 101: ("complete", 100, 2500)}),
    ("course_storage_csv", {1: ("running", 0, 0), 51: ("running", 39, 1000), 91: ("running", 79, 2000),
                            101: ("complete", 100, 2500)}),
    ("zero_activity_csv", {1: ("running", 0, 0), 51: ("running", 0, 1000), 101: ("complete", 100, 2500)}),
])  # fmt: skip
def test_progress_and_lines_are_saved_as_canvas_saves_them(report, moments):
    run = make_run(report=report)
    seen = {at: state_of(run, at) for at in moments}
    assert {at: (s.status, s.progress, s.current_line) for at, s in seen.items()} == moments


def test_progress_stays_at_zero_below_a_thousand_rows():
    run = make_run(report="course_storage_csv", lines=999)
    assert {state_of(run, at).progress for at in range(100)} == {0}


@pytest.mark.parametrize("report", [PARALLEL, "zero_activity_csv"])
def test_aborting_finalizes_a_run_unless_it_is_parallel(report):
    run = make_run(report=report)
    run.stop("aborted", START + 41 * SECOND)
    state = state_of(run, 500)
    finalized = report != PARALLEL
    assert state.status == "aborted"
    assert (state.progress == 100) == finalized
    assert (state.ended_at == START + 41 * SECOND) == (state.ended_at is not None) == finalized
    text = stored_parameters(run, state).get("extra_text")
    assert text == ("Report has been aborted" if finalized else "Term: Autumn;")


def test_a_run_aborted_in_the_queue_is_finalized_when_its_turn_comes():
    first, second = make_run(1), make_run(2)
    second.stop("aborted", START + 2 * SECOND)
    span = schedule([first, second], 1, fixed_length(100), SECOND)[2]
    before, after = (state_at(second, span, START + at * SECOND) for at in (50, 150))
    assert (before.status, before.progress, before.ended_at) == ("aborted", 0, None)
    assert (after.status, after.progress, after.ended_at) == ("aborted", 100, START + 101 * SECOND)
    assert "extra_text" not in stored_parameters(second, before)


def test_deleting_a_running_run_changes_only_its_status():
    run = make_run(report="course_storage_csv")
    before = state_of(run, 51)
    run.stop("deleted", START + 51 * SECOND)
    after = state_of(run, 500)
    assert after == replace(before, status="deleted")
    assert not has_file(run, after)


def test_a_failed_run_is_at_100_percent_without_a_file():
    run = make_run(failure="no file selected")
    state = state_of(run, 101)
    assert (state.status, state.progress, has_file(run, state)) == ("error", 100, False)
    assert stored_parameters(run, state)["extra_text"] == "no file selected"


def test_a_run_with_a_late_file_keeps_running():
    assert state_of(make_run(made=False), 500).status == "compiling"


def test_a_run_lasts_until_its_file_is_ready_and_the_next_one_waits():
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


def test_computed_parameters_are_stored_once_the_run_has_started():
    run = make_run(made=False)
    run.parameters = {"start_at": "2026-01-01", "course_id": "501", "locale": "xx"}
    echo = {"start_at": "2026-02-16T00:00:00Z", "end_at": "2026-03-02T00:00:00Z"}
    run.outcome.set_result(Outcome(START, Path("report.csv"), echo=echo))
    assert stored_parameters(run, state_of(run, 0)) == run.parameters
    for seconds in (10, 101):
        stored = stored_parameters(run, state_of(run, seconds))
        assert stored == {**run.parameters, **echo, "locale": "en"}
