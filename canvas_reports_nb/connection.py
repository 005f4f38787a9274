"""A connection: one Canvas, one token, one account."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from canvas_reports_nb import _html
from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.catalog.parameters import merged
from canvas_reports_nb.exceptions import ConfigurationError
from canvas_reports_nb.runs.account import AccountRuns
from canvas_reports_nb.runs.job import ReportJob
from canvas_reports_nb.runs.ledger import Ledger
from canvas_reports_nb.runs.listings import accounts_frame, history_frame, reports_frame, terms_frame
from canvas_reports_nb.runs.pending import PendingRun
from canvas_reports_nb.runs.readers import Readers
from canvas_reports_nb.store.shared import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from canvas_reports_nb.canvas_api.models import AvailableReport
    from canvas_reports_nb.canvas_api.transport import Transport
    from canvas_reports_nb.catalog.query import Query
    from canvas_reports_nb.settings import Settings
    from canvas_reports_nb.store.store import Store
    from canvas_reports_nb.typing import Parameters

_ACCOUNT = re.compile(r"self|default|site_admin|\d+(~\d+)?|[a-z_]+(:[a-z_]+)?:.+")

# Public for this package's own modules.
_INTERNAL = {"api", "begin", "is_demo", "obtain", "obtain_reports", "offered", "waiter"}


class Connection(Readers):
    """One Canvas, one token, one account. `connect` and `demo` make one; it is a context manager.

    Parameters
    ----------
    transport : Transport
    settings : Settings
    on_close : callable, optional
        Called once when the connection closes.
    parent : Connection, optional
        The connection this one was made from: it lends its store, and closing it closes both.
    """

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        *,
        on_close: Callable[[], None] | None = None,
        parent: Connection | None = None,
    ) -> None:
        self._settings = settings
        self._transport, self.waiter = transport, transport.waiter
        self._api = AccountReports(self._transport, settings.account)
        self._on_close, self._parent, self._is_closed = on_close, parent, False
        self.store: Store = open_store(settings, self.waiter) if parent is None else parent.store
        self._ledger = Ledger(settings.store, settings.url, settings.account)

    # -- the connection itself ---------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the Canvas."""
        return self._settings.url

    @property
    def account_id(self) -> str:
        """The account as you named it: ``"self"``, a Canvas id, or ``"sis_account_id:X"``."""
        return self._settings.account

    @property
    def is_open(self) -> bool:
        """Whether the connection can be used."""
        return not self._is_closed and (self._parent is None or self._parent.is_open)

    @property
    def is_demo(self) -> bool:
        """Whether the Canvas is a demo, with invented people."""
        return self._transport.is_demo

    def __dir__(self) -> list[str]:
        """List what a user calls."""
        return [name for name in super().__dir__() if name[0] != "_" and name not in _INTERNAL]

    def __repr__(self) -> str:
        return f"Connection({urlsplit(self.url).netloc!r}, account {self.account_id!r})"

    def _repr_html_(self) -> str:
        # Without the store: its path has the user's name in it, and notebooks are shared.
        pairs = [("Canvas", self.url), ("account", self.account_id)]
        return _html.card("Canvas connection", _html.facts(pairs))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. A demo's embedded Canvas stops. Closing again does nothing.

        Examples
        --------
        >>> other = crn.demo()
        >>> other.close()
        >>> other.is_open
        False
        """
        if not self._is_closed:
            self._is_closed = True
            if self._on_close is not None:
                self._on_close()

    def account(self, account: str | int) -> Connection:
        """Return a connection to another account of the same Canvas; closing it leaves this one open.

        Parameters
        ----------
        account : str or int
            ``"self"``, a Canvas id, or ``"sis_account_id:X"``. `accounts` lists them.

        Raises
        ------
        UnknownAccountError
            Canvas can't read this as an account. Similar accounts are suggested. Whether a well-formed id
            exists shows in the first call.

        Examples
        --------
        >>> canvas.account(7).account_id
        '7'
        """
        settings = replace(self._settings, account=str(account))
        there = Connection(self._transport, settings, parent=self)
        if _ACCOUNT.fullmatch(str(account)) is None:
            raise there.api.unknown_account()
        return there

    @property
    def api(self) -> AccountReports:
        """The API calls, which return value objects instead of frames."""
        if not self.is_open:
            raise ConfigurationError(
                f"The connection to {urlsplit(self.url).netloc} is closed.",
                hint="Call connect() or demo() again.",
            )
        return self._api

    def form(self) -> Any:
        """Show a form in the notebook: choose a report, start it, follow it, and load the result.

        Returns
        -------
        ReportForm
            ``form.job``, ``form.result``, ``form.frame``, ``form.wait()``.

        Raises
        ------
        ConfigurationError
            ipywidgets or IPython is missing here, or too old.

        Examples
        --------
        >>> form = canvas.form()  # shown if it is the last line of a cell
        """
        from canvas_reports_nb.notebook import report_form  # noqa: PLC0415 - only a form needs ipywidgets

        return report_form(self)

    # -- the six calls -----------------------------------------------------------------------

    def reports(self) -> pd.DataFrame:
        """List the reports this account offers.

        Returns
        -------
        DataFrame
            One row per report: ``report``, ``title``, ``parameters`` (names, comma-separated), ``tables``,
            ``last_run`` (UTC), ``last_status``, ``last_run_id`` (Int64).

        Examples
        --------
        >>> canvas.reports()["report"].head(2).tolist()
        ['course_storage_csv', 'developer_key_report_csv']
        """
        return reports_frame(self.api.available())

    def terms(self) -> pd.DataFrame:
        """List the terms, also on a sub-account: they belong to the root account.

        Returns
        -------
        DataFrame
            One row per term, in Canvas's order (newest first): ``term_id`` (Int64), ``name``, ``sis_term_id``
            (missing if the token may not read SIS ids), ``start_at``, ``end_at`` (UTC), ``state`` (``"active"``
            or ``"deleted"``), ``is_current`` (boolean: active, and today is between its dates).

        Raises
        ------
        NotPermittedError
            The token may not list the terms.

        Examples
        --------
        >>> canvas.terms().query("is_current")["name"].tolist()
        ['Spring 2026']
        """
        return terms_frame(self.api.terms(cache="refresh"), self.waiter.now())

    def accounts(self) -> pd.DataFrame:
        """List this account and all accounts below it.

        Returns
        -------
        DataFrame
            One row per account, parents before children, siblings by name: ``account_id`` (Int64), ``name``,
            ``sis_account_id``, ``parent_id`` (Int64), ``path`` (the names from the first account listed, joined
            with " / "), ``depth`` (Int64, 0 for the first account). If the account is ``"self"`` and the token's
            owner may not read the root account, the accounts that they administer are listed.

        Raises
        ------
        NotPermittedError
            The token may not list the accounts.

        Examples
        --------
        >>> canvas.accounts()["path"].head(2).tolist()
        ['Meridian University', 'Meridian University / Arts & Humanities']
        """
        return accounts_frame(self.api.accounts(cache="refresh"))

    @property
    def offered(self) -> dict[str, tuple[str, ...]]:
        """The reports and their parameters' names as Canvas last listed them; nothing is sent."""
        return dict(self.api.offered)

    def report(self, report: str) -> AvailableReport:
        """Return one report this account offers, with its parameters and columns.

        The parameters are those that Canvas lists, those in its own form, and those it accepts without listing
        them.

        Raises
        ------
        UnknownReportError
            The account offers no such report. Similar names are suggested.

        Examples
        --------
        >>> list(canvas.report("grade_export_csv").parameters)
        ['enrollment_term_id', 'include_deleted', 'limiting_period']
        """
        return self.api.describe(report)

    def start(self, report: str, *, parameters: Parameters | None = None, **named: Any) -> ReportJob:
        """Start a run, or join an equal one that is already running.

        Canvas sends no e-mail when it ends, unless you pass ``skip_message=False``.

        Raises
        ------
        UnknownReportError, UnknownParameterError, InvalidChoiceError, InvalidTermError
            Nothing was started.

        Examples
        --------
        >>> job = canvas.start("zero_activity_csv", enrollment_term_id="current")
        >>> len(job.result().to_pandas())
        10
        """
        return self.begin(self._runs.query(report, merged(report, parameters, named)))

    def begin(self, query: Query) -> ReportJob:
        """Start a run for a checked request."""
        pending = PendingRun(self._runs, query.report, query)
        return ReportJob(pending, pending.begin(self._runs.page(query.report)))

    def attach(self, report: str, run_id: int) -> ReportJob:
        """Return a handle on an existing run, no matter who started it: an interrupt never stops it.

        Raises
        ------
        UnknownRunError

        Examples
        --------
        >>> run = canvas.start("zero_activity_csv").run
        >>> canvas.attach("zero_activity_csv", run.id).wait().status
        'complete'
        """
        run = self.api.show(report, run_id)
        return ReportJob(PendingRun(self._runs, report), run)

    def history(self, report: str) -> pd.DataFrame:
        """List the past runs of a report on this account, newest first.

        Returns
        -------
        DataFrame
            ``run_id`` (Int64), ``status``, ``progress`` (Int64), ``created_at``, ``started_at``, ``ended_at``
            (UTC), ``rows`` (Int64, without headers, of all files; missing if unknown, as for a zip that is not on
            this disk), ``parameters`` (dict), ``message``.

        Raises
        ------
        UnknownReportError
            There are no runs, and the account does not offer the report.

        Examples
        --------
        >>> canvas.history("grade_export_csv")["status"].unique().tolist()
        ['complete']
        """
        runs = list(self.api.index(report))
        if not runs:  # Canvas returns an empty list for a misspelled name, too
            self.report(report)
        return history_frame(report, runs, self.account_id, self._runs.stored_rows(report, runs))

    # -- for the package itself ---------------------------------------------------------------

    @property
    def _runs(self) -> AccountRuns:
        return AccountRuns(self.api, self.store, self._ledger, self.url)

    def _runs_of(self, account: str | None) -> AccountRuns:
        return self._runs if account is None else self.account(account)._runs  # noqa: SLF001 - the same class
