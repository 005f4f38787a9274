"""One CSV as a stream of typed Arrow batches: bounded memory, whatever the size of the file.

A regular file goes through Arrow's reader. One it refuses (rows of other lengths than the
header, bytes that are no UTF-8) is read again by the standard library's patient reader.
A column that turns out to contradict its kind makes the whole file start over with that
column as text, so that a column never changes its type half-way.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pacsv

from canvas_reports_nb.exceptions import DamagedFileError
from canvas_reports_nb.frames import kinds
from canvas_reports_nb.frames.dialect import (
    Dialect,
    check_complete,
    other_encoding,
    read_dialect,
    records,
    unique,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from canvas_reports_nb.catalog.schemas import Column, Table
    from canvas_reports_nb.frames.contents import Member

# Small enough that the buffers of a block are used again instead of going back to the system.
_BLOCK = 1024 * 1024
_SLOW_ROWS = 20_000


@dataclass(slots=True)
class Facts:
    """What was learned of a table while it was read.

    Attributes
    ----------
    rows : int
    dialect : Dialect
    as_text : dict
        Column to the first value that contradicts its kind.
    offsets : set of str
        UTC offsets met in times.
    remarks : list of str
        On the file as a whole.
    last : sequence of str or None
        The last row as it stands in the file.
    """

    dialect: Dialect
    rows: int = 0
    as_text: dict[str, kinds.Contradiction] = field(default_factory=dict)
    offsets: set[str] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)
    last: Sequence[str | None] = ()

    def notes(self) -> dict[str, str]:
        """The same in sentences, for the provenance."""
        said = {
            name: f"kept as text: row {found.row} holds {found.value[:80]!r}"
            for name, found in self.as_text.items()
        }
        return {**said, **({"file": "; ".join(self.remarks)} if self.remarks else {})}


@dataclass(frozen=True, slots=True)
class Reading:
    """How the columns of one CSV are read.

    Attributes
    ----------
    names : tuple of str
        Unique.
    columns : tuple of Column or None
        What the schema knows of each; ``None`` where it is read as text.
    """

    dialect: Dialect
    names: tuple[str, ...]
    columns: tuple[Column | None, ...]
    decimal_comma: bool
    one_cell_results: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of every batch."""
        return pa.schema(
            [
                pa.field(name, kinds.arrow_type(column), metadata=_marks(column))
                for name, column in zip(self.names, self.columns, strict=True)
            ]
        )

    def as_text(self, names: set[str]) -> Reading:
        """The same with some columns kept as text."""
        columns = tuple(None if n in names else c for n, c in zip(self.names, self.columns, strict=True))
        return replace(self, columns=columns)


def _marks(column: Column | None) -> dict[str, str] | None:
    if column is None:
        return None
    marks = {"kind": column.kind, "personal": str(column.personal).lower()}
    return marks | ({"values": "\n".join(column.values)} if column.values else {})


def read(
    member: Member,
    table: Table | None,
    sink: Callable[[pa.Schema], Callable[[pa.RecordBatch], None]],
    *,
    locale: bool,
) -> Facts:
    """Read a CSV into a sink.

    Parameters
    ----------
    member : Member
    table : schemas.Table or None
        ``None`` reads every column as text.
    sink : callable
        Called with the schema, gives the function that takes the batches. Called again when the
        reading starts over; what it took before is void then.
    locale : bool
        Whether numbers may be written with a decimal comma.

    Raises
    ------
    DamagedFileError
        The bytes can't be read to their end.
    OSError
        A disk refused, the member's or the sink's.
    """
    dialect = read_dialect(member)
    slow = bool(table and table.ragged)
    as_text: dict[str, kinds.Contradiction] = {}
    while True:
        facts = Facts(dialect, as_text=as_text)
        try:
            reading = _reading(member, dialect, table, locale=locale, slow=slow).as_text(set(as_text))
            contradictions = _pour(_batches(member, reading, facts, slow=slow), reading, facts, sink)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            other = other_encoding(member) if dialect.encoding.startswith("utf-8") else None
            if other is not None:
                dialect = replace(dialect, encoding=other)
            elif slow:
                raise DamagedFileError(f"{member.name} can't be read: {error}.") from None
            slow = slow or other is None
            continue
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of a disk, most often the sink's: it says nothing of the file
            raise DamagedFileError(f"{member.name} can't be read to its end: {error}.") from None
        if not contradictions:
            facts.remarks += filter(
                None, [check_complete(member, dialect.encoding, len(dialect.header), facts.last)]
            )
            if dialect.encoding in {"cp1252", "latin-1"}:
                facts.remarks.append(f"read as {dialect.encoding}: the bytes are no UTF-8")
            return facts
        as_text.update(contradictions)


def _reading(member: Member, dialect: Dialect, table: Table | None, *, locale: bool, slow: bool) -> Reading:
    header = dialect.header
    if slow:
        width = max(map(len, records(member, dialect)), default=0)
        # The ratings of an outcome go on beyond the header's last name; other cells there have none.
        header += (header[-1:] if table and table.ragged else ("",)) * (width - len(header))
    columns = tuple(table.column(name) if table else None for name in header)
    results = table.one_cell_results if table else ()
    return Reading(dialect, unique(header), columns, locale, results)


def _batches(member: Member, reading: Reading, facts: Facts, *, slow: bool) -> Iterator[pa.RecordBatch]:
    if not reading.dialect.has_rows or not reading.names:
        return iter(())
    if slow:
        return _patient(member, reading, facts)
    return _fast(member, reading, facts)


def _fast(member: Member, reading: Reading, facts: Facts) -> Iterator[pa.RecordBatch]:
    with ExitStack() as stack:
        if member.path:
            stream = stack.enter_context(pa.OSFile(str(member.path)))
        else:
            stream = pa.PythonFile(stack.enter_context(member.open()), mode="r")
        batches = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(
                column_names=list(reading.names),
                skip_rows_after_names=1,
                block_size=_BLOCK,
                encoding="utf8" if reading.dialect.encoding.startswith("utf-8") else reading.dialect.encoding,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=reading.dialect.delimiter,
                newlines_in_values=True,
                # In a table of one column a blank line is a row whose cell is missing.
                ignore_empty_lines=len(reading.names) > 1,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict(zip(reading.names, map(_parsed_as, reading.columns), strict=True)),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        for batch in batches:
            if batch.num_rows:
                facts.last = [column[-1].as_py() for column in batch.columns]
            yield batch


def _parsed_as(column: Column | None) -> pa.DataType:
    """Text, to be judged afterwards; an enumeration takes any text, so the parser may number it at once."""
    kind = kinds.arrow_type(column)
    return kind if pa.types.is_dictionary(kind) else kinds.TEXT


def _patient(member: Member, reading: Reading, facts: Facts) -> Iterator[pa.RecordBatch]:
    width, header_width = len(reading.names), len(reading.dialect.header)
    rows = islice(records(member, reading.dialect), 1, None)
    other = 0
    while piece := list(islice(rows, _SLOW_ROWS)):
        full = []
        for row in piece:
            if not row and width > 1:
                continue
            if len(row) == 1 and width > 1 and row[0] in reading.one_cell_results:
                facts.remarks.append(f"Canvas says: {row[0]}")
                continue
            other += len(row) != header_width
            facts.last = row
            full.append([cell or None for cell in row] + [None] * (width - len(row)))
        if full:
            arrays = [pa.array(column, kinds.TEXT) for column in zip(*full, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, list(reading.names))
    if other:
        facts.remarks.append(f"{other} rows are longer or shorter than the header")


def _pour(
    batches: Iterator[pa.RecordBatch],
    reading: Reading,
    facts: Facts,
    sink: Callable[[pa.Schema], Callable[[pa.RecordBatch], None]],
) -> dict[str, kinds.Contradiction]:
    """Type the batches and hand them on, until a contradiction: then only look for further ones."""
    schema = reading.schema
    take = sink(schema)
    contradictions: dict[str, kinds.Contradiction] = {}
    for batch in batches:
        typed = []
        for name, column, cells in zip(reading.names, reading.columns, batch.columns, strict=True):
            if name in contradictions:
                continue
            made = kinds.cast(cells, column, decimal_comma=reading.decimal_comma)
            if isinstance(made, kinds.Contradiction):
                contradictions[name] = replace(made, row=made.row + facts.rows)
                continue
            if made.type == kinds.TIME:
                facts.offsets |= kinds.offsets(cells)
            typed.append(made)
        facts.rows += batch.num_rows
        if not contradictions:
            take(pa.RecordBatch.from_arrays(typed, schema=schema))
    return contradictions
