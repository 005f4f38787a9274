"""The header of every table of every report, as one school with its settings exports them.

Final-grade overrides, pronouns and integration ids are on; temporary enrolments, consortium columns and
account-level mastery scales are off.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HEADERS", "TABLES"]


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


_HEADERS = {
    "course_storage_csv": {
        "course_storage_csv": _columns(
            "id, sis id, short name, name, account id, account sis id, account name, storage used in "
            "MB, sum of all files in MB"
        ),
    },
    "developer_key_report_csv": {
        "developer_key_report_csv": _columns(
            "Global ID, Key Name, Inherited from Parent Account, Contact Info, Key Type, Placements, "
            "Status, Permitted API Endpoints"
        ),
    },
    "eportfolio_report_csv": {
        "eportfolio_report_csv": _columns(
            "eportfolio_name, eportfolio_id, author_name, author_id, author_sis_id, author_login_id, "
            "created_at, updated_at, is_public, workflow_state"
        ),
    },
    "grade_export_csv": {
        "grade_export_csv": _columns(
            "student name, student id, student sis, student integration id, course, course id, course "
            "sis, section, section id, section sis, term, term id, term sis, current score, final "
            "score, enrollment state, unposted current score, unposted final score, override score, "
            "current grade, final grade, unposted current grade, unposted final grade, override grade"
        ),
    },
    "last_enrollment_activity_csv": {
        "last_enrollment_activity_csv": _columns("user id, user name, last activity at"),
    },
    "last_user_access_csv": {
        "last_user_access_csv": _columns("user id, user sis id, user name, last access at, last ip"),
    },
    "lti_report_csv": {
        "lti_report_csv": _columns(
            "context_type, context_id, account_name, course_name, tool_id, tool_type_name, "
            "tool_type_id, tool_created_at, privacy_level, launch_url, custom_fields"
        ),
    },
    "mgp_grade_export_csv": {
        "term": _columns(
            "student name, student id, student sis, student integration id, course, course id, course "
            "sis, section, section id, section sis, term, term id, term sis, grading period set, "
            "grading period set id, current score, final score, enrollment state, unposted current "
            "score, unposted final score, override score, current grade, final grade, unposted current "
            "grade, unposted final grade, override grade"
        ),
    },
    "outcome_export_csv": {
        "outcome_export_csv": _columns(
            "vendor_guid, object_type, title, description, friendly_description, display_name, "
            "calculation_method, calculation_int, parent_guids, workflow_state, mastery_points, ratings"
        ),
    },
    "outcome_results_csv": {
        "outcome_results_csv": _columns(
            "student name, student id, student sis id, assessment title, assessment id, assessment "
            "type, submission date, submission score, learning outcome name, learning outcome id, "
            "attempt, outcome score, assessment question, assessment question id, course name, course "
            "id, course sis id, section name, section id, section sis id, assignment url, learning "
            "outcome friendly name, learning outcome points possible, learning outcome mastery score, "
            "learning outcome mastered, learning outcome rating, learning outcome rating points, "
            "learning outcome group title, learning outcome group id, account id, account name, "
            "enrollment state"
        ),
    },
    "provisioning_csv": {
        "users": _columns(
            "canvas_user_id, user_id, integration_id, authentication_provider_id, login_id, first_name, "
            "last_name, full_name, sortable_name, short_name, email, status, created_by_sis, pronouns"
        ),
        "accounts": _columns(
            "canvas_account_id, account_id, canvas_parent_id, parent_account_id, name, status, created_by_sis"
        ),
        "terms": _columns("canvas_term_id, term_id, name, status, start_date, end_date, created_by_sis"),
        "courses": _columns(
            "canvas_course_id, course_id, integration_id, short_name, long_name, canvas_account_id, "
            "account_id, canvas_term_id, term_id, status, start_date, end_date, course_format, "
            "canvas_blueprint_course_id, blueprint_course_id, created_by_sis"
        ),
        "sections": _columns(
            "canvas_section_id, section_id, canvas_course_id, course_id, integration_id, name, status, "
            "start_date, end_date, canvas_account_id, account_id, created_by_sis"
        ),
        "enrollments": _columns(
            "canvas_course_id, course_id, canvas_user_id, user_id, role, role_id, canvas_section_id, "
            "section_id, status, canvas_associated_user_id, associated_user_id, created_by_sis, "
            "base_role_type, limit_section_privileges, canvas_enrollment_id"
        ),
        "groups": _columns(
            "canvas_group_id, group_id, canvas_group_category_id, group_category_id, canvas_account_id, "
            "account_id, canvas_course_id, course_id, name, status, created_by_sis, context_id, "
            "context_type, max_membership"
        ),
        "group_membership": _columns(
            "canvas_group_id, group_id, canvas_user_id, user_id, status, created_by_sis"
        ),
        "group_categories": _columns(
            "canvas_group_category_id, group_category_id, context_id, context_type, name, role, "
            "self_signup, group_limit, auto_leader, status"
        ),
        "xlist": _columns(
            "canvas_xlist_course_id, xlist_course_id, canvas_section_id, section_id, status, "
            "canvas_nonxlist_course_id, nonxlist_course_id"
        ),
        "user_observers": _columns(
            "canvas_observer_id, observer_id, canvas_student_id, student_id, status, created_by_sis"
        ),
        "admins": _columns(
            "admin_user_name, canvas_user_id, user_id, canvas_account_id, account_id, role_id, role, "
            "status, created_by_sis"
        ),
    },
    "public_courses_csv": {
        "public_courses_csv": _columns("id, sis id, short name, name, start date, end date"),
    },
    "recently_deleted_courses_csv": {
        "recently_deleted_courses_csv": _columns("id, sis id, short name, name, start date, end date"),
    },
    "sis_export_csv": {
        "users": _columns(
            "user_id, integration_id, authentication_provider_id, login_id, password, first_name, "
            "last_name, full_name, sortable_name, short_name, email, status, pronouns"
        ),
        "accounts": _columns("account_id, parent_account_id, name, status"),
        "terms": _columns("term_id, name, status, start_date, end_date"),
        "courses": _columns(
            "course_id, integration_id, short_name, long_name, account_id, term_id, status, start_date, "
            "end_date, course_format, blueprint_course_id"
        ),
        "sections": _columns("section_id, course_id, integration_id, name, status, start_date, end_date"),
        "enrollments": _columns(
            "course_id, user_id, role, role_id, section_id, status, associated_user_id, "
            "limit_section_privileges"
        ),
        "groups": _columns("group_id, group_category_id, account_id, course_id, name, status"),
        "group_membership": _columns("group_id, user_id, status"),
        "group_categories": _columns("group_category_id, account_id, course_id, category_name, status"),
        "xlist": _columns("xlist_course_id, section_id, status"),
        "user_observers": _columns("observer_id, student_id, status"),
        "admins": _columns("user_id, account_id, role_id, role, status"),
    },
    "student_assignment_outcome_map_csv": {
        "student_assignment_outcome_map_csv": _columns(
            "student name, student id, student sis id, assignment title, assignment id, submission "
            "date, submission score, learning outcome name, learning outcome id, attempt, outcome "
            "score, course name, course id, course sis id, section name, section id, section sis id, "
            "assignment url, learning outcome friendly name, learning outcome points possible, learning "
            "outcome mastery score, learning outcome mastered, learning outcome rating, learning "
            "outcome rating points, learning outcome group title, learning outcome group id, account "
            "id, account name, enrollment state"
        ),
    },
    "students_with_no_submissions_csv": {
        "students_with_no_submissions_csv": _columns(
            "user id, user sis id, user name, section id, section sis id, section name, course id, "
            "course sis id, course name, enrollment state"
        ),
    },
    "unpublished_courses_csv": {
        "unpublished_courses_csv": _columns("id, sis id, short name, name, start date, end date"),
    },
    "unused_courses_csv": {
        "unused_courses_csv": _columns("course id, course sis id, short name, long name, status, created at"),
    },
    "user_access_tokens_csv": {
        "user_access_tokens_csv": _columns(
            "user id, user name, id, purpose, token hint, visible token, creation, expiration, last "
            "used, status, dev key id, dev key name"
        ),
    },
    "zero_activity_csv": {
        "zero_activity_csv": _columns(
            "user id, user sis id, name, section id, section sis id, section name, course id, course "
            "sis id, course name"
        ),
    },
}

HEADERS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {report: MappingProxyType(tables) for report, tables in _HEADERS.items()}
)

# Canvas writes the members of a zip in this order, whatever the order of the switches.
TABLES = (
    "users", "accounts", "terms", "courses", "sections", "enrollments", "groups", "group_membership",
    "group_categories", "xlist", "user_observers", "admins",
)  # fmt: skip
