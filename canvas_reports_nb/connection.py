"""One Canvas, one token, one account: everything a user starts from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack
from urllib.parse import urlsplit

from canvas_reports_nb import _html, frames
from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.runs.account import Runs, foresee_table, merged, split, tables_of
from canvas_reports_nb.runs.ledger import Ledger
from canvas_reports_nb.runs.listings import history_frame, reports_frame
from canvas_reports_nb.runs.many import gather
from canvas_reports_nb.runs.start import checked
from canvas_reports_nb.store.shared import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    import polars as pl

    from canvas_reports_nb.canvas_api.models import AvailableReport
    from canvas_reports_nb.canvas_api.transport import Transport
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.runs.many import Gathering, ReportsResult
    from canvas_reports_nb.settings import Settings
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Engine, OnError, Parameters


class Connection:
    """One Canvas, one token, one account.

    Not made by hand: `connect` and `demo` give one. Usable as a context manager.

    Parameters
    ----------
    transport : Transport
    settings : Settings
    on_close : callable, optional
        Called once when the connection closes.
    """

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        *,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._transport, self.waiter = transport, transport.waiter
        self._api = AccountReports(self._transport, settings.account)
        self._on_close = on_close
        self.store = open_store(settings, self.waiter.clock, self.waiter.pause)
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
        sibling = Connection(self._transport, settings)
        sibling.store = self.store
        return sibling

    @property
    def api(self) -> AccountReports:
        """The calls themselves, which give value objects where this class gives frames."""
        return self._api

    def form(self) -> Any:
        """A form in the notebook: choose a report, start and follow it, load it as a frame.

        Returns
        -------
        ReportForm
            ``form.job``, ``form.result``, ``form.frame``, ``form.wait()``.
        """
        from canvas_reports_nb.notebook.form import ReportForm  # noqa: PLC0415 - only a form needs ipywidgets

        return ReportForm(self)

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

    def start(self, report: str, *, parameters: Parameters | None = None, **named: Any) -> ReportJob:
        """Start a run, or join an equal one that Canvas says is in flight.

        No e-mail is sent when it ends, unless ``skip_message=False``.

        Raises
        ------
        UnknownReportError, UnknownParameterError, InvalidChoiceError, InvalidTermError
            Nothing was started.
        """
        return self._runs.begin(report, checked(self._api, report, merged(report, parameters, named)))

    def attach(self, report: str, run_id: int) -> ReportJob:
        """A handle on a run that exists, whoever started it.

        Raises
        ------
        UnknownRunError
        """
        return self._runs.attach(report, run_id)

    def history(self, report: str) -> pd.DataFrame:
        """Past runs of a report on this account, newest first.

        Returns
        -------
        DataFrame
            ``run_id`` (Int64), ``status``, ``progress`` (Int64), ``created_at``, ``started_at``, ``ended_at``
            (UTC), ``rows`` (Int64, header included), ``parameters`` (dict), ``message``.

        Raises
        ------
        UnknownReportError
            There are no runs, and the account does not offer the report: Canvas answers a typo with no runs.
        """
        runs = list(self._api.index(report))
        if not runs:
            self.report(report)
        return history_frame(report, runs, self.account_id)

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
            Only these, in this order; ``[]`` keeps all rows and no column. A name that is unknown or appears
            twice is an error.
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
        frames.check_engine(engine)
        return self._foreseen(report, parameters, [table], keywords).load(engine, table, columns)

    def read_tables(
        self,
        report: str,
        *,
        parameters: Parameters | None = None,
        table: str | Sequence[str] | None = None,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        engine: Engine = "pandas",
        **keywords: Any,
    ) -> dict[str, Any]:
        """As `read_report`, but all tables of the run, or those named: name to frame.

        ``columns`` are those of every table, or a mapping by table.
        """
        frames.check_engine(engine)
        tables = [table] if isinstance(table, str) else table or ()
        return tables_of(self._foreseen(report, parameters, tables, keywords), engine, table, columns)

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
        return self._foreseen(report, parameters, [table], keywords).scan(table, columns)

    def obtain(self, report: str, *, parameters: Parameters | None = None, **keywords: Any) -> ReportResult:
        """The result behind `read_report`, before it becomes a frame."""
        obtaining, named = split(keywords)
        return self._runs.obtain(report, merged(report, parameters, named), **obtaining)

    # -- many at once ------------------------------------------------------------------------

    def read_reports(
        self,
        requests: Any,
        *,
        table: str | None = None,
        columns: Sequence[str] | None = None,
        engine: Engine = "pandas",
        on_error: OnError = "raise",
        **keywords: Unpack[Gathering],
    ) -> Any:
        """Many runs at once, stacked: each used again or started, watched together, fetched as they end.

        All requests are checked before anything is started; equal ones run once and are stacked once.

        Parameters
        ----------
        requests : DataFrame
            One row a run: column ``report``, optional ``account``, one column a parameter; a blank cell is not
            sent. `requests_for` builds one.
        table, columns, engine
            As for `read_report`, of every run.
        on_error : {"raise", "return"}
            What becomes of failures: one error for all, with the finished ones on it; or, in place of the
            frame, a pair of the finished ones' frame and the ``status`` of all requests.
        **keywords
            Those of `Gathering`.

        Returns
        -------
        DataFrame
            Of the engine: the columns of ``requests`` in front (``request_NAME`` where a table has a NAME,
            too), then all columns any of the runs has, in the order of the requests. A pandas frame carries the
            provenance of every run in ``attrs["canvas_report"]["runs"]``.

        Raises
        ------
        ParameterError, UnknownReportError, ...
            A row is wrong (it is named); nothing was started.
        ReportsFailedError
            A group of the failures; ``error.reports`` holds what is finished.
        """
        frames.check_engine(engine)
        found = gather(requests, self._runs_of, table=table, on_error=on_error, **keywords)
        frame = found.load(engine, table, columns)
        return frame if on_error == "raise" else (frame, found.status)

    def scan_reports(
        self,
        requests: Any,
        *,
        table: str | None = None,
        columns: Sequence[str] | None = None,
        engine: Literal["polars", "dask"] = "polars",
        on_error: OnError = "raise",
        **keywords: Unpack[Gathering],
    ) -> Any:
        """As `read_reports`, but lazy over the stored Parquet: polars, or Dask with partitions of one run each.

        Dask's workers must see the folder of the store.
        """
        frames.check_engine(engine)
        found = gather(requests, self._runs_of, table=table, on_error=on_error, **keywords)
        frame = found.scan(table, columns) if engine == "polars" else found.load(engine, table, columns)
        return frame if on_error == "raise" else (frame, found.status)

    def obtain_reports(
        self,
        requests: Any,
        *,
        table: str | None = None,
        one_table: bool = False,
        on_error: OnError = "raise",
        **keywords: Unpack[Gathering],
    ) -> ReportsResult:
        """The results behind `read_reports`, before they become one frame.

        With ``one_table`` they are meant to: requests whose tables are several, or not ``table``, are refused.
        """
        return gather(
            requests, self._runs_of, table=table, one_table=one_table, on_error=on_error, **keywords
        )

    # -- inside ------------------------------------------------------------------------------

    def _foreseen(
        self,
        report: str,
        parameters: Parameters | None,
        tables: Iterable[str | None],
        keywords: Mapping[str, Any],
    ) -> ReportResult:
        """As `obtain`, but a table that a new run would not give is an error before it is started."""
        obtaining, named = split(keywords)
        if not (obtaining.get("offline") or obtaining.get("run_id")):
            for table in tables:
                foresee_table(report, merged(report, parameters, named), table)
        return self.obtain(report, parameters=parameters, **keywords)

    @property
    def _runs(self) -> Runs:
        return Runs(self._api, self.store, self._ledger, self.url)

    def _runs_of(self, account: str | None) -> Runs:
        return self._runs if account is None else self.account(account)._runs  # noqa: SLF001 - a sibling
