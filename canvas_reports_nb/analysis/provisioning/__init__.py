"""Analyses of the tables of one provisioning_csv run.

Every function takes the tables by name, as ``canvas.read_tables`` returns them, and returns a frame of the same
kind: pandas, polars, lazy polars (``{"users": canvas.scan_report(..., table="users"), ...}``), Arrow, Dask or DuckDB.
"""

from canvas_reports_nb.analysis.provisioning.census import census, section_sizes
from canvas_reports_nb.analysis.provisioning.courses import account_tree
from canvas_reports_nb.analysis.provisioning.duplicates import duplicate_people
from canvas_reports_nb.analysis.provisioning.people import (
    cross_lists,
    people,
    roster,
    suspended_but_enrolled,
)
from canvas_reports_nb.analysis.provisioning.places import contacts, places
from canvas_reports_nb.analysis.provisioning.readiness import readiness
from canvas_reports_nb.analysis.provisioning.records import made_by_hand, origins, references, sis_id_clashes

__all__ = [
    "account_tree",
    "census",
    "contacts",
    "cross_lists",
    "duplicate_people",
    "made_by_hand",
    "origins",
    "people",
    "places",
    "readiness",
    "references",
    "roster",
    "section_sizes",
    "sis_id_clashes",
    "suspended_but_enrolled",
]


def __dir__() -> list[str]:
    return __all__
