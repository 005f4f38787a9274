"""The grades in Canvas against those in the school's student information system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.grades import marks
from canvas_reports_nb.analysis.sis import read_extract
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, require_columns, to_lazy

_IDS = {"user_id": "student sis", "section_id": "section sis"}
_SHOWN = ("student name", "course", "section", "student id", "course id", "section id")
_GONE = ("inactive", "deleted")
_FINDINGS = (
    *("differs", "blank in Canvas", "blank in the SIS", "not in Canvas", "not in the SIS"),
    *("withdrawn in Canvas", "agrees"),
)


@defined(
    "The grade in Canvas (an override, else the computed letter of graded work) against the grade in the SIS, once per "
    "student and section; letters are equal without blanks around them and in any case."
)
def compare_with_sis(
    grades: FrameT,
    sis_grades: Any,
    *,
    on: Mapping[str, str] | None = None,
    grade: str = "grade",
    all: bool = False,  # noqa: A002 - the word for it
) -> FrameT:
    """Compare the grades in Canvas with those in the school's student information system.

    Parameters
    ----------
    grades : DataFrame
        ``grade_export_csv`` of any kind, requested with ``include_deleted=True``.
    sis_grades : DataFrame
        The school's list of any kind, one row per student and section, with all ids as text. `read_file` keeps ids
        as they are written: ``crn.read_file("grades.csv", "grades")``.
    on : mapping, optional
        The columns of the list that hold the SIS ids of Canvas, such as
        ``{"user_id": "EMPLID", "section_id": "CLASS_KEY"}``. By default they have the names ``user_id`` and
        ``section_id``.
    grade : str
        The column of the list with the grade.
    all : bool
        Also list the rows that agree.

    Returns
    -------
    DataFrame
        The kind of ``grades``, one row per student and section that differ, sorted by finding, section and student:
        ``finding``, ``student sis``, ``section sis``, ``canvas grade``, ``sis grade`` (text), ``score`` (Float64) and
        ``override`` (boolean) in Canvas, then the names and Canvas ids. The findings are:

        - *differs*: two different grades
        - *blank in Canvas*: no override, and no letter for graded work
        - *blank in the SIS*: only Canvas has a grade
        - *not in Canvas*: the student is not in this section there
        - *not in the SIS*: neither inactive nor deleted in Canvas, but not on the list
        - *withdrawn in Canvas*: inactive or deleted there, and a grade that doesn't begin with W in the SIS

    Raises
    ------
    ParameterError
        A student and section is twice on the list, or its ids are numbers.

    Examples
    --------
    >>> listed = grades[["student sis", "section sis"]].dropna().drop_duplicates().assign(grade="A")
    >>> ids = {"user_id": "student sis", "section_id": "section sis"}
    >>> compared = crn.grades.compare_with_sis(grades, listed, on=ids, all=True)
    >>> compared["finding"].value_counts().to_dict()
    {'differs': 302, 'agrees': 59, 'blank in Canvas': 33, 'not in the SIS': 18}
    """
    used = {*_IDS.values(), *_SHOWN, *marks.score_columns("effective")}
    rows = to_lazy(grades, used)
    require_columns(rows, (*marks.REQUIRED, *_IDS.values()), "compare_with_sis", given=grades)
    marked = marks.with_scores(rows, "effective", "compare_with_sis", given=grades, key=marks.SECTION)
    names = marked.collect_schema().names()
    canvas = marked.select(
        *(pl.col(column).cast(pl.String).alias(key) for key, column in _IDS.items()),
        *(name for name in _SHOWN if name in names),
        pl.when(marks.GRADED).then(marks.LETTER).alias("canvas grade"),
        pl.when(marks.GRADED).then(marks.SCORE).cast(pl.Float64).alias("score"),
        marks.is_overridden(names).alias("override"),
        marks.is_withdrawn(_GONE).alias("__gone"),
    )
    listed = read_extract(sis_grades, on, grade, (), canvas, analysis="compare_with_sis", given=grades)
    text = pl.col("sis_status").str.strip_chars()
    sis = listed.lazy().select(*_IDS, pl.when(text != "").then(text).alias("sis grade"), __sis=True)
    joined = canvas.with_columns(__canvas=True).join(sis, on=list(_IDS), how="full", coalesce=True)
    found = joined.with_columns(_finding().alias("finding")).drop_nulls("finding")
    place = pl.col("finding").replace_strict(_FINDINGS, range(len(_FINDINGS)), return_dtype=pl.Int8)
    shown = found if all else found.filter(pl.col("finding") != "agrees")
    ids = [name for name in ("student id", "section id") if name in names]
    ordered = shown.sort(place, "section_id", "user_id", *ids, nulls_last=True).rename(_IDS)
    compared = ("canvas grade", "sis grade", "score", "override")
    details = (name for name in _SHOWN if name in names)
    return as_kind_of(ordered.select("finding", *_IDS.values(), *compared, *details), grades)


def _finding() -> pl.Expr:
    """Return what a row of both sides shows; missing for a withdrawn student who is not on the list."""
    here, there, gone = pl.col("__canvas").is_not_null(), pl.col("__sis").is_not_null(), pl.col("__gone")
    canvas, sis = (pl.col(f"{side} grade").str.to_lowercase() for side in ("canvas", "sis"))
    left = sis.is_null() | sis.str.starts_with("w")
    return (
        pl.when(~here)
        .then(pl.lit("not in Canvas"))
        .when(~there & ~gone)
        .then(pl.lit("not in the SIS"))
        .when(~there)
        .then(None)
        .when(gone & ~left)
        .then(pl.lit("withdrawn in Canvas"))
        .when(gone | canvas.eq_missing(sis))
        .then(pl.lit("agrees"))
        .when(canvas.is_null())
        .then(pl.lit("blank in Canvas"))
        .when(sis.is_null())
        .then(pl.lit("blank in the SIS"))
        .otherwise(pl.lit("differs"))
    )
