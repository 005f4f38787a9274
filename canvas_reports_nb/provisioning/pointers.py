"""Whether the rows of a run's tables point to rows that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.exceptions import ParameterError

from .inputs import over_any_table
from .keys import KNOWN, Pointer, pointers

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["references"]


@over_any_table(*KNOWN)
def references(tables: Mapping[str, pl.LazyFrame], *, root: int | None = None) -> pl.LazyFrame:
    """For each column that points to another table of the run: how many rows point nowhere.

    That they do is no damage by itself: a run without ``include_deleted`` lists no deleted or concluded
    course that something else may still name.

    Parameters
    ----------
    tables : mapping of str to frame
        Two or more tables of one run of provisioning_csv or sis_export_csv.
    root : int, optional
        Canvas id of the account the run was made on. No accounts file lists it, so without this whatever
        lies directly in it counts as pointing nowhere.

    Returns
    -------
    frame
        Of the kind of the first table, one row a column and the key it points to: ``table``, ``column``,
        ``refers_to`` (a table), ``key`` (its column); ``rows``, ``blank``, ``nowhere`` (Int64: rows as the
        file has them; a blank one points to nothing on purpose), ``missing_ids`` (Int64: different ids that are
        not there), ``example`` (text: the first of them as text, missing if all is well).

    Raises
    ------
    ParameterError
        None of the tables points to another.
    """
    held = {name: frame.collect_schema().names() for name, frame in tables.items()}
    found = [_checked(tables, pointer, root) for pointer in pointers(held)]
    if not found:
        raise ParameterError(
            f"Of these tables none points to another: {', '.join(tables)}.",
            hint="Give those it points to as well, of the same run: enrollments with users, say.",
        )
    return pl.concat(found)


def _checked(tables: Mapping[str, pl.LazyFrame], pointer: Pointer, root: int | None) -> pl.LazyFrame:
    # As text: a column whose values contradict their kind is loaded as text in one table only.
    pointing = (
        tables[pointer.table]
        .group_by(id=pl.col(pointer.column).cast(pl.String))
        .agg(rows=pl.len().cast(pl.Int64))
    )
    known = tables[pointer.target].select(id=pl.col(pointer.key).cast(pl.String), known=pl.lit(True)).unique()
    blank = pl.col("id").is_null()
    lost = pl.col("known").is_null() & ~blank
    if root is not None and pointer.key == "canvas_account_id":
        lost &= pl.col("id") != str(root)
    return pointing.join(known, on="id", how="left").select(
        table=pl.lit(pointer.table),
        column=pl.lit(pointer.column),
        refers_to=pl.lit(pointer.target),
        key=pl.lit(pointer.key),
        rows=pl.col("rows").sum(),
        blank=pl.col("rows").filter(blank).sum(),
        nowhere=pl.col("rows").filter(lost).sum(),
        missing_ids=lost.sum().cast(pl.Int64),
        example=pl.col("id").filter(lost).min(),
    )
