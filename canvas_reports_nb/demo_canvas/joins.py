"""How rows get columns of the things they name."""

from collections.abc import Iterable, Mapping

import polars as pl


def attach(rows: pl.DataFrame, things: pl.DataFrame, key: str, *same: str, **named: str) -> pl.DataFrame:
    """Return the rows, in their order, with columns of the thing whose id stands in `key`.

    `same` are columns taken by their own name; `named` gives each new column the name of its source.
    """
    return rows.join(_columns(things, key, same, named), on=key, how="left", maintain_order="left")


def restrict(rows: pl.DataFrame, things: pl.DataFrame, key: str, *same: str, **named: str) -> pl.DataFrame:
    """Do as `attach` does, without the rows that name none of `things`."""
    return rows.join(_columns(things, key, same, named), on=key, how="inner", maintain_order="left")


def _columns(things: pl.DataFrame, key: str, same: Iterable[str], named: Mapping[str, str]) -> pl.DataFrame:
    return things.select(pl.col("id").alias(key), *same, **named)
