"""Progress as events, and the sinks that show them: a terminal bar or table, log lines, a widget, or nothing.

A sink only shows; it never drives the timing.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

from canvas_reports_nb.exceptions import (
    ConfigurationError,
    RunAbortedError,
    ServerError,
    UnexpectedAnswerError,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tqdm import tqdm


_LOG = logging.getLogger(__name__)

Stage = Literal["waiting", "downloading", "reading", "done", "stopped", "failed", "lost contact", "note"]
ENDS: tuple[Stage, ...] = ("done", "stopped", "failed", "lost contact")
_STATES = {"created": "waiting in Canvas's queue", "compiling": "preparing the file"}
_STEPS = ("created", "running", "compiling", "downloading", "reading")


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """The progress of one run, or of many together.

    Attributes
    ----------
    stage : {"waiting", "downloading", "reading", "done", "stopped", "failed", "lost contact", "note"}
        A ``note`` carries only ``text``.
    report : str
    run_id : int or None
    status : str
        Canvas's word for the run's state.
    fraction : float or None
        0 to 1 of this stage; ``None`` if unknown.
    rows : int or None
        Rows that Canvas has written, or bytes received while downloading.
    queued, running : float
        Seconds in Canvas's queue, and running.
    next_poll : float or None
        Seconds until Canvas is asked again.
    usual : tuple of float or None
        How long earlier runs took, without the queue: shortest and longest, in seconds.
    text : str
    runs : tuple of RunProgress
        One line per run if there are many; the other fields then describe all of them together.
    """

    stage: Stage
    report: str
    run_id: int | None = None
    status: str = ""
    fraction: float | None = None
    rows: int | None = None
    queued: float = 0.0
    running: float = 0.0
    next_poll: float | None = None
    usual: tuple[float, float] | None = None
    text: str = ""
    runs: tuple[RunProgress, ...] = ()

    @property
    def state(self) -> str:
        """The state in words: the same in a widget, a terminal and a log."""
        return _STATES.get(self.status, self.status) if self.stage == "waiting" else self.stage

    @property
    def step(self) -> str:
        """Which of the five steps of a run this is; empty for a state this version does not know."""
        name = self.status if self.stage == "waiting" else self.stage
        return f"step {_STEPS.index(name) + 1} of {len(_STEPS)}" if name in _STEPS else ""

    @property
    def left(self) -> float | None:
        """Estimated seconds until the file is ready; ``None`` if neither Canvas nor earlier runs give one."""
        if self.stage != "waiting" or not self.running:
            return None
        if self.fraction and self.fraction < 1:
            return self.running * (1 - self.fraction) / self.fraction
        rest = sum(self.usual) / 2 - self.running if self.usual else 0.0
        return rest if rest > 0 else None

    @property
    def share(self) -> float | None:
        """How much of this step is done, 0 to 1: Canvas's percentage, or else an estimate from earlier runs."""
        if self.stage == "waiting" and not self.fraction and self.running and self.usual:
            return min(self.running / max(sum(self.usual) / 2, 1.0), 0.95)
        return self.fraction

    @property
    def facts(self) -> tuple[str, ...]:
        """The event in words, the state first."""
        match self.stage:
            case "note" | "done":
                parts = [self.text]
            case "downloading":
                parts = ["downloading", f"{(self.rows or 0) / 1e6:,.1f} MB"]
            case "waiting":
                spent = self.queued + self.running
                parts = [self.state, f"{span(spent)} elapsed" if spent else ""]
                parts.append(f"{self.rows:,} rows" if self.rows else "")
                parts.append("" if self.left is None else f"about {span(self.left, rough=True)} left")
                parts.append(f"earlier runs took {_range(self.usual)}" if self.usual else "")
            case _:
                parts = [self.stage, self.text if self.stage in ENDS else ""]
        return tuple(printable(part).replace("\n", " ") for part in parts if part)

    @property
    def sentence(self) -> str:
        """The facts in one line, for a bar's end or a log line."""
        return ", ".join(self.facts)


def ended(error: Exception) -> Stage | None:
    """Return how a run ended that raised this error; ``None`` if only the wait for it has ended."""
    if isinstance(error, RunAbortedError):
        return "stopped"
    if isinstance(error, TimeoutError):
        return None
    is_lost = isinstance(error, ServerError) and not isinstance(error, UnexpectedAnswerError)
    return "lost contact" if is_lost else "failed"


def span(seconds: float, *, rough: bool = False) -> str:
    """Return a duration in words: ``40 s``, ``4 min 40 s``, ``1 h 5 min``; ``rough`` leaves out the seconds."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - where minutes begin
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes >= 60:  # noqa: PLR2004 - where hours begin
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    if rough:
        return f"{round(seconds / 60)} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _range(usual: tuple[float, float]) -> str:
    """A range in words: ``5 to 40 s``, ``3 to 12 min``."""
    shortest, longest = usual
    unit, name = (60.0, "min") if longest >= 120 else (1.0, "s")  # noqa: PLR2004 - where minutes read better
    low, high = round(shortest / unit), round(longest / unit)
    return f"{high} {name}" if low == high else f"{low} to {high} {name}"


class ProgressSink(Protocol):
    """Anything that shows progress."""

    def show(self, event: ProgressEvent) -> None:
        """Show one event."""

    def close(self) -> None:
        """Release what was opened; may be called twice."""


Progress: TypeAlias = Literal["auto", "widget", "tqdm", "log", False] | ProgressSink


class NullSink:
    """Shows nothing."""

    def show(self, event: ProgressEvent) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing: nothing was opened."""


class LogSink:
    """Writes one log line per change, at level INFO, for cron, papermill and nbconvert.

    Parameters
    ----------
    to_stderr : bool
        Also write the lines to stderr if no log handler shows them. By default they only go to the log, because
        cron mails everything a job prints.
    """

    def __init__(self, *, to_stderr: bool = False) -> None:
        self._to_stderr = to_stderr
        self._last = ("", "", -1)
        self._runs: tuple[RunProgress, ...] = ()

    def show(self, event: ProgressEvent) -> None:
        """Log an event if more than the seconds changed; of many runs, those whose state changed."""
        for run in changed(self._runs, event.runs) if event.runs else ():
            self._write(f"{_subject(run.request, run.run_id)}: {run.sentence}")
        self._runs = event.runs or self._runs
        tenth = -1 if event.fraction is None else int(event.fraction * 10)
        key = (event.stage, "" if event.runs else event.status, tenth)
        if event.stage == "note" or key != self._last:
            self._write(f"{_subject(event.report, event.run_id)}: {event.sentence}")
        self._last = key

    def _write(self, line: str) -> None:
        _LOG.info("%s", line)
        if self._to_stderr and sys.stderr is not None and not _is_logged():
            print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)  # noqa: T201 - asked for

    def close(self) -> None:
        """Do nothing: nothing was opened."""


def _subject(what: str, run_id: int | None) -> str:
    return what if run_id is None else f"{what} run {run_id}"


def _is_logged() -> bool:
    """Whether a log handler shows our lines."""
    logger: logging.Logger | None = _LOG
    handlers: list[logging.Handler] = []
    while logger is not None and _LOG.isEnabledFor(logging.INFO):
        handlers += [each for each in logger.handlers if not isinstance(each, logging.NullHandler)]
        logger = logger.parent if logger.propagate else None
    return any(handler.level <= logging.INFO for handler in handlers)


class TqdmSink:
    """Shows a bar in the terminal, on stderr."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._table = TerminalTable()

    def show(self, event: ProgressEvent) -> None:
        """Move the bar; a note goes above it."""
        from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

        if event.stage == "note":
            tqdm.write(event.sentence, file=sys.stderr)
            return
        if event.runs:
            self._table.show(event.fraction, event.sentence, event.runs)
            return
        run = f" #{event.run_id}" if event.run_id else ""
        if self._bar is None:
            self._bar = tqdm(
                desc=f"{event.report}{run}",
                total=100,
                file=sys.stderr,
                dynamic_ncols=True,
                bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}",
            )
        self._bar.set_description_str(f"{event.report}{run}", refresh=False)
        if event.share is not None:
            self._bar.n = round(event.share * 100)
        self._bar.set_postfix_str(event.sentence, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the bar in its last state."""
        self._table.close()
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def resolve(progress: Progress | bool | None = "auto") -> ProgressSink:
    """Return the sink for a ``progress=`` argument.

    ``"auto"`` follows ``CANVAS_REPORTS_PROGRESS`` if it is set. Otherwise it is a widget in an interactive notebook, a
    bar of text if stderr is a terminal or the kernel's ipywidgets is too old, and log lines elsewhere (cron, papermill,
    nbconvert). ``"log"`` also writes to stderr, as in marimo, which has no widgets of this kind.
    """
    if progress is None or progress is True or progress == "auto":
        progress = cast("Progress", os.environ.get("CANVAS_REPORTS_PROGRESS") or "auto")
        if progress == "auto":
            return _automatic()
    if progress is False:
        return NullSink()
    return _named(progress) if isinstance(progress, str) else progress


def _named(name: str) -> ProgressSink:
    match name:
        case "off" | "none" | "false" | "0":
            return NullSink()
        case "tqdm":
            return TqdmSink()
        case "log":
            return LogSink(to_stderr=True)
        case "widget":
            from canvas_reports_nb.notebook import load  # noqa: PLC0415 - only a notebook needs it

            return cast("ProgressSink", load("progress_bar", 'progress="widget"').WidgetSink())
    raise ConfigurationError(
        f"Unknown progress={name!r}.",
        hint='Use "auto", "widget", "tqdm", "log", False, or an object with show(event) and close().',
    )


def _automatic() -> ProgressSink:
    # Look for a loaded IPython instead of importing it, so that a script stays free of it.
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    if kernel is not None and _is_interactive(kernel):
        try:
            return _named("widget")
        except ConfigurationError:  # an old kernel, as in Colab: it shows a bar of text
            return TqdmSink()
    if kernel is None and sys.stderr is not None and sys.stderr.isatty():
        return TqdmSink()
    marimo = sys.modules.get("marimo")
    return LogSink(to_stderr=marimo is not None and marimo.running_in_notebook())


def _is_interactive(kernel: Any) -> bool:
    """Whether a person sees the output: papermill, nbconvert and nbclient allow no input.

    Voila allows none either, but shows the output to its reader.
    """
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila") or getattr(kernel, "_allow_stdin", True)


HEADER = ("request", "run", "state", "progress", "rows", "elapsed")
# States that last only a moment, between the server and the disk.
_MOMENTS = frozenset({"complete", "reading"})
_ENDED = frozenset({"done", "failed"})
# More would not fit a small terminal; the bar above counts the others.
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RunProgress:
    """One run of many, as a line of a table.

    Attributes
    ----------
    request : str
        Report, account and parameters in a few words.
    run_id : int or None
        ``None`` until it is started.
    state : str
        ``waiting`` (for its turn here), ``queued`` (in Canvas), Canvas's own word, ``downloading``, ``done`` or
        ``failed``.
    fraction : float or None
        0 to 1 of this state.
    rows : int or None
    elapsed : float
        Seconds since it was started or joined.
    """

    request: str
    run_id: int | None = None
    state: str = "waiting"
    fraction: float | None = None
    rows: int | None = None
    elapsed: float = 0.0

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as texts, one per column of `HEADER`."""
        return (
            printable(self.request).replace("\n", " "),
            "" if self.run_id is None else str(self.run_id),
            printable(self.state).replace("\n", " "),
            "" if self.fraction is None else f"{self.fraction:.0%}",
            "" if self.rows is None else f"{self.rows:,}",
            f"{self.elapsed:.0f} s" if self.elapsed else "",
        )

    @property
    def sentence(self) -> str:
        """The line for a log, without its request."""
        words = [self.cells[2], self.cells[3], f"{self.rows:,} rows" if self.rows else "", self.cells[5]]
        return ", ".join(word for word in words if word)


def changed(before: Sequence[RunProgress], now: Sequence[RunProgress]) -> list[RunProgress]:
    """Return the lines whose state has changed to one that lasts."""
    was = [line.state for line in before] or ["waiting"] * len(now)
    return [line for line, old in zip(now, was, strict=True) if line.state not in {old, *_MOMENTS}]


class TerminalTable:
    """A table of the active runs on stderr below one bar for all; ended runs scroll away above both."""

    def __init__(self) -> None:
        self._overall: tqdm[Any] | None = None
        self._rows: list[tqdm[Any]] = []
        self._last: Sequence[RunProgress] = ()

    def show(self, fraction: float | None, sentence: str, lines: Sequence[RunProgress]) -> None:
        """Update the table."""
        from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

        for line in changed(self._last, lines):
            if line.state in _ENDED:
                tqdm.write("  ".join(filter(None, line.cells)), file=sys.stderr)
        self._last = lines
        if self._overall is None:
            form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
            self._overall = tqdm(
                desc="all runs", total=100, file=sys.stderr, bar_format=form, dynamic_ncols=True
            )
        self._overall.n = round((fraction or 0.0) * 100)
        self._overall.set_postfix_str(sentence, refresh=False)
        self._overall.refresh()
        self._show_rows([line for line in lines if line.state not in _ENDED | {"waiting"}][:_SHOWN])

    def _show_rows(self, lines: Sequence[RunProgress]) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

        for place in range(len(self._rows), len(lines)):
            row = tqdm(
                position=place + 1, leave=False, bar_format="{desc}", file=sys.stderr, dynamic_ncols=True
            )
            self._rows.append(row)
        texts = [*_aligned(lines), *[""] * (len(self._rows) - len(lines))]
        for row, text in zip(self._rows, texts, strict=True):
            row.set_description_str(text)

    def close(self) -> None:
        """Remove the table and leave the bar; may be called twice."""
        for row in self._rows:
            row.close()
        self._rows.clear()
        if self._overall is not None:
            self._overall.close()
            self._overall = None


def _aligned(lines: Iterable[RunProgress]) -> list[str]:
    cells = [line.cells for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
