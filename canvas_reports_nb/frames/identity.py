"""Which report and table a CSV is: by the report that was asked for, else by its header and name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from canvas_reports_nb.catalog.recognize import recognize
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import TableRequiredError, UnknownTableError
from canvas_reports_nb.frames.dialect import read_dialect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from canvas_reports_nb.catalog.schemas import Report, Table
    from canvas_reports_nb.frames.contents import Member

# As "grade_export_csv_02_Mar_2026_81234...": the report, the day, ids.
_NAMED_BY_CANVAS = re.compile(r"(\w+_csv)_\d{2}_[A-Z][a-z]{2}_\d{4}_\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a CSV is.

    Attributes
    ----------
    report : str or None
        ``None`` where several reports write the very same header, or none that is known.
    table : str
    schema : schemas.Table or None
        ``None`` for a table nobody described: all its columns are text.
    locale : bool
        Whether numbers may have a decimal comma.
    """

    report: str | None
    table: str
    schema: Table | None
    locale: bool = False


def identify(
    member: Member,
    report: str | None,
    *,
    label: str = "",
    table: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Identity:
    """Tell what a CSV is.

    Parameters
    ----------
    member : Member
    report : str or None
        The report it came from, if known; an unknown one loads as text.
    label : str
        The file's name, for a file from somebody's downloads.
    table : str, optional
        As the caller named it.
    parameters : mapping, optional
        Of the run: a file switch names the table where the header does not.
    """
    header = read_dialect(member).header
    if report is None:
        return _by_header(member, header, label)
    known = schema(report)
    if known is None:
        return Identity(report, member.name if member.in_zip else (table or report), None)
    if member.in_zip:
        return Identity(report, member.name, known.table(member.name), known.locale_csv)
    if len(known.tables) == 1:
        (found,) = known.tables.values()
        # A pattern such as "{term name}" is no name; the one file then goes by the report's.
        return Identity(report, report if found.dynamic else found.name, found, known.locale_csv)
    found = known.tables.get(table or "") or _of_several(member, known, header, parameters or {})
    return Identity(report, found.name, found, known.locale_csv)


def _of_several(
    member: Member, known: Report, header: tuple[str, ...], parameters: Mapping[str, Any]
) -> Table:
    """The table of a lone CSV: by its header, by the run's one file switch, by the columns in common."""
    match = recognize(header, f"{known.report}/{member.name}.csv")
    if match and match.report == known.report:
        return known.tables[match.table]
    switched = [
        p.selects_table for p in known.parameters.values() if p.selects_table and parameters.get(p.name)
    ]
    if len(switched) == 1 and switched[0] in known.tables:
        return known.tables[switched[0]]
    return max(known.tables.values(), key=lambda each: sum(each.column(name) is not None for name in header))


def _by_header(member: Member, header: tuple[str, ...], label: str) -> Identity:
    match = recognize(header, f"{label}/{member.name}.csv" if member.in_zip else label)
    if match is None:
        named = _NAMED_BY_CANVAS.match(label)
        report = named[1] if named else None
        return Identity(report, member.name if member.in_zip else (report or member.name), None)
    report, _ = match.candidates[0]
    known = schema(report)
    table = known.table(match.table) if known else None
    name = member.name if table and table.dynamic else match.table
    return Identity(match.report, name, table, bool(known and known.locale_csv))


def choose_table(
    tables: Sequence[str], table: str | None, report: str | None, run_id: int | None = None
) -> str:
    """The table meant, checked against those there are.

    Raises
    ------
    TableRequiredError, UnknownTableError
        The tables are named.
    """
    if table is None and len(tables) == 1:
        return tables[0]
    listed = ", ".join(tables)
    if table is None:
        raise TableRequiredError(
            f"This run holds {len(tables)} tables: {listed}.", tables, report=report, run_id=run_id
        )
    if table not in tables:
        raise UnknownTableError(
            f"No table {table!r}; there are: {listed}.", tables, report=report, run_id=run_id
        )
    return table
