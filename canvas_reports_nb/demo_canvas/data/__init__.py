"""The fixed part of the university, in JSON files beside this module, and how its frames are joined."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl


@cache
def read(name: str) -> Any:
    """Return the content of one file; all callers share it."""
    return json.loads((files(__name__) / f"{name}.json").read_text(encoding="utf-8"))


def table(name: str) -> pl.DataFrame:
    """Return one table of `world.json`."""
    content = read("world")[name]
    return pl.DataFrame(content["rows"], schema=content["columns"], orient="row")


def attach(rows: pl.DataFrame, things: pl.DataFrame, key: str, *same: str, **named: str) -> pl.DataFrame:
    """Return the rows, in their order, with columns of the thing whose id is in `key`.

    `same` are columns that keep their name; `named` maps each new column to its source.
    """
    return rows.join(_columns(things, key, same, named), on=key, how="left", maintain_order="left")


def restrict(rows: pl.DataFrame, things: pl.DataFrame, key: str, *same: str, **named: str) -> pl.DataFrame:
    """Do as `attach` does, and drop the rows whose `key` is not among the `things`."""
    return rows.join(_columns(things, key, same, named), on=key, how="inner", maintain_order="left")


def _columns(things: pl.DataFrame, key: str, same: Iterable[str], named: Mapping[str, str]) -> pl.DataFrame:
    return things.select(pl.col("id").alias(key), *same, **named)
