"""Frames for the tests of differences."""

import warnings
from typing import Any

import dask.dataframe as dd
import polars as pl

import canvas_reports_nb as crn

KINDS = {
    "pandas": lambda frame: frame.to_pandas(),
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "arrow": lambda frame: frame.to_arrow(),
    "dask": lambda frame: dd.from_pandas(frame.to_pandas(), npartitions=2),
}


def quietly(*args: Any, **keywords: Any) -> crn.Diff[Any]:
    with warnings.catch_warnings(action="ignore", category=crn.ReportWarning):
        return crn.diff(*args, **keywords)


THEN = pl.DataFrame({"id": [1, 2, 4], "name": ["Ada", "Bea", "Dee"], "gone": ["x", "y", "z"]})

NOW = pl.DataFrame({"id": [2, 3, 4], "name": ["Bee", "Cem", "Dee"], "new": ["u", "v", "w"]})
