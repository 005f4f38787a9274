"""The five reports on courses."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.demo_canvas.reports.csv_out import Rows, Table
from canvas_reports_nb.demo_canvas.reports.headers import HEADERS

if TYPE_CHECKING:
    from canvas_reports_nb.demo_canvas.reports.parameters import Request

__all__ = ["course_storage", "public_courses", "recently_deleted", "unpublished_courses", "unused_courses"]

_RECENT = timedelta(days=30)
_LIVE = pl.col("status") != "deleted"


def _listed(report: str, request: Request, which: pl.Expr) -> list[Table]:
    """Return a plain list of courses, with dates only where a course enforces them."""
    frame = request.courses().filter(which)
    dates = {
        head: pl.when("restricted").then(column)
        for head, column in (("start date", "start_at"), ("end date", "end_at"))
    }
    named = frame.with_columns(**dates).rename({"sis_id": "sis id", "code": "short name"})
    return [Table(report, HEADERS[report][report], Rows(named))]


def unpublished_courses(request: Request) -> list[Table]:
    """Return courses never published."""
    return _listed("unpublished_courses_csv", request, pl.col("status") == "unpublished")


def public_courses(request: Request) -> list[Table]:
    """Return courses anybody may see."""
    return _listed("public_courses_csv", request, pl.col("public") & _LIVE)


def recently_deleted(request: Request) -> list[Table]:
    """Return courses deleted within thirty days."""
    recent = pl.col("updated_at") > request.world.now - _RECENT
    return _listed("recently_deleted_courses_csv", request, ~_LIVE & recent)


def course_storage(request: Request) -> list[Table]:
    """Return the megabytes of each course."""
    accounts = request.world.accounts.select(
        pl.col("sis_id").alias("account sis id"), pl.col("name").alias("account name"), account_id="id"
    )
    frame = request.courses().filter(_LIVE).join(accounts, on="account_id", how="left", maintain_order="left")
    named = frame.rename(
        {"sis_id": "sis id", "code": "short name", "account_id": "account id"}
        | {"storage_mb": "storage used in MB", "files_mb": "sum of all files in MB"}
    )
    return [Table("course_storage_csv", HEADERS["course_storage_csv"]["course_storage_csv"], Rows(named))]


def unused_courses(request: Request) -> list[Table]:
    """Return courses that hold nothing."""
    words = {"available": "active", "completed": "concluded"}
    frame = request.courses().filter(pl.col("unused") & _LIVE).with_columns(pl.col("status").replace(words))
    named = frame.rename(
        {"id": "course id", "sis_id": "course sis id", "code": "short name", "name": "long name"}
        | {"created_at": "created at"}
    )
    return [Table("unused_courses_csv", HEADERS["unused_courses_csv"]["unused_courses_csv"], Rows(named))]
