"""The store: what it holds, and how to clear it. No Canvas is asked, and no token needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from canvas_reports_nb import settings
from canvas_reports_nb.cli.options import json_option, lasting, timing, yes_option
from canvas_reports_nb.cli.refusals import refusing
from canvas_reports_nb.cli.showing import tell, tell_json
from canvas_reports_nb.shared_store import open_store

if TYPE_CHECKING:
    from canvas_reports_nb.store import Store

__all__ = ["store"]

_SHOWN = ("report", "run_id", "host", "account", "tables", "rows", "bytes", "finished_at", "parameters")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def store(context: click.Context, *, as_json: bool) -> None:
    """Say what the store holds, and where it is; `store clear` empties it.

    CANVAS_REPORTS_CACHE names another folder, or the address of a store a team shares.
    """
    if context.invoked_subcommand is not None:
        return
    with refusing():
        kept = _store()
        held = kept.info()
        if as_json:
            # How old a run is would be wrong when the line is read; when it finished is not.
            tell(held.drop(columns="age").assign(store=kept.address), (), as_json=True)
            return
        click.echo(kept.address)
        tell(held, (*_SHOWN, *held.columns.intersection(["here", "shared"])), as_json=False)
        click.echo(f"{len(held):,} runs, {held['bytes'].sum() / 1e6:,.1f} MB")


@store.command()
@lasting("--older-than", "Only runs that ended longer ago: 12h, 30d, 8w.")
@click.option("--report", help="Only of this report.")
@click.option("--shared", is_flag=True, help="Also from the store a team shares, for everybody.")
@yes_option
@json_option
def clear(older_than: float | None, report: str | None, *, shared: bool, yes: bool, as_json: bool) -> None:
    """Remove stored runs from this disk."""
    with refusing():
        kept = _store()
        if not yes:
            which = (
                f"the stored runs{f' of {report}' if report else ''}{' of that age' if older_than else ''}"
            )
            place = f"{kept.address}, for everybody" if shared else kept.path
            click.confirm(f"Remove {which} from {place}?", abort=True, err=True)
        removed = kept.clear(report, older_than, shared=shared)
        if as_json:
            tell_json({"store": kept.address, "removed": removed})
        else:
            click.echo(f"{removed:,} runs removed.")


def _store() -> Store:
    """The store as the environment names it."""
    named = settings.Settings(
        url="",
        store=settings.store_root(),
        store_limit=settings.store_limit(),
        shared=settings.shared_address(),
    )
    return open_store(named, **timing())
