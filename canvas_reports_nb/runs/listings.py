"""The account's reports, terms and sub-accounts, and the past runs of one report, as frames."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from canvas_reports_nb.canvas_api.models import parse_time
from canvas_reports_nb.catalog.parameters import asked_of
from canvas_reports_nb.catalog.terms import is_current
from canvas_reports_nb.frames.provenance import HISTORY_KEY
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun

_TIME = "datetime64[us, UTC]"


def reports_frame(offers: Iterable[AvailableReport]) -> pd.DataFrame:
    """Return one row per report, with the columns of `Connection.reports`."""
    rows = [
        {
            "report": offer.report,
            "title": offer.title,
            "parameters": ", ".join(offer.parameters),
            "tables": ", ".join(offer.columns),
            "last_run": offer.last_run.created_at if offer.last_run else None,
            "last_status": offer.last_run.status if offer.last_run else None,
            "last_run_id": offer.last_run.id if offer.last_run else None,
        }
        for offer in offers
    ]
    types = {
        "report": TEXT,
        "title": TEXT,
        "parameters": TEXT,
        "tables": TEXT,
        "last_run": _TIME,
        "last_status": TEXT,
        "last_run_id": "Int64",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def terms_frame(terms: Iterable[Mapping[str, Any]], now: datetime) -> pd.DataFrame:
    """Return one row per term, in the order given, with the columns of `Connection.terms`."""
    rows = {
        int(term["id"]): {
            "term_id": int(term["id"]),
            "name": _text(term.get("name")),
            "sis_term_id": _text(term.get("sis_term_id")),
            "start_at": parse_time(term.get("start_at")),
            "end_at": parse_time(term.get("end_at")),
            "state": term.get("workflow_state"),
            # The form of a report, which may be all a token can see, has no dates.
            "is_current": is_current(term, now) if "start_at" in term else None,
        }
        for term in terms
    }
    types = {
        "term_id": "Int64",
        "name": TEXT,
        "sis_term_id": TEXT,
        "start_at": _TIME,
        "end_at": _TIME,
        "state": TEXT,
        "is_current": "boolean",
    }
    return pd.DataFrame(list(rows.values()), columns=list(types)).astype(types)


def accounts_frame(accounts: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per account, parents before children, with the columns of `Connection.accounts`."""
    known = {int(account["id"]): account for account in accounts}
    parents = {each: _id(account.get("parent_account_id")) for each, account in known.items()}

    def line(account_id: int) -> list[int]:
        """Return the ids from the top to an account."""
        ids = [account_id]
        while (up := parents[ids[0]]) in known and up not in ids:
            ids.insert(0, up)
        return ids

    lines = {each: line(each) for each in known}
    names = {each: str(account.get("name") or "") for each, account in known.items()}
    rows = [
        {
            "account_id": each,
            "name": _text(known[each].get("name")),
            "sis_account_id": _text(known[each].get("sis_account_id")),
            "parent_id": parents[each],
            "path": " / ".join(names[up] for up in lines[each]),
            "depth": len(lines[each]) - 1,
        }
        for each in sorted(known, key=lambda each: [(names[up].casefold(), up) for up in lines[each]])
    ]
    types = {
        "account_id": "Int64",
        "name": TEXT,
        "sis_account_id": TEXT,
        "parent_id": "Int64",
        "path": TEXT,
        "depth": "Int64",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _text(value: object) -> str | None:
    """Return a text that may be sent as a number; blank means missing."""
    return None if value is None or value == "" else str(value)


def _id(value: object) -> int | None:
    return int(str(value)) if str(value).isdecimal() else None


def history_frame(
    report: str,
    runs: Iterable[ReportRun],
    account: str | None = None,
    stored: Mapping[int, int] = MappingProxyType({}),
) -> pd.DataFrame:
    """Return one row per run, in the order given, with the columns of `Connection.history`.

    ``stored`` has the rows of each run on this disk, which are exact. Its ``attrs`` hold the report and the account, for the title of a chart.
    """
    rows = [
        {
            "run_id": run.id,
            "status": run.status,
            "progress": run.progress,
            "created_at": run.created_at,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "rows": stored.get(run.id, run.rows),
            "parameters": asked_of(run.report, run.parameters),
            "message": run.message,
        }
        for run in runs
    ]
    types = {
        "run_id": "Int64",
        "status": TEXT,
        "progress": "Int64",
        "created_at": _TIME,
        "started_at": _TIME,
        "ended_at": _TIME,
        "rows": "Int64",
        "parameters": "object",
        "message": TEXT,
    }
    made = pd.DataFrame(rows, columns=list(types)).astype(types)
    made.attrs[HISTORY_KEY] = {"report": report, "account": account}
    return made
