"""The five reports on courses."""

from datetime import timedelta

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach

from .csv_out import Rows
from .parameters import Request

_RECENT = timedelta(days=30)
_LIVE = pl.col("status") != "deleted"

ENFORCED_DATES = {
    name: pl.when("restricted").then(source)
    for name, source in (("start_date", "start_at"), ("end_date", "end_at"))
}
"""Dates of a course or section count, and print, only where it enforces them."""
STATUS_WORDS = {"available": "active", "completed": "concluded"}
"""What Canvas prints for its own words."""


def _listed(request: Request, which: pl.Expr) -> Rows:
    return Rows(request.courses().filter(which).with_columns(**ENFORCED_DATES))


def unpublished_courses(request: Request) -> Rows:
    """Return courses never published."""
    return _listed(request, pl.col("status") == "unpublished")


def public_courses(request: Request) -> Rows:
    """Return courses anybody may see."""
    return _listed(request, pl.col("public") & _LIVE)


def recently_deleted_courses(request: Request) -> Rows:
    """Return courses deleted within thirty days."""
    return _listed(request, ~_LIVE & (pl.col("updated_at") > request.world.now - _RECENT))


def course_storage(request: Request) -> Rows:
    """Return the megabytes of each course."""
    live = request.courses().filter(_LIVE)
    return Rows(attach(live, request.world.accounts, "account_id", account="name", account_sis="sis_id"))


def unused_courses(request: Request) -> Rows:
    """Return courses that hold nothing."""
    unused = request.courses().filter(pl.col("unused") & _LIVE)
    return Rows(unused.with_columns(pl.col("status").replace(STATUS_WORDS)))
