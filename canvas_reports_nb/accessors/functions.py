"""The functions behind the accessors, for a type checker, which can't see an accessor."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from canvas_reports_nb import opening
from canvas_reports_nb.exceptions import NoProvenanceError
from canvas_reports_nb.frames.describe import engine_of, provenance_of
from canvas_reports_nb.store.stored_run import ReportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.runs.progress import Progress
    from canvas_reports_nb.typing import OnInterrupt


def provenance(frame: pd.DataFrame | ReportResult) -> dict[str, Any]:
    """Where a frame came from.

    Parameters
    ----------
    frame : pandas.DataFrame or ReportResult
        As this package loaded it, or a frame made from it: pandas keeps ``attrs`` through ``query``,
        ``assign``, ``astype`` and Parquet, and drops them where frames of different origin are joined. Arrow
        and Dask frames carry it, too. A polars frame has no place for it; the `ReportResult` it came from has.

    Raises
    ------
    NoProvenanceError
        The frame does not say.
    """
    if isinstance(frame, ReportResult):
        return deepcopy(frame.provenance)
    found = provenance_of(frame)
    if found:
        return deepcopy(found)
    if isinstance(frame, pd.DataFrame):
        raise NoProvenanceError(
            "This frame does not say where it came from.",
            hint="Joining or grouping frames drops it; keep the frame read_report gave.",
        )
    raise NoProvenanceError(
        f"A {type(frame).__module__.partition('.')[0]} frame can't say where it came from.",
        hint="Keep the result: result = canvas.obtain(...); result.to_polars() is the frame, "
        "and crn.provenance(result) and crn.refresh(result) work.",
    )


@overload
def refresh(
    frame: pd.DataFrame,
    canvas: Connection | None = None,
    *,
    columns: Sequence[str] | None = None,
    progress: Progress = "auto",
    timeout: float | None = None,
    on_interrupt: OnInterrupt = "detach",
) -> pd.DataFrame: ...
@overload
def refresh(
    frame: ReportResult,
    canvas: Connection | None = None,
    *,
    progress: Progress = "auto",
    timeout: float | None = None,
    on_interrupt: OnInterrupt = "detach",
) -> ReportResult: ...
def refresh(
    frame: pd.DataFrame | ReportResult,
    canvas: Connection | None = None,
    *,
    columns: Sequence[str] | None = None,
    **obtaining: Any,
) -> pd.DataFrame | ReportResult:
    """The same report with the same parameters, run anew.

    Parameters
    ----------
    frame : pandas.DataFrame or ReportResult
        As this package loaded it from a Canvas, or a frame made from it. All rows and columns of its table
        come back, whatever was done to it.
    canvas : Connection, optional
        Where to run it; else the newest open connection to the Canvas the frame came from, on its account.
    columns : sequence of str, optional
        Of a frame.
    **obtaining
        ``progress``, ``timeout``, ``on_interrupt``: as for `read_report`.

    Returns
    -------
    DataFrame or ReportResult
        As given; with a provenance of its own.

    Raises
    ------
    NoProvenanceError
        The frame does not say where it came from, came from a file, or stacks several runs.
    ConfigurationError
        No connection to its Canvas is open.
    """
    carried = provenance(frame)
    if "runs" in carried:
        raise NoProvenanceError(
            "This frame stacks several runs.",
            hint="Run its requests anew: read_reports(requests, max_age=0).",
        )
    if carried["host"] is None or not carried["report"]:
        raise NoProvenanceError(
            "This frame was read from a file, which does not say which run it was.",
            hint="Ask for the report with read_report and its parameters.",
        )
    if canvas is None:
        canvas = opening.connection_to(carried["host"], carried["account"])
    asked = {**obtaining, "parameters": carried["parameters"], "max_age": 0}
    result = canvas.obtain(carried["report"], **asked)
    return (
        result
        if isinstance(frame, ReportResult)
        else result.load(engine_of(frame), carried["table"], columns)
    )
