"""``as_of=``: the run that answers for a past day, from Canvas or from the store, and never a new one."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions as ex
from canvas_reports_nb.cli import cli
from tests.contract.test_next_choice import colleague

GRADES = "grade_export_csv"
QUIET: dict[str, Any] = {"progress": False}


def go_to(connection: Any, when: datetime) -> None:
    connection.server.clock.advance((when - connection.server.clock.now()).total_seconds())


@pytest.fixture
def days(canvas: Callable[..., Any], tmp_path: Path) -> tuple[Any, dict[int, int]]:
    """A connection on March 8, and the run that a colleague started in the evening of each day before."""
    mine, runs = canvas(), {}
    with colleague(mine, tmp_path) as theirs:
        for day in (2, 4, 5, 7):
            go_to(mine, datetime(2026, 3, day + 1, 5, 55, tzinfo=UTC))  # 22:55 in Denver
            runs[day] = theirs.start(GRADES, enrollment_term_id="FA25").wait(**QUIET).run.id
            theirs.start(GRADES).wait(**QUIET)
    go_to(mine, datetime(2026, 3, 9, 0, 0, tzinfo=UTC))
    mine.starts_before = mine.starts()
    return mine, runs


def chosen(frame: Any) -> int:
    return frame.canvas.provenance["run_id"]


def test_the_newest_run_before_the_midnight_of_the_account_answers(days: tuple[Any, dict[int, int]]) -> None:
    canvas, runs = days
    ask: dict[str, Any] = {"enrollment_term_id": "Fall 2025", **QUIET}
    assert chosen(canvas.read_report(GRADES, as_of="2026-03-06", **ask)) == runs[5]
    assert chosen(canvas.read_report(GRADES, as_of=date(2026, 3, 5), **ask)) == runs[4]
    assert chosen(canvas.read_report(GRADES, as_of="2026-03-07", **ask)) == runs[5]
    # At midnight in UTC, that evening's run of Denver has not begun.
    assert chosen(canvas.read_report(GRADES, as_of="2026-03-06", zone="UTC", **ask)) == runs[4]
    assert canvas.starts() == canvas.starts_before
    # What was read is stored, and answers without a network.
    offline = canvas.read_report(GRADES, as_of="2026-03-06", offline=True, **ask)
    assert chosen(offline) == runs[5]
    assert {runs[4], runs[5]} == set(canvas.store.info()["run_id"])


def test_every_reader_takes_it(days: tuple[Any, dict[int, int]]) -> None:
    canvas, runs = days
    ask: dict[str, Any] = {"enrollment_term_id": 12, "as_of": "2026-03-06", **QUIET}
    wanted = canvas.read_report(GRADES, run_id=runs[5], **QUIET)
    assert chosen(canvas.read_tables(GRADES, **ask)[GRADES]) == runs[5]
    assert canvas.scan_report(GRADES, **ask).collect().height == len(wanted)
    assert chosen(wanted.canvas.read_report(GRADES, **ask)) == runs[5]
    assert pl.DataFrame.canvas.read_report(GRADES, **ask).height == len(wanted)
    assert chosen(crn.read_report(GRADES, **ask)) == runs[5]
    assert canvas.starts() == canvas.starts_before


def test_no_run_in_time_names_the_nearest_and_the_line_for_cron(days: tuple[Any, dict[int, int]]) -> None:
    canvas, runs = days
    ask: dict[str, Any] = {"enrollment_term_id": "FA25", **QUIET}
    with pytest.raises(ex.UnknownRunError) as caught:
        canvas.read_report(GRADES, as_of="2026-03-04", within="12h", **ask)
    assert "at most 12 hours before 2026-03-04 00:00 (America/Denver)" in caught.value.message
    assert f"run {runs[2]} before it, of 2026-03-02 22:55" in caught.value.message
    assert f"run {runs[4]} after it, of 2026-03-04 22:55" in caught.value.message
    line = re.search(r"30 23 \* \* \* (canvas-reports run grade_export_csv .*)", caught.value.hint)
    assert line is not None
    assert "-p enrollment_term_id=FA25" in line[1]
    assert "--max-age 0" in line[1]
    assert chosen(canvas.read_report(GRADES, as_of="2026-03-04", within=timedelta(days=2), **ask)) == runs[2]
    with pytest.raises(ex.UnknownRunError, match=r"no such run in Canvas or on this disk at all"):
        canvas.read_report(GRADES, as_of="2026-03-04", include_deleted=True, **QUIET)
    with pytest.raises(ex.NotStoredError, match="no such run on this disk at all"):
        canvas.read_report(
            GRADES, as_of="2026-03-04", include_deleted=True, offline=True, zone="UTC", **QUIET
        )
    assert canvas.starts() == canvas.starts_before


def test_a_stored_run_answers_while_canvas_is_down(
    days: tuple[Any, dict[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "canvas_reports_nb")
    canvas, runs = days
    ask: dict[str, Any] = {"enrollment_term_id": 12, "as_of": "2026-03-06", **QUIET}

    def down(_: str) -> Any:
        raise ex.ServerError("Canvas is down.")

    listed, canvas.api.index = canvas.api.index, down
    with pytest.raises(ex.ServerError, match="is down"):
        canvas.read_report(GRADES, **ask)
    canvas.api.index = listed
    canvas.read_report(GRADES, **ask)
    canvas.api.index = down
    assert chosen(canvas.read_report(GRADES, **ask)) == runs[5]
    assert f"{GRADES}: only the runs on this disk were looked at: Canvas is down." in caplog.messages


def test_the_shell_takes_it(
    days: tuple[Any, dict[int, int]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    canvas, runs = days
    for name, value in (("URL", canvas.url), ("TOKEN", canvas.server.token)):
        monkeypatch.setenv(f"CANVAS_API_{name}", value)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "shell"))
    time = {"clock": lambda: canvas.server.clock.now().timestamp(), "sleep": lambda _: None}

    def shell(*more: str) -> Any:
        words = ["run", GRADES, "-p", "enrollment_term_id=FA25", "--progress", "off", "--json", *more]
        return CliRunner().invoke(cli, words, obj=time)

    found = shell("--as-of", "2026-03-06", "--within", "2d", "--zone", "America/Denver")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["run_id"] == runs[5]
    late = shell("--as-of", "2026-03-06", "--within", "30m")
    assert late.exit_code != 0
    assert f"run {runs[5]} before it" in late.stderr
    assert CliRunner().invoke(cli, ["run", "--requests", __file__, "--as-of", "2026-03-06"]).exit_code == 2
    assert canvas.starts() == canvas.starts_before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"as_of": "2026-03-10"}, r"as_of='2026-03-10' is in the future(?s:.*)cron"),
        ({"as_of": "census day"}, "Can't read as_of='census day'"),
        ({"as_of": 5}, "Can't read as_of=5"),
        ({"as_of": "2026-03-06", "zone": "Denver"}, "Unknown time zone 'Denver'"),
        ({"as_of": "2026-03-06", "within": "some days"}, "Can't read 'some days' as an age"),
        ({"as_of": "2026-03-06", "run_id": 5}, "both choose a run"),
        ({"within": "3d"}, "only work with as_of="),
        ({"as_of": "2026-03-06", "offline": True}, "time zone of the account is not known(?s:.*)zone="),
    ],
)
def test_wrong_options_are_explained(canvas: Callable[..., Any], options: dict[str, Any], words: str) -> None:
    connection = canvas()
    go_to(connection, datetime(2026, 3, 9, tzinfo=UTC))
    with pytest.raises((ex.ParameterError, ex.NotStoredError), match=words):
        connection.read_report(GRADES, **options, **QUIET)
    assert connection.starts() == 0
