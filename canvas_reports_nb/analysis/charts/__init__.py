"""Charts of reports: frames of any kind in, matplotlib Axes out. Requires the extra ``plot``.

The line below the title names the school, report, term and day of the run if the frame has them (pandas frames
do). Charts are dark where your matplotlib style is, as after ``plt.style.use("dark_background")``, and `alt_text`
describes them in words.
"""

from canvas_reports_nb.analysis.charts.grades import dfw_by_course, grade_distribution, rates_over_terms
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
    "rates_over_terms",
    "role_by_state",
    "run_durations",
    "save",
    "storage_pareto",
]


def __dir__() -> list[str]:
    return __all__
