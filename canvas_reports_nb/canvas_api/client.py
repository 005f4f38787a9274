"""The six calls of the Account Reports API, and the two lists a form needs (accounts, terms)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun
from canvas_reports_nb.catalog.parameters import named_report, near, numbered
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    NotFoundError,
    UnexpectedAnswerError,
    UnknownAccountError,
    UnknownReportError,
    UnknownRunError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from requests import Response

    from canvas_reports_nb.canvas_api.transport import Transport


class AccountReports:
    """The Account Reports API of one account.

    Parameters
    ----------
    transport : Transport
    account : str
        ``"self"``, a Canvas id, or ``"sis_account_id:X"``.
    """

    def __init__(self, transport: Transport, account: str) -> None:
        self._transport = transport
        self.account = account
        self._base = f"accounts/{quote(account, safe=':~')}"
        self.offered: dict[str, tuple[str, ...]] = {}
        """Report to parameters, as last listed."""

    @property
    def remaining(self) -> float | None:
        """What the last answer left of the token's allowance; ``None`` where Canvas does not say."""
        return self._transport.rate_limit_remaining

    def available(self, *, cached: bool = False, html: bool = False) -> list[AvailableReport]:
        """The reports this account offers: ``GET reports``.

        Parameters
        ----------
        cached : bool
            Take an answer up to ten minutes old; ``last_run`` may then be behind.
        html : bool
            Ask for the server's description and form of each, too.
        """
        include = {"include[]": ["description_html", "parameters_html"]} if html else None
        with self._located(missing=UnknownAccountError):
            # The documentation says "paginated", the server sends one page: both are served.
            items = self._all("reports", query=include, cached=cached)
            offers = [AvailableReport.from_api(item, _columns(item)) for item in items]
        self.offered = {offer.report: tuple(offer.parameters) for offer in offers}
        return offers

    def start(self, report: str, parameters: Mapping[str, Any]) -> ReportRun:
        """Queue a run: ``POST reports/:report``. ``parameters`` go as they are.

        Raises
        ------
        DuplicateRunError
            An equal run is in flight; it is on the error.
        UnknownReportError, UnknownAccountError, InvalidTermError
        """
        with self._located(report=report):
            try:
                answer = self._transport.json(
                    "POST", f"{self._base}/reports/{_quoted(report)}", body={"parameters": dict(parameters)}
                )
            except NotFoundError:
                raise self.not_offered(report, [r.report for r in self.available()]) from None
            return ReportRun.from_api(answer)

    def index(self, report: str) -> Iterator[ReportRun]:
        """Past runs of a report, newest first: ``GET reports/:report``. An unknown report has none."""
        with self._located(report=report, missing=UnknownAccountError):
            for item in self._all(f"reports/{_quoted(report)}"):
                yield ReportRun.from_api(item)

    def show(self, report: str, run_id: int) -> ReportRun:
        """One run: ``GET reports/:report/:id``."""
        return self._one("GET", report, run_id)

    def delete(self, report: str, run_id: int) -> ReportRun:
        """Delete a run, in whatever state: ``DELETE reports/:report/:id``."""
        return self._one("DELETE", report, run_id)

    def abort(self, report: str, run_id: int) -> ReportRun:
        """Stop a run: ``PUT reports/:report/:id/abort``.

        A run that has ended can't be stopped; then the run as it is comes back.
        """
        try:
            return self._one("PUT", report, run_id, "/abort")
        except UnknownRunError:
            return self.show(report, run_id)

    def terms(self) -> list[dict[str, Any]]:
        """The terms of the root account, as Canvas lists them."""
        with self._located(missing=UnknownAccountError):
            found: list[dict[str, Any]] = []
            for page in self._transport.pages(
                f"{self._base}/terms", query={"workflow_state[]": "all"}, cached=True
            ):
                listed = page.get("enrollment_terms") if isinstance(page, dict) else None
                if not isinstance(listed, list) or not all(isinstance(term, dict) for term in listed):
                    raise UnexpectedAnswerError("Canvas sent no list of terms where one was expected.")
                found += listed
            return found

    def about(self) -> dict[str, Any]:
        """The account itself: id, name, parent, SIS id, time zone."""
        with self._located(missing=UnknownAccountError):
            answer = self._transport.json("GET", self._base, cached=True)
            if not isinstance(answer, dict):
                raise UnexpectedAnswerError("Canvas sent no account where one was expected.")
            return answer

    def download(self, url: str, *, offset: int = 0) -> AbstractContextManager[Response]:
        """The file behind a run's attachment, as a stream."""
        return self._transport.download(url, offset=offset)

    def not_offered(self, report: str, offered: list[str]) -> UnknownReportError:
        """The error for a report this account does not offer."""
        there = (
            f"It offers: {', '.join(sorted(offered))}." if offered else "It offers no report to this token."
        )
        return UnknownReportError(
            f"This account offers no report {report!r}.",
            hint=near(report, offered) + there,
            account=self.account,
            report=report,
        )

    def _one(self, method: str, report: str, run_id: int, tail: str = "") -> ReportRun:
        with self._located(report=report, run_id=run_id, missing=UnknownRunError):
            path = f"{self._base}/reports/{_quoted(report)}/{numbered(run_id)}{tail}"
            return ReportRun.from_api(self._transport.json(method, path))

    def _all(self, path: str, **request: Any) -> Iterator[Any]:
        for page in self._transport.pages(f"{self._base}/{path}", **request):
            if not isinstance(page, list):
                raise UnexpectedAnswerError("Canvas sent no list where one was expected.")
            yield from page

    @contextmanager
    def _located(
        self,
        *,
        report: str | None = None,
        run_id: int | None = None,
        missing: type[NotFoundError] = NotFoundError,
    ) -> Iterator[None]:
        """Say on every error where it happened, and what a 404 means here."""
        try:
            yield
        except CanvasReportsError as error:
            if type(error) is NotFoundError and missing is not NotFoundError:
                raise missing(
                    _MISSING[missing], account=self.account, report=report, run_id=run_id, url=error.url
                ) from None
            error.located(account=self.account, report=report, run_id=run_id)
            raise


_MISSING = {
    UnknownAccountError: "Canvas has no such account, or hides it from this token.",
    UnknownRunError: "No such run: it is unknown, deleted, or of another report or account.",
}


def _quoted(report: str) -> str:
    return quote(named_report(report), safe="")


def _columns(item: Any) -> dict[str, tuple[str, ...]]:
    known = schema(item["report"]) if isinstance(item, dict) and isinstance(item.get("report"), str) else None
    if known is None:
        return {}
    return {name: tuple(column.name for column in table.columns) for name, table in known.tables.items()}
