"""Many runs at once: a busy server, few requests, nothing started twice, and one stacked frame."""

import json
import pickle
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions as ex
from canvas_reports_nb.frames import Stack

GRADES = "grade_export_csv"
QUIET: dict[str, Any] = {"progress": False}
TERMS = [1, 6, 7, 8, 9, 10, 11, 12, 13, 14]
LISTS = (
    GRADES, "last_user_access_csv", "unused_courses_csv", "course_storage_csv", "zero_activity_csv",
    "public_courses_csv", "unpublished_courses_csv", "recently_deleted_courses_csv", "lti_report_csv",
    "last_enrollment_activity_csv",
)  # fmt: skip
MIXES = {
    "four lists": crn.requests_for(GRADES, terms=TERMS, accounts=["self", 2, 3, 7]),
    "forty lists": crn.requests_for(LISTS, accounts=["self", 2, 3, 7]),
}


def state_requests(connection: Any) -> list[datetime]:
    """Record the time of each request for the state of runs, from now on."""
    asked: list[datetime] = []
    call = connection._transport.call

    def noting(method: str, path: str, **request: Any) -> Any:
        if method == "GET" and "/reports/" in path:
            asked.append(connection.server.clock.now())
        return call(method, path, **request)

    connection._transport.call = noting
    return asked


def most_in_an_hour(asked: list[datetime]) -> int:
    return max(sum(first <= when < first + timedelta(hours=1) for when in asked) for first in asked)


def started(connection: Any) -> Counter[str]:
    return Counter(r.path for r in connection.server.log if r.method == "POST" and r.status == 200)


@pytest.mark.parametrize("duration", [10, 600])
@pytest.mark.parametrize("mix", MIXES)
def test_forty_runs_keep_the_server_busy_with_few_requests(canvas: Any, mix: str, duration: float) -> None:
    connection = canvas(width=4, duration=duration, enrollments=100)
    asked, began = state_requests(connection), connection.server.clock.now()
    connection.obtain_reports(MIXES[mix], **QUIET)
    took, ideal = (connection.server.clock.now() - began).total_seconds(), 40 * duration / 4
    print(f"\n{mix}, {duration} s per run: {took / ideal:.3f} of the ideal, {len(asked)} requests")
    assert took <= 1.15 * ideal
    assert connection.starts() == 40
    assert {record.status for record in connection.server.log} <= {200, 302}, "no throttled response"
    assert most_in_an_hour(asked) <= 200


@pytest.mark.parametrize("status", ["throttle_403", "throttle_429"])
def test_throttled_runs_finish_in_order_and_none_twice(canvas: Any, status: str) -> None:
    connection = canvas(width=2, duration=60, enrollments=100, scenarios=[status])
    result = connection.obtain_reports(MIXES["forty lists"], **QUIET)
    assert connection.starts() == 40
    assert set(started(connection).values()) == {1}
    runs = [found.provenance["run_id"] for found in result.results]
    assert runs == sorted(runs)
    assert [found.provenance["report"] for found in result.results] == MIXES["forty lists"]["report"].tolist()


def test_an_allowance_that_another_client_used_up(canvas: Any) -> None:
    connection = canvas(width=2, duration=60, enrollments=100, scenarios=["throttle_429"])
    start, level = connection._api.start, [5000.0]

    def used_up(report: str, wire: Any) -> Any:
        connection.server._canvas.throttle.level += level.pop() if level else 0.0
        return start(report, wire)

    connection._api.start = used_up
    result = connection.obtain_reports(crn.requests_for(GRADES, terms=TERMS), **QUIET)
    assert 429 in {record.status for record in connection.server.log}
    assert not result.errors
    assert started(connection).total() == 10, "only a rejected start is sent again"


def blanked(frame: pd.DataFrame, request: Any, columns: list[str]) -> pd.DataFrame:
    """Return a run read by itself with the columns of its request in front."""
    front = pd.DataFrame({name: [request[name]] * len(frame) for name in request.index}, index=frame.index)
    return pd.concat([front, frame], axis="columns").reindex(columns=columns)


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


@pytest.fixture
def stacked(canvas: Any) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    connection = canvas(duration=30, width=4)
    requests = pd.DataFrame(
        [
            {"report": GRADES, "enrollment_term_id": "current", "include_deleted": True},
            {"report": GRADES, "account": 3, "enrollment_term_id": 12},
            {"report": "zero_activity_csv", "account": "sis_account_id:ENG"},
        ]
    )
    return connection, requests, QUIET


def test_stacked_reading_equals_reading_each_run(stacked: Any) -> None:
    connection, requests, quiet = stacked
    whole = connection.read_reports(requests, **quiet)
    assert list(whole.columns[:4]) == ["report", "enrollment_term_id", "include_deleted", "account"]
    singles = []
    for _, request in requests.iterrows():
        given = request.dropna()
        where = connection.account(given["account"]) if "account" in given else connection
        alone = where.read_report(
            given["report"], parameters=dict(given.drop(["report", "account"], errors="ignore")), **quiet
        )
        singles.append((given, alone))
    assert connection.starts() == 3
    expected = [row for given, alone in singles for row in plain(blanked(alone, given, list(whole)))]
    got = plain(whole)
    # If one request has a term as a number and another as a word, the stacked column is text.
    for row in expected:
        for name in ("enrollment_term_id", "account"):
            row[name] = None if row[name] is None else str(row[name])
    assert got == expected
    assert list(whole["student id"].dropna()) == [i for _, alone in singles[:2] for i in alone["student id"]]
    enumerated = whole["enrollment state"].dtype
    assert list(enumerated.categories) == list(singles[0][1]["enrollment state"].dtype.categories)


@pytest.mark.parametrize("columns", [None, ["final score", "student id", "enrollment state"]])
def test_all_engines_give_the_same_values(stacked: Any, columns: list[str] | None) -> None:
    connection, requests, quiet = stacked
    wanted = {"columns": columns, **quiet}
    whole = connection.read_reports(requests, **wanted)
    polars = connection.read_reports(requests, engine="polars", **wanted)
    arrow = connection.read_reports(requests, engine="arrow", **wanted)
    lazy = connection.scan_reports(requests, **wanted)
    parts = connection.scan_reports(requests, engine="dask", **wanted)
    computed = parts.compute(scheduler="synchronous").reset_index(drop=True)
    assert isinstance(lazy, pl.LazyFrame)
    assert polars.equals(lazy.collect())
    assert parts.npartitions == 3
    pd.testing.assert_frame_equal(computed, whole)
    assert arrow.to_pylist() == polars.to_dicts()
    assert arrow.column_names == list(whole) == polars.columns
    shown = [
        {k: v.to_pydatetime() if isinstance(v, pd.Timestamp) else v for k, v in row.items()}
        for row in plain(whole)
    ]
    assert shown == polars.to_dicts()
    assert connection.starts() == 3


def test_the_accessors_and_the_newest_connection(stacked: Any) -> None:
    _, requests, quiet = stacked
    whole = requests.canvas.read_reports(**quiet)
    pd.testing.assert_frame_equal(whole, crn.read_reports(requests, **quiet))
    as_text = pl.DataFrame([{k: str(v) for k, v in row.dropna().items()} for _, row in requests.iterrows()])
    assert as_text.canvas.read_reports(**quiet).height == len(whole)
    assert crn.scan_reports(as_text.lazy(), **quiet).collect().height == len(whole)


def test_equal_rows_run_once_and_are_stacked_once(canvas: Any, recorder: Any) -> None:
    connection = canvas(duration=30)
    requests = [
        {"report": GRADES, "enrollment_term_id": 12, "include_deleted": False},
        {"report": GRADES, "enrollment_term": "Fall 2025"},
        {"report": GRADES, "enrollment_term_id": 12.0, "account": " "},
        {"report": GRADES, "enrollment_term_id": 13},
    ]
    result = connection.obtain_reports(requests, progress=recorder)
    assert connection.starts() == 2
    assert result.results[0] is result.results[1] is result.results[2]
    frame = result.to_pandas()
    alone = [connection.read_report(GRADES, enrollment_term_id=term, **QUIET) for term in (12, 13)]
    assert len(frame) == sum(map(len, alone))
    assert result.status["state"].tolist() == ["done"] * 4
    assert recorder.events[0].text == "2 runs (2 rows repeat others): 2 to start"
    assert {event.report for event in recorder.events} == {"read_reports"}


def test_existing_runs_are_reused_and_counted_in_one_line(canvas: Any, recorder: Any) -> None:
    connection = canvas(duration=30)
    connection.read_report(GRADES, enrollment_term_id=12, **QUIET)
    connection.start(GRADES, enrollment_term_id=13).wait(progress=False)
    connection.start(GRADES, enrollment_term_id=14)
    connection.read_reports(crn.requests_for(GRADES, terms=[11, 12, 13, 14]), progress=recorder)
    assert connection.starts() == 4
    expected = "4 runs: 1 from this disk, 1 finished on Canvas, 1 already in flight, 1 to start"
    assert recorder.events[0].text == expected
    connection.read_reports(crn.requests_for(GRADES, terms=[11, 12]), max_age=0, **QUIET)
    assert connection.starts() == 6


def fail_for(connection: Any, run_id: int) -> None:
    """Stop one run in Canvas, as another user would."""
    run = next(run for run in connection.server._canvas.runs if run.id == run_id)
    run.stop("aborted", connection.server.clock.now())


def stopping(connection: Any, place: int) -> None:
    """Stop the run of one request as soon as it is started."""
    start, seen = connection._api.start, []

    def started_and_stopped(report: str, wire: Any) -> Any:
        run = start(report, wire)
        seen.append(run)
        if len(seen) == place + 1:
            connection.server.clock.advance(5)
            fail_for(connection, run.id)
        return run

    connection._api.start = started_and_stopped


REQUESTS = crn.requests_for(GRADES, terms=[10, 12, 13])


def test_a_failure_among_others_raises_with_the_finished_ones(canvas: Any) -> None:
    connection = canvas(duration=30, width=2, enrollments=2000)
    stopping(connection, 1)
    with pytest.raises(ex.ReportsFailedError, match=r"1 of 3 runs failed: The run was stopped\.") as caught:
        connection.read_reports(REQUESTS, **QUIET)
    (error,) = caught.value.exceptions
    assert isinstance(error, ex.RunAbortedError)
    assert isinstance(caught.value, crn.CanvasReportsError)
    assert caught.value.reports.status["state"].tolist() == ["done", "failed", "done"]
    frame = caught.value.reports.to_pandas()
    assert set(frame["enrollment_term_id"]) == {10, 13}
    assert caught.value.subgroup(ex.RunAbortedError).reports is caught.value.reports


def test_a_pickled_error_group_has_no_results() -> None:
    group = ex.ReportsFailedError("1 of 2.", [ex.ServerError("502")], reports=lambda: "open", hint="Again.")
    elsewhere = pickle.loads(pickle.dumps(group))
    assert (str(elsewhere), str(elsewhere.exceptions[0])) == ("1 of 2.\nAgain.", "502")
    assert elsewhere.reports is None


def test_a_failure_among_others_returns_them_with_the_status(canvas: Any) -> None:
    connection = canvas(duration=30, width=2, enrollments=2000)
    stopping(connection, 0)
    frame, status = connection.read_reports(REQUESTS, on_error="return", **QUIET)
    assert set(frame["enrollment_term_id"]) == {12, 13}
    assert status["state"].tolist() == ["failed", "done", "done"]
    assert status["enrollment_term_id"].tolist() == [10, 12, 13]
    assert "stopped" in status["error"][0]
    assert status["rows"].dropna().sum() == len(frame)
    origin = json.loads(json.dumps(crn.provenance(frame)))
    assert origin["report"] == origin["table"] == GRADES
    assert origin["rows"] == len(frame)
    assert [run["parameters"]["enrollment_term_id"] for run in origin["runs"]] == [12, 13]
    assert crn.dictionary(frame)["kind"].tolist()[2:4] == ["name", "canvas_id"]


def test_all_fail(canvas: Any) -> None:
    connection = canvas(duration=30, scenarios=["fails"])
    frame, status = connection.read_reports(REQUESTS, on_error="return", columns=["final score"], **QUIET)
    assert frame.shape == (0, 2)
    assert status["state"].tolist() == ["failed"] * 3
    with pytest.raises(ex.ReportsFailedError, match="3 of 3"):
        connection.scan_reports(REQUESTS, **QUIET)


PERIODS = crn.requests_for("mgp_grade_export_csv", terms=[6, 12])


def test_a_run_without_the_table_does_not_affect_the_others(canvas: Any) -> None:
    connection = canvas(duration=30)
    found = connection.obtain_reports(PERIODS, **QUIET)
    (table, *_), (other, *_) = (result.tables for result in found.results)
    assert table != other
    frame, status = connection.read_reports(PERIODS, table=table, on_error="return", **QUIET)
    assert set(frame["enrollment_term_id"]) == {6}
    assert status["state"].tolist() == ["done", "failed"]
    assert other in status["error"][1]
    assert status["run_id"].tolist() == [result.provenance["run_id"] for result in found.results]
    with pytest.raises(ex.ReportsFailedError, match="1 of 2 runs failed: No table") as caught:
        connection.scan_reports(PERIODS, table=table, **QUIET)
    assert len(caught.value.reports.to_pandas(table)) == len(frame)
    with pytest.raises(ex.UnknownTableError, match="No table 'nowhere'"):
        connection.read_reports(PERIODS, table="nowhere", on_error="return", **QUIET)
    assert connection.starts() == 2


def test_results_may_have_several_tables(canvas: Any) -> None:
    connection = canvas(enrollments=100)
    found = connection.obtain_reports([{"report": "provisioning_csv", "users": True, "terms": True}], **QUIET)
    assert [result.tables for result in found.results] == [("users", "terms")]
    assert len(found.to_pandas("terms")) > 0


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ({"report": "grade_export"}, ex.UnknownReportError, "grade_export_csv"),
        ({"report": GRADES, "enrolment_term": 12}, ex.UnknownParameterError, "enrollment_term"),
        ({"report": GRADES, "include_deleted": "maybe"}, ex.InvalidChoiceError, "maybe"),
        ({"report": GRADES, "enrollment_term_id": "Autumn 1066"}, ex.InvalidTermError, "Autumn 1066"),
        ({"report": GRADES, "account": 987654}, ex.UnknownAccountError, "987654"),
        ({"report": GRADES, "account": "Engineerin"}, ex.UnknownAccountError, "sis_account_id:ENG"),
        ({"report": "provisioning_csv", "users": 1, "courses": 1}, ex.TableRequiredError, "users, courses"),
        ({"report": "provisioning_csv"}, ex.ParameterError, "at least one file"),
    ],
    ids=lambda value: value.get("report") if isinstance(value, dict) else "",
)
def test_a_wrong_row_is_named_and_nothing_is_started(
    canvas: Any, row: dict[str, Any], error: type[Exception], message: str
) -> None:
    connection = canvas()
    good = {"report": GRADES, "enrollment_term_id": 12}
    with pytest.raises(error, match=rf"Row 2 of the requests .*(\n.*)*{message}") as caught:
        connection.read_reports([good, good, row, good, row], **QUIET)
    assert "Also wrong: row 4." in str(caught.value)
    assert connection.starts() == 0


def interrupting(connection: Any, nap: int) -> None:
    sleep, naps = connection.waiter.sleep, []

    def sleeping(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == nap:
            raise KeyboardInterrupt
        sleep(seconds)

    connection.waiter.sleep = sleeping


def test_an_interrupt_detaches_all_and_the_same_call_joins_them(canvas: Any, recorder: Any) -> None:
    connection = canvas(duration=60, width=1)
    requests = crn.requests_for(GRADES, terms=TERMS[:6])
    interrupting(connection, 30)
    with pytest.raises(KeyboardInterrupt) as caught:
        connection.read_reports(requests, progress=recorder)
    (line,) = caught.value.__notes__
    going = [run for run in connection.server._canvas.runs if run.stopped_at is None]
    assert 0 < len(going) == connection.starts()
    done = set(connection.store.info()["run_id"])
    ids = [str(run.id) for run in going if run.id not in done]
    assert line == (
        f"Interrupted; {len(ids)} runs continue in Canvas ({', '.join(ids)}), {len(done)} of 6 are on this disk. "
        "To continue: canvas.read_reports(requests)"
    )
    assert recorder.events[-1].text == line
    connection.read_reports(requests, **QUIET)
    assert connection.starts() == 6
    assert set(started(connection).values()) == {6}


def test_an_interrupt_stops_only_runs_that_this_call_started(canvas: Any) -> None:
    connection = canvas(duration=600, width=1)
    mine = connection.start(GRADES, enrollment_term_id=TERMS[0])
    interrupting(connection, 5)
    with pytest.raises(KeyboardInterrupt) as caught:
        connection.read_reports(crn.requests_for(GRADES, terms=TERMS[:3]), on_interrupt="abort", **QUIET)
    assert "2 runs stopped" in caught.value.__notes__[0]
    states = connection.history(GRADES).set_index("run_id")["status"]
    assert states.pop(mine.run.id) == "running"
    assert set(states) == {"aborted"}


def test_one_timeout_covers_all_runs(canvas: Any) -> None:
    connection = canvas(duration=60, width=1)
    began = connection.server.clock.now()
    requests = crn.requests_for(GRADES, terms=TERMS)
    _, status = connection.read_reports(requests, timeout=150, on_error="return", **QUIET)
    assert connection.server.clock.now() - began <= timedelta(seconds=151)
    assert status["state"].tolist() == ["done"] * 2 + ["failed"] * 8
    assert status["error"].str.contains("after 150 s").sum() == connection.starts() - 2
    assert status["error"].str.contains("Not started").sum() == 10 - connection.starts()


def test_a_run_that_another_user_deletes_during_the_wait(canvas: Any) -> None:
    connection = canvas(duration=60, width=1)
    start = connection._api.start

    def started_and_deleted(report: str, wire: Any) -> Any:
        run = start(report, wire)
        if wire.get("enrollment_term_id") == 12:
            connection._api.delete(report, run.id)
        return run

    connection._api.start = started_and_deleted
    result = connection.obtain_reports(REQUESTS, on_error="return", **QUIET)
    (error,) = result.errors
    assert isinstance(error, ex.RunDeletedError)
    assert [found is None for found in result.results] == [False, True, False]


@pytest.mark.parametrize(("faults", "failed"), [(5, 0), (10_000, 3)], ids=["passing", "lasting"])
def test_a_temporary_fault_delays_and_a_permanent_one_fails_all_runs(
    canvas: Any, faults: int, failed: int
) -> None:
    connection = canvas(duration=600)
    index, asked = connection._api.index, [0]

    def failing(report: str) -> Any:
        asked[0] += 1
        if 1 < asked[0] <= faults + 1:
            raise ex.NotReachedError("no route")
        return index(report)

    connection._api.index = failing
    began = connection.server.clock.now()
    result = connection.obtain_reports(REQUESTS, on_error="return", **QUIET)
    assert [type(error) for error in result.errors] == [ex.NotReachedError] * failed
    assert connection.starts() == 3
    assert connection.server.clock.now() - began < timedelta(minutes=35)


@pytest.mark.parametrize(("faults", "failed"), [(5, 0), (10_000, 3)], ids=["passing", "lasting"])
def test_starts_that_fail_are_tried_again_and_not_without_end(canvas: Any, faults: int, failed: int) -> None:
    connection = canvas(duration=60)
    start, asked = connection._api.start, [0]

    def failing(report: str, wire: Any) -> Any:
        asked[0] += 1
        if asked[0] <= faults:
            raise ex.NotReachedError("no route")
        return start(report, wire)

    connection._api.start = failing
    result = connection.obtain_reports(REQUESTS, on_error="return", **QUIET)
    assert [type(error) for error in result.errors] == [ex.NotReachedError] * failed
    assert connection.starts() == 3 - failed
    assert asked[0] < 100


def test_the_live_table(canvas: Any, recorder: Any) -> None:
    connection = canvas(duration=60, width=1)
    connection.read_reports(REQUESTS, progress=recorder)
    tables = [event for event in recorder.events if event.runs]
    assert [line.state for line in tables[-1].runs] == ["done"] * 3
    assert tables[-1].fraction == 1.0
    assert tables[-1].sentence.startswith("3 of 3 done")
    fractions = [event.fraction for event in tables]
    assert fractions[0] < 0.1
    assert {"queued", "running", "downloading", "done"} <= {line.state for e in tables for line in e.runs}
    running = [line.fraction for each in tables for line in each.runs if line.state == "running"]
    assert 0 < max(running) < 1
    assert {line.fraction for each in tables for line in each.runs if line.state == "queued"} == {0}
    elapsed = [event.runs[0].elapsed for event in tables]
    assert elapsed == sorted(elapsed)
    assert tables[-1].runs[0].elapsed < tables[-1].runs[2].elapsed
    assert tables[0].runs[0].request == f"{GRADES}, enrollment_term_id=10"


@pytest.mark.parametrize("method", ["load", "scan"])
def test_a_file_that_another_process_removes_while_it_is_read_is_downloaded_again(
    canvas: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    connection = canvas()
    requests = crn.requests_for(GRADES, terms=TERMS[:2])
    wanted = connection.read_reports(requests, engine="polars", **QUIET)
    load, left = getattr(Stack, method), [2]

    def removed(stack: Stack, *given: Any) -> Any:
        if left[0]:
            left[0] -= 1
            connection.store.clear()
        return load(stack, *given)

    monkeypatch.setattr(Stack, method, removed)
    if method == "load":
        assert connection.read_reports(requests, engine="polars", **QUIET).equals(wanted)
    else:
        assert connection.scan_reports(requests, **QUIET).collect().equals(wanted)
    assert connection.starts() == 2


def test_a_token_that_expires_during_the_wait_leaves_a_job_to_come_back_to(canvas: Any) -> None:
    connection = canvas(duration=600, scenarios=["unauthorized@show*"])
    with pytest.raises(ex.ReportsFailedError) as caught:
        connection.read_reports([{"report": GRADES}], **QUIET)
    (error,) = caught.value.reports.errors
    assert isinstance(error, ex.AuthenticationError)
    assert error.job.run.id in connection.history(GRADES)["run_id"].tolist()
