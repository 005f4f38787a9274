"""Our errors as the shell shows them: one line, what to do included, no traceback; and the exit codes."""

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
    TableError,
    UnknownRunError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED, WRONG_CALL, GOES_ON, PARTLY = 1, 2, 3, 4
INTERRUPTED = 130  # as every shell counts: 128, and the signal's own number
EXIT_CODES = """
\b
Exit codes:
  0  done
  1  a run failed, a check found something, or something else went wrong
  2  the call itself is wrong: its options, the report's parameters, a name
  3  --timeout is over; the runs go on, and the same call later (without --max-age 0) joins them
  4  of many runs some failed; the finished ones are written
  130  interrupted (Ctrl-C); what was started goes on
"""
_JOINS = "the same call (without --max-age 0) joins it"
_IN_PYTHON = {
    re.compile(r"Later: canvas\.attach\('([^']+)', (\d+)\)\.result\(\)"): (
        rf"Later: {_JOINS}, canvas-reports status \1 \2 looks at it."
    ),
    re.compile(r"Later: canvas\.read_reports\(requests\)"): "Later: the same call (without --max-age 0)",
    re.compile(r"\bshared=True"): "--shared",
}


@contextmanager
def refusing() -> Iterator[None]:
    """Turn an error of ours into the shell's."""
    try:
        yield
    except (CanvasReportsError, DemoUnavailableError) as error:
        tell_error(error)
        raise click.exceptions.Exit(_code(error)) from None
    except KeyboardInterrupt as interrupt:
        for note in getattr(interrupt, "__notes__", ["Interrupted."]):
            click.echo(plain(_in_shell_words(note)), err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


def tell_error(error: Exception) -> None:
    """Say an error in one line on stderr."""
    click.echo(f"Error: {plain(_said(error))}", err=True)


def _in_shell_words(note: str) -> str:
    for python, words in _IN_PYTHON.items():
        note = python.sub(words, note)
    return note


def _code(error: Exception) -> int:
    match error:
        case ParameterError() | NotFoundError() | TableError():
            return WRONG_CALL
        case WaitTimeoutError() | NotStartedError():
            return GOES_ON
    return FAILED


def _said(error: Exception) -> str:
    """The error in words, its advice in those of the shell where the error's own are Python."""
    match error:
        case WaitTimeoutError(report=report, run_id=run_id):
            advice = f"Later {_JOINS}, canvas-reports status {report} {run_id} looks at it."
        case UnknownRunError(report=report):
            advice = f"canvas-reports history {report} lists the runs there are."
        case TableError(tables=[first, *_]):
            advice = f"Name one: -t {first}."
        case _:
            return _in_shell_words(str(error))
    return str(error).removesuffix(error.hint or "") + advice
