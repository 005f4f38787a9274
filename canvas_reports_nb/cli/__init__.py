"""The command line: the calls of a connection as commands.

The token comes from the environment, the keyring or a prompt. It is never an option, because every user of a
machine can see its command lines.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module

import click

from canvas_reports_nb.cli.errors import EXIT_CODES
from canvas_reports_nb.cli.output import one_line_warnings
from canvas_reports_nb.settings import __version__

_COMPLETION = """
\b
Completion of commands, options and reports, in bash (or zsh, fish):
  eval "$(_CANVAS_REPORTS_COMPLETE=bash_source canvas-reports)"
"""


# Loaded on use: the list of commands waits neither for pandas nor for polars.
_COMMANDS = {
    "abort": ("runs.abort", "Stop a run of REPORT, unless it has ended."),
    "accounts": ("runs.accounts", "List the account and all accounts below it."),
    "delete": (
        "runs.delete",
        "Delete a run of REPORT from Canvas, for everybody; the copy on this disk is kept.",
    ),
    "demo": (
        "demo.demo",
        "Show the main calls on the Canvas that ships with the package; no token needed.",
    ),
    "doctor": ("demo.doctor", "Check the address, TLS, token, permissions, reports, store and versions."),
    "file": (
        "files.file",
        "Describe the report file PATH: its tables, rows, and the kind of every column.",
    ),
    "history": ("runs.history", "List the runs of REPORT, newest first."),
    "list": ("runs.list_", "List the reports this account offers."),
    "notebook": (
        "notebook.notebook",
        "Run a notebook of this package without opening it, and write the result as a notebook.",
    ),
    "run": ("run.run", "Run REPORT, or reuse a recent equal run, and write or show its table."),
    "status": ("runs.status", "Show the status of a run of REPORT."),
    "store": ("files.store", "List the stored runs and where they are; `store clear` removes them."),
    "terms": ("runs.terms", "List the terms, newest first."),
}


class _Commands(click.Group):
    """The commands, each loaded when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(".")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = {name: click.Command(name, help=text) for name, (_, text) in _COMMANDS.items()}
        click.Group(commands=shown).format_commands(ctx, formatter)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES + _COMPLETION
)
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
