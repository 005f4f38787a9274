"""``pd.DataFrame.canvas``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from canvas_reports_nb import opening
from canvas_reports_nb.accessors.functions import provenance, refresh
from canvas_reports_nb.analysis.diffing import Diff, diff
from canvas_reports_nb.analysis.privacy.pseudonyms import pseudonymize
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.describe import dictionary

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


_Accessor = TypeVar("_Accessor", bound=type)


def register(
    frame: type, register: Callable[[str], Callable[[Any], Any]]
) -> Callable[[_Accessor], _Accessor]:
    """Register a class as ``canvas`` of a kind of frame.

    pandas and polars warn where the name is taken. That is right for somebody else's accessor, and noise
    for our own, imported anew.
    """

    def registered(accessor: _Accessor) -> _Accessor:
        standing = getattr(frame, "canvas", None)
        if getattr(standing, "__module__", None) == accessor.__module__:
            delattr(frame, "canvas")
        register("canvas")(accessor)
        return accessor

    return registered


def reading(engine: str, keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords of a reader that gives one kind of frame; another engine is refused."""
    if keywords.get("engine", engine) != engine:
        raise ParameterError(
            f"This accessor returns {engine} frames, not engine={keywords['engine']!r}.",
            hint="Use canvas.read_report(..., engine=...) for the others.",
        )
    return {**keywords, "engine": engine}


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
    from canvas_reports_nb.analysis import charts  # noqa: PLC0415 - an extra, and slow to import

    return charts


@register(pd.DataFrame, pd.api.extensions.register_dataframe_accessor)
class CanvasAccessor:
    """What this package adds to a pandas frame.

    On the class, with no frame in hand, it reads: ``pd.DataFrame.canvas.read_report(...)``.
    pandas makes a new accessor at each use, so it holds nothing but the frame.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    @staticmethod
    def read_report(report: str, **keywords: Any) -> pd.DataFrame:
        """`read_report` on the newest open connection, as pandas."""
        frame: pd.DataFrame = opening.read_report(report, **reading("pandas", keywords))
        return frame

    @staticmethod
    def read_tables(report: str, **keywords: Any) -> dict[str, pd.DataFrame]:
        """`read_tables` on the newest open connection, as pandas."""
        return opening.read_tables(report, **reading("pandas", keywords))

    def read_reports(self, **keywords: Any) -> Any:
        """`read_reports` on the newest open connection: the rows of this frame are the requests."""
        return opening.read_reports(self._frame, **keywords)

    def scan_reports(self, **keywords: Any) -> Any:
        """`scan_reports` on the newest open connection: the rows of this frame are the requests."""
        return opening.scan_reports(self._frame, **keywords)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the frame came from: host, account, report, run id, parameters, times, rows, sha256."""
        return provenance(self._frame)

    def refresh(self, **keywords: Any) -> pd.DataFrame:
        """The same report with the same parameters, run anew. See `refresh`."""
        return refresh(self._frame, **keywords)

    def dictionary(self, **keywords: Any) -> pd.DataFrame:
        """What each column is: kind, personal data or not, key or not, meaning. See `dictionary`."""
        return dictionary(self._frame, **keywords)

    def diff(self, older: Any, **keywords: Any) -> Diff[pd.DataFrame]:
        """What changed since an older frame of the same table. See `diff`."""
        return diff(older, self._frame, **keywords)

    def pseudonymize(self, key: bytes | str, **keywords: Any) -> pd.DataFrame:
        """Keyed pseudonyms in place of everything personal. See `pseudonymize`."""
        return pseudonymize(self._frame, key, **keywords)

    @property
    def plot(self) -> Plots:
        """The charts: ``frame.canvas.plot.grade_distribution()``. Needs the extra ``plot``."""
        return Plots(self._frame)
