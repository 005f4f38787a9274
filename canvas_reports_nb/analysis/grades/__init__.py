"""What the grade export answers: how marks are distributed, where they are still open, how they drift.

The export has a row an enrolment, so a student in two sections of a course stands there twice with the same
totals. Every analysis here first keeps one row a student and course, told by their Canvas ids, whatever
login or section they came by; `dropped` shows what that left out. Scores are in percent, differences of
scores in percentage points, shares between 0 and 1. Counts are ``Int64``, scores and shares ``Float64``,
and missing where there is nothing to compute them from.
"""

from canvas_reports_nb.analysis.grades.marks import dropped, gap, one_per_student, overrides
from canvas_reports_nb.analysis.grades.periods import grading_periods
from canvas_reports_nb.analysis.grades.summaries import inflation, summary

__all__ = ["dropped", "gap", "grading_periods", "inflation", "one_per_student", "overrides", "summary"]
