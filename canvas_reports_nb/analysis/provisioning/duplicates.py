"""People who may be in Canvas twice."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from canvas_reports_nb.analysis.provisioning.tables import has_status, takes_tables

_PERSON, _OTHER = "canvas_user_id", "other_canvas_user_id"
_NAMES = {"full_name": "name", "user_id": "user_id", "login_id": "login_id", "email": "email"}


@takes_tables(users=(_PERSON, "user_id", "login_id", "full_name", "email", "status"))
def duplicate_people(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return pairs of people who are probably one person with two accounts in Canvas.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users`` of one provisioning_csv run.

    Returns
    -------
    frame
        The kind of ``users``, one row per pair, sorted by their ids: ``canvas_user_id``, ``name``, ``user_id``,
        ``login_id`` and ``email`` of the person with the lower id, the same with ``other_`` of the other, and ``why``
        (text, joined with "; "): "same e-mail"; "SIS id is the other's e-mail", or login. Upper and lower case make
        no difference. Deleted logins don't count.

    Examples
    --------
    >>> pairs = crn.provisioning.duplicate_people(tables)
    >>> pairs.columns[-1]
    'why'
    """
    users = tables["users"].filter(~has_status(["deleted"]) & pl.col(_PERSON).is_not_null())
    text = pl.col(*_NAMES).cast(pl.String).str.strip_chars()
    logins = users.select(_PERSON, pl.when(text != "").then(text).name.keep())
    keys = [
        logins.select(_PERSON, pl.col(name).str.to_lowercase().alias("__key")).drop_nulls().unique()
        for name in ("email", "user_id", "login_id")
    ]
    email, sis_id, login = keys
    pairs = [
        _pairs(email, email, "same e-mail"),
        _pairs(sis_id, email, "SIS id is the other's e-mail"),
        _pairs(sis_id, login, "SIS id is the other's login"),
    ]
    person = (
        logins.sort(_PERSON, "user_id", "login_id", nulls_last=True)
        .group_by(_PERSON)
        .agg(pl.col(*_NAMES).drop_nulls().first())
    )
    one = person.rename(_NAMES)
    other = person.rename({_PERSON: _OTHER} | {name: f"other_{shown}" for name, shown in _NAMES.items()})
    return (
        pl.concat(pairs)
        .group_by(_PERSON, _OTHER)
        .agg(pl.col("why").unique().sort(descending=True).str.join("; "))
        .join(one, on=_PERSON, how="left")
        .join(other, on=_OTHER, how="left")
        .select(_PERSON, *_NAMES.values(), _OTHER, *(f"other_{name}" for name in _NAMES.values()), "why")
        .sort(_PERSON, _OTHER)
    )


def _pairs(some: pl.LazyFrame, others: pl.LazyFrame, why: str) -> pl.LazyFrame:
    """Return pairs of different people with an equal key, the lower id first."""
    joined = some.join(others, on="__key", suffix="_other").filter(
        pl.col(_PERSON) != pl.col(f"{_PERSON}_other")
    )
    both = (_PERSON, f"{_PERSON}_other")
    return joined.select(
        pl.min_horizontal(both).alias(_PERSON),
        pl.max_horizontal(both).alias(_OTHER),
        pl.lit(why).alias("why"),
    ).unique()
