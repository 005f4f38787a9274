"""The six calls of the Account Reports API, and the account, its sub-accounts and its terms."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from canvas_reports_nb.canvas_api.models import AvailableReport, ReportParameter, ReportRun, parse_zone
from canvas_reports_nb.catalog.parameters import close_to, declared_as, named_report, near, numbered
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.catalog.terms import terms_in_form
from canvas_reports_nb.exceptions import (
    AuthenticationError,
    CanvasReportsError,
    NotFoundError,
    NotPermittedError,
    ParameterError,
    UnexpectedAnswerError,
    UnknownAccountError,
    UnknownReportError,
    UnknownRunError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from requests import Response

    from canvas_reports_nb.canvas_api.transport import Cache, Transport
    from canvas_reports_nb.deadline import Waiter

_LOG = logging.getLogger(__name__)
_ACCOUNT = re.compile(r"/accounts/(\d{1,18})/files/")
_SHARD = 10**13  # a hosted Canvas may add this, times the number of its shard, to an id
_Item = TypeVar("_Item")


class AccountReports:
    """The Account Reports API of one account."""

    def __init__(self, transport: Transport, account: str) -> None:
        self._transport = transport
        self.account = account
        self._base = f"accounts/{quote(account, safe=':~')}"
        self.offered: dict[str, tuple[str, ...]] = {}
        """The parameters of each report in the latest list."""

    @property
    def waiter(self) -> Waiter:
        """How everything that asks this account waits."""
        return self._transport.waiter

    @property
    def remaining(self) -> float | None:
        """What is left of the token's rate limit; ``None`` if unknown."""
        return self._transport.rate_limit_remaining

    def available(
        self, *, cache: Cache = "no", html: bool = False, only: str | None = None
    ) -> list[AvailableReport]:
        """Return the reports of this account, or ``only`` the one with this name: ``GET reports``.

        ``cache="yes"`` accepts a list up to ten minutes old. ``html`` also requests the server's descriptions and forms.
        """
        include = {"include[]": ["description_html", "parameters_html"]} if html else None
        with self._located(missing=UnknownAccountError):
            items = list(self._all("reports", query=include, cache=cache))
        named = {str(item.get("report")): item for item in items if isinstance(item, dict)}
        self.offered = {name: _names_of(item.get("parameters")) for name, item in named.items()}
        wanted = items if only is None else [named[only]] if only in named else []
        return list(_readable(wanted, lambda item: AvailableReport.from_api(item, _columns(item))))

    def describe(self, report: str) -> AvailableReport:
        """Return a report with every parameter it takes: those listed, those in its form, those in the catalog."""
        offers = self.available(html=True)
        offer = next((each for each in offers if each.report == report), None)
        if offer is None:
            raise self.not_offered(report, offers)
        known = schema(report)
        declared = known.parameters if known else {}
        parameters: dict[str, ReportParameter] = dict(offer.parameters)
        for name in (*declared, *sorted(offer.in_form)):
            target, about = declared_as(report, name)
            found = parameters.get(target, ReportParameter(target))
            parameters[target] = replace(
                found, description=found.description or (about.description if about else None)
            )
        return replace(offer, parameters=MappingProxyType(parameters))

    def start(self, report: str, parameters: Mapping[str, Any]) -> ReportRun:
        """Start a run: ``POST reports/:report``. ``parameters`` are sent unchanged."""
        with self._located(report=report):
            try:
                answer = self._transport.json(
                    "POST", f"{self._base}/reports/{_quoted(report)}", body={"parameters": dict(parameters)}
                )
            except NotFoundError:
                raise self.not_offered(report, self.available()) from None
            return self._expected(ReportRun.from_api(answer), report)

    def index(self, report: str) -> Iterator[ReportRun]:
        """Yield the past runs of a report, newest first: ``GET reports/:report``."""
        with self._located(report=report, missing=UnknownAccountError):
            items = self._all(f"reports/{_quoted(report)}")
            yield from _readable(items, lambda item: self._expected(ReportRun.from_api(item), report))

    def show(self, report: str, run_id: int) -> ReportRun:
        """Return a run: ``GET reports/:report/:id``."""
        return self._one("GET", report, run_id)

    def delete(self, report: str, run_id: int) -> ReportRun:
        """Delete a run in any state: ``DELETE reports/:report/:id``."""
        return self._one("DELETE", report, run_id)

    def abort(self, report: str, run_id: int) -> ReportRun:
        """Stop a run, unless it has ended: ``PUT reports/:report/:id/abort``."""
        try:
            return self._one("PUT", report, run_id, "/abort")
        except UnknownRunError:
            return self.show(report, run_id)

    def terms(self, *, cache: Cache = "yes") -> list[dict[str, Any]]:
        """Return the terms of the root account; Canvas refuses those of a sub-account.

        If the token may not list them, the form of a report may still offer them, without their dates.
        """
        # An admin of a sub-account may read the terms of "self", the root, but nothing else about it.
        about = {} if self.account == "self" else self.about(cache="only" if cache == "only" else "yes")
        root = about.get("root_account_id")
        base = self._base if root is None else f"accounts/{quote(str(root), safe='~')}"
        with self._located(missing=UnknownAccountError):
            found: list[dict[str, Any]] = []
            try:
                for page in self._transport.pages(
                    f"{base}/terms", query={"workflow_state[]": "all"}, cache=cache
                ):
                    listed = page.get("enrollment_terms") if isinstance(page, dict) else None
                    if not isinstance(listed, list):
                        raise UnexpectedAnswerError("Canvas sent something other than a list of terms.")
                    found += _readable(listed, partial(_with_id, "a term"))
            except (NotPermittedError, ParameterError, AuthenticationError) as error:
                offered = self._terms_in_forms(cache)
                if offered:
                    return offered
                if isinstance(error, AuthenticationError) and offered is None:
                    raise  # the token itself, not a scope of it
                raise NotPermittedError(
                    "This token may not list the terms, so a term can't be found by its name.",
                    hint='Give its Canvas id or "sis_term_id:X", or ask a Canvas admin for access to the terms.',
                    url=error.url,
                ) from None
            return found

    def _terms_in_forms(self, cache: Cache) -> list[dict[str, Any]] | None:
        """Return the terms in the first form that has some; ``None`` if the reports can't be listed either."""
        with suppress(CanvasReportsError):
            forms = (terms_in_form(offer.parameters_html) for offer in self.available(cache=cache, html=True))
            return next(filter(None, forms), [])
        return None

    def accounts(self, *, cache: Cache = "yes") -> list[dict[str, Any]]:
        """Return this account and all accounts below it.

        An admin of a sub-account may not read "self", the root. For them it means the accounts they administer.
        """
        try:
            tops = [_with_id("an account", self.about(cache=cache))]
        except NotPermittedError as error:
            tops = self._listed_accounts("accounts", cache) if self.account == "self" else []
            if not tops:
                raise self._accounts_refused(error) from None
        found: dict[int, dict[str, Any]] = {}
        for top in tops:
            if int(top["id"]) in found:
                continue
            below = f"accounts/{top['id']}/sub_accounts"
            try:
                listed = self._listed_accounts(below, cache, query={"recursive": "true"})
            except NotPermittedError as error:
                raise self._accounts_refused(error) from None
            found.update((int(each["id"]), each) for each in [top, *listed])
        return list(found.values())

    def _listed_accounts(self, path: str, cache: Cache, **request: Any) -> list[dict[str, Any]]:
        with self._located():
            items = self._items(path, cache=cache, **request)
            return list(_readable(items, partial(_with_id, "an account")))

    def _accounts_refused(self, error: CanvasReportsError) -> NotPermittedError:
        return NotPermittedError(
            "This token may not list the accounts.",
            hint='Ask a Canvas admin for the permission "Account-level settings - manage", or for the id of the '
            "account you need.",
            account=self.account,
            url=error.url,
        )

    def unknown_account(self, url: str | None = None) -> UnknownAccountError:
        """Return the error for an account that does not exist, with similar ones that do."""
        close = ""
        with suppress(CanvasReportsError):
            close = _near_accounts(self.account, AccountReports(self._transport, "self").accounts(cache="no"))
        return UnknownAccountError(
            "This account does not exist, or this token can't see it.",
            hint=f"{close}canvas.accounts() lists the accounts.",
            account=self.account,
            url=url,
        )

    def about(self, *, cache: Cache = "yes") -> dict[str, Any]:
        """Return the account's own data, such as its id, name and parent."""
        with self._located(missing=UnknownAccountError):
            answer = self._transport.json("GET", self._base, cache=cache)
            if not isinstance(answer, dict):
                raise UnexpectedAnswerError("Canvas sent something other than an account.")
            self._check_account(str(answer.get("id", "")), "sent account")
            zone = parse_zone(answer.get("default_time_zone"))
            return {**answer, "default_time_zone": zone} if zone else answer

    def owner(self) -> str:
        """Return the name of the person whose token this is: ``GET users/self``."""
        answer = self._transport.json("GET", "users/self", cache="yes")
        return str(answer.get("name") or "") if isinstance(answer, dict) else ""

    def download(self, url: str, *, offset: int = 0) -> AbstractContextManager[Response]:
        """Stream the file of a run's attachment."""
        return self._transport.download(url, offset=offset)

    def not_offered(self, report: str, offers: Collection[AvailableReport]) -> UnknownReportError:
        """Return the error for a report this account does not offer."""
        names = [offer.report for offer in offers]
        there = (
            f"Use one of these: {', '.join(sorted(names))}."
            if names
            else "Ask a Canvas admin for access: this token can't see any report."
        )
        titled = [each.report for each in offers if each.title.casefold() == report.strip().casefold()]
        meant = near(titled[0], titled) if titled else near(report, names)
        return UnknownReportError(
            f"This account has no report {report!r}.",
            hint=meant + there,
            account=self.account,
            report=report,
        )

    def _one(self, method: str, report: str, run_id: int, tail: str = "") -> ReportRun:
        with self._located(report=report, run_id=run_id, missing=UnknownRunError):
            path = f"{self._base}/reports/{_quoted(report)}/{numbered(run_id)}{tail}"
            run = self._expected(ReportRun.from_api(self._transport.json(method, path)), report)
            if run.id != numbered(run_id):
                raise UnexpectedAnswerError(f"Canvas sent run {run.id} instead of run {run_id}.")
            return run

    def _expected(self, run: ReportRun, report: str) -> ReportRun:
        """Return a run if it is one of this report and account."""
        if run.report not in ("", report):
            raise UnexpectedAnswerError(f"Canvas sent a run of {run.report!r} instead of {report!r}.")
        found = _ACCOUNT.search(str(run.file_url))
        if found is not None and found[1] != self._root_id(found[1]):
            self._check_account(found[1], "sent a run of account")
        return run

    def _root_id(self, found: str) -> str | None:
        """Return the id of the root account, which may keep the files of all, if it matters and can be read."""
        if not self.account.isdecimal() or int(found) == int(self.account):
            return None
        with suppress(CanvasReportsError):
            return str(self.about().get("root_account_id"))
        return None

    def _check_account(self, found: str, what: str) -> None:
        """Reject a response about another account, if the account was named by its id."""
        both = (self.account, found)
        if all(text.isdecimal() for text in both) and len({int(text) % _SHARD for text in both}) > 1:
            raise UnexpectedAnswerError(f"Canvas {what} {found} instead of {self.account}.")

    def _all(self, path: str, **request: Any) -> Iterator[Any]:
        return self._items(f"{self._base}/{path}", **request)

    def _items(self, path: str, **request: Any) -> Iterator[Any]:
        for page in self._transport.pages(path, **request):
            if not isinstance(page, list):
                raise UnexpectedAnswerError("Canvas sent something other than a list.")
            yield from page

    @contextmanager
    def _located(
        self,
        *,
        report: str | None = None,
        run_id: int | None = None,
        missing: type[NotFoundError] = NotFoundError,
    ) -> Iterator[None]:
        """Add to every error where it happened, and raise ``missing`` for status 404."""
        try:
            yield
        except CanvasReportsError as error:
            if type(error) is NotFoundError and missing is UnknownAccountError:
                raise self.unknown_account(error.url) from None
            if type(error) is NotFoundError and missing is UnknownRunError:
                raise UnknownRunError(
                    "This run is unknown, deleted, or of another report or account.",
                    account=self.account,
                    report=report,
                    run_id=run_id,
                    url=error.url,
                ) from None
            error.located(account=self.account, report=report, run_id=run_id)
            raise


def _readable(items: Iterable[Any], read: Callable[[Any], _Item]) -> Iterator[_Item]:
    """Yield the items of a list that can be read; one bad item must not hide the others."""
    for item in items:
        try:
            read_item = read(item)
        except UnexpectedAnswerError as error:
            _LOG.warning("An item of a list was left out: %s", error.message)
        else:
            yield read_item


def _names_of(parameters: Any) -> tuple[str, ...]:
    return tuple(map(str, parameters)) if isinstance(parameters, dict) else ()


def _with_id(what: str, item: Any) -> dict[str, Any]:
    """Return a term or an account if it has an id."""
    if not isinstance(item, dict) or not str(item.get("id")).isdecimal():
        raise UnexpectedAnswerError(f"Canvas sent {what} without an id.")
    return item


def _near_accounts(spelling: str, accounts: Iterable[Mapping[str, Any]]) -> str:
    """Return a "Did you mean ...?" sentence with the accounts of similar names or SIS ids."""
    known: dict[str, str] = {}
    for account in accounts:
        sis_id, name = account.get("sis_account_id"), str(account.get("name") or "")
        usable = f"sis_account_id:{sis_id}" if sis_id else str(account["id"])
        known |= {text.casefold(): f"{usable!r} ({name})" for text in (str(sis_id or ""), name) if text}
    close = close_to(spelling.rpartition(":")[2].casefold(), known)
    found = dict.fromkeys(known[each] for each in close)
    return f"Did you mean {' or '.join(found)}? " if found else ""


def _quoted(report: str) -> str:
    return quote(named_report(report), safe="")


def _columns(item: Any) -> dict[str, tuple[str, ...]]:
    known = schema(item["report"]) if isinstance(item, dict) and isinstance(item.get("report"), str) else None
    if known is None:
        return {}
    return {name: tuple(column.name for column in table.columns) for name, table in known.tables.items()}
