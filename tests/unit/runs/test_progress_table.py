"""Many runs as one table, in the terminal, in the log and as a widget."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from canvas_reports_nb.notebook.progress_bar import WidgetSink
from canvas_reports_nb.runs.progress import HEADER, LogSink, ProgressEvent, RunProgress, TqdmSink, changed

GRADES = "grade_export_csv, enrollment_term_id="
WAITING = tuple(RunProgress(f"{GRADES}{term}") for term in range(15))
RUNNING = (
    RunProgress(f"{GRADES}0", 7, "running", 0.42, 12345, 61.0),
    *(RunProgress(f"{GRADES}{term}", term + 7, "queued", 0.0, None, 61.0) for term in range(1, 14)),
    WAITING[14],
)
ENDED = (
    replace(RUNNING[0], state="done", fraction=1.0, rows=30_000),
    replace(RUNNING[1], state="failed", fraction=None),
    *RUNNING[2:],
)


def event(lines: tuple[RunProgress, ...], fraction: float, words: str) -> ProgressEvent:
    return ProgressEvent("waiting", "15 runs", status=words, fraction=fraction, runs=lines)


EVENTS = [
    ProgressEvent("note", "", text="15 runs: 15 to start"),
    event(WAITING, 0.0, "0 of 15 done"),
    event(RUNNING, 0.03, "0 of 15 done, 1 running, 13 queued"),
    event(RUNNING, 0.03, "0 of 15 done, 1 running, 13 queued"),
    event(ENDED, 0.13, "1 of 15 done, 1 failed"),
]


def test_a_line_as_text() -> None:
    assert RUNNING[0].cells == (f"{GRADES}0", "7", "running", "42%", "12,345", "61 s")
    assert HEADER == ("request", "run", "state", "progress", "rows", "elapsed")
    assert RUNNING[0].sentence == "running, 42%, 12,345 rows, 61 s"
    assert WAITING[0].cells == (f"{GRADES}0", "", "waiting", "", "", "")


def test_only_changed_lines_are_returned() -> None:
    assert changed((), WAITING) == []
    assert changed((), RUNNING) == list(RUNNING[:14])
    assert changed(RUNNING, RUNNING) == []
    assert changed(RUNNING, ENDED) == list(ENDED[:2])


def test_the_log_has_one_line_per_change_of_a_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "canvas_reports_nb")
    sink = LogSink()
    for each in EVENTS:
        sink.show(each)
    sink.close()
    logged = [record.getMessage() for record in caplog.records]
    assert logged.count(f"{GRADES}0 run 7: running, 42%, 12,345 rows, 61 s") == 1
    assert f"{GRADES}0 run 7: done, 100%, 30,000 rows, 61 s" in logged
    assert f"{GRADES}1 run 8: failed, 61 s" in logged
    assert sum(GRADES in line for line in logged) == 14 + 2
    assert len(logged) == 1 + 14 + 2 + 2, "the note, the changes, and one line per tenth of the progress"


def test_the_terminal_shows_a_bar_and_the_active_runs(capsys: pytest.CaptureFixture[str]) -> None:
    sink = TqdmSink()
    for each in EVENTS:
        sink.show(each)
    sink.close()
    sink.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert "0 of 15 done, 1 running, 13 queued" in err
    assert "42%" in err
    assert "13%" in err
    assert "all runs 100%" not in err
    ended = [line for line in err.replace("\r", "\n").split("\n") if "failed" in line and GRADES in line]
    assert len(ended) == 1, "an ended run is shown once"
    assert f"{GRADES}14" not in err, "waiting runs are only counted"


def test_the_terminal_has_twelve_aligned_lines_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    sink = TqdmSink()
    sink.show(EVENTS[2])
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").split("\n") if GRADES in line]
    sink.close()
    assert [line.split()[1] for line in lines] == [f"enrollment_term_id={term}" for term in range(12)]
    assert len({line.index("61 s") for line in lines}) == 1
    assert len({line.index("running" if "running" in line else "queued") for line in lines}) == 1


def test_the_widget_shows_a_table_of_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[Any] = []
    monkeypatch.setattr(
        "canvas_reports_nb.notebook.progress_bar.display", lambda box, **_: displayed.append(box) or sink
    )
    sink = WidgetSink()
    for each in EVENTS[:3]:
        sink.show(each)
    assert sink.box.bar.value == 3
    assert sink.box.runs.value.count("<tr>") == 1 + 15
    assert "12,345" in sink.box.runs.value
    sink.show(event((RunProgress("<img src=x>"),), 0.0, "<b>"))
    assert "<img" not in sink.box.runs.value
    assert displayed == [sink.box]
