"""Which report and table a CSV holds, judged by the report that was run, or by header and file name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from canvas_reports_nb.catalog.recognize import describe_nearest, recognize, report_in_name
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import NoGradingPeriodsError, TableRequiredError, UnknownTableError
from canvas_reports_nb.frames.dialect import read_dialect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from canvas_reports_nb.catalog.schemas import Report, Table
    from canvas_reports_nb.frames.contents import Member


@dataclass(frozen=True, slots=True)
class Identity:
    """What a CSV holds.

    Attributes
    ----------
    report : str or None
        ``None`` if no known report has this header, or several do.
    schema : schemas.Table or None
        ``None`` for an unknown table, whose columns are all text.
    locale : bool
        Whether numbers may have a decimal comma.
    resembles : str
        For an unknown table, a sentence on the known report that it resembles, if any.
    """

    report: str | None
    table: str
    schema: Table | None
    locale: bool = False
    resembles: str = ""


def identify(
    member: Member,
    report: str | None,
    *,
    label: str = "",
    table: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Identity:
    """Find out what a CSV holds, from what is known of it: report, file name, table, the run's parameters.

    Raises
    ------
    NoGradingPeriodsError
        Instead of a table, Canvas wrote that the term has no grading periods.
    """
    dialect = read_dialect(member)
    found = _identify(member, report, dialect.header, label=label, table=table, parameters=parameters or {})
    is_message = len(dialect.header) == 1 and not dialect.has_rows
    if is_message and found.schema is not None and found.schema.dynamic is not None:
        raise NoGradingPeriodsError(
            f"{found.table} has no grades by grading period: there are no grading periods for this term."
        )
    return found


def _identify(
    member: Member,
    report: str | None,
    header: tuple[str, ...],
    *,
    label: str,
    table: str | None,
    parameters: Mapping[str, Any],
) -> Identity:
    if report is None:
        return _by_header(member, header, label)
    known = schema(report)
    if known is None:
        return Identity(report, member.name if member.in_zip else (table or report), None)
    if member.in_zip:
        return Identity(report, member.name, known.table(member.stem), known.locale_csv)
    found = known.tables.get(table or "") or _lone_table(member, known, header, parameters)
    # A pattern such as "{term name}" is not a name.
    return Identity(report, report if found.dynamic else found.name, found, known.locale_csv)


def _lone_table(
    member: Member, known: Report, header: tuple[str, ...], parameters: Mapping[str, Any]
) -> Table:
    """Find the table of a single CSV by its header, the run's one file option, or the columns in common."""
    if len(known.tables) == 1:
        return next(iter(known.tables.values()))
    match = recognize(header, f"{known.report}/{member.name}.csv")
    if match and match.report == known.report:
        return known.tables[match.table]
    selected = [
        p.selects_table for p in known.parameters.values() if p.selects_table and parameters.get(p.name)
    ]
    if len(selected) == 1 and selected[0] in known.tables:
        return known.tables[selected[0]]
    return max(known.tables.values(), key=lambda each: sum(each.column(name) is not None for name in header))


def _by_header(member: Member, header: tuple[str, ...], label: str) -> Identity:
    name = f"{label}/{member.stem}.csv" if member.in_zip else label
    match = recognize(header, name)
    if match is None:
        report = report_in_name(label)
        table = member.name if member.in_zip else (report or member.name)
        return Identity(report, table, None, resembles=describe_nearest(header, name))
    known = schema(match.candidates[0][0])
    found = known.table(match.table) if known else None
    table = member.name if found and found.dynamic else match.table
    return Identity(match.report, table, found, bool(known and known.locale_csv))


def choose_table(
    tables: Sequence[str], table: str | None, report: str | None, run_id: int | None = None
) -> str:
    """Check the wanted table against those of a run; if there is only one, it need not be named."""
    if table is None and len(tables) == 1:
        return tables[0]
    listed = ", ".join(tables)
    if table is None:
        message = f"This run holds {len(tables)} tables: {listed}."
        raise TableRequiredError(message, tables, report=report, run_id=run_id)
    if table not in tables:
        message = f"No table {table!r}; there are: {listed}."
        raise UnknownTableError(message, tables, report=report, run_id=run_id)
    return table
