"""Sections and courses whose students have no grade yet, with the people to write to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, Literal

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.grades import marks
from canvas_reports_nb.analysis.provisioning.places import contacts
from canvas_reports_nb.analysis.provisioning.places import places as places_of
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    check_joinable,
    require_columns,
    to_lazy,
)

_IDS = {
    "section": ("section id", "section sis", "section", "course id", "course sis", "course"),
    "course": ("course id", "course sis", "course"),
}
_HIDDEN = ("final score", "unposted final score")
_GONE = ("inactive", "deleted")
_STATUS = {"none": 0, "partly": 1, "complete": 2, "submitted": 3}
_COUNTS = ("expected", "graded", "missing", "hidden", "no letter")


@defined(
    "The students of each {per} who are neither inactive nor deleted: graded means that a grade exists in Canvas (an "
    "override or a current score), hidden that the final score will change once hidden grades are posted."
)
def missing_grades(
    grades: FrameT,
    tables: Mapping[str, Any] | None = None,
    *,
    per: Literal["section", "course"] = "section",
    submitted: Iterable[Any] | None = None,
) -> FrameT:
    """Count the students of each section without a grade in Canvas, with the teachers to write to.

    Parameters
    ----------
    grades : DataFrame
        ``grade_export_csv`` of any kind.
    tables : mapping of str to DataFrame, optional
        Tables of a provisioning run: ``enrollments`` and ``users`` for the teachers, ``accounts`` and ``courses``
        for the places.
    per : {"section", "course"}
        A student in two sections counts in each.
    submitted : iterable, optional
        The SIS ids (text) or Canvas ids (numbers) of the sections, or courses, whose grades the SIS already has.

    Returns
    -------
    DataFrame
        The same kind of frame, one row per section or course with expected students: its ids and names;
        ``expected`` (students who are neither inactive nor deleted), ``graded`` (with an override or a current
        score), ``missing`` (the others), ``hidden`` (whose final score will change once hidden grades are
        posted), ``no letter`` (graded without a letter, where another student of the course has one), all Int64;
        ``status`` (text: none, partly, complete or submitted); with ``tables`` also ``names`` and ``emails`` of
        the teachers as in ``provisioning.contacts``, and the columns of ``provisioning.places``. First those
        without any grade, then those partly graded, most missing first.

    Examples
    --------
    >>> missing = crn.grades.missing_grades(grades, tables)
    >>> missing["status"].value_counts().to_dict()
    {'complete': 16, 'partly': 9, 'none': 1}
    """
    if per not in _IDS:
        raise marks.unknown_choice("per", per, list(_IDS))
    used = {*_IDS[per], *marks.score_columns("effective"), *_HIDDEN}
    rows = to_lazy(grades, used)
    require_columns(rows, [*marks.REQUIRED], "missing_grades", numbers=_HIDDEN, given=grades)
    key = marks.SECTION if per == "section" else marks.COURSE
    marked = marks.with_scores(rows, "effective", "missing_grades", given=grades, key=key)
    expected = marked.filter(~marks.is_withdrawn(_GONE))
    graded, letter = pl.col(marks.GRADED), pl.col(marks.LETTER)
    hidden = pl.col("unposted final score").ne_missing(pl.col("final score"))
    lettered = letter.is_not_null().any().over("course id")
    own, *others = (name for name in _IDS[per] if name in rows.collect_schema().names())
    counts = (
        expected.with_columns((graded & letter.is_null() & lettered).alias("no letter"))
        .group_by(own)
        .agg(
            # Equal in all rows of a group, apart from blanks.
            pl.col(others).drop_nulls().max(),
            pl.len().cast(pl.Int64).alias("expected"),
            graded.sum().cast(pl.Int64).alias("graded"),
            (~graded).sum().cast(pl.Int64).alias("missing"),
            hidden.sum().cast(pl.Int64).alias("hidden"),
            pl.col("no letter").sum().cast(pl.Int64),
        )
        .with_columns(_status(own, others, submitted))
    )
    joined = _with_people_and_places(counts, grades, tables, own, per)
    rank = pl.col("status").replace_strict(_STATUS, return_dtype=pl.Int8)
    shown = [
        name for name in joined.collect_schema().names() if name not in (own, *others, *_COUNTS, "status")
    ]
    ordered = joined.sort(rank, pl.col("missing"), own, descending=[False, True, False], nulls_last=True)
    return as_kind_of(ordered.select(own, *others, *_COUNTS, "status", *shown), grades)


def _status(own: str, others: list[str], submitted: Iterable[Any] | None) -> pl.Expr:
    known = [] if submitted is None else list(submitted)
    numbers = [int(one) for one in known if isinstance(one, Integral)]
    done = pl.col(own).is_in(numbers)
    sis = f"{own.removesuffix(' id')} sis"
    if sis in others:
        texts = [one for one in known if isinstance(one, str)]
        done |= pl.col(sis).cast(pl.String).is_in(texts).fill_null(value=False)
    return (
        pl.when(done)
        .then(pl.lit("submitted"))
        .when(pl.col("graded") == 0)
        .then(pl.lit("none"))
        .when(pl.col("missing") == 0)
        .then(pl.lit("complete"))
        .otherwise(pl.lit("partly"))
        .alias("status")
    )


def _with_people_and_places(
    counts: pl.LazyFrame,
    grades: Any,
    tables: Mapping[str, Any] | None,
    own: str,
    per: Literal["section", "course"],
) -> pl.LazyFrame:
    """Join the teachers and the places that the tables tell of."""
    if tables is None:
        return counts
    parts = []
    if {"enrollments", "users"} <= set(tables):
        people = to_lazy(contacts(tables, per=per)).select(f"canvas_{per}_id", "names", "emails")
        parts.append((people, own, f"canvas_{per}_id", tables["enrollments"]))
    if {"accounts", "courses"} <= set(tables):
        parts.append((to_lazy(places_of(tables)), "course id", "canvas_course_id", tables["courses"]))
    if not parts:
        raise ParameterError(
            "missing_grades can't use these tables.",
            hint="Pass enrollments and users, accounts and courses, or all of them: "
            'canvas.read_tables("provisioning_csv", users=True, enrollments=True, accounts=True, courses=True).',
        )
    for found, ours, theirs, table in parts:
        check_joinable(counts, ours, found, theirs, made_of=(grades, table))
        counts = counts.join(found, left_on=ours, right_on=theirs, how="left", maintain_order="left")
    return counts
