"""The terms of an account as the lines of a list: those that are running first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.models import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

__all__ = ["term_options"]

_ORDER = ("running", "no dates", "future", "past")


def term_options(terms: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, int]:
    """Line to Canvas id: running terms, terms without dates, future, past; the latest of each first.

    Parameters
    ----------
    terms : iterable of mapping
        As the API lists them; deleted ones are left out.
    now : datetime
        Aware.
    """
    alive = [term for term in terms if term.get("workflow_state") != "deleted" and term.get("id") is not None]
    ranked = sorted(alive, key=_begin, reverse=True)
    ranked.sort(key=lambda term: _ORDER.index(_when(term, now)))
    lines = [_line(term, now) for term in ranked]
    twice = {line for line, count in Counter(lines).items() if count > 1}
    return {
        f"{line} · id {term['id']}" if line in twice else line: int(term["id"])
        for line, term in zip(lines, ranked, strict=True)
    }


def _begin(term: Mapping[str, Any]) -> float:
    start = parse_time(term.get("start_at"))
    return start.timestamp() if start else float("-inf")


def _when(term: Mapping[str, Any], now: datetime) -> str:
    start, end = parse_time(term.get("start_at")), parse_time(term.get("end_at"))
    if start is None and end is None:
        return "no dates"
    if start is not None and start > now:
        return "future"
    return "past" if end is not None and end < now else "running"


def _line(term: Mapping[str, Any], now: datetime) -> str:
    parts = (term.get("name") or f"term {term['id']}", term.get("sis_term_id"), _when(term, now))
    return " · ".join(str(part) for part in parts if part)
