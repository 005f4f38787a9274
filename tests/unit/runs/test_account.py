"""The runs of one account: which of them answers a query, and what the ledger keeps of those that don't."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.runs.account import AccountRuns, in_time
from canvas_reports_nb.runs.ledger import Ledger
from canvas_reports_nb.store.store import Store
from canvas_reports_nb.store.stored_run import ReportResult

URL, GRADES, HOUR = "https://canvas.example.edu", "grade_export_csv", 3600.0
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUERY = Query.checked(GRADES, {"enrollment_term_id": 12}, account="self", listed=None, terms=list, now=NOW)
RUN = ReportRun(
    7, GRADES, "running", parameters=dict(QUERY.wire), created_at=NOW - timedelta(minutes=5), current_line=9
)
DONE = replace(RUN, status="complete", ended_at=NOW - timedelta(minutes=1))


class Canvas:
    """Canvas as the runs of an account see it: its list of runs, and its clock."""

    account, remaining = "self", None

    def __init__(self) -> None:
        self.listed: list[ReportRun | Exception] = []
        self.pauses: list[float] = []
        self.asked: list[tuple[str, bool]] = []
        self.is_offered = True
        self.waiter = Waiter(NOW.timestamp, self.pauses.append)

    def index(self, _report: str) -> Iterator[ReportRun]:
        for each in self.listed:
            if isinstance(each, Exception):
                raise each
            yield each

    def available(self, *, cache: str, html: bool = False, only: str | None = None) -> list[Any]:
        self.asked.append((cache, html))
        return [SimpleNamespace(parameters={"listed": None}, in_form={"in_form"})] if self.is_offered else []

    def not_offered(self, report: str, _offers: list[Any]) -> exc.UnknownReportError:
        return exc.UnknownReportError(f"No report {report}.")

    def terms(self, *, cache: str) -> list[Any]:
        return []

    def start(self, _report: str, _wire: Any) -> ReportRun:
        self.listed.append(RUN)
        return RUN

    def show(self, report: str, run_id: int) -> ReportRun:
        found = next((run for run in self.index(report) if run.id == run_id), None)
        if found is None:
            raise exc.UnknownRunError("There is no such run.")
        return found


@pytest.fixture
def canvas() -> Canvas:
    return Canvas()


@pytest.fixture
def runs(canvas: Canvas, tmp_path: Path) -> AccountRuns:
    return AccountRuns(canvas, Store(tmp_path), Ledger(tmp_path, URL, "self"), URL)  # type: ignore[arg-type]


def stored(age: float, run_id: int = 7) -> ReportResult:
    made = Provenance(report=GRADES, run_id=run_id, ended_at=(NOW - timedelta(seconds=age)).isoformat())
    facts = {"provenance": made.to_dict(), "tables": {}, "raw": {"file": "raw.csv"}}
    return ReportResult(Path("unused"), facts)


@pytest.mark.parametrize(
    ("now", "action", "is_kept"),
    [
        (RUN, "in flight", True),
        (replace(RUN, status="shelving"), "in flight", True),
        (DONE, "finished", True),
        (None, "start", False),
        *((replace(RUN, status=status), "start", False) for status in ("aborted", "deleted", "error")),
        (replace(RUN, created_at=NOW), "start", False),
        (replace(RUN, parameters={"enrollment_term_id": 13}), "start", False),
    ],
)
def test_a_remembered_run_answers_or_is_forgotten(
    canvas: Canvas, runs: AccountRuns, now: ReportRun | None, action: str, *, is_kept: bool
) -> None:
    runs.ledger.note(RUN, QUERY)
    canvas.listed = [now] if now else []
    decision, known = runs.decide(QUERY, HOUR, list)
    assert (decision.action, decision.run_id) == (action, 7 if is_kept else None)
    assert known == {7}, "no start joins it"
    assert set(runs.ledger.equal(QUERY)) == ({7} if is_kept else set())


def test_a_remembered_run_that_another_process_stored_is_forgotten(
    canvas: Canvas, runs: AccountRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.ledger.note(RUN, QUERY)
    canvas.listed = [DONE]
    monkeypatch.setattr(Store, "find", lambda *_: stored(60))
    assert runs.decide(QUERY, HOUR, list)[0].run_id == 7
    assert runs.ledger.equal(QUERY) == {}


def test_a_new_run_leaves_the_remembered_ones_alone(canvas: Canvas, runs: AccountRuns) -> None:
    runs.ledger.note(RUN, QUERY)
    decision, known = runs.decide(QUERY, 0, lambda: [replace(DONE, id=5)])
    assert (decision.action, known, set(runs.ledger.equal(QUERY))) == ("start", {5, 7}, {7})


def test_a_stored_run_is_used_up_to_its_age_if_it_is_intact(
    runs: AccountRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(_: Store, run: ReportResult) -> ReportResult | None:
        if run.origin.run_id == 9:
            raise exc.StoreLockedError("Another process is writing it.")
        return None if run.origin.run_id == 8 else run

    monkeypatch.setattr(Store, "equal", lambda *_: [stored(10, 9), stored(20, 8), stored(30), stored(40, 6)])
    monkeypatch.setattr(Store, "verify", verify)
    assert runs.stored(QUERY, 29) is None
    assert runs.stored(QUERY, 30) == runs.stored(QUERY) == stored(30)
    decision, known = runs.decide(QUERY, 30, lambda: pytest.fail("it is on this disk"))
    assert (decision.action, decision.run_id, known) == ("stored", 7, frozenset())
    assert runs.decide(QUERY, 0, list)[0].action == "start"
    assert runs.decide(QUERY, 29, list)[0].action == "start"


@pytest.mark.parametrize(
    ("report", "parameter", "cache", "asked"),
    [
        ("a_vendor_report", "listed", "yes", [("yes", False)]),
        ("a_vendor_report", "in_form", "yes", [("yes", False), ("yes", True)]),
        ("a_vendor_report", "in_form", "refresh", [("refresh", False), ("refresh", True)]),
        ("a_vendor_report", "listed", "only", [("only", False)]),
        (GRADES, "include_deleted", "yes", [("yes", False)]),
        (GRADES, "include_deleted", "only", [("only", False)]),
    ],
)
def test_which_lists_a_request_needs(
    canvas: Canvas,
    runs: AccountRuns,
    report: str,
    parameter: str,
    *,
    cache: Any,
    asked: list[tuple[str, bool]],
) -> None:
    assert runs.query(report, {parameter: True}, cache=cache).report == report
    assert canvas.asked == asked
    with pytest.raises(exc.UnknownParameterError):
        runs.query(report, {"nowhere": True}, cache=cache)


def test_a_report_that_a_fresh_list_lacks_is_rejected(canvas: Canvas, runs: AccountRuns) -> None:
    canvas.is_offered = False
    with pytest.raises(exc.UnknownReportError, match=f"No report {GRADES}"):
        runs.query(GRADES, {})
    assert canvas.asked[:2] == [("yes", False), ("refresh", False)]


def test_a_started_run_is_remembered_and_joined(canvas: Canvas, runs: AccountRuns) -> None:
    assert runs.begin(QUERY, ()) == (RUN, False)
    assert set(runs.ledger.equal(QUERY)) == {7}
    assert runs.begin(QUERY, ()) == (RUN, True)
    assert canvas.listed == [RUN], "it was started once"
    assert runs.begin(QUERY, {7}) == (RUN, False), "a run that was passed over is not joined"


@pytest.mark.parametrize(
    ("read", "count"),
    [
        (lambda runs: runs.page(GRADES), 100),
        (lambda runs: runs.history(GRADES, 0), 100),
        (lambda runs: runs.history(GRADES, HOUR), 151),
    ],
    ids=["page", "new run", "one hour"],
)
def test_how_much_of_the_list_is_read(
    canvas: Canvas, runs: AccountRuns, read: Callable[[AccountRuns], list[ReportRun]], count: int
) -> None:
    canvas.listed = [
        replace(RUN, id=number, created_at=NOW - timedelta(minutes=10 * number)) for number in range(200)
    ]
    found = read(runs)
    assert found == canvas.listed[:count]
    assert len(found) == count


def test_an_estimate_is_no_reason_to_fail(canvas: Canvas, runs: AccountRuns) -> None:
    canvas.listed = [RUN, exc.NotReachedError("no route")]
    assert runs.page(GRADES) == runs.history(GRADES, 0) == []
    with pytest.raises(exc.NotReachedError):
        runs.history(GRADES, HOUR)


@pytest.mark.parametrize(("remaining", "pauses"), [(None, []), (100.0, []), (70.0, [3.0]), (0.0, [10.0])])
def test_a_small_allowance_slows_requests(
    canvas: Canvas, runs: AccountRuns, remaining: float | None, pauses: list[float]
) -> None:
    canvas.remaining = remaining  # type: ignore[assignment]
    runs.throttle()
    assert sum(canvas.pauses) == pytest.approx(sum(pauses))


def test_a_fault_after_the_deadline_is_a_start_that_did_not_happen(canvas: Canvas) -> None:
    lost = exc.NotReachedError("no route", account="self", report="another_csv")

    def fail(error: Exception, timeout: float, report: str | None = None) -> Any:
        with (
            pytest.raises(exc.CanvasReportsError) as caught,
            canvas.waiter.limit(timeout),
            in_time(canvas.waiter, timeout, report),
        ):
            raise error
        return caught.value

    assert fail(lost, 5) is lost
    late = fail(lost, 0)
    assert isinstance(late, exc.NotStartedError)
    assert (late.account, late.report, late.__cause__) == ("self", "another_csv", lost)
    assert late.message == "Stopped after 0 s, before a run was started: no route"
    assert fail(lost, 0, GRADES).report == GRADES
    wrong = exc.UnknownReportError("No such report.")
    assert fail(wrong, 0) is wrong
