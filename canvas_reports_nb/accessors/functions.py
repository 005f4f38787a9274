"""The functions behind the accessors, for a type checker, which can't see an accessor."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, overload

import pandas as pd
import polars as pl

from canvas_reports_nb import opening
from canvas_reports_nb.exceptions import NoProvenanceError
from canvas_reports_nb.frames.exchange import provenance_of, table_of
from canvas_reports_nb.store.stored_run import ReportResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from canvas_reports_nb.catalog.schemas import Table
    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.runs.progress import Progress
    from canvas_reports_nb.typing import Engine, OnInterrupt


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
        result if isinstance(frame, ReportResult) else result.load(_engine(frame), carried["table"], columns)
    )


def _engine(frame: Any) -> Engine:
    """What gives a frame of this kind."""
    import narwhals as nw  # noqa: PLC0415 - only those who hold a frame need it

    if nw.dependencies.is_pyarrow_table(frame):
        return "arrow"
    return "dask" if nw.dependencies.is_dask_dataframe(frame) else "pandas"


@overload
def dictionary(
    frame: pd.DataFrame, *, report: str | None = None, table: str | None = None
) -> pd.DataFrame: ...
@overload
def dictionary(
    frame: pl.DataFrame | pl.LazyFrame, *, report: str | None = None, table: str | None = None
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
    frame : pandas, polars, Arrow or Dask frame
        As this package loaded it. Only the columns' names and types are looked at, nothing is computed.
    report, table : str, optional
        Which table it is, where the frame neither says nor shows it by its columns.

    Returns
    -------
    DataFrame
        Of polars for a polars frame, else of pandas. One row a column, in the frame's order: ``column``, ``kind``, ``dtype``,
        ``personal`` and ``education_record`` (boolean), ``key`` (boolean: one of the columns that identify a
        row), ``values`` (the documented ones), ``meaning``, ``note`` (what happened to it while it was read).
        A column no schema knows is of kind ``text`` with the marks missing: nobody can say whether it is
        personal.

    Raises
    ------
    NoProvenanceError
        Nobody knows which table this is.
    ParameterError, TableError
        No such report or table.
    """
    known, carried = table_of(frame, report, table), provenance_of(frame)
    if known is None and not carried:
        raise NoProvenanceError(
            "Nobody knows which table this frame is.",
            hint='Say which report it is from: report="...", and where that has several tables, table="...".',
        )
    notes = carried.get("notes", {}) if report is None else {}
    pairs = _dtypes(frame)
    rows = [_row(str(name), str(dtype), known, notes) for name, dtype in pairs]
    listed = {name: [row[name] for row in rows] for name in _TYPES}
    if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return pd.DataFrame(listed).astype(_TYPES)
    marks = {name: pl.Boolean if kind == "boolean" else pl.String for name, kind in _TYPES.items()}
    return pl.DataFrame(listed, schema=marks)


def _dtypes(frame: Any) -> Iterable[tuple[Any, Any]]:
    """The columns of a frame of any kind, each with its type."""
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return frame.collect_schema().items()
    if _engine(frame) == "arrow":
        return zip(frame.schema.names, frame.schema.types, strict=True)
    pairs: Iterable[tuple[Any, Any]] = frame.dtypes.items()
    return pairs


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
