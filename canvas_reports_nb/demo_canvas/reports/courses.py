"""The five reports on courses."""

from datetime import timedelta

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach

from .csv_out import Rows
from .parameters import Request

_RECENT = timedelta(days=30)
_PRESENT = pl.col("status") != "deleted"
UNPUBLISHED = ("unpublished", "created", "claimed")

ENFORCED_DATES = {
    name: pl.when("restricted").then(source)
    for name, source in (("start_date", "start_at"), ("end_date", "end_at"))
}
"""Dates of a course or section are printed only if it restricts enrollments to them."""
STATUS_WORDS = {
    **dict.fromkeys(UNPUBLISHED, "unpublished"), "available": "active", "completed": "concluded"
}  # fmt: skip
"""What Canvas prints for the states of courses."""


def _listed(request: Request, which: pl.Expr) -> Rows:
    return Rows(request.courses().filter(which).with_columns(**ENFORCED_DATES))


def unpublished_courses(request: Request) -> Rows:
    """Return courses never published."""
    return _listed(request, pl.col("status").is_in(UNPUBLISHED))


def public_courses(request: Request) -> Rows:
    """Return courses that anyone may see, in every state but deleted."""
    return _listed(request, pl.col("public") & _PRESENT)


def recently_deleted_courses(request: Request) -> Rows:
    """Return deleted courses last updated within thirty days."""
    return _listed(request, ~_PRESENT & (pl.col("updated_at") > request.world.now - _RECENT))


def course_storage(request: Request) -> Rows:
    """Return the megabytes of each course."""
    megabytes = pl.col("storage_mb", "files_mb").fill_null(0.0)
    present = request.courses().filter(_PRESENT).with_columns(megabytes)
    return Rows(attach(present, request.world.accounts, "account_id", account="name", account_sis="sis_id"))


def unused_courses(request: Request) -> Rows:
    """Return courses without content."""
    unused = request.courses().filter(pl.col("unused") & _PRESENT)
    return Rows(unused.with_columns(pl.col("status").replace(STATUS_WORDS)))
