"""The command run: one report or many, written to a file or shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

from canvas_reports_nb.catalog.parameters import expected_tables
from canvas_reports_nb.cli.errors import (
    FAILED,
    PARTLY,
    STILL_RUNNING,
    ShellProgress,
    exit_on_error,
    print_error,
)
from canvas_reports_nb.cli.options import (
    complete_report,
    connecting,
    connection,
    duration_option,
    json_option,
    parameters_of,
)
from canvas_reports_nb.cli.output import (
    notice,
    output_options,
    print_head,
    print_json,
    print_table,
    replacing,
    write_result,
)
from canvas_reports_nb.exceptions import (
    DamagedFileError,
    FileError,
    NotStartedError,
    ParameterError,
    WaitTimeoutError,
)
from canvas_reports_nb.frames.files import read_file
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from canvas_reports_nb.runs.progress import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from canvas_reports_nb.cli.output import Output
    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.runs.many import ReportsResult
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Parameters


@click.command()
@click.argument("report", required=False, shell_complete=complete_report)
@click.option(
    "--requests",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE.csv",
    help="Run many: one row per run, with columns report, account (optional) and one per parameter.",
)
@click.option(
    "-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; repeat for more."
)
@output_options("out.parquet, out.csv, out.xlsx or out.zip.")
@click.option("-t", "--table", help="The table, if the run has several.")
@duration_option("--max-age", "Reuse a run up to this age: 45m, 12h, 7d. 0 starts a new run.", default="1d")
@click.option(
    "--as-of", metavar="DAY", help="Read the newest run that started before this day, such as 2026-09-14."
)
@duration_option("--within", "How long before that day the run may have started. Three days by default.")
@click.option("--zone", help="The time zone of --as-of, such as America/Denver. The account's by default.")
@duration_option("--timeout", "Stop waiting after this time: 90s, 45m, 2h.")
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
    output: Output | None,
    table: str | None,
    max_age: float,
    as_of: str | None,
    within: float | None,
    zone: str | None,
    timeout: float | None,
    progress: Literal["auto", "tqdm", "log", "off"],
    as_json: bool,
    account: str,
    on_demo: bool,
) -> None:
    """Run REPORT, or reuse a recent equal run, and write or show its table.

    A .parquet file is typed; a .csv or .zip is exactly what Canvas sent; an .xlsx is a workbook for Excel, with
    all tables. Without -o the first rows of each
    table are shown. --json prints the source, the number of rows and the output file of each table.

    With --requests instead of REPORT, several run at once, and -o out.parquet or out.xlsx gets their stacked rows with the
    columns of the requests in front. Each failed request is one line on stderr.
    """
    connected = partial(connection, account, on_demo=on_demo)
    with exit_on_error():
        asked = parameters_of(given)
        shown = ShellProgress(resolve(False if progress == "off" else progress))
        how = {"max_age": max_age, "timeout": timeout, "progress": shown}
        if report is not None and requests is None:
            past = {"as_of": as_of, "within": within, "zone": zone}
            _run_one(connected, report, asked, table, output, as_json=as_json, **how, **past)
        elif requests is None or report is not None:
            raise click.UsageError("Give either REPORT or --requests FILE.csv.")
        elif asked:
            raise click.UsageError(
                "-p works only with REPORT; write the parameter as a column of the requests."
            )
        elif as_of or within is not None or zone:
            raise click.UsageError("--as-of, --within and --zone work only with REPORT.")
        else:
            context.exit(_run_many(connected, requests, table, output, as_json=as_json, **how))


def _run_one(
    connected: Callable[[], Connection],
    report: str,
    asked: Parameters,
    table: str | None,
    output: Output | None,
    *,
    as_json: bool,
    **how: Any,
) -> None:
    if output is not None:
        # Canvas sends a single file without a zip.
        is_single = len(expected_tables(report, asked) or ()) == 1
        output.check(".parquet", ".csv", ".xlsx", *([] if is_single else [".zip"]))
    is_one = table is not None or (output is not None and output.suffix in {".parquet", ".csv"})
    with connected() as canvas, canvas.store.pin_used():
        result = canvas.obtain(report, parameters=asked, tables=[table] if is_one else [], **how)
        tables = list(result.tables) if table is None else [table]
        if output is not None:
            try:
                tables = write_result(result, table, output)
            except DamagedFileError:
                # The damaged copy was quarantined, so the same call downloads it again.
                again = {name: how[name] for name in ("timeout", "progress")}
                result = canvas.obtain(report, run_id=result.provenance["run_id"], **again)
                tables = write_result(result, table, output)
            notice(f"{output} written.")
        _print_tables(result, tables, output, as_json=as_json)


def _print_tables(
    result: ReportResult, tables: Iterable[str], output: Output | None, *, as_json: bool
) -> None:
    for name in tables:
        if as_json:
            facts = result.to_pandas(name, columns=[]).attrs[ATTRS_KEY]
            print_json({**facts, "output": None if output is None else str(output)})
        elif output is None:
            print_head(result.to_pandas(name), name)


_WRITTEN_AS_FLOAT = r"^(\d+)\.0$"


def _run_many(
    connected: Callable[[], Connection],
    requests: str,
    table: str | None,
    output: Output | None,
    *,
    as_json: bool,
    **how: Any,
) -> int:
    """Run the requests, write the finished ones stacked, print the errors, and return the exit code."""
    if output is not None:
        output.check(".parquet", ".xlsx")
    asked = _asked(requests)
    one_table = output is not None or table is not None
    with connected() as canvas, canvas.store.pin_used():
        found = canvas.obtain_reports(asked, table=table, one_table=one_table, on_error="return", **how)
        finished = sum(result is not None for result in found.results)
        if output is not None and finished:
            _write_stacked(found, table, output)
    if output is not None and finished:
        notice(f"{output} written with {finished} of {len(found.results)} requests.")
    if as_json or output is None:
        print_table(found.status, [str(name) for name in found.status], as_json=as_json)
    for error in found.errors:
        print_error(error)
    return _code(found)


def _write_stacked(found: ReportsResult, table: str | None, output: Output) -> None:
    if output.suffix == ".xlsx":
        output.write_workbook({table or "Data": found.to_pandas(table)})
        return
    with replacing(output.path) as part:
        found.scan(table).sink_parquet(part)


def _code(found: ReportsResult) -> int:
    if not found.errors:
        return 0
    if all(isinstance(error, WaitTimeoutError | NotStartedError) for error in found.errors):
        return STILL_RUNNING
    return PARTLY if any(found.results) else FAILED


def _asked(requests: str) -> pd.DataFrame:
    """Read the requests, with every cell as text."""
    try:
        # Read it like an unknown report, so that a CSV saved by Excel works too.
        rows: pd.DataFrame = read_file(requests, "requests")
    except FileError as error:
        raise ParameterError(
            error.message, hint="--requests takes a CSV with one row per run and a column named report."
        ) from None
    # pandas writes 12 in a column with blanks as 12.0; no id looks like that.
    return rows.replace(_WRITTEN_AS_FLOAT, r"\1", regex=True)
