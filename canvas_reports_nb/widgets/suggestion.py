"""Which run could be used instead of a new one, from what the form knows already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.parameters import comparable
from canvas_reports_nb.planning import ago, reuse_or_start
from canvas_reports_nb.settings import DEFAULT_MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from canvas_reports_nb.models import ReportRun
    from canvas_reports_nb.stored import StoredRun

__all__ = ["Suggestion", "suggest"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A run to use.

    Attributes
    ----------
    run_id : int
    stored : bool
        Whether this disk holds it.
    text, reason : str
        For the button, and for whoever asks why.
    """

    run_id: int
    stored: bool
    text: str
    reason: str


def suggest(
    report: str,
    asked: Mapping[str, Any],
    *,
    kept: Sequence[StoredRun],
    runs: Sequence[ReportRun],
    now: datetime,
) -> Suggestion | None:
    """The run `read_report` would use for these parameters; ``None`` where it would start one.

    Parameters
    ----------
    kept : sequence of StoredRun
        All of this report on this disk.
    runs : sequence of ReportRun
        Canvas's own list, newest first.
    now : datetime
        Aware.
    """
    wanted = comparable(report, asked)
    equal = [run for run in kept if comparable(report, run.provenance.parameters) == wanted]
    stored = sorted(equal, key=lambda run: run.finished_at, reverse=True)
    decision = reuse_or_start(report, asked, stored=stored, history=runs, now=now, max_age=DEFAULT_MAX_AGE)
    if decision.run_id is None:
        return None
    ended = {run.id: run.ended_at for run in runs} | {
        run.provenance.run_id: run.finished_at for run in stored
    }
    at = ended.get(decision.run_id)
    since = f"from {ago((now - at).total_seconds())}" if at else "under way"
    return Suggestion(
        decision.run_id, decision.action == "stored", f"Reuse run {decision.run_id} {since}", decision.reason
    )
