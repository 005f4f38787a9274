"""Record quality: records created by hand, SIS ids that are easily confused, references to missing records."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from canvas_reports_nb.analysis.provisioning.tables import (
    KNOWN,
    Reference,
    references_between,
    takes_tables,
    unique_rows,
)
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import require_columns

_WITH_SIS_ID = ("users", "accounts", "terms", "courses", "sections", "groups")
_RECORDS = (*_WITH_SIS_ID, "enrollments")
_NAMES = {"users": "full_name", "courses": "long_name"}


@takes_tables(*_RECORDS)
def made_by_hand(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return the records that were created by hand, not by a SIS import.

    Parameters
    ----------
    tables : mapping of str to frame
        Any of ``users``, ``accounts``, ``terms``, ``courses``, ``sections``, ``groups`` and ``enrollments`` of
        one provisioning_csv run.

    Returns
    -------
    frame
        One row per record (for ``users``: per login), table by table in the order above: ``table``,
        ``canvas_id`` (Int64), ``sis_id`` (text; SIS ids can be entered by hand), ``name``, ``status`` (text).

    Examples
    --------
    >>> crn.provisioning.made_by_hand(tables)["table"].value_counts().head(2).to_dict()
    {'enrollments': 244, 'courses': 11}
    """
    parts = [
        _in_common_columns(
            _flagged(tables, name, "made_by_hand", "status").filter(~pl.col("created_by_sis")), name
        )
        for name in tables
    ]
    return _stack(parts)


@takes_tables(*_RECORDS)
def origins(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Count the records of each table created by SIS imports and by hand.

    Parameters
    ----------
    tables : mapping of str to frame
        The same tables as for `made_by_hand`.

    Returns
    -------
    frame
        One row per table: ``table``, ``records``, ``by_sis``, ``by_hand``, ``without_sis_id`` (Int64; the last
        is missing for enrollments, which have no SIS id). Repeated records count once.

    Examples
    --------
    >>> origins = crn.provisioning.origins(tables)
    >>> origins[["table", "records", "by_hand"]].head(2).values.tolist()
    [['users', 232, 9], ['accounts', 15, 2]]
    """
    parts = []
    for name in tables:
        rows, sis_id = _flagged(tables, name, "origins"), _sis_id(name)
        has_id = sis_id in rows.collect_schema().names()
        counts = {
            "records": pl.len(),
            "by_sis": pl.col("created_by_sis").sum(),
            "by_hand": (~pl.col("created_by_sis")).sum(),
            "without_sis_id": pl.col(sis_id).null_count() if has_id else pl.lit(None),
        }
        columns = {column: count.cast(pl.Int64) for column, count in counts.items()}
        parts.append(rows.select(table=pl.lit(name), **columns))
    return pl.concat(parts)


def _flagged(tables: Mapping[str, pl.LazyFrame], table: str, analysis: str, *more: str) -> pl.LazyFrame:
    """Return a table after checking that ``created_by_sis`` is boolean."""
    what = f"{analysis}, in the table {table!r},"
    require_columns(tables[table], ["created_by_sis", *more], what)
    dtype = tables[table].collect_schema()["created_by_sis"]
    if dtype not in (pl.Boolean, pl.Null):
        raise ParameterError(
            f"{what} needs true or false in 'created_by_sis', which is {dtype} here.",
            hint="Look in crn.provenance(frame)['notes'] for the cell that kept the column as text.",
        )
    return unique_rows(tables, table)


def _stack(parts: list[pl.LazyFrame]) -> pl.LazyFrame:
    # Relaxed, because pseudonymized ids can be text in one table and numbers in another.
    return pl.concat(parts, how="vertical_relaxed")


def _sis_id(table: str) -> str:
    return f"{table.removesuffix('s')}_id"


def _in_common_columns(rows: pl.LazyFrame, table: str) -> pl.LazyFrame:
    sis_id, columns = _sis_id(table), rows.collect_schema().names()

    def column(own: str, dtype: type[pl.DataType]) -> pl.Expr:
        return pl.col(own) if own in columns else pl.lit(None, dtype)

    return rows.select(
        table=pl.lit(table),
        canvas_id=column(f"canvas_{sis_id}", pl.Int64),
        # If the file was read with pandas alone, SIS ids may be numbers.
        sis_id=column(sis_id, pl.String).cast(pl.String),
        name=column(_NAMES.get(table, "name"), pl.String),
        status=pl.col("status").cast(pl.String),
    )


@takes_tables(*_WITH_SIS_ID)
def sis_id_clashes(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return SIS ids of one table that differ only in case or leading zeros.

    A spreadsheet turns ``000481`` into ``481``, and many databases treat ``ab1`` and ``AB1`` as equal.

    Parameters
    ----------
    tables : mapping of str to frame
        Any of ``users``, ``accounts``, ``terms``, ``courses``, ``sections`` and ``groups`` of one
        provisioning_csv or sis_export_csv run.

    Returns
    -------
    frame
        One row per record with such an id (for ``users``: per person), sorted by table, ``folded`` and
        ``sis_id``: ``table``, ``folded`` (the id in lower case without leading zeros), ``sis_id``,
        ``canvas_id`` (Int64; missing in a sis_export_csv), ``name``, ``status`` (text), ``ids`` (Int64: the
        number of different ids with this folded form), ``differ_in`` (``"case"``, ``"leading zeros"`` or
        ``"case and leading zeros"``).

    Examples
    --------
    >>> clashes = crn.provisioning.sis_id_clashes(tables)
    >>> clashes[["table", "sis_id", "differ_in"]].head(2).values.tolist()
    [['users', '0000001', 'leading zeros'], ['users', '0001', 'leading zeros']]
    """
    return _stack([_clashes(tables, name) for name in tables])


def _clashes(tables: Mapping[str, pl.LazyFrame], name: str) -> pl.LazyFrame:
    require_columns(tables[name], ["status"], f"sis_id_clashes, in the table {name!r},")
    records = _in_common_columns(unique_rows(tables, name), name).filter(pl.col("sis_id").is_not_null())
    lowered, unpadded = pl.col("sis_id").str.to_lowercase(), pl.col("sis_id").str.strip_chars_start("0")
    folded = lowered.str.strip_chars_start("0")
    ids = (
        records.select("sis_id")
        .unique()
        .with_columns(folded=pl.when(folded == "").then(pl.lit("0")).otherwise(folded))
    )
    differ = (
        pl.when(lowered.n_unique() == 1)
        .then(pl.lit("case"))
        .when(unpadded.n_unique() == 1)
        .then(pl.lit("leading zeros"))
        .otherwise(pl.lit("case and leading zeros"))
    )
    groups = ids.group_by("folded").agg(ids=pl.len().cast(pl.Int64), differ_in=differ)
    return (
        records.unique(["sis_id", "canvas_id"], keep="first", maintain_order=True)
        .join(ids, on="sis_id")
        .join(groups.filter(pl.col("ids") > 1), on="folded")
        .sort("folded", "sis_id", "canvas_id", nulls_last=True)
        .select("table", "folded", "sis_id", "canvas_id", "name", "status", "ids", "differ_in")
    )


@takes_tables(*KNOWN)
def references(tables: Mapping[str, pl.LazyFrame], *, root: int | None = None) -> pl.LazyFrame:
    """Count, for each column that refers to another table of the run, the rows whose record is missing.

    A missing record is not always an error: a run without ``include_deleted`` does not list deleted or concluded
    courses that other records still refer to.

    Parameters
    ----------
    tables : mapping of str to frame
        Two or more tables of one provisioning_csv or sis_export_csv run.
    root : int, optional
        Canvas id of the account the run was made on. The accounts table does not list it, so without this
        everything directly in it counts as missing.

    Returns
    -------
    frame
        The kind of the first table, one row per column and key: ``table``, ``column``, ``refers_to`` (a table),
        ``key`` (its column); ``rows``, ``blank`` (no reference), ``nowhere`` (Int64: rows whose record is
        missing), ``missing_ids`` (Int64: distinct missing ids), ``example`` (text: the first of them, missing if
        there are none).

    Raises
    ------
    ParameterError
        No table refers to another one.

    Examples
    --------
    >>> checked = crn.provisioning.references(tables, root=1)
    >>> checked.query("nowhere > 0")[["table", "column", "nowhere"]].head(1).values.tolist()
    [['sections', 'canvas_course_id', 34]]
    """
    columns = {name: frame.collect_schema().names() for name, frame in tables.items()}
    found = [_count_missing(tables, reference, root) for reference in references_between(columns)]
    if not found:
        raise ParameterError(
            f"No table refers to another one: {', '.join(tables)}.",
            hint="Add the tables they refer to from the same run, such as users for enrollments.",
        )
    return pl.concat(found)


def _count_missing(
    tables: Mapping[str, pl.LazyFrame], reference: Reference, root: int | None
) -> pl.LazyFrame:
    # As text, because ids are loaded as text in a table where one of them is not a number.
    used = (
        tables[reference.table]
        .group_by(id=pl.col(reference.column).cast(pl.String))
        .agg(rows=pl.len().cast(pl.Int64))
    )
    known = tables[reference.target].select(id=pl.col(reference.key).cast(pl.String), known=True).unique()
    blank = pl.col("id").is_null()
    missing = pl.col("known").is_null() & ~blank
    if root is not None and reference.key == "canvas_account_id":
        missing &= pl.col("id") != str(root)
    table, column, refers_to, key = map(pl.lit, reference)
    return used.join(known, on="id", how="left").select(
        table=table,
        column=column,
        refers_to=refers_to,
        key=key,
        rows=pl.col("rows").sum(),
        blank=pl.col("rows").filter(blank).sum(),
        nowhere=pl.col("rows").filter(missing).sum(),
        missing_ids=missing.sum().cast(pl.Int64),
        example=pl.col("id").filter(missing).min(),
    )
