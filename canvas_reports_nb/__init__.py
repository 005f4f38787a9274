"""Canvas LMS account reports as correctly typed DataFrames, in a notebook, a script or a shell.

>>> import canvas_reports_nb as crn
>>> with crn.demo() as canvas:
...     grades = canvas.read_report("grade_export_csv", progress=False)
>>> grades["student sis"].dtype
<StringDtype(storage='pyarrow', na_value=nan)>
"""

import logging as _logging
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from canvas_reports_nb import accessors, demo_canvas, exceptions
from canvas_reports_nb._version import __version__
from canvas_reports_nb.accessors.twins import dictionary, provenance, refresh
from canvas_reports_nb.connection import Connection
from canvas_reports_nb.diffing import Diff, diff
from canvas_reports_nb.drift import check_file
from canvas_reports_nb.exceptions import CanvasReportsError, ReportWarning
from canvas_reports_nb.files import read_file
from canvas_reports_nb.gathering import ReportsResult
from canvas_reports_nb.jobs import ReportJob
from canvas_reports_nb.models import AvailableReport, ReportRun, RunStatus
from canvas_reports_nb.opening import (
    connect,
    demo,
    read_report,
    read_reports,
    read_tables,
    scan_report,
    scan_reports,
)
from canvas_reports_nb.progress import ProgressEvent
from canvas_reports_nb.pseudonyms import check_pseudonymized, pseudonymize
from canvas_reports_nb.requesting import requests_for
from canvas_reports_nb.results import ReportResult
from canvas_reports_nb.spreadsheets import for_spreadsheet
from canvas_reports_nb.store import Store
from canvas_reports_nb.suppression import suppress_small_cells
from canvas_reports_nb.widgets import report_form

if _TYPE_CHECKING:
    from canvas_reports_nb import activity, charts, grades, provisioning

__all__ = [
    "AvailableReport",
    "CanvasReportsError",
    "Connection",
    "Diff",
    "ProgressEvent",
    "ReportJob",
    "ReportResult",
    "ReportRun",
    "ReportWarning",
    "ReportsResult",
    "RunStatus",
    "Store",
    "__version__",
    "accessors",
    "activity",
    "charts",
    "check_file",
    "check_pseudonymized",
    "connect",
    "demo",
    "demo_canvas",
    "dictionary",
    "diff",
    "exceptions",
    "for_spreadsheet",
    "grades",
    "provenance",
    "provisioning",
    "pseudonymize",
    "read_file",
    "read_report",
    "read_reports",
    "read_tables",
    "refresh",
    "report_form",
    "requests_for",
    "scan_report",
    "scan_reports",
    "suppress_small_cells",
]

_logging.getLogger(__name__).addHandler(_logging.NullHandler())


def load_ipython_extension(ipython: _Any) -> None:
    """``%load_ext canvas_reports_nb``."""
    from canvas_reports_nb import magics  # noqa: PLC0415 - only this needs IPython

    magics.load(ipython)


def unload_ipython_extension(ipython: _Any) -> None:
    """``%unload_ext canvas_reports_nb``."""
    from canvas_reports_nb import magics  # noqa: PLC0415 - as above

    magics.unload(ipython)


# Loaded on first use: who only fetches a report needs none of them.
_ANALYSES = frozenset({"activity", "charts", "grades", "provisioning"})


def __getattr__(name: str) -> _Any:
    if name in _ANALYSES:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
