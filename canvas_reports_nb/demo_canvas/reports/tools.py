"""Reports on external tools, developer keys, access tokens and ePortfolios."""

import polars as pl

from canvas_reports_nb.demo_canvas.data import attach, restrict

from .csv_out import Rows, iso_text, utc_text
from .parameters import ROOT, Request


def lti_report(request: Request) -> Rows:
    """Return one row per tool installed in an account or a course."""
    world, gone = request.world, pl.col("status") == "deleted"
    closed = world.accounts.select(account_id="id", account_name="name", closed=gone)
    accounts = closed.with_columns(context_id="account_id", gone="closed", context_type=pl.lit("Account"))
    courses = world.courses.select("account_id", context_id="id", course_name="name", gone=gone)
    courses = courses.join(closed.drop("account_name"), on="account_id", how="left")
    courses = courses.with_columns(pl.col("gone") | pl.col("closed").fill_null(False))
    places = pl.concat(
        [accounts, courses.with_columns(context_type=pl.lit("Course"))], how="diagonal_relaxed"
    )
    in_course = (pl.col("context_type") == "Course") & request.within_account()
    in_account = (pl.col("context_type") == "Account") & request.within_account(live=True)
    frame = world.external_tools.join(places, on=["context_type", "context_id"], maintain_order="left")
    shown = pl.lit(True) if request.deleted else ~(pl.col("deleted") | pl.col("gone"))
    return Rows(
        frame.filter(in_course | in_account, shown).with_columns(
            created_at=utc_text("created_at"),
            privacy=pl.when("deleted").then(pl.lit("deleted")).otherwise("privacy"),
        )
    )


def developer_key_report(request: Request) -> Rows:
    """Return the keys owned by this very account, then the site-wide ones, which it inherits."""
    keys = request.world.developer_keys.sort("inherited", maintain_order=True)
    blank = {"placements": "None", "status": "Allow", "endpoints": "All"}
    keys = keys.with_columns(pl.col(name).fill_null(word) for name, word in blank.items())
    return Rows(keys if request.account_id == ROOT else keys.filter("inherited"))


def user_access_tokens(request: Request) -> Rows:
    """Return one row per access token, by user; the word never is printed for a missing time."""
    world = request.world
    tokens = world.tokens.filter(request.associated())
    if request.flag("exclude_deleted_and_expired"):
        current = pl.col("expires_at").is_null() | (pl.col("expires_at") > world.now)
        tokens = tokens.filter(pl.col("status") != "deleted", current)
    # One login represents the owner, possibly a deleted one although another is live.
    logins = request.joined_logins("active", "suspended", "deleted")
    if not request.deleted:
        logins = logins.filter(pl.col("status") != "deleted")
    frame = restrict(restrict(tokens, logins, "user_id"), world.users, "user_id", "sortable")
    frame = frame.sort("user_id", "sortable", "used_at", descending=[False, False, True], nulls_last=False)
    never = iso_text(pl.col("created_at", "expires_at", "used_at"), world.zone).fill_null("never")
    # Canvas may store its own key, of this name, for tokens made by hand.
    by_hand = pl.col("key_id").is_null() | (pl.col("key_name") == "User-Generated").fill_null(False)
    hint = pl.col("hint").str.slice(0, 5)
    visible = pl.when(by_hand).then(pl.format("{}...", hint))
    return Rows(frame.with_columns(never, hint=hint, visible=visible))


def eportfolio_report(request: Request) -> Rows:
    """Return one row per portfolio and login of its owner, for the whole school: active or deleted ones."""
    world = request.world
    frame = world.eportfolios.filter(status="deleted" if request.deleted else "active")
    if request.flag("no_enrollments"):
        enrolled = world.enrollments.select("user_id")
        frame = frame.join(enrolled, on="user_id", how="anti", maintain_order="left")
    logins = request.own_logins.select("user_id", "sis_id", "login")
    frame = frame.join(logins, on="user_id", maintain_order="left_right")
    frame = frame.with_columns(
        utc_text("created_at"), utc_text("updated_at"), pl.col("public").cast(pl.String).fill_null("")
    )
    return Rows(attach(frame, world.users, "user_id", author="name"))
