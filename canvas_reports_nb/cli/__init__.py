"""The command line: the calls of a connection as commands.

The token comes from the environment, the keyring or a prompt. It is never an option, because every user of a
machine can see its command lines.
"""

from __future__ import annotations

import logging
import sys

import click

from canvas_reports_nb.cli import demo, files, notebook, run, runs
from canvas_reports_nb.cli.errors import EXIT_CODES
from canvas_reports_nb.cli.output import one_line_warnings
from canvas_reports_nb.settings import __version__

_COMPLETION = """
\b
Completion of commands, options and reports, in bash (or zsh, fish):
  eval "$(_CANVAS_REPORTS_COMPLETE=bash_source canvas-reports)"
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES + _COMPLETION)
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Print log lines on stderr.")
@click.pass_context
def cli(context: click.Context, *, verbose: bool) -> None:
    """Canvas LMS account reports as correctly typed tables.

    Set CANVAS_API_URL and CANVAS_API_TOKEN to reach a Canvas; `demo` needs neither. If stderr is not a
    terminal, as in cron, only warnings and errors are printed, one line each.
    """
    context.with_resource(one_line_warnings())
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")


for command in (
    runs.list_,
    runs.terms,
    runs.accounts,
    run.run,
    runs.history,
    runs.status,
    runs.abort,
    runs.delete,
    files.file,
    files.store,
    notebook.notebook,
    demo.doctor,
    demo.demo,
):
    cli.add_command(command)
