"""Progress events, and every way to show them."""

import logging
import sys
from dataclasses import dataclass, field, replace
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.exceptions import ConfigurationError
from canvas_reports_nb.notebook.progress_bar import WidgetSink
from canvas_reports_nb.runs.progress import (
    ENDS,
    LogSink,
    NullSink,
    ProgressEvent,
    TqdmSink,
    ended,
    resolve,
    span,
)

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
        (EVENTS[1], "waiting in Canvas's queue, 3 s elapsed"),
        (EVENTS[3], "running, 1 min 1 s elapsed, 12,345 rows, about 1 min left"),
        (
            replace(EVENTS[3], fraction=0.0, queued=12, usual=(200, 400)),
            "running, 1 min 13 s elapsed, 12,345 rows, about 4 min left, earlier runs took 3 to 7 min",
        ),
        (
            replace(EVENTS[3], fraction=None, usual=(40, 62)),
            "running, 1 min 1 s elapsed, 12,345 rows, earlier runs took 40 to 62 s",
        ),
        (
            replace(EVENTS[1], usual=(3900, 3900)),
            "waiting in Canvas's queue, 3 s elapsed, earlier runs took 65 min",
        ),
        (
            ProgressEvent("waiting", GRADES, 7, "compiling", running=3700),
            "preparing the file, 1 h 1 min elapsed",
        ),
        (ProgressEvent("failed", GRADES, 7, "error", text="Canvas's reason"), "failed, Canvas's reason"),
        (ProgressEvent("stopped", GRADES, 7, "aborted"), "stopped"),
        (ProgressEvent("waiting", GRADES, 7, "shelving"), "shelving"),
        (EVENTS[5], "downloading, 1.5 MB"),
        (ProgressEvent("reading", GRADES, 7), "reading"),
        (EVENTS[6], "30,000 rows"),
    ],
)
def test_sentences(event: ProgressEvent, sentence: str) -> None:
    assert event.sentence == sentence


@pytest.mark.parametrize(
    ("facts", "left", "share"),
    [
        ({"running": 60, "fraction": 0.25}, 180, 0.25),
        ({"running": 60, "fraction": 1.0}, None, 1),
        ({"running": 60, "fraction": 1.0, "usual": (100, 200)}, 90, 1),
        ({"running": 30, "usual": (40, 80)}, 30, 0.5),
        ({"running": 30, "usual": (40, 80), "fraction": 0.0}, 30, 0.5),
        ({"running": 60, "usual": (40, 80)}, None, 0.95),
        ({"running": 0.5, "usual": (0, 1)}, None, 0.5),
        ({"running": 0, "usual": (40, 80)}, None, None),
        ({"running": 60}, None, None),
        ({"stage": "downloading", "running": 60, "usual": (40, 80), "fraction": 0.5}, None, 0.5),
    ],
)
def test_what_is_left_and_done(facts: dict[str, Any], left: float | None, share: float | None) -> None:
    shown = ProgressEvent(**{"stage": "waiting", "report": GRADES, "run_id": 7, "status": "running", **facts})
    assert (shown.left, shown.share) == (left, share)


def test_the_steps_of_a_run() -> None:
    waits = [ProgressEvent("waiting", GRADES, 7, status) for status in ("created", "running", "compiling")]
    loads = [ProgressEvent(stage, GRADES, 7, "complete") for stage in ("downloading", "reading")]
    assert [event.step for event in (*waits, *loads)] == [f"step {number} of 5" for number in range(1, 6)]
    assert [event.state for event in waits] == ["waiting in Canvas's queue", "running", "preparing the file"]
    others = [ProgressEvent("waiting", GRADES, 7, "shelving"), *(ProgressEvent(end, GRADES) for end in ENDS)]
    assert {event.step for event in others} == {""}


@pytest.mark.parametrize(
    ("usual", "words"), [((90, 119), "90 to 119 s"), ((60, 120), "1 to 2 min"), ((7, 7.4), "7 s")]
)
def test_how_long_earlier_runs_took(usual: tuple[float, float], words: str) -> None:
    assert replace(EVENTS[1], usual=usual).facts[-1] == f"earlier runs took {words}"


@pytest.mark.parametrize(
    ("seconds", "words", "rough"),
    [
        (0.4, "0 s", "0 s"),
        (59.4, "59 s", "59 s"),
        (59.6, "1 min", "1 min"),
        (91, "1 min 31 s", "2 min"),
        (3599, "59 min 59 s", "60 min"),
        (3600, "1 h", "1 h"),
        (7500, "2 h 5 min", "2 h 5 min"),
    ],
)
def test_a_duration_in_words(seconds: float, words: str, rough: str) -> None:
    assert (span(seconds), span(seconds, rough=True)) == (words, rough)


def test_how_an_error_ends_a_run() -> None:
    run = ReportRun(7, GRADES, "running")
    assert ended(exc.RunAbortedError("stopped", run)) == "stopped"
    assert ended(exc.WaitTimeoutError("late", run)) is None
    assert ended(exc.NotReachedError("no route")) == "lost contact"
    for error in (exc.UnexpectedAnswerError("HTML"), exc.RunFailedError("failed", run), ValueError()):
        assert ended(error) == "failed"


def test_a_log_line_for_each_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "canvas_reports_nb")
    sink = LogSink()
    notes = [replace(EVENTS[0], text=text) for text in ("a first note", "a second note")]
    for event in (*notes, *EVENTS):
        sink.show(event)
    sink.close()
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:2] == [f"{GRADES}: a first note", f"{GRADES}: a second note"]
    assert lines[2:] == [
        f"{GRADES}: starting a new run",
        *(f"{GRADES} run 7: {EVENTS[n].sentence}" for n in (1, 3, 5, 6)),
    ]


@pytest.mark.parametrize(
    ("argument", "environment", "level", "seen"),
    [
        ("auto", None, None, (False, False)),
        ("auto", None, logging.INFO, (False, True)),
        ("log", None, None, (True, False)),
        ("auto", "log", None, (True, False)),
        ("log", None, logging.WARNING, (True, False)),
        ("log", None, logging.INFO, (False, True)),
    ],
)
def test_log_lines_appear_once(
    monkeypatch: pytest.MonkeyPatch,
    argument: Any,
    environment: str | None,
    level: int | None,
    seen: tuple[bool, bool],
) -> None:
    if environment:
        monkeypatch.setenv("CANVAS_REPORTS_PROGRESS", environment)
    package, heard, err = logging.getLogger("canvas_reports_nb"), StringIO(), StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(package, "propagate", False)  # pytest itself listens at the root
    handler = logging.StreamHandler(heard)
    if level is not None:
        handler.setLevel(level)
        monkeypatch.setattr(package, "level", logging.INFO)
        monkeypatch.setattr(package, "handlers", [*package.handlers, handler])
    logging.getLogger("canvas_reports_nb.runs.progress")._cache.clear()
    sink = resolve(argument)
    sink.show(EVENTS[3])
    sink.show(EVENTS[3])
    assert (err.getvalue().count(EVENTS[3].sentence), heard.getvalue().count(EVENTS[3].sentence)) == seen


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
    assert all(err.count(event.sentence) == 1 for event in EVENTS[1:-1]), "each event is drawn once"


def test_a_null_sink_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    sink = NullSink()
    for event in EVENTS:
        sink.show(event)
    sink.close()
    assert capsys.readouterr() == ("", "")


class Output:
    """The output of a cell, as a notebook keeps it."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def display(self, shown: Any, *, display_id: bool) -> "Output":
        assert display_id, "without an id it can't be replaced"
        self.shown.append(shown)
        return self

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown[-1] = bundle


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    output = Output()
    monkeypatch.setattr("canvas_reports_nb.notebook.progress_bar.display", output.display)
    return output


def test_the_widget_writes_traits(output: Output) -> None:
    sink = WidgetSink()
    assert output.shown == []
    for event in EVENTS[:4]:
        sink.show(event)
    bar = sink.box
    assert output.shown == [bar]
    assert (bar.bar.value, bar.bar.description) == (42, "running 42 %")
    assert "starting a new run" in bar.notes.value
    for fact in ("step 2 of 5", "1 min 1 s elapsed · 12,345 rows · about 1 min left"):
        assert fact in bar.label.value
    assert 'role="progressbar"' in bar.role.value
    assert 'aria-valuenow="42"' in bar.role.value
    heard = bar.heard.value
    assert "running" in heard
    sink.show(replace(EVENTS[3], fraction=0.0, queued=12, next_poll=4.2, usual=(100, 144)))
    for fact in ("1 min 13 s elapsed", "about 1 min left", "next check in 4 s"):
        assert fact in bar.label.value
    assert bar.bar.value == 50, "the estimate moves the bar where Canvas gives no percentage"
    assert bar.heard.value == heard, "a screen reader hears each state once"
    sink.show(EVENTS[-1])
    assert (bar.bar.value, bar.bar.bar_style, bar.bar.description) == (100, "success", "done")


def test_the_widget_leaves_text_and_no_widget(output: Output) -> None:
    before = set(_instances)
    WidgetSink().close()
    assert output.shown == []
    assert set(_instances) == before
    sink = WidgetSink()
    sink.show(EVENTS[0])
    sink.show(EVENTS[3])
    sink.show(EVENTS[-1])
    sink.show(replace(EVENTS[0], text="stored"))
    assert set(_instances) > before
    sink.close()
    sink.close()
    assert set(_instances) == before
    (left,) = output.shown
    assert left["text/plain"] == f"starting a new run\n{GRADES} run 7: 30,000 rows\nstored"
    assert "30,000 rows" in left["text/html"]


def test_a_bar_placed_by_other_code_stays(output: Output) -> None:
    sink = WidgetSink(placed=True)
    sink.show(EVENTS[3])
    sink.close()
    assert output.shown == []
    assert (sink.box.bar.value, sink.box.bar.bar_style) == (42, "warning")
    sink.show(EVENTS[-1])
    sink.close()
    assert (sink.box.bar.value, sink.box.bar.bar_style) == (100, "success")


@pytest.mark.parametrize(
    ("stage", "style", "is_unknown"),
    [
        ("waiting", "", True),
        ("downloading", "", True),
        ("done", "success", False),
        ("failed", "danger", False),
        ("stopped", "warning", False),
        ("lost contact", "warning", False),
    ],
)
def test_only_a_bar_that_still_runs_may_be_unknown(stage: Any, style: str, is_unknown: bool) -> None:
    bar = WidgetSink(placed=True).box
    bar.show(ProgressEvent(stage, GRADES, 7, "running", text="for a reason"))
    assert (bar.bar.bar_style, "crn-unknown" in bar._track._dom_classes) == (style, is_unknown)
    shown = "for a reason" in bar.label.value
    assert shown == (not is_unknown)
    if stage == "waiting":
        bar.show(ProgressEvent(stage, GRADES, 7, "running", fraction=0.1))
        assert "crn-unknown" not in bar._track._dom_classes


def test_the_widget_escapes_all_text(output: Output) -> None:
    evil, sink = "<img src=x onerror=alert(1)>", WidgetSink()
    sink.show(ProgressEvent("note", GRADES, text=evil))
    sink.show(ProgressEvent("waiting", evil, 7, evil))
    sink.show(ProgressEvent("done", evil, 7, text=evil))
    written = [sink.box.notes.value, sink.box.label.value]
    sink.close()
    for html in (*written, output.shown[-1]["text/html"]):
        assert "<img" not in html
        assert "&lt;img" in html


@dataclass
class OwnSink:
    """A sink made by a user; as a data class, it is not hashable."""

    seen: list[ProgressEvent] = field(default_factory=list)

    def show(self, event: ProgressEvent) -> None:
        self.seen.append(event)

    def close(self) -> None:
        """Do nothing: nothing was opened."""


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
        ("auto", "auto", LogSink),
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


def test_a_users_sink_is_used_unchanged() -> None:
    sink = OwnSink()
    assert resolve(sink) is sink


@pytest.mark.parametrize(("argument", "environment"), [("bar", None), ("auto", "bar")])
def test_an_unknown_kind_of_progress_is_rejected(
    monkeypatch: pytest.MonkeyPatch, argument: Any, environment: str | None
) -> None:
    if environment:
        monkeypatch.setenv("CANVAS_REPORTS_PROGRESS", environment)
    with pytest.raises(ConfigurationError, match=r"'bar'.*\n.*widget"):
        resolve(argument)


@pytest.mark.parametrize(
    ("kernel", "server", "kind"),
    [
        (SimpleNamespace(_allow_stdin=True), "", WidgetSink),
        (SimpleNamespace(), "", WidgetSink),
        (SimpleNamespace(_allow_stdin=False), "", LogSink),
        (SimpleNamespace(_allow_stdin=False), "voila/0.5", WidgetSink),
        (None, "", LogSink),
    ],
    ids=["lab", "other-kernel", "machine", "voila", "no-kernel"],
)
def test_a_kernel_gets_the_widget_if_a_person_sees_it(
    monkeypatch: pytest.MonkeyPatch, kernel: Any, server: str, kind: type[object]
) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", server)
    shell = SimpleNamespace(kernel=kernel)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: False))
    assert isinstance(resolve("auto"), kind)


@pytest.mark.parametrize("version", [None, "7.7.1"], ids=["missing", "old"])
def test_a_kernel_whose_widgets_are_too_old_gets_a_bar_of_text(
    monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=True))
    ipython = SimpleNamespace(__version__="7.34.0", get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "ipywidgets", version and SimpleNamespace(__version__=version))
    assert isinstance(resolve("auto"), TqdmSink)
    with pytest.raises(ConfigurationError, match=r"IPython 7\.34.*\n.*%pip install"):
        resolve("widget")


def test_marimo_shows_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: True))
    monkeypatch.setattr("logging.Logger.isEnabledFor", lambda *_: False)
    resolve("auto").show(ProgressEvent("done", "lti_report_csv", 7, text="3 rows"))
    assert capsys.readouterr().err.endswith(" lti_report_csv run 7: 3 rows\n")
