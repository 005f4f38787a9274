"""The SIS export: the part of the provisioning report that a SIS could import again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.demo_canvas.reports.csv_out import Rows, Table
from canvas_reports_nb.demo_canvas.reports.headers import HEADERS
from canvas_reports_nb.demo_canvas.reports.provisioning import provisioning_rows

if TYPE_CHECKING:
    from canvas_reports_nb.demo_canvas.reports.parameters import Request

__all__ = ["sis_tables"]

# What a SIS must have named for a row to appear in its export.
_NAMED: dict[str, pl.Expr] = {
    "users": pl.col("user_id").is_not_null(),
    "accounts": pl.col("account_id").is_not_null(),
    "terms": pl.col("term_id").is_not_null(),
    "courses": pl.col("course_id").is_not_null(),
    "sections": pl.col("section_id").is_not_null(),
    "enrollments": pl.col("user_id").is_not_null()
    & (pl.col("course_id").is_not_null() | pl.col("section_id").is_not_null())
    & pl.col("status").is_in(["active", "concluded", "inactive", "deleted"]),
    "groups": pl.col("group_id").is_not_null(),
    "group_membership": pl.col("created_by_sis"),
    "group_categories": pl.col("created_by_sis"),
    "xlist": pl.col("xlist_course_id").is_not_null(),
    "user_observers": pl.col("created_by_sis"),
    "admins": pl.col("created_by_sis"),
}


def _importable(name: str, rows: Rows, part: pl.DataFrame) -> pl.DataFrame:
    frame = rows.build(part).filter(_NAMED[name])
    if name == "users":
        return frame.with_columns(password=pl.lit(None, dtype=pl.String))
    if name == "courses":
        return frame.with_columns(
            status=pl.col("status").replace({"unpublished": "active", "concluded": "completed"})
        )
    return frame


def sis_tables(request: Request) -> list[Table]:
    """Return the selected tables in the SIS import format."""
    header = HEADERS["sis_export_csv"]
    return [
        Table(name, header[name], Rows(rows.source, partial(_importable, name, rows)))
        for name, rows in provisioning_rows(request).items()
    ]
