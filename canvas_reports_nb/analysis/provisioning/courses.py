"""The people in each course, and the account tree with its totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from canvas_reports_nb.analysis.provisioning.tables import (
    has_role,
    has_status,
    takes_tables,
    unique_rows,
)


def count_people(tables: Mapping[str, pl.LazyFrame], place: str, states: Iterable[str]) -> pl.LazyFrame:
    """Count the students and teachers of each course or section."""
    enrollments, person = tables["enrollments"], pl.col("canvas_user_id")
    counts = {
        f"{role}s": person.filter(has_role(enrollments, role)).n_unique().cast(pl.Int64)
        for role in ("student", "teacher")
    }
    return enrollments.filter(has_status(states)).group_by(place).agg(**counts)


@takes_tables(
    accounts=("canvas_account_id", "account_id", "canvas_parent_id", "name", "status"),
    courses=("canvas_course_id", "canvas_account_id"),
    enrollments=("canvas_course_id", "canvas_user_id"),
)
def account_tree(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return every account with the courses, enrollments and people in it and below it.

    All rows of the tables count, of every role and status. To count fewer, filter them first:
    ``account_tree({**tables, "enrollments": active})``.

    Parameters
    ----------
    tables : mapping of str to frame
        ``accounts``, ``courses`` and ``enrollments`` of one provisioning_csv run on the root account; on a
        sub-account, the report lists only direct children. If the frames are lazy, the accounts are collected.

    Returns
    -------
    frame
        The kind of ``accounts``, one row per account, parents before children, siblings by name:
        ``canvas_account_id``, ``account_id``, ``canvas_parent_id``, ``name``, ``status``; ``path`` (the names
        from the top, joined with " / "), ``depth`` (0 at the top); ``own_courses`` in the account itself;
        ``courses``, ``enrollments``, ``people`` in it and below (all Int64; people count once per account). The
        root account is not in the report, so only its id is known.

    Examples
    --------
    >>> tree = crn.provisioning.account_tree(tables)
    >>> tree[["path", "courses", "people"]].dropna().head(2).values.tolist()
    [['Arts & Humanities', 16, 111], ['Arts & Humanities / Languages, Literatures', 11, 88]]
    """
    courses = unique_rows(tables, "courses").select("canvas_course_id", "canvas_account_id")
    accounts = unique_rows(tables, "accounts").select(
        "canvas_account_id", "account_id", "canvas_parent_id", "name", pl.col("status").cast(pl.String)
    )
    used = courses.select("canvas_account_id").unique().collect()["canvas_account_id"]
    rows, ancestors = _arrange(accounts.collect(), used)
    own_courses = courses.group_by("canvas_account_id").agg(own_courses=pl.len(), courses=pl.len())
    # Per person first: the joined table is then far smaller than the enrollments.
    own_people = (
        unique_rows(tables, "enrollments")
        .select("canvas_course_id", "canvas_user_id")
        .join(courses, on="canvas_course_id")
        .group_by("canvas_account_id", "canvas_user_id")
        .agg(enrollments=pl.len())
    )
    people = pl.col("canvas_user_id").n_unique().alias("people")
    for counts in (
        own_courses.select("canvas_account_id", "own_courses"),
        _add_up(own_courses, ancestors, pl.col("courses").sum()),
        _add_up(own_people, ancestors, pl.col("enrollments").sum(), people),
    ):
        rows = rows.join(counts, on="canvas_account_id", how="left", maintain_order="left")
    totals = pl.col("own_courses", "courses", "enrollments", "people")
    return rows.with_columns(totals.fill_null(0).cast(pl.Int64))


def _add_up(counts: pl.LazyFrame, ancestors: pl.LazyFrame, *totals: pl.Expr) -> pl.LazyFrame:
    """Add up the counts of each account and all accounts below it."""
    return counts.join(ancestors, on="canvas_account_id").group_by(canvas_account_id="above").agg(*totals)


def _arrange(accounts: pl.DataFrame, used: pl.Series) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Return the accounts in tree order, and pairs of each account with itself and every account above."""
    parents = dict(accounts.select("canvas_account_id", "canvas_parent_id").iter_rows())
    names = dict(accounts.select("canvas_account_id", "name").iter_rows())
    ids = {*parents, *parents.values(), *used} - {None}
    lines = {account: line_of(account, parents) for account in ids}
    order = sorted(ids, key=lambda account: [(names.get(up) or "", up) for up in lines[account]])
    paths = [" / ".join(filter(None, map(names.get, lines[account]))) or None for account in order]
    # Ids may be text, if they are in all tables.
    kinds = (accounts.schema["canvas_account_id"], accounts.schema["canvas_parent_id"], used.dtype)
    kind = next((dtype for dtype in kinds if dtype != pl.Null), pl.Int64())
    placed = pl.LazyFrame(
        {"canvas_account_id": order, "path": paths, "depth": [len(lines[account]) - 1 for account in order]},
        schema={"canvas_account_id": kind, "path": pl.String, "depth": pl.Int64},
    )
    tree = placed.join(accounts.lazy(), on="canvas_account_id", how="left", maintain_order="left")
    ancestors = pl.LazyFrame(
        {"canvas_account_id": order, "above": [lines[account] for account in order]},
        schema={"canvas_account_id": kind, "above": pl.List(kind)},
    )
    return tree.select(*accounts.columns, "path", "depth"), ancestors.explode("above")


def line_of(account: int, parents: Mapping[int, int | None]) -> list[int]:
    """Return the accounts from the top down to this one, cutting a circle in a damaged file."""
    line: list[int] = []
    above: int | None = account
    while above is not None and above not in line:
        line.append(above)
        above = parents.get(above)
    return line[::-1]
