"""Progress as events, and the sinks that show them. A sink only shows: it never drives the timing.

The job emits `ProgressEvent`; what shows it is a terminal bar, log lines, nothing, or a
widget found by its entry point (``canvas_reports_nb.progress``), so that this module
knows neither IPython nor ipywidgets.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

from canvas_reports_nb.exceptions import ConfigurationError
from canvas_reports_nb.run_lines import RunLine, TerminalTable, changed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from tqdm import tqdm

__all__ = ["LogSink", "NullSink", "Progress", "ProgressEvent", "ProgressSink", "TqdmSink", "resolve"]

_LOG = logging.getLogger(__name__)
_GROUP = "canvas_reports_nb.progress"

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
    runs : tuple of RunLine
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
    runs: tuple[RunLine, ...] = ()

    @property
    def sentence(self) -> str:
        """The event in words, for a bar's end, a log line, a label."""
        if self.stage == "note":
            return self.text
        parts = [self.status or self.stage]
        if self.stage == "waiting":
            parts[0] = {"created": "queued"}.get(self.status, self.status)
            if self.queued and not self.running:
                parts.append(f"in the queue for {self.queued:.0f} s")
            elif self.running:
                parts.append(f"at work for {self.running:.0f} s")
            if self.rows:
                parts.append(f"{self.rows:,} rows")
            if self.usual:
                parts.append(f"earlier runs took {_span(self.usual)}")
        elif self.stage == "downloading":
            parts = ["downloading", f"{(self.rows or 0) / 1e6:,.1f} MB"]
        elif self.stage == "done":
            parts = [self.text]
        return ", ".join(part for part in parts if part)


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
    """One log line a change, at level INFO, for cron, papermill and nbconvert."""

    def __init__(self) -> None:
        self._last = ("", "", -1)
        self._runs: tuple[RunLine, ...] = ()

    def show(self, event: ProgressEvent) -> None:
        """Log an event unless nothing but the seconds changed; of many runs those whose state has."""
        for line in changed(self._runs, event.runs) if event.runs else ():
            _LOG.info("%s run %s: %s", line.request, line.run_id or "-", line.sentence)
        self._runs = event.runs or self._runs
        tenth = -1 if event.fraction is None else int(event.fraction * 10)
        key = (event.stage, "" if event.runs else event.status, tenth)
        if event.stage == "note" or key != self._last:
            _LOG.info("%s run %s: %s", event.report, event.run_id or "-", event.sentence)
        self._last = key

    def close(self) -> None:
        """Nothing to let go of."""


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

    ``"auto"`` asks ``CANVAS_REPORTS_PROGRESS`` first; then a widget in a notebook kernel, a bar
    where stderr is a terminal, log lines elsewhere.

    Raises
    ------
    ConfigurationError
        A name nobody registered.
    """
    if progress is None or progress is True or progress == "auto":
        progress = cast("Progress", os.environ.get("CANVAS_REPORTS_PROGRESS") or _fitting())
    if progress is False:
        return NullSink()
    if not isinstance(progress, str):
        return progress
    if progress in {"off", "none", "false", "0"}:
        return NullSink()
    if progress in _BUILT_IN:
        return _BUILT_IN[progress]()
    for entry in _registered(progress):
        return cast("ProgressSink", entry.load()())
    raise ConfigurationError(
        f"progress={progress!r} is none of the ways to show progress.",
        hint='Use "auto", "widget", "tqdm", "log", False, or an object with show(event) and close().',
    )


_BUILT_IN: dict[str, type[TqdmSink | LogSink]] = {"tqdm": TqdmSink, "log": LogSink}


def _registered(name: str) -> EntryPoints:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and asked for only here

    return entry_points(group=_GROUP, name=name)


def _fitting() -> str:
    # Asking the loaded module, not importing it, keeps a plain script free of IPython.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is not None and _registered("widget"):
        return "widget"
    return "tqdm" if sys.stderr is not None and sys.stderr.isatty() else "log"
