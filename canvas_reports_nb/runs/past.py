"""The run that answers for a past day: the newest that started before its midnight. It never starts one."""

from __future__ import annotations

import logging
import shlex
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    NotStoredError,
    ParameterError,
    ServerError,
    UnknownRunError,
)
from canvas_reports_nb.runs.job import ReportJob
from canvas_reports_nb.runs.pending import PendingRun
from canvas_reports_nb.store.store import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from canvas_reports_nb.catalog.query import Query
    from canvas_reports_nb.runs.account import AccountRuns
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Age

_LOG = logging.getLogger(__name__)
_LONGEST_QUEUE = timedelta(days=1)
_HOW_LONG = "3d"


@dataclass(frozen=True, slots=True)
class _Found:
    """A finished run: where it is, and when it started."""

    run: ReportResult | ReportRun
    run_id: int
    started: datetime


@dataclass(frozen=True, slots=True)
class PastDay:
    """The midnight of a past day, and how long before it a run may have started."""

    day: date
    midnight: datetime
    within: timedelta

    @property
    def earliest(self) -> datetime:
        """The earliest start of a run that answers."""
        return self.midnight - self.within

    def answers(self, found: _Found) -> bool:
        """Whether a run started in time, and not too early."""
        return self.earliest <= found.started <= self.midnight

    def __str__(self) -> str:
        return f"{self.midnight:%Y-%m-%d %H:%M} ({self.midnight.tzinfo})"


def check_past(as_of: str | date | None, within: Age | None, zone: str | None, run_id: int | None) -> None:
    """Reject keywords that need ``as_of`` without it, and a second choice of the run beside it."""
    if as_of is None and (within is not None or zone is not None):
        raise ParameterError("within= and zone= only work with as_of=.", hint='Add as_of="2026-09-14".')
    if as_of is not None and run_id is not None:
        raise ParameterError("as_of= and run_id= both choose a run.", hint="Leave one of them out.")


def past_day(
    runs: AccountRuns, as_of: str | date, within: Age | None, zone: str | None, *, offline: bool
) -> PastDay:
    """Check ``as_of``, ``within`` and ``zone``; ask Canvas for the account's time zone if there is no other."""
    try:
        day = (
            date.fromisoformat(as_of) if isinstance(as_of, str) else date(as_of.year, as_of.month, as_of.day)
        )
    except (AttributeError, ValueError):
        raise ParameterError(
            f"Can't read as_of={as_of!r} as a day.", hint='Give a date: as_of="2026-09-14".'
        ) from None
    midnight = datetime(day.year, day.month, day.day, tzinfo=_zone(runs, zone, offline=offline))
    if midnight > runs.waiter.now():
        raise ParameterError(
            f"as_of={str(day)!r} is in the future.",
            hint="Read it after that midnight. So that a run answers for it, start one every evening with cron.",
        )
    return PastDay(day, midnight, timedelta(seconds=seconds(_HOW_LONG if within is None else within)))


def _zone(runs: AccountRuns, zone: str | None, *, offline: bool) -> ZoneInfo:
    hint = 'Name the time zone of the school: zone="America/Denver".'
    if zone is None:
        try:
            about = runs.api.about(cache="only" if offline else "yes")
        except CanvasReportsError as error:
            raise ParameterError(
                f"The time zone of the account is not known: {error.message}", hint=hint
            ) from error
        zone = str(about.get("default_time_zone") or "")
    try:
        return ZoneInfo(zone)
    except (KeyError, OSError, TypeError, ValueError):
        raise ParameterError(f"Unknown time zone {zone!r}.", hint=hint) from None


def find_past(
    runs: AccountRuns, report: str, asked: Mapping[str, Any], past: PastDay, *, offline: bool
) -> ReportResult | ReportJob:
    """Return the newest finished run of a query that started before the midnight, stored or to be downloaded.

    Raises
    ------
    NotStoredError, UnknownRunError
        There is none.
    """
    query = runs.query(report, asked, cache="only" if offline else "yes")
    stored = [_Found(run, run.origin.run_id or 0, _stored_start(run)) for run in _equal(runs, query)]
    listed = [] if offline else _listed(runs, query, past, can_fail=any(map(past.answers, stored)))
    found = [*stored, *listed]
    # Newest first; of one run, the copy on this disk, which is first in the list and stays so.
    order = sorted(found, key=lambda each: (each.started, each.run_id), reverse=True)
    for each in filter(past.answers, order):
        if not isinstance(each.run, ReportRun):
            kept = runs.stored_run(report, each.run_id)
            if kept is not None:
                return replace(kept, asked=query.question)
        else:
            return ReportJob(PendingRun(runs, report, query), each.run)
    raise _no_run(runs, query, past, found, offline=offline)


def _equal(runs: AccountRuns, query: Query) -> list[ReportResult]:
    return runs.store.equal(runs.url, runs.account, query.report, query.key)


def _stored_start(run: ReportResult) -> datetime:
    text = run.origin.started_at or run.origin.created_at
    return datetime.fromisoformat(text) if text else run.finished_at


def _listed(runs: AccountRuns, query: Query, past: PastDay, *, can_fail: bool) -> list[_Found]:
    """Return the finished runs of a query in Canvas, down to the first before the day."""
    found: list[_Found] = []
    try:
        for run in runs.api.index(query.report):
            started = run.started_at or run.created_at
            if not run.is_complete or started is None or not query.is_same(run.parameters, run.created_at):
                continue
            found.append(_Found(run, run.id, started))
            if started < past.earliest - _LONGEST_QUEUE:
                break
    except ServerError as error:
        if not can_fail:
            raise
        _LOG.info("%s: only the runs on this disk were looked at: %s", query.report, error.message)
    return found


def _no_run(
    runs: AccountRuns, query: Query, past: PastDay, found: Iterable[_Found], *, offline: bool
) -> CanvasReportsError:
    """Return the error that names the nearest runs, and the line that would have started one."""
    before = max((each for each in found if each.started < past.earliest), key=_start, default=None)
    after = min((each for each in found if each.started > past.midnight), key=_start, default=None)
    zone = past.midnight.tzinfo
    near = [
        f"run {each.run_id} {side} it, of {each.started.astimezone(zone):%Y-%m-%d %H:%M}"
        for side, each in (("before", before), ("after", after))
        if each is not None
    ]
    where = "on this disk" if offline else "in Canvas or on this disk"
    nearest = f"The nearest: {' and '.join(near)}." if near else f"There is no such run {where} at all."
    kind = NotStoredError if offline else UnknownRunError
    return kind(
        f"No finished run of {query.report} with these parameters started at most {_in_words(past.within)} before "
        f"{past}. {nearest}",
        hint="Use another as_of= or a larger within=. So that a run answers next time, start one every evening with "
        f"cron: {_cron(runs, query)}",
        account=runs.account,
        report=query.report,
        run_id=None,
    )


def _start(each: _Found) -> datetime:
    return each.started


def _in_words(age: timedelta) -> str:
    days, rest = divmod(age.total_seconds(), 86_400)
    return f"{days:g} days" if not rest else f"{age.total_seconds() / 3600:g} hours"


def _cron(runs: AccountRuns, query: Query) -> str:
    """Return a line for cron that starts the run every evening; cron ends a line at a percent sign."""
    values = [
        (name, one)
        for name, value in query.asked.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]
    words = ["canvas-reports", "run", query.report]
    for name, value in values:
        words += ["-p", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    if runs.account != "self":
        words += ["--account", runs.account]
    command = shlex.join([*words, "--max-age", "0", "--progress", "off"])
    return f"30 23 * * * {command} > /dev/null".replace("%", r"\%")
