"""One report: from this disk only, with Canvas down, and what is shown of the choice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.runs.decide import Decision
from canvas_reports_nb.runs.one import read_one
from canvas_reports_nb.runs.progress import ProgressEvent
from canvas_reports_nb.store.stored_run import ReportResult
from tests.unit.runs.doubles import Recorder, stored

GRADES, NOW = "grade_export_csv", datetime(2026, 3, 2, 9, tzinfo=UTC)
STORED = stored(ended_at=(NOW - timedelta(minutes=10)).isoformat())
DOWN = exc.ServerError("Canvas is down.")


class Runs:
    """The runs of an account with one stored run; `fault` is what a question to Canvas raises."""

    account = "self"

    def __init__(self, stored: ReportResult | None = STORED, fault: Exception | None = None) -> None:
        self.kept, self.fault, self.caches = stored, fault, list[str]()
        self.waiter = Waiter(NOW.timestamp)

    def query(self, report: str, asked: Any, *, cache: str = "yes") -> Query:
        self.caches.append(cache)
        if self.fault and cache != "only":
            raise self.fault
        return Query.checked(report, asked, account="self", listed=None, terms=list, now=NOW)

    def stored(self, _query: Query, max_age: float = float("inf")) -> ReportResult | None:
        fits = self.kept is not None and (NOW - self.kept.finished_at).total_seconds() <= max_age
        return self.kept if fits else None

    def decide(self, _query: Query, _max_age: float, _history: Any) -> tuple[Decision, set[int]]:
        return Decision("stored", "using run 7 from this disk", stored=self.kept), set()


def read(runs: Runs, sink: Any = False, **how: Any) -> ReportResult:
    given = {"tables": [None], "max_age": 3600.0, "run_id": None, "offline": False, "timeout": None, **how}
    asked = {"enrollment_term_id": 12}
    return read_one(runs, GRADES, asked, progress=sink, on_interrupt="detach", **given)  # type: ignore[arg-type]


def test_offline_names_the_age_of_the_newest_run() -> None:
    for max_age in (600.0, float("inf")):
        found = read(Runs(), offline=True, max_age=max_age)
        assert (found, found.asked) == (STORED, {"enrollment_term_id": 12})
    with pytest.raises(exc.NotStoredError, match=r"finished 10 min ago.*\n.*larger max_age=") as caught:
        read(Runs(), offline=True, max_age=599.0)
    assert (caught.value.account, caught.value.report, caught.value.run_id) == ("self", GRADES, 7)
    with pytest.raises(exc.NotStoredError, match="no such run") as caught:
        read(Runs(None), offline=True)
    assert (caught.value.account, caught.value.report, caught.value.run_id) == ("self", GRADES, None)


def test_a_stored_run_is_shown_with_the_reason() -> None:
    sink = Recorder()
    found = read(Runs(), sink)
    assert (found, found.asked) == (STORED, {"enrollment_term_id": 12})
    reason = ProgressEvent("note", GRADES, 7, text=f"{GRADES}: using run 7 from this disk")
    assert sink.events[0] == reason
    assert [event.stage for event in sink.events] == ["note", "done"]
    assert sink.closed == 1


def test_with_canvas_down_the_note_says_why() -> None:
    sink, runs = Recorder(), Runs(fault=DOWN)
    assert read(runs, sink).asked == {"enrollment_term_id": 12}
    text = f"{GRADES}: Canvas is down. Using run 7 from this disk, 10 min ago"
    assert sink.events[0] == ProgressEvent("note", GRADES, 7, text=text)
    assert runs.caches == ["yes", "only"]
    for none, how in ((runs, {"max_age": 0}), (runs, {"max_age": 599.0}), (Runs(None, DOWN), {})):
        with pytest.raises(exc.ServerError) as caught:
            read(none, sink, **how)
        assert caught.value is DOWN
    assert runs.caches[2:] == ["refresh", "only", "yes", "only"]
    assert sink.closed == 4, "also after an error"


def test_a_table_that_a_new_run_would_not_have_is_an_error_before_the_start() -> None:
    with pytest.raises(exc.UnknownTableError, match="nowhere"):
        read(Runs(), tables=["nowhere"])
