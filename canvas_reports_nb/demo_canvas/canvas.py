"""The state of one demo Canvas: its token, its university, its runs."""

import asyncio
import itertools
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from .clock import Clock, Limits, SystemClock, Throttle
from .delivery import Delivery
from .files import FoundFile
from .reports import REPORT_TYPES, ReportType
from .runs import IN_FLIGHT, LATE, Outcome, Run, RunState, states_at, stored_parameters
from .scenarios import Scenario
from .settings import Settings
from .world import ZONE, World, build_world

MARK = "demo-canvas~"
"""Real tokens begin with a number and a tilde, so nobody takes one of these for a real one."""
FIRST_RUN, FIRST_FILE, FIRST_IMPORTED = 81_234, 99_017, 70_001
PATIENCE = 10.0
"""Real seconds a response waits for a file that is due by the clock."""
DUPLICATE_WINDOW = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `canvas_reports_nb.demo_canvas.serve`."""

    seed: int
    enrollments: int
    clock: Clock
    width: int
    duration: float | None
    old: bool
    administers: int = 1
    settings: Settings = field(default_factory=Settings)
    found: tuple[FoundFile, ...] | None = None
    """Report files to serve; None computes the reports."""
    scenarios: tuple[Scenario, ...] = ()
    snapshots: int = 0


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request the server has answered; secrets in its query are masked."""

    method: str
    path: str
    query: str
    status: int
    host: str


@dataclass(frozen=True, slots=True)
class Hosts:
    """Addresses of the two listeners."""

    api: str
    files: str


@dataclass(slots=True)
class Traffic:
    """The requests so far."""

    log: list[RequestRecord] = field(default_factory=list)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    links: int = 0


class Canvas:
    """Everything the handlers share; only the server's event loop writes to it."""

    def __init__(self, options: Options, folder: Path, hosts: Hosts) -> None:
        self.options = options
        self.hosts = hosts
        self.clock = options.clock
        self.opened_at = self.clock.now()
        self.scenarios = options.scenarios
        self.token = MARK + secrets.token_urlsafe(32)
        self.secret = secrets.token_bytes(32)
        self.traffic = Traffic()
        self.runs: list[Run] = []
        self.worker = ThreadPoolExecutor(1, "demo-canvas")
        self.archivist = ThreadPoolExecutor(1, "demo-canvas-past")  # so that past runs delay no present one
        found = options.found
        # Built in the worker, so that the server listens at once.
        self._world = self.worker.submit(
            build_world, options.seed, options.enrollments, settings=options.settings
        )
        self._deliver = Delivery(folder, self.clock, self._world.result, self.scenarios, found)
        self._import(found or ())
        self.types = _types(found or ())
        self.switched_off: set[str] = set()
        limits = next((s.limits for s in self.scenarios if s.limits), Limits())
        self.throttle = Throttle(limits, self.clock.now())
        self._numbers = itertools.count(self._first_number())

    async def world(self) -> World:
        """Return the university once it is built."""
        return await asyncio.wrap_future(self._world)

    def start(self, report: str, account_id: int, parameters: Mapping[str, object]) -> Run:
        """Queue a run."""
        # The worker takes the runs in order, like the queue. Nobody sees that a file is ready before the
        # clock reaches the end of its run, so no timer is needed.
        now, sent = self.clock.now(), dict(parameters)
        run = self._add(report, account_id, sent, now)
        if not any(each.imported and each.parameters == sent for each in self.history(account_id, report)):
            for evening in itertools.islice(sunday_evenings(now), self.options.snapshots):
                self._add(report, account_id, sent, evening, imported=True)
        return run

    def _add(
        self,
        report: str,
        account_id: int,
        parameters: Mapping[str, object],
        at: datetime,
        *,
        imported: bool = False,
    ) -> Run:
        number = next(self._numbers)
        run = Run(
            FIRST_RUN + number,
            FIRST_FILE + number,
            report,
            account_id,
            at,
            parameters,
            Future(),
            imported=imported,
        )
        run.outcome = (self.archivist if imported else self.worker).submit(self._deliver, run)
        self.runs.append(run)
        return run

    def find(self, report: str, account_id: int, run_id: str) -> Run | None:
        """Return a run that is not deleted, by the parts of its address."""
        return next((run for run in self.history(account_id, report) if str(run.id) == run_id), None)

    def history(self, account_id: int, report: str) -> list[Run]:
        """Return the runs of one report in one account, newest first, without deleted ones."""
        mine = [r for r in self.runs if (r.account_id, r.report) == (account_id, report)]
        return sorted(
            (r for r in mine if r.stopped_as != "deleted"), key=lambda r: (r.created_at, r.id), reverse=True
        )

    def by_attachment(self, attachment_id: int) -> Run | None:
        """Return the run of a file; deleted runs keep theirs."""
        return next((run for run in self.runs if run.attachment_id == attachment_id), None)

    def states(self, now: datetime) -> dict[int, RunState]:
        """Return what every run looks like at `now`, by id."""
        return states_at(self.runs, self.options.width, self.options.duration, now)

    async def settled(self) -> dict[int, RunState]:
        """Return the present states, after waiting for files that are due by the clock.

        A stepped clock does not move meanwhile, so every started run gets its file first and the response
        is always the same. With this machine's clock and no fixed duration, a run lasts as long as its file
        takes to compute.
        """
        real = isinstance(self.clock, SystemClock)
        while True:
            states = self.states(self.clock.now())
            late = [
                run
                for run in self.runs
                if not run.outcome.done() and not run.imported and self._is_late(states[run.id], real=real)
            ]
            if not late:
                return states
            done, _ = await asyncio.wait([asyncio.wrap_future(late[0].outcome)], timeout=PATIENCE)
            if not done:
                return self.states(self.clock.now())

    async def archived(self, runs: Iterable[Run]) -> None:
        """Wait for the files of past runs, which no client should see unfinished."""
        for run in runs:
            if run.imported:
                await asyncio.wait([asyncio.wrap_future(run.outcome)])

    def _is_late(self, state: RunState, *, real: bool) -> bool:
        if real:
            return self.options.duration is not None and state.share >= LATE
        return state.started_at is not None

    def duplicate(self, report: str, account_id: int, parameters: Mapping[str, object]) -> Run | None:
        """Return the newest recent run in flight that stores the same parameters, in the same order and types.

        A started run also stores the server's own parameters, and so no longer equals a new request.
        """
        now = self.clock.now()
        states, sent = self.states(now), json.dumps(parameters)
        for run in self.history(account_id, report):
            recent = now - run.created_at < DUPLICATE_WINDOW and states[run.id].status in IN_FLIGHT
            if recent and json.dumps(stored_parameters(run, states[run.id])) == sent:
                return run
        return None

    def _first_number(self) -> int:
        # Clients keep runs by id, so two demos on one machine should rarely use the same ids.
        if isinstance(self.clock, SystemClock):
            return int((datetime.now(UTC) - datetime(2020, 1, 1, tzinfo=UTC)).total_seconds())
        return 0

    def _import(self, found: Iterable[FoundFile]) -> None:
        for index, file in enumerate(sorted(found, key=lambda each: each.modified)):
            # A file may be newer than the clock, but no run starts in the future.
            at = min(file.modified, self.clock.now())
            outcome: Future[Outcome] = Future()
            outcome.set_result(Outcome(at, file.path, file.path.name))
            number = FIRST_IMPORTED + index
            run = Run(number, number, file.report, 1, at, file.parameters(), outcome, imported=True)
            self.runs.append(run)


def sunday_evenings(now: datetime) -> Iterator[datetime]:
    """Yield the past Sunday evenings of the university, newest first: when a weekly cron job starts its runs."""
    local = now.astimezone(ZoneInfo(ZONE))
    evening = local.replace(hour=23, minute=30, second=0, microsecond=0)
    evening -= timedelta(days=(evening.weekday() + 1) % 7)
    for week in itertools.count(0 if evening < local else 1):
        yield (evening - timedelta(weeks=week)).astimezone(UTC)


def _types(found: Iterable[FoundFile]) -> Mapping[str, ReportType]:
    unknown = {file.report for file in found} - REPORT_TYPES.keys()
    plain = replace(REPORT_TYPES["zero_activity_csv"], parameters=None, description_html=None)
    titles = {name: name.removesuffix("_csv").replace("_", " ").capitalize() for name in sorted(unknown)}
    return {**REPORT_TYPES, **{name: replace(plain, title=title) for name, title in titles.items()}}
