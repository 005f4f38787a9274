"""No run is lost, neither by a lost response nor by a dead kernel."""

from collections.abc import Callable
from typing import Any

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions as ex

QUIET: dict[str, Any] = {"progress": False}
GRADES = "grade_export_csv"
ROW = {"report": GRADES}
UNREACHED = ex.NotReachedError("reset")


def lose_responses(connection: Any, times: int, error: Exception = UNREACHED) -> None:
    """Deliver the request, but lose its response."""
    start = connection._api.start
    left = [times]

    def losing(report: str, wire: Any) -> Any:
        run = start(report, wire)
        if left[0]:
            left[0] -= 1
            raise error
        return run

    connection._api.start = losing


@pytest.mark.parametrize("error", [ex.NotReachedError("reset"), ex.ServerError("502")])
@pytest.mark.parametrize("duration", [0, 600])
def test_after_a_lost_response_the_run_is_found_in_the_list(
    canvas: Any, error: Exception, duration: float
) -> None:
    connection = canvas(duration=duration)
    lose_responses(connection, 1, error)
    assert len(connection.read_report("grade_export_csv", enrollment_term_id="current", **QUIET)) > 0
    assert connection.starts() == 1


@pytest.mark.parametrize("hours", [-5, -0.25, 0.25, 5])
def test_after_a_lost_response_the_run_is_found_though_our_clock_is_wrong(
    canvas: Any, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    connection = canvas(duration=600)
    right = connection.waiter.clock
    monkeypatch.setattr(connection.waiter, "clock", lambda: right() + hours * 3600)
    lose_responses(connection, 1)
    connection.read_report(GRADES, **QUIET)
    assert connection.starts() == 1


def lose_requests(connection: Any, times: int) -> None:
    """Lose the request."""
    start, left = connection._api.start, [times]

    def losing(report: str, wire: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise ex.NotReachedError("no route")
        return start(report, wire)

    connection._api.start = losing


def test_a_start_that_never_arrived_is_sent_again(canvas: Any) -> None:
    connection = canvas()
    lose_requests(connection, 2)
    connection.read_report("grade_export_csv", **QUIET)
    assert connection.starts() == 1


CALLS: dict[str, Callable[..., Any]] = {
    "one": lambda connection, **how: connection.obtain(GRADES, **how, **QUIET),
    "one anew": lambda connection, **how: connection.obtain(GRADES, max_age=0, **how, **QUIET),
    "many": lambda connection, **how: connection.obtain_reports([ROW], **how, **QUIET).results[0],
    "many anew": lambda connection, **how: connection.obtain_reports(
        [ROW], max_age=0, **how, **QUIET
    ).results[0],
    "start": lambda connection, **how: connection.start(GRADES).result(**how, **QUIET),
}


# Each clock error is misleading: the old run seems to end after the request, or the new one before it.
@pytest.mark.parametrize(
    ("lose", "ahead"), [(lose_requests, 120), (lose_responses, -120)], ids=["lost request", "lost response"]
)
@pytest.mark.parametrize(
    ("call", "ended"),
    [(call, ended) for call in CALLS for ended in ("error", "aborted")]
    + [(call, "complete") for call in ("one anew", "many anew", "start")],
)
def test_an_earlier_run_is_not_taken_for_the_one_whose_response_was_lost(
    canvas: Any, lose: Any, ahead: float, call: str, ended: str
) -> None:
    connection = canvas(duration=60)
    connection.waiter.clock = lambda: connection.server.clock.now().timestamp() - ahead
    earlier = connection.start("grade_export_csv").run
    connection.server.clock.advance(61 if ended == "complete" else 10)
    (run,) = connection.server._canvas.runs
    if ended != "complete":
        run.stop(ended, connection.server.clock.now())
    connection.server.clock.advance(60)
    lose(connection, 1)
    assert CALLS[call](connection).provenance["run_id"] > earlier.id
    assert connection.starts() == 2


def test_the_next_kernel_finds_the_run_of_a_dead_one(canvas: Any) -> None:
    connection = canvas(duration=600)
    job = connection.start("grade_export_csv", enrollment_term_id="current")
    # Hide Canvas's list of runs, so that only the ledger can find the run.
    connection._api.index = lambda report: iter(())
    frame = connection.read_report("grade_export_csv", enrollment_term="current", **QUIET)
    assert frame.canvas.provenance["run_id"] == job.run.id
    assert connection.starts() == 1
    noted = list((connection.store.path / "ledger").rglob("*.json"))
    assert [path.stat().st_mode & 0o777 for path in noted] == [0o600]
    connection.store.clear()
    job.delete()
    connection.read_report("grade_export_csv", enrollment_term="current", **QUIET)
    assert connection.starts() == 2, "a deleted run is forgotten"


@pytest.mark.parametrize("hours", [0.5, 1.5], ids=["in flight", "finished"])
def test_an_old_ledger_entry_does_not_hide_a_newer_run(canvas: Any, hours: float) -> None:
    connection = canvas(duration=3600)
    connection.start("grade_export_csv")
    connection.server.clock.advance(3 * 86400)
    fresh = connection._api.start("grade_export_csv", {})  # a colleague's run, not in the ledger
    connection.server.clock.advance(hours * 3600)
    frame = connection.read_report("grade_export_csv", **QUIET)
    assert frame.canvas.provenance["run_id"] == fresh.id
    assert connection.starts() == 2


def test_a_damaged_ledger_entry_is_skipped(canvas: Any) -> None:
    connection = canvas(duration=600)
    connection.start("grade_export_csv")
    for note in (connection.store.path / "ledger").rglob("*.json"):
        note.write_text('{"run_id": 1, "parame')
    assert len(connection.read_report("grade_export_csv", **QUIET)) > 0
    assert connection.starts() == 1


def interrupt_at(connection: Any, nap: int) -> None:
    sleep, naps = connection.waiter.sleep, []

    def sleeping(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == nap:
            raise KeyboardInterrupt
        sleep(seconds)

    connection.waiter.sleep = sleeping


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_does_not_stop_a_joined_run(canvas: Any, call: str) -> None:
    connection = canvas(duration=3600)
    colleagues = connection._api.start("grade_export_csv", {"skip_message": True})
    interrupt_at(connection, 1)
    with pytest.raises(KeyboardInterrupt) as caught:
        CALLS[call](connection, on_interrupt="abort")
    assert str(colleagues.id) in caught.value.__notes__[0]
    assert "PUT" not in {record.method for record in connection.server.log}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("lost", [False, True], ids=["response arrives", "response lost"])
def test_an_interrupt_stops_a_run_that_the_call_started(canvas: Any, call: str, lost: bool) -> None:
    connection = canvas(duration=3600)
    lose_responses(connection, int(lost))
    interrupt_at(connection, 1 + lost)  # after a lost start, the first pause comes before reading the list
    with pytest.raises(KeyboardInterrupt):
        CALLS[call](connection, on_interrupt="abort")
    assert connection.history("grade_export_csv")["status"].tolist() == ["aborted"]


def test_a_term_by_its_name(canvas: Any) -> None:
    connection = canvas()
    by_name = connection.read_report("grade_export_csv", enrollment_term_id="Fall 2025", **QUIET)
    term = int(by_name["term id"].unique()[0])
    assert by_name["term"].unique().tolist() == ["Fall 2025"]
    by_id = connection.read_report("grade_export_csv", enrollment_term_id=term, **QUIET)
    assert by_id.equals(by_name)
    assert connection.starts() == 1
    with pytest.raises(ex.InvalidTermError, match="Did you mean"):
        connection.read_report("grade_export_csv", enrollment_term_id="Fall", **QUIET)


def test_a_parameter_that_canvas_changed_causes_a_warning(canvas: Any) -> None:
    connection = canvas()
    start = connection._api.start
    connection._api.start = lambda report, wire: start(
        report, {k: v for k, v in wire.items() if k != "include_deleted"}
    )
    with pytest.warns(crn.ReportWarning, match="than were sent: include_deleted"):
        connection.start("grade_export_csv", include_deleted=True)


@pytest.mark.parametrize(("seconds", "most"), [(10, 8), (60, 32), (600, 80), (3600, 140), (3 * 3600, 260)])
def test_a_long_run_is_polled_rarely_and_its_end_noticed_soon(canvas: Any, seconds: float, most: int) -> None:
    connection = canvas(duration=seconds)
    job = connection.start("zero_activity_csv").wait(progress=False)
    noticed = connection.server.clock.now()
    polls = sum(
        record.method == "GET" and record.path.endswith(f"/{job.run.id}") for record in connection.server.log
    )
    print(
        f"{seconds:>6} s: {polls} polls, noticed after {(noticed - job.run.ended_at).total_seconds():.1f} s"
    )
    assert polls <= most
    assert (noticed - job.run.ended_at).total_seconds() <= max(2.0, 0.05 * seconds)
    assert job.run.is_complete


def test_the_progress_shows_how_long_earlier_runs_took(canvas: Any, recorder: Any) -> None:
    connection = canvas(duration=600)
    connection.start("grade_export_csv").wait(progress=False)
    connection.start("grade_export_csv", include_deleted=True).wait(progress=False)
    connection.start("grade_export_csv", enrollment_term_id="current").wait(progress=recorder)
    usual = [event.usual for event in recorder.events if event.stage == "waiting"]
    assert usual
    assert all(low == pytest.approx(600, abs=2) and high >= low for low, high in usual)
    assert "earlier runs took 10 min" in recorder.events[1].sentence
