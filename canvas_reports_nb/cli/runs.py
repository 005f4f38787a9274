"""The commands list, terms, accounts, history, status, abort and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from canvas_reports_nb.canvas_api.models import RunStatus
from canvas_reports_nb.cli.errors import FAILED, STILL_RUNNING, exit_on_error
from canvas_reports_nb.cli.options import connecting, connection, json_option, report_argument, yes_option
from canvas_reports_nb.cli.output import facts_of, notice, print_facts, print_table
from canvas_reports_nb.runs.listings import history_frame

if TYPE_CHECKING:
    from canvas_reports_nb.runs.job import ReportJob

_SHOWN = ("run_id", "status", "created_at", "ended_at", "rows", "parameters")
_TERMS_SHOWN = ("term_id", "name", "sis_term_id", "start_at", "end_at", "state", "is_current")


@click.command("list")
@json_option
@connecting
def list_(account: str, *, as_json: bool, on_demo: bool) -> None:
    """List the reports this account offers."""
    with exit_on_error(), connection(account, on_demo=on_demo) as canvas:
        print_table(canvas.reports(), ("report", "title", "parameters"), as_json=as_json, header=False)


@click.command()
@json_option
@connecting
def terms(account: str, *, as_json: bool, on_demo: bool) -> None:
    """List the terms, newest first."""
    with exit_on_error(), connection(account, on_demo=on_demo) as canvas:
        print_table(canvas.terms(), _TERMS_SHOWN, as_json=as_json)


@click.command()
@json_option
@connecting
def accounts(account: str, *, as_json: bool, on_demo: bool) -> None:
    """List the account and all accounts below it."""
    with exit_on_error(), connection(account, on_demo=on_demo) as canvas:
        print_table(canvas.accounts(), ("account_id", "sis_account_id", "path"), as_json=as_json)


@click.command()
@report_argument
@json_option
@connecting
def history(report: str, account: str, *, as_json: bool, on_demo: bool) -> None:
    """List the runs of REPORT, newest first."""
    with exit_on_error(), connection(account, on_demo=on_demo) as canvas:
        past = canvas.history(report)
        print_table(past, _SHOWN, as_json=as_json)
    if past.empty:
        notice(f"Account {account} has no runs of {report}.")


@click.command()
@report_argument
@click.argument("run_id", type=int)
@json_option
@connecting
@click.pass_context
def status(
    context: click.Context, report: str, run_id: int, account: str, *, as_json: bool, on_demo: bool
) -> None:
    """Show the status of a run of REPORT.

    The exit code is 0 if it is complete, 3 if it is still running, and 1 if it ended without a file.
    """
    with exit_on_error(), connection(account, on_demo=on_demo) as canvas:
        job = canvas.attach(report, run_id)
        _print_run(job, as_json=as_json)
    if not job.run.is_complete:
        context.exit(FAILED if job.run.is_ended else STILL_RUNNING)


@click.command()
@report_argument
@click.argument("run_id", type=int)
@json_option
@connecting
def abort(report: str, run_id: int, account: str, *, as_json: bool, on_demo: bool) -> None:
    """Stop a run of REPORT, unless it has ended."""
    with exit_on_error(), connection(account, on_demo=on_demo) as canvas:
        _print_run(canvas.attach(report, run_id).abort(), as_json=as_json)


@click.command()
@report_argument
@click.argument("run_id", type=int)
@yes_option
@json_option
@connecting
def delete(report: str, run_id: int, account: str, *, yes: bool, as_json: bool, on_demo: bool) -> None:
    """Delete a run of REPORT from Canvas, for everybody; the copy on this disk is kept."""
    with exit_on_error(), connection(account, on_demo=on_demo) as canvas:
        job = canvas.attach(report, run_id)
        if not yes:
            click.confirm(f"Delete run {run_id} of {report} from {canvas.url}?", abort=True, err=True)
        _print_run(job.delete(), as_json=as_json)


def _print_run(job: ReportJob, *, as_json: bool) -> None:
    run = job.run
    (facts,) = facts_of(history_frame(run.report, [run]))
    if run.status == RunStatus.ERROR:
        facts["reason"] = run.reason
    print_facts({"report": run.report, **facts}, as_json=as_json)
