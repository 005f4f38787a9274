"""The ledger of the runs started from this disk."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.runs.ledger import Ledger

GRADES, DAY = "grade_export_csv", 24 * 3600


def query(**asked: Any) -> Query:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return Query.checked(GRADES, asked, account="self", listed=None, terms=list, now=now)


def run(run_id: int) -> ReportRun:
    return ReportRun(run_id, GRADES, "created")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, "https://canvas.example.edu", "self")


def test_a_run_is_found_by_its_query_and_by_its_id(ledger: Ledger) -> None:
    for run_id, term in ((7, 12), (9, "12"), (8, 13)):
        ledger.note(run(run_id), query(enrollment_term_id=term))
    assert list(ledger.equal(query(enrollment_term=12))) == [9, 7]
    assert ledger.key(GRADES, 8) == query(enrollment_term_id=13).key
    assert ledger.key(GRADES, 10) is None
    ledger.forget(GRADES, 9)
    assert list(ledger.equal(query(enrollment_term_id=12))) == [7]


def test_an_entry_of_version_0_1_0_has_no_key(ledger: Ledger, tmp_path: Path) -> None:
    ledger.note(run(7), query())
    (entry,) = tmp_path.rglob("7.json")
    entry.write_text('{"run_id": 7, "report": "grade_export_csv", "parameters": {"enrollment_term": "12"}}')
    assert list(ledger.equal(query(enrollment_term_id=12))) == [7]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"run_id": "x", "parameters": {}}', "\x00", '{"run_id": 7}']
)
def test_a_damaged_entry_is_skipped(ledger: Ledger, tmp_path: Path, text: str) -> None:
    ledger.note(run(6), query())
    ledger.note(run(7), query())
    (entry,) = tmp_path.rglob("7.json")
    entry.write_text(text)
    assert list(ledger.equal(query())) == [6]


def test_runs_are_forgotten_after_a_month(ledger: Ledger, tmp_path: Path) -> None:
    for run_id, days in ((5, 31), (6, 29)):
        ledger.note(run(run_id), query())
        (entry,) = tmp_path.rglob(f"{run_id}.json")
        moment = entry.stat().st_mtime - days * DAY
        os.utime(entry, (moment, moment))
    ledger.note(run(7), query())
    assert list(ledger.equal(query())) == [7, 6]


def test_an_entry_that_was_written_is_not_reported_as_lost(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with caplog.at_level(logging.WARNING):
        ledger.note(run(7), query())
    monkeypatch.undo()
    assert list(ledger.equal(query())) == [7]
    assert "could not be noted" not in caplog.text


def test_a_ledger_that_cannot_be_written_does_not_stop_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    ledger = Ledger(tmp_path / "file" / "store", "https://canvas.example.edu", "self")
    ledger.note(run(7), query())
    assert "could not be noted" in caplog.text
    assert list(ledger.equal(query())) == []


@pytest.mark.parametrize(("timeout", "waited"), [(20, 20), (0, 0), (None, 300), (1000, 300)])
def test_a_start_waits_for_an_equal_one_until_its_deadline_or_five_minutes(
    ledger: Ledger, timeout: float | None, waited: float
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += 100 * seconds

    waiter = Waiter(lambda: now[0], sleep)
    with ledger.lock(query(), waiter):
        with ledger.lock(query(enrollment_term_id=12), waiter):
            assert now[0] == 0
        with waiter.limit(timeout), ledger.lock(query(), waiter):
            assert waited <= now[0] <= waited + 20
    before = now[0]
    with ledger.lock(query(), waiter):
        assert now[0] == before, "the lock was released"
