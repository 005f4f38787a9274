"""Frames made safe for a CSV that somebody opens in a spreadsheet, which runs a cell that looks like a formula.

People, including students, type the names, titles and comments in a report. As a display name,
``=HYPERLINK("https://...")`` is harmless in a frame, but it runs in a spreadsheet. The characters that begin a
formula, with wide forms and leading blanks and quotes, are those OWASP lists under "CSV injection".
"""

from __future__ import annotations

from typing import Any, overload

import pandas as pd
import polars as pl

from canvas_reports_nb.analysis.excel.cells import is_formula


@overload
def for_spreadsheet(frame: pd.DataFrame) -> pd.DataFrame: ...
@overload
def for_spreadsheet(frame: pl.DataFrame) -> pl.DataFrame: ...
def for_spreadsheet(frame: Any) -> Any:
    r"""Return a copy of a frame whose texts a spreadsheet shows but does not run, with times in UTC without a zone.

    Text that would run as a formula gets a leading apostrophe, in cells, column names and a pandas index.
    Times with a time zone become times in UTC without one, because Excel has no time zones.
    Everything else stays: numbers, Canvas ids, SIS ids, and text that is only a signed number. Removing
    the apostrophe restores the original text.

    Parameters
    ----------
    frame : pandas.DataFrame or polars.DataFrame

    Returns
    -------
    DataFrame
        The same kind of frame, with the same dtypes (but for time zones) and ``attrs``; a polars enumeration
        with such a value becomes text.

    Notes
    -----
    Quote every cell when writing a CSV: where a comma is the decimal sign, spreadsheets split lines at ``;``,
    and the text after an unquoted one would begin a cell.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"user id": [7], "user name": ["=1+1"]})
    >>> crn.for_spreadsheet(frame).to_csv(index=False, quoting=1).splitlines()  # 1: csv.QUOTE_ALL
    ['"user id","user name"', '"7","\'=1+1"']
    """
    return _escape_pandas(frame) if isinstance(frame, pd.DataFrame) else _escape_polars(frame)


def _escape(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and is_formula(value) else value


def _escape_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    # By position, because two columns may have the same name.
    columns = [_escape_column(frame.iloc[:, place].reset_index(drop=True)) for place in range(frame.shape[1])]
    safe = pd.concat(columns, axis="columns") if columns else frame.copy()
    safe.columns, safe.index = _escape_labels(frame.columns), _escape_labels(frame.index)
    safe.attrs = dict(frame.attrs)
    return safe


def _escape_column(column: pd.Series[Any]) -> pd.Series[Any]:
    if _has_zone(column.dtype):
        naive: pd.Series[Any] = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return naive
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.rename_categories(_escape) if _has_text(column.cat.categories) else column
    if not _has_text(column):
        return column
    return column.map(_escape, na_action="ignore").astype(column.dtype)


def _escape_labels(labels: pd.Index[Any]) -> pd.Index[Any]:
    if isinstance(labels, pd.MultiIndex):
        levels: list[Any] = [_escape_labels(level) for level in labels.levels]
        safe: pd.Index[Any] = labels.set_levels(levels)
    elif isinstance(labels, pd.DatetimeIndex) and labels.tz is not None:
        safe = labels.tz_convert("UTC").tz_localize(None)
    elif _has_text(labels) or isinstance(labels.dtype, pd.CategoricalDtype):
        safe = labels.map(_escape)
    else:
        return labels
    return safe.set_names([_escape(name) for name in labels.names])


def _has_zone(dtype: Any) -> bool:
    # Arrow's types, too.
    return pd.api.types.is_datetime64_any_dtype(dtype) and bool(
        getattr(dtype, "tz", None) or getattr(getattr(dtype, "pyarrow_dtype", None), "tz", None)
    )


def _has_text(values: Any) -> bool:
    return bool(pd.api.types.is_string_dtype(values.dtype) or pd.api.types.is_object_dtype(values.dtype))


def _escape_polars(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({str(_escape(column.name)): _escape_polars_column(column) for column in frame})


def _escape_polars_column(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return (
        _escape_texts(column) if column.dtype.base_type() in {pl.String, pl.Categorical, pl.Enum} else column
    )


def _escape_texts(column: pl.Series) -> pl.Series:
    texts = column.cast(pl.String)
    changed = {text: safe for text in texts.unique().drop_nulls() if (safe := _escape(text)) != text}
    if not changed:
        return column
    safe = texts.replace(changed)
    return safe if isinstance(column.dtype, pl.Enum) else safe.cast(column.dtype)
