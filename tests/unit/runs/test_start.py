"""A run is started once: a lost response, an equal run in flight, and what Canvas made of the parameters."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.exceptions import (
    DuplicateRunError,
    NotReachedError,
    ReportWarning,
    ServerError,
    ThrottledError,
    UserAgentRefusedError,
)
from canvas_reports_nb.runs.start import start_once

GRADES, NOW = "grade_export_csv", datetime(2026, 3, 2, 9, tzinfo=UTC)
QUERY = Query.checked(GRADES, {"enrollment_term_id": 12}, account="self", listed=None, terms=list, now=NOW)
LOST = NotReachedError("no route")


def run(run_id: int = 7, **parameters: Any) -> ReportRun:
    return ReportRun(run_id, GRADES, "created", parameters=parameters or dict(QUERY.wire), created_at=NOW)


class Canvas:
    """Canvas as the start sees it: how each request to start ends, and its list."""

    def __init__(
        self, *starts: ReportRun | Exception, listed: Sequence[ReportRun] = (), time: float = 99
    ) -> None:
        self.starts, self.listed, self.pauses, self.time = list(starts), listed, list[float](), time
        self.waiter = self

    def start(self, report: str, wire: Mapping[str, Any]) -> ReportRun:
        assert (report, wire) == (GRADES, QUERY.wire)
        end = self.starts.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    def show(self, _report: str, run_id: int) -> ReportRun:
        return next(each for each in self.listed if each.id == run_id)

    def index(self, _report: str) -> Iterator[ReportRun]:
        return iter(self.listed)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @property
    def is_expired(self) -> bool:
        return sum(self.pauses) >= self.time


def begin(canvas: Canvas, *known: int) -> tuple[int, bool]:
    found, joined = start_once(canvas, QUERY, known=known)  # type: ignore[arg-type]
    assert not canvas.starts
    return found.id, joined


def test_a_run_is_started_or_an_equal_one_joined() -> None:
    assert begin(Canvas(run())) == (7, False)
    duplicate = DuplicateRunError("queued", run(8))
    assert begin(Canvas(duplicate, listed=[run(8)])) == (8, True)
    # After a lost response, the equal run is our own, unless it was listed before.
    for known in (7, 8):
        canvas = Canvas(LOST, duplicate, listed=[run(8, enrollment_term_id="13")])
        canvas.show = lambda *_: run(8)  # type: ignore[method-assign]
        assert begin(canvas, known) == (8, known == 8)


def test_an_unequal_run_is_not_joined() -> None:
    other = run(8, enrollment_term_id="13", skip_message=True)
    with pytest.raises(
        DuplicateRunError, match=r"run 8 with other parameters \(enrollment_term_id\)"
    ) as caught:
        begin(Canvas(DuplicateRunError("queued", other), listed=[other]))
    assert caught.value.run == other


@pytest.mark.parametrize("place", [0, 99, 100])
def test_after_a_lost_response_the_run_is_looked_for_among_the_newest(place: int) -> None:
    others = [run(100 + each, enrollment_term_id="13") for each in range(150)]
    canvas = Canvas(LOST, run(9), listed=[*others[:place], run(7), *others[place:]])
    if place < 100:
        canvas.starts.pop()
    assert begin(canvas) == (7 if place < 100 else 9, False)
    assert canvas.pauses == [5]
    assert begin(Canvas(LOST, run(9), listed=[run(7)]), 7) == (9, False), "it was listed before the start"


def test_a_start_is_sent_three_times_and_not_after_the_deadline() -> None:
    canvas = Canvas(LOST, ServerError("503"), LOST)
    with pytest.raises(NotReachedError):
        begin(canvas)
    assert (canvas.starts, canvas.pauses) == ([], [5, 10, 15])
    for time, left in ((14, 1), (16, 0)):
        canvas = Canvas(LOST, LOST, LOST, time=time)
        with pytest.raises(NotReachedError):
            begin(canvas)
        assert len(canvas.starts) == left


@pytest.mark.parametrize("error", [ThrottledError("slow"), UserAgentRefusedError("who?")])
def test_a_request_that_canvas_refused_started_nothing(error: Exception) -> None:
    canvas = Canvas(error, listed=[run(7)])
    with pytest.raises(type(error)):
        begin(canvas)
    assert canvas.pauses == []


def test_parameters_that_canvas_stored_otherwise_are_named() -> None:
    with pytest.warns(
        ReportWarning, match="run 7: .* other parameters than were sent: enrollment_term_id, include_"
    ):
        begin(Canvas(run(7, enrollment_term_id="13", skip_message=True, include_deleted=True)))
    same = (dict(QUERY.wire), {"enrollment_term": "12"}, {"enrollment_term_id": 12, "skip_message": "1"})
    for (at, stored), lost in itertools.product(enumerate(same), (False, True)):
        canvas = Canvas(LOST, listed=[run(at, **stored)]) if lost else Canvas(run(at, **stored))
        assert begin(canvas) == (at, False)
