"""Where a reading goes: an Arrow table in memory, or a Parquet file that only its owner can read."""

from __future__ import annotations

import json
import os
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from canvas_reports_nb.exceptions import ReportWarning
from canvas_reports_nb.frames.reading import Facts, read
from canvas_reports_nb.lineage import ATTRS_KEY
from canvas_reports_nb.private import write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from canvas_reports_nb.frames.contents import Member
    from canvas_reports_nb.frames.identity import Identity
    from canvas_reports_nb.lineage import Provenance

__all__ = ["contradictions", "read_arrow", "write_parquet", "write_private"]

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
        stream = stack.enter_context(write_private(target))
        sink = _ParquetSink(stream, stack.enter_context(ThreadPoolExecutor(1, "parquet")))
        stack.callback(sink.abandon)
        facts = read(member, identity.schema, sink, locale=identity.locale)
        made = provenance.of_table(
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
