"""Canvas LMS account reports as correctly typed DataFrames, in a notebook, a script or a shell.

>>> import canvas_reports_nb as crn
>>> with crn.demo() as canvas:
...     grades = canvas.read_report("grade_export_csv", progress=False)
>>> grades["student sis"].dtype
<StringDtype(storage='pyarrow', na_value=nan)>
"""

import logging as _logging

from canvas_reports_nb import accessors, demo_canvas, exceptions
from canvas_reports_nb._version import __version__
from canvas_reports_nb.accessors.twins import dictionary, provenance
from canvas_reports_nb.connection import Connection
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
from canvas_reports_nb.requesting import requests_for
from canvas_reports_nb.results import ReportResult
from canvas_reports_nb.spreadsheets import for_spreadsheet
from canvas_reports_nb.store import Store

__all__ = [
    "AvailableReport",
    "CanvasReportsError",
    "Connection",
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
    "check_file",
    "connect",
    "demo",
    "demo_canvas",
    "dictionary",
    "exceptions",
    "for_spreadsheet",
    "provenance",
    "read_file",
    "read_report",
    "read_reports",
    "read_tables",
    "requests_for",
    "scan_report",
    "scan_reports",
]

_logging.getLogger(__name__).addHandler(_logging.NullHandler())
