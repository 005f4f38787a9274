"""The form's words: groups of reports, labels and hints of their parameters, times and durations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Grades": ("grade_export_csv", "mgp_grade_export_csv"),
    "People and enrollment": ("provisioning_csv", "sis_export_csv"),
    "Activity": (
        *("zero_activity_csv", "last_user_access_csv", "last_enrollment_activity_csv"),
        "students_with_no_submissions_csv",
    ),
    "Courses": (
        *("unpublished_courses_csv", "public_courses_csv", "unused_courses_csv"),
        *("recently_deleted_courses_csv", "course_storage_csv"),
    ),
    "Outcomes": ("outcome_results_csv", "student_assignment_outcome_map_csv", "outcome_export_csv"),
    "Security and tools": (
        *("user_access_tokens_csv", "developer_key_report_csv", "lti_report_csv", "eportfolio_report_csv"),
    ),
}
OTHER = "Other"

# By parameter, or by report and parameter: the label, and a hint of one short sentence.
_COURSE = ("Course", "A course's Canvas id, or sis_course_id: and its SIS id. Leave blank for all courses.")
_DELETED = ("Concluded and deleted records", "")
_WORDS: Mapping[str, tuple[str, str]] = {
    "enrollment_term_id": ("Term", ""),
    "provisioning_csv.enrollment_term_id": (
        "Term",
        "Applies to courses, sections, enrollments and cross-lists.",
    ),
    "sis_export_csv.enrollment_term_id": (
        "Term",
        "Applies to courses, sections, enrollments and cross-lists.",
    ),
    "last_user_access_csv.enrollment_term_id": ("Term", "Only people with an enrollment in this term."),
    "course_id": _COURSE,
    "last_user_access_csv.course_id": ("Course", "Only people in this course; the term is then ignored."),
    "files": ("Files", "Select at least one file."),
    "include_deleted": _DELETED,
    "grade_export_csv.include_deleted": ("Concluded and deleted enrollments, unpublished courses", ""),
    "mgp_grade_export_csv.include_deleted": ("Concluded and deleted enrollments, unpublished courses", ""),
    "eportfolio_report_csv.include_deleted": ("Deleted ePortfolios instead of active ones", ""),
    "last_user_access_csv.include_deleted": ("Deleted logins and enrollments", ""),
    "lti_report_csv.include_deleted": ("Deleted tools", ""),
    "outcome_export_csv.include_deleted": ("Mention deleted records", "Changes only the run's message."),
    "user_access_tokens_csv.include_deleted": ("Tokens of deleted logins", ""),
    "created_by_sis": ("Only records from SIS imports", ""),
    "no_enrollments": ("Only owners without enrollments", ""),
    "exclude_deleted_and_expired": ("Leave out deleted and expired tokens", ""),
    "include_enrollment_state": ("A column with the enrollment state", ""),
    "enrollment_filter": ("Enrollment roles", "Select none to get all roles."),
    "enrollment_states": ("Enrollment states", "Select none to get the usual states."),
    "enrollment_state": ("Enrollment states", "Select none to get all states."),
    "limiting_period": (
        "Days back",
        "How far back concluded and deleted enrollments go. Leave blank for all.",
    ),
    "order": ("Order of rows", ""),
    "start_at": ("From", "Leave blank for 14 days before the end."),
    "zero_activity_csv.start_at": ("No activity since", "Leave blank for students who were never active."),
    "end_at": ("To", "Leave blank for today."),
    "xlist": ("Cross-lists", ""),
    "user_observers": ("Observers", ""),
    "group_categories": ("Group sets", ""),
    "group_membership": ("Group members", ""),
    "institutional_tag_categories": ("Tag categories", ""),
    "institutional_tags": ("Tags", ""),
    "institutional_tag_associations": ("Tagged people", ""),
    "StudentEnrollment": ("Students", ""),
    "TeacherEnrollment": ("Teachers", ""),
    "TaEnrollment": ("Teaching assistants", ""),
    "DesignerEnrollment": ("Designers", ""),
    "ObserverEnrollment": ("Observers", ""),
    "creation_pending": ("Invited, no account yet", ""),
}
# Few people need these, so they are folded away.
MORE_OPTIONS = frozenset(
    {"enrollment_filter", "enrollment_states", "enrollment_state", "limiting_period", "order"}
)


def words(report: str, name: str) -> tuple[str, str]:
    """Return the label and the hint of a parameter.

    Examples
    --------
    >>> words("grade_export_csv", "grading_period_id")
    ('Grading period', '')
    """
    found = _WORDS.get(f"{report}.{name}") or _WORDS.get(name)
    return found or (label_of(name), "")


def label_of(name: str) -> str:
    """Return a name of the API in words.

    Examples
    --------
    >>> label_of("enrollment_term_id")
    'Enrollment term'
    """
    text = name.removesuffix("_id").replace("_", " ").replace(" sis", " SIS").strip()
    return text[:1].upper() + text[1:] if text else name


def group_of(report: str) -> str:
    """Return the group of the list that a report is in."""
    return next((name for name, reports in GROUPS.items() if report in reports), OTHER)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def zone_of(name: object) -> tzinfo:
    """Return the time zone with this name, or else UTC."""
    try:
        return ZoneInfo(str(name))
    except (ValueError, OSError, KeyError):
        return UTC


def age(seconds: float) -> str:
    """Return how long ago something was: ``12 min``, ``2 h``, ``3 days``."""
    minutes = max(seconds, 0.0) / 60
    if minutes < 60:  # noqa: PLR2004 - where hours begin
        return f"{max(round(minutes), 1)} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 36 else f"{round(hours / 24)} days"  # noqa: PLR2004 - where days read better


def day_of(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """Return a day as people call it: ``today``, ``yesterday``, ``Mon``, ``Mar 2``, ``Mar 2, 2025``."""
    day, today = moment.astimezone(zone).date(), now.astimezone(zone).date()
    if day == today:
        return "today"
    if day == today - timedelta(days=1):
        return "yesterday"
    if timedelta(0) < today - day < timedelta(days=7):
        return _DAYS[day.weekday()]
    text = f"{_MONTHS[day.month - 1]} {day.day}"
    return text if day.year == today.year else f"{text}, {day.year}"


def when(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """Return a day and a time: ``today 14:31``."""
    return f"{day_of(moment, now, zone)} {moment.astimezone(zone):%H:%M}"


def short(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """Return the shortest text for a list: ``2 h ago`` on the same day, otherwise the day."""
    day = day_of(moment, now, zone)
    return f"{age((now - moment).total_seconds())} ago" if day == "today" else day


def usual_words(usual: tuple[float, float] | None) -> str:
    """Return how long earlier runs took, as a sentence."""
    if usual is None:
        return ""
    low, high = usual
    unit, name = (60.0, "minute") if high >= 90 else (1.0, "second")  # noqa: PLR2004 - where minutes read better
    shortest, longest = max(round(low / unit), 1), max(round(high / unit), 1)
    if longest <= 1.5 * shortest:
        middle = max(round((low + high) / 2 / unit), 1)
        return f"Earlier runs took about {middle} {name}{'' if middle == 1 else 's'}."
    return f"Earlier runs took {shortest} to {longest} {name}s."


def plain_file_name(text: str) -> str:
    """Return a text as part of a file's name."""
    return re.sub(r"[^\w-]+", "_", text).strip("_")[:80] or "report"
