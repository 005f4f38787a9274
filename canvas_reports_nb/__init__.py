"""Canvas LMS account reports as correctly typed DataFrames, in a notebook, a script or a shell.

The examples in the help of this package begin with these lines:

>>> import canvas_reports_nb as crn
>>> canvas = crn.demo()  # for your own Canvas: crn.connect()
>>> grades = canvas.read_report("grade_export_csv", enrollment_term_id="current")
>>> files = ["users", "accounts", "terms", "courses", "sections", "enrollments", "xlist"]
>>> tables = canvas.read_tables("provisioning_csv", **dict.fromkeys(files, True))
>>> "000481" in set(tables["users"]["user_id"])  # and not 481
True
"""

import logging as _logging
import sys as _sys
from importlib import import_module as _import_module
from pathlib import PurePath as _PurePath
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from canvas_reports_nb import exceptions
from canvas_reports_nb.exceptions import CanvasReportsError, ReportWarning
from canvas_reports_nb.notebook import load as _load
from canvas_reports_nb.settings import __version__

if _TYPE_CHECKING:
    from canvas_reports_nb import accessors, demo_canvas
    from canvas_reports_nb.accessors.functions import provenance, refresh
    from canvas_reports_nb.analysis import access, activity, charts, grades, provisioning, sis
    from canvas_reports_nb.analysis.definitions import definition
    from canvas_reports_nb.analysis.diffing import Diff, diff
    from canvas_reports_nb.analysis.excel import for_spreadsheet, mail_list, to_excel, workbooks
    from canvas_reports_nb.analysis.privacy.pseudonyms import check_pseudonymized, pseudonymize
    from canvas_reports_nb.analysis.privacy.publishing import publish
    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun, RunStatus
    from canvas_reports_nb.catalog.requests import requests_for
    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.frames.describe import dictionary
    from canvas_reports_nb.frames.files import check_file, read_file
    from canvas_reports_nb.notebook import report_form
    from canvas_reports_nb.opening import (
        connect,
        demo,
        read_report,
        read_reports,
        read_tables,
        scan_report,
        scan_reports,
    )
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.runs.many import ReportsResult
    from canvas_reports_nb.runs.progress import ProgressEvent
    from canvas_reports_nb.store.store import Store
    from canvas_reports_nb.store.stored_run import ReportResult

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
    "access",
    "accessors",
    "activity",
    "charts",
    "check_file",
    "check_pseudonymized",
    "connect",
    "definition",
    "demo",
    "demo_canvas",
    "dictionary",
    "diff",
    "exceptions",
    "for_spreadsheet",
    "grades",
    "mail_list",
    "provenance",
    "provisioning",
    "pseudonymize",
    "publish",
    "read_file",
    "read_report",
    "read_reports",
    "read_tables",
    "refresh",
    "report_form",
    "requests_for",
    "scan_report",
    "scan_reports",
    "sis",
    "to_excel",
    "workbooks",
]

_logging.getLogger(__name__).addHandler(_logging.NullHandler())


def load_ipython_extension(ipython: _Any) -> None:
    """``%load_ext canvas_reports_nb``."""
    _load("magics", "%load_ext canvas_reports_nb").load(ipython)


def unload_ipython_extension(ipython: _Any) -> None:
    """``%unload_ext canvas_reports_nb``."""
    _load("magics", "%unload_ext canvas_reports_nb").unload(ipython)


# Loaded on first use: what a module holds, or the module itself.
_ON_USE = {
    "": "accessors demo_canvas",
    "analysis": "access activity charts grades provisioning sis",
    "accessors.functions": "provenance refresh",
    "analysis.definitions": "definition",
    "analysis.diffing": "Diff diff",
    "analysis.excel": "for_spreadsheet mail_list to_excel workbooks",
    "analysis.privacy.pseudonyms": "check_pseudonymized pseudonymize",
    "analysis.privacy.publishing": "publish",
    "canvas_api.models": "AvailableReport ReportRun RunStatus",
    "catalog.requests": "requests_for",
    "connection": "Connection",
    "frames.describe": "dictionary",
    "frames.files": "check_file read_file",
    "notebook": "report_form",
    "opening": "connect demo read_report read_reports read_tables scan_report scan_reports",
    "runs.job": "ReportJob",
    "runs.many": "ReportsResult",
    "runs.progress": "ProgressEvent",
    "store.store": "Store",
    "store.stored_run": "ReportResult",
}
_MODULES = {"", "analysis"}


def __getattr__(name: str) -> _Any:
    room = next((room for room, names in _ON_USE.items() if name in names.split()), None)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = f"{__name__}.{room}".rstrip(".")
    return _import_module(f"{home}.{name}") if room in _MODULES else getattr(_import_module(home), name)


def __dir__() -> list[str]:
    return __all__


def _is_command() -> bool:
    """Whether this process is ``canvas-reports``, whose help needs neither pandas nor polars."""
    program = _PurePath(_sys.argv[0] if _sys.argv else "").name
    is_module = program == "-m" and __name__ in _sys.orig_argv
    return is_module or program in {"canvas-reports", "canvas-reports.exe"}


if not _is_command():
    _import_module(f"{__name__}.accessors")  # registers them
