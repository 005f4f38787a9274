"""The summary text of a run, which Canvas stores as `extra_text` and repeats in its message."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from .outcomes import chosen_order
from .parameters import Request, is_given
from .provisioning import ENROLLMENT_STATES, ENROLLMENT_TYPES, files_chosen
from .students import enrollment_states, submission_window


def summary(request: Request, report: str) -> str:
    """Return the settings of a run as text, joined to a text that the client sent under the same name."""
    sent = request.parameters.get("extra_text")
    pieces = [str(sent)] if is_given(sent) else []
    for piece in _PIECES[report]:
        pieces += piece(request)
    return " ".join(pieces)


def _term(request: Request) -> list[str]:
    term = request.term()
    names = dict(request.world.terms.select("id", "name").iter_rows())
    return [f"Term: {'All Terms' if term is None else names[term] or ''};"]


def _deleted(request: Request) -> list[str]:
    return ["Include Deleted/Concluded Objects;"] if request.deleted else []


def _filters(request: Request) -> list[str]:
    pieces = []
    for name, known, kind in (
        ("enrollment_filter", ENROLLMENT_TYPES, "Roles"),
        ("enrollment_states", ENROLLMENT_STATES, "States"),
    ):
        words = request.words(name, known)
        if words is not None:
            pieces.append(f"Include Enrollment {kind}: {_enumeration(words)};")
    return pieces


def _enumeration(words: Sequence[str]) -> str:
    if len(words) <= 2:  # noqa: PLR2004 - only longer lists have commas
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _files(request: Request) -> list[str]:
    return ["Reports: " + "".join(f"{name} " for name in files_chosen(request))]


def _limited(request: Request) -> list[str]:
    given = is_given(request.parameters.get("limiting_period"))
    return ["deleted objects limited by days specified;"] if given else []


def _order(request: Request) -> list[str]:
    order = chosen_order(request)
    return [f"Order: {order}"] if order else []


def _time(request: Request, at: datetime) -> str:
    text = at.astimezone(ZoneInfo(request.world.zone)).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")


def _start(request: Request) -> list[str]:
    start = request.moment("start_at")
    return [] if start is None else [f"Start At: {_time(request, start)};"]


def _window(request: Request) -> list[str]:
    start, end = (_time(request, at) for at in submission_window(request))
    return [f"Start At: {start};", f"End At: {end};"]


def _course(request: Request) -> list[str]:
    course = request.course()
    return [] if course is None else [f"For Course: {course};"]


def _states(request: Request) -> list[str]:
    pieces = ["Include Enrollment State: true;"] if request.flag("include_enrollment_state") else []
    states = enrollment_states(request)
    return [*pieces, f"Enrollment States: {states if isinstance(states, str) else ' '.join(states)};"]


def _no_enrollments(request: Request) -> list[str]:
    return ["Only users with no enrollments"] if request.flag("no_enrollments") else []


_Piece = Callable[[Request], list[str]]
_PROVISIONING: tuple[_Piece, ...] = (_term, _deleted, _filters, _files)
_PIECES: Mapping[str, tuple[_Piece, ...]] = {
    "provisioning_csv": _PROVISIONING,
    "sis_export_csv": _PROVISIONING,
    "grade_export_csv": (_term, _deleted, _limited),
    "mgp_grade_export_csv": (_term, _deleted, _limited),
    "outcome_results_csv": (_term, _deleted, _order),
    "student_assignment_outcome_map_csv": (_term, _deleted),
    "course_storage_csv": (_term,),
    "public_courses_csv": (_term,),
    "recently_deleted_courses_csv": (_term,),
    "unpublished_courses_csv": (_term,),
    "unused_courses_csv": (_term,),
    "students_with_no_submissions_csv": (_deleted, _term, _window, _course, _states),
    "zero_activity_csv": (_deleted, _term, _start, _course),
    "last_user_access_csv": (_deleted, _term, _course),
    "last_enrollment_activity_csv": (_deleted, _term, _course),
    "user_access_tokens_csv": (_deleted,),
    "lti_report_csv": (_deleted,),
    "outcome_export_csv": (_deleted,),
    "eportfolio_report_csv": (_deleted, _no_enrollments),
    "developer_key_report_csv": (),
}
"""The pieces of each report, in its order."""
