"""Tables of many runs as one: columns of the request in front, schemas united, each file read only as far as needed.

The files stay where they are. What one run has and another has not is missing there; a column that one run
keeps as text is text in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from canvas_reports_nb.frames.engines import categories_of, dask_frame, pick, typed, unknown_engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from canvas_reports_nb.frames.engines import Categories
    from canvas_reports_nb.typing import Engine

_ENUM = pa.dictionary(pa.int32(), pa.string())
_ID_LIMIT = 2**63
_COLUMNS_AT_ONCE = 4
_POLARS = {
    pa.int64(): pl.Int64,
    pa.float64(): pl.Float64,
    pa.bool_(): pl.Boolean,
    pa.timestamp("us", "UTC"): pl.Datetime("us", "UTC"),
    pa.date32(): pl.Date,
    _ENUM: pl.Categorical,
}


@dataclass(frozen=True, slots=True)
class Part:
    """The table of one run, and what stands in front of its rows.

    Attributes
    ----------
    path : Path
        Of its typed Parquet file.
    front : mapping of str to value
    """

    path: Path
    front: Mapping[str, Any]


class Stack:
    """The tables of many runs, one below the other in the order given.

    Parameters
    ----------
    parts : sequence of Part
    front : mapping of str to sequence
        The front columns with all values of theirs, a blank ``None``: they decide the type. One whose name
        a table has, too, becomes ``request_NAME``.
    """

    def __init__(self, parts: Sequence[Part], front: Mapping[str, Sequence[Any]]) -> None:
        self._schemas = [pq.read_schema(part.path) for part in parts]
        held = {name for schema in self._schemas for name in schema.names}
        self._names = {name: _free(name, held) for name in front}
        typed_front = {name: _front_values(values) for name, values in front.items()}
        self._parts = [
            Part(part.path, {self._names[k]: _plain(v, typed_front[k].type) for k, v in part.front.items()})
            for part in parts
        ]
        self._front = {self._names[name]: values for name, values in typed_front.items()}
        first = [
            pa.field(name, values.type, metadata=_documented(values)) for name, values in self._front.items()
        ]
        self.schema = pa.schema([*first, *_united(self._schemas)])

    @property
    def differing(self) -> list[str]:
        """Columns that are text here because some of the runs, not all, keep them as text."""
        return [
            field.name
            for field in self.schema
            if len({s.field(field.name).type for s in self._schemas if field.name in s.names}) > 1
        ]

    def load(self, engine: Engine, columns: Sequence[str] | None = None) -> Any:
        """The stack as an engine's frame; a pandas one is made a few columns at a time."""
        names = self._chosen(columns)
        match engine:
            case "pandas":
                groups = [names[at : at + _COLUMNS_AT_ONCE] for at in range(0, len(names), _COLUMNS_AT_ONCE)]
                return pd.concat([typed(self._read(group)) for group in groups], axis="columns")
            case "polars":
                return self.scan(names).collect()
            case "arrow":
                return self._read(names).unify_dictionaries()
            case "dask":
                return self._dask(names)
        raise unknown_engine(engine)

    def scan(self, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """The stack as one lazy polars frame: only what the query needs is read."""
        names = self._chosen(columns)
        fields = [self.schema.field(name) for name in names]
        frames = [
            # Beside the file's own columns, or a run without rows would get one of literals.
            pl.scan_parquet(part.path)
            .with_columns(_expression(field, schema, part.front) for field in fields)
            .select(names)
            for part, schema in zip(self._parts, self._schemas, strict=True)
        ]
        return pl.concat(frames) if frames else pl.LazyFrame(schema={f.name: _dtype(f.type) for f in fields})

    def _chosen(self, columns: Sequence[str] | None) -> list[str]:
        """The wanted columns; those of the requests always stand in front."""
        wanted = pick(self.schema.names, columns)
        wanted = self.schema.names if wanted is None else wanted
        return [*self._front, *(name for name in wanted if name not in self._front)]

    def _read(self, names: Sequence[str]) -> pa.Table:
        schema = pa.schema([self.schema.field(name) for name in names])
        tables = [
            _completed(_held(part.path, schema, own), schema, part.front)
            for part, own in zip(self._parts, self._schemas, strict=True)
        ]
        return pa.concat_tables([schema.empty_table(), *tables])

    def _dask(self, names: Sequence[str]) -> Any:
        schema = pa.schema([self.schema.field(name) for name in names])
        chosen = {name: values for name, values in self._categories.items() if name in names}
        pieces = [
            _Piece(Part(part.path.absolute(), part.front), group)  # a worker may stand in another folder
            for part in self._parts
            for group in range(max(pq.read_metadata(part.path).num_row_groups, 1))
        ]
        empty = typed(schema.empty_table(), chosen)
        if not pieces:
            return dask_frame(lambda _: empty, [0], empty)
        return dask_frame(_load_piece, pieces, empty, columns=list(names), schema=schema, categories=chosen)

    @cached_property
    def _categories(self) -> Categories:
        """Of each enumeration: the documented values, then what any of the runs holds, one file at a time."""
        found = categories_of(self.schema.empty_table())
        held: dict[str, set[str]] = {name: set() for name in found}
        for part, own in zip(self._parts, self._schemas, strict=True):
            names = [name for name in found if name in own.names]
            with pq.ParquetFile(part.path) as file:
                for name, values in categories_of(file.read(columns=names)).items():
                    held[name] |= set(values)
        return {name: values + sorted(held[name] - set(values)) for name, values in found.items()}


@dataclass(frozen=True, slots=True)
class _Piece:
    """One row group of one run: a partition."""

    part: Part
    group: int


def _load_piece(
    piece: _Piece, *, columns: Sequence[str], schema: pa.Schema, categories: Categories
) -> pd.DataFrame:
    """Dask gives as ``columns`` what a query needs of a partition."""
    wanted = pa.schema([schema.field(name) for name in columns])
    with pq.ParquetFile(piece.part.path) as file:
        names = [name for name in columns if name in file.schema_arrow.names]
        table = (
            file.read_row_group(piece.group, columns=names)
            if file.num_row_groups
            else file.read(columns=names)
        )
        rows = file.metadata.row_group(piece.group).num_rows if file.num_row_groups else 0
    return typed(_completed((table, rows), wanted, piece.part.front), categories)


def _held(path: Path, schema: pa.Schema, own: pa.Schema) -> tuple[pa.Table, int]:
    """Those of the wanted columns that a file has, and its number of rows."""
    with pq.ParquetFile(path, memory_map=True) as file:
        return file.read(columns=[name for name in schema.names if name in own.names]), file.metadata.num_rows


def _completed(held: tuple[pa.Table, int], schema: pa.Schema, front: Mapping[str, Any]) -> pa.Table:
    """A run's columns with those it lacks, each of the united type."""
    table, rows = held
    columns = []
    for field in schema:
        if field.name in front:
            columns.append(
                pa.repeat(pa.scalar(front[field.name], _value_type(field.type)), rows).cast(field.type)
            )
        elif field.name not in table.column_names:
            columns.append(pa.nulls(rows, field.type))
        elif table.schema.field(field.name).type == field.type:
            columns.append(table[field.name])
        else:
            frame = pl.DataFrame(pl.from_arrow(table.select([field.name])))
            text = frame.select(_as_text(field.name, table.schema.field(field.name).type))
            columns.append(text.to_arrow()[field.name].cast(pa.string()))
    return pa.table(columns, schema=schema)


def _expression(field: pa.Field, own: pa.Schema, front: Mapping[str, Any]) -> pl.Expr:
    """The same as `_completed` for one column, as a query."""
    if field.name in front:
        return pl.lit(front[field.name], dtype=_dtype(field.type)).alias(field.name)
    if field.name not in own.names:
        return pl.lit(None, dtype=_dtype(field.type)).alias(field.name)
    if own.field(field.name).type == field.type:
        return pl.col(field.name)
    return _as_text(field.name, own.field(field.name).type)


def _as_text(name: str, kind: pa.DataType) -> pl.Expr:
    """A typed column as Canvas would have written it."""
    column = pl.col(name)
    if pa.types.is_timestamp(kind):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return column.cast(pl.String)


def _united(schemas: Sequence[pa.Schema]) -> list[pa.Field]:
    """All columns, in the order they are met; of differing types the one that holds every value is text."""
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            known = fields.setdefault(field.name, field)
            if known.type != field.type:
                fields[field.name] = pa.field(field.name, pa.string(), metadata=known.metadata)
    return list(fields.values())


def _front_values(values: Sequence[Any]) -> pa.Array:
    """Values of requests with the one type that holds them all: yes or no, number, or text with few values."""
    plain = [value for value in values if value is not None]
    if plain and all(isinstance(value, bool) for value in plain):
        return pa.array(values, pa.bool_())
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in plain)
    if plain and numbers:
        whole = all(isinstance(value, int) and abs(value) < _ID_LIMIT for value in plain)
        return pa.array(values, pa.int64() if whole else pa.float64())
    return pa.array([_plain(value, _ENUM) for value in values], pa.string()).dictionary_encode()


def _plain(value: Any, kind: pa.DataType) -> Any:
    """A front value as its column holds it."""
    if value is None or not pa.types.is_dictionary(kind):
        return value
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _documented(values: pa.Array) -> dict[str, str] | None:
    if not pa.types.is_dictionary(values.type):
        return None
    return {"values": "\n".join(values.dictionary.to_pylist())}


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _dtype(kind: pa.DataType) -> Any:
    return _POLARS.get(kind, pl.String)


def _free(name: str, held: set[str]) -> str:
    return name if name not in held else _free(f"request_{name}", held)
