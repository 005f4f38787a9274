"""A run that can't be used is passed over: for the next finished run, for one in flight, or for a new one."""

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions as ex
from canvas_reports_nb import frames
from canvas_reports_nb.store.stored_run import ReportResult
from tests.faults import refuse_locks

QUIET: dict[str, Any] = {"progress": False}
GRADES = "grade_export_csv"
MISSING = {
    "gone": ex.NotFoundError("Canvas has nothing at this address."),
    "forbidden": ex.NotPermittedError("The token's owner may not download it."),
    "a message": ex.UnexpectedAnswerError("Canvas sent a JSON message instead of the file."),
}


def colleague(connection: Any, path: Path) -> crn.Connection:
    """Connect to the same Canvas with another store."""
    server = connection.server
    return crn.connect(
        server.url,
        server.token,
        store=path / "colleague",
        clock=lambda: server.clock.now().timestamp(),
        sleep=lambda seconds: server.clock.advance(seconds) and None,
    )


def withhold(connection: Any, error: Exception, *run_ids: int) -> None:
    """Let the files of these runs be missing."""
    api = connection._api
    show, index, download = api.show, api.index, api.download
    urls: set[str] = set()

    def noted(run: Any) -> Any:
        if run.id in run_ids and run.attachment:
            urls.add(run.attachment.url)
        return run

    def opened(url: str, **rest: Any) -> Any:
        if url in urls:
            raise error
        return download(url, **rest)

    api.show = lambda *asked: noted(show(*asked))
    api.index = lambda report: map(noted, index(report))
    api.download = opened


@pytest.mark.parametrize("error", MISSING.values(), ids=list(MISSING))
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_finished_run_without_its_file_is_passed_over(
    canvas: Callable[..., Any], tmp_path: Path, recorder: Any, error: Exception, many: bool
) -> None:
    mine = canvas()
    with colleague(mine, tmp_path) as theirs:
        first = theirs.start(GRADES).wait(**QUIET).run.id
        mine.server.clock.advance(60)
        second = theirs.start(GRADES).wait(**QUIET).run.id

    def read() -> int:
        if many:
            return mine.read_reports([{"report": GRADES}], progress=recorder).attrs["canvas_report"]["runs"][
                0
            ]
        return mine.read_report(GRADES, progress=recorder).canvas.provenance["run_id"]

    withhold(mine, error, second)
    if many:
        read()
        assert mine.store.info()["run_id"].tolist() == [first]
    else:
        assert read() == first
    assert any(f"Using run {first} instead." in (event.text or "") for event in recorder.events)
    assert mine.starts() == 2
    mine.store.clear()
    withhold(mine, error, first, second)
    read()
    assert any("Starting a new run." in (event.text or "") for event in recorder.events)
    assert mine.starts() == 3


def test_a_run_of_this_call_without_a_file_is_an_error(canvas: Callable[..., Any]) -> None:
    mine = canvas()
    job = mine.start(GRADES)
    withhold(mine, MISSING["gone"], job.run.id)
    with pytest.raises(ex.NotFoundError):
        job.result(**QUIET)
    assert mine.starts() == 1


def test_a_run_that_runs_for_more_than_a_day_is_not_joined(
    canvas: Callable[..., Any], tmp_path: Path
) -> None:
    mine = canvas(duration=40 * 3600)
    with colleague(mine, tmp_path) as theirs:
        old = theirs.start(GRADES).run.id
    mine.server.clock.advance(23 * 3600)
    with pytest.raises(ex.WaitTimeoutError) as caught:
        mine.read_report(GRADES, timeout=60, **QUIET)
    assert caught.value.run_id == old
    mine.server.clock.advance(2 * 3600)
    with pytest.raises(ex.WaitTimeoutError) as caught:
        mine.read_report(GRADES, timeout=60, **QUIET)
    assert caught.value.run_id != old


def renumber(connection: Any, **changes: Any) -> None:
    """Let Canvas describe its runs as others: what an overwritten test Canvas does."""
    api = connection._api
    show, index = api.show, api.index
    later = lambda run: {"created_at": run.created_at + timedelta(hours=1), **changes}  # noqa: E731
    changed = lambda run: replace(run, **later(run))  # noqa: E731
    api.show = lambda *asked: changed(show(*asked))
    api.index = lambda report: map(changed, index(report))


def test_a_run_id_that_started_again_is_another_run(canvas: Callable[..., Any]) -> None:
    mine = canvas()
    mine.read_report(GRADES, **QUIET)
    run_id = int(mine.store.info()["run_id"][0])
    before = mine.store.find(mine._settings.url, "self", GRADES, run_id).origin.created_at
    renumber(mine)
    result = mine.attach(GRADES, run_id).result(**QUIET)
    assert result.origin.created_at != before
    assert mine.store.info()["run_id"].tolist() == [run_id]


@pytest.mark.parametrize("changes", [{}, {"parameters": {"include_deleted": True}, "created_at": None}])
def test_a_run_asked_for_by_an_id_that_started_again_is_read_from_canvas(
    canvas: Callable[..., Any], changes: dict[str, Any]
) -> None:
    mine = canvas()
    run_id = mine.read_report(GRADES, **QUIET).canvas.provenance["run_id"]

    def downloads() -> int:
        return sum(record.path.endswith("/download") for record in mine.server.log)

    mine.read_report(GRADES, run_id=run_id, **QUIET)
    assert downloads() == 1, "Canvas describes the stored run"
    renumber(mine, **changes)
    before = mine.store.find(mine.url, "self", GRADES, run_id).origin
    again = mine.read_report(GRADES, run_id=run_id, **QUIET).canvas.provenance
    assert (again["created_at"], again["parameters"]) != (before.created_at, before.parameters)
    assert downloads() == 2
    mine._api.show = refuse_to_answer
    assert mine.read_report(GRADES, run_id=run_id, **QUIET).canvas.provenance == again


def refuse_to_answer(*_: Any) -> Any:
    raise ex.NotReachedError("Canvas was not reached.")


def test_a_remembered_id_that_started_again_is_not_joined(canvas: Callable[..., Any]) -> None:
    mine = canvas(duration=600)
    mine.start(GRADES)
    mine.server.clock.advance(60)
    renumber(mine, parameters={"include_deleted": True})
    mine.read_report(GRADES, **QUIET)
    assert mine.starts() == 2


def test_two_kernels_that_decide_at_once_start_one_run(canvas: Callable[..., Any]) -> None:
    mine = canvas(duration=600)
    query = mine._runs.query(GRADES, {})
    _, known = mine._runs.decide(query, 3600, list)
    first, joined = mine._runs.begin(query, known)
    assert not joined
    mine.server.clock.advance(60)
    assert mine._runs.begin(query, known) == (mine._api.show(GRADES, first.id), True)
    _, known = mine._runs.decide(query, 0, list)
    second, joined = mine._runs.begin(query, known)
    assert not joined, "max_age=0 starts a new run unless another process just did"
    assert second.id != first.id


def test_a_start_waits_for_another_process_until_the_deadline_only(canvas: Callable[..., Any]) -> None:
    mine = canvas(duration=600)
    query = mine._runs.query(GRADES, {})
    with mine._ledger.lock(query, mine.waiter), mine.waiter.limit(5):
        began = mine.waiter.clock()
        with mine._ledger.lock(query, mine.waiter):
            assert 5 <= mine.waiter.clock() - began < 6


def test_a_conflict_with_a_run_of_other_parameters_is_an_error(canvas: Callable[..., Any]) -> None:
    mine = canvas(duration=600)
    other = mine.start(GRADES, include_deleted=True).run

    def refuse(*_: Any) -> Any:
        raise ex.DuplicateRunError("An equal run is already in progress.", other)

    mine._api.start = refuse
    with pytest.raises(ex.DuplicateRunError, match="include_deleted"):
        mine.read_report(GRADES, **QUIET)
    assert mine.start(GRADES, include_deleted=True).run.id == other.id


def test_a_store_that_cannot_be_written_is_an_error_before_the_start(
    canvas: Callable[..., Any], tmp_path: Path
) -> None:
    mine = canvas()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "runs").write_text("in the way")
    with pytest.raises(ex.StoreError, match="Can't write to the store"):
        mine.read_report(GRADES, **QUIET)
    assert mine.starts() == 0
    mine.start(GRADES)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EACCES])
def test_a_file_system_without_locks(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refuse_locks(monkeypatch, code)
    mine = canvas(duration=60)
    began = mine.waiter.clock()
    assert len(mine.read_report(GRADES, **QUIET)) > 0
    assert mine.waiter.clock() - began < 90, "nothing waits for a lock that nobody holds"
    assert mine.starts() == 1


def test_a_lock_file_that_is_a_folder(canvas: Callable[..., Any]) -> None:
    mine = canvas()
    job = mine.start(GRADES)
    folder = mine.store.folder(mine._settings.url, "self", GRADES)
    (folder / f".{job.run.id}.lock").mkdir(parents=True)
    with pytest.raises(ex.StoreError, match="Can't lock"):
        job.result(**QUIET)


def test_a_run_removed_while_it_is_read_is_an_error_of_ours(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = canvas()
    result = mine.start(GRADES).result(**QUIET)
    load = frames.load

    def removed(*given: Any) -> Any:
        mine.store.clear()
        return load(*given)

    monkeypatch.setattr(frames, "load", removed)
    with pytest.raises(ex.NotStoredError):
        result.load()


def test_a_conflict_with_a_run_that_has_a_parameter_canvas_ignores_is_joined(
    canvas: Callable[..., Any],
) -> None:
    mine = canvas(duration=600)
    other = mine.start(GRADES, enrollment_term_id=1).run
    joined = replace(other, parameters={**other.parameters, "x": 1})
    mine._api.show = lambda *_: joined

    def refuse(*_: Any) -> Any:
        raise ex.DuplicateRunError("An equal run is already in progress.", other)

    mine._api.start = refuse
    assert mine.start(GRADES, enrollment_term_id=1).run.id == other.id


def test_a_new_run_with_the_id_of_a_stored_one_replaces_it(canvas: Callable[..., Any]) -> None:
    mine = canvas()
    first = mine.start(GRADES).result(**QUIET)
    again = replace(mine._api.show(GRADES, first.origin.run_id), status="created")
    mine._api.start = lambda *_: again
    mine.read_report(GRADES, max_age=0, **QUIET)
    assert sum(record.path.endswith("/download") for record in mine.server.log) == 2


READERS: dict[str, Callable[..., Any]] = {
    "read_report": lambda canvas, **how: canvas.read_report(GRADES, **how),
    "read_tables": lambda canvas, **how: canvas.read_tables(GRADES, **how)[GRADES],
    "scan_report": lambda canvas, **how: canvas.scan_report(GRADES, **how).collect().to_pandas(),
    "read_reports": lambda canvas, **how: canvas.read_reports([{"report": GRADES}], **how),
    "scan_reports": lambda canvas, **how: (
        canvas.scan_reports([{"report": GRADES}], **how).collect().to_pandas()
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("max_age", [0, "1d"])
def test_a_run_that_another_process_removes_before_it_is_loaded_is_downloaded_again(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, reader: str, max_age: Any
) -> None:
    mine, read = canvas(), READERS[reader]
    wanted = read(mine, **QUIET)
    choose, removed = ReportResult.choose, []

    def remove(result: ReportResult, table: str | None) -> str:
        if not removed:
            removed.append(crn.connect(mine.url, mine.server.token, store=mine.store.path).store.clear())
        return choose(result, table)

    starts = mine.starts()
    monkeypatch.setattr(ReportResult, "choose", remove)
    frame = read(mine, max_age=max_age, **QUIET)
    assert removed[0] >= 1
    assert len(frame) == len(wanted) > 0
    assert mine.starts() - starts == (max_age == 0), "the run that vanished is not started again"
    if reader.endswith("report"):
        removed.clear()
        monkeypatch.setattr(ReportResult, "choose", remove)
        with pytest.raises(ex.NotStoredError):
            read(mine, offline=True)


@pytest.mark.parametrize("reader", READERS)
def test_two_kernels_at_the_limit_of_a_store_keep_what_the_other_reads(
    canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    mine = canvas()
    other = crn.connect(
        mine.url,
        mine.server.token,
        store=mine.store.path,
        store_limit=1,
        clock=mine.waiter.clock,
        sleep=mine.waiter.sleep,
    )
    choose, evicted = ReportResult.choose, []

    def busy(result: ReportResult, table: str | None) -> str:
        if not evicted:
            evicted.append(True)
            other.obtain("zero_activity_csv", **QUIET)
        return choose(result, table)

    monkeypatch.setattr(ReportResult, "choose", busy)
    assert len(READERS[reader](mine, **QUIET)) > 0
    assert evicted
    assert mine.starts() == 2
    assert sum(record.path.endswith("/download") for record in mine.server.log) == 2


READ_HERE: dict[str, Callable[..., Any]] = {
    "read_report": lambda canvas, sink: canvas.read_report(GRADES, progress=sink),
    "read_reports": lambda canvas, sink: canvas.read_reports([{"report": GRADES}], progress=sink),
}


@pytest.mark.parametrize("reader", READ_HERE)
@pytest.mark.parametrize("is_listed", [True, False], ids=["in the list", "by a conflict"])
@pytest.mark.parametrize("ending", ["aborted", "deleted", "error"])
def test_a_joined_run_that_its_owner_stops_or_that_fails_is_passed_over(
    canvas: Callable[..., Any], recorder: Any, reader: str, ending: str, *, is_listed: bool
) -> None:
    mine = canvas(duration=600)
    theirs = mine._api.start(GRADES, {"skip_message": True})
    if not is_listed:
        mine._api.index = lambda _: iter([])
    show, seen = mine._api.show, []

    def later(report: str, run_id: int) -> Any:
        seen.append(run_id)
        if run_id == theirs.id and seen.count(run_id) > 2:
            if ending == "deleted":
                raise ex.UnknownRunError("There is no such run.")
            mine._api.abort(report, run_id)
            return replace(show(report, run_id), status=ending)
        return show(report, run_id)

    mine._api.show = later
    assert len(READ_HERE[reader](mine, recorder)) > 0
    assert mine.starts() == 2 + (not is_listed)
    notes = [event.text or "" for event in recorder.events if event.stage == "note"]
    assert any(f"Run {theirs.id} " in note and "Starting a new run." in note for note in notes)


def test_a_run_without_a_file_that_a_conflict_names_is_not_chosen_again(
    canvas: Callable[..., Any], recorder: Any
) -> None:
    mine = canvas(duration=60)
    theirs = mine._api.start(GRADES, {"skip_message": True})
    index, mine._api.index = mine._api.index, lambda _: iter([])
    withhold(mine, MISSING["gone"], theirs.id)
    assert len(mine.read_report(GRADES, progress=recorder)) > 0
    mine._api.index = index
    assert mine.history(GRADES)["run_id"].iloc[-1] == theirs.id
    assert len(mine.history(GRADES)) == 2


def test_a_job_stays_the_handle_of_its_run(canvas: Callable[..., Any]) -> None:
    mine = canvas(duration=600)
    theirs = mine._api.start(GRADES, {"skip_message": True})
    job = mine.start(GRADES)
    assert job.is_joined
    mine._api.abort(GRADES, theirs.id)
    with pytest.raises(ex.RunAbortedError):
        job.result(**QUIET)
    assert job.run.id == theirs.id


@pytest.mark.parametrize("way", ["wait", "result"])
def test_an_interrupt_stops_no_attached_run(canvas: Callable[..., Any], way: str) -> None:
    mine = canvas(duration=600)
    theirs = mine._api.start(GRADES, {"skip_message": True})

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    mine.waiter.sleep = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        getattr(mine.attach(GRADES, theirs.id), way)(on_interrupt="abort", **QUIET)
    assert "because this call did not start it" in caught.value.__notes__[0]
    assert "PUT" not in {record.method for record in mine.server.log}


def test_a_run_whose_parameters_canvas_rewrote_does_not_answer_the_next_call(
    canvas: Callable[..., Any],
) -> None:
    mine = canvas()
    start = mine._api.start

    def rewriting(report: str, wire: Any) -> Any:
        return start(report, {**wire, "enrollment_term_id": 12})

    mine._api.start = rewriting
    for starts in (1, 2):
        with pytest.warns(crn.ReportWarning, match="than were sent: enrollment_term_id"):
            frame = mine.read_report(GRADES, enrollment_term_id=13, **QUIET)
        assert frame.canvas.provenance["parameters"]["enrollment_term_id"] == 12
        assert mine.starts() == starts
    assert len(mine.read_report(GRADES, enrollment_term_id=12, **QUIET)) == len(frame)
    assert mine.starts() == 2, "it answers the question that Canvas understood"


def test_a_remembered_run_that_is_gone_does_not_stop_a_start(canvas: Callable[..., Any]) -> None:
    mine = canvas(duration=600)
    query = mine._runs.query(GRADES, {})
    first, _ = mine._runs.begin(query, ())
    mine._api.delete(GRADES, first.id)
    second, joined = mine._runs.begin(query, ())
    assert (second.id != first.id, joined) == (True, False)
