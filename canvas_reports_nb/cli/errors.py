"""Errors as one line with what to do and no traceback; and the exit codes."""

from __future__ import annotations

import re
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
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_SAME_CALL = "the same call (without --max-age 0)"
# The hints of errors and interrupts name calls in Python; these are the shell's.
_COMMANDS = {
    r"canvas\.attach\('([^']+)', (\d+)\)\.result\(\)": (
        rf"{_SAME_CALL}, or canvas-reports status \1 \2 to check on it."
    ),
    r"canvas\.read_reports\(requests\)( goes on from here)?\.?": f"{_SAME_CALL}.",
    r"canvas\.history\(report\)": "canvas-reports history REPORT",
    r"canvas\.reports\(\)": "canvas-reports list",
    r"canvas\.store\.clear\(\)": "canvas-reports store clear",
    r"\btable='([^']+)'": r"-t \1",
    r"\btimeout=": "--timeout",
    r"\bshared=True": "--shared",
}


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error of ours in one line and exit with its code."""
    try:
        yield
    except (CanvasReportsError, DemoUnavailableError) as error:
        print_error(error)
        raise click.exceptions.Exit(_code(error)) from None
    except KeyboardInterrupt as interrupt:
        for note in getattr(interrupt, "__notes__", ["Interrupted."]):
            click.echo(plain(_for_shell(note)), err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


def print_error(error: Exception) -> None:
    """Print an error in one line on stderr."""
    report = getattr(error, "report", None)
    text = _for_shell(str(error)).replace("history REPORT", f"history {report or 'REPORT'}")
    click.echo(f"Error: {plain(text)}", err=True)


def _for_shell(text: str) -> str:
    for python, command in _COMMANDS.items():
        text = re.sub(python, command, text)
    return text


def _code(error: Exception) -> int:
    match error:
        case ParameterError() | NotFoundError() | TableError():
            return WRONG_CALL
        case WaitTimeoutError() | NotStartedError() | StoreLockedError():
            return STILL_RUNNING
    return FAILED
