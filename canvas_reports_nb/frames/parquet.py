"""Where a reading goes: an Arrow table in memory, or a Parquet file that only its owner can read."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from canvas_reports_nb._disk import file_facts, open_private
from canvas_reports_nb.exceptions import CanvasReportsError, ReportWarning
from canvas_reports_nb.frames.contents import csv_members
from canvas_reports_nb.frames.identity import identify
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from canvas_reports_nb.frames.reading import Facts, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from canvas_reports_nb.frames.contents import Member
    from canvas_reports_nb.frames.identity import Identity
    from canvas_reports_nb.frames.provenance import Provenance


# Large enough to compress well, small enough that a scan can skip and memory stays flat.
_ROW_GROUP = 256 * 1024


def read_arrow(member: Member, identity: Identity) -> tuple[pa.Table, Facts]:
    """A CSV as a typed Arrow table in memory."""
    taken: list[pa.RecordBatch] = []
    schemas: list[pa.Schema] = []

    def sink(schema: pa.Schema) -> Callable[[pa.RecordBatch], None]:
        taken.clear()
        schemas.append(schema)
        return taken.append

    facts = read(member, identity.schema, sink, locale=identity.locale)
    table = pa.Table.from_batches(taken, schemas[-1]).unify_dictionaries()
    for text in contradictions(facts, identity):
        warnings.warn(text, ReportWarning, stacklevel=2)
    return table, facts


def write_parquet(
    member: Member, identity: Identity, target: Path, provenance: Provenance
) -> tuple[Facts, Provenance]:
    """A CSV as a typed Parquet file; memory is one row group's, whatever the file's size.

    The file's metadata holds the provenance, so that the file alone still says what it is.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(open_private(target))
        sink = _ParquetSink(stream, stack.enter_context(ThreadPoolExecutor(1, "parquet")))
        stack.callback(sink.abandon)
        facts = read(member, identity.schema, sink, locale=identity.locale)
        made = provenance.replace(
            report=identity.report or provenance.report,
            table=identity.table,
            rows=facts.rows,
            zone=sorted(facts.offsets),
            encoding=facts.dialect.encoding,
            notes=facts.notes(),
        )
        sink.close({ATTRS_KEY: json.dumps(made.to_dict())})
        stream.flush()
        os.fsync(stream.fileno())
    return facts, made


class _ParquetSink:
    """Writes one row group while the next one is read: both do most of their work outside Python."""

    def __init__(self, stream: Any, worker: ThreadPoolExecutor) -> None:
        self._stream, self._worker = stream, worker
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._writing: Future[None] | None = None

    def __call__(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], None]:
        """Begin, or begin anew: what was written before is cut off."""
        self._settle()
        if self._writer is not None:
            self._writer.close()
        self._stream.seek(0)
        self._stream.truncate()
        self._waiting, self._rows = [], 0
        integers = [field.name for field in schema if pa.types.is_integer(field.type)]
        enumerations = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        self._writer = pq.ParquetWriter(
            self._stream,
            schema,
            compression="zstd",
            compression_level=1,
            # Compression finds the repeats in other texts for less than looking each of them up.
            use_dictionary=enumerations,
            # Ids come nearly in order: their differences are small, and quicker packed than looked up.
            column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED") or None,
        )
        return partial(self._take, schema)

    def _take(self, schema: pa.Schema, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _ROW_GROUP:
            self._hand_over(schema)

    def _hand_over(self, schema: pa.Schema) -> None:
        self._settle()
        self._writing = self._worker.submit(self._write, pa.Table.from_batches(self._waiting, schema))
        self._waiting, self._rows = [], 0

    def _write(self, table: pa.Table) -> None:
        if self._writer is not None:
            self._writer.write_table(table.unify_dictionaries(), row_group_size=table.num_rows)

    def _settle(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def close(self, metadata: dict[str, str]) -> None:
        """Write what is left, and the metadata."""
        if self._writer is None:
            return
        if self._waiting:
            self._hand_over(self._writer.schema)
        self._settle()
        self._writer.add_key_value_metadata(metadata)
        self._writer.close()

    def abandon(self) -> None:
        """Let go of a writer that an error left open: else it complains when it is collected."""
        with suppress(Exception):
            self._settle()
        # On a full disk closing fails as well; the error that led here is the one to be told.
        with suppress(Exception):
            if self._writer is not None:
                self._writer.close()


def contradictions(facts: Facts, identity: Identity) -> list[str]:
    """What to warn of: the columns that stay text because of a value."""
    return [
        f"{identity.table}: column {name!r} stays text, because row {found.row} holds {found.value[:80]!r}."
        for name, found in facts.as_text.items()
    ]


_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Derived:
    """The typed files of a report file.

    Attributes
    ----------
    in_zip : bool
        Whether the report file is a zip.
    tables : dict
        What the sidecar holds of each table: ``file``, ``size``, ``sha256``, ``provenance``.
    warnings : list of str
        What the user is to be told.
    """

    in_zip: bool
    tables: dict[str, dict[str, Any]]
    warnings: list[str]


def type_file(
    path: Path, folder: Path, provenance: Provenance, parameters: Mapping[str, Any] | None = None
) -> Derived:
    """Type every table of a report file into a folder.

    Parameters
    ----------
    path : Path
        Of the report file.
    folder : Path
        Where the Parquet files go.
    provenance : Provenance
        Of the run: its report tells the columns, its source what the file is called.
    parameters : mapping, optional
        Of the run, as Canvas gives them.

    Raises
    ------
    CanvasReportsError
        The file can't be read.
    """
    found = csv_members(path, provenance.source)
    tables, said = {}, []
    for member in found:
        identity = identify(member, provenance.report, parameters=parameters)
        target = folder / f"{quote(identity.table, safe=' ')}.parquet"
        facts, made = write_parquet(member, identity, target, provenance)
        tables[identity.table] = {**file_facts(target), "provenance": made.to_dict()}
        said += contradictions(facts, identity)
    return Derived(found[0].in_zip, tables, said)


def derive(path: Path, folder: Path, provenance: Provenance, parameters: Mapping[str, Any]) -> Derived:
    """As `type_file`, on a worker where a client of dask.distributed is open; warns here of what was found."""
    client = _client()
    made = None if client is None else _by_worker(client, path, folder, provenance, parameters)
    made = made or type_file(path, folder, provenance, parameters)
    for text in made.warnings:
        warnings.warn(text, ReportWarning, stacklevel=2)
    return made


def _client() -> Any:
    """The open client of dask.distributed, or ``None``."""
    # Whoever has one has imported it.
    distributed = sys.modules.get("distributed")
    if distributed is None or _is_task(distributed):
        return None
    try:
        client = distributed.Client.current()
    except ValueError:
        return None
    return None if client.asynchronous else client


def _is_task(distributed: Any) -> bool:
    """Whether this is a worker's task itself: waiting for another could block the one thread there is."""
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def _by_worker(
    client: Any, path: Path, folder: Path, provenance: Provenance, parameters: Mapping[str, Any]
) -> Derived | None:
    """The typed files, made by a worker; ``None`` where no worker can."""
    # A worker may stand in another folder.
    with TemporaryDirectory(dir=folder.absolute(), ignore_cleanup_errors=True) as scratch:
        try:
            # Not pure: the same words may mean another file by now.
            task = client.submit(
                _type_apart, path.absolute(), Path(scratch), provenance, dict(parameters), pure=False
            )
            place, made = cast("tuple[str, Derived]", task.result())
            for facts in made.tables.values():
                (Path(scratch) / place / facts["file"]).replace(folder / facts["file"])
        except CanvasReportsError:
            raise
        except Exception as error:  # noqa: BLE001 - a cluster fails in ways of its own, and there is another way
            said = f"{type(error).__name__}: {error}"
            _LOG.warning("no Dask worker could type run %s (%s); doing it here", provenance.run_id, said)
            return None
    return made


def _type_apart(
    path: Path, scratch: Path, provenance: Provenance, parameters: Mapping[str, Any]
) -> tuple[str, Derived]:
    """As `type_file`, in a folder of its own: a worker given up for lost may still write."""
    folder = Path(mkdtemp(dir=scratch))
    return folder.name, type_file(path, folder, provenance, parameters)
