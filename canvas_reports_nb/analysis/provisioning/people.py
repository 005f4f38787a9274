"""People, their logins and their enrollments: rosters, counts, cross-lists and suspended logins."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import polars as pl

from canvas_reports_nb.analysis.provisioning.tables import (
    LOGIN,
    gathers,
    has_status,
    key_of,
    lazy_tables,
    select_as,
    takes_tables,
    unique_rows,
)
from canvas_reports_nb.frames.engines import to_pandas
from canvas_reports_nb.frames.exchange import take_rows, to_lazy

Rows: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

_LOGIN = ("canvas_user_id", "user_id", "login_id", "status")
_RANKS = {"active": 0, "suspended": 1, "deleted": 2}
_ALONE = pl.col("canvas_user_id").is_unique() & pl.col("canvas_user_id").is_not_null()
_LOGIN_COUNTS = ("logins", "active_logins", "suspended_logins", "sis_ids")
# The columns of each table that a roster shows, and their names there.
_PERSON = {
    **{name: name for name in ("login_id", "full_name", "sortable_name", "email")},
    "status": "login_status",
}
_SECTION = {"name": "section_name", "status": "section_status"}
_COURSE = {
    **{name: f"course_{name}" for name in ("short_name", "long_name", "status")},
    **{name: name for name in ("canvas_account_id", "account_id", "canvas_term_id", "term_id")},
}
_TERM = {name: f"term_{name}" for name in ("name", "start_date", "end_date")}
_CROSS_LIST = (
    *("canvas_course_id", "course_id", "short_name", "long_name"),
    *("canvas_account_id", "canvas_term_id"),
)


_ROSTER = {
    "enrollments": ("canvas_user_id", "canvas_section_id", "canvas_course_id"),
    "users": _LOGIN,
    "sections": ("canvas_section_id",),
    "courses": ("canvas_course_id", "canvas_term_id"),
    "terms": ("canvas_term_id",),
}
_SHOWN = {"users": _PERSON, "sections": _SECTION, "courses": _COURSE, "terms": _TERM}
_KEYS = {name: f"canvas_{name.removesuffix('s')}_id" for name in _SHOWN}
_FOUND = ("users", "sections", "courses")
_ROW = "__row"


def _gather_roster(tables: Mapping[str, Any]) -> pd.DataFrame:
    ids = {name: [one for one in needed if one.startswith("canvas_")] for name, needed in _ROSTER.items()}
    lazy_tables({name: _lowest(tables[name], ids[name]) for name in ids}, "roster", (), ids)
    rows = _first_rows(tables["enrollments"], "enrollments")
    enrollments = take_rows(tables["enrollments"], rows)
    records = {
        name: _records(tables[name], _first_rows(tables[name], name), name)
        for name in ("sections", "courses", "terms")
    }
    alone, several = _split_logins(tables["users"])
    merged = _merge(unique_rows({"users": several}, "users")).drop_nulls("canvas_user_id").collect()
    records["users"] = _records(tables["users"], np.append(alone, merged[_ROW].to_numpy()), "users")
    logins = np.append(np.ones(len(alone), np.int64), merged["logins"].to_numpy())
    records["users"]["logins"] = pd.array(logins, "Int64")
    courses = records["courses"]
    terms = _beside(courses, "terms", records.pop("terms")).set_axis(courses.index)
    records["courses"] = pd.concat([courses, terms], axis="columns")
    # Arrow takes text without the lock of Python.
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda name: _beside(enrollments, name, records[name]), _FOUND))
    made = pd.concat([enrollments, *found], axis="columns")
    made.attrs = deepcopy(tables["enrollments"].attrs)
    return made


def _lowest(frame: pd.DataFrame, ids: list[str]) -> pl.DataFrame:
    """Return the lowest of each kind of ids, which tell whether they are pseudonyms."""
    lowest = {name: frame[name].min() for name in ids}
    return pl.DataFrame(
        {name: [None if least is pd.NA else int(least)] for name, least in lowest.items()},
        schema=dict.fromkeys(ids, pl.Int64),
    )


def _first_rows(frame: pd.DataFrame, name: str) -> Rows:
    """Return the numbers of the rows of `unique_rows`."""
    key = key_of(name, list(frame.columns))
    # Canvas writes a table in the order of its ids, and rows in ascending order are distinct.
    if key and frame[key[0]].dtype == "Int64" and not frame[key[0]].hasnans:
        numbers = frame[key[0]].to_numpy("int64")
        if (numbers[1:] > numbers[:-1]).all():
            return np.arange(len(numbers))
    return np.flatnonzero(~frame.duplicated(key))


def _records(frame: pd.DataFrame, rows: Rows, name: str) -> pd.DataFrame:
    """Return what a roster shows of these rows of a table, by their ids."""
    ids = frame[_KEYS[name]].iloc[rows]
    shown = take_rows(frame, rows[ids.notna()], _SHOWN[name])
    return shown.set_axis(pd.Index(ids.dropna().to_numpy("int64")), axis="index")


def _beside(frame: pd.DataFrame, name: str, records: pd.DataFrame) -> pd.DataFrame:
    """Return the record that each row refers to; a row without a record gets missing values."""
    numbers = frame[_KEYS[name]].to_numpy("int64", na_value=np.iinfo(np.int64).min)
    return records.reindex(numbers).reset_index(drop=True)


@gathers(_gather_roster, **_ROSTER)
@takes_tables(also=None, joined=None, **_ROSTER)
def roster(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return every enrollment with its person, section, course and term.

    A plain merge with ``users`` repeats the enrollments of people with two logins; here each stays one row.

    Parameters
    ----------
    tables : mapping of str to frame
        ``enrollments``, ``users``, ``sections``, ``courses`` and ``terms`` of one provisioning_csv run.

    Returns
    -------
    frame
        The kind of ``enrollments``, one row per enrollment of any role and status, in the order of the file,
        without repeated ones. First its own columns, unchanged, so ``user_id`` is the SIS id Canvas chose for
        it; then ``login_id``, ``full_name``, ``sortable_name``, ``email``, ``login_status`` and ``logins``
        (Int64) as in `people`; ``section_name``, ``section_status``; ``course_short_name``,
        ``course_long_name``, ``course_status``, ``canvas_account_id``, ``account_id``, ``canvas_term_id``,
        ``term_id``; ``term_name``, ``term_start_date``, ``term_end_date``. Missing if the run lacks the record
        (see `references`).

    Notes
    -----
    A person in two sections of a course has two rows: to count people, count distinct ``canvas_user_id``.

    Examples
    --------
    >>> roster = crn.provisioning.roster(tables)
    >>> roster.query("role == 'student'")["term_name"].value_counts().head(2).to_dict()
    {'Spring 2026': 456, 'Fall 2025': 163}
    """
    terms = select_as(unique_rows(tables, "terms"), "canvas_term_id", _TERM)
    courses = select_as(unique_rows(tables, "courses"), "canvas_course_id", _COURSE)
    joined = {
        "canvas_user_id": select_as(merge_logins(tables), "canvas_user_id", _PERSON | {"logins": "logins"}),
        "canvas_section_id": select_as(unique_rows(tables, "sections"), "canvas_section_id", _SECTION),
        "canvas_course_id": courses.join(terms, on="canvas_term_id", how="left", maintain_order="left"),
    }
    rows = unique_rows(tables, "enrollments")
    for key, frame in joined.items():
        rows = rows.join(frame, on=key, how="left", maintain_order="left")
    return rows


@takes_tables(
    xlist=(
        *("canvas_section_id", "section_id", "canvas_xlist_course_id", "canvas_nonxlist_course_id"),
        "status",
    ),
    sections=("canvas_section_id", "name"),
    courses=_CROSS_LIST,
)
def cross_lists(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return each cross-listed section with its home course and the course it is in now.

    Enrollments and sections show only the course a section is in now. Join this on ``canvas_section_id`` to
    assign them to the department that taught them.

    Parameters
    ----------
    tables : mapping of str to frame
        ``xlist``, ``sections`` and ``courses`` of one provisioning_csv run.

    Returns
    -------
    frame
        One row per cross-listed section, in the order of the file: ``canvas_section_id``, ``section_id``,
        ``section_name``, ``status`` of the cross-listing; ``home_canvas_course_id``, ``home_course_id``,
        ``home_short_name``, ``home_long_name``, ``home_canvas_account_id``, ``home_canvas_term_id`` of the home
        course; the same with ``host_`` of the course it is in now; ``same_account`` and ``same_term`` (boolean,
        missing if the run lacks one of the courses).

    Examples
    --------
    >>> lists = crn.provisioning.cross_lists(tables)
    >>> lists[["section_name", "home_short_name", "host_short_name"]].head(2).values.tolist()
    [['Seminar, second', 'LANG 8', 'LANG 7'], ['Lecture B', 'MATH 601', 'CS 531']]
    """
    courses = unique_rows(tables, "courses")
    names = select_as(unique_rows(tables, "sections"), "canvas_section_id", {"name": "section_name"})
    rows = unique_rows(tables, "xlist").join(names, on="canvas_section_id", how="left", maintain_order="left")
    for side, column in (("home", "canvas_nonxlist_course_id"), ("host", "canvas_xlist_course_id")):
        course = courses.select(pl.col(*_CROSS_LIST).name.prefix(f"{side}_"))
        key = f"{side}_canvas_course_id"
        rows = rows.rename({column: key}).join(course, on=key, how="left", maintain_order="left")
    return rows.select(
        *("canvas_section_id", "section_id", "section_name", "status"),
        *(f"{side}_{column}" for side in ("home", "host") for column in _CROSS_LIST),
        same_account=pl.col("home_canvas_account_id") == pl.col("host_canvas_account_id"),
        same_term=pl.col("home_canvas_term_id") == pl.col("host_canvas_term_id"),
    )


def _gather_people(tables: Mapping[str, Any]) -> pd.DataFrame:
    users = tables["users"]
    found = _login_rows(users)
    counts = to_pandas(found.select(_LOGIN_COUNTS).to_arrow())
    made = pd.concat([take_rows(users, found[_ROW].to_numpy()), counts], axis="columns")
    made.attrs = deepcopy(users.attrs)
    return made


def _login_rows(users: pd.DataFrame) -> pl.DataFrame:
    """Do what `people` does for row numbers."""
    alone, several = _split_logins(users)
    single = users[["canvas_user_id", "status"]].iloc[alone]
    # Whether a person has a SIS id counts, not the id itself.
    has_sis_id = pl.Series("user_id", users["user_id"].notna().to_numpy()[alone])
    known = pl.when(has_sis_id).then(has_sis_id).alias("user_id")
    return _by_person(to_lazy(single).with_columns(pl.Series(_ROW, alone), known), several).collect()


def _split_logins(users: pd.DataFrame) -> tuple[Rows, pl.LazyFrame]:
    """Return the numbers of the rows of people with one login, and the logins of the others with theirs."""
    ids = users["canvas_user_id"]
    others = (ids.duplicated(keep=False) | ids.isna()).to_numpy()
    rows = np.flatnonzero(others)
    logins = users[[name for name in LOGIN if name in users]].iloc[rows]
    return np.flatnonzero(~others), pl.from_pandas(logins).lazy().with_columns(pl.Series(_ROW, rows))


@gathers(_gather_people, users=_LOGIN)
@takes_tables(users=_LOGIN)
def people(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return one row per person, with all their logins merged.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users`` of provisioning_csv. Repeated rows of a login (person, name, provider, SIS id and status)
        count once.

    Returns
    -------
    frame
        The kind of ``users``, one row per ``canvas_user_id``, sorted by it, then one row per login without that
        id. First the columns of ``users`` from one login, whatever the order of the file: an active one, else a
        suspended, else a deleted one; among these one with a SIS id; then the first by SIS id, name and
        provider. Then ``logins``, ``active_logins``, ``suspended_logins`` and ``sis_ids`` (Int64; the last
        counts distinct SIS ids).

    Examples
    --------
    >>> len(tables["users"]), len(crn.provisioning.people(tables))
    (232, 223)
    """
    return merge_logins(tables)


def merge_logins(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Do what `people` does, inside a query."""
    users = tables["users"]
    # Most people have one login, so only those of the others are compared and sorted.
    return _by_person(users.filter(_ALONE), users.filter(~_ALONE), *users.collect_schema().names())


def _by_person(single: pl.LazyFrame, several: pl.LazyFrame, *columns: str) -> pl.LazyFrame:
    """Count the logins of people with one and with several, and put both in order."""
    shown = [*(columns or ("canvas_user_id", _ROW)), *_LOGIN_COUNTS]
    counts = {
        "logins": pl.lit(1),
        "active_logins": has_status(["active"]).fill_null(value=False),
        "suspended_logins": has_status(["suspended"]).fill_null(value=False),
        "sis_ids": pl.col("user_id").is_not_null(),
    }
    counted = single.with_columns(count.cast(pl.Int64).alias(name) for name, count in counts.items())
    merged = _merge(unique_rows({"users": several}, "users"))
    return pl.concat([counted.select(shown), merged.select(shown)]).sort(
        "canvas_user_id", nulls_last=True, maintain_order=True
    )


def _merge(logins: pl.LazyFrame) -> pl.LazyFrame:
    columns = logins.collect_schema().names()
    rank = pl.col("status").cast(pl.String).replace_strict(_RANKS, default=len(_RANKS), return_dtype=pl.Int8)
    names = [name for name in ("user_id", "login_id", "authentication_provider_id") if name in columns]
    ordered = logins.sort("canvas_user_id", rank, *names, nulls_last=True, maintain_order=True)
    # A login without a person stays a row of its own.
    alone = pl.when(pl.col("canvas_user_id").is_null()).then(pl.int_range(pl.len())).alias("__alone")
    grouped = ordered.with_columns(alone).group_by("canvas_user_id", "__alone", maintain_order=True)
    counts = (
        pl.len(),
        has_status(["active"]).sum(),
        has_status(["suspended"]).sum(),
        pl.col("user_id").drop_nulls().n_unique(),
    )
    return grouped.agg(
        pl.exclude("canvas_user_id", "__alone").first(),
        **{name: count.cast(pl.Int64) for name, count in zip(_LOGIN_COUNTS, counts, strict=True)},
    )


@takes_tables(users=_LOGIN, enrollments=("canvas_user_id", "canvas_course_id", "status"))
def suspended_but_enrolled(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return the people with a suspended login and active enrollments.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users`` and ``enrollments`` of one provisioning_csv run.

    Returns
    -------
    frame
        One row per person with both, sorted by ``canvas_user_id``: ``user_id``, ``login_id``, ``full_name``,
        ``email`` as in `people`; ``logins``, ``active_logins``, ``suspended_logins``, ``active_enrollments``,
        ``active_courses`` (Int64); ``locked_out`` (boolean): no active login is left.

    Examples
    --------
    >>> suspended = crn.provisioning.suspended_but_enrolled(tables)
    >>> suspended[["login_id", "active_courses", "locked_out"]].head(1).values.tolist()
    [['000481', 1, False]]
    """
    enrolled = (
        unique_rows(tables, "enrollments")
        .filter(has_status(["active"]))
        .group_by("canvas_user_id")
        .agg(
            active_enrollments=pl.len().cast(pl.Int64),
            active_courses=pl.col("canvas_course_id").n_unique().cast(pl.Int64),
        )
    )
    suspended = merge_logins(tables).filter(pl.col("suspended_logins") > 0)
    columns = suspended.collect_schema().names()
    shown = [name for name in ("user_id", "login_id", "full_name", "email") if name in columns]
    return suspended.join(enrolled, on="canvas_user_id", maintain_order="left").select(
        "canvas_user_id",
        *shown,
        *("logins", "active_logins", "suspended_logins", "active_enrollments", "active_courses"),
        locked_out=pl.col("active_logins") == 0,
    )
