"""A report file downloaded by hand: the same types as a run that was fetched."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canvas_reports_nb import frames
from canvas_reports_nb.exceptions import ReportWarning
from canvas_reports_nb.lineage import Provenance
from canvas_reports_nb.results import choose_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.typing import Engine

__all__ = ["convert_file", "read_file", "tables_in"]


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
    source, label = frames.held(path_or_buffer)
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
    return frames.frame(arrow if wanted is None else arrow.select(wanted), provenance, engine)


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
    with member.open() as source, frames.write_private(target) as copy:
        shutil.copyfileobj(source, copy)
    return origin


def tables_in(path: Path) -> list[str | None]:
    """What ``table=`` may be to have each table of a file: the names in a zip, ``None`` for one CSV."""
    return [member.name if member.in_zip else None for member in frames.members(path, path.name)]


def _meant(
    source: frames.Source, label: str, report: str | None, table: str | None
) -> tuple[frames.Member, frames.Identity]:
    """The CSV that is meant, and what it is."""
    found = frames.members(source, label)
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
