"""From a typed Arrow table, in memory or in a Parquet file, to the frame of an engine."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import MissingDependencyError, ParameterError, UnknownColumnError
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from canvas_reports_nb.frames.gathering import Columns
    from canvas_reports_nb.frames.provenance import Provenance
    from canvas_reports_nb.typing import Engine

#: The values of each enumeration, by column.
Categories: TypeAlias = "dict[str, list[str]]"

_ENGINES = ("pandas", "polars", "arrow", "dask")
_PANDAS_TYPES = {
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): TEXT,
    pa.large_string(): TEXT,
}
_WHOLE = pa.int64()
# Enough for every core to decode one, few enough to keep peak memory near the size of the frame.
_COLUMNS_AT_ONCE = 4
# Each read opens the file and looks through all of its columns, so wide tables are read in larger pieces.
_MOST_READS = 32
# Bytes that the short offsets of Arrow's plain text can address.
_SHORT_TEXT = 2**31


def check_engine(engine: Any) -> None:
    """Reject an unknown engine."""
    if engine not in _ENGINES:
        raise ParameterError(
            f"Unknown engine {engine!r}.",
            hint=near(str(engine), _ENGINES) + 'Use "pandas", "polars", "arrow" or "dask".',
        )


def pick(available: Sequence[str], columns: Sequence[str] | None) -> list[str] | None:
    """Check the wanted columns, and return them in the wanted order; ``None`` means all."""
    if columns is None:
        return None
    wanted = [columns] if isinstance(columns, str) else list(columns)
    for name in wanted:
        if name not in available:
            raise UnknownColumnError(
                f"The table has no column {name!r}.",
                hint=f"{near(str(name), available)}It has: {', '.join(available)}.",
            )
        if wanted.count(name) > 1:
            raise ParameterError(f"columns= names {name!r} more than once.", hint="Name each column once.")
    return wanted


def convert(table: pa.Table, provenance: Provenance, engine: Engine) -> Any:
    """Turn an Arrow table into an engine's frame."""
    check_engine(engine)
    match engine:
        case "polars":
            return pl.from_arrow(table)
        case "arrow":
            return table
    frame = to_pandas(table)
    frame.attrs[ATTRS_KEY] = provenance.to_dict()
    return frame if engine == "pandas" else dask_frame(lambda _: frame, [0], frame.iloc[:0])


def load(
    path: Path,
    provenance: Provenance,
    engine: Engine,
    columns: Sequence[str] | None = None,
    kept: Columns | None = None,
) -> Any:
    """Load a Parquet file as an engine's frame; take columns that are still in memory from there."""
    check_engine(engine)
    schema = _parquet().read_schema(path)
    wanted = pick(schema.names, columns)
    names = schema.names if wanted is None else wanted
    in_memory = bool(names) and set(names) <= (kept or {}).keys()
    read = partial(_taken, kept or {}, schema) if in_memory else partial(_read, path)
    match engine:
        case "pandas":
            frame = pandas_by_columns(names, read, is_owned=in_memory)
            frame.attrs[ATTRS_KEY] = provenance.to_dict()
            return frame
        case "polars":
            return pl.from_arrow(read(names)) if in_memory else scan(path, wanted).collect()
        case "arrow":
            table = read(names)
            if in_memory:
                table = table.cast(pa.schema([schema.field(name) for name in names]))
            if wanted == []:
                return table  # with other metadata, a table without columns would lose its rows
            record = {ATTRS_KEY.encode(): json.dumps(provenance.to_dict())}
            return table.replace_schema_metadata({**(table.schema.metadata or {}), **record})
    return _load_dask(path, provenance, names)


def _taken(kept: Columns, schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    """Return columns in memory with the metadata of those in the file; they belong to the caller from now on."""
    columns = [kept.pop(name) for name in names]
    fields = [schema.field(name).with_type(column.type) for name, column in zip(names, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, schema.metadata))


def _parquet() -> Any:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import, and a lazy frame needs none

    return pq


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    # One file, not a dataset: a folder named "account=1" must not become a column.
    with _parquet().ParquetFile(path, memory_map=True) as file:
        return file.read(columns=columns).select(columns)


def scan(path: Path, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """Open a Parquet file as a lazy polars frame that reads only what a query needs."""
    lazy = pl.scan_parquet(path, glob=False)  # a folder named "Reports [2026]" is no pattern
    wanted = pick(lazy.collect_schema().names(), columns)
    if wanted == []:
        # A query that selects no columns has no rows either.
        return pl.DataFrame(pl.from_arrow(_read(path, []))).lazy()
    return lazy if wanted is None else lazy.select(wanted)


def to_pandas(
    table: pa.Table, categories: Categories | None = None, *, is_owned: bool = False
) -> pd.DataFrame:
    """Turn a table into pandas; pass the categories of the whole table if this one is a part of it.

    If nobody else has the table (``is_owned``), its numbers become those of the frame and are not copied.
    """
    signed = pa.schema([_with_signed_codes(field) for field in table.schema], table.schema.metadata)
    if signed != table.schema:  # a cast of a table without columns would lose its rows
        table = table.cast(signed)
    whole = [
        name for name, kind in zip(table.column_names, table.schema.types, strict=True) if kind == _WHOLE
    ]
    others = table.drop_columns(whole) if whole else table
    frame: pd.DataFrame = others.to_pandas(types_mapper=_PANDAS_TYPES.get, split_blocks=True)
    for name in whole:
        numbers = pd.Series(_integers(table[name], is_owned=is_owned), frame.index, copy=False)
        frame.insert(table.column_names.index(name), name, numbers)
    for field in table.schema:
        if pa.types.is_timestamp(field.type) and table[field.name].num_chunks == 1:
            frame[field.name] = frame[field.name].copy()  # Arrow's own memory is read-only
    for name, values in (categories or categories_of(table)).items():
        if name in frame:
            frame[name] = frame[name].cat.set_categories(pd.Index(values, dtype=TEXT))
    return frame


def _integers(column: pa.ChunkedArray, *, is_owned: bool) -> pd.arrays.IntegerArray:
    """Return a column as pandas' integers; Arrow's own conversion copies each value twice."""
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    is_taken = is_owned and len(chunks) == 1
    values = _values_of(chunks[0]) if is_taken else np.empty(len(column), np.int64)
    missing, end = np.zeros(len(column), bool), 0
    for chunk in chunks:
        begin, end = end, end + len(chunk)
        if not is_taken:
            values[begin:end] = _values_of(chunk)
        if chunk.null_count:
            missing[begin:end] = chunk.is_null().to_numpy(zero_copy_only=False)
    return pd.arrays.IntegerArray(values, missing)


def _values_of(chunk: pa.Int64Array) -> Any:
    return np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset : chunk.offset + len(chunk)]


def _with_signed_codes(field: pa.Field) -> pa.Field:
    """Return the field with codes that every pyarrow converts; those of polars are unsigned."""
    kind = field.type
    if not pa.types.is_dictionary(kind) or not pa.types.is_unsigned_integer(kind.index_type):
        return field
    return field.with_type(pa.dictionary(pa.int32(), kind.value_type, kind.ordered))


def is_pandas_type(dtype: Any) -> bool:
    """Whether `to_pandas` gives columns this dtype."""
    return dtype in _PANDAS_TYPES.values() or isinstance(dtype, pd.CategoricalDtype | pd.DatetimeTZDtype)


def pandas_by_columns(
    names: Sequence[str], read: Callable[[list[str]], pa.Table], *, is_owned: bool = False
) -> pd.DataFrame:
    """Build a pandas frame a few columns at a time, so the whole table never exists in Arrow as well."""
    step = max(_COLUMNS_AT_ONCE, -(-len(names) // _MOST_READS))
    groups = [list(names[at : at + step]) for at in range(0, len(names), step)]
    return pd.concat([to_pandas(read(group), is_owned=is_owned) for group in groups or [[]]], axis="columns")


def categories_of(table: pa.Table) -> Categories:
    """Return the values of each enumeration: first all documented ones, then others in the table.

    With the documented ones always there, stacked frames of two runs keep the column a category.
    """
    found = {}
    for field in table.schema:
        if pa.types.is_dictionary(field.type):
            known = documented(field)
            met = {value for chunk in table[field.name].chunks for value in chunk.dictionary.to_pylist()}
            found[field.name] = known + sorted(met - set(known))
    return found


def documented(field: pa.Field) -> list[str]:
    """Return the documented values of an enumeration."""
    written = (field.metadata or {}).get(b"values", b"").decode()
    return written.split("\n") if written else []


def cast_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a table from polars the types that `read_report` returns; only huge text keeps its long offsets."""
    fields = [
        field.with_type(pa.large_string())
        if pa.types.is_string(field.type) and table[field.name].nbytes >= _SHORT_TEXT
        else field
        for field in schema
    ]
    return table.cast(pa.schema(fields))


def _load_dask(path: Path, provenance: Provenance, columns: list[str]) -> Any:
    """Load a Parquet file as a Dask frame, one partition per row group, with the dtypes of pandas."""
    with _parquet().ParquetFile(path) as file:
        groups = range(max(file.num_row_groups, 1))
        schema = pa.schema([file.schema_arrow.field(name) for name in columns])
        enumerations = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        categories = categories_of(file.read(columns=enumerations))
    empty = to_pandas(schema.empty_table(), categories)
    empty.attrs[ATTRS_KEY] = provenance.to_dict()
    # A worker may run in another folder.
    keywords = {"path": path.absolute(), "columns": columns, "attrs": empty.attrs, "categories": categories}
    return dask_frame(_row_group, groups, empty, **keywords)


def _row_group(
    group: int, *, path: Path, columns: list[str], attrs: dict[str, Any], categories: Categories
) -> pd.DataFrame:
    with _parquet().ParquetFile(path) as file:
        whole = file.num_row_groups == 0
        table = file.read(columns=columns) if whole else file.read_row_group(group, columns=columns)
    frame = to_pandas(table, categories)
    frame.attrs.update(attrs)
    return frame


def dask_frame(
    part: Callable[..., pd.DataFrame], parts: Iterable[Any], empty: pd.DataFrame, **keywords: Any
) -> Any:
    """Build a Dask frame with one partition per part, and the dtypes of ``empty``."""
    try:
        import dask  # noqa: PLC0415 - an extra
        import dask.dataframe as dd  # noqa: PLC0415 - likewise
    except ImportError:
        raise MissingDependencyError("dask", "dask", 'engine="dask"') from None
    # By default, Dask converts text to another string type with another missing value.
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(part, parts, meta=empty, **keywords)
