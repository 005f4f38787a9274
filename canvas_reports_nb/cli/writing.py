"""Files the commands write: whole or not at all, and at first for their owner's eyes only."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from polars.exceptions import PolarsError

from canvas_reports_nb import frames
from canvas_reports_nb.cli.showing import plain
from canvas_reports_nb.exceptions import CanvasReportsError, ParameterError
from canvas_reports_nb.results import choose_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from canvas_reports_nb.results import ReportResult

__all__ = ["check_output", "output_option", "whole", "write_result"]

_F = TypeVar("_F", bound="Callable[..., Any]")


def output_option(says: str) -> Callable[[_F], _F]:
    """``-o``, with what may be written."""
    return click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help=says)


def check_output(output: Path, *suffixes: str) -> None:
    """Refuse what can't be written, now and not after an hour's run.

    Raises
    ------
    ParameterError
        Another kind of file, no such folder, or one that takes no new files.
    """
    if output.suffix.lower() not in suffixes:
        raise _unwritable(output, suffixes)
    if not output.absolute().parent.is_dir():
        raise ParameterError(
            f"{output}: there is no folder {output.absolute().parent}.", hint="Make it first."
        )
    place = output.resolve().parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise ParameterError(f"{output}: {place} takes no new files of yours.", hint="Name another place.")


def _unwritable(output: Path, suffixes: tuple[str, ...]) -> ParameterError:
    return ParameterError(
        f"{output.name}: no such kind of file comes out of this.", hint=f"Write to {' or '.join(suffixes)}."
    )


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """A path to write to, which takes the output's place once all is written.

    Whoever reads the output while cron writes it anew gets the old one or the new one. It holds names and
    marks: a new file is its owner's alone, one that was there keeps its mode.
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
            part.replace(place)
    except (OSError, PolarsError) as error:
        if isinstance(error, CanvasReportsError):
            raise
        # Which file the trouble is told of differs: a full disk is said of the one that is copied.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise click.ClickException(
            f"{output} was not written: {plain(reason)}. Make room there, or name another place with -o."
        ) from None


def write_result(result: ReportResult, table: str | None, output: Path) -> list[str]:
    """Write a run's table, or its zip; give the tables that are in it."""
    tables = list(result.tables)
    is_zip = output.suffix.lower() == ".zip"
    if is_zip and result.path.suffix != ".zip":
        raise _unwritable(output, (".parquet", ".csv"))
    if not is_zip:
        tables = [choose_table(tables, table, result.provenance["report"], result.provenance["run_id"])]
    with whole(output) as part:
        match output.suffix.lower():
            case ".parquet":
                shutil.copyfile(result.parquet(table), part)
            case ".csv":
                _copy_csv(result.path, tables[0], part)
            case _:
                shutil.copyfile(result.path, part)
    return tables


def _copy_csv(path: Path, table: str, target: Path) -> None:
    found = frames.members(path)
    member = next((each for each in found if each.in_zip and each.name == table), found[0])
    with member.open() as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
