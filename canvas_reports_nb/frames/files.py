"""Report files downloaded by hand: read with the types of a fetched run, converted, or checked."""

from __future__ import annotations

import difflib
import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from canvas_reports_nb import frames
from canvas_reports_nb._disk import expanded, open_private
from canvas_reports_nb.exceptions import FileError, NoGradingPeriodsError, NotAReportError, warn
from canvas_reports_nb.frames.contents import csv_members, readable, reopenable
from canvas_reports_nb.frames.dialect import read_dialect
from canvas_reports_nb.frames.identity import choose_table, identify
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.catalog.schemas import Column, Table
    from canvas_reports_nb.frames.contents import Member, Source
    from canvas_reports_nb.frames.identity import Identity
    from canvas_reports_nb.typing import Engine

# Similarity from which a new column counts as an old one renamed.
_SIMILAR = 0.75
_CHECKED = {
    **dict.fromkeys(("table", "column", "found", "expected"), TEXT),
    "position": "Int64",
    "when": TEXT,
}


def read_file(
    path_or_buffer: Source,
    report: str | None = None,
    table: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    engine: Engine = "pandas",
    encoding: str | None = None,
) -> Any:
    r"""Read a report file, a CSV or a zip, with the types of its report.

    Parameters
    ----------
    path_or_buffer : path, bytes or open file
    report : str, optional
        The report's name. By default, the header and the file's name decide. If the report is unknown, every
        column loads as text.
    table : str, optional
        Which table to read if a zip holds several.
    columns : sequence of str, optional
        Only these, in this order; ``[]`` keeps all rows and no column. A name that is unknown or appears
        twice is an error.
    engine : {"pandas", "polars", "arrow", "dask"}
    encoding : str, optional
        The encoding of the CSV, such as ``"cp850"``. By default, the bytes decide between UTF-8, UTF-16 with a
        byte order mark, and a guess, with a warning.

    Returns
    -------
    DataFrame
        A frame of the engine. A pandas frame has its provenance in ``attrs["canvas_report"]``.

    Raises
    ------
    NotAReportError
        The file is a web page, a picture, or a workbook.
    TableRequiredError, UnknownTableError
        The message lists the tables.
    DamagedFileError, UnsafeArchiveError
        The file was cut short, or the zip can't be trusted.

    Examples
    --------
    >>> frame = crn.read_file(b'user id,user name,last activity at\n7,"Ng, Bea",2026-03-02T09:14:07-07:00\n')
    >>> frame["last activity at"][0]
    Timestamp('2026-03-02 16:14:07+0000', tz='UTC')
    """
    source, label = reopenable(path_or_buffer)
    with readable(label):
        member, identity = _member_and_identity(source, label, report, table, encoding)
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


def convert_file(
    path: Path,
    target: Path,
    report: str | None = None,
    table: str | None = None,
    *,
    encoding: str | None = None,
) -> Provenance:
    """Write one table of a report file as typed Parquet, or as ``.csv`` with the same bytes.

    The target's suffix decides. Memory stays small whatever the file's size; only the owner can read the target.
    """
    path = expanded(path)
    member, identity = _member_and_identity(path, path.name, report, table, encoding)
    origin = Provenance(report=identity.report, table=identity.table, source=path.name, sha256=_sha256(path))
    if target.suffix.lower() == ".parquet":
        facts, made = frames.write_parquet(member, identity, target, origin)
        for text in frames.warnings_of(facts, identity):
            warn(text)
        return made
    with member.open() as source, open_private(target) as copy:
        shutil.copyfileobj(source, copy)
    return origin


def tables_in(path: Path) -> list[str | None]:
    """Return the ``table=`` for each table of a file: the names in a zip, ``None`` for one CSV."""
    return [member.name if member.in_zip else None for member in csv_members(path, path.name)]


def _member_and_identity(
    source: Source, label: str, report: str | None, table: str | None, encoding: str | None = None
) -> tuple[Member, Identity]:
    """Find the CSV that is wanted, and what it holds."""
    members = csv_members(source, label, encoding)
    member = members[0]
    for note in member.notes:
        warn(note)
    if member.in_zip:
        name = choose_table([each.name for each in members], table, report)
        member = next(each for each in members if each.name == name)
    identity = identify(member, report, label=label, table=table)
    if identity.schema is None and report is None:
        text = f"{label or 'The file'} is from no report this package knows. All columns load as text."
        warn(f"{text} {identity.resembles}".strip())
    if not member.in_zip and table is not None:
        choose_table([identity.table], table, identity.report)
    return member, identity


def _sha256(source: Any) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(
    path_or_buffer: Source, report: str | None = None, *, encoding: str | None = None
) -> pd.DataFrame:
    r"""Compare the headers of a report file with the schemas.

    Only the headers are read, so even a huge file is checked at once.

    Parameters
    ----------
    path_or_buffer : path, bytes or open file
    report : str, optional
        The report's name. By default, the header and the file's name decide.
    encoding : str, optional
        The encoding of the CSV; by default as for `read_file`, which also warns of a guess.

    Returns
    -------
    DataFrame
        One row per column of the file or its schema: ``table``, ``column``, ``found`` ("as expected", "new",
        "missing", "renamed", "moved"), ``expected`` (the schema's name if it differs), ``position`` (Int64,
        from 1; missing if the file lacks the column) and ``when`` (the condition under which Canvas writes the
        column, if any). A column that Canvas writes only under a condition is not reported as missing.

    Raises
    ------
    NotAReportError
        The file is not a report, or from no report this package knows.

    Examples
    --------
    >>> header = b"user id,user name,last activity,seen\n"
    >>> crn.check_file(header, "last_enrollment_activity_csv")["found"].tolist()
    ['as expected', 'as expected', 'renamed', 'new']
    """
    rows: list[dict[str, object]] = []
    source, label = reopenable(path_or_buffer)
    with readable(label):
        members = csv_members(source, label, encoding)
        for note in members[0].notes:
            warn(note)
        for member in members:
            try:
                rows += _check_member(member, label, report)
            except FileError as error:
                if len(members) == 1 or (member is members[-1] and not rows):
                    raise
                if not isinstance(error, NoGradingPeriodsError):  # usual for some terms of a run
                    warn(f"{member.name} was left out: {error.message}")
    return pd.DataFrame(rows, columns=list(_CHECKED)).astype(_CHECKED)


def _check_member(member: Member, label: str, report: str | None) -> list[dict[str, object]]:
    identity = identify(member, report, label=label)
    dialect = read_dialect(member)
    if dialect.is_guessed or dialect.stray_bytes:
        words = "some bytes are" if dialect.stray_bytes else "the file is"
        read_as = "cp1252" if dialect.stray_bytes else dialect.encoding
        warn(frames.guess_warning(identity.table, f"{words} not UTF-8, read as {read_as}"))
    if report is None and identity.schema is None:
        header = dialect.header
        shown = ", ".join(header[:6]) + (", ..." if len(header) > 6 else "")  # noqa: PLR2004 - one line of text
        raise NotAReportError(
            f"{label or member.name} is from no report this package knows. "
            f"Its first line is: {shown or '(blank)'}",
            hint=identity.resembles or 'Name the report to compare it with: report="...".',
        )
    return [{"table": identity.table, **row} for row in _compare(dialect.header, identity.schema)]


def _compare(header: Sequence[str], table: Table | None) -> list[dict[str, object]]:
    known = [table.column(name) if table else None for name in header]
    expected = table.columns if table else ()
    absent = _absent(known, expected)
    moved = _moved(known, expected)
    rows: list[dict[str, object]] = []
    for name, column in zip(header, known, strict=True):
        row = _row(column, name, moved) if column else _new_or_renamed(name, absent)
        rows.append({"column": name, "position": len(rows) + 1, **row})
    return rows + [{"column": name, "found": "missing"} for name in absent]


def _absent(known: Sequence[Column | None], expected: Sequence[Column]) -> list[str]:
    """Return the columns that Canvas always writes but the file lacks."""
    present = {column.name for column in known if column}
    return [column.name for column in expected if column.name not in present and column.when is None]


def _row(column: Column, name: str, moved: set[str]) -> dict[str, object]:
    if column.name != name:
        return {"found": "renamed", "expected": column.name, "when": column.when}
    return {"found": "moved" if name in moved else "as expected", "when": column.when}


def _new_or_renamed(name: str, absent: list[str]) -> dict[str, object]:
    """Match an unknown column with a missing one, which is then no longer missing."""
    similar = difflib.get_close_matches(name.casefold(), absent, n=1, cutoff=_SIMILAR)
    if not similar:
        return {"found": "new"}
    absent.remove(similar[0])
    return {"found": "renamed", "expected": similar[0]}


def _moved(known: Sequence[Column | None], expected: Sequence[Column]) -> set[str]:
    """Return the columns that break the order of the schema; those of unknown order never do."""
    present = {column.name for column in known if column}
    ours = [column.name for column in expected if column.name in present]
    theirs = [column.name for column in known if column and column.name in ours]
    blocks = difflib.SequenceMatcher(None, theirs, ours, autojunk=False).get_matching_blocks()
    return set(theirs) - {name for block in blocks for name in theirs[block.a : block.a + block.size]}
