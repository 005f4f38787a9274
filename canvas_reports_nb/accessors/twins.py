"""The functions behind the accessors, for a type checker, which can't see an accessor."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pandas as pd

from canvas_reports_nb.exceptions import CanvasReportsError
from canvas_reports_nb.models import ATTRS_KEY
from canvas_reports_nb.schemas import schema

__all__ = ["dictionary", "provenance"]


def provenance(frame: pd.DataFrame) -> dict[str, Any]:
    """Where a frame came from.

    Parameters
    ----------
    frame : pandas.DataFrame
        As this package loaded it, or a frame made from it: pandas keeps ``attrs`` through ``query``,
        ``assign``, ``astype`` and Parquet, and drops them where frames of different origin are joined.

    Raises
    ------
    CanvasReportsError
        The frame does not say.
    """
    found = frame.attrs.get(ATTRS_KEY)
    if not isinstance(found, dict):
        raise CanvasReportsError(
            "This frame does not say where it came from.",
            hint="Joining or grouping frames drops it; keep the frame read_report gave.",
        )
    return deepcopy(found)


def dictionary(frame: pd.DataFrame) -> pd.DataFrame:
    """What each column of a frame is.

    Parameters
    ----------
    frame : pandas.DataFrame
        As this package loaded it.

    Returns
    -------
    DataFrame
        One row a column, in the frame's order: ``column``, ``kind``, ``dtype``, ``personal`` and
        ``education_record`` (boolean), ``key`` (boolean: one of the columns that identify a row), ``values``
        (the documented ones), ``meaning``, ``note`` (what happened to it while it was read). A column no
        schema knows is of kind ``text`` with the marks missing: nobody can say whether it is personal.

    Raises
    ------
    CanvasReportsError
        The frame does not say where it came from.
    """
    origin = provenance(frame)
    known = schema(origin["report"]) if origin["report"] else None
    table = known.table(origin["table"]) if known else None
    rows = []
    for name in frame.columns:
        column = table.column(str(name)) if table else None
        listed = column.values if column else None  # noqa: PD011 - a schema's column, no pandas object
        rows.append(
            {
                "column": name,
                "kind": column.kind if column else "text",
                "dtype": str(frame[name].dtype),
                "personal": column.personal if column else None,
                "education_record": column.education_record if column else None,
                "key": name in table.key if table else None,
                "values": ", ".join(listed) if listed else None,
                "meaning": column.meaning if column else None,
                "note": origin["notes"].get(name),
            }
        )
    marks = dict.fromkeys(("personal", "education_record", "key"), "boolean")
    texts = dict.fromkeys(("column", "kind", "dtype", "values", "meaning", "note"), "str")
    order = ["column", "kind", "dtype", "personal", "education_record", "key", "values", "meaning", "note"]
    return pd.DataFrame(rows, columns=order).astype({**marks, **texts})
