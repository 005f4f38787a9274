"""The report types the school offers: their titles, parameters and forms, as `GET reports` shows them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from canvas_reports_nb.demo_canvas.reports.forms import (
    Choice,
    Control,
    DateField,
    Switch,
    TermSelect,
    form_html,
)
from canvas_reports_nb.demo_canvas.reports.headers import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from canvas_reports_nb.demo_canvas.world import World

__all__ = ["REPORT_TYPES", "ReportType", "parameters_html"]


@dataclass(frozen=True, slots=True)
class ReportType:
    """One report a school offers; `parameters` is None where the type declares none."""

    title: str
    parameters: Mapping[str, Mapping[str, object]] | None
    description_html: str | None
    controls: tuple[Control, ...] = ()


def _parameters(*required: str, **described: str) -> Mapping[str, Mapping[str, object]]:
    return MappingProxyType(
        {
            name: MappingProxyType({"required": name in required, "description": text})
            for name, text in described.items()
        }
    )


_TERM = "Term to report on; all terms when blank"
_COURSE = "Course to report on; all courses when blank"
_DELETED = "Also deleted and concluded records"
_TERM_ONLY = _parameters(enrollment_term_id=_TERM)
_SWITCH_DELETED = Switch("include_deleted", "Include Deleted/Concluded Objects")
_TABLE_CONTROLS: tuple[Control, ...] = (
    TermSelect(),
    *(Switch(table, f"{table.replace('_', ' ').title()} CSV") for table in TABLES),
    Switch("created_by_sis", "Only created by SIS", needs_table=True),
    Switch("include_deleted", "Include Deleted/Concluded Objects", needs_table=True),
)


def _table_parameters(**more: str) -> Mapping[str, Mapping[str, object]]:
    tables = {table: f"Produce the {table} CSV" for table in TABLES}
    return _parameters(
        enrollment_term_id="Only affects courses, sections, enrollments and xlist",
        **tables,
        created_by_sis="Only records made by a SIS import",
        include_deleted=_DELETED,
        **more,
    )


def _page(text: str) -> str:
    return f"<p>{text}</p>"


_TYPES: dict[str, ReportType] = {
    "course_storage_csv": ReportType(
        "Course Storage", _TERM_ONLY, _page("How many megabytes each course holds."), (TermSelect(),)
    ),
    "developer_key_report_csv": ReportType(
        "Developer Keys Report",
        None,
        _page("All developer keys, their <em>placements</em> and permitted endpoints."),
    ),
    "eportfolio_report_csv": ReportType(
        "Eportfolio Report",
        _parameters(
            no_enrollments="Only owners without any enrollment", include_deleted="Deleted ones instead"
        ),
        _page("One row an ePortfolio and login of its owner."),
        (
            Switch("no_enrollments", "Only users without enrollments"),
            Switch("include_deleted", "Deleted ePortfolios"),
        ),
    ),
    "grade_export_csv": ReportType(
        "Grade Export",
        _parameters(enrollment_term_id=_TERM, include_deleted=_DELETED),
        _page("Current and final scores &amp; grades of every student enrollment."),
        (TermSelect(), _SWITCH_DELETED),
    ),
    "last_enrollment_activity_csv": ReportType(
        "Last Enrollment Activity",
        _parameters(enrollment_term_id=_TERM, course_id=_COURSE),
        _page("When each user was last active in a course."),
        (TermSelect(),),
    ),
    "last_user_access_csv": ReportType(
        "Last User Access",
        _parameters(enrollment_term_id=_TERM, course_id=_COURSE, include_deleted=_DELETED),
        _page("When each login was last used, and from where."),
        (TermSelect(), _SWITCH_DELETED),
    ),
    "lti_report_csv": ReportType(
        "LTI Report",
        _parameters(include_deleted="Also deleted tools, courses and accounts"),
        _page("External tools, where they are installed."),
        (Switch("include_deleted", "Include deleted tools"),),
    ),
    "mgp_grade_export_csv": ReportType(
        "Multiple Grading Periods Grade Export",
        _parameters(
            "enrollment_term_id", enrollment_term_id="Term to report on; every active term when blank"
        ),
        _page("Scores and grades of each grading period, one file a term."),
        (TermSelect(),),
    ),
    "outcome_export_csv": ReportType(
        "Outcome Export", None, _page("Outcomes and groups, to be imported again.")
    ),
    "outcome_results_csv": ReportType(
        "Outcome Results",
        _parameters(
            enrollment_term_id=_TERM, order="users (default), courses or outcomes", include_deleted=_DELETED
        ),
        _page("How students did on each learning outcome."),
        (
            TermSelect(all_terms=False),
            _SWITCH_DELETED,
            Choice("order", ("users", "courses", "outcomes"), radio=True),
        ),
    ),
    "provisioning_csv": ReportType(
        "Provisioning",
        _table_parameters(
            enrollment_filter="Enrollment types, with commas between",
            enrollment_states="States, with commas between",
        ),
        _page("Users, accounts, courses and what ties them, with Canvas ids."),
        _TABLE_CONTROLS,
    ),
    "public_courses_csv": ReportType(
        "Public Courses", _TERM_ONLY, _page("Courses anybody may see."), (TermSelect(),)
    ),
    "recently_deleted_courses_csv": ReportType(
        "Recently Deleted Courses", _TERM_ONLY, _page("Courses deleted in the last 30 days."), (TermSelect(),)
    ),
    "sis_export_csv": ReportType(
        "SIS Export", _table_parameters(), _page("Files in the format of SIS imports."), _TABLE_CONTROLS
    ),
    "student_assignment_outcome_map_csv": ReportType(
        "Student Competency",
        _parameters(enrollment_term_id=_TERM, include_deleted=_DELETED),
        _page("Students and the assignments aligned with outcomes."),
        (TermSelect(), _SWITCH_DELETED),
    ),
    "students_with_no_submissions_csv": ReportType(
        "Students with no submissions",
        _parameters(
            "start_at",
            "end_at",
            enrollment_term_id=_TERM,
            course_id=_COURSE,
            start_at="Begin of the window, at most 14 days before its end",
            end_at="End of the window",
            include_enrollment_state="Add the state of the enrollment",
            enrollment_state="States to keep; all by default",
        ),
        _page("Students who handed in nothing in a window of at most two weeks."),
        (
            TermSelect(),
            DateField("start_at", "Start"),
            DateField("end_at", "End"),
            Switch("include_enrollment_state", "Include enrollment state"),
            Choice("enrollment_state", ("all", "active")),
        ),
    ),
    "unpublished_courses_csv": ReportType(
        "Unpublished Courses", _TERM_ONLY, _page("Courses that were never published."), (TermSelect(),)
    ),
    "unused_courses_csv": ReportType(
        "Unused Courses", _TERM_ONLY, _page("Courses without any content."), (TermSelect(),)
    ),
    "user_access_tokens_csv": ReportType(
        "User Access Tokens",
        _parameters(
            exclude_deleted_and_expired="Leave out deleted and expired tokens",
            include_deleted="Also tokens of users whose login is deleted",
        ),
        _page("Who holds which access token."),
        (Switch("exclude_deleted_and_expired", "Exclude deleted and expired"), _SWITCH_DELETED),
    ),
    "zero_activity_csv": ReportType(
        "Zero Activity",
        _parameters(
            enrollment_term_id=_TERM, start_at="Count activity from here; ever when blank", course_id=_COURSE
        ),
        _page("Students who were not active in a course."),
        (TermSelect(), DateField("start_at", "Start")),
    ),
}

REPORT_TYPES: Mapping[str, ReportType] = MappingProxyType(_TYPES)


def parameters_html(report: str, world: World, account_id: int) -> str | None:
    """Return the form of a report, None for the two that have none."""
    controls = REPORT_TYPES[report].controls
    return form_html(report, controls, world, account_id) if controls else None
