"""Who and what can do too much: access tokens, administrators with what they can reach, and external tools."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.provisioning.courses import account_tree
from canvas_reports_nb.analysis.provisioning.people import merge_logins
from canvas_reports_nb.analysis.provisioning.tables import has_status, takes_tables
from canvas_reports_nb.catalog.parameters import is_number
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    require_columns,
    require_times,
    to_lazy,
)

__all__ = ["admins", "tokens", "tools"]

_TOKEN = ("user id", "expiration", "last used", "dev key name")
# Of files without the id of the token.
_OLDER_KEY = ("user id", "token hint", "dev key id")
_OPTIONAL = (*_OLDER_KEY, "id", "user name", "purpose", "creation", "status")
_TIMES = {"creation": "created", "expiration": "expires", "last used": "last_used"}
_BY_HAND = "User-Generated"
_TOOL = ("context_type", "context_id", "tool_type_name", "tool_created_at", "launch_url")
# What a tool learns about people, the most first.
_PRIVACY = {"public": 0, "email_only": 1, "name_only": 2, "anonymous": 3}
_FORMATS = ("%+", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


def __dir__() -> list[str]:
    return __all__


def _kinds_of(given: Mapping[str, Any]) -> str:
    kinds = given["kinds"]
    return (
        f"Active and pending access tokens of {'every kind' if kinds is None else ', '.join(as_list(kinds))}: idle "
        f"after {given['idle']} days without use, old after {given['old']} days, expiring within {given['soon']} days."
    )


@defined(_kinds_of)
def tokens(
    report: FrameT,
    *,
    now: str | date,
    admins: Any = None,
    users: Any = None,
    idle: int = 180,
    old: int = 365,
    soon: int = 30,
    kinds: Collection[str] | None = (_BY_HAND,),
) -> FrameT:
    """List the access tokens, those with the most reasons to revoke them first.

    Parameters
    ----------
    report : frame
        ``user_access_tokens_csv`` of any kind. A token listed for several logins counts once.
    now : str, date or datetime
        The time to judge them at, in UTC if it has no zone: ``"2026-03-02"``.
    admins, users : frame, optional
        These tables of a provisioning_csv run.
    idle, old, soon : int
        Days since the last use, days since the creation, and days until the end that make a finding.
    kinds : collection of str, optional
        Names of developer keys. The tokens that people make themselves are ``User-Generated``, also where the report
        leaves the key blank. ``None`` lists those of apps, too, which by design don't expire.

    Returns
    -------
    frame
        The kind of ``report``, one row per active or pending token: ``user id``, ``id`` of the token (Int64),
        ``name``, ``purpose``, ``kind`` (text); ``created``, ``expires``, ``last_used`` (UTC; missing for never);
        ``age_days``, ``idle_days``, ``expires_in_days`` (Int64, between the dates in UTC); ``is_admin`` and
        ``has_active_login`` (boolean; missing without ``admins`` and ``users``); ``findings`` (text, joined with
        "; "): expired, never used, idle, no expiry, old, expiring, no purpose, admin, no active login. The hint of a
        token is left out. Columns that an older file lacks are missing, and give no findings.

    Examples
    --------
    >>> tokens = crn.access.tokens(canvas.read_report("user_access_tokens_csv"), now="2026-03-02")
    >>> tokens[["name", "findings"]].head(2).values.tolist()
    [['Suprapto', 'expired; never used; old; no purpose'], ['Ellery, Piper', 'no expiry; old; no purpose']]
    """
    for name, days in (("idle", idle), ("old", old), ("soon", soon)):
        if not is_number(days):
            raise ParameterError(f"Can't use {name}={days!r}.", hint=f"Give a number of days: {name}=30.")
    at = _moment(now)
    rows = to_lazy(report, (*_TOKEN, *_OPTIONAL))
    key = ("id",) if "id" in rows.collect_schema() else _OLDER_KEY
    require_columns(rows, (*_TOKEN, *key), "tokens", given=report)
    rows = _once_per_token(rows, key)
    if kinds is not None:
        rows = rows.filter(pl.col("kind").is_in(as_list(kinds)))
    rows = _with_flag(rows, "is_admin", report, admins, "tokens, in admins,")
    rows = _with_flag(rows, "has_active_login", report, users, "tokens, in users,")
    day = pl.lit(at.date())
    since = {"age_days": day - pl.col("created").dt.date(), "idle_days": day - pl.col("last_used").dt.date()}
    rows = rows.with_columns(
        **{name: days.dt.total_days() for name, days in since.items()},
        expires_in_days=(pl.col("expires").dt.date() - day).dt.total_days(),
    )
    expired = pl.col("expires") <= pl.lit(at)
    findings = {
        "expired": expired,
        "never used": pl.col("last_used").is_null(),
        "idle": pl.col("idle_days") >= idle,
        "no expiry": pl.col("expires").is_null(),
        "old": pl.col("age_days") >= old,
        "expiring": ~expired & (pl.col("expires_in_days") <= soon),
        "no purpose": pl.col("__purposes") & pl.col("purpose").is_null(),
        "admin": pl.col("is_admin"),
        "no active login": ~pl.col("has_active_login"),
    }
    words = [pl.when(is_found).then(pl.lit(word)) for word, is_found in findings.items()]
    text = pl.concat_str(words, separator="; ", ignore_nulls=True)
    judged = rows.with_columns(
        pl.when(text != "").then(text).alias("findings"),
        pl.sum_horizontal(is_found.fill_null(value=False) for is_found in findings.values()).alias("__worst"),
    )
    worst = judged.sort(
        "__worst", "is_admin", "idle_days", "age_days", "user id", "id",
        descending=[True, True, True, True, False, False], nulls_last=True, maintain_order=True,
    )  # fmt: skip
    return as_kind_of(
        worst.select(
            *("user id", "id", "name", "purpose", "kind", *_TIMES.values()),
            *(*since, "expires_in_days", "is_admin", "has_active_login", "findings"),
        ),
        report,
    )


def _moment(now: str | date) -> datetime:
    """Return a date, a time or its text as a time in UTC."""
    try:
        found = datetime.fromisoformat(now) if isinstance(now, str) else now
        if not isinstance(found, datetime):
            found = datetime(found.year, found.month, found.day)  # noqa: DTZ001 - UTC is added below
    except (AttributeError, ValueError):
        raise ParameterError(f"Can't read now={now!r}.", hint='Give a date: now="2026-03-02".') from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _once_per_token(rows: pl.LazyFrame, key: Collection[str]) -> pl.LazyFrame:
    """Return the active and pending tokens, once each, with typed times and the columns of the newest header."""
    schema = rows.collect_schema()
    if "status" in schema:
        rows = rows.filter(has_status(["active", "pending"]))
    hand = [pl.col(name).is_null() for name in ("dev key id", "dev key name") if name in schema]
    texts = {"user name": "name", "purpose": "purpose"}
    return (
        rows.sort([name for name in ("user name", "purpose") if name in schema], nulls_last=True)
        .unique(key, keep="first", maintain_order=True)
        .select(
            pl.col("user id"),
            pl.col("id") if "id" in schema else pl.lit(None, pl.Int64).alias("id"),
            *(
                (pl.col(name) if name in schema else pl.lit(None, pl.String)).cast(pl.String).alias(new)
                for name, new in texts.items()
            ),
            pl.when(pl.all_horizontal(hand))
            .then(pl.lit(_BY_HAND))
            .otherwise(pl.col("dev key name").cast(pl.String))
            .alias("kind"),
            *(_time(schema, name).alias(new) for name, new in _TIMES.items()),
            pl.lit("purpose" in schema).alias("__purposes"),
        )
        .with_columns(pl.when(pl.col("purpose").str.strip_chars() != "").then(pl.col("purpose")))
    )


def _time(schema: Mapping[str, pl.DataType], name: str) -> pl.Expr:
    """Return a column as times in UTC, without the word never, from times or from their text."""
    kind = schema.get(name)
    if kind is None or kind == pl.Null:
        return pl.lit(None, pl.Datetime("us", "UTC"))
    if isinstance(kind, pl.Datetime):
        found = pl.col(name).cast(pl.Datetime("us", kind.time_zone))
        return found.dt.convert_time_zone("UTC") if kind.time_zone else found.dt.replace_time_zone("UTC")
    if kind == pl.Date:
        return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    text = pl.col(name).cast(pl.String)
    return pl.coalesce(
        text.str.to_datetime(each, time_unit="us", time_zone="UTC", strict=False) for each in _FORMATS
    )


def _with_flag(rows: pl.LazyFrame, flag: str, report: Any, table: Any, analysis: str) -> pl.LazyFrame:
    """Add whether the person has an active row in a table; missing without the table."""
    if table is None:
        return rows.with_columns(pl.lit(None, pl.Boolean).alias(flag))
    found = to_lazy(table, ("canvas_user_id", "status"))
    require_columns(found, ("canvas_user_id",), analysis, given=table)
    check_joinable(rows, "user id", found, "canvas_user_id", made_of=(report, table))
    if "status" in found.collect_schema():
        found = found.filter(has_status(["active"]))
    active = found.select(pl.col("canvas_user_id").alias("user id")).unique()
    flagged = rows.join(active.with_columns(pl.lit(value=True).alias(flag)), on="user id", how="left")
    return flagged.with_columns(pl.col(flag).fill_null(value=False))


@defined(
    "People with an active administrator role, once per account and role; external people have no login or e-mail "
    "address that ends with {internal}."
)
@takes_tables(
    joined={"access": ("user id", "admins", "canvas_user_id")},
    admins=("canvas_user_id", "canvas_account_id", "role"),
    users=("canvas_user_id", "user_id", "login_id", "status"),
    accounts=("canvas_account_id", "account_id", "canvas_parent_id", "name", "status"),
    courses=("canvas_course_id", "canvas_account_id"),
)
def admins(
    tables: Mapping[str, pl.LazyFrame],
    access: Any,
    *,
    internal: Iterable[str] = ("@school.edu",),
) -> pl.LazyFrame:
    """List the administrators with what they can reach, those with the most reach first.

    Parameters
    ----------
    tables : mapping of str to frame
        ``admins``, ``users``, ``accounts`` and ``courses`` of one provisioning_csv run on the root account. If the
        frames are lazy, the accounts are collected.
    access : frame
        ``last_user_access_csv`` of any kind.
    internal : iterable of str
        How logins and e-mail addresses of the school end, in any case: ``internal=("@school.edu", ".school.edu")``.

    Returns
    -------
    frame
        The kind of ``admins``, one row per person, account and role: ``canvas_user_id``, ``user_id``, ``name``,
        ``email`` as in `crn.provisioning.people`; ``canvas_account_id``, ``account_path``, ``role``;
        ``courses_below`` (Int64: in the account and below); ``last_access`` (UTC, the latest of all logins);
        ``external``, ``at_root`` (in the root account), ``no_active_login`` and ``never_seen`` (boolean).
        Administrators of the root account come first, then those with the most courses; among equals external
        people, and those not seen for the longest time.

    Examples
    --------
    >>> files = dict.fromkeys(["admins", "users", "accounts", "courses"], True)
    >>> people = canvas.read_tables("provisioning_csv", **files)
    >>> seen = canvas.read_report("last_user_access_csv")
    >>> admins = crn.access.admins(people, seen, internal=["example.edu"])
    >>> admins[["name", "role", "external"]].head(1).values.tolist()
    [['R. Quill', 'AccountAdmin', False]]
    """
    seen = to_lazy(access, ("user id", "last access at"))
    require_columns(seen, ("last access at",), "admins, in access,", given=access)
    require_times(seen, ("last access at",), "admins, in access,")
    roles = tables["admins"]
    if "status" in roles.collect_schema():
        roles = roles.filter(has_status(["active"]))
    key = ["canvas_user_id", "canvas_account_id", "role"]
    roles = roles.select(pl.col(key[:2]), pl.col("role").cast(pl.String)).drop_nulls(key[:2]).unique()
    last = seen.group_by(canvas_user_id="user id").agg(
        pl.col("last access at").max().cast(pl.Datetime("us", "UTC")).alias("last_access")
    )
    return (
        roles.join(_reach(tables), on="canvas_account_id", how="left")
        .join(_identities(tables, as_list(internal)), on="canvas_user_id", how="left")
        .join(last, on="canvas_user_id", how="left")
        .with_columns(
            pl.col("courses_below").fill_null(0),
            pl.col("external", "no_active_login").fill_null(value=True),
            pl.col("at_root").fill_null(value=True),
            pl.col("last_access").is_null().alias("never_seen"),
        )
        .sort(
            "at_root",
            "courses_below",
            "external",
            "last_access",
            *key,
            descending=[True, True, True, False, False, False, False],
            nulls_last=[True, True, True, False, True, True, True],
        )
        .select(
            *("canvas_user_id", "user_id", "name", "email", "canvas_account_id", "account_path", "role"),
            *("courses_below", "last_access", "external", "at_root", "no_active_login", "never_seen"),
        )
    )


def _reach(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return each account's path and courses; no account above the root is in the report."""
    nobody = pl.LazyFrame(schema={"canvas_course_id": pl.Int64, "canvas_user_id": pl.Int64})
    kind = tables["courses"].collect_schema()["canvas_course_id"]
    nobody = nobody.cast({"canvas_course_id": kind})
    tree = account_tree({"accounts": tables["accounts"], "courses": tables["courses"], "enrollments": nobody})
    return tree.select(
        "canvas_account_id",
        pl.col("path").alias("account_path"),
        pl.col("courses").alias("courses_below"),
        (pl.col("depth") == 0).alias("at_root"),
    )


def _identities(tables: Mapping[str, pl.LazyFrame], endings: Iterable[str]) -> pl.LazyFrame:
    """Return each person's name and addresses, and whether any login is of the school or active."""
    names = tables["users"].collect_schema().names()
    folded = [
        pl.col(name).cast(pl.String).str.to_lowercase() for name in ("login_id", "email") if name in names
    ]
    inside = pl.any_horizontal(
        pl.lit(value=False),
        *(each.str.ends_with(end.lower()).fill_null(value=False) for each in folded for end in endings),
    )
    logins = (
        tables["users"]
        .group_by("canvas_user_id")
        .agg((~inside).all().alias("external"), (~has_status(["active"])).all().alias("no_active_login"))
    )
    person = merge_logins(tables)
    texts = [
        (pl.col(own) if own in names else pl.lit(None)).cast(pl.String).alias(new)
        for own, new in (("user_id", "user_id"), ("full_name", "name"), ("email", "email"))
    ]
    return person.select("canvas_user_id", *texts).join(logins, on="canvas_user_id", how="left")


@defined(
    "External tools by the host they launch and their name: installs in accounts and courses, the courses, and whether the "
    "host is approved or part of an approved one."
)
def tools(report: FrameT, *, approved: Iterable[str] | None = None) -> FrameT:
    """List the external tools by launch host and name, those that are not approved and most used first.

    Parameters
    ----------
    report : frame
        ``lti_report_csv`` of any kind.
    approved : iterable of str, optional
        Approved hosts, such as ``"turnitin.com"``, which also approves ``api.turnitin.com``. In any case.

    Returns
    -------
    frame
        The kind of ``report``, one row per launch host and ``tool_type_name``: ``host`` (text, in lower case; missing
        for a tool without a launch URL), ``tool_type_name``, ``approved`` (boolean; missing without a list),
        ``installs``, ``accounts``, ``courses`` (Int64: how often it is installed, and in how many of each; a tool of
        an account is in all of its courses, which don't count here), ``privacy_level`` (text: the most it learns about
        people at any place), ``first_installed`` and ``last_installed`` (UTC). A deleted tool doesn't count.

    Examples
    --------
    >>> tools = crn.access.tools(canvas.read_report("lti_report_csv"), approved=["example.org"])
    >>> tools[["host", "approved", "installs", "courses"]].head(1).values.tolist()
    [['plag.example.com', False, 1, 0]]
    """
    rows = to_lazy(report, (*_TOOL, "privacy_level"))
    require_columns(rows, _TOOL, "tools", given=report)
    require_times(rows, ("tool_created_at",), "tools")
    url = pl.col("launch_url").cast(pl.String).str.strip_chars().str.to_lowercase()
    host = url.str.extract(r"^(?:[a-z][a-z0-9+.-]*:)?//(?:[^/?#@]*@)?([^/?#:]+)")
    known = "privacy_level" in rows.collect_schema()
    level = pl.col("privacy_level").cast(pl.String) if known else pl.lit(None, pl.String)
    place = {kind: pl.col("context_id").filter(pl.col("__where") == kind) for kind in ("account", "course")}
    tools = (
        rows.with_columns(
            pl.col("context_type").cast(pl.String).str.to_lowercase().alias("__where"),
            host.alias("host"),
            level.alias("__level"),
            pl.col("tool_created_at").cast(pl.Datetime("us", "UTC")),
        )
        .filter(pl.col("__level").ne_missing("deleted"))
        .group_by("host", pl.col("tool_type_name").cast(pl.String))
        .agg(
            pl.len().cast(pl.Int64).alias("installs"),
            *(ids.drop_nulls().n_unique().cast(pl.Int64).alias(f"{kind}s") for kind, ids in place.items()),
            pl.col("__level")
            .sort_by(
                pl.col("__level").replace_strict(_PRIVACY, default=len(_PRIVACY)), "__level", nulls_last=True
            )
            .first()
            .alias("privacy_level"),
            pl.col("tool_created_at").min().alias("first_installed"),
            pl.col("tool_created_at").max().alias("last_installed"),
        )
    )
    allowed = [] if approved is None else [f".{one.strip().lower().strip('.')}" for one in as_list(approved)]
    dotted = pl.concat_str(pl.lit("."), pl.col("host"))
    listed = pl.any_horizontal(
        pl.lit(value=False), *(dotted.str.ends_with(one) for one in allowed if one != ".")
    )
    judged = listed.fill_null(value=False) if approved is not None else pl.lit(None, pl.Boolean)
    order = ("approved", "installs", "host", "tool_type_name")
    return as_kind_of(
        tools.with_columns(judged.alias("approved"))
        .sort(order, descending=[False, True, False, False], nulls_last=True)
        .select(
            *("host", "tool_type_name", "approved", "installs", "accounts", "courses", "privacy_level"),
            *("first_installed", "last_installed"),
        ),
        report,
    )
