"""A frame of any kind in, the same kind out: the edges of every analysis.

narwhals tells the kinds apart and fetches the rows; between the edges stands one polars query. So pandas,
polars, lazy polars, Arrow and Dask give the same numbers, and no analysis is written twice.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar, cast

import polars as pl

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import pyarrow as pa


#: No Canvas id is as large, and no pseudonym of one is smaller.
LOWEST_PSEUDONYM = 2**62

#: pandas, polars (eager or lazy), Arrow or Dask; the result is of the same.
FrameT = TypeVar("FrameT")


def to_lazy(frame: Any, columns: Collection[str] | None = None) -> pl.LazyFrame:
    """A frame of any kind as a polars query; Dask is computed for it.

    Parameters
    ----------
    columns : collection of str, optional
        All the query will read, as far as the frame has them: no other one is computed or converted.

    Raises
    ------
    ParameterError
        It is no frame, or one with two columns of one name.
    """
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    if isinstance(frame, pl.LazyFrame):
        return frame
    if nw.dependencies.is_dask_dataframe(frame):
        frame = (
            frame if columns is None else frame[[name for name in frame.columns if name in columns]]
        ).compute()
    try:
        known = nw.from_native(frame, eager_only=True)
        names = known.schema.names()
    except TypeError:
        raise no_frame(frame) from None
    except nw.exceptions.DuplicateError:
        raise same_names(frame) from None
    if columns is not None:
        known = known.select(name for name in names if name in columns)
    return cast("pl.LazyFrame", known.lazy("polars").to_native())


def no_frame(given: Any) -> ParameterError:
    """The error for something that is no frame."""
    return ParameterError(
        f"A frame is wanted, not {type(given).__name__}.",
        hint="Give a pandas, polars, Arrow or Dask frame, as read_report gives.",
    )


def same_names(frame: Any) -> ParameterError:
    """The error for a frame two columns of which have one name."""
    names = [str(name) for name in getattr(frame, "column_names", None) or frame.columns]
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    return ParameterError(
        f"Several columns of the frame are called {', '.join(map(repr, twice))}.",
        hint="Rename or drop all but one of each; in pandas: frame.loc[:, ~frame.columns.duplicated()].",
    )


def as_list(words: Iterable[str]) -> list[str]:
    """Words as a list; a text alone is one word, not its letters."""
    return [words] if isinstance(words, str) else list(words)


def as_kind_of(result: pl.LazyFrame, frame: FrameT, *others: Any) -> FrameT:
    """A query's result as the kind of ``frame``; a lazy frame stays lazy.

    A column that came through keeps its dtype, an enumeration all its values, and a pandas or Arrow frame
    where it came from.

    Parameters
    ----------
    *others : frame
        Those whose columns were joined to it.
    """
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    if isinstance(frame, pl.LazyFrame):
        return cast("FrameT", result)
    if isinstance(frame, pl.DataFrame):
        return cast("FrameT", result.collect())
    from canvas_reports_nb.frames.engines import dask_frame, to_pandas  # noqa: PLC0415 - brings pandas and pyarrow

    table = _plain(result.collect().to_arrow(), _enumerations((frame, *others)))
    if nw.dependencies.is_pyarrow_table(frame):
        return cast("FrameT", table.replace_schema_metadata(frame.schema.metadata))
    made = to_pandas(table)
    if nw.dependencies.is_dask_dataframe(frame):
        return cast("FrameT", dask_frame(lambda _: made, [0], made.iloc[:0]))
    made.attrs = deepcopy(getattr(frame, "attrs", {}))
    return cast("FrameT", made)


def _enumerations(frames: Iterable[Any]) -> dict[str, list[str]]:
    """The values the enumerations of frames may hold, whatever their rows do; the first frame's count."""
    import narwhals as nw  # noqa: PLC0415 - only analyses need it
    import pandas as pd  # noqa: PLC0415 - not for polars
    import pyarrow as pa  # noqa: PLC0415 - not for polars

    found: dict[str, list[str]] = {}
    for frame in frames:
        if nw.dependencies.is_pyarrow_table(frame):
            for field in frame.schema:
                if pa.types.is_dictionary(field.type):
                    written = (field.metadata or {}).get(b"values", b"").decode()
                    found.setdefault(field.name, written.split("\n") if written else [])
        elif nw.dependencies.is_pandas_dataframe(frame) or nw.dependencies.is_dask_dataframe(frame):
            for name, dtype in frame.dtypes.items():
                if isinstance(dtype, pd.CategoricalDtype):
                    found.setdefault(str(name), [str(value) for value in dtype.categories])
    return found


def _plain(table: pa.Table, enumerations: dict[str, list[str]]) -> pa.Table:
    """A table with the types `read_report` gives, where polars has its own: text and enumerations."""
    import pyarrow as pa  # noqa: PLC0415 - not for polars

    fields = []
    for field in table.schema:
        # The short offsets of plain text reach 2 GB a column.
        if pa.types.is_large_string(field.type) and table[field.name].nbytes < 2**31:
            field = pa.field(field.name, pa.string())  # noqa: PLW2901 - the same field, narrower
        elif pa.types.is_dictionary(field.type):
            values = "\n".join(enumerations.get(field.name, ()))
            field = pa.field(  # noqa: PLW2901 - likewise
                field.name,
                pa.dictionary(pa.int32(), pa.string()),
                metadata={"values": values} if values else None,
            )
        fields.append(field)
    return table.cast(pa.schema(fields))


def require_columns(
    frame: pl.LazyFrame,
    columns: Iterable[str],
    what: str,
    *,
    numbers: Iterable[str] = (),
    given: Any = None,
) -> None:
    """Refuse a frame that lacks a column an analysis reads, or has text where it computes.

    Parameters
    ----------
    given : frame, optional
        What the caller gave, where ``frame`` has left some of its columns behind: the error lists them all.

    Raises
    ------
    UnknownColumnError
        What is missing, near names, and which report has it.
    ParameterError
        One of the ``numbers`` is text.
    """
    schema = frame.collect_schema()
    held = schema.names()
    missing = [name for name in (*columns, *numbers) if name not in held]
    if missing:
        held = held if given is None else _names(given)
        raise UnknownColumnError(
            f"{what} needs the column {', '.join(map(repr, missing))}.",
            hint=f"{near(missing[0], held)}The frame has: {', '.join(held)}.",
        )
    texts = [name for name in numbers if not (schema[name].is_numeric() or schema[name] == pl.Null)]
    if texts:
        raise ParameterError(
            f"{what} computes with {', '.join(map(repr, texts))}, which is {schema[texts[0]]} here.",
            hint="A column stays text when a cell is no number: crn.provenance(frame)['notes'] says which.",
        )


def _names(frame: Any) -> list[str]:
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    return [str(name) for name in nw.from_native(meta_of(frame)).collect_schema().names()]


def meta_of(frame: Any) -> Any:
    """The empty pandas frame that stands for a Dask one; any other frame itself."""
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    return frame._meta if nw.dependencies.is_dask_dataframe(frame) else frame  # noqa: SLF001 - Dask's own way


def check_joinable(
    left: pl.LazyFrame,
    left_on: str,
    right: pl.LazyFrame,
    right_on: str,
    *,
    made_of: Iterable[Any] | None = None,
) -> None:
    """Refuse to join frames whose ids are of different dtypes, or pseudonyms in only one of them.

    Parameters
    ----------
    made_of : iterable of frames, optional
        What the caller gave both as. The ids themselves are looked at where none is lazy.

    Raises
    ------
    ParameterError
        It names both columns.
    """
    hint = "Read both with read_report, and pseudonymize both or neither, with one key."
    here, there = left.collect_schema()[left_on], right.collect_schema()[right_on]
    if here != there and pl.Null not in (here, there):
        raise ParameterError(
            f"The ids {left_on!r} ({here}) and {right_on!r} ({there}) can't be matched.", hint=hint
        )
    if made_of is None or any(isinstance(frame, pl.LazyFrame) for frame in made_of):
        return
    sides = [
        frame.select(pl.col(name).cast(pl.Int64, strict=False).min())
        for frame, name in ((left, left_on), (right, right_on))
    ]
    lowest = [side.item() for side in pl.collect_all(sides)]
    if None not in lowest and len({number >= LOWEST_PSEUDONYM for number in lowest}) > 1:
        hidden, plain = (left_on, right_on) if lowest[0] > lowest[1] else (right_on, left_on)
        raise ParameterError(
            f"The ids {hidden!r} are pseudonyms and {plain!r} are not; they can't be matched.", hint=hint
        )


def column_names(frame: Any) -> list[str]:
    """The columns of a frame of any kind; nothing is computed for them.

    Raises
    ------
    ParameterError
        It is no frame, or one with two columns of one name.
    """
    import narwhals as nw  # noqa: PLC0415 - only analyses need it

    try:
        return list(nw.from_native(meta_of(frame)).collect_schema().names())
    except TypeError:
        raise no_frame(frame) from None
    except nw.exceptions.DuplicateError:
        raise same_names(frame) from None
