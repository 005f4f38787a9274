"""Charts of reports: frames of any kind in, matplotlib Axes out. Needs the extra ``plot``.

Each is titled with account, term and date of the run where the frame tells them (pandas frames do), stands on
a white and on a black page, and says in words what it shows (`alt_text`).
"""

from canvas_reports_nb.analysis.charts.grades import dfw_by_course, grade_distribution
from canvas_reports_nb.analysis.charts.look import alt_text, save
from canvas_reports_nb.analysis.charts.operations import run_durations, storage_pareto
from canvas_reports_nb.analysis.charts.people import (
    enrollments_over_terms,
    last_access_calendar,
    role_by_state,
)

__all__ = [
    "alt_text",
    "dfw_by_course",
    "enrollments_over_terms",
    "grade_distribution",
    "last_access_calendar",
    "role_by_state",
    "run_durations",
    "save",
    "storage_pareto",
]
