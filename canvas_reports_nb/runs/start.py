"""Start a run once, even if the response to the start is lost."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.catalog.windows import without_computed
from canvas_reports_nb.exceptions import (
    DuplicateRunError,
    NotReachedError,
    ServerError,
    ThrottledError,
    UserAgentRefusedError,
    warn,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from canvas_reports_nb.canvas_api.client import AccountReports
    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.catalog.query import Query

_LOG = logging.getLogger(__name__)
_ATTEMPTS, _PAUSE = 3, 5.0
_NEWEST = 100


def start_once(api: AccountReports, query: Query, *, known: Collection[int]) -> tuple[ReportRun, bool]:
    """Start a run, or join the equal one that Canvas says is in flight; return it, and whether it was joined.

    If the response is lost, the run may be queued all the same: it is looked for in Canvas's list, and only if it
    is not there the request is sent again. ``known`` are the runs that were listed before the start.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            run = api.start(query.report, query.wire)
        except DuplicateRunError as duplicate:
            # After a lost response, Canvas may mean the run that our own request started.
            joined = attempt == 1 or duplicate.run.id in known
            run = api.show(query.report, duplicate.run.id)
            _check_equal(query, run)
            return run, joined
        except (ThrottledError, UserAgentRefusedError):
            raise
        except (NotReachedError, ServerError) as lost:
            _LOG.warning(
                "%s: the response to the start was lost (%s); looking for the run", query.report, lost.message
            )
            api.waiter.pause(_PAUSE * attempt)
            found = _find(api, query, known)
            if found is not None:
                run = found
            elif attempt < _ATTEMPTS and not api.waiter.is_expired:
                continue
            else:
                raise
        _warn_if_differing(query, run)
        return run, False
    raise AssertionError("the last attempt returns or raises")


def _check_equal(query: Query, run: ReportRun) -> None:
    """Reject a run that Canvas calls equal although it was asked for something else."""
    is_known = schema(query.report) is not None
    other = rewritten(query, run) if is_known else query.differing(run.parameters)
    if other:
        raise DuplicateRunError(
            f"Canvas started nothing, because run {run.id} with other parameters ({', '.join(other)}) is queued.",
            run,
            hint="Call again when that run has started.",
        )


def rewritten(query: Query, run: ReportRun) -> list[str]:
    """Return the names of parameters that make a run the answer to another question.

    Canvas fills in dates, and ignores a parameter that the report doesn't have.
    """
    known = schema(query.report)
    declared = {name: known.parameter(name) if known else None for name in query.differing(run.parameters)}
    return [
        name
        for name, parameter in declared.items()
        if name in query.wire or (parameter is not None and parameter.type != "date")
    ]


def _warn_if_differing(query: Query, run: ReportRun) -> None:
    differing = query.differing(_as_sent(query, run))
    if differing:
        names = ", ".join(differing)
        warn(f"{run.report} run {run.id}: Canvas stored other parameters than were sent: {names}.")


def _find(api: AccountReports, query: Query, known: Collection[int]) -> ReportRun | None:
    newest = islice(api.index(query.report), _NEWEST)
    new = (run for run in newest if run.id not in known)
    return next((run for run in new if query.is_same(_as_sent(query, run), run.created_at)), None)


def _as_sent(query: Query, run: ReportRun) -> dict[str, Any]:
    return without_computed(query.report, run.parameters, query.wire, run.started_at)
