"""Whether grades rise from term to term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.frames.exchange import FrameT, lazy, like, require, same_ids, several
from canvas_reports_nb.grades.counting import NEEDED, once
from canvas_reports_nb.grades.marks import (
    LETTER,
    OVERRIDE,
    SCORE,
    Score,
    counted,
    mean,
    require_scores,
    scored,
)

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["inflation"]

_TERM = ("term id", "term sis", "term")


def inflation(
    frame: FrameT,
    *,
    score: Score = "in force",
    top: Collection[str] = ("A+", "A", "A-"),
    withdrawn: Collection[str] = ("inactive", "deleted"),
    terms: Any = None,
) -> FrameT:
    """Mean, median and share of top letters term by term, and how each moved since the term before.

    Which courses ran and who took them changes too, so a rise is a question, not yet an answer. A student
    counts once in a course, by the rules of `one_per_student`; withdrawn enrolments don't count.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv`` of every term, of any kind.
    score, withdrawn
        As for `summary`.
    top : collection of str
        The top letters, exactly as the school writes them.
    terms : DataFrame, optional
        The terms of a provisioning run: the export has no dates. Then terms come in the order they begin;
        one without a beginning stands last, compared with none. Without it they come in the order of their
        ids, which is that in which somebody made them.

    Returns
    -------
    DataFrame
        Of the same kind, one row a term: ``term id``, ``term sis``, ``term``, ``start date`` (UTC, only with
        ``terms``), ``n`` (enrolments with a score), ``mean``, ``mean change``, ``median``, ``median change``
        (percentage points), ``lettered`` (enrolments with a letter), ``top share`` (of these) and
        ``top share change``; the changes are missing in the first term.
    """
    needed = counted(score, letters=True)
    rows = lazy(frame, {*NEEDED, *_TERM, *needed, *OVERRIDE})
    require_scores(rows, (*NEEDED, *_TERM), score, "Inflation", letters=True, given=frame)
    left = pl.col("enrollment state").cast(pl.String).is_in(several(withdrawn)).fill_null(value=False)
    by_term = (
        scored(once(rows), score, letters=True)
        .filter(~left)
        .group_by("term id")
        .agg(
            pl.col("term sis", "term").drop_nulls().max(),
            pl.col(SCORE).count().cast(pl.Int64).alias("n"),
            mean(pl.col(SCORE)).alias("mean"),
            pl.col(SCORE).median().alias("median"),
            pl.col(LETTER).count().cast(pl.Int64).alias("lettered"),
            pl.col(LETTER).is_in(several(top)).mean().alias("top share"),
        )
    )
    return like(_moved(_in_time(by_term, terms)), frame)


def _in_time(by_term: pl.LazyFrame, terms: Any) -> pl.LazyFrame:
    if terms is None:
        return by_term.sort("term id", nulls_last=True).with_columns(pl.lit(value=True).alias("__placed"))
    dated = lazy(terms, ("canvas_term_id", "start_date"))
    require(dated, ("canvas_term_id", "start_date"), "The order of terms", given=terms)
    same_ids(by_term, "term id", dated, "canvas_term_id")
    begins = dated.select(pl.col("canvas_term_id").alias("term id"), pl.col("start_date").alias("start date"))
    return (
        by_term.join(begins.unique("term id", keep="first", maintain_order=True), on="term id", how="left")
        .sort("start date", "term id", nulls_last=True)
        .with_columns(pl.col("start date").is_not_null().alias("__placed"))
    )


def _moved(ordered: pl.LazyFrame) -> pl.LazyFrame:
    def change(name: str) -> pl.Expr:
        return pl.when("__placed").then(pl.col(name) - pl.col(name).shift()).alias(f"{name} change")

    moved = ordered.with_columns(change(name) for name in ("mean", "median", "top share"))
    dates = [name for name in ("start date",) if name in ordered.collect_schema().names()]
    return moved.select(
        *_TERM,
        *dates,
        *("n", "mean", "mean change", "median", "median change", "lettered", "top share", "top share change"),
    )
