"""A requested run on its way: its line in the table, its events, and the run that takes its place."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.runs.decide import Decision
from canvas_reports_nb.runs.pending import (
    PendingRun,
    check_wait,
    gone,
    late,
    table_event,
    waiting_event,
)
from canvas_reports_nb.runs.progress import ProgressEvent, RunProgress
from tests.unit.runs.doubles import stored

GRADES, NOW = "grade_export_csv", datetime(2026, 3, 2, 9, tzinfo=UTC)
QUERY = Query.checked(GRADES, {"enrollment_term_id": 12}, account="self", listed=None, terms=list, now=NOW)
RUN = ReportRun(7, GRADES, "running", progress=42, current_line=99)
LABEL = f"{GRADES}, enrollment_term_id=12"


class Runs:
    """The runs of an account, on a clock that a test sets; starts give the next id."""

    account, now, is_joined = "self", 100.0, False

    def __init__(self) -> None:
        self.waiter, self.ledger = SimpleNamespace(elapsed=lambda: self.now), self
        self.forgotten: list[int] = []

    def forget(self, _report: str, run_id: int) -> None:
        self.forgotten.append(run_id)

    def decide(self, _query: Query, max_age: float, history: Any) -> tuple[Decision, set[int]]:
        assert max_age == 0, "a new run"
        return Decision("start", "", usual=(1.0, 2.0)), {run.id for run in history()}

    def begin(self, query: Query, known: Any) -> tuple[ReportRun, bool]:
        self.known = set(known)
        return replace(RUN, id=max(self.known, default=0) + 1), self.is_joined


def pending(query: Query | None = QUERY, **facts: Any) -> PendingRun:
    return PendingRun(Runs(), GRADES, query, **facts)  # type: ignore[arg-type]


DOWNLOAD = ProgressEvent("downloading", GRADES, 7, "complete", fraction=0.25, rows=5_000_000)
LINES: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    ({}, (None, "waiting", None, None, 0.0)),
    (
        {"run": replace(RUN, status="created", progress=None, current_line=None)},
        (7, "queued", 0.0, None, 5.0),
    ),
    ({"run": RUN}, (7, "running", 0.42, 99, 5.0)),
    ({"run": replace(RUN, status="compiling", progress=100)}, (7, "compiling", 1.0, 99, 5.0)),
    ({"run": replace(RUN, status="complete"), "downloading": DOWNLOAD}, (7, "downloading", 0.25, None, 5.0)),
    ({"run": RUN, "took": 3.0, "rows": 1234, "result": stored(rows=1234)}, (7, "done", 1.0, 1234, 3.0)),
    ({"rows": 1234, "result": stored(rows=1234)}, (7, "done", 1.0, 1234, 0.0)),
    ({"run": RUN, "took": 3.0, "error": exc.ServerError("502")}, (7, "failed", None, None, 3.0)),
    ({"error": exc.ServerError("502", run_id=8)}, (8, "failed", None, None, 0.0)),
    ({"error": exc.ServerError("502")}, (None, "failed", None, None, 0.0)),
]


@pytest.mark.parametrize(("facts", "line"), LINES, ids=[line[1] for _, line in LINES])
def test_the_line_of_each_state(facts: dict[str, Any], line: tuple[Any, ...]) -> None:
    each = pending(**facts, began=100.0 if facts.get("run") else None)
    assert each.line(105.0) == RunProgress(LABEL, *line)
    assert each.is_finished == (line[1] in {"done", "failed"})
    assert each.is_in_flight == (line[1] in {"queued", "running", "compiling"})
    assert pending(None).line(105.0).request == GRADES


def test_the_table_counts_the_states_and_the_progress() -> None:
    many = [pending(**facts) for facts, _ in LINES]
    shown = table_event(many, 130.0, 100.0, 2.0)
    counts = "2 of 10 done, 1 running, 1 compiling, 1 queued, 1 waiting, 3 failed"
    assert (shown.stage, shown.status, shown.text) == ("waiting", counts, counts)
    assert (shown.running, shown.next_poll, len(shown.runs)) == (30.0, 2.0, 10)
    assert shown.fraction == pytest.approx((5 + 0.42 + 1 + 0.25) / 10)
    ended = table_event(many[5:], 130.0, 100.0, None)
    assert (ended.stage, ended.status, ended.fraction) == ("done", "2 of 5 done, 3 failed", 1.0)


@pytest.mark.parametrize(
    ("status", "more", "queued", "running"),
    [
        ("created", {}, 30.0, 0.0),
        ("running", {}, 0.0, 30.0),
        ("running", {"run_time": 12.0}, 0.0, 12.0),
        ("running", {"run_time": 0.0}, 0.0, 0.0),
        ("running", {"created_at": NOW, "started_at": NOW + timedelta(seconds=9)}, 9.0, 30.0),
        ("running", {"created_at": NOW, "started_at": NOW - timedelta(seconds=9)}, 0.0, 30.0),
        ("created", {"created_at": NOW, "started_at": NOW + timedelta(seconds=9)}, 30.0, 0.0),
        ("running", {"created_at": NOW}, 0.0, 30.0),
        ("running", {"started_at": NOW}, 0.0, 30.0),
    ],
)
def test_the_times_of_a_wait(status: str, more: dict[str, Any], queued: float, running: float) -> None:
    shown = waiting_event(pending(usual=(1.0, 2.0)), replace(RUN, status=status, **more), 30.0, 5.0)
    assert (shown.stage, shown.status, shown.run_id) == ("waiting", status, 7)
    assert (shown.queued, shown.running, shown.next_poll) == (queued, running, 5.0)
    assert (shown.fraction, shown.rows, shown.usual) == (0.42, 99, (1.0, 2.0))
    assert waiting_event(pending(usual=()), replace(RUN, progress=None), 1.0, 5.0).usual is None


def test_twenty_runs_are_passed_over_and_forgotten() -> None:
    others = tuple(replace(RUN, id=number) for number in range(8, 40))
    each = pending()
    each.take(Decision("finished", "", run=RUN, others=others), {50})
    passed = []
    while each.may_pass_over:
        passed.append(each.run.id if each.run else None)
        assert each.pass_over() == f"Using run {7 + len(passed)} instead."
    assert passed == each.runs.forgotten == list(range(7, 27))  # type: ignore[attr-defined]
    assert set(each.known) == {50, *passed}, "a start must not join one of them"


def test_after_the_last_choice_a_run_is_started_and_not_passed_over() -> None:
    each = pending()
    each.take(Decision("finished", "", run=RUN, usual=(1.0, 2.0)), {5})
    assert (each.run, each.may_pass_over, each.usual, each.is_ours) == (RUN, True, (1.0, 2.0), False)
    assert each.pass_over() == "Starting a new run."
    assert (each.run, each.may_pass_over) == (None, False)
    assert each.start().id == 8
    assert (each.runs.known, each.may_pass_over, each.is_ours) == ({5, 7}, False, True)  # type: ignore[attr-defined]
    each.runs.is_joined = True  # type: ignore[misc]
    each.start()
    assert (each.may_pass_over, each.is_ours) == (True, False)


def test_a_new_run_is_started_beside_an_equal_one() -> None:
    each = pending()
    assert each.begin([replace(RUN, id=8)]).id == 9
    assert (each.run and each.run.id, each.is_ours, each.usual) == (9, True, (1.0, 2.0))


def test_a_stored_run_is_taken_at_once() -> None:
    each = pending()
    each.take(Decision("stored", "", stored=stored(rows=1234)), frozenset())
    assert (each.is_finished, each.result, each.rows, each.may_pass_over) == (
        True,
        stored(rows=1234),
        1234,
        False,
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "run 7 from this disk"),
        ({"began": 20.0}, "took 1 min 20 s"),
        ({"began": 20.0, "is_reused": True}, "from a run that Canvas already had"),
        ({"is_reused": True}, "run 7 from this disk"),
    ],
)
def test_the_last_event_names_the_rows_and_the_source(facts: dict[str, Any], words: str) -> None:
    each = pending(**facts)
    each.finish(stored(rows=1234))
    event = each.done_event()
    assert event == ProgressEvent(
        "done", GRADES, 7, "complete", fraction=1.0, text=f"done, 1,234 rows, {words}"
    )
    assert each.result
    assert each.result.asked == QUERY.question
    each.finish(exc.UnknownTableError("No table.", [GRADES]))
    assert (each.result, each.rows, each.is_finished) == (None, None, True)


@pytest.mark.parametrize(
    ("status", "locked", "words"),
    [
        ("running", None, "the run is still running in Canvas"),
        ("complete", None, "its file is not here yet"),
        ("complete", 1.0, "another process is still downloading its file"),
    ],
)
def test_a_timeout_says_what_is_missing(status: str, locked: float | None, words: str) -> None:
    error = late(pending(run=replace(RUN, status=status), locked_until=locked), 30)
    assert isinstance(error, exc.WaitTimeoutError)
    assert f"Stopped waiting after 30 s; {words}." in str(error).replace("the run has ended, but ", "")
    assert f"canvas.attach('{GRADES}', 7).result()" in str(error)
    assert (error.account, error.run_id) == ("self", 7)


def test_errors_without_a_run() -> None:
    error = late(pending(), 30)
    assert isinstance(error, exc.NotStartedError)
    assert (error.account, error.report) == ("self", GRADES)
    unknown = exc.UnknownRunError("There is no such run.")
    assert gone(pending(), unknown) is unknown
    deleted = gone(pending(run=RUN), unknown)
    assert isinstance(deleted, exc.RunDeletedError)
    assert (deleted.account, deleted.run_id, deleted.__cause__) == ("self", 7, unknown)


@pytest.mark.parametrize("timeout", [None, 0, 0.5, 30, float("inf")])
@pytest.mark.parametrize("on_interrupt", ["detach", "abort"])
def test_a_wait_as_it_may_be(timeout: Any, on_interrupt: Any) -> None:
    check_wait(timeout, on_interrupt)


WRONG: list[Callable[[], None]] = [
    *(lambda timeout=timeout: check_wait(timeout, "detach") for timeout in (True, "30", float("nan"), [])),
    *(lambda word=word: check_wait(None, word) for word in ("stop", "", None)),
]


@pytest.mark.parametrize("check", WRONG)
def test_a_wrong_wait_is_rejected(check: Callable[[], None]) -> None:
    with pytest.raises(exc.ParameterError, match=r"timeout|on_interrupt"):
        check()
