"""The account's reports, and the past runs of one report, as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from canvas_reports_nb.catalog.parameters import asked_of
from canvas_reports_nb.frames.provenance import HISTORY_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        "report": "str",
        "title": "str",
        "parameters": "str",
        "tables": "str",
        "last_run": _TIME,
        "last_status": "str",
        "last_run_id": "Int64",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def history_frame(report: str, runs: Iterable[ReportRun], account: str | None = None) -> pd.DataFrame:
    """Return one row per run, in the order given, with the columns of `Connection.history`.

    Its ``attrs`` hold the report and the account, for the title of a chart.
    """
    rows = [
        {
            "run_id": run.id,
            "status": run.status,
            "progress": run.progress,
            "created_at": run.created_at,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "rows": run.current_line,
            "parameters": asked_of(run.report, run.parameters),
            "message": run.message,
        }
        for run in runs
    ]
    types = {
        "run_id": "Int64",
        "status": "str",
        "progress": "Int64",
        "created_at": _TIME,
        "started_at": _TIME,
        "ended_at": _TIME,
        "rows": "Int64",
        "parameters": "object",
        "message": "str",
    }
    made = pd.DataFrame(rows, columns=list(types)).astype(types)
    made.attrs[HISTORY_KEY] = {"report": report, "account": account}
    return made
