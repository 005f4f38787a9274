"""Reports on what is plugged in: external tools, developer keys, access tokens, ePortfolios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from canvas_reports_nb.demo_canvas.reports.csv_out import Rows, Table, iso_text, utc_text
from canvas_reports_nb.demo_canvas.reports.headers import HEADERS
from canvas_reports_nb.demo_canvas.reports.provisioning import members_of

if TYPE_CHECKING:
    from canvas_reports_nb.demo_canvas.reports.parameters import Request

__all__ = ["access_tokens", "developer_keys", "eportfolios", "external_tools"]


def _table(report: str, frame: pl.DataFrame) -> list[Table]:
    return [Table(report, HEADERS[report][report], Rows(frame))]


def external_tools(request: Request) -> list[Table]:
    """Return one row a tool installed in an account or a course."""
    world = request.world
    courses = world.courses.select("account_id", context_type=pl.lit("Course"), context_id="id", course_name="name",
                                   gone=pl.col("status") == "deleted")  # fmt: skip
    accounts = world.accounts.select(account_id="id", context_type=pl.lit("Account"), context_id="id",
                                     course_name=pl.lit(None, dtype=pl.String), gone=pl.col("status") == "deleted")  # fmt: skip
    places = pl.concat([accounts, courses.select(accounts.columns)]).join(
        world.accounts.select(account_id="id", account_name="name"), on="account_id"
    )
    shown = pl.lit(True) if request.deleted else ~(pl.col("deleted") | pl.col("gone"))
    frame = world.external_tools.join(places, on=["context_type", "context_id"], maintain_order="left")
    frame = frame.filter(request.within_account(), shown)
    return _table("lti_report_csv", frame.select(
        "context_type", "context_id", "account_name", "course_name",
        tool_id="id", tool_type_name="name", tool_type_id="tool_id", tool_created_at=utc_text("created_at"),
        privacy_level=pl.when("deleted").then(pl.lit("deleted")).otherwise("privacy"),
        launch_url="url", custom_fields="custom",
    ))  # fmt: skip


def developer_keys(request: Request) -> list[Table]:
    """Return the keys of the school and of the site, whatever account was asked."""
    header = HEADERS["developer_key_report_csv"]["developer_key_report_csv"]
    keys = request.world.developer_keys
    return _table("developer_key_report_csv", keys.rename(dict(zip(keys.columns, header, strict=True))))


def access_tokens(request: Request) -> list[Table]:
    """Return one row an access token; a time that never was prints as the word never."""
    world = request.world
    owner = pl.col("known") if request.deleted else pl.col("usable")
    people = world.users.filter(owner).select("sortable", user_id="id")
    frame = world.tokens.join(people, on="user_id", maintain_order="left").filter(members_of(request))
    if request.flag("exclude_deleted_and_expired"):
        current = pl.col("expires_at").is_null() | (pl.col("expires_at") > world.now)
        frame = frame.filter(pl.col("status") != "deleted", current)
    times = {"creation": "created_at", "expiration": "expires_at", "last used": "used_at"}
    printed = {
        name: iso_text(pl.col(column), world.zone).fill_null("never") for name, column in times.items()
    }
    renamed = {"user_id": "user id", "sortable": "user name", "hint": "token hint", "key_id": "dev key id",
               "key_name": "dev key name"}  # fmt: skip
    dotted = pl.format("{}...", "hint").alias("visible token")
    return _table("user_access_tokens_csv", frame.with_columns(dotted, **printed).rename(renamed))


def eportfolios(request: Request) -> list[Table]:
    """Return one row a portfolio and login of its owner, of the whole school; either live or deleted ones."""
    world = request.world
    frame = world.eportfolios.filter(status="deleted" if request.deleted else "active")
    if request.flag("no_enrollments"):
        frame = frame.join(
            world.enrollments.select("user_id"), on="user_id", how="anti", maintain_order="left"
        )
    logins = world.logins.filter(pl.col("status") != "deleted").select("user_id", "sis_id", "login")
    frame = frame.join(logins, on="user_id", maintain_order="left_right")
    frame = frame.join(
        world.users.select(user_id="id", author_name="name"), on="user_id", maintain_order="left"
    )
    return _table("eportfolio_report_csv", frame.with_columns(
        eportfolio_name="name", eportfolio_id="id", author_id="user_id", author_sis_id="sis_id", author_login_id="login",
        created_at=utc_text("created_at"), updated_at=utc_text("updated_at"), is_public="public", workflow_state="status",
    ))  # fmt: skip
