"""A frame of any kind in, the same kind out: the edges of every analysis.

In between is one polars query, so pandas, polars, lazy polars, Arrow, Dask and DuckDB give the same numbers, and no
analysis is written twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np
import pandas as pd
import polars as pl
import polars.selectors as cs
import pyarrow as pa

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# Letters of a wrong value that an error shows.
_LONGEST = 60

#: All Canvas ids are smaller, and all pseudonyms of ids are at least this large.
LOWEST_PSEUDONYM = 2**62
#: How pseudonyms of other identities are written: what they identify, and 80 bits in hexadecimal.
TEXT_PSEUDONYM = r"^[a-z][a-z0-9_]*_[0-9a-f]{20}$"

#: pandas, polars (eager or lazy), Arrow, Dask or a DuckDB relation; the result is of the same kind.
FrameT = TypeVar("FrameT")


class FrameResult(Generic[FrameT]):
    """A frame with more answers as methods: it is used like the frame, and `frame` is the frame alone."""

    def __init__(self, frame: FrameT) -> None:
        self.frame = frame

    @property  # type: ignore[misc] # isinstance only reads it
    def __class__(self) -> Any:
        """The class of the frame, so that ``isinstance`` is true for its kind."""
        return type(self.frame)

    def __getattr__(self, name: str) -> Any:
        if name == "frame":  # not set yet
            raise AttributeError(name)
        return getattr(self.frame, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.frame), *(name for name in dir(type(self)) if name[0] != "_"), "frame"})

    def __getitem__(self, key: Any) -> Any:
        return cast("Any", self.frame)[key]

    def __contains__(self, key: Any) -> bool:
        return key in cast("Any", self.frame)

    def __iter__(self) -> Iterator[Any]:
        return iter(cast("Any", self.frame))

    def __len__(self) -> int:
        return len(cast("Any", self.frame))

    def __repr__(self) -> str:
        return repr(self.frame)


def frame_of(frame: Any) -> Any:
    """Return the frame of a `FrameResult`, or the frame itself."""
    return frame.frame if isinstance(frame, FrameResult) else frame


_JOIN_HINT = "Read both frames with read_report, and pseudonymize both or neither, with one key."


def to_lazy(frame: Any, columns: Collection[str] | None = None) -> pl.LazyFrame:
    """Turn a frame of any kind into a polars query; only ``columns`` are converted, and computed by Dask or DuckDB."""
    frame = frame_of(frame)
    if isinstance(frame, pl.DataFrame) and columns is not None:
        frame = frame.select([name for name in frame.columns if name in columns])
    if isinstance(frame, pl.LazyFrame | pl.DataFrame):
        return frame.lazy()
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    if nw.dependencies.is_dask_dataframe(frame):
        frame = frame[[name for name in frame.columns if columns is None or name in columns]].compute()
    known = _wrapped(frame)
    if columns is not None:
        names = [name for name in known.collect_schema().names() if name in columns]
        if not names:  # which databases can't select
            return pl.LazyFrame()
        known = known.select(names)
    if isinstance(known, nw.LazyFrame):
        # A database labels times with the zone of its session; the reports are in UTC.
        times = cs.datetime(time_zone="*").dt.convert_time_zone("UTC")
        return cast("pl.LazyFrame", known.collect("polars").to_native().lazy().with_columns(times))
    return cast("pl.LazyFrame", known.lazy("polars").to_native())


def column_names(frame: Any) -> list[str]:
    """Return the columns of a frame of any kind, without computing anything."""
    return list(_wrapped(meta_of(frame)).collect_schema().names())


def _wrapped(frame: Any, **options: Any) -> Any:
    """Wrap a frame by narwhals, which reads all kinds."""
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    try:
        known = nw.from_native(frame, **options)
        known.collect_schema()
    except TypeError:
        raise ParameterError(
            f"Expected a frame, not {type(frame).__name__}.",
            hint="Pass a pandas, polars, Arrow or Dask frame, such as read_report returns, or a DuckDB relation.",
        ) from None
    except nw.exceptions.DuplicateError:
        names = [str(name) for name in getattr(frame, "column_names", None) or frame.columns]
        twice = dict.fromkeys(repr(name) for name in names if names.count(name) > 1)
        raise ParameterError(
            f"Several columns of the frame are called {', '.join(twice)}.",
            hint="Rename or drop all but one of each; in pandas: frame.loc[:, ~frame.columns.duplicated()].",
        ) from None
    return known


def meta_of(frame: Any) -> Any:
    """Return the empty pandas frame that describes a Dask frame; any other frame itself."""
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    frame = frame_of(frame)
    return frame._meta if nw.dependencies.is_dask_dataframe(frame) else frame  # noqa: SLF001 - Dask's own way


def as_list(words: Iterable[str]) -> list[str]:
    """Return words as a list; a single text is one word."""
    listed = [words] if isinstance(words, str) else list(words) if isinstance(words, Iterable) else [words]
    for word in listed:
        if not isinstance(word, str):
            raise ParameterError(
                f"Expected texts, not {_short(word)}.", hint="Give a text or a list of texts."
            )
    return listed


def check_kinds(words: str, kinds: Any, **arguments: Any) -> None:
    """Reject arguments of another kind than these, which the words describe."""
    for name, value in arguments.items():
        if not isinstance(value, kinds):
            raise ParameterError(f"Can't use {_short(value)} as {name}=.", hint=f"Give {words}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST and "\n" not in text else f"a {type(value).__name__}"


def as_kind_of(result: pl.LazyFrame, frame: FrameT, *others: Any) -> FrameT:
    """Turn a query's result into the kind of ``frame``; a lazy frame stays lazy.

    Columns keep their dtypes, and enumerations all their values, also those joined from ``others``. pandas and Arrow
    frames keep their provenance. Frames of kinds that only narwhals knows become Arrow tables.
    """
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    from canvas_reports_nb.frames.engines import dask_frame, to_pandas  # noqa: PLC0415 - slow to import

    frame = frame_of(frame)
    if isinstance(frame, pl.LazyFrame | pl.DataFrame):
        return cast("FrameT", result if isinstance(frame, pl.LazyFrame) else result.collect())
    enumerations: dict[str, list[str]] = {}
    for each in (*reversed(others), frame):
        enumerations |= _enumerations(each)
    # pandas keeps text with long offsets, so only other kinds get the short ones.
    short = not nw.dependencies.is_pandas_dataframe(frame)
    table = _with_our_types(result.collect().to_arrow(), enumerations, short=short)
    if nw.dependencies.is_pyarrow_table(frame):
        return cast("FrameT", table.replace_schema_metadata(frame.schema.metadata))
    if nw.dependencies.is_duckdb_relation(frame):
        return cast("FrameT", _relation(table, frame))
    made = to_pandas(table)
    if nw.dependencies.is_dask_dataframe(frame):
        return cast("FrameT", dask_frame(lambda _: made, [0], made.iloc[:0]))
    if not nw.dependencies.is_pandas_dataframe(frame):
        return cast("FrameT", table)
    made.attrs = deepcopy(getattr(frame, "attrs", {}))
    return cast("FrameT", made)


def is_typed(*frames: Any) -> bool:
    """Whether these are pandas frames with the types of `read_report`, whose rows can be taken as they are."""
    from canvas_reports_nb.frames.engines import is_pandas_type  # noqa: PLC0415 - slow to import

    return all(
        isinstance(frame, pd.DataFrame) and frame.columns.is_unique and all(map(is_pandas_type, frame.dtypes))
        for frame in frames
    )


def take_rows(
    frame: pd.DataFrame, rows: np.ndarray[Any, Any], columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return rows of a typed pandas frame by number, missing for -1, with columns under new names.

    Only the wanted columns are copied, as pandas itself would; none if all rows stay where they are.
    """
    if columns is not None:
        shown = {name: new for name, new in columns.items() if name in frame}
        frame = frame[list(shown)].set_axis(list(shown.values()), axis="columns")
    frame = frame.reset_index(drop=True)
    if len(rows) == len(frame) and (rows == np.arange(len(rows))).all():
        return frame
    return frame.reindex(rows).reset_index(drop=True)


def _relation(result: pa.Table, beside: Any) -> Any:  # noqa: ARG001 - DuckDB looks the table up by its name here
    """Turn a table into a relation of the same DuckDB connection, so that both can be joined."""
    return beside.query("canvas_reports", "SELECT * FROM result")


def _enumerations(frame: Any) -> dict[str, list[str]]:
    """Return the values that the enumerations of a frame may hold, also those in no row."""
    from canvas_reports_nb.frames.engines import documented  # noqa: PLC0415 - slow to import

    if isinstance(frame, pa.Table):
        return {field.name: documented(field) for field in frame.schema if pa.types.is_dictionary(field.type)}
    if not hasattr(getattr(frame, "dtypes", None), "items"):
        return {}
    return {
        str(name): [str(value) for value in dtype.categories]
        for name, dtype in frame.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype)
    }


def _with_our_types(table: pa.Table, enumerations: dict[str, list[str]], *, short: bool) -> pa.Table:
    """Give a table from polars the types that `read_report` returns, in text and enumerations."""
    from canvas_reports_nb.frames.engines import cast_table  # noqa: PLC0415 - slow to import

    fields = []
    for field in table.schema:
        kind, metadata = field.type, None
        if pa.types.is_large_string(kind) and short:
            kind = pa.string()
        elif pa.types.is_dictionary(kind):
            kind = pa.dictionary(pa.int32(), pa.string())
            values = "\n".join(enumerations.get(field.name, ()))
            metadata = {"values": values} if values else None
        fields.append(pa.field(field.name, kind, metadata=metadata))
    return cast_table(table, pa.schema(fields))


def require_columns(
    frame: pl.LazyFrame,
    columns: Iterable[str],
    what: str,
    *,
    numbers: Iterable[str] = (),
    given: Any = None,
) -> None:
    """Reject a frame that lacks a column an analysis reads, or has text in one of the ``numbers``.

    If the caller's frame is ``given``, the error lists its columns.
    """
    schema = frame.collect_schema()
    missing = [name for name in (*columns, *numbers) if name not in schema]
    if missing:
        names = schema.names() if given is None else [str(name) for name in column_names(given)]
        raise UnknownColumnError(
            f"{what} needs the column {', '.join(map(repr, missing))}.",
            hint=f"{near(missing[0], names)}The frame has: {', '.join(names)}.",
        )
    texts = [name for name in numbers if not (schema[name].is_numeric() or schema[name] == pl.Null)]
    if texts:
        raise ParameterError(
            f"{what} needs numbers in {', '.join(map(repr, texts))}, which is {schema[texts[0]]} here.",
            hint="A column stays text if a cell is not a number. crn.provenance(frame)['notes'] names the cell.",
        )


def check_zone(zone: str) -> None:
    """Reject a time zone polars doesn't know; it would take a blank one as UTC."""
    try:
        pl.select(pl.lit(datetime(2026, 1, 1, tzinfo=UTC)).dt.convert_time_zone(zone or "none"))
    except (pl.exceptions.PolarsError, TypeError, ValueError):
        raise ParameterError(
            f"Unknown time zone {zone!r}.", hint='Use an IANA name, such as "America/Denver" or "UTC".'
        ) from None


def require_times(rows: pl.LazyFrame, columns: Iterable[str], analysis: str) -> None:
    """Reject columns that were loaded as text instead of times."""
    schema = rows.collect_schema()
    for name in columns:
        if not isinstance(schema[name], pl.Datetime | pl.Date | pl.Null):
            raise ParameterError(
                f"{analysis} needs times in {name!r}, which is {schema[name]} here.",
                hint="Look in crn.provenance(frame)['notes'] for the cell that kept the column as text.",
            )


def check_joinable(
    left: pl.LazyFrame,
    left_on: str,
    right: pl.LazyFrame,
    right_on: str,
    *,
    made_of: Iterable[Any] | None = None,
) -> None:
    """Reject a join of ids that differ in dtype, or of which only one side has pseudonyms.

    Pseudonyms are looked for only if the caller's frames, ``made_of``, are given and not lazy.
    """
    here, there = left.collect_schema()[left_on], right.collect_schema()[right_on]
    if here != there and pl.Null not in (here, there):
        raise ParameterError(
            f"The ids {left_on!r} ({here}) and {right_on!r} ({there}) can't be matched.", hint=_JOIN_HINT
        )
    if made_of is None or any(isinstance(frame, pl.LazyFrame) for frame in made_of):
        return
    are_hidden = _pseudonyms((left, left_on), (right, right_on))
    if len(set(are_hidden)) > 1:
        hidden, plain = (left_on, right_on) if are_hidden[0] else (right_on, left_on)
        raise ParameterError(
            f"The ids {hidden!r} are pseudonyms and {plain!r} are not, so they can't be matched.",
            hint=_JOIN_HINT,
        )


def _pseudonyms(*sides: tuple[pl.LazyFrame, str]) -> list[bool]:
    """Return for each side whether its ids are pseudonyms, or nothing if a side has no ids."""
    queries = []
    for frame, name in sides:
        ids = pl.col(name).drop_nulls()
        is_high = ids.cast(pl.Int64, strict=False).min() >= LOWEST_PSEUDONYM
        is_word = ids.cast(pl.String).first().str.contains(TEXT_PSEUDONYM)
        flag = is_high.fill_null(value=False) | is_word
        queries.append(frame.select(pl.when(ids.len() > 0).then(flag)))
    flags = [side.item() for side in pl.collect_all(queries)]
    return [] if None in flags else flags
