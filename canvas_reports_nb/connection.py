"""One Canvas, one token, one account: everything a user starts from."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypedDict, cast
from urllib.parse import urlsplit

from canvas_reports_nb import _html, jobs
from canvas_reports_nb.api import AccountReports
from canvas_reports_nb.exceptions import NotStoredError, ParameterError, UnknownRunError
from canvas_reports_nb.ledger import Ledger
from canvas_reports_nb.listings import history_frame, reports_frame
from canvas_reports_nb.parameters import expected_tables
from canvas_reports_nb.planning import reuse_or_start
from canvas_reports_nb.progress import ProgressEvent, resolve
from canvas_reports_nb.results import ReportResult, choose_table
from canvas_reports_nb.settings import DEFAULT_MAX_AGE
from canvas_reports_nb.shared_store import open_store
from canvas_reports_nb.starting import checked, start_once
from canvas_reports_nb.store import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd
    import polars as pl

    from canvas_reports_nb.models import AvailableReport, ReportRun
    from canvas_reports_nb.progress import Progress
    from canvas_reports_nb.settings import Settings
    from canvas_reports_nb.stored import StoredRun
    from canvas_reports_nb.transport import Transport
    from canvas_reports_nb.typing import Age, Clock, Engine, OnInterrupt, Parameters, Sleep

__all__ = ["Connection", "Obtaining"]


class Obtaining(TypedDict, total=False):
    """The keywords `read_report`, `read_tables` and `scan_report` share.

    Attributes
    ----------
    max_age : float or timedelta
        Use a finished run no older than this (seconds; default one day); 0 always starts anew.
    run_id : int
        Exactly this run.
    offline : bool
        The store only; Canvas is never asked.
    progress : {"auto", "widget", "tqdm", "log", False} or ProgressSink
    timeout : float
        Total budget in seconds.
    on_interrupt : {"detach", "abort"}
    """

    max_age: Age
    run_id: int | None
    offline: bool
    progress: Progress
    timeout: float | None
    on_interrupt: OnInterrupt


_OBTAINING = frozenset(Obtaining.__annotations__)


class Connection:
    """One Canvas, one token, one account.

    Not made by hand: `connect` and `demo` give one. Usable as a context manager.

    Parameters
    ----------
    transport : Transport
    settings : Settings
    clock, sleep : callable
        Injected by tests; nothing else in the package waits.
    on_close : callable, optional
        Called once when the connection closes.
    """

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        *,
        clock: Clock = time.time,
        sleep: Sleep = time.sleep,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._settings, self._clock, self._sleep = settings, clock, sleep
        self._transport = transport
        self._api = AccountReports(self._transport, settings.account)
        self._on_close = on_close
        self.store = open_store(settings, clock, sleep)
        self._ledger = Ledger(settings.store, settings.url, settings.account)
        self.is_open = True

    # -- the connection itself ---------------------------------------------------------------

    @property
    def url(self) -> str:
        """Address of the Canvas."""
        return self._settings.url

    @property
    def account_id(self) -> str:
        """The account as it was named: ``"self"``, an id, ``"sis_account_id:X"``."""
        return self._settings.account

    def __repr__(self) -> str:
        return f"Connection({urlsplit(self.url).netloc!r}, account {self.account_id!r})"

    def _repr_html_(self) -> str:
        # Not the store: its path names the user, and a notebook is passed on.
        pairs = [("Canvas", self.url), ("account", self.account_id)]
        return _html.card("Canvas connection", _html.facts(pairs))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a demo's embedded Canvas stops. May be called twice."""
        if self.is_open:
            self.is_open = False
            if self._on_close is not None:
                self._on_close()

    def account(self, account: str | int) -> Connection:
        """The same Canvas and token, another account; closing it leaves this connection open.

        Parameters
        ----------
        account : str or int
            ``"self"``, a Canvas id, or ``"sis_account_id:X"``.
        """
        settings = replace(self._settings, account=str(account))
        return Connection(self._transport, settings, clock=self._clock, sleep=self._sleep)

    def pausing(self, sleep: Sleep) -> Connection:
        """The same connection with another way to wait, for a thread that must notice a click."""
        return Connection(self._transport, self._settings, clock=self._clock, sleep=sleep)

    @property
    def api(self) -> AccountReports:
        """The calls themselves, which give value objects where this class gives frames."""
        return self._api

    @property
    def clock(self) -> Clock:
        """The time this connection goes by."""
        return self._clock

    @property
    def sleep(self) -> Sleep:
        """How this connection waits."""
        return self._sleep

    def form(self) -> Any:
        """A form in the notebook: choose a report, start and follow it, load it as a frame.

        Returns
        -------
        ReportForm
            ``form.job``, ``form.result``, ``form.frame``, ``form.wait()``.
        """
        from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and asked for only here

        # What a notebook shows stands above this layer, so it is found by name, not by import.
        return entry_points(group="canvas_reports_nb.faces")["form"].load()(self)

    # -- the six calls -----------------------------------------------------------------------

    def reports(self) -> pd.DataFrame:
        """The reports this account offers.

        Returns
        -------
        DataFrame
            One row a report: ``report``, ``title``, ``parameters`` (names, comma-separated), ``tables``,
            ``last_run`` (UTC), ``last_status``, ``last_run_id`` (Int64).
        """
        return reports_frame(self._api.available())

    @property
    def offered(self) -> dict[str, tuple[str, ...]]:
        """The reports, each with the names of its parameters, as Canvas last listed them; nothing is asked."""
        return dict(self._api.offered)

    def report(self, report: str) -> AvailableReport:
        """One report this account offers: its parameters and columns.

        Raises
        ------
        UnknownReportError
            Near names, and all that is offered.
        """
        offers = self._api.available(html=True)
        for offer in offers:
            if offer.report == report:
                return offer
        raise self._api.not_offered(report, [offer.report for offer in offers])

    def start(self, report: str, *, parameters: Parameters | None = None, **named: Any) -> jobs.ReportJob:
        """Start a run, or join an equal one that Canvas says is in flight.

        No e-mail is sent when it ends, unless ``skip_message=False``.

        Raises
        ------
        UnknownReportError, UnknownParameterError, InvalidChoiceError, InvalidTermError
            Nothing was started.
        """
        return self._begin(report, checked(self._api, report, _merged(report, parameters, named)))

    def attach(self, report: str, run_id: int) -> jobs.ReportJob:
        """A handle on a run that exists, whoever started it.

        Raises
        ------
        UnknownRunError
        """
        return self._job(self._api.show(report, run_id))

    def history(self, report: str) -> pd.DataFrame:
        """Past runs of a report on this account, newest first.

        Returns
        -------
        DataFrame
            ``run_id`` (Int64), ``status``, ``progress`` (Int64), ``created_at``, ``started_at``, ``ended_at``
            (UTC), ``rows`` (Int64, header included), ``parameters`` (dict), ``message``.
        """
        return history_frame(report, self._api.index(report))

    # -- all in one --------------------------------------------------------------------------

    def read_report(
        self,
        report: str,
        *,
        parameters: Parameters | None = None,
        table: str | None = None,
        columns: Sequence[str] | None = None,
        engine: Engine = "pandas",
        **keywords: Any,
    ) -> Any:
        """Use a run again or start one, wait with a progress bar, load.

        Parameters
        ----------
        report : str
        parameters : mapping, optional
            Parameters of the report whose names clash with a keyword of this function.
        table : str, optional
            Which table, where the run holds several.
        columns : sequence of str, optional
        engine : {"pandas", "polars", "arrow", "dask"}
        **keywords
            Those of `Obtaining`; all others are the report's parameters.

        Returns
        -------
        DataFrame
            Of the engine. A pandas frame carries its provenance in ``attrs["canvas_report"]``.

        Raises
        ------
        TableRequiredError
            Several tables and no ``table=``; they are named.
        ParameterError, UnknownReportError
            Nothing was started.
        RunError
            The run failed, was stopped, or outlasts ``timeout``.

        Examples
        --------
        >>> import canvas_reports_nb as crn
        >>> with crn.demo() as canvas:  # doctest: +SKIP
        ...     grades = canvas.read_report("grade_export_csv", enrollment_term_id="current")
        """
        obtaining, named = _split(keywords)
        if not (obtaining.get("offline") or obtaining.get("run_id")):
            _foresee_table(report, _merged(report, parameters, named), table)
        return self.obtain(report, parameters=parameters, **obtaining, **named).load(engine, table, columns)

    def read_tables(
        self,
        report: str,
        *,
        parameters: Parameters | None = None,
        columns: Mapping[str, Sequence[str]] | None = None,
        engine: Engine = "pandas",
        **keywords: Any,
    ) -> dict[str, Any]:
        """As `read_report`, but all tables of the run: name to frame. ``columns`` is a mapping by table."""
        obtaining, named = _split(keywords)
        result = self.obtain(report, parameters=parameters, **obtaining, **named)
        return {name: result.load(engine, name, (columns or {}).get(name)) for name in result.tables}

    def scan_report(
        self,
        report: str,
        *,
        parameters: Parameters | None = None,
        table: str | None = None,
        columns: Sequence[str] | None = None,
        **keywords: Any,
    ) -> pl.LazyFrame:
        """As `read_report`, but a lazy polars frame over the stored Parquet: only what a query needs is read."""
        obtaining, named = _split(keywords)
        if not (obtaining.get("offline") or obtaining.get("run_id")):
            _foresee_table(report, _merged(report, parameters, named), table)
        return self.obtain(report, parameters=parameters, **obtaining, **named).scan(table, columns)

    def obtain(
        self,
        report: str,
        *,
        parameters: Parameters | None = None,
        max_age: Age = DEFAULT_MAX_AGE,
        run_id: int | None = None,
        offline: bool = False,
        progress: Progress = "auto",
        timeout: float | None = None,
        on_interrupt: OnInterrupt = "detach",
        **named: Any,
    ) -> ReportResult:
        """The result behind `read_report`, before it becomes a frame."""
        asked = _merged(report, parameters, named)
        if offline:
            return self._stored(report, asked, run_id)
        if run_id is not None:
            kept = self.store.sound(self.store.find(self.url, self.account_id, report, run_id))
            if kept is not None:
                return ReportResult(kept)
            return self.attach(report, run_id).result(timeout, progress, on_interrupt)
        wanted = checked(self._api, report, asked)
        equal = self._sound(report, wanted, seconds(max_age)) if max_age else None
        decision = reuse_or_start(
            report,
            wanted,
            stored=[equal] if equal else [],
            history=self._remembered(report, wanted),
            now=jobs.utc(self._clock),
            max_age=seconds(max_age),
        )
        sink = resolve(progress)
        sink.show(ProgressEvent("note", report, decision.run_id, text=f"{report}: {decision.reason}"))
        if equal and decision.action == "stored":
            sink.close()
            return ReportResult(equal)
        if decision.run_id is not None:
            job = self.attach(report, decision.run_id)
        else:
            job = self._begin(report, wanted)
        return job.result(timeout, sink, on_interrupt)

    # -- inside ------------------------------------------------------------------------------

    def _stored(self, report: str, asked: Mapping[str, Any], run_id: int | None) -> ReportResult:
        if run_id is not None:
            kept = self.store.sound(self.store.find(self.url, self.account_id, report, run_id))
        else:
            kept = self._sound(report, asked)
        if kept is None:
            raise NotStoredError(
                "offline=True, and this disk holds no such run.",
                hint="Call once without offline=True; canvas.store.info() lists what is held.",
                account=self.account_id,
                report=report,
                run_id=run_id,
            )
        return ReportResult(kept)

    def _sound(self, report: str, asked: Mapping[str, Any], max_age: float = math.inf) -> StoredRun | None:
        """The newest stored run of equal parameters, young enough, whose files are what was stored."""
        now, equal = jobs.utc(self._clock), self.store.equal(self.url, self.account_id, report, asked)
        young = (run for run in equal if (now - run.finished_at).total_seconds() <= max_age)
        return next((kept for run in young if (kept := self.store.sound(run))), None)

    def _remembered(self, report: str, wanted: Mapping[str, Any]) -> Iterator[ReportRun]:
        """The runs this disk asked for and never fetched, as they stand now; then Canvas's own list."""
        for run_id in self._ledger.equal(report, wanted):
            run = None
            if self.store.find(self.url, self.account_id, report, run_id) is None:
                with suppress(UnknownRunError):
                    run = self._api.show(report, run_id)
            if run is None or (run.is_ended and not run.is_complete):
                self._ledger.forget(report, run_id)
            else:
                yield run
        yield from self._api.index(report)

    def _begin(self, report: str, wire: Mapping[str, Any]) -> jobs.ReportJob:
        """Start what is checked already, and note it before anybody waits."""
        run = start_once(self._api, report, wire, clock=self._clock, sleep=self._sleep)
        self._ledger.note(run, wire)
        return self._job(run)

    def _job(self, run: Any) -> jobs.ReportJob:
        return jobs.ReportJob(self._api, self.store, self.url, run, clock=self._clock, sleep=self._sleep)


def _split(keywords: Mapping[str, Any]) -> tuple[Obtaining, dict[str, Any]]:
    """Keywords of ours, and parameters of the report."""
    ours = cast("Obtaining", {name: value for name, value in keywords.items() if name in _OBTAINING})
    return ours, {name: value for name, value in keywords.items() if name not in _OBTAINING}


def _merged(report: str, parameters: Parameters | None, named: Mapping[str, Any]) -> dict[str, Any]:
    both = sorted((parameters or {}).keys() & named.keys())
    if both:
        raise ParameterError(
            f"{', '.join(both)} stands both in parameters= and as a keyword.",
            hint="Give it once.",
            report=report,
        )
    return {**(parameters or {}), **named}


def _foresee_table(report: str, asked: Mapping[str, Any], table: str | None) -> None:
    """Refuse before the start what could only be refused after an hour's run."""
    expected = expected_tables(report, asked)
    if expected:
        choose_table(expected, table, report)
