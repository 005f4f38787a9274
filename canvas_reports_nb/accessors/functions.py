"""The functions behind the accessors, which type checkers can't see."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from canvas_reports_nb import opening
from canvas_reports_nb.canvas_api.models import parse_time
from canvas_reports_nb.catalog.windows import without_computed
from canvas_reports_nb.exceptions import NoProvenanceError
from canvas_reports_nb.frames.describe import engine_of, provenance_of
from canvas_reports_nb.store.stored_run import ReportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.runs.progress import Progress
    from canvas_reports_nb.typing import OnInterrupt


def provenance(frame: pd.DataFrame | ReportResult) -> dict[str, Any]:
    """Return where a frame came from: host, account, report, run, parameters and times.

    Parameters
    ----------
    frame : pandas.DataFrame or ReportResult
        A frame from this package, or one made from it. pandas keeps the provenance through ``query``, ``assign``,
        ``astype`` and Parquet, and drops it when frames with different provenance are joined. Arrow and Dask
        frames have it too. A polars frame can't; pass the `ReportResult` it came from.

    Raises
    ------
    NoProvenanceError
        The frame has no record of its source.

    Examples
    --------
    >>> crn.provenance(grades)["parameters"]
    {'enrollment_term_id': 13}
    """
    if isinstance(frame, ReportResult):
        return deepcopy(frame.provenance)
    found = provenance_of(frame)
    if found:
        return deepcopy(found)
    if isinstance(frame, pd.DataFrame):
        raise NoProvenanceError(
            "This frame has no record of its source.",
            hint="Use the frame that read_report returned. Joining or grouping frames drops the record.",
        )
    raise NoProvenanceError(
        f"A {type(frame).__module__.partition('.')[0]} frame can't have a record of its source.",
        hint="Keep the result of the run: result = canvas.start(...).result(). Then result.to_polars() returns the frame, "
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
    progress: Progress = "auto",
    timeout: float | None = None,
    on_interrupt: OnInterrupt = "detach",
) -> pd.DataFrame | ReportResult:
    """Run the same report again with the same parameters.

    Parameters
    ----------
    frame : pandas.DataFrame or ReportResult
        A frame that this package loaded from a Canvas, or one made from it. The new frame has all rows and
        columns of its table.
    canvas : Connection, optional
        Where to run it. The default is the newest open connection to the Canvas and account of the frame.
    columns : sequence of str, optional
        The columns to load, for a frame.
    progress, timeout, on_interrupt
        As for `read_report`.

    Returns
    -------
    DataFrame or ReportResult
        The same kind as given, with the provenance of the new run.

    Raises
    ------
    NoProvenanceError
        The frame has no record of its source, came from a file, or stacks several runs.
    ConfigurationError
        No connection to its Canvas is open.

    Examples
    --------
    >>> newer = crn.refresh(grades)
    >>> crn.provenance(newer)["run_id"] > crn.provenance(grades)["run_id"]
    True
    """
    carried = provenance(frame)
    if "runs" in carried:
        raise NoProvenanceError(
            "This frame contains several runs.",
            hint="Run its requests again with read_reports(requests, max_age=0).",
        )
    if carried["host"] is None or not carried["report"]:
        raise NoProvenanceError(
            "This frame was read from a file, so its run is unknown.",
            hint="Use read_report with the parameters of the report.",
        )
    if canvas is None:
        canvas = opening.connection_to(carried["host"], carried["account"])
    with canvas.store.pin_used():
        result = canvas.obtain(
            carried["report"],
            parameters=_question(carried),
            max_age=0,
            progress=progress,
            timeout=timeout,
            on_interrupt=on_interrupt,
        )
        if isinstance(frame, ReportResult):
            return result
        again: pd.DataFrame = result.load(engine_of(frame), carried["table"], columns)
        return again


def _question(carried: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that ask the same again: relative to now if they were relative."""
    asked: dict[str, Any] | None = carried.get("asked")
    started = parse_time(carried.get("started_at"))
    return without_computed(carried["report"], carried["parameters"], (), started) if asked is None else asked
