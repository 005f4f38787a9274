"""Analyses of the grade export: letters and rates, missing and hidden grades, gaps, overrides, grading periods.

The export has one row per enrollment, so a student in two sections of a course appears twice with the same
totals. Every analysis here first keeps one row per student and course (`missing_grades`: and section), identified by
their Canvas ids; `dropped` shows what that leaves out. Scores are in percent, shares between 0 and 1. Counts are
``Int64``, scores and shares ``Float64``, and missing where there is no data.

`letters` gives each grade its class, `rates` counts the classes: A, B, C, D, F, P, NP, W and I are valid grades; AU,
dropped, none (never graded) and other are not. To publish a result, call ``crn.publish``.
"""

from canvas_reports_nb.analysis.grades.letters import letters
from canvas_reports_nb.analysis.grades.marks import dropped, one_per_student, overrides
from canvas_reports_nb.analysis.grades.missing import missing_grades
from canvas_reports_nb.analysis.grades.periods import grading_periods
from canvas_reports_nb.analysis.grades.rates import gaps, rates
from canvas_reports_nb.analysis.grades.sis_grades import compare_with_sis

__all__ = [
    "compare_with_sis",
    "dropped",
    "gaps",
    "grading_periods",
    "letters",
    "missing_grades",
    "one_per_student",
    "overrides",
    "rates",
]


def __dir__() -> list[str]:
    return __all__
