"""From logins to people: who is behind them, and who is shut out though still enrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from .inputs import in_states, once, over_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LOGIN_COLUMNS", "people", "persons", "suspended_but_enrolled"]

#: What a login must have to be told from others.
LOGIN_COLUMNS = ("canvas_user_id", "user_id", "login_id", "status")
_RANKS = {"active": 0, "suspended": 1, "deleted": 2}


@over_tables(users=LOGIN_COLUMNS)
def people(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """One row a person, over all the logins the person has.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users``, of provisioning_csv. Rows of the same login (person, name, provider, SIS id and status)
        count once.

    Returns
    -------
    frame
        Of the kind of ``users``, one row a ``canvas_user_id``, in its order, and behind them one row for each
        login without that id, for nobody knows whose it is. First the columns of ``users``, as they stand at
        one login: an active one before a suspended before a deleted one, then one with a SIS id, then the
        first by SIS id, name and provider, whatever the order of the file. Then ``logins``,
        ``active_logins``, ``suspended_logins`` and ``sis_ids`` (Int64; the last counts different SIS ids).
    """
    return persons(tables)


def persons(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """As `people`, inside a query."""
    logins = once(tables, "users")
    held = logins.collect_schema().names()
    rank = pl.col("status").cast(pl.String).replace_strict(_RANKS, default=len(_RANKS), return_dtype=pl.Int8)
    names = [name for name in ("user_id", "login_id", "authentication_provider_id") if name in held]
    ordered = logins.sort("canvas_user_id", rank, *names, nulls_last=True, maintain_order=True)
    nobody = pl.when(pl.col("canvas_user_id").is_null()).then(pl.int_range(pl.len())).alias("__nobody")
    return ordered.with_columns(nobody).group_by("canvas_user_id", "__nobody", maintain_order=True).agg(
        pl.exclude("canvas_user_id", "__nobody").first(),
        logins=pl.len().cast(pl.Int64),
        active_logins=in_states(["active"]).sum().cast(pl.Int64),
        suspended_logins=in_states(["suspended"]).sum().cast(pl.Int64),
        sis_ids=pl.col("user_id").drop_nulls().n_unique().cast(pl.Int64),
    ).select(*held, "logins", "active_logins", "suspended_logins", "sis_ids")  # fmt: skip


@over_tables(users=LOGIN_COLUMNS, enrollments=("canvas_user_id", "canvas_course_id", "status"))
def suspended_but_enrolled(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """People with a suspended login and active enrolments.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users`` and ``enrollments``, of one run of provisioning_csv.

    Returns
    -------
    frame
        One row a person with both, by ``canvas_user_id``: ``user_id``, ``login_id``, ``full_name``,
        ``email`` as `people` chooses them; ``logins``, ``active_logins``, ``suspended_logins``,
        ``active_enrollments``, ``active_courses`` (Int64); ``locked_out`` (boolean): no active login is left.
    """
    enrolled = (
        once(tables, "enrollments")
        .filter(in_states(["active"]))
        .group_by("canvas_user_id")
        .agg(
            active_enrollments=pl.len().cast(pl.Int64),
            active_courses=pl.col("canvas_course_id").n_unique().cast(pl.Int64),
        )
    )
    found = persons(tables).filter(pl.col("suspended_logins") > 0)
    held = found.collect_schema().names()
    shown = [name for name in ("user_id", "login_id", "full_name", "email") if name in held]
    return found.join(enrolled, on="canvas_user_id", maintain_order="left").select(
        "canvas_user_id",
        *shown,
        *("logins", "active_logins", "suspended_logins", "active_enrollments", "active_courses"),
        locked_out=pl.col("active_logins") == 0,
    )
