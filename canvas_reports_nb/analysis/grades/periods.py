"""Multiple grading periods in long form."""

from __future__ import annotations

import re

import polars as pl

from canvas_reports_nb.analysis.grades.marks import NEEDED, once
from canvas_reports_nb.exceptions import UnknownColumnError
from canvas_reports_nb.frames.exchange import FrameT, as_kind_of, require_columns, to_lazy

# The reader tells two periods of one title apart by a number behind the second's columns.
_PERIOD = re.compile(r"(?P<title>.*) grading period id(?P<again>\.\d+)?", re.DOTALL)
_NUMBER = re.compile(r" (score|grading period id)(\.\d+)?$")
_SHOWN = ("current", "final", "unposted current", "unposted final", "override")
_MEASURES = (*(f"{shown} score" for shown in _SHOWN), *(f"{shown} grade" for shown in _SHOWN))


def grading_periods(frame: FrameT) -> FrameT:
    """The scores of each grading period, one row a student, course and period.

    The export has a set of columns a period, named after it. A student counts once in a course, by the
    rules of `one_per_student`; the totals of the whole course are left out.

    Parameters
    ----------
    frame : DataFrame
        One table of ``mgp_grade_export_csv``, that is one term, of any kind.

    Returns
    -------
    DataFrame
        Of the same kind, period after period in the order of the columns, each in the file's order: who and
        where, ``sections``, then ``period`` (Int64, from 1: two periods may share a title),
        ``grading period`` (text), ``grading period id`` (Int64), the five scores (Float64) and the five
        letters, under the names the course totals have in the export. What the export lacks is missing.

    Raises
    ------
    UnknownColumnError
        No column is of a period: the term has no grading periods, or it is another report.
    """
    rows = to_lazy(frame)
    names = rows.collect_schema().names()
    found = [(name, match) for name in names if (match := _PERIOD.fullmatch(name))]
    if not found:
        raise UnknownColumnError(
            "This frame has no columns of a grading period.",
            hint="Give a table of mgp_grade_export_csv; a term without grading periods has none.",
        )
    of_periods = {
        f"{match['title']} {measure}{match['again'] or ''}"
        for _, match in found
        for measure in ("grading period id", *_MEASURES)
    }
    counted = [name for name in names if name in of_periods and _NUMBER.search(name)]
    require_columns(rows, NEEDED, "One row a student and period", numbers=counted)
    kept = once(rows)
    shared = [name for name in names if name not in of_periods and name not in _MEASURES]
    longs = [
        kept.select(
            *shared,
            "sections",
            pl.lit(number, pl.Int64).alias("period"),
            pl.lit(match["title"]).alias("grading period"),
            pl.col(name).alias("grading period id"),
            *(
                _measure(f"{match['title']} {measure}{match['again'] or ''}", measure, names)
                for measure in _MEASURES
            ),
        )
        for number, (name, match) in enumerate(found, 1)
    ]
    return as_kind_of(pl.concat(longs), frame)


def _measure(name: str, measure: str, held: list[str]) -> pl.Expr:
    dtype = pl.Float64 if measure.endswith("score") else pl.String
    return (pl.col(name) if name in held else pl.lit(None, dtype)).alias(measure)
