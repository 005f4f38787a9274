"""The wait, its endings, and the decision to reuse a run, on a stepped clock without real pauses."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.models import ReportRun, RunStatus
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.runs.account import AccountRuns
from canvas_reports_nb.runs.decide import next_poll, reuse_or_start
from canvas_reports_nb.runs.job import ReportJob
from canvas_reports_nb.runs.ledger import Ledger
from canvas_reports_nb.runs.pending import PendingRun
from canvas_reports_nb.store.store import Store
from canvas_reports_nb.store.stored_run import ReportResult
from tests.unit.runs.doubles import Recorder

GRADES = "grade_export_csv"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(status: str = "running", run_id: int = 7, **more: Any) -> ReportRun:
    return ReportRun.from_api({"id": run_id, "report": GRADES, "status": status, **more})


class SteppedClock:
    """A clock that moves only during a pause."""

    def __init__(self) -> None:
        self.now, self.sleeps = 1_000_000.0, 0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.sleeps += 1
        assert self.sleeps < 5000, "this wait never ends"


class Api:
    """Plans the responses to `show`: a status, an error to raise, or a function that returns either."""

    account = "self"
    waiter: Waiter
    remaining = None

    def __init__(self, *plan: Any) -> None:
        self.plan: Iterator[Any] = iter(plan)
        self.asked, self.aborted = 0, 0
        self.abort_error: Exception | None = None
        self.past: list[ReportRun] = []

    def index(self, report: str) -> Iterator[ReportRun]:
        return iter(self.past)

    def show(self, report: str, run_id: int) -> ReportRun:
        self.asked += 1
        answer = next(self.plan)
        answer = answer() if callable(answer) else answer
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, ReportRun) else run(answer)

    def abort(self, report: str, run_id: int) -> ReportRun:
        self.aborted += 1
        if self.abort_error:
            raise self.abort_error
        return run("aborted")


def forever(answer: Callable[[], Any]) -> Iterator[Any]:
    while True:
        yield answer


def job(api: Api, clock: SteppedClock, status: str = "created", sleep: Any = None) -> ReportJob:
    store = Store(Path("unused"))
    url = "https://canvas.example.edu"
    api.waiter = Waiter(clock, sleep or clock.sleep)
    runs = AccountRuns(api, store, Ledger(store.path, url, "self"), url)  # type: ignore[arg-type]
    return ReportJob(PendingRun(runs, GRADES, is_ours=True), run(status))


@pytest.mark.parametrize("progress", [False, "log"])
def test_five_hundred_polls_need_no_more_memory_than_one_hundred(progress: Any) -> None:
    clock, used = SteppedClock(), {}

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if api.asked in {100, 500}:
            gc.collect()
            used[api.asked] = tracemalloc.get_traced_memory()[0]

    api = Api(*(run("running", progress=poll // 6) for poll in range(500)), run("complete", progress=100))
    tracemalloc.start()
    try:
        job(api, clock, sleep=sleep).wait(progress=progress)
    finally:
        tracemalloc.stop()
    assert api.asked == 501
    # Less than 50 bytes per poll; one event alone has more.
    assert used[500] - used[100] < 20_000


def query(**asked: Any) -> Query:
    return Query.checked(GRADES, asked, account="self", listed=None, terms=list, now=NOW)


# -- polling -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "most"), [(10, 6), (60, 30), (600, 80), (3600, 140), (3 * 3600, 260)])
def test_a_wait_polls_rarely_and_ends_promptly(seconds: float, most: int) -> None:
    clock = SteppedClock()
    end = clock.now + seconds
    api = Api()
    api.plan = forever(lambda: "complete" if clock.now >= end else "running")
    job(api, clock).wait(progress=False)
    assert api.asked <= most
    assert clock.now - end <= max(2.0, 0.05 * seconds)


@given(st.floats(min_value=0, max_value=1e9))
def test_a_pause_is_neither_too_short_nor_too_long(waited: float) -> None:
    assert 2.0 <= next_poll(waited) <= 60.0
    assert next_poll(waited) <= next_poll(waited + 1)


# -- the states --------------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["complete", "error", "aborted", "deleted"])
def test_a_wait_follows_every_state_to_the_end(last: str) -> None:
    api, clock, sink = Api("created", "running", "shelving", "compiling", last), SteppedClock(), Recorder()
    assert job(api, clock).wait(progress=sink).status == last
    assert api.asked == clock.sleeps == 5
    assert [event.status for event in sink.events] == [
        "created",
        "created",
        "running",
        "shelving",
        "compiling",
    ]
    assert sink.closed == 1


def test_a_run_at_100_percent_has_not_ended() -> None:
    api = Api(run("running", progress=100), "complete")
    assert job(api, SteppedClock()).wait(progress=False).status == "complete"
    assert api.asked == 2


@pytest.mark.parametrize("status", [s for s in RunStatus if run(s).is_ended])
def test_an_ended_run_is_not_polled(status: str) -> None:
    api, clock = Api(), SteppedClock()
    job(api, clock, status).wait(timeout=0, progress=False)
    assert (api.asked, clock.sleeps) == (0, 0)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("error", exc.RunFailedError),
        ("aborted", exc.RunAbortedError),
        ("deleted", exc.RunDeletedError),
    ],
)
def test_each_bad_ending_has_its_own_error(status: str, error: type[exc.RunError]) -> None:
    ended = run(status, message="It failed.", parameters={"extra_text": "ErrorReport:71;"})
    sink = Recorder()
    with pytest.raises(error) as caught:
        job(Api(ended), SteppedClock()).result(progress=sink)
    assert type(caught.value) is error
    assert caught.value.run is ended
    assert (caught.value.report, caught.value.run_id, caught.value.account) == (GRADES, 7, "self")
    assert ("ErrorReport:71;" in str(caught.value)) == (status == "error")
    assert sink.closed == 1


def test_an_unknown_run_counts_as_deleted() -> None:
    with pytest.raises(exc.RunDeletedError, match="deleted"):
        job(Api("running", exc.UnknownRunError("gone")), SteppedClock()).wait(progress=False)


# -- timeout and faults ------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, 1, 5, 90.5, 4000])
def test_the_timeout_covers_the_whole_wait(timeout: float) -> None:
    clock = SteppedClock()
    begun, api = clock.now, Api()
    api.plan = forever(lambda: "running")
    waiting = job(api, clock)
    with pytest.raises(exc.WaitTimeoutError) as caught:
        waiting.wait(timeout=timeout, progress=False)
    assert clock.now - begun == pytest.approx(timeout)
    assert caught.value.job is waiting
    assert "canvas.attach('grade_export_csv', 7)" in str(caught.value)
    assert isinstance(caught.value, TimeoutError)
    api.plan = iter(["complete"])
    assert waiting.wait(progress=False).status == "complete"


def test_temporary_faults_do_not_end_the_wait() -> None:
    faults = [
        exc.NotReachedError("no answer"),
        exc.ServerError("502"),
        exc.ThrottledError("slow down"),
        exc.UnexpectedAnswerError("not JSON"),
    ]
    api, clock = Api("running", *faults, "running", *faults, "complete"), SteppedClock()
    assert job(api, clock).wait(progress=False).status == "complete"
    assert api.asked == clock.sleeps == 11


def test_a_wait_gives_up_if_the_server_stops_responding() -> None:
    clock, api = SteppedClock(), Api("running")
    begun = clock.now
    waiting = job(api, clock)
    api.plan = forever(lambda: exc.NotReachedError("no answer"))
    with pytest.raises(exc.NotReachedError):
        waiting.wait(progress=False)
    assert 1800 < clock.now - begun < 2000


def test_a_laptop_that_was_asleep_does_not_give_up() -> None:
    clock = SteppedClock()

    def wake_up() -> exc.NotReachedError:
        clock.now += 8 * 3600
        return exc.NotReachedError("no network yet")

    api = Api("running", wake_up, exc.NotReachedError("no network yet"), "running", "complete")
    assert job(api, clock).wait(progress=False).status == "complete"


def test_each_response_resets_the_time_to_give_up() -> None:
    clock = SteppedClock()
    end, api = clock.now + 3 * 3600, Api()

    def answer() -> Any:
        if clock.now >= end:
            return "complete"
        return "running" if clock.now % 1500 < 60 else exc.ServerError("503")

    api.plan = forever(answer)
    assert job(api, clock).wait(progress=False).status == "complete"


@pytest.mark.parametrize("error", [exc.AuthenticationError("expired"), exc.NotPermittedError("no right")])
def test_a_permanent_fault_ends_the_wait_at_once(error: exc.CanvasReportsError) -> None:
    api = Api(error)
    with pytest.raises(type(error)):
        job(api, SteppedClock()).wait(progress=False)
    assert api.asked == 1


# -- interrupt ---------------------------------------------------------------------------------


def interrupt(_: float) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("on_interrupt", "abort_error", "aborted", "note"),
    [
        ("detach", None, 0, "canvas.attach('grade_export_csv', 7).result()"),
        ("abort", None, 1, "was stopped"),
        ("abort", exc.NotReachedError("no answer"), 1, "canvas.attach('grade_export_csv', 7).result()"),
    ],
)
def test_interrupt(on_interrupt: Any, abort_error: Exception | None, aborted: int, note: str) -> None:
    api, sink = Api(), Recorder()
    api.abort_error = abort_error
    with pytest.raises(KeyboardInterrupt) as caught:
        job(api, SteppedClock(), sleep=interrupt).wait(progress=sink, on_interrupt=on_interrupt)
    assert note in "".join(caught.value.__notes__)
    assert api.aborted == aborted
    assert sink.events[-1].stage == "note"
    assert note in sink.events[-1].text
    assert sink.closed == 1


# -- reuse or start ----------------------------------------------------------------------------


def local(run_id: int, age: float) -> ReportResult:
    ended = (NOW - timedelta(seconds=age)).isoformat()
    made = Provenance(report=GRADES, run_id=run_id, ended_at=ended)
    return ReportResult(
        Path("unused"), {"provenance": made.to_dict(), "tables": {}, "raw": {"file": "raw.csv"}}
    )


def remote(run_id: int, status: str, age: float, term: str = "12", took: float = 0) -> ReportRun:
    ended = run(status).is_ended
    return run(
        status,
        run_id,
        parameters={"enrollment_term_id": term, "skip_message": "true", "locale": "en"},
        created_at=(NOW - timedelta(seconds=age + took)).isoformat(),
        ended_at=(NOW - timedelta(seconds=age)).isoformat() if ended else None,
    )


DAY = 86400.0


@pytest.mark.parametrize(
    ("stored", "history", "max_age", "expected"),
    [
        ([], [], DAY, ("start", None)),
        ([local(1, 60)], [remote(2, "complete", 30)], DAY, ("stored", 1)),
        ([local(1, 60), local(0, 90)], [], DAY, ("stored", 1)),
        ([local(1, DAY + 1)], [], DAY, ("start", None)),
        ([local(1, DAY + 1)], [remote(2, "complete", 30)], DAY, ("finished", 2)),
        ([local(1, 60)], [remote(2, "complete", 30)], 0, ("start", None)),
        ([local(1, 60)], [remote(2, "running", 30)], 0, ("start", None)),
        ([local(1, 60)], [remote(2, "complete", 5)], 10, ("finished", 2)),
        ([], [remote(3, "complete", 10), remote(2, "complete", 30)], DAY, ("finished", 3)),
        ([], [remote(3, "running", 10), remote(2, "complete", 30)], DAY, ("finished", 2)),
        ([], [remote(3, "running", 10), remote(2, "complete", DAY + 30)], DAY, ("in flight", 3)),
        ([], [remote(3, "created", 10), remote(2, "compiling", 30)], DAY, ("in flight", 3)),
        ([], [remote(3, "shelving", 10)], DAY, ("in flight", 3)),
        (
            [],
            [remote(3, "complete", 10, term="13"), remote(2, "running", 20, term="14")],
            DAY,
            ("start", None),
        ),
        ([], [remote(3, "complete", 10, term="13"), remote(2, "complete", 20)], DAY, ("finished", 2)),
        ([], [remote(4, s, 10) for s in ("error", "aborted", "deleted")], DAY, ("start", None)),
        ([], [remote(2, "complete", 5, took=7200)], 60, ("finished", 2)),
        ([], [run("running", 9, parameters={"enrollment_term": 12})], DAY, ("in flight", 9)),
    ],
)
def test_reuse_or_start(
    stored: list[ReportResult], history: list[ReportRun], max_age: float, expected: tuple[str, int | None]
) -> None:
    decision = reuse_or_start(
        query(enrollment_term=12), stored=stored, remembered=[], history=history, now=NOW, max_age=max_age
    )
    assert (decision.action, decision.run_id) == expected
    assert decision.run_id is None or str(decision.run_id) in decision.reason


@pytest.mark.parametrize(
    ("remembered", "history", "expected"),
    [
        ([remote(8, "running", 5)], [remote(9, "running", 2)], ("in flight", 8)),
        ([remote(8, "complete", 5)], [remote(9, "complete", 2)], ("finished", 8)),
        ([remote(8, "running", 5)], [remote(9, "complete", 60)], ("finished", 9)),
        ([remote(8, "running", 3 * DAY)], [], ("start", None)),
    ],
)
def test_a_run_in_the_ledger_is_preferred(
    remembered: list[ReportRun], history: list[ReportRun], expected: tuple[str, int | None]
) -> None:
    decision = reuse_or_start(
        query(enrollment_term=12), stored=[], remembered=remembered, history=history, now=NOW, max_age=DAY
    )
    assert (decision.action, decision.run_id) == expected


def test_the_history_is_read_no_further_than_needed() -> None:
    def endless(report: str) -> Iterator[ReportRun]:
        for number in range(200):
            yield remote(number, "complete", number * DAY / 10, term="99")
        raise AssertionError("read the runs of twenty days for a run of at most one day")

    api, clock = Api(), SteppedClock()
    api.index = endless  # type: ignore[method-assign]
    clock.now = NOW.timestamp()
    runs = job(api, clock)._pending.runs
    assert len(runs.history(GRADES, DAY)) == 100


def test_the_history_is_not_read_if_the_run_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread() -> list[ReportRun]:
        raise AssertionError("asked Canvas for a run that is on this disk")

    clock = SteppedClock()
    clock.now = NOW.timestamp()
    runs = job(Api(), clock)._pending.runs
    monkeypatch.setattr(Store, "equal", lambda *_: [local(1, 60)])
    monkeypatch.setattr(Store, "verify", lambda _, run: run)
    decision, _ = runs.decide(query(), DAY, unread)
    assert decision.action == "stored"
