"""Reports on what is plugged in: external tools, developer keys, access tokens, ePortfolios."""

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, restrict

from .csv_out import Rows, iso_text, utc_text
from .parameters import Request
from .provisioning import members_of


def lti_report(request: Request) -> Rows:
    """Return one row a tool installed in an account or a course."""
    world, gone = request.world, pl.col("status") == "deleted"
    courses = world.courses.select("account_id", context_id="id", course_name="name", gone=gone)
    accounts = world.accounts.select(account_id="id", context_id="id", gone=gone)
    places = pl.concat(
        [
            accounts.with_columns(context_type=pl.lit("Account")),
            courses.with_columns(context_type=pl.lit("Course")),
        ],
        how="diagonal",
    )
    frame = world.external_tools.join(places, on=["context_type", "context_id"], maintain_order="left")
    shown = pl.lit(True) if request.deleted else ~(pl.col("deleted") | pl.col("gone"))
    frame = frame.filter(request.within_account(), shown).with_columns(
        created_at=utc_text("created_at"),
        privacy=pl.when("deleted").then(pl.lit("deleted")).otherwise("privacy"),
    )
    return Rows(attach(frame, world.accounts, "account_id", account_name="name"))


def developer_key_report(request: Request) -> Rows:
    """Return the keys of the school and of the site, whatever account was asked."""
    return Rows(request.world.developer_keys)


def user_access_tokens(request: Request) -> Rows:
    """Return one row an access token; a time that never was prints as the word never."""
    world = request.world
    tokens = world.tokens.filter(members_of(request))
    if request.flag("exclude_deleted_and_expired"):
        current = pl.col("expires_at").is_null() | (pl.col("expires_at") > world.now)
        tokens = tokens.filter(pl.col("status") != "deleted", current)
    frame = restrict(tokens, world.users.filter(request.has_login()), "user_id", "sortable")
    times = pl.col("created_at", "expires_at", "used_at")
    never = iso_text(times, world.zone).fill_null("never")
    return Rows(frame.with_columns(never, visible=pl.format("{}...", "hint")))


def eportfolio_report(request: Request) -> Rows:
    """Return one row a portfolio and login of its owner, of the whole school; either live or deleted ones."""
    world = request.world
    frame = world.eportfolios.filter(status="deleted" if request.deleted else "active")
    if request.flag("no_enrollments"):
        enrolled = world.enrollments.select("user_id")
        frame = frame.join(enrolled, on="user_id", how="anti", maintain_order="left")
    logins = world.logins.filter(pl.col("status") != "deleted").select("user_id", "sis_id", "login")
    frame = frame.join(logins, on="user_id", maintain_order="left_right")
    frame = frame.with_columns(utc_text("created_at"), utc_text("updated_at"))
    return Rows(attach(frame, world.users, "user_id", author="name"))
