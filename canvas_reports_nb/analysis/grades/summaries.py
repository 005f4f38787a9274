"""Grades by course, section, term or account, and their trend from term to term."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any, Literal, TypeAlias

import polars as pl

from canvas_reports_nb.analysis.grades import marks
from canvas_reports_nb.catalog.parameters import is_number
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    require_columns,
    to_lazy,
)

By: TypeAlias = Literal["course", "section", "term", "account"]
# For each level: the ids that form the groups, and the descriptive columns.
_IDS = {
    "course": ["course id"],
    "section": ["course id", "section id"],
    "term": ["term id"],
    "account": ["account id"],
}
_LABELS = {
    "course": ["course sis", "course"],
    "section": ["section sis", "section", "course"],
    "term": ["term sis", "term"],
    "account": ["account sis"],
}
_COURSE_COLUMNS = {
    "canvas_course_id": "course id",
    "canvas_account_id": "account id",
    "account_id": "account sis",
}
_TERM = ("term id", "term sis", "term")


def summary(
    frame: FrameT,
    by: By | Sequence[By] = "course",
    *,
    score: marks.Score = "effective",
    below: float = 70.0,
    letters: Collection[str] | None = None,
    withdrawn: Collection[str] = ("inactive", "deleted"),
    courses: Any = None,
) -> FrameT:
    """Summarize grades by course, section, term or account: counts, quartiles, D, F and withdrawals.

    Students are counted once per course, by the rules of `one_per_student`. By section, a student in two
    sections counts in each, so sections add up to more than their course; by term or account, a student in five
    courses has five grades. While a course is running its final scores are low, because ungraded work counts as
    zero: use ``score="current"`` then.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv`` of any kind.
    by : {"course", "section", "term", "account"} or a sequence of them
    score : {"effective", "final", "current", "unposted final", "unposted current"}
        Effective is the override where a teacher set one, otherwise the final score. Final counts ungraded work
        as zero, current leaves it out, and unposted includes grades students can't see yet.
    below : float
        A score below this, in percent, is a D or F. In Canvas's own scheme a C- begins at 70.
    letters : collection of str, optional
        The letters that are a D or F, exactly as the school writes them: ``("D+", "D", "D-", "F")``. They are
        used instead of ``below``; grades without a letter are then neither passed nor failed.
    withdrawn : collection of str
        Enrollment states that count as a W. The export has them only with ``include_deleted=True``, and does not
        say whether a student left before or after the census day.
    courses : DataFrame, optional
        The courses of a provisioning run, required for accounts, which the export lacks. A course belongs to its
        own account, not to those above it.

    Returns
    -------
    DataFrame
        The same kind of frame, one row per group, sorted by the ids, which come first, with SIS ids and names.
        ``enrollments`` (one per student and course) and ``students``; without the withdrawn: ``n`` (with a
        score), ``missing`` (without a score), ``ungraded`` (in ``n``, but without any graded work, so that a
        final score of 0 means little), ``mean``, ``lower quartile``, ``median``, ``upper quartile``
        (interpolated linearly); ``passed``, ``failed``, ``withdrawn``, ``dfw`` (failed and withdrawn) and
        ``dfw share`` (of passed, failed and withdrawn).
    """
    if not is_number(below):
        raise ParameterError(
            f"Can't use below={below!r}.", hint="Give a number in percent, such as below=70."
        )
    groups = _check_groups(by)
    ids, labels = _unique(_IDS[group] for group in groups), _unique(_LABELS[group] for group in groups)
    rows = marks.with_scores(
        frame,
        score,
        "summary",
        columns={*ids} - {"account id"},
        optional=labels,
        letters=letters is not None,
        key=marks.SECTION if "section" in groups else marks.COURSE,
    )
    if "account" in groups:
        rows = _with_accounts(rows, courses)
    failing = pl.col(marks.SCORE) < below if letters is None else pl.col(marks.LETTER).is_in(as_list(letters))
    shown = [name for name in rows.collect_schema().names() if name in {*labels} - {*ids}]
    grouped = rows.group_by(ids).agg(
        # Equal in all rows of a group, apart from blanks.
        pl.col(sorted(shown, key=labels.index)).drop_nulls().max(),
        *_measures(failing, marks.is_withdrawn(as_list(withdrawn))),
    )
    others = [courses] if "account" in groups else []
    return as_kind_of(_with_share(grouped).sort(ids, nulls_last=True), frame, *others)


def _check_groups(by: By | Sequence[By]) -> list[By]:
    groups: list[By] = [by] if isinstance(by, str) else list(by)
    if not groups:
        raise ParameterError("by= is empty.", hint=f"Use one or more of {', '.join(_IDS)}.")
    for group in groups:
        if group not in _IDS:
            raise marks.unknown_choice("by", group, _IDS)
    return groups


def _unique(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(chain.from_iterable(lists)))


def _with_accounts(rows: pl.LazyFrame, courses: Any) -> pl.LazyFrame:
    if courses is None:
        raise ParameterError(
            "The grade export does not contain the account of a course.",
            hint='Add courses=canvas.read_report("provisioning_csv", courses=True, include_deleted=True).',
        )
    table = to_lazy(courses, _COURSE_COLUMNS)
    require_columns(table, _COURSE_COLUMNS, "summary by account", given=courses)
    check_joinable(rows, "course id", table, "canvas_course_id")
    accounts = table.select(pl.col(old).alias(new) for old, new in _COURSE_COLUMNS.items())
    return _join_first(rows, accounts, "course id")


def _join_first(rows: pl.LazyFrame, table: pl.LazyFrame, key: str) -> pl.LazyFrame:
    return rows.join(table.unique(key, keep="first", maintain_order=True), on=key, how="left")


def _measures(failing: pl.Expr, left: pl.Expr) -> list[pl.Expr]:
    stayed = pl.col(marks.SCORE).filter(~left)
    ungraded = ~left & pl.col(marks.SCORE).is_not_null() & ~pl.col(marks.GRADED)
    return [
        pl.len().cast(pl.Int64).alias("enrollments"),
        pl.col("student id").n_unique().cast(pl.Int64).alias("students"),
        stayed.count().cast(pl.Int64).alias("n"),
        stayed.null_count().cast(pl.Int64).alias("missing"),
        ungraded.sum().cast(pl.Int64).alias("ungraded"),
        marks.mean(stayed).alias("mean"),
        stayed.quantile(0.25, "linear").alias("lower quartile"),
        stayed.median().alias("median"),
        stayed.quantile(0.75, "linear").alias("upper quartile"),
        (~left & ~failing).sum().cast(pl.Int64).alias("passed"),
        (~left & failing).sum().cast(pl.Int64).alias("failed"),
        left.sum().cast(pl.Int64).alias("withdrawn"),
    ]


def _with_share(grouped: pl.LazyFrame) -> pl.LazyFrame:
    total = pl.sum_horizontal("passed", "failed", "withdrawn")
    return grouped.with_columns((pl.col("failed") + pl.col("withdrawn")).alias("dfw")).with_columns(
        pl.when(total > 0).then(pl.col("dfw") / total).alias("dfw share")
    )


def inflation(
    frame: FrameT,
    *,
    score: marks.Score = "effective",
    top: Collection[str] = ("A+", "A", "A-"),
    withdrawn: Collection[str] = ("inactive", "deleted"),
    terms: Any = None,
) -> FrameT:
    """Return mean, median and share of top letters per term, with the change since the previous term.

    A rise alone is no proof of grade inflation: which courses ran and who took them changes as well. Students
    are counted once per course, by the rules of `one_per_student`, without withdrawn enrollments.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv`` of all terms, of any kind.
    score, withdrawn
        As for `summary`.
    top : collection of str
        The top letters, exactly as the school writes them.
    terms : DataFrame, optional
        The terms of a provisioning run, because the export has no dates. Terms are then sorted by start date;
        a term without one comes last and is not compared. Otherwise they are sorted by id, the order in which
        they were created.

    Returns
    -------
    DataFrame
        The same kind of frame, one row per term: ``term id``, ``term sis``, ``term``, ``start date`` (UTC, only
        with ``terms``), ``n`` (enrollments with a score), ``mean``, ``mean change``, ``median``,
        ``median change`` (percentage points), ``lettered`` (enrollments with a letter), ``top share`` (of these)
        and ``top share change``. Changes are missing in the first term.
    """
    rows = marks.with_scores(frame, score, "inflation", columns=_TERM, letters=True)
    by_term = (
        rows.filter(~marks.is_withdrawn(as_list(withdrawn)))
        .group_by("term id")
        .agg(
            pl.col("term sis", "term").drop_nulls().max(),
            pl.col(marks.SCORE).count().cast(pl.Int64).alias("n"),
            marks.mean(pl.col(marks.SCORE)).alias("mean"),
            pl.col(marks.SCORE).median().alias("median"),
            pl.col(marks.LETTER).count().cast(pl.Int64).alias("lettered"),
            pl.col(marks.LETTER).is_in(as_list(top)).mean().alias("top share"),
        )
    )
    changes = [
        pl.when("__dated").then(pl.col(name).diff()).alias(f"{name} change")
        for name in ("mean", "median", "top share")
    ]
    shown = ("mean", "mean change", "median", "median change", "lettered", "top share", "top share change")
    dates = [] if terms is None else ["start date"]
    ordered = _sort_terms(by_term, terms).with_columns(changes)
    return as_kind_of(ordered.select(*_TERM, *dates, "n", *shown), frame)


def _sort_terms(by_term: pl.LazyFrame, terms: Any) -> pl.LazyFrame:
    if terms is None:
        return by_term.sort("term id", nulls_last=True).with_columns(pl.lit(value=True).alias("__dated"))
    table = to_lazy(terms, ("canvas_term_id", "start_date"))
    require_columns(table, ("canvas_term_id", "start_date"), "inflation, in the terms,", given=terms)
    check_joinable(by_term, "term id", table, "canvas_term_id")
    dates = table.select(pl.col("canvas_term_id").alias("term id"), pl.col("start_date").alias("start date"))
    return (
        _join_first(by_term, dates, "term id")
        .sort("start date", "term id", nulls_last=True)
        .with_columns(pl.col("start date").is_not_null().alias("__dated"))
    )
