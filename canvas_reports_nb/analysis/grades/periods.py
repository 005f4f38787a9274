"""Multiple grading periods in long form."""

from __future__ import annotations

import re

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.grades.marks import REQUIRED, one_row_per
from canvas_reports_nb.exceptions import UnknownColumnError
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, require_columns, to_lazy

# When two periods have one title, the reader numbers the columns of the second.
_PERIOD = re.compile(r"(?P<title>.*) grading period id(?P<suffix>\.\d+)?", re.DOTALL)
_NUMBER = re.compile(r" (score|grading period id)(\.\d+)?$")
_TOTALS = ("current", "final", "unposted current", "unposted final", "override")
_MEASURES = {f"{total} score": pl.Float64 for total in _TOTALS} | {
    f"{total} grade": pl.String for total in _TOTALS
}


@defined("The scores of each grading period, each student once per course and period.")
def grading_periods(frame: FrameT) -> FrameT:
    """Return the scores of each grading period, one row per student, course and period.

    The export has one set of columns per period, named after the period. Students are counted once per course,
    by the rules of `one_per_student`; the totals of the whole course are left out.

    Parameters
    ----------
    frame : DataFrame
        One table of ``mgp_grade_export_csv``, which is one term, of any kind.

    Returns
    -------
    DataFrame
        The same kind of frame, period by period in the order of the columns, each in the order of the file: the
        identifying columns, ``sections``, then ``period`` (Int64, from 1: two periods may share a title),
        ``grading period`` (text), ``grading period id`` (Int64), the five scores (Float64) and the five letter
        grades, named as the course totals in the export. Columns the export lacks are missing.

    Raises
    ------
    UnknownColumnError
        No column belongs to a grading period: the term has none, or this is another report.

    Examples
    --------
    >>> terms = canvas.read_tables("mgp_grade_export_csv", enrollment_term_id="current")
    >>> periods = crn.grades.grading_periods(terms["Spring 2026"])
    >>> periods["grading period"].dropna().unique().tolist()
    ['Half-term']
    """
    rows = to_lazy(frame)
    names = rows.collect_schema().names()
    periods = _find_periods(names)
    in_periods = {
        _column(match, measure) for match in periods.values() for measure in ("grading period id", *_MEASURES)
    }
    numbers = [name for name in names if name in in_periods and _NUMBER.search(name)]
    require_columns(rows, REQUIRED, "grading_periods", numbers=numbers)
    kept = one_row_per(rows)
    shared = [name for name in names if name not in in_periods and name not in _MEASURES]
    parts = [
        kept.select(
            *shared,
            "sections",
            pl.lit(number, pl.Int64).alias("period"),
            pl.lit(match["title"]).alias("grading period"),
            pl.col(name).alias("grading period id"),
            *_measures(match, names),
        )
        for number, (name, match) in enumerate(periods.items(), 1)
    ]
    return as_kind_of(pl.concat(parts), frame)


def _find_periods(names: list[str]) -> dict[str, re.Match[str]]:
    periods = {name: match for name in names if (match := _PERIOD.fullmatch(name))}
    if not periods:
        raise UnknownColumnError(
            "This frame has no grading period columns.",
            hint="Use a table of mgp_grade_export_csv, of a term with grading periods.",
        )
    return periods


def _column(period: re.Match[str], measure: str) -> str:
    return f"{period['title']} {measure}{period['suffix'] or ''}"


def _measures(period: re.Match[str], names: list[str]) -> list[pl.Expr]:
    columns = {measure: _column(period, measure) for measure in _MEASURES}
    return [
        (pl.col(name) if name in names else pl.lit(None, _MEASURES[measure])).alias(measure)
        for measure, name in columns.items()
    ]
