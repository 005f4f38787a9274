"""Tables of many runs as one: the request's columns in front, schemas united, each file read only as needed.

The files stay where they are. A column that a run lacks is missing in its rows; a column that one run keeps as
text is text in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from canvas_reports_nb.frames.engines import (
    cast_table,
    categories_of,
    check_engine,
    dask_frame,
    pandas_by_columns,
    pick,
    to_pandas,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from canvas_reports_nb.frames.engines import Categories
    from canvas_reports_nb.typing import Engine

_CATEGORY = pa.dictionary(pa.int32(), pa.string())
_ID_LIMIT = 2**63


@dataclass(frozen=True, slots=True)
class Part:
    """The typed Parquet file of one run, and the values in front of its rows."""

    path: Path
    front: Mapping[str, Any]


class Stack:
    """The tables of many runs, one below the other in the order given.

    ``front`` has all values of each column of the requests, which decide its type. If a table has a column of the same
    name, the one of the requests becomes ``request_NAME``.
    """

    def __init__(self, parts: Sequence[Part], front: Mapping[str, Sequence[Any]]) -> None:
        self._schemas = [pq.read_schema(part.path) for part in parts]
        taken = {name for schema in self._schemas for name in schema.names}
        fields = {name: _front_field(_free(name, taken), values) for name, values in front.items()}
        self._front = [field.name for field in fields.values()]
        self._parts = [
            Part(part.path, {fields[k].name: _cell(v, fields[k].type) for k, v in part.front.items()})
            for part in parts
        ]
        self.schema = pa.schema([*fields.values(), *_united(self._schemas)])

    @property
    def differing(self) -> list[str]:
        """Columns that are text here because only some of the runs keep them as text."""
        return [
            field.name
            for field in self.schema
            if len({s.field(field.name).type for s in self._schemas if field.name in s.names}) > 1
        ]

    def load(self, engine: Engine, columns: Sequence[str] | None = None) -> Any:
        """Load the stack as an engine's frame."""
        check_engine(engine)
        names = self._chosen(columns)
        match engine:
            case "pandas":
                return pandas_by_columns(names, self._read)
            case "polars":
                return self._query(names).collect()
            case "arrow":
                return self._read(names).unify_dictionaries()
        return self._load_dask(names)

    def scan(self, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """Open the stack as one lazy polars frame that reads only what a query needs."""
        return self._query(self._chosen(columns))

    def _chosen(self, columns: Sequence[str] | None) -> list[str]:
        """Return the wanted columns, always with those of the requests in front."""
        wanted = pick(self.schema.names, columns)
        wanted = self.schema.names if wanted is None else wanted
        return [*self._front, *(name for name in wanted if name not in self._front)]

    def _query(self, names: Sequence[str]) -> pl.LazyFrame:
        schema = pa.schema([self.schema.field(name) for name in names])
        queries = [_rows_of(part, own, schema) for part, own in zip(self._parts, self._schemas, strict=True)]
        return pl.concat(queries) if queries else _empty(schema).lazy()

    def _read(self, names: Sequence[str]) -> pa.Table:
        schema = pa.schema([self.schema.field(name) for name in names])
        return cast_table(self._query(names).collect().to_arrow(), schema)

    def _load_dask(self, names: list[str]) -> Any:
        schema = pa.schema([self.schema.field(name) for name in names])
        pieces = []
        for part in self._parts:
            file = pq.read_metadata(part.path)
            sizes = [file.row_group(group).num_rows for group in range(file.num_row_groups)] or [0]
            part = Part(part.path.absolute(), part.front)  # noqa: PLW2901 - a worker may run in another folder
            pieces += [(part, end - size, size) for size, end in zip(sizes, accumulate(sizes), strict=True)]
        categories = {name: values for name, values in self._categories.items() if name in names}
        empty = to_pandas(schema.empty_table(), categories)
        if not pieces:
            return dask_frame(lambda _: empty, [0], empty)
        return dask_frame(_load_piece, pieces, empty, columns=names, schema=schema, categories=categories)

    @cached_property
    def _categories(self) -> Categories:
        """The values of each enumeration, whichever run holds them."""
        found: Categories = {}
        for field in self.schema:
            if pa.types.is_dictionary(field.type):
                values = self._query([field.name]).unique().collect()
                found |= categories_of(cast_table(values.to_arrow(), pa.schema([field])))
        return found


def _load_piece(
    piece: tuple[Part, int, int], *, columns: Sequence[str], schema: pa.Schema, categories: Categories
) -> pd.DataFrame:
    """Load one row group of one run; Dask passes the columns that a query needs."""
    part, start, size = piece
    wanted = pa.schema([schema.field(name) for name in columns])
    rows = _rows_of(part, pq.read_schema(part.path), wanted).slice(start, size).collect()
    return to_pandas(cast_table(rows.to_arrow(), wanted), categories)


def _rows_of(part: Part, own: pa.Schema, schema: pa.Schema) -> pl.LazyFrame:
    """Query a run's rows with the columns of the stack."""
    types = _empty(schema).schema
    columns = []
    for name, dtype in types.items():
        if name not in own.names:
            columns.append(pl.lit(part.front.get(name), dtype=dtype).alias(name))
        elif own.field(name).type != schema.field(name).type:
            columns.append(_as_text(name, own.field(name).type))
    # Added to the file's own columns: a query of literals alone would give a run without rows one row.
    return pl.scan_parquet(part.path, glob=False).with_columns(columns).select(types.names())


def _empty(schema: pa.Schema) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(schema.empty_table()))


def _as_text(name: str, kind: pa.DataType) -> pl.Expr:
    """Write a typed column as Canvas would have written it."""
    column = pl.col(name)
    if pa.types.is_timestamp(kind):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return column.cast(pl.String)


def _united(schemas: Sequence[pa.Schema]) -> list[pa.Field]:
    """Return all columns in the order they appear; where types differ, text holds every value."""
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            known = fields.setdefault(field.name, field)
            if known.type != field.type:
                fields[field.name] = pa.field(field.name, pa.string(), metadata=known.metadata)
    return list(fields.values())


def _front_field(name: str, values: Sequence[Any]) -> pa.Field:
    """Return a front column of the one type that holds all its values: boolean, number, or text as category."""
    present = [value for value in values if value is not None]
    kinds = set(map(_kind, present))
    if kinds == {bool}:
        return pa.field(name, pa.bool_())
    if kinds == {int} and max(map(abs, present)) < _ID_LIMIT:
        return pa.field(name, pa.int64())
    if float in kinds and kinds <= {int, float}:
        return pa.field(name, pa.float64())
    texts = dict.fromkeys(_cell(value, _CATEGORY) for value in present)
    return pa.field(name, _CATEGORY, metadata={"values": "\n".join(texts)})


def _kind(value: Any) -> type:
    return next((kind for kind in (bool, int, float) if isinstance(value, kind)), str)


def _cell(value: Any, kind: pa.DataType) -> Any:
    """Return a front value as its column holds it."""
    if value is None or not pa.types.is_dictionary(kind):
        return value
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"request_{name}", taken)
