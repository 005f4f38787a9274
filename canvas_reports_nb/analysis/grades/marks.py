"""One row per student and course of the grade export, and which of its scores counts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, TypeAlias, get_args

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, check_kinds, require_columns, to_lazy

#: ``"effective"`` is the override where a teacher set one, otherwise the final score; ``"in force"`` is its older name.
Score: TypeAlias = Literal["effective", "in force", "final", "current", "unposted final", "unposted current"]
_SCORES = tuple(score for score in get_args(Score) if score != "in force")

COURSE = ("student id", "course id")
SECTION = (*COURSE, "section id")
REQUIRED = (*SECTION, "enrollment state")
SCORE, LETTER, GRADED = "__score", "__letter", "__graded"
_OVERRIDE = ("override score", "override grade")
_IDENTITY = (
    *("student name", "student id", "student sis", "course", "course id", "course sis"),
    *("section", "section id", "section sis", "term", "term id", "term sis", "enrollment state"),
)
# A student who changed sections has not left the course, so an active enrollment comes first.
_STATE_RANKS = {state: rank for rank, state in enumerate(("active", "concluded", "inactive", "deleted"))}
_ROW, _KEPT = "__row", "__kept"


@defined("One row per student and course: the active enrollment, else a concluded, inactive or deleted one.")
def one_per_student(frame: FrameT) -> FrameT:
    """Return the grade export with one row per student and course.

    People are identified by their Canvas id, so a second login adds no row. Of several enrollments in a course
    the active one is kept, then a concluded, inactive or deleted one; among equals the one with the lowest
    section id, then the first in the file. A cross-listed section counts in the course it now belongs to.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv``, or one table of ``mgp_grade_export_csv``, of any kind.

    Returns
    -------
    DataFrame
        The same kind of frame, in the order of the file, with the columns of the export and ``sections``
        (Int64): the number of sections of the course the student is in.

    Examples
    --------
    >>> len(grades), len(crn.grades.one_per_student(grades))
    (412, 398)
    """
    rows = to_lazy(frame)
    require_columns(rows, REQUIRED, "one_per_student")
    return as_kind_of(one_row_per(rows), frame)


@defined("The enrollments beside the one that counts per student and course, and those without an id.")
def dropped(frame: FrameT) -> FrameT:
    """Return the rows that `one_per_student` leaves out, with the reason.

    Parameters
    ----------
    frame : DataFrame
        The same frame as for `one_per_student`.

    Returns
    -------
    DataFrame
        The same kind of frame, in the order of the file, with the columns of the export and ``reason`` (text):
        ``no id`` (the student or course id is blank), ``repeated`` (same student, course and section as the row
        that was kept) or ``other section``; and ``kept section id`` (Int64): the section of the row that was
        kept.

    Examples
    --------
    >>> everyone = canvas.read_report("grade_export_csv", include_deleted=True)
    >>> crn.grades.dropped(everyone)["student id"].nunique()
    57
    """
    rows = to_lazy(frame)
    require_columns(rows, REQUIRED, "dropped")
    numbered = rows.with_row_index(_ROW)
    kept = _kept_rows(numbered, COURSE).select(*COURSE, _KEPT, "kept section id")
    reason = (
        pl.when(pl.col(_KEPT).is_null())
        .then(pl.lit("no id"))
        .when(pl.col("section id").eq_missing(pl.col("kept section id")))
        .then(pl.lit("repeated"))
        .otherwise(pl.lit("other section"))
    )
    left_out = (
        numbered.join(kept, on=COURSE, how="left", maintain_order="left")
        .filter(pl.col(_ROW).ne_missing(pl.col(_KEPT)))
        .with_columns(reason=reason)
        .select(*rows.collect_schema().names(), "reason", "kept section id")
    )
    return as_kind_of(left_out, frame)


def one_row_per(rows: pl.LazyFrame, key: tuple[str, ...] = COURSE) -> pl.LazyFrame:
    """Keep one row per key, by the rules of `one_per_student`."""
    numbered = rows.with_row_index(_ROW)
    # After a first pass only one of a student's sections is left to count, so the first count stays.
    counts = [] if "sections" in rows.collect_schema().names() else ["sections"]
    kept = _kept_rows(numbered, key).select(pl.col(_KEPT).alias(_ROW), *counts)
    return numbered.join(kept, on=_ROW, maintain_order="left").drop(_ROW)


def _kept_rows(numbered: pl.LazyFrame, key: tuple[str, ...]) -> pl.LazyFrame:
    state = pl.col("enrollment state").cast(pl.String)
    last = len(_STATE_RANKS)
    rank = state.replace_strict(_STATE_RANKS, default=last, return_dtype=pl.Int8).fill_null(last)
    # A copy, because the section may be part of the key.
    section = pl.col("__section")
    # Sorted within each group: the streaming engine does not keep the order of a sort before it.
    order = (rank, section, pl.col(_ROW))
    return (
        numbered.with_columns(pl.col("section id").alias("__section"))
        .filter(pl.col(name).is_not_null() for name in COURSE)
        .group_by(key)
        .agg(
            pl.col(_ROW).sort_by(*order, nulls_last=True).first().alias(_KEPT),
            section.sort_by(*order, nulls_last=True).first().alias("kept section id"),
            section.drop_nulls().n_unique().cast(pl.Int64).alias("sections"),
        )
    )


def with_scores(
    rows: pl.LazyFrame, score: Score, analysis: str, *, given: Any, key: tuple[str, ...] = COURSE
) -> pl.LazyFrame:
    """Return one row per key with the score and letter that count, after checking the columns.

    An override replaces both the computed score and the computed letter, even where only one of them was set.
    """
    score = current_name(score)
    if score not in _SCORES:
        raise unknown_choice("score", score, _SCORES)
    shown, current = _score_columns(score)
    names = rows.collect_schema().names()
    has_override = score == "effective" and any(name in names for name in _OVERRIDE)
    numbers = {f"{shown} score", current}
    if has_override and "override score" in names:
        numbers.add("override score")
    require_columns(rows, REQUIRED, analysis, numbers=sorted(numbers), given=given)
    value, letter = pl.col(f"{shown} score"), _letter(f"{shown} grade", names)
    graded = pl.col(current).is_not_null()
    if has_override:
        value_set, letter_set = _override(names)
        overridden = value_set.is_not_null() | letter_set.is_not_null()
        value = pl.when(overridden).then(value_set).otherwise(value)
        letter = pl.when(overridden).then(letter_set).otherwise(letter)
        graded |= overridden
    return one_row_per(rows, key).with_columns(value.alias(SCORE), letter.alias(LETTER), graded.alias(GRADED))


def current_name(score: Score) -> Score:
    """Return a score under its present name."""
    check_kinds("one of the names of scores", str, score=score)
    return "effective" if score == "in force" else score


def score_columns(score: Score) -> set[str]:
    """Return the columns of the export that `with_scores` reads."""
    shown, current = _score_columns(current_name(score))
    return {*REQUIRED, f"{shown} score", f"{shown} grade", current, *_OVERRIDE}


def _score_columns(score: Score) -> tuple[str, str]:
    shown = "final" if score == "effective" else score
    return shown, f"{'unposted ' if score.startswith('unposted') else ''}current score"


def _letter(name: str, names: Collection[str]) -> pl.Expr:
    """Return a letter without blanks around it, missing if nothing is left or there is no such column."""
    if name not in names:
        return pl.lit(None, pl.String)
    text = pl.col(name).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)


def _override(names: Collection[str]) -> tuple[pl.Expr, pl.Expr]:
    score = pl.col("override score") if "override score" in names else pl.lit(None, pl.Float64)
    return score, _letter("override grade", names)


def unknown_choice(name: str, value: object, choices: Collection[str]) -> ParameterError:
    """Return the error for an option that is not one of the choices."""
    quoted = ", ".join(f'"{choice}"' for choice in choices)
    return ParameterError(
        f"Unknown {name} {value!r}.", hint=f"{near(str(value), choices)}Use one of {quoted}."
    )


def is_withdrawn(states: Collection[str]) -> pl.Expr:
    """Whether the state of an enrollment is one of these."""
    return pl.col("enrollment state").cast(pl.String).is_in(states).fill_null(value=False)


def is_overridden(names: Collection[str]) -> pl.Expr:
    """Whether a teacher set another grade."""
    given = (pl.col(name).is_not_null() for name in _OVERRIDE if name in names)
    return pl.any_horizontal(pl.lit(value=False), *given)


def _identity(rows: pl.LazyFrame) -> list[str]:
    return [name for name in rows.collect_schema().names() if name in _IDENTITY]


@defined("One row per student and course with an override grade, next to the computed grade.")
def overrides(frame: FrameT) -> FrameT:
    """Return the grades a teacher overrode, next to the computed ones.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv`` of any kind, from an account with final grade overrides enabled.

    Returns
    -------
    DataFrame
        The same kind of frame, one row per student and course with an override. After the identifying columns:
        ``final score``, ``override score``, ``change`` (override minus final), ``final grade``,
        ``override grade`` and ``letter changed`` (boolean; missing where the course has no letter grades).

    Raises
    ------
    UnknownColumnError
        The export has no override columns, because the account has not enabled them.

    Examples
    --------
    >>> crn.grades.overrides(grades)[["course", "final grade", "override grade"]].values.tolist()
    [['Calculus I', 'B', 'B+'], ['Advanced Programming', 'C', 'B-']]
    """
    rows = to_lazy(frame, (*_IDENTITY, "final score", "final grade", *_OVERRIDE))
    require_columns(
        rows,
        (*REQUIRED, "final grade", "override grade"),
        "overrides",
        numbers=("final score", "override score"),
        given=frame,
    )
    found = (
        one_row_per(rows)
        .filter(is_overridden(_OVERRIDE))
        .select(
            *_identity(rows),
            "final score",
            "override score",
            (pl.col("override score") - pl.col("final score")).alias("change"),
            "final grade",
            "override grade",
            (pl.col("override grade") != pl.col("final grade")).alias("letter changed"),
        )
    )
    return as_kind_of(found, frame)
