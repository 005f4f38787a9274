"""One Canvas, one token, one account: everything a user starts from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from canvas_reports_nb import _html
from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.readers import Readers
from canvas_reports_nb.runs.account import Runs, merged
from canvas_reports_nb.runs.ledger import Ledger
from canvas_reports_nb.runs.listings import history_frame, reports_frame
from canvas_reports_nb.runs.start import checked
from canvas_reports_nb.store.shared import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from canvas_reports_nb.canvas_api.models import AvailableReport
    from canvas_reports_nb.canvas_api.transport import Transport
    from canvas_reports_nb.runs.job import ReportJob
    from canvas_reports_nb.settings import Settings
    from canvas_reports_nb.typing import Parameters


class Connection(Readers):
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
        self.store = open_store(settings, self.waiter)
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

    # -- for the package itself ---------------------------------------------------------------

    @property
    def _runs(self) -> Runs:
        return Runs(self._api, self.store, self._ledger, self.url)

    def _runs_of(self, account: str | None) -> Runs:
        return self._runs if account is None else self.account(account)._runs  # noqa: SLF001 - a sibling
