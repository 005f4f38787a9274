"""What a frame is: where it came from, which table it holds, and what its columns mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, overload

import pandas as pd
import polars as pl

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.catalog.recognize import recognize
from canvas_reports_nb.catalog.schemas import reports, schema
from canvas_reports_nb.exceptions import (
    NoProvenanceError,
    ParameterError,
    TableRequiredError,
    UnknownTableError,
)
from canvas_reports_nb.frames.exchange import column_names, meta_of
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from canvas_reports_nb.catalog.schemas import Table
    from canvas_reports_nb.typing import Engine

_TYPES = {
    **dict.fromkeys(("column", "kind", "dtype"), TEXT),
    **dict.fromkeys(("personal", "education_record", "key"), "boolean"),
    **dict.fromkeys(("values", "meaning", "note"), TEXT),
}


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
    """Describe each column of a frame.

    Parameters
    ----------
    frame : pandas, polars, Arrow or Dask frame
        A frame that this package loaded. Only the names and types of its columns are read; nothing is computed.
    report, table : str, optional
        The report and table the frame comes from. Needed only if neither the frame's provenance nor its
        columns show them.

    Returns
    -------
    DataFrame
        A polars frame for a polars frame, otherwise a pandas frame. One row per column, in the frame's order:
        ``column``, ``kind``, ``dtype``, ``personal`` and ``education_record`` (boolean), ``key`` (boolean: one
        of the columns that identify a row), ``values`` (the documented ones), ``meaning``, ``note`` (what
        happened to the column while it was read). A column that is in no schema has the kind ``text``, and its
        booleans are missing.

    Raises
    ------
    NoProvenanceError
        The table of the frame is unknown.
    ParameterError, TableError
        There is no such report or table.

    Examples
    --------
    >>> crn.dictionary(grades)[["column", "personal", "meaning"]].head(1).values.tolist()
    [['student name', True, 'Display name of the student.']]
    """
    known, carried = table_of(frame, report, table), provenance_of(frame)
    if known is None and not carried:
        raise NoProvenanceError(
            "Can't tell which table this frame comes from.",
            hint='Name its report, report="...", and if that has several tables, table="...".',
        )
    notes = carried.get("notes", {}) if report is None else {}
    rows = [_row(str(name), str(dtype), known, notes) for name, dtype in _dtypes(frame)]
    listed = {name: [row[name] for row in rows] for name in _TYPES}
    if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return pd.DataFrame(listed).astype(_TYPES)
    types = {name: pl.Boolean if kind == "boolean" else pl.String for name, kind in _TYPES.items()}
    return pl.DataFrame(listed, schema=types)


def _dtypes(frame: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return frame.collect_schema().items()
    if engine_of(frame) == "arrow":
        return zip(frame.schema.names, frame.schema.types, strict=True)
    pairs: Iterable[tuple[Any, Any]] = frame.dtypes.items()
    return pairs


def _row(name: str, dtype: str, table: Table | None, notes: dict[str, str]) -> dict[str, Any]:
    column = table.column(name) if table else None
    values = column.values if column else None  # noqa: PD011 - not a pandas object
    return {
        "column": name,
        "kind": column.kind if column else "text",
        "dtype": dtype,
        "personal": column.personal if column else None,
        "education_record": column.education_record if column else None,
        "key": name in table.key if table else None,
        "values": ", ".join(values) if values else None,
        "meaning": column.meaning if column else None,
        "note": notes.get(name),
    }


def engine_of(frame: Any) -> Engine:
    """Return the engine that loads frames of this kind; never polars, whose frames have no provenance."""
    import narwhals as nw  # noqa: PLC0415 - only needed with a frame in hand

    if nw.dependencies.is_pyarrow_table(frame):
        return "arrow"
    return "dask" if nw.dependencies.is_dask_dataframe(frame) else "pandas"


def provenance_of(frame: Any) -> dict[str, Any]:
    """Return the provenance that a frame carries, empty if it has none, as always with polars."""
    import narwhals as nw  # noqa: PLC0415 - only needed with a frame in hand

    if nw.dependencies.is_pyarrow_table(frame):
        return dict(json.loads((frame.schema.metadata or {}).get(ATTRS_KEY.encode(), b"{}")))
    found = getattr(meta_of(frame), "attrs", {}).get(ATTRS_KEY)
    return found if isinstance(found, dict) else {}


def table_of(frame: Any, report: str | None = None, table: str | None = None) -> Table | None:
    """Return the schema of a frame's table: as named here, else by its provenance, else by its columns."""
    if report is not None:
        return _named_table(report, table)
    carried = provenance_of(frame)
    known = schema(carried["report"]) if carried.get("report") else None
    if known is not None:
        return known.table(table or carried["table"])
    # pandas also allows numbers as column names.
    match = recognize([str(name) for name in column_names(frame)])
    if match is None or not match.exact:
        return None
    # If several reports have this header, their columns mean the same.
    found = schema(match.candidates[0][0])
    return found.table(match.table) if found else None


def _named_table(report: str, table: str | None) -> Table:
    known = schema(report)
    if known is None:
        raise ParameterError(
            f"Unknown report {report!r}.",
            hint=f"{near(report, reports())}Known reports: {', '.join(reports())}.",
        )
    names = tuple(known.tables)
    listed = ", ".join(names)
    if table is None and len(names) > 1:
        raise TableRequiredError(f"{report} has several tables: {listed}.", names, report=report)
    found = known.table(table or names[0])
    if found is None:
        raise UnknownTableError(f"{report} has no table {table!r}; it has: {listed}.", names, report=report)
    return found
