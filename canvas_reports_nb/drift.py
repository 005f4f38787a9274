"""Does a file still look as its schema says? Canvas adds and renames columns over the years."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pandas as pd

from canvas_reports_nb import frames
from canvas_reports_nb.exceptions import NotAReportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.schemas import Table

__all__ = ["check_file"]

_SURE = 0.75


def check_file(path_or_buffer: frames.Source, report: str | None = None) -> pd.DataFrame:
    r"""Compare the headers of a report file with the schemas.

    Only the headers are read, so a file of any size is checked at once.

    Parameters
    ----------
    path_or_buffer : path, bytes or binary file
    report : str, optional
        Recognised by header and file name where left out.

    Returns
    -------
    DataFrame
        One row a column that the file or its schema has: ``table``, ``column``, ``found`` ("as expected",
        "new", "missing", "renamed", "moved"), ``expected`` (the schema's name where it differs),
        ``position`` (Int64, from 1; missing where the file has no such column) and ``when`` (the
        condition under which Canvas writes the column, where there is one). A column that Canvas writes
        only under a condition is not reported as missing.

    Raises
    ------
    NotAReportError
        The file is none, or no report known here.

    Examples
    --------
    >>> import canvas_reports_nb as crn
    >>> header = b"user id,user name,last activity,seen\n"
    >>> crn.check_file(header, "last_enrollment_activity_csv")["found"].tolist()
    ['as expected', 'as expected', 'renamed', 'new']
    """
    rows: list[dict[str, object]] = []
    source, label = frames.held(path_or_buffer)
    for member in frames.members(source, label):
        identity = frames.identify(member, report, label=label)
        header = frames.read_dialect(member).header
        if report is None and identity.schema is None:
            shown = ", ".join(header[:6]) + (", ..." if len(header) > 6 else "")  # noqa: PLR2004 - one line of text
            raise NotAReportError(
                f"{label or member.name} is no report this package knows; its first line reads: {shown or '(blank)'}",
                hint='Name the report it is to be compared with: report="...".',
            )
        rows += [
            {"table": identity.table, **row}
            for row in (
                _compared(header, identity.schema)
                if identity.schema
                else map(_new, header, range(len(header)))
            )
        ]
    types = {
        "table": "str",
        "column": "str",
        "found": "str",
        "expected": "str",
        "position": "Int64",
        "when": "str",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _new(name: str, place: int) -> dict[str, object]:
    return {"column": name, "found": "new", "position": place + 1}


def _compared(header: Sequence[str], table: Table) -> list[dict[str, object]]:
    known = [table.column(name) for name in header]
    names = {column.name for column in known if column}
    absent = [column.name for column in table.columns if column.name not in names and column.when is None]
    # What stays in its place when the shared columns are laid side by side has not moved.
    ours = [column.name for column in table.columns if column.name in names]
    theirs = [column.name for column in known if column and column.name in ours]
    still = {
        theirs[place]
        for block in difflib.SequenceMatcher(None, theirs, ours, autojunk=False).get_matching_blocks()
        for place in range(block.a, block.a + block.size)
    }
    rows = []
    for place, (name, column) in enumerate(zip(header, known, strict=True)):
        row = _new(name, place)
        if column is None:
            near = difflib.get_close_matches(name.casefold(), absent, n=1, cutoff=_SURE)
            if near:
                absent.remove(near[0])
                row |= {"found": "renamed", "expected": near[0]}
        elif column.name != name:
            row |= {"found": "renamed", "expected": column.name, "when": column.when}
        else:
            moved = column.name in ours and column.name not in still
            row |= {"found": "moved" if moved else "as expected", "when": column.when}
        rows.append(row)
    return rows + [{"column": name, "found": "missing"} for name in absent]
