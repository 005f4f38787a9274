"""The main job over HTTP: select a report, start it, wait, and get a typed frame; reading twice starts one run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from urllib3.util import SKIP_HEADER

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions
from canvas_reports_nb.catalog.schemas import reports, schema
from canvas_reports_nb.typing import TEXT

QUIET: dict[str, Any] = {"progress": False}


def switched_on(report: str) -> dict[str, Any]:
    """Return the parameters that a report needs to write a file."""
    known = schema(report)
    return {p.name: True for p in known.parameters.values() if p.selects_table and p.when is None}


def test_all_twenty_reports_load_with_the_types_of_their_schemas(canvas: Any) -> None:
    connection = canvas()
    offered = connection.reports()
    assert sorted(offered["report"]) == list(reports())
    for report in offered["report"]:
        tables = connection.read_tables(report, parameters=switched_on(report), **QUIET)
        assert tables
        for name, frame in tables.items():
            table = schema(report).table(name)
            notes = frame.attrs["canvas_report"]["notes"]
            for column in frame.columns:
                # Two grading periods may have the same title; the columns of the second end in ".1".
                known = table.column(column.removesuffix(".1"))
                wanted = {
                    "canvas_id": "Int64",
                    "integer": "Int64",
                    "float": "Float64",
                    "boolean": "boolean",
                    "timestamp": "datetime64[us, UTC]",
                    "enum": "category",
                }.get(known.kind if known else "text", str(TEXT))
                assert str(frame[column].dtype) == (str(TEXT) if column in notes else wanted), (
                    report,
                    name,
                    column,
                )
    assert connection.starts() == 20


def test_reading_twice_starts_one_run_and_downloads_once(canvas: Any) -> None:
    connection = canvas(duration=600)
    first = connection.read_report("grade_export_csv", enrollment_term_id="current", **QUIET)
    requests = len(connection.server.log)
    again = connection.read_report(
        "grade_export_csv", enrollment_term="current", include_deleted=False, **QUIET
    )
    pd.testing.assert_frame_equal(first, again)
    assert again.attrs == first.attrs
    assert connection.starts() == 1
    assert len(connection.server.log) == requests, "a stored run needs no request"


def test_other_parameters_or_max_age_zero_start_another_run(canvas: Any) -> None:
    connection = canvas()
    connection.read_report("grade_export_csv", **QUIET)
    connection.read_report("grade_export_csv", enrollment_term_id="current", **QUIET)
    connection.read_report("grade_export_csv", max_age=0, **QUIET)
    assert connection.starts() == 3
    connection.server.clock.advance(2 * 86400)
    connection.read_report("grade_export_csv", **QUIET)
    assert connection.starts() == 4


def test_a_colleagues_run_is_reused_if_finished_and_joined_if_running(canvas: Any, tmp_path: Path) -> None:
    connection = canvas(duration=600)
    mine = connection.start("grade_export_csv")
    connection.server.clock.advance(300)
    assert connection.read_report("grade_export_csv", **QUIET).attrs["canvas_report"]["run_id"] == mine.run.id
    colleague = crn.connect(
        connection.server.url,
        connection.server.token,
        store=tmp_path / "other",
        clock=connection.waiter.clock,
    )
    frame = colleague.read_report("grade_export_csv", **QUIET)
    colleague.close()
    assert frame.attrs["canvas_report"]["run_id"] == mine.run.id
    assert connection.starts() == 1


def test_a_duplicate_start_joins_the_run_in_flight(canvas: Any) -> None:
    connection = canvas(duration=600)
    assert connection.start("grade_export_csv").run.id == connection.start("grade_export_csv").run.id


def test_job_step_by_step(canvas: Any) -> None:
    connection = canvas(duration=600)
    job = connection.start("grade_export_csv")
    seen = [job.status]
    while not job.run.is_ended:
        connection.server.clock.advance(20)
        if job.refresh().status != seen[-1]:
            seen.append(job.status)
    assert seen == ["created", "running", "compiling", "complete"]
    result = job.result(progress=False)
    assert result.tables == ("grade_export_csv",)
    assert result.path.read_bytes().startswith(b"student name,")
    assert isinstance(result.to_polars(), pl.DataFrame)
    assert isinstance(result.scan().collect_schema()["student id"], pl.Int64)
    attached = connection.attach("grade_export_csv", job.run.id)
    assert attached.run == job.run
    assert connection.history("grade_export_csv")["run_id"].tolist() == [job.run.id]
    attached.delete()
    assert connection.history("grade_export_csv").empty
    with pytest.raises(exceptions.UnknownRunError, match=str(job.run.id)):
        connection.attach("grade_export_csv", job.run.id)


def test_an_aborted_run_raises_its_own_error(canvas: Any) -> None:
    connection = canvas(duration=600)
    job = connection.start("grade_export_csv").abort()
    assert job.status == "aborted"
    with pytest.raises(exceptions.RunAbortedError) as caught:
        job.result(progress=False)
    assert caught.value.run_id == job.run.id
    done = connection.start("zero_activity_csv").wait(progress=False)
    assert done.abort().status == "complete", "aborting a finished run has no effect"


def test_a_run_deleted_by_somebody_while_waiting(canvas: Any) -> None:
    connection = canvas(duration=600)
    job = connection.start("grade_export_csv")
    connection.attach("grade_export_csv", job.run.id).delete()
    with pytest.raises(exceptions.RunDeletedError):
        job.wait(progress=False)


def test_the_timeout_covers_the_whole_call_and_the_run_continues(canvas: Any) -> None:
    connection = canvas(duration=600)
    began = connection.server.clock.now()
    with pytest.raises(exceptions.WaitTimeoutError) as caught:
        connection.read_report("grade_export_csv", timeout=100, **QUIET)
    assert connection.server.clock.now() - began <= timedelta(seconds=100.1)
    assert "canvas.attach('grade_export_csv'" in str(caught.value)
    frame = caught.value.job.result(progress=False).to_pandas()
    assert len(frame) > 0
    assert connection.starts() == 1


def test_after_an_interrupt_the_same_call_joins_the_run(canvas: Any) -> None:
    connection = canvas(duration=600)
    sleep, naps = connection.waiter.sleep, []

    def interrupted(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt
        sleep(seconds)

    connection.waiter.sleep = interrupted
    with pytest.raises(KeyboardInterrupt) as caught:
        connection.read_report("grade_export_csv", **QUIET)
    assert "canvas.attach('grade_export_csv'" in caught.value.__notes__[0]
    assert len(connection.read_report("grade_export_csv", **QUIET)) > 0
    assert connection.starts() == 1


def test_tables_of_one_run_join(canvas: Any) -> None:
    connection = canvas()
    tables = connection.read_tables("provisioning_csv", users=True, enrollments=True, courses=True, **QUIET)
    assert list(tables) == ["users", "courses", "enrollments"]
    users, enrolled = tables["users"], tables["enrollments"]
    assert set(enrolled["canvas_user_id"]) <= set(users["canvas_user_id"])
    assert set(enrolled["canvas_course_id"]) <= set(tables["courses"]["canvas_course_id"])
    one = connection.read_report(
        "provisioning_csv", table="users", users=True, enrollments=True, courses=True, **QUIET
    )
    pd.testing.assert_frame_equal(one, users)
    assert connection.starts() == 1


def test_engines_and_columns(canvas: Any) -> None:
    connection = canvas()
    wanted = ["student id", "final score"]
    pandas = connection.read_report("grade_export_csv", columns=wanted, **QUIET)
    polars = connection.read_report("grade_export_csv", columns=wanted, engine="polars", **QUIET)
    arrow = connection.read_report("grade_export_csv", columns=wanted, engine="arrow", **QUIET)
    lazy = connection.scan_report("grade_export_csv", columns=wanted, **QUIET)
    assert list(pandas) == wanted
    assert polars.equals(lazy.collect())
    assert arrow.to_pylist() == polars.to_dicts()
    assert [value if pd.notna(value) else None for value in pandas["final score"]] == polars[
        "final score"
    ].to_list()


def test_a_frame_has_its_provenance(canvas: Any) -> None:
    connection = canvas()
    frame = connection.read_report("grade_export_csv", enrollment_term_id="current", **QUIET)
    origin = frame.canvas.provenance
    assert origin == crn.provenance(frame) == frame.attrs["canvas_report"]
    assert origin["report"] == "grade_export_csv"
    assert origin["host"] == connection.url.removeprefix("http://")
    assert origin["parameters"] == {"enrollment_term_id": 13}
    assert origin["rows"] == len(frame)
    assert datetime.fromisoformat(origin["ended_at"]).tzinfo == UTC
    assert frame.query("`final score` > 50").canvas.provenance == origin
    assert connection.server.token not in str(origin)


def test_a_result_has_its_provenance(canvas: Any) -> None:
    connection = canvas()
    one = connection.obtain("grade_export_csv", **QUIET)
    assert one.provenance == one.to_pandas().canvas.provenance
    assert one.provenance["rows"] == len(one.to_pandas())
    several = connection.obtain("provisioning_csv", users=True, terms=True, **QUIET).provenance
    assert (several["table"], several["rows"]) == (None, None)


def test_accessor_without_a_frame_uses_the_newest_connection(canvas: Any) -> None:
    connection = canvas()
    pandas = pd.DataFrame.canvas.read_report("grade_export_csv", **QUIET)
    pd.testing.assert_frame_equal(pandas, connection.read_report("grade_export_csv", **QUIET))
    pd.testing.assert_frame_equal(pandas, crn.read_report("grade_export_csv", **QUIET))
    polars = pl.DataFrame.canvas.read_report("grade_export_csv", **QUIET)
    assert polars.equals(connection.read_report("grade_export_csv", engine="polars", **QUIET))
    assert polars.equals(pl.LazyFrame.canvas.scan_report("grade_export_csv", **QUIET).collect())


def test_offline_and_by_run_id(canvas: Any) -> None:
    connection = canvas()
    with pytest.raises(exceptions.NotStoredError):
        connection.read_report("grade_export_csv", offline=True)
    frame = connection.read_report("grade_export_csv", **QUIET)
    run_id = frame.canvas.provenance["run_id"]
    connection.server.close()
    pd.testing.assert_frame_equal(frame, connection.read_report("grade_export_csv", offline=True))
    pd.testing.assert_frame_equal(frame, connection.read_report("grade_export_csv", run_id=run_id))
    with pytest.raises(exceptions.NotReachedError):
        connection.reports()


def test_another_account(canvas: Any) -> None:
    connection = canvas()
    everything = connection.read_report("provisioning_csv", courses=True, **QUIET)
    by_account = everything.groupby("canvas_account_id", observed=True).size()
    account = int(by_account.index[0])
    there = connection.account(account)
    assert repr(there) == f"Connection('{connection.url.removeprefix('http://')}', account '{account}')"
    some = there.read_report("provisioning_csv", courses=True, **QUIET)
    assert 0 < len(some) < len(everything)
    with pytest.raises(exceptions.UnknownAccountError, match="account 987654"):
        connection.account(987654).reports()


def test_progress_events_arrive_in_order(canvas: Any) -> None:
    events: list[crn.ProgressEvent] = []

    class Sink:
        def show(self, event: crn.ProgressEvent) -> None:
            events.append(event)

        def close(self) -> None:
            events.append("closed")

    connection = canvas(duration=600)
    connection.read_report("grade_export_csv", progress=Sink())
    assert events.pop() == "closed"
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == ["note", "waiting", "downloading", "reading", "done"]
    assert events[0].text == "grade_export_csv: starting a new run"
    waiting = [event for event in events if event.stage == "waiting"]
    for status in ("created", "running", "compiling"):  # compiling starts at 0 again
        fractions = [event.fraction for event in waiting if event.status == status]
        assert fractions == sorted(fractions)
    assert waiting[-1].running > 500
    assert {"running", "compiling"} <= {event.status for event in waiting}


def test_some_tables_and_columns_of_a_run(canvas: Any) -> None:
    connection = canvas()
    asked = {"users": True, "enrollments": True, **QUIET}
    every = connection.read_tables("provisioning_csv", **asked)
    assert list(every) == ["users", "enrollments"]
    one = connection.read_tables("provisioning_csv", table="users", **asked)
    assert list(one) == ["users"]
    assert one["users"].equals(every["users"])
    assert list(connection.read_tables("provisioning_csv", table=["enrollments", "users"], **asked)) == [
        "enrollments",
        "users",
    ]
    for columns in (["user_id"], {"users": ["user_id"]}):
        picked = connection.read_tables("provisioning_csv", columns=columns, **asked)
        assert list(picked["users"]) == ["user_id"]
        assert list(picked["enrollments"]) == (
            ["user_id"] if isinstance(columns, list) else list(every["enrollments"])
        )
    assert connection.starts() == 1


def test_a_finished_report_without_rows(canvas: Any) -> None:
    connection = canvas(scenarios=["no_rows"])
    frame = connection.read_report("grade_export_csv", **QUIET)
    assert len(frame) == 0
    assert str(frame["student id"].dtype) == "Int64"
    lone = connection.read_tables("provisioning_csv", users=True, xlist=True, **QUIET)
    assert {name: len(table) for name, table in lone.items()} == {"users": 0, "xlist": 0}


def test_a_finished_report_of_one_cell(canvas: Any) -> None:
    connection = canvas(scenarios=["one_cell"])
    frame = connection.read_report("outcome_results_csv", **QUIET)
    assert frame.shape == (0, 1)
    assert frame.canvas.provenance["rows"] == 0


def test_a_server_from_before_2026(canvas: Any, recorder: Any) -> None:
    connection = canvas(old=True, duration=600)
    job = connection.start("grade_export_csv")
    assert job.run.run_time is None
    assert job.run.message is None
    frame = job.result(progress=recorder).to_pandas()
    assert len(frame) > 0
    assert max(event.running for event in recorder.events) > 500, "without run_time, our own clock is used"
    connection.read_report("grade_export_csv", **QUIET)
    assert connection.starts() == 1


def test_a_proxy_that_strips_the_user_agent(canvas: Any) -> None:
    connection = canvas()
    connection._transport._plain.headers["User-Agent"] = SKIP_HEADER
    with pytest.raises(exceptions.UserAgentRefusedError, match="proxy"):
        connection.reports()


@pytest.mark.parametrize("name", ["Reports [2026] *?", "J\u00f6rg M\u00fcller"])
def test_the_store_may_have_any_name(canvas: Any, tmp_path: Path, name: str) -> None:
    there = canvas()
    with crn.connect(
        there.server.url, there.server.token, store=tmp_path / name, clock=there.waiter.clock
    ) as mine:
        stored = [
            mine.read_report("grade_export_csv", engine=engine, **QUIET)
            for engine in ("pandas", "polars", "arrow")
        ]
        assert len({len(frame) for frame in stored}) == 1
        requests = [{"report": "grade_export_csv"}, {"report": "grade_export_csv", "include_deleted": True}]
        assert len(mine.read_reports(requests, engine="polars", **QUIET)) > len(stored[0])
        assert mine.scan_report("grade_export_csv", **QUIET).collect().height == len(stored[0])
