"""The one report that looks at a limited period only: a longer one is rejected, or split into several runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from canvas_reports_nb.catalog.parameters import is_blank, read_parameters
from canvas_reports_nb.exceptions import InvalidChoiceError, ParameterError

_LONGEST = {"students_with_no_submissions_csv": timedelta(days=14)}
# Both ends of a period are exclusive, so neighbors share a second.
_SHARED = timedelta(seconds=1)
# A period without a zone may be an hour longer than it looks, where daylight saving time ends.
_HOUR = timedelta(hours=1)
# Canvas computes a period a moment after a run begins, and reads a date without a zone in its own zone.
_SOON, _ANY_ZONE = timedelta(minutes=5), timedelta(hours=14)


def check_window(report: str, wire: Mapping[str, Any]) -> None:
    """Reject a period of which Canvas would look only at the end, or which ends before it starts.

    Raises
    ------
    InvalidChoiceError
        It names the dates that Canvas would use.
    """
    ends = _ends(report, wire)
    if ends is None:
        return
    start, end = ends
    longest = _LONGEST[report]
    if start > end:
        # Canvas would take it as it is, and every student as one without submissions.
        raise _refused(report, f"start_at={wire['start_at']} is after end_at={wire['end_at']}.", "Swap them.")
    if end - start > longest:
        raise _refused(
            report,
            f"Canvas looks at {longest.days} days at most, so of {wire['start_at']} to {wire['end_at']} it would "
            f"look only at {end - longest:%Y-%m-%d} to {end:%Y-%m-%d}.",
            f"Use at most {longest.days} days, or read_report(..., windows=True), which reads "
            f"{len(_cuts(start, end, longest)) - 1} runs and keeps the students that are in all of them.",
        )


def without_computed(
    report: str, stored: Mapping[str, Any], asked: Collection[str], started_at: datetime | None
) -> dict[str, Any]:
    """Return a run's parameters without the ends of a period that Canvas computed.

    ``asked`` are the names that were asked for. If neither end was, the period ends when the run began.
    """
    missing = {"start_at", "end_at"}.difference(asked)
    try:
        ends = _ends(report, stored)
    except ValueError:  # another client may have sent anything
        ends = None
    if ends is None or abs(ends[1] - ends[0] - _LONGEST[report]) > _ANY_ZONE:
        return dict(stored)
    begun = ends[1] if len(missing) == 1 else started_at
    if begun is None or abs(ends[1].astimezone(UTC) - begun.astimezone(UTC)) > _SOON:
        return dict(stored)
    return {name: value for name, value in stored.items() if name not in missing}


def split_window(
    report: str, asked: Mapping[str, Any], *, run_id: int | None = None
) -> list[Mapping[str, Any]]:
    """Return the parameters of the runs that together look at the whole period.

    Raises
    ------
    ParameterError
        The report's period has no limit, a date can't be read, or ``run_id`` names a single run.
    """
    if report not in _LONGEST:
        raise ParameterError(
            f"windows=True is only for {', '.join(_LONGEST)}; Canvas limits the period of no other report.",
            hint="Leave windows= out.",
            report=report,
        )
    if run_id is not None:
        raise ParameterError(
            "windows=True reads several runs, but run_id= names one.",
            hint="Leave one of them out.",
            report=report,
        )
    wire = read_parameters(report, asked)
    ends = _ends(report, wire)
    if ends is None or ends[1] - ends[0] <= _LONGEST[report]:
        return [asked]
    cuts = _cuts(*ends, _LONGEST[report])
    starts = [wire["start_at"], *((cut - _SHARED).isoformat() for cut in cuts[1:-1])]
    finishes = [*(cut.isoformat() for cut in cuts[1:-1]), wire["end_at"]]
    return [{**asked, "start_at": start, "end_at": end} for start, end in zip(starts, finishes, strict=True)]


def _ends(report: str, wire: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """Return both ends of a period that Canvas could shorten, or ``None``."""
    given = [wire.get(name) for name in ("start_at", "end_at")]
    if report not in _LONGEST or any(map(is_blank, given)):
        return None
    start, end = (datetime.fromisoformat(str(each)) for each in given)
    if (start.tzinfo is None) == (end.tzinfo is None):
        return start, end
    return start.replace(tzinfo=start.tzinfo or UTC), end.replace(tzinfo=end.tzinfo or UTC)


def _cuts(start: datetime, end: datetime, longest: timedelta) -> list[datetime]:
    """Return the ends of equal periods, each short enough."""
    count = math.ceil((end - start) / (longest - _SHARED - _HOUR))
    return [(start + (end - start) * turn / count).replace(microsecond=0) for turn in range(count + 1)]


def _refused(report: str, message: str, hint: str) -> InvalidChoiceError:
    error = InvalidChoiceError(message, hint=hint, report=report)
    error.parameter = "start_at"
    return error
