"""``timeout=`` limits a whole call, and after an interrupt the note shows how to get the run later."""

from typing import Any

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions as ex
from canvas_reports_nb.runs import download as results

REPORT = "grade_export_csv"
QUIET: dict[str, Any] = {"progress": False}
SHOW_FAULTS = ("http_503_retry@show*", "throttled_429_retry@show*", "reset_before@show*")
FAULTS = ("http_503_retry", "throttled_429_retry", "reset_before")
READING = ("list", "history", "start", "link", "file")


@pytest.fixture
def timed(canvas: Any) -> Any:
    """Connect; ``connection.passed()`` returns the seconds since then on the stepped clock."""

    def connect(**settings: Any) -> Any:
        connection = canvas(**settings)
        begun = connection.waiter.clock()
        connection.passed = lambda: connection.waiter.clock() - begun
        return connection

    return connect


@pytest.mark.parametrize("fault", SHOW_FAULTS)
@pytest.mark.parametrize("timeout", [0, 10, 100])
def test_a_wait_ends_at_its_timeout_despite_retries(timed: Any, fault: str, timeout: float) -> None:
    connection = timed(duration=3600, scenarios=[fault])
    job = connection.start(REPORT)
    with pytest.raises(ex.WaitTimeoutError) as caught:
        job.wait(timeout=timeout, progress=False)
    assert connection.passed() == pytest.approx(timeout, abs=0.01)
    assert caught.value.job is job


@pytest.mark.parametrize("timeout", [10, 4 * 3600])
def test_a_closed_server_uses_up_the_timeout_but_keeps_the_job(timed: Any, timeout: float) -> None:
    connection = timed(duration=3600)
    job = connection.start(REPORT)
    connection.server.close()
    with pytest.raises(ex.WaitTimeoutError) as caught:
        job.wait(timeout=timeout, progress=False)
    assert connection.passed() == pytest.approx(timeout, abs=0.01)
    assert caught.value.job is job


def test_a_wait_without_timeout_gives_up_but_keeps_the_job(timed: Any) -> None:
    connection = timed(duration=3600)
    job = connection.start(REPORT)
    connection.server.close()
    with pytest.raises(ex.NotReachedError) as caught:
        job.wait(progress=False)
    assert 1800 < connection.passed() < 2000
    assert caught.value.job is job


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", READING)
def test_one_timeout_covers_every_step_of_a_call(timed: Any, fault: str, call: str) -> None:
    connection = timed(scenarios=[f"{fault}@{call}*"])
    with pytest.raises(TimeoutError) as caught:
        connection.read_report(REPORT, timeout=5, **QUIET)
    assert connection.passed() == pytest.approx(5, abs=0.01)
    assert isinstance(caught.value, ex.CanvasReportsError)
    assert "5 s" in caught.value.message
    has_run = call in {"link", "file"}
    assert type(caught.value) is (ex.WaitTimeoutError if has_run else ex.NotStartedError)
    assert caught.value.report == REPORT
    if has_run:
        assert caught.value.job.run.is_complete
        assert f"canvas.attach({REPORT!r}, {caught.value.run_id})" in caught.value.hint


def test_successive_temporary_faults_share_one_timeout(timed: Any) -> None:
    faults = [
        f"{fault}*3" for fault in ("throttled_429_retry@start", "http_503_retry@list", "http_503_retry@link")
    ]
    connection = timed(scenarios=faults)
    with pytest.raises(TimeoutError):
        connection.read_report(REPORT, timeout=5, **QUIET)
    assert connection.passed() <= 5.01
    assert len(connection.read_report(REPORT, **QUIET)) > 0, "the same call succeeds later"
    assert len(connection.server._canvas.runs) == 1


def test_nothing_is_started_after_the_timeout(timed: Any) -> None:
    connection = timed(scenarios=["reset_before@start*"])
    with pytest.raises(ex.NotStartedError):
        connection.read_report(REPORT, timeout=5, **QUIET)
    assert connection.starts() <= 1


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", READING)
def test_one_timeout_covers_every_step_of_many_runs(timed: Any, fault: str, call: str) -> None:
    connection = timed(scenarios=[f"{fault}@{call}*"])
    requests = crn.requests_for(REPORT, terms=[10, 12, 13])
    errors: tuple[Any, ...]
    try:
        errors = tuple(connection.obtain_reports(requests, timeout=5, on_error="return", **QUIET).errors)
    except TimeoutError as error:
        assert call in {"list", "history"}
        errors = (error,)
    assert connection.passed() == pytest.approx(5, abs=0.01)
    assert errors
    for error in errors:
        assert "5 s" in error.message
        has_run = call in {"link", "file"}
        assert type(error) is (ex.WaitTimeoutError if has_run else ex.NotStartedError)
        if has_run:
            assert error.job.run.is_complete


class Acting:
    """A sink that calls a function at each event of one stage."""

    def __init__(self, stage: str, act: Any) -> None:
        self.stage, self.act, self.texts, self.closed = stage, act, [], 0

    def show(self, event: crn.ProgressEvent) -> None:
        self.texts.append(event.text)
        if event.stage == self.stage:
            self.act()

    def close(self) -> None:
        self.closed += 1


def test_many_runs_wait_until_the_timeout(timed: Any) -> None:
    connection = timed(duration=5 * 3600)
    gone: list[None] = []
    sink = Acting(
        "waiting", lambda: connection.starts() < 3 or gone or gone.append(connection.server.close())
    )
    requests = crn.requests_for(REPORT, terms=[10, 12, 13])
    found = connection.obtain_reports(requests, timeout=4 * 3600, on_error="return", progress=sink)
    assert gone, "the server closed after all runs were started"
    assert connection.passed() == pytest.approx(4 * 3600, abs=0.01)
    assert [type(error) for error in found.errors] == [ex.WaitTimeoutError] * 3
    assert all(error.job.run.id for error in found.errors)


def test_a_slow_download_ends_at_the_timeout(timed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_CHUNK", 1000)
    connection = timed()
    slow = Acting("downloading", lambda: connection.server.clock.advance(3))
    with pytest.raises(ex.WaitTimeoutError) as caught:
        connection.read_report(REPORT, timeout=10, progress=slow)
    assert 10 <= connection.passed() <= 14
    assert not list(connection.store.path.rglob("*.part"))
    assert len(caught.value.job.result(progress=False).to_pandas()) > 0


def test_a_run_that_ends_just_before_the_timeout_is_downloaded(timed: Any) -> None:
    connection = timed(duration=9)
    assert len(connection.read_report(REPORT, timeout=10, **QUIET)) > 0
    assert connection.passed() <= 10.01


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("on_interrupt", ["detach", "abort"])
@pytest.mark.parametrize("stage", ["waiting", "downloading", "reading", "done"])
def test_an_interrupt_shows_the_line_that_gets_the_run_later(
    canvas: Any, stage: str, on_interrupt: Any
) -> None:
    connection = canvas(duration=60)
    job = connection.start(REPORT)
    sink = Acting(stage, interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        job.result(progress=sink, on_interrupt=on_interrupt)
    (note,) = caught.value.__notes__
    assert sink.texts[-1] == note
    assert sink.closed == 1
    if stage == "waiting" and on_interrupt == "abort":
        assert note == f"Interrupted; run {job.run.id} was stopped."
        return
    assert note.endswith(job.attach_line)
    assert ("continues in Canvas" in note) == (stage == "waiting")
    assert "PUT" not in {record.method for record in connection.server.log}
    assert len(connection.attach(REPORT, job.run.id).result(progress=False).to_pandas()) > 0
