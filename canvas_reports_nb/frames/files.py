"""A report file downloaded by hand: the same types as a run that was fetched."""

from __future__ import annotations

import difflib
import hashlib
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from canvas_reports_nb import frames
from canvas_reports_nb._disk import open_private
from canvas_reports_nb.exceptions import NotAReportError, ReportWarning
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.frames.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.catalog.schemas import Table
    from canvas_reports_nb.typing import Engine


def read_file(
    path_or_buffer: frames.Source,
    report: str | None = None,
    table: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    engine: Engine = "pandas",
) -> Any:
    r"""Read a report file, a CSV or a zip, with the types of its report.

    Parameters
    ----------
    path_or_buffer : path, bytes or binary file
    report : str, optional
        The report's name; recognised by the header and the file's name where left out. Of a report this
        package does not know, every column loads as text.
    table : str, optional
        Which table, where a zip holds several.
    columns : sequence of str, optional
        Only these, in this order; ``[]`` keeps all rows and no column. A name that is unknown or appears
        twice is an error.
    engine : {"pandas", "polars", "arrow", "dask"}

    Returns
    -------
    DataFrame
        Of the engine. A pandas frame carries its provenance in ``attrs["canvas_report"]``.

    Raises
    ------
    NotAReportError
        A web page, a picture, a workbook.
    TableRequiredError, UnknownTableError
        The tables are named.
    DamagedFileError, UnsafeArchiveError
        A zip cut short, or one that can't be trusted.

    Examples
    --------
    >>> import canvas_reports_nb as crn
    >>> frame = crn.read_file(b'user id,user name,last activity at\n7,"Ng, Bea",2026-03-02T09:14:07-07:00\n')
    >>> frame["last activity at"][0]
    Timestamp('2026-03-02 16:14:07+0000', tz='UTC')
    """
    source, label = frames.reopenable(path_or_buffer)
    member, identity = _meant(source, label, report, table)
    arrow, facts = frames.read_arrow(member, identity)
    wanted = frames.pick(arrow.column_names, columns)
    provenance = Provenance(
        report=identity.report,
        table=identity.table,
        source=label,
        sha256=_sha256(source),
        rows=facts.rows,
        zone=sorted(facts.offsets),
        encoding=facts.dialect.encoding,
        notes=facts.notes(),
    )
    return frames.convert(arrow if wanted is None else arrow.select(wanted), provenance, engine)


def convert_file(path: Path, target: Path, report: str | None = None, table: str | None = None) -> Provenance:
    """One table of a report file, written as typed Parquet, or as ``.csv`` byte for byte as it is there.

    Memory stays small, whatever the file's size. The target is read by nobody but its owner.

    Parameters
    ----------
    path, report, table
        As for `read_file`.
    target : Path
        Its ending says which.

    Returns
    -------
    Provenance
    """
    member, identity = _meant(path, path.name, report, table)
    origin = Provenance(report=identity.report, table=identity.table, source=path.name, sha256=_sha256(path))
    if target.suffix.lower() == ".parquet":
        return frames.write_parquet(member, identity, target, origin)[1]
    with member.open() as source, open_private(target) as copy:
        shutil.copyfileobj(source, copy)
    return origin


def tables_in(path: Path) -> list[str | None]:
    """What ``table=`` may be to have each table of a file: the names in a zip, ``None`` for one CSV."""
    return [member.name if member.in_zip else None for member in frames.csv_members(path, path.name)]


def _meant(
    source: frames.Source, label: str, report: str | None, table: str | None
) -> tuple[frames.Member, frames.Identity]:
    """The CSV that is meant, and what it is."""
    found = frames.csv_members(source, label)
    if found[0].in_zip:
        name = choose_table([member.name for member in found], table, report)
        member = next(member for member in found if member.name == name)
    else:
        member = found[0]
    identity = frames.identify(member, report, label=label, table=table)
    if identity.schema is None and report is None:
        text = f"{label or 'The file'} is of no report this package knows: its columns stay text."
        warnings.warn(text, ReportWarning, stacklevel=3)
    if not member.in_zip and table is not None:
        choose_table([identity.table], table, identity.report)
    return member, identity


def _sha256(source: Any) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with Path(source).expanduser().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    source, label = frames.reopenable(path_or_buffer)
    for member in frames.csv_members(source, label):
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
