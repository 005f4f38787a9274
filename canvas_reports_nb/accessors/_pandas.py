"""The accessor ``pd.DataFrame.canvas``, and the code it shares with the polars namespaces."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from canvas_reports_nb import opening
from canvas_reports_nb.accessors.functions import provenance, refresh
from canvas_reports_nb.analysis.diffing import Diff, diff
from canvas_reports_nb.analysis.privacy.pseudonyms import pseudonymize
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.describe import dictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from os import PathLike
    from pathlib import Path
    from types import ModuleType

_Accessor = TypeVar("_Accessor", bound=type)


def register(
    frame: type, register: Callable[[str], Callable[[Any], Any]]
) -> Callable[[_Accessor], _Accessor]:
    """Register a class as ``canvas`` on a kind of frame.

    pandas and polars warn if the name is taken. A reload of this package must not warn about its own accessor.
    """

    def registered(accessor: _Accessor) -> _Accessor:
        present = getattr(frame, "canvas", None)
        if getattr(present, "__module__", None) == accessor.__module__:
            delattr(frame, "canvas")
        register("canvas")(accessor)
        return accessor

    return registered


def with_engine(reader: Callable[..., Any], engine: str, *, only: bool = True) -> Callable[..., Any]:
    """Return a reader with another default engine; with ``only``, it rejects all others."""

    @functools.wraps(reader)
    def read(*positional: Any, **named: Any) -> Any:
        chosen = named.setdefault("engine", engine)
        if only and chosen != engine:
            raise ParameterError(
                f"This accessor returns {engine} frames, not engine={chosen!r}.",
                hint=f"Use canvas.{reader.__name__}(..., engine=...) for the others.",
            )
        return reader(*positional, **named)

    signature = inspect.signature(reader)
    changed = {**signature.parameters, "engine": signature.parameters["engine"].replace(default=engine)}
    read.__signature__ = signature.replace(parameters=list(changed.values()))  # type: ignore[attr-defined]  # for help()
    return read


def on_frame(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function of a frame into a method of its accessor."""

    @functools.wraps(function)
    def method(self: FrameAccessor, *positional: Any, **named: Any) -> Any:
        return function(self._frame, *positional, **named)

    signature = inspect.signature(function)
    first, *others = signature.parameters.values()
    method.__signature__ = signature.replace(parameters=[first.replace(name="self"), *others])  # type: ignore[attr-defined]  # for help()
    method.__doc__ = (
        f"Call `crn.{function.__name__}`; ``{first.name}`` is this frame.\n\n{inspect.getdoc(function)}"
    )
    return method


class Plots:
    """The charts of one frame: each takes the keywords of the function in ``crn.charts`` and returns Axes."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def grade_distribution(self, **keywords: Any) -> Any:
        """Draw how many grades fall on each five points. For the grade export.

        Examples
        --------
        >>> axes = grades.canvas.plot.grade_distribution()
        """
        return _charts().grade_distribution(self._frame, **keywords)

    def dfw_by_course(self, **keywords: Any) -> Any:
        """Draw the courses with the highest share of D, F and withdrawals. For the grade export.

        Examples
        --------
        >>> axes = grades.canvas.plot.dfw_by_course(top=10)
        """
        return _charts().dfw_by_course(self._frame, **keywords)

    def rates_over_terms(self, **keywords: Any) -> Any:
        """Draw the rate of D, F and withdrawals over the years, fall beside fall. For the grade export of several terms.

        Examples
        --------
        >>> axes = canvas.read_report("grade_export_csv").canvas.plot.rates_over_terms()
        """
        return _charts().rates_over_terms(self._frame, **keywords)

    def role_by_state(self, **keywords: Any) -> Any:
        """Draw how many enrollments each role has in each state. For the provisioning enrollments.

        Examples
        --------
        >>> axes = tables["enrollments"].canvas.plot.role_by_state()
        """
        return _charts().role_by_state(self._frame, **keywords)

    def last_access_calendar(self, **keywords: Any) -> Any:
        """Draw on which day people were last active. For the last user access report.

        Examples
        --------
        >>> axes = canvas.read_report("last_user_access_csv").canvas.plot.last_access_calendar()
        """
        return _charts().last_access_calendar(self._frame, **keywords)

    def storage_pareto(self, **keywords: Any) -> Any:
        """Draw the courses that use the most storage. For the course storage report.

        Examples
        --------
        >>> axes = canvas.read_report("course_storage_csv").canvas.plot.storage_pareto()
        """
        return _charts().storage_pareto(self._frame, **keywords)


def _charts() -> ModuleType:
    from canvas_reports_nb.analysis import charts  # noqa: PLC0415 - an extra, and slow to import

    return charts


class FrameAccessor:
    """The methods of ``frame.canvas``. pandas creates an accessor for each use, so it keeps only the frame."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the frame came from: host, account, report, run id, parameters, times, rows, sha256.

        Examples
        --------
        >>> grades.canvas.provenance["report"]
        'grade_export_csv'
        """
        return provenance(self._frame)

    refresh = on_frame(refresh)
    pseudonymize = on_frame(pseudonymize)
    read_reports = on_frame(opening.read_reports)
    scan_reports = on_frame(opening.scan_reports)

    def to_excel(
        self,
        path: str | PathLike[str],
        timezone: str | None = None,
        *,
        question: str | None = None,
        note: str | Iterable[str] | None = None,
        author: str | None = None,
        protect: bool = False,
        overwrite: bool = False,
    ) -> Path:
        """Write a workbook that damages no cell. See `crn.to_excel`.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = grades.canvas.to_excel(f"{folder}/grades.xlsx")
        >>> path.name
        'grades.xlsx'
        """
        from canvas_reports_nb.analysis.excel import to_excel  # noqa: PLC0415 - slow to import

        return to_excel(
            self._frame,
            path,
            timezone,
            question=question,
            note=note,
            author=author,
            protect=protect,
            overwrite=overwrite,
        )

    def dictionary(self, report: str | None = None, table: str | None = None) -> Any:
        """Describe each column: kind, personal data, key, meaning. See `crn.dictionary`.

        Examples
        --------
        >>> int(grades.canvas.dictionary()["personal"].sum())
        4
        """
        return dictionary(self._frame, report=report, table=table)

    def diff(
        self,
        older: Any,
        *,
        report: str | None = None,
        table: str | None = None,
        key: str | Sequence[str] | None = None,
    ) -> Diff[Any]:
        """Compare with an older frame of the same table. See `crn.diff`.

        Examples
        --------
        >>> newer = canvas.read_report("grade_export_csv", enrollment_term_id="current", max_age=0)
        >>> len(newer.canvas.diff(grades).changed)
        0
        """
        return diff(older, self._frame, report=report, table=table, key=key)

    @property
    def plot(self) -> Plots:
        """The charts: ``frame.canvas.plot.grade_distribution()``. Needs the extra ``plot``.

        Examples
        --------
        >>> axes = grades.canvas.plot.dfw_by_course()
        """
        return Plots(self._frame)


@register(pd.DataFrame, pd.api.extensions.register_dataframe_accessor)
class CanvasAccessor(FrameAccessor):
    """The accessor of a pandas frame and, for the readers, of the class: ``pd.DataFrame.canvas.read_report(...)``."""

    read_report = staticmethod(with_engine(opening.read_report, "pandas"))
    read_tables = staticmethod(with_engine(opening.read_tables, "pandas"))
