"""A page for the web with published tables, and nothing else."""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from canvas_reports_nb._html import escape
from canvas_reports_nb.analysis.definitions import definition
from canvas_reports_nb.analysis.privacy.publishing import HIDDEN, hidden_text
from canvas_reports_nb.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } caption { font-weight: bold; text-align: left; padding: .3rem 0 }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #8886; text-align: left } thead th { vertical-align: bottom }
.number { text-align: right; font-variant-numeric: tabular-nums } .about { font-size: .85rem; opacity: .8 }
"""


def write_page(path: str | PathLike[str], title: str, tables: Mapping[str, pd.DataFrame]) -> Path:
    """Write a web page with tables that ``crn.publish`` returned, each with what it counts.

    Parameters
    ----------
    path : path
        A file there is replaced.
    title : str
    tables : mapping of str to DataFrame
        The name of each table, and pandas frames that `publish` returned.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ParameterError
        A table was not published.
    """
    for name, table in tables.items():
        if HIDDEN not in table.columns:
            raise ParameterError(
                f"The table {name!r} was not published, so it may show individuals.",
                hint="Pass crn.publish(table) instead.",
            )
    body = "".join(_table(name, table) for name, table in tables.items())
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )
    written = Path(path)
    written.write_text(page, encoding="utf-8")
    return written


def _table(name: str, table: pd.DataFrame) -> str:
    hidden, shown = hidden_text(table), table.drop(columns=HIDDEN)
    is_count = [pd.api.types.is_numeric_dtype(kind) for kind in shown.dtypes]
    # The counts follow what identifies a row, and shares may be text, such as "<5 %".
    first = is_count.index(True)
    classes = ["" if at < first else ' class="number"' for at in range(len(is_count))]
    heads = (f'<th scope="col"{kind}>{escape(column)}' for kind, column in zip(classes, shown, strict=True))
    rows = []
    for values, is_hidden in zip(shown.itertuples(index=False, name=None), table[HIDDEN], strict=True):
        cells = zip(classes, values, strict=True)
        texts = (
            f"<td{kind}>{escape(_text(value, hidden if kind and is_hidden else ''))}</td>"
            for kind, value in cells
        )
        rows.append(f"<tr>{''.join(texts)}</tr>\n")
    return (
        f"<table><caption>{escape(name)}</caption><thead><tr>{'</th>'.join(heads)}</th></tr></thead>\n"
        f"<tbody>{''.join(rows)}</tbody></table>\n"
        f'<p class="about">{escape(definition(table))}</p>\n'
    )


def _text(value: Any, missing: str) -> str:
    """Return a cell: counts with separators, shares in percent."""
    if pd.isna(value):
        return missing
    if isinstance(value, float):
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, Integral) and not isinstance(value, bool) else str(value)
