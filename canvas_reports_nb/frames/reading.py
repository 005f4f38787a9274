"""One CSV as typed Arrow batches, in bounded memory whatever the size of the file.

Arrow's reader comes first, and parses integers and booleans directly. If it can't, or if a cell such as ``007`` would
lose something, it reads them again as text, which is typed here. If it rejects the file (rows of other lengths than
the header, bytes that are not UTF-8), the standard library's slower reader reads it again. If a column contradicts its
kind, reading starts over with that column as text, so a column never changes its type halfway.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from canvas_reports_nb.catalog.schemas import COMPANION
from canvas_reports_nb.exceptions import DamagedFileError
from canvas_reports_nb.frames import kinds, proof
from canvas_reports_nb.frames.dialect import (
    Dialect,
    Utf8Blocks,
    check_complete,
    describe_stray_bytes,
    guessed,
    read_dialect,
    records,
    unique,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from canvas_reports_nb.catalog.schemas import Column, Table
    from canvas_reports_nb.frames.contents import Member

    #: Called with the schema, returns the function that takes the batches. If it is called again, reading
    #: started over, and the batches so far no longer count.
    Sink: TypeAlias = Callable[[pa.Schema], Callable[[pa.RecordBatch], None]]
    #: Numbers parsed directly; every cell as text, typed here; or row by row.
    _Way: TypeAlias = Literal["direct", "text", "rows"]

# Small enough that Arrow reuses the buffers of a block instead of returning them to the system.
_BLOCK = 1024 * 1024
_SLOW_ROWS = 20_000


@dataclass(slots=True)
class Facts:
    """What reading showed about a table.

    Attributes
    ----------
    as_text : dict
        Column to the first value that contradicts its kind.
    offsets : set of str
        UTC offsets in the times.
    blank : int
        Rows of separators only.
    remarks : list of str
        Remarks on the file as a whole.
    stray : str
        How many bytes of a UTF-8 file are not UTF-8, and where.
    last : sequence of str or None
        The last row as it is in the file.
    """

    dialect: Dialect
    rows: int = 0
    blank: int = 0
    as_text: dict[str, kinds.Contradiction] = field(default_factory=dict)
    offsets: set[str] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)
    stray: str = ""
    last: Sequence[str | None] = ()

    def notes(self) -> dict[str, str]:
        """Return the same as sentences, for the provenance."""
        notes = {
            name: f"kept as text: row {found.row} holds {found.value[:80]!r}"
            for name, found in self.as_text.items()
        }
        return {**notes, **({"file": "; ".join(self.remarks)} if self.remarks else {})}


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the columns of one CSV are read; a column that is ``None`` is read as text."""

    dialect: Dialect
    names: tuple[str, ...]
    columns: tuple[Column | None, ...]
    comma: kinds.Comma
    companions: dict[str, str]
    one_cell_results: tuple[str, ...]
    way: _Way

    @property
    def schema(self) -> pa.Schema:
        fields = []
        for name, column in zip(self.names, self.columns, strict=True):
            fields.append(pa.field(name, kinds.arrow_type(column), metadata=_metadata(column)))
            if name in self.companions:
                fields.append(pa.field(self.companions[name], kinds.TEXT))
        return pa.schema(fields)


def _metadata(column: Column | None) -> dict[str, str] | None:
    if column is None:
        return None
    marks = {"kind": column.kind, "personal": str(column.personal).lower()}
    return marks | ({"values": "\n".join(column.values)} if column.values else {})


def read(member: Member, table: Table | None, sink: Sink, *, locale: bool) -> Facts:
    """Read a CSV into a sink; without a table, every column is text."""
    dialect = read_dialect(member)
    way: _Way = "text" if table is None else "rows" if table.ragged else "direct"
    as_text: dict[str, kinds.Contradiction] = {}
    while True:
        facts = Facts(dialect, as_text=as_text)
        try:
            plan = _plan(member, dialect, table, as_text, way, locale=locale)
            contradictions = _pour(_batches(member, plan, facts), plan, facts, sink)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            dialect, way = _fallback(member, dialect, error, way)
            continue
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk failed, most often the sink's; the file may be fine
            raise DamagedFileError(f"{member.name} can't be read to its end: {error}.") from None
        if not contradictions:
            return _checked(member, facts)
        as_text.update(contradictions)


def _fallback(member: Member, dialect: Dialect, error: Exception, way: _Way) -> tuple[Dialect, _Way]:
    """Choose what to try after an error: all cells as text, another encoding, then the slow reader."""
    if way == "direct":
        return dialect, "text"
    can_guess = dialect.encoding.startswith("utf-8") and not dialect.stray_bytes and not member.encoding
    other = guessed(member, dialect) if can_guess else None
    if other is not None:
        return other, way
    if way == "rows":
        raise DamagedFileError(f"{member.name} can't be read: {error}.") from None
    return dialect, "rows"


def _checked(member: Member, facts: Facts) -> Facts:
    """Check that the file is whole, and add the remarks on it."""
    remark = check_complete(member, facts.dialect, facts.last)
    facts.remarks += [remark] if remark else []
    if facts.blank:
        facts.remarks.append(f"{facts.blank} rows hold nothing but separators")
    if facts.dialect.is_guessed:
        facts.remarks.append(f"read as {facts.dialect.encoding}: the file is not UTF-8")
    if facts.dialect.stray_bytes:
        facts.stray = describe_stray_bytes(member, facts.dialect)
        facts.remarks.append(facts.stray)
    return facts


def _plan(
    member: Member,
    dialect: Dialect,
    table: Table | None,
    as_text: dict[str, kinds.Contradiction],
    way: _Way,
    *,
    locale: bool,
) -> _Plan:
    header = dialect.header
    if way == "rows":
        width = max(map(len, records(member, dialect)), default=0)
        # The ratings of an outcome continue past the header's last name; any other extra cells have no name.
        header += (header[-1:] if table and table.ragged else ("",)) * (width - len(header))
    names = unique(header)
    columns = tuple(
        table.column(written) if table and name not in as_text else None
        for name, written in zip(names, header, strict=True)
    )
    # Semicolons show that the comma was needed for numbers.
    comma: kinds.Comma = "decimal" if dialect.delimiter == ";" else "unclear" if locale else "none"
    return _Plan(
        dialect,
        names,
        columns,
        comma,
        _companions(table, names, header),
        table.one_cell_results if table else (),
        way,
    )


def _companions(table: Table | None, names: tuple[str, ...], header: tuple[str, ...]) -> dict[str, str]:
    """Return the text column of each column with documented words.

    They depend on the names only, so that all runs of a report have the same columns.
    """
    known = (
        {name: table.column(written) for name, written in zip(names, header, strict=True)} if table else {}
    )
    return {
        name: name + COMPANION
        for name, column in known.items()
        if column and column.words and name + COMPANION not in names
    }


def _batches(member: Member, plan: _Plan, facts: Facts) -> Iterator[pa.RecordBatch]:
    if not plan.dialect.has_rows or not plan.names:
        return iter(())
    return _slow(member, plan, facts) if plan.way == "rows" else _fast(member, plan, facts)


def _count_blank_rows(batch: pa.RecordBatch) -> int:
    """Return how many rows hold nothing but separators and quotes, as Excel leaves them; a lone column has none."""
    blank = None
    for cells in batch.columns if batch.num_columns > 1 else ():
        empty = _are_empty(cells)
        blank = empty if blank is None else pc.and_(blank, empty)
        if not blank.true_count:
            return 0
    return 0 if blank is None else int(blank.true_count)


def _are_empty(cells: pa.Array) -> pa.Array:
    values = cells.cast(kinds.TEXT) if pa.types.is_dictionary(cells.type) else cells
    blank = pc.is_null(values)
    return pc.if_else(blank, True, pc.equal(values, "")) if values.type == kinds.TEXT else blank


def _fast(member: Member, plan: _Plan, facts: Facts) -> Iterator[pa.RecordBatch]:
    proven = proof.Proof(plan.dialect) if plan.way == "direct" else None
    with member.open() as source:
        blocks = Utf8Blocks(source, plan.dialect, proven.read if proven else None)
        # Closed also after an error: otherwise its thread may still read when the process ends.
        with _open_csv(pa.PythonFile(blocks, mode="r"), plan) as batches:
            last = None
            for batch in batches:
                last = batch if batch.num_rows else last
                if proven:
                    proven.parsed(batch)
                yield batch
                if proven and proven.is_hopeless:
                    break
        if proven and not proven.holds():
            raise pa.ArrowInvalid("printed again, a number is not what its cell was")
        if last is not None:
            facts.last = [column[-1].as_py() for column in last.columns]
        if blocks.last_byte == plan.dialect.delimiter.encode():
            # Arrow takes a blank last cell without a line break for a quoted one if the cell before it is.
            raise pa.ArrowInvalid("the last cell is blank and has no line break")


def _open_csv(stream: pa.NativeFile, plan: _Plan) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        stream,
        read_options=pacsv.ReadOptions(
            column_names=list(plan.names), skip_rows_after_names=1, block_size=_BLOCK
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=plan.dialect.delimiter,
            newlines_in_values=True,
            # In a table of one column, a blank line is a row whose cell is missing.
            ignore_empty_lines=len(plan.names) > 1,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={n: _parsed_as(c, plan) for n, c in zip(plan.names, plan.columns, strict=True)},
            null_values=[""],
            true_values=proof.TRUE,
            false_values=proof.FALSE,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _parsed_as(column: Column | None, plan: _Plan) -> pa.DataType:
    """Return text, to be typed later; an enumeration takes any text, so the parser may number it at once."""
    kind = kinds.arrow_type(column)
    return (
        kind if pa.types.is_dictionary(kind) or (plan.way == "direct" and _is_direct(column)) else kinds.TEXT
    )


def _is_direct(column: Column | None) -> bool:
    """Whether the parser may type a column at once, because the type shows whether a cell lost something."""
    return column is not None and column.kind in ("canvas_id", "integer", "boolean") and not column.words


def _slow(member: Member, plan: _Plan, facts: Facts) -> Iterator[pa.RecordBatch]:
    rows = _padded(islice(records(member, plan.dialect), 1, None), plan, facts)
    while piece := list(islice(rows, _SLOW_ROWS)):
        arrays = [pa.array(column, kinds.TEXT) for column in zip(*piece, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, list(plan.names))


def _padded(rows: Iterator[list[str | None]], plan: _Plan, facts: Facts) -> Iterator[list[str | None]]:
    """Give all rows the same length, and leave out blank lines and messages in place of results."""
    width, header_width, other = len(plan.names), len(plan.dialect.header), 0
    for row in rows:
        if width > 1 and not row:
            continue
        if width > 1 and len(row) == 1 and row[0] in plan.one_cell_results:
            facts.remarks.append(f"Canvas wrote: {row[0]}")
            continue
        other += (len(row) or 1) != header_width
        facts.last = row
        yield row + [None] * (width - len(row))
    if other:
        facts.remarks.append(f"{other} rows are longer or shorter than the header")


def _pour(
    batches: Iterator[pa.RecordBatch], plan: _Plan, facts: Facts, sink: Sink
) -> dict[str, kinds.Contradiction]:
    """Type the batches for the sink; after a contradiction, only look for further ones."""
    schema = plan.schema
    take = sink(schema)
    contradictions: dict[str, kinds.Contradiction] = {}
    for batch in batches:
        typed = []
        for name, column, cells in zip(plan.names, plan.columns, batch.columns, strict=True):
            if name in contradictions:
                continue
            made = kinds.cast(cells, column, comma=plan.comma)
            if isinstance(made, kinds.Contradiction):
                contradictions[name] = replace(made, row=made.row + facts.rows)
                continue
            if made.type == kinds.TIME:
                facts.offsets |= kinds.offsets(cells.filter(made.is_valid()))
            typed += [made, cells] if name in plan.companions else [made]
        facts.rows += batch.num_rows
        facts.blank += _count_blank_rows(batch)
        if not contradictions:
            take(pa.RecordBatch.from_arrays(typed, schema=schema))
    return contradictions
