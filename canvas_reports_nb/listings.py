"""Lists as frames: the reports on offer, the past runs of one, the runs in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from canvas_reports_nb.parameters import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from canvas_reports_nb.models import AvailableReport, ReportRun
    from canvas_reports_nb.stored import StoredRun

__all__ = ["HISTORY_KEY", "history_frame", "reports_frame", "store_frame"]

#: Key in ``DataFrame.attrs``. Not the one of a table's origin: a list of runs is no table of a run.
HISTORY_KEY = "canvas_history"
_TIME = "datetime64[us, UTC]"


def reports_frame(offers: Iterable[AvailableReport]) -> pd.DataFrame:
    """One row a report; the columns are those of `Connection.reports`."""
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
    """One row a run, in the order given; the columns are those of `Connection.history`.

    Report and account are in its ``attrs``, for a chart's title.
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
            "parameters": asked_of(report, run.parameters),
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


def store_frame(runs: Iterable[StoredRun], now: datetime) -> pd.DataFrame:
    """One row a stored run; the columns are those of `Store.info`."""
    rows = [
        {
            "report": run.provenance.report,
            "run_id": run.provenance.run_id,
            "host": run.provenance.host,
            "account": run.provenance.account,
            "tables": ", ".join(run.tables),
            "rows": sum(run.provenance_of(table).rows or 0 for table in run.tables),
            "bytes": run.size,
            "finished_at": run.finished_at,
            "age": now - run.finished_at,
            "parameters": run.provenance.parameters,
        }
        for run in runs
    ]
    types = {
        "report": "str",
        "run_id": "Int64",
        "host": "str",
        "account": "str",
        "tables": "str",
        "rows": "Int64",
        "bytes": "Int64",
        "finished_at": _TIME,
        "age": "timedelta64[us]",
        "parameters": "object",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)
