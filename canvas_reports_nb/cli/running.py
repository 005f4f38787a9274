"""Run a report, or use a recent equal run again, and write or show what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from canvas_reports_nb.cli.options import (
    connecting,
    connection,
    json_option,
    lasting,
    parameters_of,
    report_argument,
)
from canvas_reports_nb.cli.refusals import refusing
from canvas_reports_nb.cli.showing import notice, tell_head, tell_json
from canvas_reports_nb.cli.writing import check_output, output_option, write_result
from canvas_reports_nb.models import ATTRS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from canvas_reports_nb.results import ReportResult

__all__ = ["run"]


@click.command()
@report_argument
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
def run(
    *,
    report: str,
    given: tuple[str, ...],
    output: Path | None,
    table: str | None,
    max_age: float,
    timeout: float | None,
    progress: str,
    as_json: bool,
    account: str,
    on_demo: bool,
) -> None:
    """Run REPORT, or use a recent equal run, and write or show its table.

    A .parquet file is typed; a .csv or .zip is what Canvas sent, byte for byte. Without a file the tables'
    first rows are shown. --json tells of each table where it came from, its rows, and the file written.
    """
    with refusing():
        asked = parameters_of(given)
        if output is not None:
            check_output(output, ".parquet", ".csv", ".zip")
        with connection(account, on_demo=on_demo) as canvas:
            result = canvas.obtain(
                report,
                parameters=asked,
                max_age=max_age,
                timeout=timeout,
                progress=_progress(progress),
            )
            tables = list(result.tables) if table is None else [table]
            if output is not None:
                tables = write_result(result, table, output)
                notice(f"{output} written.")
            _told(result, tables, output, as_json=as_json)


def _progress(name: str) -> Any:
    return False if name == "off" else name


def _told(result: ReportResult, tables: Iterable[str], output: Path | None, *, as_json: bool) -> None:
    for name in tables:
        if as_json:
            facts = result.to_pandas(name, columns=[]).attrs[ATTRS_KEY]
            tell_json({**facts, "output": None if output is None else str(output)})
        elif output is None:
            tell_head(result.to_pandas(name), name)
