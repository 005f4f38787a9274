"""The reports on offer, and the runs there are: look, stop, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from canvas_reports_nb.canvas_api.models import RunStatus
from canvas_reports_nb.cli.errors import FAILED, GOES_ON, refusing
from canvas_reports_nb.cli.options import connecting, connection, json_option, report_argument, yes_option
from canvas_reports_nb.cli.output import facts_of, notice, tell, tell_facts
from canvas_reports_nb.runs.listings import history_frame

if TYPE_CHECKING:
    from canvas_reports_nb.runs.job import ReportJob

_SHOWN = ("run_id", "status", "created_at", "ended_at", "rows", "parameters")


@click.command("list")
@json_option
@connecting
def list_(account: str, *, as_json: bool, on_demo: bool) -> None:
    """List the reports this account offers."""
    with refusing(), connection(account, on_demo=on_demo) as canvas:
        tell(canvas.reports(), ("report", "title", "parameters"), as_json=as_json, header=False)


@click.command()
@report_argument
@json_option
@connecting
def history(report: str, account: str, *, as_json: bool, on_demo: bool) -> None:
    """List the runs of REPORT, newest first."""
    with refusing(), connection(account, on_demo=on_demo) as canvas:
        past = canvas.history(report)
        tell(past, _SHOWN, as_json=as_json)
    if past.empty:
        notice(f"Account {account} has no run of {report}.")


@click.command()
@report_argument
@click.argument("run_id", type=int)
@json_option
@connecting
@click.pass_context
def status(
    context: click.Context, report: str, run_id: int, account: str, *, as_json: bool, on_demo: bool
) -> None:
    """Say how a run of REPORT stands.

    The exit code is 0 where it is complete, 3 while it goes on, 1 where it ended without a file.
    """
    with refusing(), connection(account, on_demo=on_demo) as canvas:
        job = canvas.attach(report, run_id)
        _told(job, as_json=as_json)
    if not job.run.is_complete:
        context.exit(FAILED if job.run.is_ended else GOES_ON)


@click.command()
@report_argument
@click.argument("run_id", type=int)
@json_option
@connecting
def abort(report: str, run_id: int, account: str, *, as_json: bool, on_demo: bool) -> None:
    """Stop a run of REPORT; one that has ended stays as it is."""
    with refusing(), connection(account, on_demo=on_demo) as canvas:
        _told(canvas.attach(report, run_id).abort(), as_json=as_json)


@click.command()
@report_argument
@click.argument("run_id", type=int)
@yes_option
@json_option
@connecting
def delete(report: str, run_id: int, account: str, *, yes: bool, as_json: bool, on_demo: bool) -> None:
    """Delete a run of REPORT from Canvas's list, for everybody; what is stored on this disk stays."""
    with refusing(), connection(account, on_demo=on_demo) as canvas:
        job = canvas.attach(report, run_id)
        if not yes:
            click.confirm(f"Delete run {run_id} of {report} from {canvas.url}?", abort=True, err=True)
        _told(job.delete(), as_json=as_json)


def _told(job: ReportJob, *, as_json: bool) -> None:
    run = job.run
    (facts,) = facts_of(history_frame(run.report, [run]))
    if run.status == RunStatus.ERROR:
        facts["reason"] = run.reason
    tell_facts({"report": run.report, **facts}, as_json=as_json)
