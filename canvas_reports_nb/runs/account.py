"""The runs of one account: found in the store, on Canvas or under way, else begun. One decision path for all calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.catalog.parameters import expected_tables, named_report, numbered
from canvas_reports_nb.exceptions import (
    NotStartedError,
    NotStoredError,
    ParameterError,
    ServerError,
    UnknownRunError,
)
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.runs import job as jobs
from canvas_reports_nb.runs.decide import is_recent, reuse_or_start, throttle_pause
from canvas_reports_nb.runs.progress import ProgressEvent, resolve
from canvas_reports_nb.runs.start import checked, start_once
from canvas_reports_nb.settings import DEFAULT_MAX_AGE
from canvas_reports_nb.store.store import seconds
from canvas_reports_nb.store.stored_run import ReportResult

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from canvas_reports_nb.canvas_api.client import AccountReports
    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.deadline import Waiter
    from canvas_reports_nb.runs.decide import Decision
    from canvas_reports_nb.runs.ledger import Ledger
    from canvas_reports_nb.runs.progress import Progress, ProgressSink
    from canvas_reports_nb.store.store import Store
    from canvas_reports_nb.typing import Age, Engine, OnInterrupt, Parameters


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one account, and what is needed to find, begin and fetch them."""

    api: AccountReports
    store: Store
    ledger: Ledger
    url: str

    @property
    def waiter(self) -> Waiter:
        """How calls on these runs wait."""
        return self.api.waiter

    @property
    def account(self) -> str:
        """The account as it was named."""
        return self.api.account

    def obtain(
        self,
        report: str,
        asked: Mapping[str, Any],
        *,
        max_age: Age = DEFAULT_MAX_AGE,
        run_id: int | None = None,
        offline: bool = False,
        progress: Progress = "auto",
        timeout: float | None = None,
        on_interrupt: OnInterrupt = "detach",
    ) -> ReportResult:
        """Use a run again or start one, wait, fetch; see `Connection.read_report`."""
        jobs.check_wait(timeout, on_interrupt)
        run_id = None if run_id is None else numbered(run_id)
        with self.waiter.limit(timeout):
            if offline:
                return self._held(report, asked, run_id)
            if run_id is not None:
                kept = self.store.verify(self.store.find(self.url, self.account, report, run_id))
                if kept is not None:
                    return kept
            with in_time(self.waiter, timeout, report):
                if run_id is not None:
                    found: jobs.ReportJob | ReportResult = self.attach(report, run_id)
                else:
                    found, progress = self._found(report, asked, max_age, progress)
            if isinstance(found, ReportResult):
                return found
            return found.result(timeout, progress, on_interrupt)

    def _found(
        self, report: str, asked: Mapping[str, Any], max_age: Age, progress: Progress
    ) -> tuple[jobs.ReportJob | ReportResult, ProgressSink]:
        """The run that serves the call, newly begun where there is none, or its result; and where to show it."""
        wanted = checked(self.api, report, asked)
        decision, equal = self.decide(report, wanted, max_age, self.api.index(report))
        sink = resolve(progress)
        sink.show(ProgressEvent("note", report, decision.run_id, text=f"{report}: {decision.reason}"))
        if equal is not None:
            sink.close()
            return equal, sink
        if decision.run_id is not None:
            return self.job(self.api.show(report, decision.run_id), joined=True), sink
        return self.begin(report, wanted, decision.known), sink

    def decide(
        self, report: str, wanted: Mapping[str, Any], max_age: Age, history: Iterable[ReportRun]
    ) -> tuple[Decision, ReportResult | None]:
        """Which run serves a checked request; with it the stored run, where that is the one.

        Parameters
        ----------
        history : iterable of ReportRun
            Canvas's own list, newest first; not read where a stored run will do.
        """
        equal = self._sound(report, wanted, seconds(max_age)) if max_age else None
        decision = reuse_or_start(
            report,
            wanted,
            stored=[equal] if equal else [],
            history=self._remembered(report, wanted, history, seconds(max_age)),
            now=self.waiter.now(),
            max_age=seconds(max_age),
        )
        return decision, equal if decision.action == "stored" else None

    def attach(self, report: str, run_id: int) -> jobs.ReportJob:
        """A handle on a run that exists."""
        return self.job(self.api.show(report, run_id))

    def begin(
        self, report: str, wire: Mapping[str, Any], known: Collection[int] | None = None
    ) -> jobs.ReportJob:
        """Start what is checked already, and note it before anybody waits.

        ``known`` are the runs Canvas's list held before, where it was read.
        """
        run, joined = start_once(self.api, report, wire, known=known)
        self.ledger.note(run, wire)
        return self.job(run, joined=joined)

    def throttle(self) -> None:
        """Slow down where Canvas says that little is left of the token's allowance, which all its runs share."""
        pause = throttle_pause(self.api.remaining)
        if pause:
            self.waiter.pause(pause)

    def job(self, run: ReportRun, *, joined: bool = False) -> jobs.ReportJob:
        """A handle on a run as Canvas last told it."""
        return jobs.ReportJob(self.api, self.store, self.url, run, joined=joined)

    def _held(self, report: str, asked: Mapping[str, Any], run_id: int | None) -> ReportResult:
        if run_id is not None:
            kept = self.store.verify(self.store.find(self.url, self.account, report, run_id))
        else:
            kept = self._sound(report, asked)
        if kept is None:
            raise NotStoredError(
                "offline=True, and this disk holds no such run.",
                hint="Call once without offline=True; canvas.store.info() lists what is held.",
                account=self.account,
                report=report,
                run_id=run_id,
            )
        return kept

    def _sound(self, report: str, asked: Mapping[str, Any], max_age: float = math.inf) -> ReportResult | None:
        """The newest stored run of equal parameters, young enough, whose files are what was stored."""
        now, equal = self.waiter.now(), self.store.equal(self.url, self.account, report, asked)
        young = (run for run in equal if (now - run.finished_at).total_seconds() <= max_age)
        return next((kept for run in young if (kept := self.store.verify(run))), None)

    def _remembered(
        self, report: str, wanted: Mapping[str, Any], history: Iterable[ReportRun], max_age: float
    ) -> Iterator[ReportRun]:
        """The runs this disk asked for and never fetched, as they stand now; then Canvas's own list.

        Whoever reads it stops at the first run that is too old, so none such comes before the list.
        """
        for run_id in self.ledger.equal(report, wanted):
            run = None
            if self.store.find(self.url, self.account, report, run_id) is None:
                with suppress(UnknownRunError):
                    run = self.api.show(report, run_id)
            if run is None or (run.is_ended and not run.is_complete):
                self.ledger.forget(report, run_id)
            elif is_recent(run, self.waiter.now(), max_age):
                yield run
        yield from history


@contextmanager
def in_time(waiter: Waiter, timeout: float | None, report: str | None = None) -> Iterator[None]:
    """Say so where the search for runs, or a start, failed for want of time rather than of luck."""
    try:
        yield
    except ServerError as error:
        if not waiter.is_expired:
            raise
        raise NotStartedError(
            f"{timeout:g} s were over before a run was under way: {error.message}",
            hint="Call again with a larger timeout=; a run that was queued all the same is found and joined.",
            account=error.account,
            report=report or error.report,
        ) from error


def merged(report: str, parameters: Parameters | None, named: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters given as a mapping and as keywords, together.

    Raises
    ------
    ParameterError
        A name stands in both, or they are no mapping, or the report is no name.
    """
    named_report(report)
    if not isinstance(parameters, Mapping | None):
        raise ParameterError(
            f"parameters={parameters!r} is no mapping.",
            hint='Give them as keywords, or as parameters={"name": value}.',
            report=report,
        )
    both = sorted((parameters or {}).keys() & named.keys())
    if both:
        raise ParameterError(
            f"{', '.join(both)} stands both in parameters= and as a keyword.",
            hint="Give it once.",
            report=report,
        )
    return {**(parameters or {}), **named}


def foresee_table(report: str, asked: Mapping[str, Any], table: str | None) -> None:
    """Refuse before the start what could only be refused after an hour's run."""
    expected = expected_tables(report, asked)
    if expected:
        choose_table(expected, table, report)


def tables_of(
    result: ReportResult,
    engine: Engine,
    table: str | Sequence[str] | None,
    columns: Sequence[str] | Mapping[str, Sequence[str]] | None,
) -> dict[str, Any]:
    """The tables of a run as frames, all or those named; see `Connection.read_tables`.

    Raises
    ------
    UnknownTableError
    """
    wanted = [table] if isinstance(table, str) else list(result.tables if table is None else table)
    picked = columns if isinstance(columns, Mapping) else dict.fromkeys(wanted, columns)
    for name in (*wanted, *picked):
        choose_table(result.tables, name, result.provenance["report"], result.provenance["run_id"])
    return {name: result.load(engine, name, picked.get(name)) for name in wanted}
