"""The runs of one account: check a request, find the run that answers it, start one."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.catalog.parameters import is_declared
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    InvalidTermError,
    NotStartedError,
    NotStoredError,
    ServerError,
    StoreLockedError,
    UnknownRunError,
)
from canvas_reports_nb.runs.decide import is_recent, reuse_or_start, throttle_pause
from canvas_reports_nb.runs.ledger import was_created
from canvas_reports_nb.runs.start import rewritten, start_once
from canvas_reports_nb.store.stored_run import read_run, run_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from canvas_reports_nb.canvas_api.client import AccountReports
    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun
    from canvas_reports_nb.canvas_api.transport import Cache
    from canvas_reports_nb.deadline import Waiter
    from canvas_reports_nb.runs.decide import Decision
    from canvas_reports_nb.runs.ledger import Ledger
    from canvas_reports_nb.store.store import Store
    from canvas_reports_nb.store.stored_run import ReportResult

_LOG = logging.getLogger(__name__)
_PAGE = 100


@dataclass(frozen=True, slots=True)
class AccountRuns:
    """The runs of one account, with what is needed to find, start and download them."""

    api: AccountReports
    store: Store
    ledger: Ledger
    url: str

    @property
    def waiter(self) -> Waiter:
        """How everything on these runs waits."""
        return self.api.waiter

    @property
    def account(self) -> str:
        """The account as the caller spelled it."""
        return self.api.account

    def query(
        self, report: str, asked: Mapping[str, Any], *, cache: Cache = "yes", to_run: bool = True
    ) -> Query:
        """Check a request against the lists of the server; a list from the cache never decides that a name is wrong.

        Parameters
        ----------
        cache : {"yes", "refresh", "only"}
            Use lists up to ten minutes old; ask again; or use what this disk remembers and send nothing.
        to_run : bool
            Whether a new run may be started, which needs a file to export.

        Raises
        ------
        UnknownReportError, UnknownParameterError, InvalidChoiceError, InvalidTermError, ParameterError
        """
        try:
            listed = self._listed(report, asked, cache)
            terms = partial(self.api.terms, cache=cache)
            return Query.checked(
                report,
                asked,
                account=self.account,
                listed=listed,
                terms=terms,
                now=self.waiter.now(),
                to_run=to_run,
            )
        except InvalidTermError as error:
            if cache == "yes":
                return self.query(report, asked, cache="refresh", to_run=to_run)
            error.located(account=self.account, report=report, run_id=None)
            raise

    def _listed(self, report: str, asked: Mapping[str, Any], cache: Cache) -> set[str] | None:
        """Return the parameters the server lists; if these and the catalog's are not enough, those in its form, too."""
        if cache == "only":
            return self._remembered_names(report, asked)
        offer = self._offer(report, cache)
        if cache == "yes" and offer is None:
            offer = self._offer(report, "refresh")
        if offer is None:
            raise self.api.not_offered(report, self.api.available(cache="yes"))
        names = set(offer.parameters)
        if not all(is_declared(report, name) for name in asked.keys() - names):
            with_form = self._offer(report, cache, html=True)
            names |= with_form.in_form if with_form else set()
        return names

    def _remembered_names(self, report: str, asked: Mapping[str, Any]) -> set[str] | None:
        """Return the parameters in the list this disk remembers, if the catalog does not know all of them."""
        known, offer = schema(report), None
        with suppress(NotStoredError):
            offer = self._offer(report, "only")  # its date decides which term is current
        if offer is None or (known is not None and all(map(known.parameter, asked))):
            return None
        return set(offer.parameters)

    def _offer(self, report: str, cache: Cache, *, html: bool = False) -> AvailableReport | None:
        return next(iter(self.api.available(cache=cache, html=html, only=report)), None)

    def decide(
        self, query: Query, max_age: float, history: Callable[[], Sequence[ReportRun]]
    ) -> tuple[Decision, frozenset[int]]:
        """Decide which run answers a query; return it with the runs that Canvas lists now.

        ``history`` is called only if no stored run is recent enough.
        """
        now = self.waiter.now()
        kept = self.stored(query, max_age) if max_age > 0 else None
        if kept is not None:
            decision = reuse_or_start(
                query, stored=[kept], remembered=[], history=[], now=now, max_age=max_age
            )
            return decision, frozenset()
        listed, noted = history(), self.ledger.equal(query)
        decision = reuse_or_start(
            query,
            stored=[],
            remembered=self._remembered(query, noted) if max_age > 0 else [],
            history=listed,
            now=now,
            max_age=max_age,
        )
        return decision, frozenset(run.id for run in listed) | noted.keys()

    def stored(self, query: Query, max_age: float = math.inf) -> ReportResult | None:
        """Return the newest stored run of a query that is recent enough and intact."""
        now = self.waiter.now()
        equal = self.store.equal(self.url, self.account, query.report, query.key)
        recent = (run for run in equal if (now - run.finished_at).total_seconds() <= max_age)
        return next((kept for run in recent if (kept := self._verified(run))), None)

    def _verified(self, run: ReportResult | None) -> ReportResult | None:
        """Return the run if it is intact, and no other process is copying it from the shared store."""
        with suppress(StoreLockedError):
            return self.store.verify(run)
        return None

    def stored_run(self, report: str, run_id: int) -> ReportResult | None:
        """Return a stored run by its id, if it is intact."""
        return self._verified(self.store.find(self.url, self.account, report, run_id))

    def stored_rows(self, report: str, runs: Iterable[ReportRun]) -> dict[int, int]:
        """Return the rows, of all tables, of those runs that are on this disk."""
        folder = self.store.folder(self.url, self.account, report)
        here = set(run_names(folder))
        both = ((run, read_run(folder / str(run.id))) for run in runs if str(run.id) in here)
        return {
            run.id: kept.rows
            for run, kept in both
            if kept is not None and was_created(run, kept.origin.created_at)
        }

    def _remembered(self, query: Query, noted: Mapping[int, str | None]) -> list[ReportRun]:
        """Return the runs of a query that this disk asked for and never downloaded, as Canvas describes them now."""
        found = []
        for run_id, created_at in noted.items():
            run = None
            with suppress(UnknownRunError):
                run = self.api.show(query.report, run_id)
            if run and self._is_usable(query, run, created_at):
                found.append(run)
            # Another process may have stored it a moment ago, so it was looked at once more.
            if run not in found or self.store.find(self.url, self.account, query.report, run_id):
                self.ledger.forget(query.report, run_id)
        return found

    def _is_usable(self, query: Query, run: ReportRun, created_at: str | None) -> bool:
        """Whether a remembered run is still the answer: a test Canvas that was overwritten counts its runs anew."""
        is_same = was_created(run, created_at) and not rewritten(query, run)
        return is_same and (run.is_complete or not run.is_ended)

    def history(self, report: str, max_age: float) -> list[ReportRun]:
        """Return a page of Canvas's list of runs, and as much more as can be recent enough to be reused."""
        if max_age <= 0:
            return self.page(report)  # only for an estimate
        now = self.waiter.now()
        found: list[ReportRun] = []
        for run in self.api.index(report):
            if len(found) >= _PAGE and not is_recent(run, now, max_age):
                break
            found.append(run)
        return found

    def page(self, report: str) -> list[ReportRun]:
        """Return the newest runs, or none if Canvas can't list them: nothing must fail for an estimate."""
        try:
            return list(islice(self.api.index(report), _PAGE))
        except CanvasReportsError as error:
            _LOG.debug("%s: the earlier runs are not known: %s", report, error.message)
            return []

    def begin(self, query: Query, known: Collection[int]) -> tuple[ReportRun, bool]:
        """Start a run and remember it before anything waits; return it, and whether it was joined."""
        with self.ledger.lock(query, self.waiter):
            noted = self.ledger.equal(query)
            for run_id in noted.keys() - known:
                with suppress(UnknownRunError):
                    run = self.api.show(query.report, run_id)  # another process started it a moment ago
                    if self._is_usable(query, run, noted[run_id]):
                        return run, True
            run, joined = start_once(self.api, query, known=known)
            self.ledger.note(run, query)
        stored = None if joined else self.store.find(self.url, self.account, query.report, run.id)
        if stored is not None:
            self.store.discard(stored)  # Canvas counts its runs anew
        return run, joined

    def check_store(self, report: str) -> None:
        """Raise `StoreError` if the store can't be written, before Canvas works for an hour."""
        self.store.check_writable(self.store.folder(self.url, self.account, report))

    def throttle(self) -> None:
        """Slow down if little remains of the token's allowance, which all its runs share."""
        self.waiter.pause(throttle_pause(self.api.remaining))


@contextmanager
def in_time(waiter: Waiter, timeout: float | None, report: str | None = None) -> Iterator[None]:
    """Raise `NotStartedError` if the search for a run, or its start, failed because the time was up."""
    try:
        yield
    except ServerError as error:
        if not waiter.is_expired:
            raise
        raise NotStartedError(
            f"Stopped after {timeout:g} s, before a run was started: {error.message}",
            hint="Use a larger timeout=. If Canvas queued the run after all, the same call joins it.",
            account=error.account,
            report=report or error.report,
        ) from error
