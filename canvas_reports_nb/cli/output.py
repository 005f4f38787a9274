"""What the commands print: tables or JSON lines on stdout, notices on stderr; and the files they write."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from canvas_reports_nb import frames
from canvas_reports_nb._disk import replace_file
from canvas_reports_nb.exceptions import CanvasReportsError, ParameterError, ReportWarning, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from canvas_reports_nb.store.stored_run import ReportResult


_LOG = logging.getLogger(__name__)
_LINE = 120


def plain(text: object) -> str:
    """Return a text in one line without control characters, which a server could use to steer the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def notice(text: str) -> None:
    """Print a notice on a terminal; elsewhere log it, so that cron sends no mail."""
    if sys.stderr.isatty():
        click.echo(text, err=True)
    else:
        _LOG.info("%s", text)


def facts_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows, with ``None`` for missing cells."""
    rows = frame.astype(object).mask(frame.isna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Print our warnings in one line each, without a place in the code."""

    def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        if issubclass(category, ReportWarning):
            click.echo(f"Warning: {plain(message)}", err=True)
        else:
            usual(message, category, *rest, **named)

    with warnings.catch_warnings():
        # These warnings are about the data, so they are shown even if Python's are silenced.
        warnings.simplefilter("always", ReportWarning)
        usual = warnings.showwarning
        warnings.showwarning = show
        yield


def print_json(facts: Mapping[str, Any]) -> None:
    """Print one JSON object in a line."""
    click.echo(json.dumps(facts, default=_written))


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(frame: pd.DataFrame, shown: Sequence[str], *, as_json: bool, header: bool = True) -> None:
    """Print a frame as JSON lines with all its columns, or as a table of some columns."""
    rows = facts_of(frame)
    if as_json:
        for row in rows:
            print_json(row)
    elif rows:
        used = [name for name in shown if frame[name].notna().any()]
        _print_columns(([used] if header else []) + [[_cell(row[name]) for name in used] for row in rows])


def _print_columns(cells: list[list[str]]) -> None:
    """Print aligned cells, one record per line, so that names and ids can be copied."""
    widths = [max(map(len, column)) + 2 for column in zip(*cells, strict=True)]
    for record in cells:
        line = "".join(map(str.ljust, record, widths)).rstrip()
        click.echo(line if len(line) <= _LINE else f"{line[: _LINE - 3]}...")


def print_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one JSON object, or one line per fact."""
    if as_json:
        print_json(facts)
        return
    cells = {name: text for name, value in facts.items() if (text := _cell(value))}
    width = max(map(len, cells)) + 2
    for name, text in cells.items():
        click.echo(f"{name:<{width}}{text}")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%SZ}"
    if isinstance(value, Mapping):
        return plain(", ".join(f"{name}={each}" for name, each in value.items()))
    return plain(value)


def print_head(frame: pd.DataFrame, name: str) -> None:
    """Print a table's first rows and its types."""
    click.echo(f"\n{plain(name)}: {len(frame):,} rows, {frame.shape[1]} columns")
    click.echo(printable(frame.head().to_string(max_cols=8, max_colwidth=24, na_rep="")))
    click.echo(plain("dtypes: " + ", ".join(f"{column} {dtype}" for column, dtype in frame.dtypes.items())))


_F = TypeVar("_F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class Output:
    """The file to write; a workbook shows times in a time zone and replaces another file only on request."""

    path: Path
    timezone: str | None
    overwrite: bool

    def __str__(self) -> str:
        return str(self.path)

    @property
    def suffix(self) -> str:
        """The format."""
        return self.path.suffix.lower()

    def check(self, *suffixes: str) -> None:
        """Reject an output that can't be written, before the run and not after it."""
        if self.suffix not in suffixes:
            raise _unwritable(self.path, suffixes)
        if not self.path.absolute().parent.is_dir():
            raise ParameterError(
                f"Can't write {self}: the folder {self.path.absolute().parent} does not exist.",
                hint="Create it first.",
            )
        place = self.path.resolve().parent
        if not os.access(place, os.W_OK | os.X_OK):
            raise ParameterError(
                f"Can't write {self}: you may not create files in {place}.", hint="Choose another folder."
            )
        if self.suffix == ".xlsx":
            from canvas_reports_nb.analysis.excel.workbook import checked_zone, load_writer  # noqa: PLC0415 - as above

            load_writer()
            checked_zone(self.timezone)
            if self.path.exists() and not self.overwrite:
                raise ParameterError(
                    f"{self} already exists, and someone may have edited it.",
                    hint="Choose another file, or replace it with --overwrite.",
                )
        elif self.timezone or self.overwrite:
            raise ParameterError(
                f"--timezone and --overwrite have no effect on {self}.",
                hint="Leave them out, or write a workbook: -o out.xlsx.",
            )

    def write_workbook(self, tables: Mapping[str, Any]) -> None:
        """Write frames as the sheets of a workbook."""
        from canvas_reports_nb.analysis.excel.workbook import to_excel  # noqa: PLC0415 - likewise

        to_excel(tables, self.path, self.timezone, overwrite=self.overwrite)


def output_options(says: str) -> Callable[[_F], _F]:
    """Make ``-o``, and the options of a workbook; the command gets one `Output`, or ``None``."""
    options = (
        click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help=says),
        click.option(
            "--timezone",
            metavar="ZONE",
            help="Zone of the times in out.xlsx, such as America/Denver; by default that of the account.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace out.xlsx if it exists."),
    )

    def decorate(command: _F) -> _F:
        @wraps(command)
        def called(*, output: Path | None, timezone: str | None, overwrite: bool, **named: Any) -> Any:
            if output is None and (timezone or overwrite):
                raise click.UsageError("--timezone and --overwrite need -o out.xlsx.")
            return command(output=None if output is None else Output(output, timezone, overwrite), **named)

        for option in reversed(options):
            called = option(called)
        return cast("_F", called)

    return decorate


def _unwritable(output: Path, suffixes: tuple[str, ...]) -> ParameterError:
    return ParameterError(
        f"Can't write {output.name}: this call does not produce such a file.",
        hint=f"Write to {', '.join(suffixes[:-1])} or {suffixes[-1]}.",
    )


def _polars_error() -> type[Exception]:
    from polars.exceptions import PolarsError  # noqa: PLC0415 - slow to import, and help needs none

    return PolarsError


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces the output once it is complete.

    Readers always see the old file or the new one. A new file is readable only by its owner, because it contains
    names and grades; an existing one keeps its mode.
    """
    place = output.resolve()
    try:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as folder:
            part = Path(folder) / place.name
            yield part
            if place.exists():
                shutil.copymode(place, part)
            else:
                part.chmod(0o600)
            replace_file(part, place)
    except (OSError, _polars_error()) as error:
        if isinstance(error, CanvasReportsError):
            raise
        # The error of a full disk may name the source file, so only its reason is shown.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise click.ClickException(
            f"{output} was not written: {plain(reason)}. Free some space, or choose another place with -o."
        ) from None


def write_result(result: ReportResult, table: str | None, output: Output) -> list[str]:
    """Write a run's table, its zip, or a workbook with its tables; return the names of the tables written."""
    tables = list(result.tables)
    if output.suffix == ".zip" and result.path.suffix != ".zip":
        raise _unwritable(output.path, (".parquet", ".csv", ".xlsx"))
    if output.suffix != ".zip" and (output.suffix != ".xlsx" or table is not None):
        tables = [result.choose(table)]
    if output.suffix == ".xlsx":
        output.write_workbook({name: result.to_arrow(name) for name in tables})
        return tables
    with replacing(output.path) as part:
        match output.suffix:
            case ".parquet":
                shutil.copyfile(result.parquet(table), part)
            case ".csv":
                _copy_csv(result.path, tables[0], part)
            case _:
                shutil.copyfile(result.path, part)
    return tables


def _copy_csv(path: Path, table: str, target: Path) -> None:
    found = frames.csv_members(path)
    member = next((each for each in found if each.in_zip and each.name == table), found[0])
    with member.open() as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
