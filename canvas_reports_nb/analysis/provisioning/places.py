"""The place of each course in the account tree, and the people to write to about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.provisioning.courses import line_of
from canvas_reports_nb.analysis.provisioning.people import merge_logins
from canvas_reports_nb.analysis.provisioning.tables import (
    has_role,
    has_status,
    select_as,
    takes_tables,
    unique_rows,
)
from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import as_list

Role = Literal["student", "teacher", "ta", "observer", "designer"]

_PLACE = ("canvas_course_id", "canvas_account_id", "account_path")
_BETWEEN = "; "
_IDS = {
    "course": ("canvas_course_id", "course_id"),
    "section": ("canvas_section_id", "section_id", "canvas_course_id", "course_id"),
}


@defined(
    "The account of each course, its path from the top of the account tree, and the accounts below the root "
    "as {levels}."
)
@takes_tables(
    courses=("canvas_course_id", "canvas_account_id"),
    accounts=("canvas_account_id", "canvas_parent_id", "name"),
)
def places(
    tables: Mapping[str, pl.LazyFrame], levels: Sequence[str] = ("college", "department")
) -> pl.LazyFrame:
    """Return the account path, college and department of each course.

    Parameters
    ----------
    tables : mapping of str to frame
        ``courses`` and ``accounts`` of one provisioning_csv run on the root account. If the frames are lazy, the
        accounts are collected.
    levels : sequence of str
        Names for the levels of the account tree, from the one below the root down.

    Returns
    -------
    frame
        The kind of ``courses``, one row per course, in the order of the file: ``canvas_course_id``,
        ``canvas_account_id``, ``account_path`` (as ``path`` in `account_tree`) and one text column per level. A
        course higher up repeats the name of its account in the levels below; in a course directly in the root
        account, they are missing.

    Examples
    --------
    >>> places = crn.provisioning.places(tables)
    >>> places["college"].value_counts().head(2).to_dict()
    {'Science': 40, 'Engineering': 17}
    """
    names = _check_levels(levels)
    courses = unique_rows(tables, "courses").select("canvas_course_id", "canvas_account_id")
    accounts = (
        unique_rows(tables, "accounts").select("canvas_account_id", "canvas_parent_id", "name").collect()
    )
    parents = dict(accounts.select("canvas_account_id", "canvas_parent_id").iter_rows())
    known = dict(accounts.select("canvas_account_id", pl.col("name").cast(pl.String)).iter_rows())
    lines = {account: line_of(account, parents) for account in parents}
    rows: dict[str, list[Any]] = {"canvas_account_id": list(lines)}
    rows["account_path"] = [" / ".join(filter(None, map(known.get, line))) or None for line in lines.values()]
    for depth, name in enumerate(names, 1):
        # The root account is the first of a line.
        below = [line[1:][:depth] for line in lines.values()]
        rows[name] = [known.get(line[-1]) if line else None for line in below]
    kinds = {"canvas_account_id": accounts.schema["canvas_account_id"]}
    placed = pl.LazyFrame(rows, schema={name: kinds.get(name, pl.String()) for name in rows})
    return courses.join(placed, on="canvas_account_id", how="left", maintain_order="left")


def _check_levels(levels: Sequence[str]) -> list[str]:
    names = as_list(levels)
    wrong = [name for name in names if not name or name in _PLACE or names.count(name) > 1]
    if wrong:
        raise ParameterError(
            f"Can't name a level {wrong[0]!r}.",
            hint='Give each level a name of its own, such as levels=("college", "department").',
        )
    return names


@defined("The people with {states} enrollments as {roles} in each {per}, each counted once.")
@takes_tables(
    enrollments=("canvas_user_id", "canvas_course_id", "canvas_section_id", "role", "status"),
    users=("canvas_user_id", "user_id", "login_id", "full_name", "sortable_name", "email", "status"),
)
def contacts(
    tables: Mapping[str, pl.LazyFrame],
    per: Literal["course", "section"] = "course",
    roles: Iterable[Role] = ("teacher",),
    states: Iterable[str] = ("active",),
) -> pl.LazyFrame:
    """Return the teachers of each course or section, with their e-mail addresses.

    Parameters
    ----------
    tables : mapping of str to frame
        ``enrollments`` and ``users`` of one provisioning_csv run.
    per : {"course", "section"}
    roles : iterable of {"student", "teacher", "ta", "observer", "designer"}
        Base roles: a school's own role counts as the one it was made from.
    states : iterable of str
        Enrollment states that count.

    Returns
    -------
    frame
        The kind of ``enrollments``, one row per course or section that has such people, sorted by id: its Canvas
        and SIS ids; ``contacts`` (Int64: people); ``names`` and ``emails`` (text, joined with "; " in the order
        of the sortable names); ``first_name`` and ``first_email`` of the first of them. The login is chosen as in
        `people`. Two people may share an address, which is then listed once, whatever its case; a person without
        an address is still named. Courses without contacts are absent, so join with ``how="left"``.

    Examples
    --------
    >>> contacts = crn.provisioning.contacts(tables)
    >>> contacts.query("contacts > 1")[["canvas_course_id", "emails"]].head(1).values.tolist()
    [[214, 'p10193@example.edu; p10194@example.edu']]
    """
    if per not in _IDS:
        raise ParameterError(
            f"Unknown per {per!r}.", hint=f'{near(str(per), _IDS)}Use "course" or "section".'
        )
    bases = as_list(roles)
    for role in bases:
        if role not in get_args(Role):
            raise ParameterError(
                f"Unknown role {role!r}.",
                hint=f"{near(str(role), get_args(Role))}Use one of {', '.join(get_args(Role))}.",
            )
    enrollments = unique_rows(tables, "enrollments")
    key, *shown = (name for name in _IDS[per] if name in enrollments.collect_schema().names())
    listed = (
        enrollments.filter(
            has_status(states),
            pl.any_horizontal(pl.lit(value=False), *(has_role(enrollments, role) for role in bases)),
            pl.col(key).is_not_null(),
            pl.col("canvas_user_id").is_not_null(),
        )
        .group_by(key, "canvas_user_id")
        .agg(pl.col(shown).drop_nulls().min())
    )
    columns = {name: name for name in ("full_name", "sortable_name", "login_id", "email")}
    person = select_as(merge_logins(tables), "canvas_user_id", columns)
    text = pl.col("full_name", "sortable_name", "email").cast(pl.String).str.strip_chars()
    # Sorted within each group: the streaming engine does not keep the order of a sort before it.
    order = ("__order", "canvas_user_id")
    name, email = (pl.col(each).sort_by(*order, nulls_last=True) for each in ("__name", "email"))
    return (
        listed.join(person, on="canvas_user_id", how="left")
        .with_columns(pl.when(text != "").then(text).name.keep())
        .with_columns(
            pl.coalesce("full_name", "sortable_name", "login_id").alias("__name"),
            pl.coalesce("sortable_name", "full_name", "login_id").alias("__order"),
        )
        .with_columns(pl.col("email").str.to_lowercase().alias("__folded"))
        .group_by(key)
        .agg(
            pl.col(shown).drop_nulls().min(),
            pl.len().cast(pl.Int64).alias("contacts"),
            name.drop_nulls().alias("names"),
            _distinct(email, pl.col("__folded").sort_by(*order, nulls_last=True)).alias("emails"),
            name.first().alias("first_name"),
            email.first().alias("first_email"),
        )
        .with_columns(_joined("names"), _joined("emails"))
        .sort(key)
    )


def _distinct(values: pl.Expr, folded: pl.Expr) -> pl.Expr:
    """Return the values without those that equal an earlier one when folded."""
    return values.filter(folded.is_first_distinct() & folded.is_not_null())


def _joined(column: str) -> pl.Expr:
    return pl.when(pl.col(column).list.len() > 0).then(pl.col(column).list.join(_BETWEEN)).alias(column)
