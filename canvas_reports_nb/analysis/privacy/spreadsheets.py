"""Frames on their way to Excel or its like, which run a cell that looks like a formula.

Names, titles and comments in a report are typed by people, students among them:
``=HYPERLINK("https://...")`` as a display name is harmless in a frame and runs on the registrar's desk.
The signs that begin a formula, wide ones and leading blanks and quotes included, are those OWASP lists
under "CSV injection".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

if TYPE_CHECKING:
    import polars as pl

# The zero-width ones are no blanks to a pattern, but invisible to a reader and skipped by some programs.
_RUNS = re.compile("[\\s\"'`\u200b\u2060\ufeff]*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# Nothing to run, and as text an amount would no longer add up.
_NUMBER = re.compile(r"[+-][0-9][0-9.,]*")


@overload
def for_spreadsheet(frame: pd.DataFrame) -> pd.DataFrame: ...
@overload
def for_spreadsheet(frame: pl.DataFrame) -> pl.DataFrame: ...
def for_spreadsheet(frame: Any) -> Any:
    r"""A copy of a frame that a spreadsheet shows and does not run.

    A text that would be run as a formula gets a leading apostrophe, in the cells, the column names and a
    pandas index. All else stays: numbers, times, Canvas ids, SIS ids, also a text that is just a
    signed number. Taking the one apostrophe off again gives the text as it was.

    Parameters
    ----------
    frame : pandas.DataFrame or polars.DataFrame

    Returns
    -------
    DataFrame
        Of the same kind, with the same dtypes and ``attrs``; a polars enumeration with such a value in it
        becomes text.

    Notes
    -----
    For a CSV quote every cell as well: where a comma is the decimal sign, spreadsheets cut lines at
    ``;``, and what follows an unquoted one would begin a cell.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"user id": [7], "user name": ["=1+1"]})
    >>> for_spreadsheet(frame).to_csv(index=False, quoting=1).splitlines()  # 1: csv.QUOTE_ALL
    ['"user id","user name"', '"7","\'=1+1"']
    """
    return _of_pandas(frame) if isinstance(frame, pd.DataFrame) else _of_polars(frame)


def _inert(value: Any) -> Any:
    if isinstance(value, str) and _RUNS.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _of_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    # By position: two columns may have one name.
    columns = [_inert_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    made = pd.concat(columns, axis="columns") if columns else frame.copy()
    made.columns, made.index = _inert_labels(frame.columns), _inert_labels(frame.index)
    made.attrs = dict(frame.attrs)
    return made


def _inert_column(column: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.rename_categories(_inert) if _holds_text(column.cat.categories) else column
    if not _holds_text(column):
        return column
    return column.map(_inert, na_action="ignore").astype(column.dtype)


def _inert_labels(labels: pd.Index[Any]) -> pd.Index[Any]:
    if isinstance(labels, pd.MultiIndex):
        levels: list[Any] = [_inert_labels(level) for level in labels.levels]
        made: pd.Index[Any] = labels.set_levels(levels)
    elif _holds_text(labels) or isinstance(labels.dtype, pd.CategoricalDtype):
        made = labels.map(_inert)
    else:
        return labels
    return made.set_names([_inert(name) for name in labels.names])


def _holds_text(values: Any) -> bool:
    return bool(pd.api.types.is_string_dtype(values.dtype) or pd.api.types.is_object_dtype(values.dtype))


def _of_polars(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - only for those who hold such a frame

    made = {
        str(_inert(column.name)): _inert_texts(column)
        if column.dtype.base_type() in {pl.String, pl.Categorical, pl.Enum}
        else column
        for column in frame
    }
    return pl.DataFrame(made)


def _inert_texts(column: pl.Series) -> pl.Series:
    import polars as pl  # noqa: PLC0415 - as above

    texts = column.cast(pl.String)
    inert = {text: _inert(text) for text in texts.unique().drop_nulls()}
    changed = {text: made for text, made in inert.items() if text != made}
    if not changed:
        return column
    made = texts.replace(changed)
    return made if isinstance(column.dtype, pl.Enum) else made.cast(column.dtype)
