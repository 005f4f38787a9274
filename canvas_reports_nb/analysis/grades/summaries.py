"""Grades by course, section, term or account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import polars as pl

from canvas_reports_nb.analysis.grades.marks import (
    COURSE,
    LETTER,
    MARKED,
    NEEDED,
    OVERRIDE,
    SCORE,
    SECTION,
    Score,
    counted,
    mean,
    once,
    require_scores,
    scored,
)
from canvas_reports_nb.catalog.parameters import is_number, near
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    require_columns,
    to_lazy,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


By: TypeAlias = Literal["course", "section", "term", "account"]
# Of each: the ids that make the groups, and what else is shown of one.
_IDS = {
    "course": ["course id"],
    "section": ["course id", "section id"],
    "term": ["term id"],
    "account": ["account id"],
}
_SHOWN = {
    "course": ["course sis", "course"],
    "section": ["section sis", "section", "course"],
    "term": ["term sis", "term"],
    "account": ["account sis"],
}
_OF_COURSES = {
    "canvas_course_id": "course id",
    "canvas_account_id": "account id",
    "account_id": "account sis",
}


def summary(
    frame: FrameT,
    by: By | Sequence[By] = "course",
    *,
    score: Score = "in force",
    below: float = 70.0,
    letters: Collection[str] | None = None,
    withdrawn: Collection[str] = ("inactive", "deleted"),
    courses: Any = None,
) -> FrameT:
    """Grades by course, section, term or account: how many, how high, how many D, F or withdrawn.

    A student counts once in a course, by the rules of `one_per_student`. By section one in two sections
    counts in each, so sections add up to more than their course; by term or account one in five courses
    has five grades and is one student. While a course runs its final scores are low, as work not yet marked
    counts as zero: ask for ``score="current"`` then.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv`` of any kind.
    by : {"course", "section", "term", "account"} or a sequence of them
    score : {"in force", "final", "current", "unposted final", "unposted current"}
        In force is the override where a teacher set one, else the final score; final counts unmarked work
        as zero, current leaves it out, unposted counts marks students can't see yet.
    below : float
        A score below it, in percent, is a D or F. 70 is where C- begins in Canvas's own scheme.
    letters : collection of str, optional
        The letters that are a D or F, exactly as the school writes them: ``("D+", "D", "D-", "F")``. They
        decide in place of ``below``; a course without letters is then not judged.
    withdrawn : collection of str
        Enrolment states that count as a W: neither live nor finished. The export has them only with
        ``include_deleted=True``, and does not say whether one left before or after the census day.
    courses : DataFrame, optional
        For accounts, which the export lacks: the courses of a provisioning run. The account is the one the
        course lies in, not those above it.

    Returns
    -------
    DataFrame
        Of the same kind, one row a group, in the order of the ids, which stand in front with SIS ids and
        names. ``enrollments`` (one a student and course), ``students``; of those not withdrawn ``n`` (with
        the score asked for), ``missing`` (without), ``ungraded`` (counted in ``n``, but without any marked
        work, so that a final 0 says little), ``mean``, ``lower quartile``, ``median``, ``upper quartile``
        (interpolated linearly); ``passed``, ``failed``, ``withdrawn``, ``dfw`` (the two together) and
        ``dfw share`` (of the three together).

    Raises
    ------
    ParameterError
        An unknown ``by`` or ``score``, a ``below`` that is no number, or accounts without ``courses``.
    """
    if not is_number(below):
        raise ParameterError(f"below={below!r} is no number.", hint="It is in percent: below=70.")
    groups = _groups(by)
    of_account = "account" in groups
    shown = list(dict.fromkeys(name for group in groups for name in _SHOWN[group]))
    ids = list(dict.fromkeys(name for group in groups for name in _IDS[group]))
    needed = counted(score, letters=letters is not None)
    rows = to_lazy(frame, {*NEEDED, *ids, *shown, *needed, *OVERRIDE})
    own = [name for name in ids if name != "account id"]
    require_scores(rows, (*NEEDED, *own), score, "The summary", letters=letters is not None, given=frame)
    rows = scored(once(rows, SECTION if "section" in groups else COURSE), score, letters=letters is not None)
    if of_account:
        rows = _with_account(rows, courses)
    failing = pl.col(SCORE) < below if letters is None else pl.col(LETTER).is_in(as_list(letters))
    held = rows.collect_schema().names()
    grouped = rows.group_by(ids).agg(
        # The same in every row of a group, but for blanks.
        *(pl.col(name).drop_nulls().max() for name in shown if name in held and name not in ids),
        *_measures(failing, as_list(withdrawn)),
    )
    return as_kind_of(
        _with_share(grouped).sort(ids, nulls_last=True), frame, *([courses] if of_account else [])
    )


def _groups(by: By | Sequence[By]) -> list[By]:
    groups: list[By] = [by] if isinstance(by, str) else list(by)
    for group in groups:
        if group not in _IDS:
            raise ParameterError(
                f"by={group!r} is nothing grades can be summed up by.",
                hint=f"{near(str(group), _IDS)}There are: {', '.join(_IDS)}.",
            )
    if not groups:
        raise ParameterError("by= is empty.", hint=f"There are: {', '.join(_IDS)}.")
    return groups


def _with_account(rows: pl.LazyFrame, courses: Any) -> pl.LazyFrame:
    if courses is None:
        raise ParameterError(
            "The grade export does not say which account a course lies in.",
            hint='Give courses=canvas.read_report("provisioning_csv", courses=True, include_deleted=True).',
        )
    table = to_lazy(courses, _OF_COURSES)
    require_columns(table, _OF_COURSES, "A summary by account", given=courses)
    check_joinable(rows, "course id", table, "canvas_course_id")
    placed = table.select(pl.col(old).alias(new) for old, new in _OF_COURSES.items())
    return rows.join(
        placed.unique("course id", keep="first", maintain_order=True), on="course id", how="left"
    )


def _measures(failing: pl.Expr, withdrawn: list[str]) -> list[pl.Expr]:
    left = pl.col("enrollment state").cast(pl.String).is_in(withdrawn).fill_null(value=False)
    stayed = pl.col(SCORE).filter(~left)
    return [
        pl.len().cast(pl.Int64).alias("enrollments"),
        pl.col("student id").n_unique().cast(pl.Int64).alias("students"),
        stayed.count().cast(pl.Int64).alias("n"),
        stayed.null_count().cast(pl.Int64).alias("missing"),
        (~left & pl.col(SCORE).is_not_null() & ~pl.col(MARKED)).sum().cast(pl.Int64).alias("ungraded"),
        mean(stayed).alias("mean"),
        stayed.quantile(0.25, "linear").alias("lower quartile"),
        stayed.median().alias("median"),
        stayed.quantile(0.75, "linear").alias("upper quartile"),
        (~left & ~failing).sum().cast(pl.Int64).alias("passed"),
        (~left & failing).sum().cast(pl.Int64).alias("failed"),
        left.sum().cast(pl.Int64).alias("withdrawn"),
    ]


def _with_share(grouped: pl.LazyFrame) -> pl.LazyFrame:
    judged = pl.sum_horizontal("passed", "failed", "withdrawn")
    return grouped.with_columns((pl.col("failed") + pl.col("withdrawn")).alias("dfw")).with_columns(
        pl.when(judged > 0).then(pl.col("dfw") / judged).alias("dfw share")
    )


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
    rows = to_lazy(frame, {*NEEDED, *_TERM, *needed, *OVERRIDE})
    require_scores(rows, (*NEEDED, *_TERM), score, "Inflation", letters=True, given=frame)
    left = pl.col("enrollment state").cast(pl.String).is_in(as_list(withdrawn)).fill_null(value=False)
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
            pl.col(LETTER).is_in(as_list(top)).mean().alias("top share"),
        )
    )
    return as_kind_of(_moved(_in_time(by_term, terms)), frame)


def _in_time(by_term: pl.LazyFrame, terms: Any) -> pl.LazyFrame:
    if terms is None:
        return by_term.sort("term id", nulls_last=True).with_columns(pl.lit(value=True).alias("__placed"))
    dated = to_lazy(terms, ("canvas_term_id", "start_date"))
    require_columns(dated, ("canvas_term_id", "start_date"), "The order of terms", given=terms)
    check_joinable(by_term, "term id", dated, "canvas_term_id")
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
