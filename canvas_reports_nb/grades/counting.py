"""One row a student and course, and what that leaves out."""

from __future__ import annotations

import polars as pl

from canvas_reports_nb.frames.exchange import FrameT, lazy, like, require

__all__ = ["COURSE", "NEEDED", "SECTION", "dropped", "once", "one_per_student"]

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
    rows = lazy(frame)
    require(rows, NEEDED, "One row a student")
    return like(once(rows), frame)


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
    rows = lazy(frame)
    require(rows, NEEDED, "One row a student")
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
    return like(left_out, frame)


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
