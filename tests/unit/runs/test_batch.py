"""The loop over pending runs: what an interrupt leaves, which downloads are tried again, what is shown at the end."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.runs import batch
from canvas_reports_nb.runs.batch import Batch
from canvas_reports_nb.runs.pending import PendingRun
from canvas_reports_nb.runs.progress import ProgressEvent
from tests.unit.runs.doubles import stored

GRADES = "grade_export_csv"
GOING, DONE = ReportRun(7, GRADES, "running"), ReportRun(7, GRADES, "complete")
LATER = "To get it later: canvas.attach('grade_export_csv', 7).result()"
LEFT = f"Interrupted; run 7 continues in Canvas. {LATER}"


class Runs:
    """The runs of an account, whose clock advances with every pause; `api` is Canvas."""

    account, url, store = "self", "https://canvas.example.edu", None

    def __init__(self, *, is_interrupted: bool = False) -> None:
        self.time, self.is_interrupted = 1000.0, is_interrupted
        self.waiter, self.api = Waiter(lambda: self.time, self.sleep), self
        self.ledger = SimpleNamespace(key=lambda *_: None)
        self.faults: dict[int, Exception] = {}

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def throttle(self) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt

    def page(self, _report: str) -> list[ReportRun]:
        return []

    def abort(self, _report: str, run_id: int) -> ReportRun:
        if run_id in self.faults:
            raise self.faults[run_id]
        return replace(GOING, status="aborted")


def pending(runs: Runs, run: ReportRun | None, **facts: Any) -> PendingRun:
    return PendingRun(runs, GRADES, run=run, **facts)  # type: ignore[arg-type]


def shown_by(many: list[PendingRun], on_interrupt: Any = "detach", **how: Any) -> list[ProgressEvent]:
    """Run a batch and return its events."""
    events: list[ProgressEvent] = []
    sink: Any = SimpleNamespace(show=events.append)
    Batch(many, sink, how.pop("timeout", None), **how).run(on_interrupt)
    return events


@pytest.mark.parametrize(
    ("run", "is_ours", "fault", "on_interrupt", "note"),
    [
        (None, True, None, "abort", None),
        (GOING, True, None, "detach", LEFT),
        (DONE, True, None, "abort", f"Interrupted; run 7 is kept in Canvas. {LATER}"),
        (GOING, True, None, "abort", "Interrupted; run 7 was stopped."),
        (
            GOING,
            False,
            None,
            "abort",
            f"{LEFT} It was not stopped, because this call did not start it.",
        ),
        (
            GOING,
            True,
            exc.NotReachedError("No route."),
            "abort",
            f"{LEFT} It could not be stopped: No route.",
        ),
    ],
)
def test_an_interrupt_names_the_run_and_how_to_get_it(
    run: ReportRun | None, is_ours: bool, fault: Exception | None, on_interrupt: str, note: str | None
) -> None:
    runs = Runs(is_interrupted=True)
    runs.faults = {7: fault} if fault else {}
    with pytest.raises(KeyboardInterrupt) as caught:
        shown_by([pending(runs, run, is_ours=is_ours)], on_interrupt)
    assert getattr(caught.value, "__notes__", [None]) == [note]


@pytest.mark.parametrize(
    ("on_interrupt", "ours", "faults", "words"),
    [
        ("detach", {7, 8, 9}, {}, "3 runs continue in Canvas (7, 8, 9)"),
        ("abort", {7, 8, 9}, {}, "3 runs stopped (7, 8, 9)"),
        (
            "abort",
            {7, 8},
            {8: exc.NotReachedError("No route.")},
            "1 run stopped, 2 not, because this call did not start them or they have ended (7, 8, 9)",
        ),
    ],
)
def test_an_interrupt_counts_the_runs(
    on_interrupt: str, ours: set[int], faults: dict[int, Exception], words: str
) -> None:
    runs = Runs(is_interrupted=True)
    runs.faults = faults
    going = [pending(runs, replace(GOING, id=number), is_ours=number in ours) for number in (7, 8, 9)]
    many = [*going, pending(runs, DONE, result=stored()), pending(runs, DONE, error=exc.ServerError("502"))]
    with pytest.raises(KeyboardInterrupt) as caught:
        shown_by(many, on_interrupt, as_table=True)
    assert caught.value.__notes__ == [
        f"Interrupted; {words}, 1 of 5 are on this disk. To continue: canvas.read_reports(requests)"
    ]
    with pytest.raises(KeyboardInterrupt) as caught:
        shown_by([going[0], pending(runs, None)], as_table=True)
    assert "1 run continues in Canvas (7), 0 of 2 are on this disk" in caught.value.__notes__[0]
    with pytest.raises(KeyboardInterrupt) as caught:
        shown_by([pending(runs, None)], as_table=True)
    assert "0 runs continue in Canvas, 0 of 1 are on this disk" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("error", "as_table", "attempts"),
    [
        (exc.NotReachedError("no route"), True, 3),
        (exc.ThrottledError("slow down"), True, 3),
        (exc.DamagedFileError("too short"), True, 1),
        (exc.NotReachedError("no route"), False, 1),
        (exc.NotFoundError("no file"), True, 1),
    ],
)
@pytest.mark.parametrize("is_late", [False, True])
def test_how_often_a_download_is_tried(
    monkeypatch: pytest.MonkeyPatch,
    error: exc.CanvasReportsError,
    attempts: int,
    *,
    as_table: bool,
    is_late: bool,
) -> None:
    tried = []

    def fail(*_: Any, **__: Any) -> None:
        tried.append(error)
        raise error

    monkeypatch.setattr(batch, "retrieve", fail)
    runs = Runs()
    each = pending(runs, DONE)
    with runs.waiter.limit(0 if is_late else None):
        events = shown_by([each], as_table=as_table, timeout=0 if is_late else None)
    assert len(tried) == (1 if is_late else attempts)
    if is_late and not isinstance(error, exc.NotFoundError):
        assert isinstance(each.error, exc.WaitTimeoutError)
        assert each.error.__cause__ is error
    else:
        assert each.error is error
    if as_table:
        assert (events[-1].stage, events[-1].text) == ("done", "0 of 1 done, 1 failed")


def test_at_most_eight_runs_start_between_two_looks_at_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs()
    many = [pending(runs, None) for _ in range(30)]
    sink: Any = SimpleNamespace(show=lambda _: None)
    made = Batch(many, sink, None)

    def start(each: PendingRun) -> bool:
        each.run = replace(GOING, status="created")
        return True

    monkeypatch.setattr(made, "_start_one", start)
    made._taken = 12  # as after a look at which twelve runs had left the queue
    made._start()
    made._start()
    assert sum(each.run is not None for each in many) == 8


def test_a_start_that_fails_is_followed_by_others_only_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def begin(*_: Any) -> tuple[ReportRun, bool]:
        asked.append(runs.time)
        if len(asked) == 1:
            raise exc.ThrottledError("slow down")
        return DONE, False

    monkeypatch.setattr(batch, "retrieve", lambda *_, **__: stored())
    runs = Runs()
    runs.begin, runs.check_store = begin, lambda _: None  # type: ignore[attr-defined]
    query: Any = SimpleNamespace(question=None, key="", report=GRADES, label=GRADES, differing=lambda _: [])
    many = [pending(runs, None, query=query) for _ in range(3)]
    events = shown_by(many, as_table=True)
    assert asked[0] < asked[1] == asked[2] == asked[3]
    assert events[-1].text == "3 of 3 done"


@pytest.mark.parametrize(
    ("outcome", "last"),
    [
        (stored(), ("done", "done, 3 rows, run 7 from this disk")),
        (exc.NotReachedError("No route."), ("lost contact", "No route.")),
        (exc.RunFailedError("It failed.", GOING), ("failed", "It failed.")),
        (exc.RunAbortedError("It was stopped.", GOING), ("stopped", "")),
        (exc.WaitTimeoutError("Late.", GOING), None),
    ],
)
def test_the_last_event_shows_the_end(outcome: Any, last: tuple[str, str] | None) -> None:
    each = pending(Runs(), GOING)
    each.finish(outcome)
    events = shown_by([each])
    assert [(event.stage, event.text) for event in events] == ([last] if last else [])
    assert {event.run_id for event in events} <= {7}
