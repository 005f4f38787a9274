"""The commands store and file, which need no Canvas and no token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from canvas_reports_nb import settings
from canvas_reports_nb.cli.errors import FAILED, exit_on_error
from canvas_reports_nb.cli.options import duration_option, json_option, timing, yes_option
from canvas_reports_nb.cli.output import (
    notice,
    output_options,
    plain,
    print_json,
    print_table,
    replacing,
)
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.exceptions import FileError, ParameterError, StoreError, warn
from canvas_reports_nb.frames.describe import dictionary, provenance_of
from canvas_reports_nb.frames.files import check_file, convert_file, read_file, tables_in
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from canvas_reports_nb.store.shared import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from canvas_reports_nb.cli.output import Output
    from canvas_reports_nb.store.store import Store


_SHOWN = ("report", "run_id", "host", "account", "tables", "rows", "bytes", "finished_at", "parameters")


@click.group(invoke_without_command=True)
@click.option("--verify", is_flag=True, help="First read every file in full; set aside the damaged runs.")
@json_option
@click.pass_context
def store(context: click.Context, *, verify: bool, as_json: bool) -> None:
    """List the stored runs and where they are; `store clear` removes them.

    Set CANVAS_REPORTS_CACHE to use another folder or the address of a team's shared store.
    """
    if context.invoked_subcommand is not None:
        return
    with exit_on_error():
        kept = _store()
        held = kept.info(verify=verify)
        if as_json:
            # The age would be wrong once the line is read; the time it finished is not.
            print_table(held.drop(columns="age").assign(store=kept.address), (), as_json=True)
            return
        click.echo(kept.address)
        print_table(held, (*_SHOWN, *held.columns.intersection(["here", "shared"])), as_json=False)
        click.echo(f"{len(held):,} runs, {held['bytes'].sum() / 1e6:,.1f} MB")


@store.command()
@duration_option("--older-than", "Only runs that finished longer ago than this: 12h, 30d, 8w.")
@click.option("--report", help="Only runs of this report.")
@click.option("--shared", is_flag=True, help="Also remove them from the team's shared store, for everybody.")
@yes_option
@json_option
def clear(older_than: float | None, report: str | None, *, shared: bool, yes: bool, as_json: bool) -> None:
    """Remove stored runs from this disk."""
    with exit_on_error():
        kept = _store()
        if shared and not settings.shared_address():
            raise StoreError("This store is only on this disk, not shared.", hint="Leave out --shared.")
        if not yes:
            which = (
                f"the stored runs{f' of {report}' if report else ''}{' of that age' if older_than else ''}"
            )
            place = f"{kept.address}, for everybody" if shared else kept.path
            click.confirm(f"Remove {which} from {place}?", abort=True, err=True)
        removed = kept.clear(report, older_than, shared=shared)
        if as_json:
            print_json({"store": kept.address, "removed": removed})
        else:
            click.echo(f"{removed:,} runs removed.")


def _store() -> Store:
    """Open the store that the environment names."""
    named = settings.Settings(
        url="",
        store=settings.store_root(),
        store_limit=settings.store_limit(),
        shared=settings.shared_address(),
    )
    return open_store(named, Waiter(**timing()))


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--report", help="The report, if its header does not identify it.")
@click.option("-t", "--table", help="The table, if a zip has several.")
@click.option("--encoding", help="The encoding of the CSV, if the guess is wrong: cp850, mac_roman, ...")
@click.option("--check", is_flag=True, help="Only compare the headers with the expected ones.")
@output_options("out.parquet (typed), out.csv (unchanged) or out.xlsx (for Excel).")
@json_option
@click.pass_context
def file(
    context: click.Context,
    *,
    path: Path,
    report: str | None,
    table: str | None,
    encoding: str | None,
    check: bool,
    output: Output | None,
    as_json: bool,
) -> None:
    """Describe the report file PATH: its tables, rows, and the kind of every column.

    With --check the exit code is 1 if a column is new, missing, renamed or moved.
    """
    with exit_on_error():
        if check and output is not None:
            raise ParameterError(
                "--check writes no file, but -o was given.", hint="Leave out one of the two."
            )
        if output is not None:
            _convert(path, report, table, encoding, output, as_json=as_json)
        elif check:
            if not _is_as_expected(path, report, encoding, as_json=as_json):
                context.exit(FAILED)
        else:
            names = tables_in(path) if table is None else [table]
            for frame in _read_all(path, report, names, encoding):
                _describe(frame, as_json=as_json)


def _read_all(
    path: Path, report: str | None, names: Sequence[str | None], encoding: str | None
) -> Iterator[pd.DataFrame]:
    """Yield the tables that can be read; warn of the others, and raise if there is no table."""
    failed = 0
    for name in names:
        try:
            yield read_file(path, report, name, encoding=encoding)
        except FileError as error:
            failed += 1
            if failed == len(names):
                raise
            warn(f"{name} was left out: {error.message}")


def _convert(
    path: Path, report: str | None, table: str | None, encoding: str | None, output: Output, *, as_json: bool
) -> None:
    output.check(".parquet", ".csv", ".xlsx")
    if output.suffix == ".xlsx":
        names = tables_in(path) if table is None else [table]
        found = list(_read_all(path, report, names, encoding))
        made = [provenance_of(frame) for frame in found]
        output.write_workbook({str(each["table"]): frame for each, frame in zip(made, found, strict=True)})
    else:
        with replacing(output.path) as part:
            made = [convert_file(path, part, report, table, encoding=encoding).to_dict()]
    notice(f"{output} written.")
    for each in made if as_json else ():
        print_json({**each, "output": str(output)})


def _is_as_expected(path: Path, report: str | None, encoding: str | None, *, as_json: bool) -> bool:
    found = check_file(path, report, encoding=encoding)
    other = found[found["found"] != "as expected"]
    print_table(
        found if as_json else other, ("table", "column", "found", "expected", "position"), as_json=as_json
    )
    if not as_json and other.empty:
        click.echo(f"{len(found)} columns, all as expected.")
    return other.empty


def _describe(frame: Any, *, as_json: bool) -> None:
    made, columns = frame.attrs[ATTRS_KEY], dictionary(frame)
    if as_json:
        kept = columns[["column", "kind", "dtype", "personal"]].to_dict("records")
        print_json({**made, "columns": kept})
        return
    click.echo(
        f"{plain(made['table'])} ({made['report'] or 'unknown report'}): {len(frame):,} rows, {len(columns)} columns"
    )
    print_table(columns, ("column", "kind", "dtype", "note"), as_json=False, header=False)
