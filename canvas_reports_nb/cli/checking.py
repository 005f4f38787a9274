"""The doctor's findings, one a line."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from canvas_reports_nb import demo_canvas
from canvas_reports_nb import doctor as doctor_of
from canvas_reports_nb.cli.options import connecting, json_option
from canvas_reports_nb.cli.refusals import FAILED, refusing
from canvas_reports_nb.cli.showing import tell_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from canvas_reports_nb.doctor import Finding

__all__ = ["doctor"]

_WORDS = {True: ("ok", "green"), False: ("FAILED", "red"), None: ("skipped", "yellow")}


@click.command()
@json_option
@connecting
@click.pass_context
def doctor(context: click.Context, account: str, *, as_json: bool, on_demo: bool) -> None:
    """Check address, TLS, token, rights, reports, store and versions, and say what to do.

    The exit code is 1 where a check failed.
    """
    with refusing(), ExitStack() as stack:
        if on_demo:
            server = stack.enter_context(demo_canvas.serve())
            store = stack.enter_context(tempfile.TemporaryDirectory())
            findings = doctor_of.examine(server.url, server.token, account=account, store=store)
        else:
            findings = doctor_of.examine(account=account)
        failed = _told(findings, as_json=as_json)
    if failed and not as_json:
        click.echo(f"\nNot right yet: {', '.join(failed)}.")
    if failed:
        context.exit(FAILED)


def _told(findings: Iterable[Finding], *, as_json: bool) -> list[str]:
    """Say each finding as it comes; give the names of the checks that failed."""
    failed = []
    for finding in findings:
        if finding.ok is False:
            failed.append(finding.name)
        if as_json:
            tell_json(asdict(finding))
            continue
        word, colour = _WORDS[finding.ok]
        click.echo(f"{click.style(f'{word:<8}', fg=colour)}{finding.name:<16}{finding.says}")
        if finding.do:
            click.echo(f"{'':<24}{finding.do}")
    return failed
