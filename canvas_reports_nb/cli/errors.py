"""Errors as one line with what to do and no traceback; and the exit codes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from canvas_reports_nb.cli.output import plain
from canvas_reports_nb.demo_canvas import DemoUnavailableError
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    NotFoundError,
    NotStartedError,
    ParameterError,
    StoreLockedError,
    TableError,
    UnknownRunError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from canvas_reports_nb.runs.progress import ProgressEvent, ProgressSink

FAILED, WRONG_CALL, STILL_RUNNING, PARTLY = 1, 2, 3, 4
INTERRUPTED = 130  # as in every shell: 128 and the number of the signal
EXIT_CODES = """
\b
Exit codes:
  0  done
  1  a run or a check failed, or another error occurred
  2  the call is wrong: an option, a parameter or a name
  3  --timeout has passed; the runs continue, and the same call (without --max-age 0) attaches to them later
  4  some of many runs failed; the others were written
  130  interrupted (Ctrl-C); runs that were started continue
"""
_GET_LATER = "To get the result later, run the same command (without --max-age 0)"


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error of ours in one line and exit with its code."""
    try:
        yield
    except (CanvasReportsError, DemoUnavailableError) as error:
        print_error(error)
        raise click.exceptions.Exit(_code(error)) from None
    except KeyboardInterrupt as interrupt:
        if not getattr(interrupt, "__notes__", None):  # else `ShellProgress` has printed what was interrupted
            click.echo("Interrupted.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


class ShellProgress:
    """Progress whose note of an interrupt is in the shell's words: it names the runs that were not stopped."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._last: ProgressEvent | None = None
        self._pending = ""

    def show(self, event: ProgressEvent) -> None:
        """Show the event, or keep the shell's note for the end."""
        if event.stage == "note" and event.text.startswith("Interrupted"):
            self._pending = self._note(event)
        else:
            self._sink.show(event)
            self._last = event if event.runs else self._last

    def _note(self, event: ProgressEvent) -> str:
        if event.run_id is not None:
            status = f"canvas-reports status {event.report} {event.run_id}"
            return f"Interrupted. Run {event.run_id} was not stopped. {_GET_LATER}; to check on it: {status}"
        runs = self._last.runs if self._last else ()
        ids = [str(run.run_id) for run in runs if run.run_id and run.state not in ("done", "failed")]
        return (
            f"Interrupted. These runs were not stopped: {', '.join(ids)}. {_GET_LATER}."
            if ids
            else "Interrupted."
        )

    def close(self) -> None:
        """Close the progress, and print the note below it."""
        self._sink.close()
        if self._pending:
            click.echo(self._pending, err=True)
            self._pending = ""


def print_error(error: Exception) -> None:
    """Print an error in one line on stderr."""
    text, hint = str(error), getattr(error, "hint", None)
    if hint:
        command = _next_command(error) or hint
        for lister in ("terms", "accounts"):
            command = command.replace(f"canvas.{lister}()", f"canvas-reports {lister}")
        text = text.removesuffix(hint) + command
    click.echo(f"Error: {plain(text)}", err=True)


def _next_command(error: Exception) -> str | None:
    """Return what to do next if that is another command; the error's own hint is in Python."""
    match error:
        case WaitTimeoutError(report=report, run_id=run_id):
            return f"{_GET_LATER}; to check on it: canvas-reports status {report} {run_id}"
        case NotStartedError():
            return "Use a larger --timeout. If Canvas queued the run anyway, the same command attaches to it."
        case UnknownRunError(report=report):
            return f"Choose one of the runs that canvas-reports history {report} lists."
        case TableError(tables=[first, *_]):
            return f"Choose one, for example -t {first}."
    if type(error) is NotFoundError:
        return "Check the account and the report. canvas-reports list shows the available reports."
    return None


def _code(error: Exception) -> int:
    match error:
        case ParameterError() | NotFoundError() | TableError():
            return WRONG_CALL
        case WaitTimeoutError() | NotStartedError() | StoreLockedError():
            return STILL_RUNNING
    return FAILED
