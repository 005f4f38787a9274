"""The functions behind the accessors, for a type checker, which can't see an accessor."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, overload

import pandas as pd
import polars as pl

from canvas_reports_nb import opening
from canvas_reports_nb.exceptions import NoProvenanceError, ParameterError
from canvas_reports_nb.models import ATTRS_KEY
from canvas_reports_nb.parameters import near
from canvas_reports_nb.results import ReportResult
from canvas_reports_nb.schemas import reports, schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.progress import Progress
    from canvas_reports_nb.schemas import Table
    from canvas_reports_nb.typing import OnInterrupt

__all__ = ["dictionary", "provenance", "refresh"]


def provenance(frame: pd.DataFrame | ReportResult) -> dict[str, Any]:
    """Where a frame came from.

    Parameters
    ----------
    frame : pandas.DataFrame or ReportResult
        As this package loaded it, or a frame made from it: pandas keeps ``attrs`` through ``query``,
        ``assign``, ``astype`` and Parquet, and drops them where frames of different origin are joined.
        A polars frame has no place for it; the `ReportResult` it came from has.

    Raises
    ------
    NoProvenanceError
        The frame does not say.
    """
    if isinstance(frame, ReportResult):
        return deepcopy(frame.provenance)
    found = getattr(frame, "attrs", {}).get(ATTRS_KEY)
    if isinstance(found, dict):
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
    origin = provenance(frame)
    if "runs" in origin:
        raise NoProvenanceError(
            "This frame stacks several runs.",
            hint="Run its requests anew: read_reports(requests, max_age=0).",
        )
    if origin["host"] is None or not origin["report"]:
        raise NoProvenanceError(
            "This frame was read from a file, which does not say which run it was.",
            hint="Ask for the report with read_report and its parameters.",
        )
    if canvas is None:
        canvas = opening.connection_to(origin["host"], origin["account"])
    asked = {**obtaining, "parameters": origin["parameters"], "max_age": 0}
    result = canvas.obtain(origin["report"], **asked)
    return result if isinstance(frame, ReportResult) else result.to_pandas(origin["table"], columns)


@overload
def dictionary(
    frame: pd.DataFrame, *, report: str | None = None, table: str | None = None
) -> pd.DataFrame: ...
@overload
def dictionary(
    frame: pl.DataFrame | pl.LazyFrame, *, report: str, table: str | None = None
) -> pl.DataFrame: ...
def dictionary(
    frame: pd.DataFrame | pl.DataFrame | pl.LazyFrame,
    *,
    report: str | None = None,
    table: str | None = None,
) -> pd.DataFrame | pl.DataFrame:
    """What each column of a frame is.

    Parameters
    ----------
    frame : pandas.DataFrame, polars.DataFrame or polars.LazyFrame
        As this package loaded it. Of a lazy frame only the columns' names and types are looked at.
    report, table : str, optional
        Where it came from. A pandas frame says so itself; for a polars frame the report must be named, and
        the table where the report has several.

    Returns
    -------
    DataFrame
        Of pandas or polars, as given. One row a column, in the frame's order: ``column``, ``kind``, ``dtype``,
        ``personal`` and ``education_record`` (boolean), ``key`` (boolean: one of the columns that identify a
        row), ``values`` (the documented ones), ``meaning``, ``note`` (what happened to it while it was read).
        A column no schema knows is of kind ``text`` with the marks missing: nobody can say whether it is
        personal.

    Raises
    ------
    NoProvenanceError
        The frame does not say where it came from, and no report was named.
    ParameterError
        No such report or table.
    """
    notes: dict[str, str] = {}
    if report is None:
        origin = provenance(frame)  # type: ignore[arg-type]  # of a polars frame: says what to do
        report, table, notes = origin["report"], table or origin["table"], origin["notes"]
        known = schema(report) if report else None
        described = known.table(table) if known and table else None
    else:
        described = _described(report, table)
    held = frame.collect_schema() if isinstance(frame, pl.LazyFrame) else frame
    names = held.names() if isinstance(held, pl.Schema) else held.columns
    dtypes = held.dtypes() if isinstance(held, pl.Schema) else held.dtypes
    pairs = zip(names, dtypes, strict=True)
    rows = [_row(str(name), str(dtype), described, notes) for name, dtype in pairs]
    listed = {name: [row[name] for row in rows] for name in _TYPES}
    if isinstance(frame, pd.DataFrame):
        return pd.DataFrame(listed).astype(_TYPES)
    marks = {name: pl.Boolean if kind == "boolean" else pl.String for name, kind in _TYPES.items()}
    return pl.DataFrame(listed, schema=marks)


_TYPES = {
    **dict.fromkeys(("column", "kind", "dtype"), "str"),
    **dict.fromkeys(("personal", "education_record", "key"), "boolean"),
    **dict.fromkeys(("values", "meaning", "note"), "str"),
}


def _row(name: str, dtype: str, table: Table | None, notes: dict[str, str]) -> dict[str, Any]:
    column = table.column(name) if table else None
    listed = column.values if column else None  # noqa: PD011 - a schema's column, no pandas object
    return {
        "column": name,
        "kind": column.kind if column else "text",
        "dtype": dtype,
        "personal": column.personal if column else None,
        "education_record": column.education_record if column else None,
        "key": name in table.key if table else None,
        "values": ", ".join(listed) if listed else None,
        "meaning": column.meaning if column else None,
        "note": notes.get(name),
    }


def _described(report: str, table: str | None) -> Table:
    """The table of a report, by the names the caller gave."""
    known = schema(report)
    if known is None:
        raise ParameterError(
            f"No report {report!r} is described here.",
            hint=near(report, reports()) + f"There are: {', '.join(reports())}.",
        )
    if table is None and len(known.tables) == 1:
        return next(iter(known.tables.values()))
    found = known.table(table) if table else None
    if found is None:
        told = f"{report} has no table {table!r}" if table else f"{report} has several tables"
        raise ParameterError(
            f"{told}.",
            hint=f"{near(table or '', known.tables)}There are: {', '.join(known.tables)}.",
            report=report,
        )
    return found
