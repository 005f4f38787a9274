"""Which score and which letter counts, and where the export's several scores differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import polars as pl

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, require_columns, to_lazy

if TYPE_CHECKING:
    from collections.abc import Collection


#: ``"in force"`` is the override where a teacher set one, else the final score.
Score: TypeAlias = Literal["in force", "final", "current", "unposted final", "unposted current"]

SCORE, LETTER, MARKED = "__score", "__letter", "__marked"
OVERRIDE = ("override score", "override grade")
_WHO_AND_WHERE = (
    *("student name", "student id", "student sis", "course", "course id", "course sis"),
    *("section", "section id", "section sis", "term", "term id", "term sis", "enrollment state"),
)


def counted(score: Score, *, letters: bool) -> set[str]:
    """The columns `scored` reads; those of an override only where an account may use them."""
    if score not in get_args(Score):
        raise ParameterError(
            f"score={score!r} is no score of the export.",
            hint=f"{near(str(score), get_args(Score))}There are: {', '.join(get_args(Score))}.",
        )
    shown = "final" if score == "in force" else score
    return {f"{shown} score", _current(score), *([f"{shown} grade"] if letters else [])}


def require_scores(
    rows: pl.LazyFrame, columns: Collection[str], score: Score, what: str, *, letters: bool, given: Any
) -> None:
    """Refuse rows that lack one of the columns or one `scored` reads, or have text for a score it reads."""
    needed = counted(score, letters=letters)
    scores = {name for name in needed if name.endswith("score")}
    others = sorted({*columns, *needed} - scores)
    if score == "in force":
        scores |= {"override score"} & set(rows.collect_schema().names())
    require_columns(rows, others, what, numbers=sorted(scores), given=given)


def scored(rows: pl.LazyFrame, score: Score, *, letters: bool) -> pl.LazyFrame:
    """Rows with the score and the letter that count, and whether they say anything.

    A teacher's override hides both the score and the letter computed, also where only one of them was set.
    """
    held = rows.collect_schema().names()
    shown = "final" if score == "in force" else score
    value, letter = pl.col(f"{shown} score"), pl.col(f"{shown} grade") if letters else pl.lit(None, pl.String)
    marked = pl.col(_current(score)).is_not_null()
    if score == "in force" and "override score" in held:
        by_hand = _by_hand(held)
        over = pl.col("override grade") if "override grade" in held else pl.lit(None, pl.String)
        value = pl.when(by_hand).then(pl.col("override score")).otherwise(value)
        letter = pl.when(by_hand).then(over).otherwise(letter)
        marked |= by_hand
    return rows.with_columns(value.alias(SCORE), letter.cast(pl.String).alias(LETTER), marked.alias(MARKED))


def mean(scores: pl.Expr) -> pl.Expr:
    """Return the mean of a group, added up in ascending order; polars adds in any order, and bits differ."""
    # As a list: where the sort is followed by `mean` itself, polars drops the sort as unneeded.
    return scores.sort().implode().list.mean()


def _current(score: str) -> str:
    return "unposted current score" if score.startswith("unposted") else "current score"


def _by_hand(held: Collection[str]) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).is_not_null() for name in OVERRIDE if name in held)


def gap(frame: FrameT) -> FrameT:
    """How far the current score is from the final one, and what students can't see yet.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv`` of any kind.

    Returns
    -------
    DataFrame
        Of the same kind, one row a student and course. Beside who and where: ``current score``,
        ``final score``, ``gap`` (current less final: what unmarked work, counted as zero, takes away),
        ``unposted current score``, ``unposted final score``, ``current change`` and ``final change`` (by how
        much each will move once the hidden marks are posted), all Float64, and ``hidden marks`` (boolean:
        whether a score that counts them differs from the one shown).
    """
    scores = ("current score", "final score", "unposted current score", "unposted final score")
    rows = to_lazy(frame, (*_WHO_AND_WHERE, *scores))
    require_columns(rows, NEEDED, "The gap", numbers=scores, given=frame)
    current, final, to_be_current, to_be_final = (pl.col(name) for name in scores)
    measured = once(rows).select(
        *_identity(rows),
        current,
        final,
        (current - final).alias("gap"),
        to_be_current,
        to_be_final,
        (to_be_current - current).alias("current change"),
        (to_be_final - final).alias("final change"),
        (to_be_current.ne_missing(current) | to_be_final.ne_missing(final)).alias("hidden marks"),
    )
    return as_kind_of(measured, frame)


def overrides(frame: FrameT) -> FrameT:
    """The grades a teacher set by hand, beside those they stand in place of.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv`` of any kind, from an account that may use final grade overrides.

    Returns
    -------
    DataFrame
        Of the same kind, one row a student and course with an override. Beside who and where:
        ``final score``, ``override score``, ``change`` (override less final), ``final grade``,
        ``override grade``, and ``letter changed`` (boolean; missing where the course has no letters).

    Raises
    ------
    UnknownColumnError
        The export has no override columns: its account may not use them.
    """
    read = ("final score", "final grade", *OVERRIDE)
    rows = to_lazy(frame, (*_WHO_AND_WHERE, *read))
    require_columns(
        rows,
        (*NEEDED, "final grade", "override grade"),
        "An override",
        numbers=("final score", "override score"),
        given=frame,
    )
    set_by_hand = (
        once(rows)
        .filter(_by_hand(OVERRIDE))
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
    return as_kind_of(set_by_hand, frame)


def _identity(rows: pl.LazyFrame) -> list[str]:
    return [name for name in rows.collect_schema().names() if name in _WHO_AND_WHERE]


COURSE = ("student id", "course id")
SECTION = (*COURSE, "section id")
NEEDED = (*SECTION, "enrollment state")
# Of two enrolments in one course the livelier one is the student's: who changed section has not left.
_LIVELIEST_FIRST = ("active", "concluded", "inactive", "deleted")
_ROW, _KEPT = "__row", "__kept"


def one_per_student(frame: FrameT) -> FrameT:
    """The rows of a grade export, one a student and course.

    A person is told by the Canvas id, so a second login makes no second person. Of several enrolments in a
    course the row kept is the active one, else the concluded, inactive, deleted one; among equals that of
    the lowest section id, then the first in the file. A cross-listed section stands in the export under the
    course it sits in now, and so counts there.

    Parameters
    ----------
    frame : DataFrame
        ``grade_export_csv``, or a table of ``mgp_grade_export_csv``, of any kind.

    Returns
    -------
    DataFrame
        Of the same kind, in the file's order, with the columns of the export and ``sections`` (Int64): in
        how many sections of the course the student is.
    """
    rows = to_lazy(frame)
    require_columns(rows, NEEDED, "One row a student")
    return as_kind_of(once(rows), frame)


def dropped(frame: FrameT) -> FrameT:
    """The rows that `one_per_student` leaves out, and why.

    Parameters
    ----------
    frame : DataFrame
        As for `one_per_student`.

    Returns
    -------
    DataFrame
        Of the same kind, in the file's order, with the columns of the export and ``reason`` (text): ``no id``
        (the student or course id is blank), ``repeated`` (the same student, course and section as the row
        kept), ``other section``; and ``kept section id`` (Int64): that of the row kept in its stead.
    """
    rows = to_lazy(frame)
    require_columns(rows, NEEDED, "One row a student")
    numbered = rows.with_row_index(_ROW)
    chosen = _chosen(numbered, COURSE).select(*COURSE, _KEPT, "kept section id")
    reason = (
        pl.when(pl.col(_KEPT).is_null())
        .then(pl.lit("no id"))
        .when(pl.col("section id").eq_missing(pl.col("kept section id")))
        .then(pl.lit("repeated"))
        .otherwise(pl.lit("other section"))
    )
    left_out = (
        numbered.join(chosen, on=COURSE, how="left", maintain_order="left")
        .filter(pl.col(_ROW).ne_missing(pl.col(_KEPT)))
        .with_columns(reason=reason)
        .select(*rows.collect_schema().names(), "reason", "kept section id")
    )
    return as_kind_of(left_out, frame)


def once(rows: pl.LazyFrame, key: tuple[str, ...] = COURSE) -> pl.LazyFrame:
    """One row each key, by default one a student and course; the rules are those of `one_per_student`."""
    numbered = rows.with_row_index(_ROW)
    # Rows that went through here before know their sections; the frame in hand has one of them left.
    counts = [] if "sections" in rows.collect_schema().names() else ["sections"]
    chosen = _chosen(numbered, key).select(pl.col(_KEPT).alias(_ROW), *counts)
    return numbered.join(chosen, on=_ROW, maintain_order="left").drop(_ROW)


def _chosen(numbered: pl.LazyFrame, key: tuple[str, ...]) -> pl.LazyFrame:
    state = pl.col("enrollment state").cast(pl.String)
    ranks = {state: rank for rank, state in enumerate(_LIVELIEST_FIRST)}
    rank = state.replace_strict(ranks, default=len(ranks), return_dtype=pl.Int8).fill_null(len(ranks))
    # A column of its own, as the section may be part of the key.
    section = pl.col("__section")
    # Within each group, for a sort of all rows before would not hold for who collects by streaming.
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
