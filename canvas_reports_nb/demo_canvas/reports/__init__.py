"""The twenty account reports, computed from one world into the files Canvas would send."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from canvas_reports_nb.demo_canvas.world import World

from . import courses, grades, outcomes, students, tools
from .csv_out import Rows, Table, write_cells, write_table
from .parameters import ReportFailed, Request, resolve_account, resolve_term
from .provisioning import provisioning_tables, sis_tables
from .types import COLUMNS, HEADERS, REPORT_TYPES, TABLES, ReportType, parameters_html

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
    echo
        Parameters the report computed, which Canvas stores in place of those sent.
    """

    files: tuple[Path, ...]
    as_zip: bool
    lines: int
    summary: str
    echo: Mapping[str, str] = field(default_factory=dict)


# Named as the report without its ending.
_ONE_TABLE: Mapping[str, Callable[[Request], Rows]] = {
    f"{maker.__name__}_csv": maker
    for maker in (
        courses.course_storage, courses.public_courses, courses.recently_deleted_courses, courses.unpublished_courses,
        courses.unused_courses, grades.grade_export, outcomes.outcome_results,
        outcomes.student_assignment_outcome_map, students.last_enrollment_activity, students.last_user_access,
        students.students_with_no_submissions, students.zero_activity, tools.developer_key_report,
        tools.eportfolio_report, tools.lti_report, tools.user_access_tokens,
    )
}  # fmt: skip
_SEVERAL_TABLES: Mapping[str, Callable[[Request], list[Table]]] = {
    "mgp_grade_export_csv": grades.period_tables,
    "provisioning_csv": provisioning_tables,
    "sis_export_csv": sis_tables,
}


def _echo(request: Request, report: str) -> dict[str, str]:
    if report != "students_with_no_submissions_csv":
        return {}
    window = zip(("start_at", "end_at"), students.submission_window(request), strict=True)
    return {name: f"{at:%Y-%m-%d %H:%M:%S UTC}" for name, at in window}


def _summary(request: Request, report: str, echo: Mapping[str, str]) -> str:
    parts = []
    if "enrollment_term_id" in (REPORT_TYPES[report].parameters or {}) and report != "mgp_grade_export_csv":
        term = request.term()
        known = dict(request.world.terms.select("id", "name").iter_rows())
        parts.append(f"Term: {known[term] if term is not None else 'All Terms'};")
    if request.deleted:
        parts.append("Include Deleted/Concluded Objects;")
    parts += [f"{name.replace('_', ' ').title()}: {at};" for name, at in echo.items()]
    if report in ("provisioning_csv", "sis_export_csv"):
        parts.append("Reports: " + " ".join(table for table in TABLES if request.flag(table)))
    return "".join(f"{part} " for part in parts)


def _tables(request: Request, report: str) -> list[Table]:
    if report in _SEVERAL_TABLES:
        return _SEVERAL_TABLES[report](request)
    return [Table.of(report, COLUMNS[report][report], _ONE_TABLE[report](request))]


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
    echo = _echo(request, report)
    summary = _summary(request, report, echo)
    ragged = report == "outcome_export_csv"
    tables = [] if ragged else _tables(request, report)
    if not tables:
        path = folder / f"{report}.csv"
        cells = outcomes.outcome_export_cells(request) if ragged else [[]]
        return Product((path,), False, write_cells(cells, path), summary)
    written = {folder / f"{table.name.replace('/', '_')}.csv": table for table in tables}
    lines = [write_table(table, path, world.zone) for path, table in written.items()]
    as_zip = report == "mgp_grade_export_csv" or len(written) > 1
    return Product(tuple(written), as_zip, lines[-1], summary, echo)
