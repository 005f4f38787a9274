"""From a report file to typed tables: in memory, or in Parquet files that only their owner can read.

With a Dask cluster connected, one of its workers writes the Parquet files.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pyarrow as pa
import pyarrow.parquet as pq

from canvas_reports_nb._disk import HashedFile, disk_name, file_facts, open_private, replace_file
from canvas_reports_nb.exceptions import CanvasReportsError, NoGradingPeriodsError, NotAReportError, warn
from canvas_reports_nb.frames.arriving import ArrivingFile, Attempt, AttemptEndedError
from canvas_reports_nb.frames.contents import csv_members
from canvas_reports_nb.frames.gathering import Gathered
from canvas_reports_nb.frames.identity import identify
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from canvas_reports_nb.frames.reading import Facts, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from canvas_reports_nb.frames.contents import Member
    from canvas_reports_nb.frames.gathering import Columns
    from canvas_reports_nb.frames.identity import Identity
    from canvas_reports_nb.frames.provenance import Provenance

    Keep: TypeAlias = Mapping[str | None, Any]

_LOG = logging.getLogger(__name__)
# Chosen by CPU seconds for a million enrollments (of one core; reading; size):
#   as below                                      0.21   0.13    7.7 MB
#   statistics of text, too                       0.24   0.13    7.7 MB
#   Snappy, LZ4 or no compression                 0.22   0.13    11.7 MB, 11.3 MB, 39 MB
#   dictionaries for text, too; for all           0.38   0.26    8.6 MB, 11.9 MB
#   plain integers; split by byte                 0.34   0.25    9.4 MB, 8.1 MB
#   texts as differences; by length               0.35   0.16    8.0 MB, 7.4 MB
#   pages of version 2, or of 128 KiB             0.27   0.14    7.7 MB
#   row groups of 32 Ki, 128 Ki, 1 Mi rows        0.25-0.27      7.7 MB
# Large row groups compress well; small ones keep memory flat, and a scan can skip them.
_ROW_GROUP = 256 * 1024


def read_arrow(member: Member, identity: Identity) -> tuple[pa.Table, Facts]:
    """Read a CSV as a typed Arrow table."""
    batches: list[pa.RecordBatch] = []
    schemas: list[pa.Schema] = []

    def sink(schema: pa.Schema) -> Callable[[pa.RecordBatch], None]:
        batches.clear()
        schemas.append(schema)
        return batches.append

    facts = read(member, identity.schema, sink, locale=identity.locale)
    for text in warnings_of(facts, identity):
        warn(text)
    return pa.Table.from_batches(batches, schemas[-1]).unify_dictionaries(), facts


def write_parquet(
    member: Member, identity: Identity, target: Path, provenance: Provenance
) -> tuple[Facts, Provenance]:
    """Write a CSV as a typed Parquet file, with one row group in memory at a time.

    The file's metadata holds the provenance, so the file alone shows where it came from.
    """
    written = _write(member, identity, target, lambda: provenance)
    return written.facts, written.provenance


@dataclass(frozen=True, slots=True)
class _Written:
    """A Parquet file, and the columns that are also kept in memory."""

    facts: Facts
    provenance: Provenance
    sha256: str
    kept: Columns


def _write(
    member: Member,
    identity: Identity,
    target: Path,
    origin: Callable[[], Provenance],
    keep: Callable[[str], bool] | None = None,
) -> _Written:
    """Do as `write_parquet`; ``origin`` is called when the CSV was read to its end."""
    with ExitStack() as stack:
        stream = HashedFile(stack.enter_context(open_private(target)))
        sink = _ParquetSink(stream, stack.enter_context(ThreadPoolExecutor(1, "parquet")), keep)
        stack.callback(sink.abandon)
        facts = read(member, identity.schema, sink, locale=identity.locale)
        made = origin()
        made = made.replace(
            report=identity.report or made.report,
            table=identity.table,
            rows=facts.rows,
            zone=sorted(facts.offsets),
            encoding=facts.dialect.encoding,
            notes=facts.notes(),
        )
        sink.close({ATTRS_KEY: json.dumps(made.to_dict())})
        stream.flush()
        os.fsync(stream.fileno())
    return _Written(facts, made, stream.sha256, sink.kept())


class _ParquetSink:
    """Writes one row group while the next one is read; both do most of their work outside Python."""

    def __init__(
        self, stream: HashedFile, worker: ThreadPoolExecutor, keep: Callable[[str], bool] | None = None
    ) -> None:
        self._stream, self._worker, self._keep = stream, worker, keep
        self._kept: Gathered | None = None
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._writing: Future[None] | None = None

    def __call__(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], None]:
        """Begin, or begin again and discard what was written."""
        self._finish_writing()
        if self._writer is not None:
            self._writer.close()
        self._stream.restart()
        self._waiting, self._rows = [], 0
        self._kept = None if self._keep is None else Gathered(schema, self._keep)
        integers = [field.name for field in schema if pa.types.is_integer(field.type)]
        self._writer = pq.ParquetWriter(
            self._stream,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[field.name for field in schema if pa.types.is_dictionary(field.type)],
            column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED") or None,
            # The least and greatest of a row group's SIS ids or names would let no query skip it.
            write_statistics=[field.name for field in schema if not pa.types.is_string(field.type)] or False,
        )
        return partial(self._take, schema)

    def _take(self, schema: pa.Schema, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _ROW_GROUP:
            self._start_writing(schema)

    def _start_writing(self, schema: pa.Schema) -> None:
        self._finish_writing()
        self._writing = self._worker.submit(self._write, pa.Table.from_batches(self._waiting, schema))
        self._waiting, self._rows = [], 0

    def _write(self, table: pa.Table) -> None:
        table = table.unify_dictionaries()
        if self._writer is not None:
            self._writer.write_table(table, row_group_size=table.num_rows)
        if self._kept is not None:
            self._kept.add(table)

    def _finish_writing(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def close(self, metadata: dict[str, str]) -> None:
        """Write the remaining rows and the metadata."""
        if self._writer is None:
            return
        if self._waiting:
            self._start_writing(self._writer.schema)
        self._finish_writing()
        self._writer.add_key_value_metadata(metadata)
        self._writer.close()

    def kept(self) -> Columns:
        """Return the columns to keep."""
        return {} if self._kept is None else self._kept.columns()

    def abandon(self) -> None:
        """Close a writer after an error, because it complains if it is collected open."""
        with suppress(Exception):
            self._finish_writing()
        # On a full disk, closing fails as well; only the first error matters.
        with suppress(Exception):
            if self._writer is not None:
                self._writer.close()


def warnings_of(facts: Facts, identity: Identity) -> list[str]:
    """Return a warning for a guessed encoding and for each column that stays text because of a value."""
    problem = facts.stray or f"the file is not UTF-8 and was read as {facts.dialect.encoding}"
    guess = guess_warning(identity.table, problem)
    return [guess] * (facts.dialect.is_guessed or bool(facts.stray)) + [
        f"{identity.table}: column {name!r} stays text, because row {found.row} holds {found.value[:80]!r}."
        for name, found in facts.as_text.items()
    ]


def guess_warning(table: str, problem: str) -> str:
    """Return the warning for a guessed encoding."""
    return (
        f"{table}: {problem}. If names look wrong, name the encoding: "
        'read_file(..., encoding="cp850") for "CSV (MS-DOS)", "mac_roman" for "CSV (Macintosh)".'
    )


@dataclass(frozen=True, slots=True)
class Derived:
    """The typed files of a report file.

    Attributes
    ----------
    tables : dict
        The sidecar's entry for each table.
    warnings : list of str
        For the user.
    kept : dict
        The columns of each table that the caller wants as a frame now, so that they need not be read again.
    """

    in_zip: bool
    tables: dict[str, dict[str, Any]]
    warnings: list[str]
    kept: dict[str, Columns]


def derive(path: Path, folder: Path, provenance: Provenance, parameters: Mapping[str, Any]) -> Derived:
    """Write the typed files of a report file, on a Dask worker if a client is open, and warn of contradictions."""
    client = _dask_client()
    made = _derive_on_worker(client, path, folder, provenance, parameters) if client is not None else None
    made = made or derive_here(path, folder, provenance, parameters)
    for text in made.warnings:
        warn(text)
    return made


def derive_arriving(
    arriving: ArrivingFile,
    download: Callable[[], None],
    folder: Path,
    provenance: Provenance,
    parameters: Mapping[str, Any],
    *,
    keep: Keep | None = None,
) -> Derived:
    """Do as `derive` with the file that ``download`` brings, in a second thread while it arrives.

    Parameters
    ----------
    download : callable
        Gives ``arriving`` the file and, at its end, the whole provenance.
    provenance : Provenance
        What is known before.
    keep : mapping, optional
        The columns that the caller wants as a frame now, by table; ``None`` for all columns, or any table.
    """
    made = None
    if _dask_client() is None:
        with ThreadPoolExecutor(1, "convert") as worker:
            early = worker.submit(_derive_early, arriving, folder, provenance, parameters, keep)
            try:
                download()
                made = early.result()
            except BaseException:
                arriving.abandon()
                raise
    else:
        download()
    if made is None:
        return derive(arriving.path, folder, arriving.known(), parameters)
    for text in made.warnings:
        warn(text)
    return made


def _derive_early(
    arriving: ArrivingFile,
    folder: Path,
    provenance: Provenance,
    parameters: Mapping[str, Any],
    keep: Keep | None,
) -> Derived | None:
    """Write the typed files of a file that arrives; ``None`` if it must be read again when all of it is there."""
    while (attempt := arriving.attempt()) is not None:
        try:
            return derive_here(attempt, folder, provenance, parameters, keep)
        except AttemptEndedError:
            again = True
        except Exception as error:  # noqa: BLE001 - reading the whole file shows it, if it remains
            again = False
            _LOG.debug(
                "run %s is read again when it is complete: %s", provenance.run_id, type(error).__name__
            )
        for leftover in folder.glob("*.parquet"):
            leftover.unlink(missing_ok=True)
        if not again:
            break
    return None


def derive_here(
    source: Path | Attempt,
    folder: Path,
    provenance: Provenance,
    parameters: Mapping[str, Any] | None = None,
    keep: Keep | None = None,
) -> Derived:
    """Write the typed files of a report file into a folder."""
    origin = source.arriving.known if isinstance(source, Attempt) else lambda: provenance
    members = csv_members(source, provenance.source)
    tables: dict[str, dict[str, Any]] = {}
    kept: dict[str, Columns] = {}
    warned = [note for member in members for note in member.notes]
    rejected: NotAReportError | None = None
    for member in members:
        try:
            identity = identify(member, provenance.report, parameters=parameters)
        except NotAReportError as error:
            # Downloading again would not help, so the other tables are kept.
            rejected, note = error, f"{member.name} was left out: {error.message}"
            if isinstance(error, NoGradingPeriodsError):
                _LOG.info(note)  # usual for some terms of a run
            else:
                warned.append(note)
            continue
        taken = [Path(each["file"]).stem for each in tables.values()]
        target = folder / f"{disk_name(identity.table, safe=' ', taken=taken)}.parquet"
        written = _write(member, identity, target, origin, _columns_to_keep(keep or {}, identity.table))
        kept[identity.table] = written.kept
        made = {"provenance": written.provenance.to_dict()}
        tables[identity.table] = {**file_facts(target, written.sha256), **made}
        warned += warnings_of(written.facts, identity)
    if rejected and not tables:
        raise rejected
    return Derived(members[0].in_zip, tables, warned, kept)


def _columns_to_keep(keep: Keep, table: str) -> Callable[[str], bool] | None:
    if table not in keep and None not in keep:
        return None
    columns = keep.get(table, keep.get(None))
    # Of other objects, the load that follows takes the columns; an iterator must keep them until then.
    return lambda name: not isinstance(columns, list | tuple) or name in columns


def _dask_client() -> Any:
    """Return the open client of dask.distributed, if there is one and it can wait for a task."""
    distributed = sys.modules.get("distributed")  # a client exists only if this was imported
    if distributed is None:
        return None
    with suppress(ValueError):
        distributed.get_worker()
        return None  # this is a task itself, and waiting for another could block the only thread
    try:
        client = distributed.Client.current()
    except ValueError:
        return None
    return None if client.asynchronous else client


def _derive_on_worker(
    client: Any, path: Path, folder: Path, provenance: Provenance, parameters: Mapping[str, Any]
) -> Derived | None:
    """Let a worker write the typed files; ``None`` if no worker can."""
    # A worker may run in another folder, so it needs absolute paths.
    with TemporaryDirectory(dir=folder.absolute(), ignore_cleanup_errors=True) as scratch:
        try:
            # Not pure: the same arguments may refer to another file by now.
            task = client.submit(
                _derive_apart, path.absolute(), Path(scratch), provenance, dict(parameters), pure=False
            )
            place, made = cast("tuple[str, Derived]", task.result())
            for facts in made.tables.values():
                replace_file(Path(scratch) / place / facts["file"], folder / facts["file"])
        except Exception as error:
            # A cluster can fail in many ways, and a worker may not see the file; then this process can do it.
            if isinstance(error, CanvasReportsError) and not isinstance(error, OSError):
                raise
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else type(error)
            reason = f"{kind.__name__}: {error}"
            _LOG.warning(
                "no Dask worker could convert run %s (%s); converting it here", provenance.run_id, reason
            )
            return None
    return made


def _derive_apart(
    path: Path, scratch: Path, provenance: Provenance, parameters: Mapping[str, Any]
) -> tuple[str, Derived]:
    """Write the typed files into a folder of their own, because a worker given up as lost may still write."""
    folder = Path(mkdtemp(dir=scratch))
    return folder.name, derive_here(path, folder, provenance, parameters)
