"""Courses worth a look before they are cleaned up."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import FrameT, lazy, like, require, same_ids
from canvas_reports_nb.parameters import is_number

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["clean_up"]

_COURSE = ("course id", "sis id", "short name", "name")
_OF_LISTS = dict(zip(("id", "sis id", "short name", "name"), _COURSE, strict=True))
_OF_UNUSED = dict(zip(("course id", "course sis id", "short name", "long name"), _COURSE, strict=True))
_MB = "storage used in MB"
_REASONS = ("unused", "unpublished", "public", "heavy")


def clean_up(
    *,
    unused: FrameT | None = None,
    unpublished: FrameT | None = None,
    public: FrameT | None = None,
    storage: FrameT | None = None,
    heavy: float = 1000.0,
) -> FrameT:
    """Courses without content, never published, open to everybody or heavy, and for which of these reasons.

    Parameters
    ----------
    unused, unpublished, public, storage : DataFrame, optional
        ``unused_courses_csv``, ``unpublished_courses_csv``, ``public_courses_csv`` and ``course_storage_csv``
        of one account and term, of any kind; at least one of them.
    heavy : float
        From how many megabytes, counted against the course's quota, a course is storage-heavy.

    Returns
    -------
    DataFrame
        Of the kind of the first frame given, one row a course with any reason, the most reasons first, then
        the most storage, then by id: ``course id`` (Int64), ``sis id``, ``short name``, ``name`` (text),
        ``unused``, ``unpublished``, ``public``, ``heavy`` (boolean; missing where that report was not given),
        ``storage used in MB`` (Float64; missing likewise), ``reasons`` (text, such as ``"unused, public"``) and
        ``number of reasons`` (Int64).

    Raises
    ------
    ParameterError
        No frame was given, or ``heavy`` is no number.
    """
    if not is_number(heavy):
        raise ParameterError(f"heavy={heavy!r} is no number.", hint="It is in megabytes: heavy=1000.")
    given = {
        reason: table
        for reason, table in (
            ("unused", unused),
            ("unpublished", unpublished),
            ("public", public),
            ("heavy", storage),
        )
        if table is not None
    }
    if not given:
        raise ParameterError(
            "There is no report to make a list of.",
            hint='Give unused=canvas.read_report("unused_courses_csv"), or one of the other three.',
        )
    lists = {reason: _listed(reason, table, heavy) for reason, table in given.items()}
    known = list(lists.values())
    for one, other in combinations(known, 2):
        same_ids(one, "course id", other, "course id")
    marked = _marked(pl.concat(known, how="diagonal_relaxed"), given)
    if storage is not None:
        room = lazy(storage, ("id", _MB)).select(pl.col("id").alias("course id"), _MB)
        marked = marked.join(room.group_by("course id").agg(pl.col(_MB).max()), on="course id", how="left")
    else:
        marked = marked.with_columns(pl.lit(None, pl.Float64).alias(_MB))
    ordered = marked.sort(
        "number of reasons", _MB, "course id", descending=[True, True, False], nulls_last=True
    ).select(*_COURSE, *_REASONS, _MB, "reasons", "number of reasons")
    return like(ordered, next(iter(given.values())))


def _listed(reason: str, table: Any, heavy: float) -> pl.LazyFrame:
    columns = _OF_UNUSED if reason == "unused" else _OF_LISTS
    weighed = [_MB] if reason == "heavy" else []
    rows = lazy(table, (*columns, *weighed))
    require(rows, columns, f"The list of {reason} courses", numbers=weighed, given=table)
    if weighed:
        rows = rows.filter(pl.col(_MB) >= heavy)
    named = rows.select(pl.col(old).alias(new) for old, new in columns.items())
    return named.filter(pl.col("course id").is_not_null()).with_columns(pl.lit(reason).alias("__reason"))


def _marked(rows: pl.LazyFrame, given: Mapping[str, Any]) -> pl.LazyFrame:
    flags = [
        ((pl.col("__reason") == reason).any() if reason in given else pl.lit(None, pl.Boolean)).alias(reason)
        for reason in _REASONS
    ]
    words = [pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in given]
    return (
        rows.group_by("course id")
        .agg(*(pl.col(name).drop_nulls().max() for name in _COURSE[1:]), *flags)
        .with_columns(pl.concat_str(words, separator=", ", ignore_nulls=True).alias("reasons"))
        .with_columns(pl.sum_horizontal(pl.col(list(given)).cast(pl.Int64)).alias("number of reasons"))
    )
