"""Start a run once: checked before, looked for when its answer is lost, compared with what Canvas understood."""

from __future__ import annotations

import logging
import re
import warnings
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.catalog.parameters import (
    asked_of,
    check,
    comparable,
    expected_tables,
    is_name,
    switches,
    term_id,
    to_wire,
)
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    DuplicateRunError,
    NotReachedError,
    ParameterError,
    ReportWarning,
    ServerError,
    ThrottledError,
    UserAgentRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from canvas_reports_nb.canvas_api.client import AccountReports
    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun

_LOG = logging.getLogger(__name__)
_ATTEMPTS, _PAUSE = 3, 5.0
_PAGE = 100
_IN_FORM = re.compile(r"""name=["']parameters\[([^\]"']+)\]""")
# How far the server's clock may be from ours, and how long it may sit on a request.
_SKEW = timedelta(minutes=10)


def checked(api: AccountReports, report: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they go to Canvas, or an error with nothing started.

    No e-mail is asked for, unless ``skip_message=False``.

    Raises
    ------
    UnknownReportError, UnknownParameterError, InvalidChoiceError, InvalidTermError, ParameterError
    """
    offers = {offer.report: offer for offer in api.available(cached=True)}
    if report not in offers:
        raise api.not_offered(report, list(offers))
    check(report, asked, _listed(api, offers[report], asked))
    if expected_tables(report, asked) == ():
        raise ParameterError(
            f"{report} writes only the files it is asked for, and none is.",
            hint=f"Set one or more to True: {', '.join(switches(report))}.",
            account=api.account,
            report=report,
        )
    wire = to_wire(report, asked)
    known = schema(report)
    for name, value in wire.items():
        declared = known.parameter(name) if known else None
        if declared and declared.type == "term" and is_name(value):
            wire[name] = _term(api, report, value)
    return {**({} if "skip_message" in asked else {"skip_message": True}), **wire}


def _listed(api: AccountReports, offer: AvailableReport, asked: Mapping[str, Any]) -> set[str]:
    """The names the server lists; of a report no schema describes, those in the server's own form, too."""
    names = set(offer.parameters)
    if schema(offer.report) is None and not names.issuperset(asked):
        forms = {each.report: each.parameters_html for each in api.available(cached=True, html=True)}
        names |= set(_IN_FORM.findall(forms.get(offer.report) or ""))
    return names


def _term(api: AccountReports, report: str, name: str) -> int:
    try:
        return term_id(name, api.terms())
    except CanvasReportsError as error:
        error.located(account=api.account, report=report, run_id=None)
        raise


def start_once(
    api: AccountReports,
    report: str,
    wire: Mapping[str, Any],
    *,
    known: Collection[int] | None,
) -> tuple[ReportRun, bool]:
    """Start a run, or join the equal one Canvas says is in flight.

    Where the answer is lost, the run may have been queued all the same: it is looked for in Canvas's
    list, and only when it is not there the request is sent again.

    Parameters
    ----------
    known : collection of int or None
        The runs Canvas listed before: none of them is the one whose answer is lost. ``None`` to ask.

    Returns
    -------
    ReportRun, bool
        And whether it was joined: it is somebody else's, too.
    """
    if known is None:
        known = _listed_now(api, report)
    began = api.waiter.now()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            run = api.start(report, wire)
        except DuplicateRunError as duplicate:
            # After a lost answer Canvas may well mean the run which that one has started.
            joined = attempt == 1 or duplicate.run.id in known
            return api.show(report, duplicate.run.id), joined
        except (ThrottledError, UserAgentRefusedError):
            raise
        except (NotReachedError, ServerError) as lost:
            _LOG.warning(
                "%s: the answer to the start was lost (%s); looking for the run", report, lost.message
            )
            api.waiter.pause(_PAUSE * attempt)
            found = _find(api, report, wire, known, began)
            if found is None and (attempt == _ATTEMPTS or api.waiter.is_expired):
                raise
            if found is None:
                continue
            run = found
        _compare(report, wire, run)
        return run, False
    raise AssertionError("the last attempt returns or raises")


def _listed_now(api: AccountReports, report: str) -> set[int]:
    try:
        return {run.id for run in islice(api.index(report), _PAGE)}
    except CanvasReportsError as error:
        # Only a lost answer ever needs the list; a start must not fail for it.
        _LOG.debug("%s: the runs before the start are not known: %s", report, error.message)
        return set()


def _find(
    api: AccountReports, report: str, wire: Mapping[str, Any], known: Collection[int], began: datetime
) -> ReportRun | None:
    wanted = comparable(report, wire)
    for run in api.index(report):
        if run.created_at and run.created_at < began - _SKEW:
            return None
        if run.id not in known and comparable(report, asked_of(report, run.parameters)) == wanted:
            return run
    return None


def _compare(report: str, wire: Mapping[str, Any], run: ReportRun) -> None:
    """Say so where Canvas understood something else than was asked."""
    sent, stored = dict(comparable(report, wire)), dict(comparable(report, asked_of(report, run.parameters)))
    if sent != stored:
        odd = sorted(name for name in sent.keys() | stored.keys() if sent.get(name) != stored.get(name))
        warnings.warn(
            f"{report} run {run.id}: Canvas stored other parameters than were sent; they differ in {', '.join(odd)}.",
            ReportWarning,
            stacklevel=2,
        )
