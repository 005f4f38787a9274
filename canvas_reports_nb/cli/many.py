"""Many runs at once: the rows of a file are the requests, one stacked Parquet file is what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from canvas_reports_nb.cli.refusals import FAILED, GOES_ON, PARTLY, tell_error
from canvas_reports_nb.cli.showing import notice, tell
from canvas_reports_nb.cli.writing import check_output, whole
from canvas_reports_nb.exceptions import FileError, NotStartedError, ParameterError, WaitTimeoutError
from canvas_reports_nb.files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.gathering import ReportsResult

__all__ = ["requests_option", "run_many"]

_WRITTEN_AS_FLOAT = r"^(\d+)\.0$"

requests_option = click.option(
    "--requests",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE.csv",
    help="Run many: one row a run, column report, optional account, one column a parameter.",
)


def run_many(
    connected: Callable[[], Connection],
    requests: str,
    table: str | None,
    output: Path | None,
    *,
    as_json: bool,
    **how: Any,
) -> int:
    """Run the requests, write the finished ones stacked, say what failed; give the exit code."""
    if output is not None:
        check_output(output, ".parquet")
    asked = _asked(requests)
    one_table = output is not None or table is not None
    with connected() as canvas:
        found = canvas.obtain_reports(asked, table=table, one_table=one_table, on_error="return", **how)
    finished = sum(result is not None for result in found.results)
    if output is not None and finished:
        with whole(output) as part:
            found.scan(table).sink_parquet(part)
        notice(f"{output} written, with {finished} of {len(found.results)} requests.")
    if as_json or output is None:
        tell(found.status, [str(name) for name in found.status], as_json=as_json)
    for error in found.errors:
        tell_error(error)
    return _code(found)


def _code(found: ReportsResult) -> int:
    if not found.errors:
        return 0
    if all(isinstance(error, WaitTimeoutError | NotStartedError) for error in found.errors):
        return GOES_ON
    return PARTLY if any(found.results) else FAILED


def _asked(requests: str) -> pd.DataFrame:
    """The rows of the file of requests, every cell as text."""
    try:
        # As a report nobody knows: what Excel makes of a CSV is understood.
        rows: pd.DataFrame = read_file(requests, "requests")
    except FileError as error:
        raise ParameterError(
            error.message, hint="--requests takes a CSV: one row a run, and a column named report."
        ) from None
    # pandas writes a whole number beside a blank as 12.0, and no id looks like that.
    return rows.replace(_WRITTEN_AS_FLOAT, r"\1", regex=True)
