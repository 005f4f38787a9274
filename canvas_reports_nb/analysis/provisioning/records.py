"""Where records came from, a SIS import or a hand, and SIS ids that are easily taken for one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.analysis.provisioning.tables import KNOWN, Pointer, once, over_any_table, pointers
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import require_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


# Of each table: the SIS id its rows may have (the Canvas id is named after it) and what they are called.
_NAMED = {
    "users": ("user_id", "full_name"),
    "accounts": ("account_id", "name"),
    "terms": ("term_id", "name"),
    "courses": ("course_id", "long_name"),
    "sections": ("section_id", "name"),
    "groups": ("group_id", "name"),
}
_MADE = {**_NAMED, "enrollments": ("enrollment_id", "name")}


@over_any_table(*_MADE)
def made_by_hand(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """What was made by hand and not by a SIS import.

    Parameters
    ----------
    tables : mapping of str to frame
        Any of ``users``, ``accounts``, ``terms``, ``courses``, ``sections``, ``groups`` and
        ``enrollments``, of one run of provisioning_csv.

    Returns
    -------
    frame
        One row a record (of ``users``: a login), table after table in the order above: ``table``,
        ``canvas_id`` (Int64), ``sis_id`` (text; somebody may have typed one in by hand), ``name``,
        ``status`` (text).
    """
    return _stacked(
        _records(_marked(tables, name, "made_by_hand", "status").filter(~pl.col("created_by_sis")), name)
        for name in tables
    )


@over_any_table(*_MADE)
def origins(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """How much of each table was made by a SIS import, and how much by hand.

    Parameters
    ----------
    tables : mapping of str to frame
        As for `made_by_hand`.

    Returns
    -------
    frame
        One row a table: ``table``, ``records``, ``by_sis``, ``by_hand``, ``without_sis_id`` (Int64; the
        last is missing for enrolments, which have no SIS id of their own). A repeated record counts once.
    """
    return pl.concat([_origin(tables, name) for name in tables])


def _origin(tables: Mapping[str, pl.LazyFrame], name: str) -> pl.LazyFrame:
    sis_id, _ = _MADE[name]
    rows = _marked(tables, name, "origins")
    with_id = sis_id in rows.collect_schema().names()
    return rows.select(
        table=pl.lit(name),
        records=pl.len().cast(pl.Int64),
        by_sis=pl.col("created_by_sis").sum().cast(pl.Int64),
        by_hand=(~pl.col("created_by_sis")).sum().cast(pl.Int64),
        without_sis_id=(pl.col(sis_id).null_count() if with_id else pl.lit(None)).cast(pl.Int64),
    )


@over_any_table(*_NAMED)
def sis_id_clashes(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """SIS ids of one table that are the same in all but case or leading zeros.

    A spreadsheet makes ``000481`` of one and ``481`` of another the same; many databases take ``ab1`` and
    ``AB1`` for one.

    Parameters
    ----------
    tables : mapping of str to frame
        Any of ``users``, ``accounts``, ``terms``, ``courses``, ``sections`` and ``groups``, of one run of
        provisioning_csv or sis_export_csv.

    Returns
    -------
    frame
        One row a record with such an id (of ``users``: a person), by table, ``folded`` and ``sis_id``:
        ``table``, ``folded`` (the id in lower case without leading zeros), ``sis_id``, ``canvas_id`` (Int64;
        missing in a sis_export_csv), ``name``, ``status`` (text), ``ids`` (Int64: how many different ids
        fold to this), ``differ_in`` (``"case"``, ``"leading zeros"`` or ``"case and leading zeros"``).
    """
    return _stacked(_clashes(tables, name) for name in tables)


def _clashes(tables: Mapping[str, pl.LazyFrame], name: str) -> pl.LazyFrame:
    require_columns(tables[name], ["status"], f"sis_id_clashes, of the table {name!r},")
    records = _records(once(tables, name), name).filter(pl.col("sis_id").is_not_null())
    lowered, unpadded = pl.col("sis_id").str.to_lowercase(), pl.col("sis_id").str.strip_chars_start("0")
    folded = lowered.str.strip_chars_start("0")
    ids = (
        records.select("sis_id")
        .unique()
        .with_columns(folded=pl.when(folded == "").then(pl.lit("0")).otherwise(folded))
    )
    one_case, one_length = lowered.n_unique() == 1, unpadded.n_unique() == 1
    differ = pl.when(one_case).then(pl.lit("case")).when(one_length).then(pl.lit("leading zeros"))
    groups = ids.group_by("folded").agg(
        ids=pl.len().cast(pl.Int64), differ_in=differ.otherwise(pl.lit("case and leading zeros"))
    )
    return (
        records.unique(["sis_id", "canvas_id"], keep="first", maintain_order=True)
        .join(ids, on="sis_id")
        .join(groups.filter(pl.col("ids") > 1), on="folded")
        .sort("folded", "sis_id", "canvas_id", nulls_last=True)
        .select("table", "folded", "sis_id", "canvas_id", "name", "status", "ids", "differ_in")
    )


def _stacked(parts: Iterable[pl.LazyFrame]) -> pl.LazyFrame:
    # Pseudonyms are text, where the ids of other tables are numbers still.
    return pl.concat(parts, how="vertical_relaxed")


def _marked(tables: Mapping[str, pl.LazyFrame], table: str, analysis: str, *more: str) -> pl.LazyFrame:
    what = f"{analysis}, of the table {table!r},"
    require_columns(tables[table], ["created_by_sis", *more], what)
    dtype = tables[table].collect_schema()["created_by_sis"]
    if dtype not in (pl.Boolean, pl.Null):
        raise ParameterError(
            f"{what} needs 'created_by_sis' to be true or false; it is {dtype} here.",
            hint="A column stays text when a cell is neither: crn.provenance(frame)['notes'] says which.",
        )
    return once(tables, table)


def _records(rows: pl.LazyFrame, table: str) -> pl.LazyFrame:
    """The rows of any table in the columns they share."""
    sis_id, name = _MADE[table]
    held = rows.collect_schema().names()
    found = {
        new: pl.col(old) if old in held else pl.lit(None, dtype)
        for new, old, dtype in (
            ("canvas_id", f"canvas_{sis_id}", pl.Int64),
            ("sis_id", sis_id, pl.String),
            ("name", name, pl.String),
        )
    }
    # Whoever read the file with pandas has numbers for SIS ids of digits.
    texts = {"sis_id": found["sis_id"].cast(pl.String), "status": pl.col("status").cast(pl.String)}
    return rows.select(table=pl.lit(table), **{**found, **texts})


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
