"""From a typed Arrow table, or the Parquet of one, to the frame an engine's users know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import MissingDependencyError, ParameterError, UnknownColumnError
from canvas_reports_nb.frames.provenance import ATTRS_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from canvas_reports_nb.frames.provenance import Provenance
    from canvas_reports_nb.typing import Engine

Categories: TypeAlias = "dict[str, list[str]]"

_PANDAS_TYPES = {
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype("pyarrow", na_value=np.nan),
    pa.large_string(): pd.StringDtype("pyarrow", na_value=np.nan),
}


def pick(available: Sequence[str], columns: Sequence[str] | None) -> list[str] | None:
    """Check the wanted columns, and return them in the wanted order; ``None`` means all.

    Raises
    ------
    UnknownColumnError, ParameterError
        The table has no such column, or it is named twice.
    """
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


@overload
def frame(table: pa.Table, provenance: Provenance, engine: Literal["pandas"]) -> pd.DataFrame: ...
@overload
def frame(table: pa.Table, provenance: Provenance, engine: Literal["polars"]) -> pl.DataFrame: ...
@overload
def frame(table: pa.Table, provenance: Provenance, engine: Engine) -> Any: ...
def frame(table: pa.Table, provenance: Provenance, engine: Engine) -> Any:
    """A table in memory as an engine's frame."""
    match engine:
        case "pandas":
            return to_pandas(table, provenance)
        case "polars":
            return pl.from_arrow(table)
        case "arrow":
            return table
        case "dask":
            whole = to_pandas(table, provenance)
            return dask_frame(lambda _: whole, [0], whole.iloc[:0])
    raise unknown_engine(engine)


def load(path: Path, provenance: Provenance, engine: Engine, columns: Sequence[str] | None = None) -> Any:
    """A stored Parquet file as an engine's frame."""
    wanted = pick(pq.read_schema(path).names, columns)
    match engine:
        case "pandas":
            return _read_pandas(path, provenance, wanted)
        case "polars":
            return scan(path, wanted).collect()
        case "arrow":
            return _read(path, wanted)
        case "dask":
            return to_dask(path, provenance, wanted)
    raise unknown_engine(engine)


def _read(path: Path, columns: list[str] | None) -> pa.Table:
    # One file, not a dataset: a folder named "account=1" must not become a column.
    with pq.ParquetFile(path, memory_map=True) as file:
        table = file.read(columns=columns)
    return table if columns is None else table.select(columns)


def _read_pandas(path: Path, provenance: Provenance, columns: list[str] | None) -> pd.DataFrame:
    """A few columns at a time: the Arrow copy of the whole table never stands beside the pandas one."""
    names = columns if columns is not None else pq.read_schema(path).names
    groups = [names[start : start + _COLUMNS_AT_ONCE] for start in range(0, len(names), _COLUMNS_AT_ONCE)]
    parts = [to_pandas(_read(path, group), provenance) for group in groups or [[]]]
    made: pd.DataFrame = pd.concat(parts, axis="columns")
    made.attrs = parts[0].attrs
    return made


def scan(path: Path, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """A stored Parquet file as a lazy polars frame: only what the query needs is read."""
    lazy = pl.scan_parquet(path)
    wanted = pick(lazy.collect_schema().names(), columns)
    if wanted == []:
        # A query that selects no columns has no rows either.
        return pl.DataFrame(pl.from_arrow(_read(path, []))).lazy()
    return lazy if wanted is None else lazy.select(wanted)


def to_pandas(table: pa.Table, provenance: Provenance, categories: Categories | None = None) -> pd.DataFrame:
    """A table as pandas: ``Int64``, ``Float64``, ``boolean``, ``str``, ``category``, ``datetime64[us, UTC]``.

    Parameters
    ----------
    categories : mapping of str to list of str, optional
        Of each enumeration; those of the whole table where ``table`` is a part of it, in rows or columns.
    """
    made = typed(table, categories)
    made.attrs[ATTRS_KEY] = provenance.to_dict()
    return made


def typed(table: pa.Table, categories: Categories | None = None) -> pd.DataFrame:
    """As `to_pandas`, for a table that comes from no report by itself."""
    made: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS_TYPES.get, split_blocks=True)
    for name, values in (categories or categories_of(table)).items():
        if name in made:
            made[name] = made[name].cat.set_categories(pd.Index(values, dtype="str"))
    return made


def categories_of(table: pa.Table) -> Categories:
    """Of each enumeration: all documented values, whatever the rows hold, then what else was found.

    So frames of two runs can be stacked without the column becoming text.
    """
    found = {}
    for field in table.schema:
        if isinstance(field.type, pa.DictionaryType):
            written = (field.metadata or {}).get(b"values", b"").decode()
            documented = written.split("\n") if written else []
            held = {value for chunk in table[field.name].chunks for value in chunk.dictionary.to_pylist()}
            found[field.name] = documented + sorted(held - set(documented))
    return found


def to_dask(path: Path, provenance: Provenance, columns: list[str] | None = None) -> Any:
    """A stored Parquet file as a Dask frame, one partition a row group, with the dtypes of `to_pandas`."""
    with pq.ParquetFile(path) as file:
        groups = range(max(file.num_row_groups, 1))
        schema = file.schema_arrow
        wanted = schema.names if columns is None else columns
        enumerations = [name for name in wanted if isinstance(schema.field(name).type, pa.DictionaryType)]
        categories = categories_of(file.read(columns=enumerations))
    empty = schema.empty_table().select(wanted)
    return dask_frame(
        _row_group,
        groups,
        to_pandas(empty, provenance, categories),
        path=path.absolute(),  # a worker may stand in another folder
        columns=wanted,
        provenance=provenance,
        categories=categories,
    )


def _row_group(
    group: int, *, path: Path, columns: list[str], provenance: Provenance, categories: Categories
) -> pd.DataFrame:
    with pq.ParquetFile(path) as file:
        table = (
            file.read_row_group(group, columns=columns) if file.num_row_groups else file.read(columns=columns)
        )
    return to_pandas(table, provenance, categories)


def dask_frame(
    part: Callable[..., pd.DataFrame], parts: Iterable[Any], empty: pd.DataFrame, **keywords: Any
) -> Any:
    """A Dask frame of what a function makes of each part, with the dtypes of ``empty``.

    Raises
    ------
    MissingDependencyError
    """
    try:
        import dask  # noqa: PLC0415 - an extra
        import dask.dataframe as dd  # noqa: PLC0415 - likewise
    except ImportError:
        raise MissingDependencyError("dask", "dask", 'engine="dask"') from None
    # Left to itself, Dask makes another text of it, whose blank cells are another kind of missing.
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(part, parts, meta=empty, **keywords)


def check_engine(engine: Any) -> None:
    """Refuse an engine there is none of, before anything is started for it.

    Raises
    ------
    ParameterError
    """
    if engine not in _ENGINES:
        raise unknown_engine(engine)


def unknown_engine(engine: Any) -> ParameterError:
    """The error for an engine there is none of."""
    return ParameterError(
        f"engine={engine!r} is no engine.",
        hint=near(str(engine), _ENGINES) + f"There are: {', '.join(_ENGINES)}.",
    )


# Enough for every core to decode one, few enough to keep the peak near the size of the frame.
_COLUMNS_AT_ONCE = 4
_ENGINES = ("pandas", "polars", "arrow", "dask")
