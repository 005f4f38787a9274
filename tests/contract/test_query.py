"""One request has one meaning, however it is spelled and wherever it is asked: online, offline, with Canvas down."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from canvas_reports_nb import exceptions as ex
from canvas_reports_nb.catalog import query as queries
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.catalog.query import Query, term_parameter

GRADES, PROVISIONING = "grade_export_csv", "provisioning_csv"
NO_SUBMISSIONS = "students_with_no_submissions_csv"
QUIET: dict[str, Any] = {"progress": False}
# One term of the demo, in every spelling a user may choose.
SPELLINGS = [13, "13", "sis_term_id:SP26", "SP26", "Spring 2026", "spring 2026", "current"]
TERM_REPORTS = [report for report in schemas.reports() if term_parameter(report)]
FILES: dict[str, dict[str, Any]] = {PROVISIONING: {"courses": True}, "sis_export_csv": {"courses": True}}


def age_lists(connection: crn.Connection) -> None:
    """Let every list that this disk remembers be older than ten minutes."""
    connection._transport._cached.cache.reset_expiration(datetime(2026, 1, 1, tzinfo=UTC))


def ask(connection: crn.Connection, way: str, report: str, **asked: Any) -> int:
    """Ask for a run in one way, and return its id."""
    if way == "start":
        return connection.start(report, **asked).result(**QUIET).provenance["run_id"]
    if way == "read_reports":
        found = connection.obtain_reports(pd.DataFrame([{"report": report, **asked}]), **QUIET)
        return found.results[0].provenance["run_id"]
    return connection.obtain(report, **asked, **QUIET).provenance["run_id"]


@pytest.mark.parametrize("report", TERM_REPORTS)
def test_all_spellings_of_a_term_share_one_run(canvas: Callable[..., Any], report: str) -> None:
    connection = canvas()
    name, files = term_parameter(report), FILES.get(report, {})
    ways = ("read_report", "read_reports")
    runs = {ask(connection, way, report, **files, **{name: term}) for way, term in product(ways, SPELLINGS)}
    assert len(runs) == connection.starts() == 1


def test_a_run_a_colleague_started_with_another_spelling_is_reused(canvas: Callable[..., Any]) -> None:
    connection = canvas()
    theirs = connection.api.start(GRADES, {"enrollment_term_id": "sis_term_id:SP26"})
    assert ask(connection, "read_report", GRADES, enrollment_term_id="Spring 2026") == theirs.id


def test_the_current_term_of_an_older_run_is_that_of_its_day(canvas: Callable[..., Any]) -> None:
    connection = canvas()
    fall, spring = "2025-12-01T00:00:00+00:00", connection.waiter.now()
    query = connection._runs.query(GRADES, {"enrollment_term_id": "current"})
    assert query.is_same({"enrollment_term_id": "current"}, spring)
    assert not query.is_same({"enrollment_term_id": "current"}, pd.Timestamp(fall).to_pydatetime())


@pytest.mark.parametrize("term", SPELLINGS)
def test_offline_finds_what_the_same_call_stored(canvas: Callable[..., Any], term: Any) -> None:
    connection = canvas()
    asked = {"enrollment_term_id": term}
    online = connection.read_report(GRADES, **asked, **QUIET)
    requests = len(connection.server.log)
    age_lists(connection)
    pd.testing.assert_frame_equal(connection.read_report(GRADES, **asked, offline=True), online)
    assert len(connection.server.log) == requests


@pytest.mark.parametrize("way", ["read_report", "read_tables", "scan_report"])
def test_an_age_beside_offline_counts(canvas: Callable[..., Any], way: str) -> None:
    connection = canvas()
    read = getattr(connection, way)
    read(GRADES, **QUIET)
    connection.server.clock.advance(30 * 3600)
    read(GRADES, offline=True)
    read(GRADES, offline=True, max_age="31h")
    for age in (60, "1d", 24 * 3600, timedelta(days=1)):
        with pytest.raises(ex.NotStoredError, match=r"finished 30\.\d h ago, which is older"):
            read(GRADES, offline=True, max_age=age)
    assert connection.starts() == 1


def test_offline_names_what_is_missing_on_this_disk(canvas: Callable[..., Any]) -> None:
    connection = canvas()
    with pytest.raises(ex.NotStoredError, match="no copy of what Canvas lists"):
        connection.read_report(GRADES, enrollment_term_id="Spring 2026", offline=True)
    with pytest.raises(ex.NotStoredError, match="no such run"):
        connection.read_report(GRADES, enrollment_term_id=13, offline=True)
    with pytest.raises(ex.UnknownParameterError, match="'enrollment_term_id'"):
        connection.read_report(GRADES, enrolment_term_id=13, offline=True)
    assert not connection.server.log


@pytest.mark.parametrize("term", [13, "Spring 2026", "current"])
def test_with_canvas_down_a_recent_stored_run_is_used_and_the_note_says_so(
    canvas: Callable[..., Any], recorder: Any, term: Any
) -> None:
    connection = canvas()
    stored = connection.read_report(GRADES, enrollment_term_id=term, **QUIET)
    connection.server.clock.advance(3600)
    connection.server.close()
    age_lists(connection)
    for age in ("1d", "2h"):
        frame = connection.read_report(GRADES, enrollment_term_id=term, max_age=age, progress=recorder)
        pd.testing.assert_frame_equal(frame, stored)
    run_id = stored.canvas.provenance["run_id"]
    assert all(f"run {run_id} from this disk" in event.text for event in recorder.events)
    for age in (0, 60):
        with pytest.raises(ex.NotReachedError):
            connection.read_report(GRADES, enrollment_term_id=term, max_age=age, **QUIET)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"enrollment_term_id": 12}, ex.ParameterError, "was made with enrollment_term_id='13', not '12'"),
        ({"include_deleted": True}, ex.ParameterError, "was made with include_deleted=None, not True"),
        ({"enrolment_term_id": 13}, ex.UnknownParameterError, "enrollment_term_id"),
        ({"include_deleted": "maybe"}, ex.InvalidChoiceError, "include_deleted"),
    ],
)
@pytest.mark.parametrize("is_stored", [True, False])
def test_parameters_beside_a_run_id_must_be_those_of_the_run(
    canvas: Callable[..., Any], asked: dict[str, Any], error: type[Exception], words: str, *, is_stored: bool
) -> None:
    connection = canvas()
    job = connection.start(GRADES, enrollment_term_id=13).wait(**QUIET)
    if is_stored:
        job.result(**QUIET)
    run_id = job.run.id
    for offline in (False, True) if is_stored else (False,):
        with pytest.raises(error, match=words):
            connection.read_report(GRADES, run_id=run_id, offline=offline, **asked, **QUIET)
    for fitting in ({}, {"enrollment_term_id": "13"}, {"enrollment_term": 13}, {"include_deleted": None}):
        assert connection.obtain(GRADES, run_id=run_id, **fitting, **QUIET).provenance["run_id"] == run_id


def test_a_term_made_a_minute_ago_is_found(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = canvas()
    connection.read_report(GRADES, enrollment_term_id="Fall 2025", **QUIET)
    asked: list[str] = []
    listing = connection.api.terms

    def terms(*, cache: str = "yes") -> list[dict[str, Any]]:
        asked.append(cache)
        made = [{"id": 13, "name": "Made just now", "workflow_state": "active", "sis_term_id": None}]
        return listing(cache=cache) if cache == "yes" else made

    monkeypatch.setattr(type(connection.api), "terms", lambda _, **how: terms(**how))
    connection.read_report(GRADES, enrollment_term_id="Made just now", **QUIET)
    assert asked == ["yes", "refresh"]
    asked.clear()
    connection.read_report(GRADES, enrollment_term_id="Made just now", max_age=0, **QUIET)
    assert asked == ["refresh"], "a new run never trusts a list from the cache"


@pytest.fixture
def locked_term(canvas: Callable[..., Any], hold_lock: Any) -> tuple[Any, list[int]]:
    """A connection with two finished runs; another process holds the lock of the first one."""
    connection = canvas()
    runs = [connection.start(GRADES, enrollment_term_id=term).wait(**QUIET).run.id for term in (12, 13)]
    hold_lock(connection, GRADES, runs[0])
    return connection, runs


def test_a_locked_run_of_a_batch_does_not_block_the_free_one(locked_term: Any, recorder: Any) -> None:
    connection, (locked, free) = locked_term
    requests = crn.requests_for(GRADES, terms=[12, 13])
    began = connection.server.clock.now()
    with pytest.raises(ex.ReportsFailedError, match="another process is still downloading") as caught:
        connection.read_reports(requests, timeout=20, progress=recorder)
    assert (connection.server.clock.now() - began).total_seconds() == pytest.approx(20)
    blocked, finished = caught.value.reports.results
    assert blocked is None
    assert finished.provenance["run_id"] == free
    notes = [event.text for event in recorder.events if event.stage == "note"]
    assert notes[1:] == [f"Waiting for another process that is downloading run {locked} ..."]
    (error,) = caught.value.exceptions
    assert error.job.run.id == locked


@pytest.mark.parametrize("way", ["read_report", "read_reports", "start"])
def test_a_request_is_checked_once(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    checked: list[str] = []
    read = queries.read_parameters

    def counted(report: str, asked: Any) -> Any:
        checked.append(report)
        return read(report, asked)

    monkeypatch.setattr(queries, "read_parameters", counted)
    connection = canvas(duration=60)
    ask(connection, way, GRADES, enrollment_term_id=13)
    assert checked == [GRADES]


def test_a_query_shows_what_it_asks_for() -> None:
    query = Query.checked(
        PROVISIONING,
        {"users": "yes", "terms": None, "enrollment_states": "Active"},
        account="7",
        listed=None,
        terms=list,
        now=pd.Timestamp("2026-03-02", tz="UTC").to_pydatetime(),
    )
    assert query.label == "provisioning_csv, account 7, users=yes, enrollment_states=Active"
    assert query.wire == {"skip_message": True, "users": True, "enrollment_states": ["active"]}
    assert query.tables == ("users",)
    assert replace(query, account="self").label == "provisioning_csv, users=yes, enrollment_states=Active"


@pytest.mark.parametrize("term", [*SPELLINGS, "default", " default ", None])
def test_a_question_keeps_only_terms_that_depend_on_the_day(term: Any) -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    spring = {"id": 13, "name": "Spring 2026", "sis_term_id": "SP26", "start_at": "2026-01-01T00:00:00Z"}
    terms = [spring, {"id": 1, "name": "Default Term", "sis_term_id": None}]
    asked = {"enrollment_term_id": term, "include_deleted": True, "skip_message": False}
    query = Query.checked(GRADES, asked, account="self", listed=None, terms=lambda: terms, now=now)
    word = str(term).strip()
    same = {} if term is None else {"enrollment_term_id": word if word in {"current", "default"} else 13}
    assert query.question == {**same, "include_deleted": True}
    assert "skip_message" not in query.wire


def hosted(report: str, **asked: Any) -> Query:
    """Check a request for a report that the catalog does not have."""
    now = datetime(2026, 3, 2, tzinfo=UTC)
    terms = [{"id": 13, "name": "Spring, late", "sis_term_id": "SP26", "start_at": None}]
    return Query.checked(report, asked, account="self", listed=set(asked), terms=lambda: terms, now=now)


@pytest.mark.parametrize("report", ["our_own_csv", "user_course_access_log_csv"])
def test_a_hosted_report_takes_a_term_as_every_other(report: str) -> None:
    for term in (13, "13", "SP26", "sis_term_id:SP26", "spring, late"):
        query = hosted(report, enrollment_term_id=term)
        assert query.key == hosted(report, enrollment_term_id=13).key
    with pytest.raises(ex.InvalidTermError, match="Did you mean"):
        hosted(report, enrollment_term_id="Spring")


@pytest.mark.parametrize("several", ["active_terms", "12,13", [12, 13]])
def test_a_hosted_report_may_take_several_terms(several: Any) -> None:
    query = hosted("our_own_csv", enrollment_term_id=several)
    assert query.wire["enrollment_term_id"] == several
    assert query.is_same({"enrollment_term_id": several}, datetime(2026, 3, 2, tzinfo=UTC))


def test_a_parameter_that_only_the_form_of_a_report_has(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, available = canvas(), connection_of_forms
    monkeypatch.setattr(type(connection.api), "available", available(type(connection.api).available))
    query = connection._runs.query(GRADES, {"roles": ["x"]})
    assert query.wire["roles"] == ["x"]
    with pytest.raises(ex.UnknownParameterError, match="roles"):
        connection._runs.query(GRADES, {"role": ["x"]})


def connection_of_forms(available: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``available``, with a form for each report if forms are asked for."""

    def with_forms(self: Any, *, html: bool = False, **rest: Any) -> Any:
        form = '<select name="parameters[roles][]">' if html else None
        return [replace(offer, parameters_html=form) for offer in available(self, html=html, **rest)]

    return with_forms


@pytest.mark.filterwarnings("ignore::canvas_reports_nb.ReportWarning")
def test_the_current_term_is_that_of_the_servers_date(tmp_path: Path) -> None:
    with demo_canvas.serve(enrollments=300, duration=0) as server:
        for clock in (time.time, lambda: time.time() + 7e7, lambda: time.time() - 7e7):
            with crn.connect(server.url, server.token, store=tmp_path, clock=clock) as connection:
                assert connection.terms().set_index("term_id")["is_current"][13]
                frame = connection.read_report(GRADES, enrollment_term_id="current", **QUIET)
                assert frame.attrs["canvas_report"]["parameters"] == {"enrollment_term_id": 13}
                assert abs(connection.store.info()["age"].iloc[0]) < timedelta(minutes=10)
    with crn.connect(server.url, server.token, store=tmp_path) as connection:  # the demo has stopped
        again = connection.read_report(GRADES, enrollment_term_id="current", offline=True)
    pd.testing.assert_frame_equal(again, frame)


def sent(connection: Any) -> list[dict[str, Any]]:
    """Return the parameters of each start from now on."""
    start, wires = connection._api.start, []

    def noted(report: str, wire: Any) -> Any:
        wires.append(dict(wire))
        return start(report, wire)

    connection._api.start = noted
    return wires


def test_refresh_repeats_the_question_relative_to_now(canvas: Callable[..., Any]) -> None:
    connection = canvas(duration=60)
    wires = sent(connection)
    absolute = connection.read_report(GRADES, enrollment_term_id=13, **QUIET)
    relative = connection.read_report(GRADES, enrollment_term_id="current", **QUIET)
    window = connection.read_report(NO_SUBMISSIONS, **QUIET)
    assert {"start_at", "end_at"} <= window.canvas.provenance["parameters"].keys(), "Canvas filled them in"
    by_id = connection.read_report(NO_SUBMISSIONS, run_id=window.canvas.provenance["run_id"], **QUIET)
    assert len(wires) == 2, "both terms are one request"
    connection.server.clock.advance(100 * 24 * 3600)
    wires.clear()
    for frame in (absolute, relative, window, by_id):
        frame.canvas.refresh(connection, progress=False)
    current = connection.terms().query("is_current")["term_id"].tolist()
    assert current != [13]
    assert [wire.get("enrollment_term_id") for wire in wires[:2]] == [13, *current]
    assert wires[2] == wires[3] == {"skip_message": True}


@pytest.mark.parametrize("asked", [{}, {"start_at": "2026-02-20"}, {"end_at": "2026-02-20"}])
@pytest.mark.parametrize("pause", [0, 120])
def test_a_start_whose_response_is_lost_is_found_though_canvas_filled_in_its_window(
    canvas: Callable[..., Any], asked: dict[str, Any], pause: float
) -> None:
    connection = canvas(duration=60)
    start, lost = connection._api.start, []

    def losing(report: str, wire: Any) -> Any:
        run = start(report, wire)
        if not lost:
            lost.append(run.id)
            connection.server.clock.advance(pause)
            raise ex.NotReachedError("The response was lost.")
        return run

    connection._api.start = losing
    frame = connection.read_report(NO_SUBMISSIONS, **asked, **QUIET)
    assert frame.canvas.provenance["run_id"] == lost[0]
    assert connection.starts() == 1
    again = connection.read_report(NO_SUBMISSIONS, **asked, **QUIET)
    assert again.canvas.provenance["run_id"] == lost[0]
