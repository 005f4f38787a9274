"""``frame.canvas.plot.<chart>()``: the charts that need one frame, matplotlib brought in on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Plots"]


class Plots:
    """The charts of one frame; each takes the keywords of its twin in ``crn.charts`` and gives matplotlib Axes."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def grade_distribution(self, **keywords: Any) -> Any:
        """How many grades fall on each five points. Of the grade export."""
        return _charts().grade_distribution(self._frame, **keywords)

    def dfw_by_course(self, **keywords: Any) -> Any:
        """The courses with the highest share of D, F and withdrawals. Of the grade export."""
        return _charts().dfw_by_course(self._frame, **keywords)

    def role_by_state(self, **keywords: Any) -> Any:
        """How many enrolments there are of each role in each state. Of the provisioning enrollments."""
        return _charts().role_by_state(self._frame, **keywords)

    def last_access_calendar(self, **keywords: Any) -> Any:
        """On which day people were last seen. Of the last user access report."""
        return _charts().last_access_calendar(self._frame, **keywords)

    def storage_pareto(self, **keywords: Any) -> Any:
        """The courses that take most room. Of the course storage report."""
        return _charts().storage_pareto(self._frame, **keywords)


def _charts() -> ModuleType:
    from canvas_reports_nb import charts  # noqa: PLC0415 - an extra, and slow to import

    return charts
