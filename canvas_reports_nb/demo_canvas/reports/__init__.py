"""The twenty account reports, computed from one world into the files Canvas would send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from canvas_reports_nb.demo_canvas.reports import courses, grades, outcomes, students, tools
from canvas_reports_nb.demo_canvas.reports.csv_out import Table, write_cells, write_table
from canvas_reports_nb.demo_canvas.reports.headers import HEADERS, TABLES
from canvas_reports_nb.demo_canvas.reports.parameters import (
    ReportFailed,
    Request,
    resolve_account,
    resolve_term,
)
from canvas_reports_nb.demo_canvas.reports.provisioning import provisioning_tables
from canvas_reports_nb.demo_canvas.reports.sis_export import sis_tables
from canvas_reports_nb.demo_canvas.reports.types import REPORT_TYPES, ReportType, parameters_html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from canvas_reports_nb.demo_canvas.world import World

__all__ = ["HEADERS", "REPORT_TYPES", "Product", "ReportFailed", "ReportType", "parameters_html", "produce",
           "resolve_account", "resolve_term"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Product:
    """What a run made.

    Attributes
    ----------
    files
        CSV files in the order of the zip's members; their names are the members' names.
    as_zip
        Whether Canvas would send a zip.
    lines
        Rows of the last file, its header included.
    summary
        The settings in a sentence, which Canvas keeps as `extra_text`.
    """

    files: tuple[Path, ...]
    as_zip: bool
    lines: int
    summary: str


_MAKERS: Mapping[str, Callable[[Request], list[Table]]] = {
    "course_storage_csv": courses.course_storage,
    "developer_key_report_csv": tools.developer_keys,
    "eportfolio_report_csv": tools.eportfolios,
    "grade_export_csv": grades.grade_export,
    "last_enrollment_activity_csv": students.last_enrollment_activity,
    "last_user_access_csv": students.last_user_access,
    "lti_report_csv": tools.external_tools,
    "mgp_grade_export_csv": grades.period_tables,
    "outcome_results_csv": outcomes.outcome_results,
    "provisioning_csv": provisioning_tables,
    "public_courses_csv": courses.public_courses,
    "recently_deleted_courses_csv": courses.recently_deleted,
    "sis_export_csv": sis_tables,
    "student_assignment_outcome_map_csv": outcomes.competency,
    "students_with_no_submissions_csv": students.no_submissions,
    "unpublished_courses_csv": courses.unpublished_courses,
    "unused_courses_csv": courses.unused_courses,
    "user_access_tokens_csv": tools.access_tokens,
    "zero_activity_csv": students.zero_activity,
}
_BY_TABLE = ("provisioning_csv", "sis_export_csv")


def _summary(request: Request, report: str) -> str:
    parts = []
    declared = REPORT_TYPES[report].parameters or {}
    if "enrollment_term_id" in declared and report != "mgp_grade_export_csv":
        term = request.term()
        known = dict(request.world.terms.select("id", "name").iter_rows())
        parts.append(f"Term: {known[term] if term is not None else 'All Terms'};")
    if request.deleted:
        parts.append("Include Deleted/Concluded Objects;")
    if report == "students_with_no_submissions_csv":
        start, end = request.window(students.WINDOW_DAYS)
        parts.append(f"Start At: {start:%Y-%m-%d %H:%M:%S UTC}; End At: {end:%Y-%m-%d %H:%M:%S UTC};")
    if report in _BY_TABLE:
        parts.append("Reports: " + " ".join(table for table in TABLES if request.flag(table)))
    return "".join(f"{part} " for part in parts)


def _write(table: Table, path: Path, zone: str) -> int:
    if not table.header:
        return write_cells([[grades.NO_PERIODS]], path)
    return write_table(table, path, zone)


def produce(
    world: World, report: str, parameters: Mapping[str, object], account_id: int, folder: Path
) -> Product:
    """Compute one run of a report for an account and write its CSV files into `folder`.

    Raises
    ------
    ReportFailed
        Where Canvas would end the run in `error`.
    """
    request = Request(world, parameters, account_id)
    summary = _summary(request, report)
    if report == "outcome_export_csv":
        path = folder / f"{report}.csv"
        return Product((path,), False, write_cells(outcomes.outcome_export_cells(request), path), summary)
    tables = _MAKERS[report](request)
    if not tables:
        path = folder / f"{report}.csv"
        path.write_bytes(b"\n")
        return Product((path,), False, 1, summary)
    written = {folder / f"{table.name.replace('/', '_')}.csv": table for table in tables}
    lines = [_write(table, path, world.zone) for path, table in written.items()]
    as_zip = report == "mgp_grade_export_csv" or (report in _BY_TABLE and len(written) > 1)
    return Product(tuple(written), as_zip, lines[-1], summary)
