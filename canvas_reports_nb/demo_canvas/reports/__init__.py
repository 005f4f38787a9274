"""The twenty account reports, computed from one world into the files Canvas would send."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from canvas_reports_nb.demo_canvas.world import World

from . import courses, grades, outcomes, students, tools
from .csv_out import PLAIN, Dialect, Rows, Table, write_cells, write_table
from .parameters import NoFileError, ReportFailed, Request, as_text, is_given, resolve_account, resolve_term
from .provisioning import provisioning_tables
from .summary import summary
from .types import HEADERS, REPORT_TYPES, ReportType, parameters_html, table_columns

__all__ = ["HEADERS", "REPORT_TYPES", "NoFileError", "Product", "ReportFailed", "ReportType", "as_text", "is_given", "parameters_html", "produce",
           "resolve_account", "resolve_term"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Product:
    """The result of a run.

    Attributes
    ----------
    files
        CSV files in the order of the zip's members; their names are the members' names.
    as_zip
        Whether Canvas would send a zip.
    lines
        Rows of the last file, its header included.
    summary
        The settings as text, which Canvas stores as `extra_text`.
    echo
        Parameters that the report computed, which Canvas stores in place of those sent.
    """

    files: tuple[Path, ...]
    as_zip: bool
    lines: int
    summary: str
    echo: Mapping[str, str] = field(default_factory=dict)


# Named after the report without its ending.
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
    "provisioning_csv": partial(provisioning_tables, report="provisioning_csv"),
    "sis_export_csv": partial(provisioning_tables, report="sis_export_csv"),
}
_OUTCOME_REPORTS = frozenset(
    ("outcome_export_csv", "outcome_results_csv", "student_assignment_outcome_map_csv")
)


def _tables(request: Request, report: str) -> list[Table]:
    if report in _SEVERAL_TABLES:
        return _SEVERAL_TABLES[report](request)
    columns = table_columns(request.world.settings, report, report)
    return [Table(report, columns, _ONE_TABLE[report](request))]


def produce(
    world: World, report: str, parameters: Mapping[str, object], account_id: int, folder: Path
) -> Product:
    """Compute one run of a report for an account and write its CSV files into `folder`.

    Raises
    ------
    ReportFailed
        Where Canvas would end the run in `error`.
    """
    request, settings = Request(world, parameters, account_id), world.settings
    text = summary(request, report)
    computed = students.computed_dates(request) if report == "students_with_no_submissions_csv" else {}
    dialect = PLAIN
    if report in _OUTCOME_REPORTS:
        dialect = Dialect(settings.delimiter, settings.byte_order_mark)
    ragged = report == "outcome_export_csv"
    tables = [] if ragged else _tables(request, report)
    if not tables:
        path = folder / f"{report}.csv"
        cells = outcomes.outcome_export_cells(request) if ragged else [[]]
        return Product((path,), False, write_cells(cells, path, dialect), text)
    # A slash in a term's name would need a folder in the zip, which a client may not expect.
    written = {folder / f"{table.name.replace('/', '_')}.csv": table for table in tables}
    lines = [write_table(table, path, world.zone, dialect) for path, table in written.items()]
    as_zip = report == "mgp_grade_export_csv" or len(written) > 1
    return Product(tuple(written), as_zip, lines[-1], text, computed)
