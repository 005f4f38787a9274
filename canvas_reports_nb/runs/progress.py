"""Progress as events, and the sinks that show them. A sink only shows: it never drives the timing.

The job emits `ProgressEvent`; what shows it is a terminal bar, log lines, nothing, or a
widget found by its entry point (``canvas_reports_nb.runs.progress``), so that this module
knows neither IPython nor ipywidgets.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

from canvas_reports_nb.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tqdm import tqdm


_LOG = logging.getLogger(__name__)
_GROUP = "canvas_reports_nb.runs.progress"

Stage = Literal["waiting", "downloading", "reading", "done", "note"]


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """One thing worth showing.

    Attributes
    ----------
    stage : {"waiting", "downloading", "reading", "done", "note"}
        A ``note`` carries only ``text``.
    report : str
    run_id : int or None
    status : str
        The run's state in Canvas's word.
    fraction : float or None
        0 to 1 of this stage; ``None`` where nobody knows.
    rows : int or None
        Rows written so far on the server, or bytes received while downloading.
    queued, running : float
        Seconds spent in the queue, and at work.
    next_poll : float or None
        Seconds to the next question to the server.
    usual : tuple of float or None
        The shortest and the longest time at work of earlier runs, in seconds.
    text : str
    runs : tuple of RunProgress
        Of many runs at once the table of all; the other fields then tell of them together.
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
    def facts(self) -> tuple[str, ...]:
        """The event in words, the state first, then what is known of it."""
        match self.stage:
            case "note" | "done":
                parts = [self.text]
            case "downloading":
                parts = ["downloading", f"{(self.rows or 0) / 1e6:,.1f} MB"]
            case "waiting":
                parts = [{"created": "queued"}.get(self.status, self.status), *self._times()]
                parts.append(f"{self.rows:,} rows" if self.rows else "")
                parts.append(f"earlier runs took {_span(self.usual)}" if self.usual else "")
            case _:
                parts = [self.stage]
        return tuple(part for part in parts if part)

    @property
    def sentence(self) -> str:
        """The facts in one line, for a bar's end or a log line."""
        return ", ".join(self.facts)

    def _times(self) -> list[str]:
        """The queue's time apart from that at work."""
        queue = f"in the queue for {self.queued:.0f} s" if self.queued else ""
        work = f"at work for {self.running:.0f} s" if self.running else ""
        return [queue, work]


def _span(usual: tuple[float, float]) -> str:
    """A range in words: ``5 to 40 s``, ``3 to 12 min``."""
    shortest, longest = usual
    unit, name = (60.0, "min") if longest >= 120 else (1.0, "s")  # noqa: PLR2004 - where minutes read better
    low, high = round(shortest / unit), round(longest / unit)
    return f"{high} {name}" if low == high else f"{low} to {high} {name}"


class ProgressSink(Protocol):
    """Anything that shows progress: one method to show an event, one to let go."""

    def show(self, event: ProgressEvent) -> None:
        """Show one event."""

    def close(self) -> None:
        """Let go of what was opened; may be called twice."""


Progress: TypeAlias = Literal["auto", "widget", "tqdm", "log", False] | ProgressSink


class NullSink:
    """Shows nothing."""

    def show(self, event: ProgressEvent) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to let go of."""


class LogSink:
    """One log line a change, at level INFO, for cron, papermill and nbconvert.

    Parameters
    ----------
    aloud : bool
        Write the lines to stderr where logging is not set up to show them. By itself the package keeps to
        logging: cron sends a mail for every word, and a notebook run by a machine is kept.
    """

    def __init__(self, *, aloud: bool = False) -> None:
        self._aloud = aloud
        self._last = ("", "", -1)
        self._runs: tuple[RunProgress, ...] = ()

    def show(self, event: ProgressEvent) -> None:
        """Log an event unless nothing but the seconds changed; of many runs those whose state has."""
        for run in changed(self._runs, event.runs) if event.runs else ():
            self._say(f"{_subject(run.request, run.run_id)}: {run.sentence}")
        self._runs = event.runs or self._runs
        tenth = -1 if event.fraction is None else int(event.fraction * 10)
        key = (event.stage, "" if event.runs else event.status, tenth)
        if event.stage == "note" or key != self._last:
            self._say(f"{_subject(event.report, event.run_id)}: {event.sentence}")
        self._last = key

    def _say(self, line: str) -> None:
        _LOG.info("%s", line)
        if self._aloud and sys.stderr is not None and not _is_heard():
            print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)  # noqa: T201 - asked for

    def close(self) -> None:
        """Nothing to let go of."""


def _subject(what: str, run_id: int | None) -> str:
    return what if run_id is None else f"{what} run {run_id}"


def _is_heard() -> bool:
    """Whether a handler somebody set up takes our log lines."""
    logger: logging.Logger | None = _LOG
    heard = []
    while logger is not None and _LOG.isEnabledFor(logging.INFO):
        heard += [each for each in logger.handlers if not isinstance(each, logging.NullHandler)]
        logger = logger.parent if logger.propagate else None
    return any(handler.level <= logging.INFO for handler in heard)


class TqdmSink:
    """A bar in the terminal, on stderr."""

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
        if event.fraction is not None:
            self._bar.n = round(event.fraction * 100)
        self._bar.set_postfix_str(event.sentence, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the last state of the bar standing."""
        self._table.close()
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def resolve(progress: Progress | bool | None = "auto") -> ProgressSink:
    """The sink for a ``progress=`` argument.

    ``"auto"`` asks ``CANVAS_REPORTS_PROGRESS`` first; then a widget in a notebook somebody looks at, a bar
    where stderr is a terminal, and elsewhere (cron, papermill, nbconvert) log lines, which are seen where
    logging is set up. ``"log"``, asked for by argument or variable, is seen in any case.

    Raises
    ------
    ConfigurationError
        A name nobody registered.
    """
    if progress is None or progress is True or progress == "auto":
        progress = cast("Progress", os.environ.get("CANVAS_REPORTS_PROGRESS") or "auto")
        if progress == "auto":
            return _fitting()
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
            return LogSink(aloud=True)
        case "widget":
            from canvas_reports_nb.notebook.progress_bar import WidgetSink  # noqa: PLC0415 - only a notebook has one

            return WidgetSink()
    raise ConfigurationError(
        f"Unknown progress={name!r}.",
        hint='Use "auto", "widget", "tqdm", "log", False, or an object with show(event) and close().',
    )


def _fitting() -> ProgressSink:
    # Asking the loaded module, not importing it, keeps a plain script free of IPython.
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    if kernel is not None:
        return _named("widget") if _is_watched(kernel) else LogSink()
    return TqdmSink() if sys.stderr is not None and sys.stderr.isatty() else LogSink()


def _is_watched(kernel: Any) -> bool:
    """Whether somebody looks on: what papermill, nbconvert and nbclient send takes no input.

    So does Voila, but it shows what it runs to a reader.
    """
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila") or getattr(kernel, "_allow_stdin", True)


HEADER = ("request", "run", "state", "progress", "rows", "elapsed")
# States a run is in for a moment only, on the way from the server to the disk.
_MOMENTS = frozenset({"complete", "reading"})
_ENDED = frozenset({"done", "failed"})
# More would not fit a small terminal; the overall bar counts the others.
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RunProgress:
    """One run of many, as a table shows it.

    Attributes
    ----------
    request : str
        Report, account and parameters in a few words.
    run_id : int or None
        ``None`` until it is started.
    state : str
        ``waiting`` for its turn here, ``queued`` on Canvas, Canvas's own word, ``downloading``, ``done``,
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
        """The line in words, one for each of `HEADER`."""
        return (
            self.request,
            "" if self.run_id is None else str(self.run_id),
            self.state,
            "" if self.fraction is None else f"{self.fraction:.0%}",
            "" if self.rows is None else f"{self.rows:,}",
            f"{self.elapsed:.0f} s" if self.elapsed else "",
        )

    @property
    def sentence(self) -> str:
        """The line without its request, for a log."""
        words = [self.state, self.cells[3], f"{self.rows:,} rows" if self.rows else "", self.cells[5]]
        return ", ".join(word for word in words if word)


def changed(before: Sequence[RunProgress], now: Sequence[RunProgress]) -> list[RunProgress]:
    """The lines whose state is another than it was, and lasts."""
    was = [line.state for line in before] or ["waiting"] * len(now)
    return [line for line, old in zip(now, was, strict=True) if line.state not in {old, *_MOMENTS}]


class TerminalTable:
    """The runs at work as a table on stderr, an overall bar above it; what has ended scrolls away above both."""

    def __init__(self) -> None:
        self._overall: tqdm[Any] | None = None
        self._rows: list[tqdm[Any]] = []
        self._last: Sequence[RunProgress] = ()

    def show(self, fraction: float | None, sentence: str, lines: Sequence[RunProgress]) -> None:
        """Bring the table up to date."""
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
        """Take the table away and leave the bar standing; may be called twice."""
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
