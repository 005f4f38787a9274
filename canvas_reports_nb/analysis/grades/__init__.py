"""Analyses of the grade export: distributions, open and hidden work, overrides, grading periods, trends.

The export has one row per enrollment, so a student in two sections of a course appears twice with the same
totals. Every analysis here first keeps one row per student and course, identified by their Canvas ids;
`dropped` shows what that leaves out. Scores are in percent, differences of scores in percentage points, shares
between 0 and 1. Counts are ``Int64``, scores and shares ``Float64``, and missing where there is no data.
"""

from canvas_reports_nb.analysis.grades.marks import dropped, gap, one_per_student, overrides
from canvas_reports_nb.analysis.grades.periods import grading_periods
from canvas_reports_nb.analysis.grades.summaries import inflation, summary

__all__ = ["dropped", "gap", "grading_periods", "inflation", "one_per_student", "overrides", "summary"]


def __dir__() -> list[str]:
    return __all__
