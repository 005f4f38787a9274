"""The form on the demo, without a browser: set values, click buttons, read traits."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions
from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.canvas_api.transport import Transport
from canvas_reports_nb.notebook.form import ReportForm

GRADES, SEVERAL = "grade_export_csv", "provisioning_csv"
SECONDS = 60.0


def parts(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


class Driver:
    """A form whose controls are found by CSS class, as in a browser."""

    def __init__(self, canvas: crn.Connection) -> None:
        self.form = crn.report_form(canvas)
        self.settle()

    def find(self, css: str) -> Any:
        (found,) = [part for part in parts(self.form) if css in getattr(part, "_dom_classes", ())]
        return found

    def html(self, css: str) -> str:
        return " ".join(str(p.value) for p in parts(self.find(css)) if type(p).__name__ == "HTML")

    def choose(self, report: str) -> None:
        self.find("crn-reports").value = report
        self.settle()

    def fill(self, parameter: str, value: Any) -> None:
        self.find(f"crn-param-{parameter}").children[0].value = value

    def click(self, css: str) -> None:
        button = self.find(css)
        assert not button.disabled
        button.click()

    def settle(self) -> None:
        """Wait until no thread of a form is running."""
        while busy := [t for t in threading.enumerate() if t.name.startswith("canvas-reports-")]:
            busy[0].join(SECONDS)
            assert not busy[0].is_alive()

    def run(self, css: str) -> None:
        self.click(css)
        self.settle()


class Gate:
    """A sleep that holds the run's thread until it is opened, and then advances the demo's clock."""

    def __init__(self, canvas: crn.Connection) -> None:
        self._advance = canvas.waiter.sleep
        self.reached, self._open = threading.Event(), threading.Event()
        canvas.waiter.sleep = self

    def __call__(self, seconds: float) -> None:
        if threading.current_thread().name == "canvas-reports-run":
            self.reached.set()
            assert self._open.wait(SECONDS)
        self._advance(seconds)

    def open(self) -> None:
        self._open.set()


@pytest.fixture(autouse=True)
def callers(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the threads that sent requests."""
    names: set[str] = set()
    for method in ("call", "download"):
        send = getattr(Transport, method)

        def noted(self: Any, *given: Any, send: Any = send, **named: Any) -> Any:
            names.add(threading.current_thread().name)
            return send(self, *given, **named)

        monkeypatch.setattr(Transport, method, noted)
    return names


def test_a_run_from_choice_to_frame(canvas: Callable[..., crn.Connection], callers: set[str]) -> None:
    connection = canvas(duration=60)
    driver = Driver(connection)
    driver.choose(GRADES)
    assert "scores" in driver.html("crn-about")
    term = driver.find("crn-param-enrollment_term_id").children[0]
    assert term.options[0] == ("Current term: Spring 2026 (SP26)", 13)
    assert term.value == 13
    driver.run("crn-run")
    assert callers == {"canvas-reports-background", "canvas-reports-run", "zone_0"}
    assert connection.starts() == 1
    assert driver.form.job.status == "complete"
    assert isinstance(driver.form.result, crn.ReportResult)
    same = connection.read_report(GRADES, enrollment_term_id=13, progress=False)
    pd.testing.assert_frame_equal(driver.form.frame, same)
    card = driver.html("crn-result")
    for text in ("Grade Export", "Spring 2026 (SP26)", f"{len(same):,} rows", f"of {same.shape[1]} columns"):
        assert text in card
    assert "read_report(&quot;grade_export_csv&quot;, enrollment_term_id=13)" in card
    assert '<bdi>student name</bdi><br><span class="crn-mark">text · personal</span>' in card
    assert connection.starts() == 1
    assert not driver.find("crn-run").disabled


def test_a_search_narrows_the_list_and_an_exact_or_only_match_is_selected(
    canvas: Callable[..., crn.Connection],
) -> None:
    driver = Driver(canvas())
    chooser = driver.find("crn-reports")
    assert len(chooser.options) == 20
    driver.choose("courses")
    assert 3 < len(chooser.options) < 20
    assert driver.find("crn-run").disabled
    driver.choose("grade_exprt")
    assert "Did you mean" in driver.html("crn-matches")
    for text in ("Provisioning", "provisioning_csv", "SIS ids one file users"):
        driver.choose("")
        driver.find("crn-list").value = GRADES
        driver.choose(text)
        if text.startswith("SIS"):
            driver.find("crn-list").value = SEVERAL
        assert not driver.find("crn-run").disabled
        assert driver.find("crn-param-files")
    driver.settle()


def test_stop_returns_at_once_and_stops_the_run(canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas(duration=600)
    gate = Gate(connection)
    driver = Driver(connection)
    driver.choose(GRADES)
    driver.click("crn-run")
    assert gate.reached.wait(SECONDS)
    assert driver.find("crn-run").disabled
    assert driver.form.job.attach_line in driver.html("crn-status").replace("&#x27;", "'")
    driver.click("crn-stop")
    assert "Stopping" in driver.html("crn-status")
    assert driver.find("crn-stop").disabled
    gate.open()
    driver.settle()
    assert connection.attach(GRADES, driver.form.job.run.id).status == "aborted"
    assert f"Run {driver.form.job.run.id} was stopped" in driver.html("crn-status")
    assert driver.form.frame is None
    assert not driver.find("crn-run").disabled
    with pytest.raises(exceptions.RunAbortedError, match="was stopped"):
        driver.form.wait(progress=False)


@pytest.mark.parametrize("click", ["crn-run", "crn-open"])
def test_stop_leaves_a_run_that_the_form_did_not_start(
    canvas: Callable[..., crn.Connection], click: str
) -> None:
    connection = canvas(duration=600)
    theirs = connection.api.start(GRADES, {"skip_message": True}).id
    gate = Gate(connection)
    driver = Driver(connection)
    driver.choose(GRADES)
    driver.fill("enrollment_term_id", "")
    driver.click(click)
    assert gate.reached.wait(SECONDS)
    assert driver.form.job.run.id == theirs
    driver.click("crn-stop")
    gate.open()
    driver.settle()
    assert connection.attach(GRADES, theirs).status in {"created", "running"}
    assert f"run {theirs} continues in Canvas, because this form did not start it" in driver.html(
        "crn-status"
    )
    assert not driver.find("crn-run").disabled


STOPS = [
    ("http_503@list*", []),  # before the start: a retry of the list of reports
    ("http_503@history*", []),  # a retry of the list of runs
    ("throttled_429_retry@start*", []),  # a retry of the start itself
    ("http_500@start*", []),  # the search for a run whose response was lost
    ("unknown_state@show*", ["PUT"]),  # a pause between two polls
    ("http_503@show*", ["PUT"]),  # a retry of a poll
    ("http_503@link*", []),  # a retry of the download link
    ("http_503@file*", []),  # a retry of the download
]


@pytest.mark.parametrize(("fault", "sent"), STOPS, ids=[fault for fault, _ in STOPS])
def test_stop_is_noticed_in_every_pause_and_nothing_more_is_sent(
    fault: str, sent: list[str], canvas: Callable[..., crn.Connection]
) -> None:
    connection = canvas(duration=0 if "@link" in fault or "@file" in fault else 600)
    server, driver = connection.server, Driver(connection)
    driver.choose(GRADES)
    if "@list" in fault:  # only a term that the form can't find itself needs a list once more
        driver.form._parameters.set_terms(None)
        driver.fill("enrollment_term_id", "SP26")
    kind = fault.partition("@")[2].rstrip("*")
    clicked: list[tuple[float, int]] = []

    def sleep(seconds: float) -> None:
        if threading.current_thread().name == "canvas-reports-run" and not clicked and server.kinds[kind]:
            clicked.append((connection.waiter.clock(), len(server.log)))
            driver.find("crn-stop").click()
            server.plan("http_503@delete")  # nothing deletes, so from here on there are no faults
        server.clock.advance(seconds)

    server.plan(fault)
    connection.waiter.sleep = sleep
    driver.click("crn-run")
    worker = driver.form._followed.worker.thread
    worker.join(SECONDS)
    ((time, before),) = clicked
    assert connection.waiter.clock() - time < 1
    driver.settle()
    # At the end, the form loads the past runs again.
    assert [record.method for record in server.log[before:]] == [*sent, "GET"]
    assert not driver.find("crn-run").disabled
    assert 'role="alert"' not in driver.html("crn-status")
    if sent:
        assert driver.form.job.refresh().status == "aborted"


@pytest.mark.parametrize(
    ("exchange", "duration", "sent", "end"),
    [
        ("start", 600, ["PUT"], "was stopped"),
        ("file", 0, [], "finished before it could be stopped"),
    ],
)
def test_stop_is_noticed_after_a_request(
    exchange: str, duration: float, sent: list[str], end: str, canvas: Callable[..., crn.Connection]
) -> None:
    connection = canvas(duration=duration)
    driver, check = Driver(connection), connection.waiter.check
    driver.choose(GRADES)

    def click_then_check() -> None:
        if connection.server.kinds[exchange] and threading.current_thread().name == "canvas-reports-run":
            driver.find("crn-stop").click()
        check()

    connection.waiter.check = click_then_check
    driver.run("crn-run")
    assert driver.form.result is None
    assert end in driver.html("crn-status")
    methods = [record.method for record in connection.server.log]
    assert [method for method in methods if method not in ("GET", "POST")] == sent


def test_stop_is_noticed_while_another_process_downloads_the_run(
    canvas: Callable[..., crn.Connection],
) -> None:
    connection = canvas(duration=0)
    run = connection.start(GRADES).wait(progress=False).run
    driver = Driver(connection)
    driver.choose(GRADES)
    clicked: list[float] = []
    advance = connection.waiter.sleep

    def sleep(seconds: float) -> None:
        if not clicked:
            clicked.append(connection.waiter.clock())
            driver.click("crn-stop")
        advance(seconds)

    with connection.store.lock(connection.url, "self", GRADES, run.id):
        connection.waiter.sleep = sleep
        driver.click(f"crn-open-{run.id}")
        driver.form._followed.worker.thread.join(SECONDS)
        assert not driver.form._followed.worker.thread.is_alive()
    assert connection.waiter.clock() - clicked[0] < 1
    driver.settle()
    assert f"Run {run.id} finished before it could be stopped" in driver.html("crn-status")
    assert not [record for record in connection.server.log if record.method == "PUT"]


def test_the_form_stays_usable_during_a_run(canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas(duration=60)
    gate = Gate(connection)
    driver = Driver(connection)
    driver.choose(GRADES)
    driver.click("crn-run")
    assert gate.reached.wait(SECONDS)
    driver.find("crn-run").click()  # a click sent before the button was disabled
    driver.find("crn-reports").value = SEVERAL
    assert driver.find("crn-param-files")
    gate.open()
    driver.settle()
    assert connection.starts() == 1
    assert driver.form.result.provenance["report"] == GRADES


@pytest.mark.parametrize("known", ["stored", "finished", "in flight"])
def test_opening_an_existing_run_starts_nothing(known: str, canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas(duration=60)
    job = connection.start(GRADES, include_deleted=True)
    if known == "stored":
        job.result(progress=False)
    elif known == "finished":
        job.wait(progress=False)
    connection.waiter.sleep(3 * 3600 if known != "in flight" else 0)
    driver = Driver(connection)
    driver.choose(GRADES)
    reuse = driver.find("crn-open")
    assert reuse.layout.display == "none"
    assert driver.find("crn-run").description == "Run"
    driver.fill("enrollment_term_id", "")
    driver.fill("include_deleted", True)
    assert reuse.layout.display is None
    label = "Follow the run in progress" if known == "in flight" else "Open today's run (3 h old)"
    assert reuse.description == label
    assert driver.find("crn-run").description == "Run again"
    age = driver.find("crn-reports")._style.value
    assert ('content: "3 h ago"' if known != "in flight" else 'content: "1 min ago"') in age
    driver.run("crn-open")
    assert connection.starts() == 1
    assert driver.form.result.provenance["run_id"] == job.run.id
    assert len(driver.form.frame)


def test_past_runs_are_opened_and_deleted(canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas()
    first = connection.start(GRADES).wait(progress=False).run.id
    second = connection.start(GRADES, include_deleted=True).wait(progress=False).run.id
    driver = Driver(connection)
    driver.choose(GRADES)
    lines = [
        part for part in parts(driver.find("crn-past")) if "crn-run-line" in getattr(part, "_dom_classes", ())
    ]
    assert [line._dom_classes[1] for line in lines] == [f"crn-past-{second}", f"crn-past-{first}"]
    driver.run(f"crn-open-{first}")
    assert driver.form.job.run.id == first
    driver.run(f"crn-delete-{first}")
    question = driver.find("crn-ask")
    assert question.layout.display is None
    assert f"Delete run {first} (today" in driver.html("crn-ask")
    driver.run("crn-cancel")
    assert question.layout.display == "none"
    driver.run(f"crn-delete-{first}")
    connection.waiter.sleep(60)
    driver.form._update_ages()
    assert question.layout.display == "none", "a question nobody answers goes away"
    driver.find("crn-confirm").click()
    driver.settle()
    assert len(connection.history(GRADES)) == 2, "nothing was deleted so far"
    driver.run(f"crn-delete-{first}")
    driver.run("crn-confirm")
    assert list(connection.history(GRADES)["run_id"]) == [second]
    with pytest.raises(ValueError, match="not enough"):
        driver.find(f"crn-past-{first}")
    assert connection.starts() == 2


def test_a_running_report_is_followed_from_the_past_runs(canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas(duration=60)
    job = connection.start(GRADES)
    driver = Driver(connection)
    driver.choose(GRADES)
    assert driver.find(f"crn-open-{job.run.id}").description == "Follow"
    driver.run(f"crn-open-{job.run.id}")
    assert driver.form.job.run.id == job.run.id
    assert len(driver.form.frame)


@pytest.mark.parametrize(
    ("report", "parameter", "value", "message"),
    [
        (GRADES, "enrollment_term_id", "Sprig 2026", "Did you mean &#x27;Spring 2026&#x27;"),
        (GRADES, "enrollment_term_id", "", "Choose a term"),
        (GRADES, "limiting_period", "a week", "whole number"),
        (SEVERAL, "files", None, "Select at least one"),
    ],
)
def test_an_error_is_shown_with_its_field(
    report: str, parameter: str, value: str | None, message: str, canvas: Callable[..., crn.Connection]
) -> None:
    connection = canvas()
    driver = Driver(connection)
    driver.choose(report)
    if value:
        if parameter == "enrollment_term_id":  # typed only if the terms can't be listed
            driver.form._parameters.set_terms(None)
        driver.fill(parameter, value)
    elif value is not None:
        driver.find(f"crn-param-{parameter}").children[0].value = None
    driver.run("crn-run")
    assert message in driver.html(f"crn-param-{parameter}")
    assert 'role="alert"' in driver.html(f"crn-param-{parameter}")
    assert 'role="alert"' in driver.html("crn-status")
    assert connection.starts() == 0
    if not (value and parameter == "enrollment_term_id"):
        assert "Not started. Fix the highlighted fields" in driver.html("crn-status")
        with pytest.raises(exceptions.ParameterError, match="No run to wait for"):
            driver.form.wait()


def test_several_tables(canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas()
    driver = Driver(connection)
    driver.choose(SEVERAL)
    for table in ("users", "courses"):
        driver.find(f"crn-tick-{table}").value = True
    driver.run("crn-run")
    assert driver.form.result.tables == ("users", "courses")
    asked = {"enrollment_term_id": "current", "users": True, "courses": True}
    tables = connection.read_tables(SEVERAL, **asked, progress=False)
    pd.testing.assert_frame_equal(driver.form.frame, tables["users"])
    driver.find("crn-table").value = "courses"
    driver.settle()
    pd.testing.assert_frame_equal(driver.form.frame, tables["courses"])
    assert "table=&quot;courses&quot;" in driver.html("crn-result")
    assert connection.starts() == 1


def test_all_and_none_set_every_box(canvas: Callable[..., crn.Connection]) -> None:
    driver = Driver(canvas())
    driver.choose(SEVERAL)
    files = driver.find("crn-param-files")
    every, none = (
        next(part for part in parts(files) if css in getattr(part, "_dom_classes", ()))
        for css in ("crn-all", "crn-none")
    )
    boxes = [part for part in parts(files) if type(part).__name__ == "Checkbox"]
    assert len(boxes) > 10
    every.click()
    assert all(box.value for box in boxes)
    none.click()
    assert not any(box.value for box in boxes)


@pytest.mark.parametrize("declared", [True, False], ids=["listed", "in-its-form-only"])
def test_a_report_outside_the_catalog_uses_the_servers_own_form(
    declared: bool, canvas: Callable[..., crn.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = "students_with_no_submissions_csv"
    for module in (
        "canvas_api.client",
        "catalog.parameters",
        "catalog.query",
        "runs.account",
        "notebook.parameter_form",
        "notebook.result_card",
    ):
        monkeypatch.setattr(f"canvas_reports_nb.{module}.schema", lambda _: None)
    if not declared:
        listing = AccountReports.available
        nothing = MappingProxyType({})
        monkeypatch.setattr(
            AccountReports,
            "available",
            lambda self, **how: [replace(offer, parameters=nothing) for offer in listing(self, **how)],
        )
    connection = canvas()
    driver = Driver(connection)
    driver.choose(report)
    driver.fill("include_enrollment_state", True)
    driver.find("crn-tick-active").value = True
    driver.fill("start_at", pd.Timestamp("2026-02-20").date())
    driver.run("crn-run")
    assert "is ready" in driver.html("crn-status")
    asked = dict(driver.form.job.run.parameters)
    assert (asked["include_enrollment_state"], asked["enrollment_state"]) == ("1", ["active"])
    assert asked["start_at"].startswith("2026-02-20")
    assert "enrollment state" in driver.form.frame
    assert "not in the catalog" in driver.html("crn-result")


def test_an_outage_is_shown_and_refresh_tries_again(
    canvas: Callable[..., crn.Connection], caplog: pytest.LogCaptureFixture
) -> None:
    driver = Driver(canvas(scenarios=["http_503@list*4"]))
    assert 'role="alert"' in driver.html("crn-status")
    assert driver.find("crn-reports").disabled
    warned = [record for record in caplog.records if record.name.endswith("form")]
    assert [record.levelno for record in warned if record.levelno > logging.INFO] == [logging.WARNING]
    driver.run("crn-refresh")
    assert driver.html("crn-status").strip() == ""
    assert len(driver.find("crn-reports").options) == 20


def test_refresh_keeps_what_was_filled_in(canvas: Callable[..., crn.Connection]) -> None:
    driver = Driver(canvas())
    driver.choose(GRADES)
    driver.fill("limiting_period", "30")
    driver.run("crn-refresh")
    assert driver.find("crn-param-limiting_period").children[0].value == "30"


def test_a_failed_run_shows_the_reason_from_canvas(canvas: Callable[..., crn.Connection]) -> None:
    driver = Driver(canvas(scenarios=["fails"]))
    driver.choose(GRADES)
    driver.run("crn-run")
    assert "ErrorReport:4711" in driver.html("crn-status")
    assert "failed" in driver.html("crn-past")
    assert "ErrorReport:4711" in driver.html("crn-past")
    assert not driver.find("crn-run").disabled
    with pytest.raises(exceptions.RunFailedError, match="4711"):
        driver.form.wait(progress=False)


def test_an_error_in_a_callback_is_shown(
    canvas: Callable[..., crn.Connection], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    driver = Driver(canvas())

    def broken(*_: Any) -> None:
        raise LookupError("<b>nothing</b> there")

    monkeypatch.setattr("canvas_reports_nb.notebook.parameter_form.fields_of", broken)
    driver.choose(GRADES)
    assert "LookupError: &lt;b&gt;nothing&lt;/b&gt; there" in driver.html("crn-status")
    assert "the form failed" in caplog.text


def test_waiting_blocks_until_the_frame_is_there(
    canvas: Callable[..., crn.Connection], capsys: pytest.CaptureFixture[str]
) -> None:
    connection = canvas(duration=600)
    advance, driver = connection.waiter.sleep, Driver(connection)

    def sleep(seconds: float) -> None:
        # The cell that waits moves no clock, else links expire while the run's thread uses them.
        if threading.current_thread() is threading.main_thread():
            driver.form._followed.worker.thread.join(seconds)
        else:
            advance(seconds)

    connection.waiter.sleep = sleep
    driver.choose(GRADES)
    driver.click("crn-run")
    result = driver.form.wait(progress=False)
    assert result is driver.form.result
    assert len(driver.form.frame)
    assert capsys.readouterr().out == ""


def test_a_wait_can_time_out(canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas(duration=600)
    gate = Gate(connection)
    driver = Driver(connection)
    driver.choose(GRADES)
    driver.click("crn-run")
    assert gate.reached.wait(SECONDS)
    with pytest.raises(exceptions.WaitTimeoutError, match="after 5 s") as caught:
        driver.form.wait(5, progress=False)
    assert caught.value.job is driver.form.job
    assert driver.form.job.attach_line in caught.value.hint
    gate.open()
    driver.settle()
    assert driver.form.wait(progress=False).provenance["run_id"] == caught.value.job.run.id


def test_an_interrupt_ends_the_wait_but_not_the_run(
    canvas: Callable[..., crn.Connection], capsys: pytest.CaptureFixture[str]
) -> None:
    connection = canvas(duration=60)
    gate = Gate(connection)

    def interrupted(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        gate(seconds)

    connection.waiter.sleep = interrupted
    driver = Driver(connection)
    driver.choose(GRADES)
    driver.click("crn-run")
    assert gate.reached.wait(SECONDS)
    with pytest.raises(KeyboardInterrupt) as caught:
        driver.form.wait(progress=False)
    line = driver.form.job.attach_line
    assert line in caught.value.__notes__[0]
    assert line in capsys.readouterr().out
    gate.open()
    driver.settle()
    assert len(driver.form.frame)


def test_what_is_saved_in_a_notebook_is_the_same_every_time(canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas()
    form, other = connection.form(), connection.form()
    assert isinstance(form, ReportForm)
    saved, again = (
        {kind: text for kind, text in each._repr_mimebundle_().items() if kind.startswith("text/")}
        for each in (form, other)
    )
    assert saved == again
    assert set(saved) == {"text/plain", "text/html"}
    assert "127.0.0.1" not in str(saved)
    for each in threading.enumerate():
        if each.name.startswith("canvas-reports-"):
            each.join(SECONDS)


def test_the_form_of_a_sub_account_offers_the_terms_of_its_root(
    canvas: Callable[..., crn.Connection],
) -> None:
    connection = canvas()
    child = connection.api._transport.json("GET", "accounts/self/sub_accounts")[0]
    driver = Driver(connection.account(child["id"]))
    driver.choose(GRADES)
    term = driver.find("crn-param-enrollment_term_id").children[0]
    assert term.options[0] == ("Current term: Spring 2026 (SP26)", 13)
    driver.run("crn-run")
    assert driver.form.job.run.parameters["enrollment_term_id"] == 13
    assert 'role="alert"' not in driver.html("crn-status")


def test_closing_a_form_leaves_no_widgets(canvas: Callable[..., crn.Connection]) -> None:
    connection = canvas()
    before = set(_instances)
    driver = Driver(connection)
    driver.choose(SEVERAL)
    driver.find("crn-tick-terms").value = True
    driver.run("crn-run")
    driver.choose(GRADES)
    driver.run("crn-run")
    assert set(_instances) > before
    driver.form.close()
    assert set(_instances) == before


def test_the_result_is_saved_beside_the_notebook_and_no_other_file_is_replaced(
    canvas: Callable[..., crn.Connection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "report.ipynb"))
    driver = Driver(canvas())
    driver.choose(GRADES)
    driver.run("crn-run")
    name = f"{GRADES}_{driver.form.job.run.id}"
    driver.run("crn-csv")
    driver.run("crn-csv")
    (tmp_path / f"{name}.csv").write_text("edited", encoding="utf-8")
    driver.run("crn-csv")
    driver.run("crn-excel")
    assert [path.name for path in sorted(tmp_path.glob(f"{name}*"))] == [
        f"{name} (2).csv",
        f"{name}.csv",
        f"{name}.xlsx",
    ]
    assert (tmp_path / f"{name}.csv").read_text(encoding="utf-8") == "edited"
    saved = crn.read_file(tmp_path / f"{name} (2).csv")
    pd.testing.assert_frame_equal(saved, driver.form.frame)
    (link,) = driver.find("crn-download").outputs
    assert f'href="{name}.xlsx" download="{name}.xlsx"' in link["data"]["text/html"]


def test_a_result_is_labeled_as_soon_as_other_settings_or_another_account_are_selected(
    canvas: Callable[..., crn.Connection],
) -> None:
    driver = Driver(canvas())
    driver.choose(GRADES)
    assert "ago" not in driver.find("crn-reports")._style.value
    driver.run("crn-run")
    assert 'content: "1 min ago"' in driver.find("crn-reports")._style.value, "the new run is the last one"
    result = driver.find("crn-result")

    def is_stale() -> bool:
        shown = "other settings" in driver.html("crn-result")
        assert shown is ("crn-stale" in result._dom_classes)
        return shown

    assert not is_stale()
    driver.fill("enrollment_term_id", 12)
    assert is_stale()
    driver.fill("enrollment_term_id", 13)
    assert not is_stale()
    driver.choose(SEVERAL)
    assert is_stale()
    driver.choose(GRADES)
    assert not is_stale()
    account = driver.find("crn-account")
    account.value = account.options[1][1]
    driver.settle()
    assert is_stale()
    assert driver.find("crn-param-enrollment_term_id").children[0].value == 13
    driver.run("crn-run")
    assert not is_stale()
    assert ".account(" in driver.html("crn-result")
    account.value = "self"
    driver.settle()
    assert is_stale()


def test_the_form_shows_no_code_in_voila(
    canvas: Callable[..., crn.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    driver = Driver(canvas())
    driver.choose(GRADES)
    driver.run("crn-run")
    assert "canvas." not in driver.html("crn-form").replace("canvas.example", "")


def test_a_token_that_may_not_list_terms_types_one(
    canvas: Callable[..., crn.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise exceptions.NotPermittedError("This token may not list the terms.")

    monkeypatch.setattr(AccountReports, "terms", refused)
    driver = Driver(canvas())
    driver.choose(GRADES)
    assert "can&#x27;t be read" in driver.html("crn-param-enrollment_term_id")
    assert 'role="alert"' not in driver.html("crn-status")
    driver.fill("enrollment_term_id", "13")
    driver.run("crn-run")
    assert driver.form.job.run.parameters["enrollment_term_id"] == 13
