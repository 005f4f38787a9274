"""A report file downloaded by hand: what is in it, whether it looks as expected, and the same typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from canvas_reports_nb.accessors.twins import dictionary
from canvas_reports_nb.cli.options import json_option
from canvas_reports_nb.cli.refusals import FAILED, refusing
from canvas_reports_nb.cli.showing import notice, tell, tell_json
from canvas_reports_nb.cli.writing import check_output, output_option, whole
from canvas_reports_nb.drift import check_file
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.files import convert_file, read_file, tables_in
from canvas_reports_nb.lineage import ATTRS_KEY

__all__ = ["file"]


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--report", help="The report's name, where the header does not tell it.")
@click.option("-t", "--table", help="Which table, where a zip holds several.")
@click.option("--check", is_flag=True, help="Only compare the headers with what is expected.")
@output_option("out.parquet (typed) or out.csv (as it is in the file).")
@json_option
@click.pass_context
def file(
    context: click.Context,
    *,
    path: Path,
    report: str | None,
    table: str | None,
    check: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Say what the report file PATH holds: tables, rows, and the kind of every column.

    With --check the exit code is 1 where a column is new, missing, renamed or moved.
    """
    with refusing():
        if check and output is not None:
            raise ParameterError("--check writes no file.", hint="Leave out -o, or --check.")
        if output is not None:
            _convert(path, report, table, output, as_json=as_json)
        elif check:
            if not _is_as_expected(path, report, as_json=as_json):
                context.exit(FAILED)
        else:
            for name in tables_in(path) if table is None else [table]:
                _describe(read_file(path, report, name), as_json=as_json)


def _convert(path: Path, report: str | None, table: str | None, output: Path, *, as_json: bool) -> None:
    check_output(output, ".parquet", ".csv")
    with whole(output) as part:
        made = convert_file(path, part, report, table)
    notice(f"{output} written.")
    if as_json:
        tell_json({**made.to_dict(), "output": str(output)})


def _is_as_expected(path: Path, report: str | None, *, as_json: bool) -> bool:
    found = check_file(path, report)
    other = found[found["found"] != "as expected"]
    tell(found if as_json else other, ("table", "column", "found", "expected", "position"), as_json=as_json)
    if not as_json and other.empty:
        click.echo(f"{len(found)} columns, all as expected.")
    return other.empty


def _describe(frame: Any, *, as_json: bool) -> None:
    made, columns = frame.attrs[ATTRS_KEY], dictionary(frame)
    if as_json:
        kept = columns[["column", "kind", "dtype", "personal"]].to_dict("records")
        tell_json({**made, "columns": kept})
        return
    click.echo(
        f"{made['table']} ({made['report'] or 'of no known report'}): {len(frame):,} rows, {len(columns)} columns"
    )
    tell(columns, ("column", "kind", "dtype", "note"), as_json=False, header=False)
