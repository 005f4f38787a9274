"""Run a report, or use a recent equal run again, and write or show what it gives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

from canvas_reports_nb.cli.many import requests_option, run_many
from canvas_reports_nb.cli.options import (
    complete_report,
    connecting,
    connection,
    json_option,
    lasting,
    parameters_of,
)
from canvas_reports_nb.cli.refusals import refusing
from canvas_reports_nb.cli.showing import ShellProgress, notice, tell_head, tell_json
from canvas_reports_nb.cli.writing import check_output, output_option, write_result
from canvas_reports_nb.exceptions import DamagedFileError
from canvas_reports_nb.lineage import ATTRS_KEY
from canvas_reports_nb.obtaining import foresee_table
from canvas_reports_nb.parameters import expected_tables
from canvas_reports_nb.progress import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.results import ReportResult
    from canvas_reports_nb.typing import Parameters

__all__ = ["run"]


@click.command()
@click.argument("report", required=False, shell_complete=complete_report)
@requests_option
@click.option(
    "-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated."
)
@output_option("out.parquet, out.csv or out.zip.")
@click.option("-t", "--table", help="Which table, where the run holds several.")
@lasting("--max-age", "Use a run no older: 45m, 12h, 7d; 0 starts one.", default="1d")
@lasting("--timeout", "Total budget: 90s, 45m, 2h.")
@click.option(
    "--progress", type=click.Choice(["auto", "tqdm", "log", "off"]), default="auto", show_default=True
)
@json_option
@connecting
@click.pass_context
def run(
    context: click.Context,
    *,
    report: str | None,
    requests: str | None,
    given: tuple[str, ...],
    output: Path | None,
    table: str | None,
    max_age: float,
    timeout: float | None,
    progress: Literal["auto", "tqdm", "log", "off"],
    as_json: bool,
    account: str,
    on_demo: bool,
) -> None:
    """Run REPORT, or use a recent equal run, and write or show its table.

    A .parquet file is typed; a .csv or .zip is what Canvas sent, byte for byte. Without a file the tables'
    first rows are shown. --json tells of each table where it came from, its rows, and the file written.

    With --requests in place of REPORT many run at once, and -o out.parquet takes them stacked, the columns
    of the requests in front. What failed is said, one line each.
    """
    connected = partial(connection, account, on_demo=on_demo)
    with refusing():
        asked = parameters_of(given)
        sink = False if progress == "off" else ShellProgress(resolve(progress))
        how = {"max_age": max_age, "timeout": timeout, "progress": sink}
        if report is not None and requests is None:
            _run_one(connected, report, asked, table, output, as_json=as_json, **how)
        elif requests is None or report is not None:
            raise click.UsageError("Give either REPORT or --requests FILE.csv.")
        elif asked:
            raise click.UsageError("-p goes with REPORT; here a parameter is a column of the requests.")
        else:
            context.exit(run_many(connected, requests, table, output, as_json=as_json, **how))


def _run_one(
    connected: Callable[[], Connection],
    report: str,
    asked: Parameters,
    table: str | None,
    output: Path | None,
    *,
    as_json: bool,
    **how: Any,
) -> None:
    if output is not None:
        # One file by itself comes without a zip around it.
        is_single = len(expected_tables(report, asked) or ()) == 1
        check_output(output, ".parquet", ".csv", *([] if is_single else [".zip"]))
    if table is not None or (output is not None and output.suffix.lower() != ".zip"):
        foresee_table(report, asked, table)
    with connected() as canvas:
        result = canvas.obtain(report, parameters=asked, **how)
        tables = list(result.tables) if table is None else [table]
        if output is not None:
            try:
                tables = write_result(result, table, output)
            except DamagedFileError:
                # It was set aside, so that the same call fetches it.
                result = canvas.obtain(
                    report, parameters=asked, **{**how, "run_id": result.provenance["run_id"]}
                )
                tables = write_result(result, table, output)
            notice(f"{output} written.")
        _told(result, tables, output, as_json=as_json)


def _told(result: ReportResult, tables: Iterable[str], output: Path | None, *, as_json: bool) -> None:
    for name in tables:
        if as_json:
            facts = result.to_pandas(name, columns=[]).attrs[ATTRS_KEY]
            tell_json({**facts, "output": None if output is None else str(output)})
        elif output is None:
            tell_head(result.to_pandas(name), name)
