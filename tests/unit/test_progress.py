"""Progress: one event, and every way to show it."""

import logging
import sys
import tomllib
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from canvas_reports_nb.exceptions import ConfigurationError
from canvas_reports_nb.progress import LogSink, NullSink, ProgressEvent, TqdmSink, resolve
from canvas_reports_nb.widgets.progress_bar import WidgetSink

GRADES = "grade_export_csv"
EVENTS = [
    ProgressEvent("note", GRADES, text="starting a new run"),
    ProgressEvent("waiting", GRADES, 7, "created", 0.0, queued=3),
    ProgressEvent("waiting", GRADES, 7, "created", 0.0, queued=5),
    ProgressEvent("waiting", GRADES, 7, "running", 0.42, rows=12345, running=61),
    ProgressEvent("waiting", GRADES, 7, "running", 0.44, rows=12999, running=65),
    ProgressEvent("downloading", GRADES, 7, "complete", 0.5, rows=1_500_000),
    ProgressEvent("done", GRADES, 7, "complete", 1.0, text="30,000 rows"),
]


@pytest.fixture(autouse=True)
def plain_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANVAS_REPORTS_PROGRESS", raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (EVENTS[0], "starting a new run"),
        (EVENTS[1], "queued, in the queue for 3 s"),
        (EVENTS[3], "running, at work for 61 s, 12,345 rows"),
        (ProgressEvent("waiting", GRADES, 7, "shelving"), "shelving"),
        (EVENTS[5], "downloading, 1.5 MB"),
        (ProgressEvent("reading", GRADES, 7), "reading"),
        (EVENTS[6], "30,000 rows"),
    ],
)
def test_sentences(event: ProgressEvent, sentence: str) -> None:
    assert event.sentence == sentence


def test_a_log_line_for_each_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "canvas_reports_nb")
    sink = LogSink()
    for event in EVENTS:
        sink.show(event)
    sink.close()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 5
    assert lines[0] == f"{GRADES} run -: starting a new run"
    assert lines[1:3] == [f"{GRADES} run 7: {EVENTS[n].sentence}" for n in (1, 3)]


def test_a_bar_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    sink = TqdmSink()
    for event in EVENTS:
        sink.show(event)
    sink.close()
    sink.close()
    out, err = capsys.readouterr()
    assert out == ""
    for shown in ("starting a new run", f"{GRADES} #7", "42%", "50%", "100%", "30,000 rows"):
        assert shown in err


def test_a_null_sink_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    sink = NullSink()
    for event in EVENTS:
        sink.show(event)
    sink.close()
    assert capsys.readouterr() == ("", "")


def test_the_widget_writes_traits(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[Any] = []
    monkeypatch.setattr("canvas_reports_nb.widgets.progress_bar.display", displayed.append)
    sink = WidgetSink()
    assert displayed == []
    for event in EVENTS[:4]:
        sink.show(event)
    assert displayed == [sink.box]
    assert sink.bar.value == 42
    assert "starting a new run" in sink.notes.value
    assert "12,345 rows" in sink.label.value
    sink.close()
    assert sink.bar.bar_style == "warning"
    sink.show(EVENTS[-1])
    sink.close()
    assert (sink.bar.value, sink.bar.bar_style) == (100, "success")


def test_the_widget_escapes_all_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("canvas_reports_nb.widgets.progress_bar.display", lambda _: None)
    evil, sink = "<img src=x onerror=alert(1)>", WidgetSink()
    sink.show(ProgressEvent("note", GRADES, text=evil))
    sink.show(ProgressEvent("waiting", evil, 7, evil))
    sink.show(ProgressEvent("done", evil, 7, text=evil))
    assert "<img" not in sink.notes.value + sink.label.value
    assert "&lt;img" in sink.notes.value
    assert "&lt;img" in sink.label.value


@dataclass
class OwnSink:
    """A user's own, and unhashable, as data classes are."""

    seen: list[ProgressEvent] = field(default_factory=list)

    def show(self, event: ProgressEvent) -> None:
        self.seen.append(event)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("argument", "environment", "kind"),
    [
        ("tqdm", None, TqdmSink),
        ("log", None, LogSink),
        (False, None, NullSink),
        ("off", None, NullSink),
        ("auto", None, LogSink),
        (None, None, LogSink),
        (True, None, LogSink),
        ("auto", "tqdm", TqdmSink),
        ("auto", "off", NullSink),
        ("auto", "", LogSink),
        (None, "0", NullSink),
        ("log", "tqdm", LogSink),
        (False, "tqdm", NullSink),
    ],
)
def test_resolve(
    monkeypatch: pytest.MonkeyPatch, argument: Any, environment: str | None, kind: type[object]
) -> None:
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: False))
    if environment is not None:
        monkeypatch.setenv("CANVAS_REPORTS_PROGRESS", environment)
    assert type(resolve(argument)) is kind


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: True))
    assert isinstance(resolve("auto"), TqdmSink)
    monkeypatch.setattr(sys, "stderr", None)
    assert isinstance(resolve("auto"), LogSink)


def test_an_own_sink_is_taken_as_it_is() -> None:
    sink = OwnSink()
    assert resolve(sink) is sink


@pytest.mark.parametrize(("argument", "environment"), [("bar", None), ("auto", "bar")])
def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch, argument: Any, environment: str | None) -> None:
    if environment:
        monkeypatch.setenv("CANVAS_REPORTS_PROGRESS", environment)
    with pytest.raises(ConfigurationError, match=r"'bar'.*\n.*widget"):
        resolve(argument)


def test_a_kernel_gets_the_widget_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    group = "canvas_reports_nb.progress"
    points = EntryPoints(
        EntryPoint(name, value, group) for name, value in project["entry-points"][group].items()
    )
    monkeypatch.setattr("importlib.metadata.entry_points", points.select)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert isinstance(resolve("auto"), WidgetSink)
