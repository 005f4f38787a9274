"""Which table of which report a frame in hand is: as it was told, as it says itself, as its columns say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.exceptions import ParameterError, TableRequiredError, UnknownTableError
from canvas_reports_nb.frames.exchange import described_by, no_frame, same_names
from canvas_reports_nb.lineage import ATTRS_KEY
from canvas_reports_nb.parameters import near
from canvas_reports_nb.schemas import reports, schema
from canvas_reports_nb.schemas.recognise import recognise

if TYPE_CHECKING:
    from canvas_reports_nb.schemas import Table

__all__ = ["column_names", "described", "origin"]


def column_names(frame: Any) -> list[str]:
    """The columns of a frame of any kind; nothing is computed for them.

    Raises
    ------
    ParameterError
        It is no frame, or one with two columns of one name.
    """
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    try:
        return list(nw.from_native(described_by(frame)).collect_schema().names())
    except TypeError:
        raise no_frame(frame) from None
    except nw.exceptions.DuplicateError:
        raise same_names(frame) from None


def origin(frame: Any) -> dict[str, Any]:
    """The provenance a frame carries: pandas in ``attrs``, Dask in those of its meta, Arrow in its metadata.

    Empty where there is none, as always with polars.
    """
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    if nw.dependencies.is_pyarrow_table(frame):
        written = (frame.schema.metadata or {}).get(ATTRS_KEY.encode(), b"{}")
        return dict(json.loads(written))
    found = getattr(described_by(frame), "attrs", {}).get(ATTRS_KEY)
    return found if isinstance(found, dict) else {}


def described(frame: Any, report: str | None = None, table: str | None = None) -> Table | None:
    """The schema's table of a frame, ``None`` where nobody knows it.

    Parameters
    ----------
    frame : frame of any kind
    report, table : str, optional
        Told by the caller, they win; then what the frame carries; then its columns, if they are exactly
        those of a table.

    Raises
    ------
    ParameterError
        No report of that name is described here.
    TableRequiredError, UnknownTableError
        The report has several tables.
    """
    if report is not None:
        return _told(report, table)
    carried = origin(frame)
    known = schema(carried["report"]) if carried.get("report") else None
    if known is not None:
        return known.table(table or carried["table"])
    # pandas names columns by numbers, too.
    match = recognise([str(name) for name in column_names(frame)])
    if match is None or not match.exact:
        return None
    # Where several reports write this header they agree on what its columns are.
    found = schema(match.candidates[0][0])
    return found.table(match.table) if found else None


def _told(report: str, table: str | None) -> Table:
    known = schema(report)
    if known is None:
        raise ParameterError(
            f"{report!r} is no report described here.",
            hint=f"{near(report, reports())}There are: {', '.join(reports())}.",
        )
    names = tuple(known.tables)
    if table is None and len(names) > 1:
        raise TableRequiredError(f"{report} has several tables: {', '.join(names)}.", names, report=report)
    found = known.table(table or names[0])
    if found is None:
        raise UnknownTableError(
            f"{report} has no table {table!r}; it has: {', '.join(names)}.", names, report=report
        )
    return found
