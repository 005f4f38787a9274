"""The shell: what the connection does, with words around it. No logic of its own.

The token comes from the environment, the keyring or a prompt, never from the command line,
where every user of the machine sees it.
"""

from __future__ import annotations

import logging
import sys

import click

from canvas_reports_nb.cli import demo, files, run, runs
from canvas_reports_nb.cli.errors import EXIT_CODES
from canvas_reports_nb.cli.output import telling_warnings
from canvas_reports_nb.settings import __version__

_COMPLETION = """
\b
Completion of commands, options and reports, in bash (or zsh, fish):
  eval "$(_CANVAS_REPORTS_COMPLETE=bash_source canvas-reports)"
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES + _COMPLETION)
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Log lines on stderr.")
@click.pass_context
def cli(context: click.Context, *, verbose: bool) -> None:
    """Canvas LMS account reports as correctly typed tables.

    Set CANVAS_API_URL and CANVAS_API_TOKEN to reach a Canvas; `demo` needs neither. Where stderr is no
    terminal (cron), there is no bar and no word of success: only warnings and errors, one line each.
    """
    context.with_resource(telling_warnings())
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")


for command in (
    runs.list_,
    run.run,
    runs.history,
    runs.status,
    runs.abort,
    runs.delete,
    files.file,
    files.store,
    demo.doctor,
    demo.demo,
):
    cli.add_command(command)
