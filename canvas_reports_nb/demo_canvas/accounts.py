"""Accounts, terms, courses and the token's owner: the calls around the reports."""

import polars as pl
from starlette.requests import Request
from starlette.responses import Response

from . import refusals
from .bodies import account_body, course_body, term_body, user_body
from .canvas import Canvas
from .replies import json_reply, page_reply
from .reports import resolve_account
from .world import World

ROOT = 1
TERM_STATES = frozenset({"active", "deleted", "all"})


def account_id(world: World, request: Request) -> int:
    """Return the account in the path, in any of Canvas's spellings; an unknown one is refused with 404."""
    number = resolve_account(world, request.path_params["account"])
    if number is None:
        raise refusals.not_found()
    return number


def permitted_account(canvas: Canvas, world: World, request: Request) -> int:
    """Return the account in the path, if the token's owner administers it or one above it."""
    number = account_id(world, request)
    if canvas.options.administers != ROOT and number not in world.subtree(canvas.options.administers):
        raise refusals.no_permission(old=canvas.options.old)
    return number


def _sees_sis(canvas: Canvas) -> bool:
    return canvas.options.administers == ROOT


async def own_accounts(canvas: Canvas, request: Request) -> Response:
    """GET accounts: those that the token's owner administers."""
    world = await canvas.world()
    own = world.accounts.filter(id=canvas.options.administers).to_dicts()
    return page_reply(canvas, request, own, lambda row: account_body(world, row, sees_sis=_sees_sis(canvas)))


async def account(canvas: Canvas, request: Request) -> Response:
    """GET accounts/:account_id."""
    world = await canvas.world()
    (row,) = world.accounts.filter(id=permitted_account(canvas, world, request)).to_dicts()
    return json_reply(canvas, request, account_body(world, row, sees_sis=_sees_sis(canvas)))


async def sub_accounts(canvas: Canvas, request: Request) -> Response:
    """GET accounts/:account_id/sub_accounts: the direct children, or with `recursive` the whole tree."""
    world = await canvas.world()
    rows = world.accounts.filter(status="active").to_dicts()
    above, listed = {permitted_account(canvas, world, request)}, []
    recursive = request.query_params.get("recursive", "").lower() in {"true", "1"}
    while children := [row for row in rows if row["parent_id"] in above]:
        listed += children
        above = {row["id"] for row in children}
        if not recursive:
            break
    if request.query_params.get("order") == "name" and not recursive:
        listed.sort(key=lambda row: row["name"])
    # A recursive list doesn't know its length, so it has no link to the last page.
    return page_reply(
        canvas,
        request,
        listed,
        lambda row: account_body(world, row, sees_sis=_sees_sis(canvas)),
        has_last=not recursive,
    )


async def terms(canvas: Canvas, request: Request) -> Response:
    """GET accounts/:account_id/terms of a root account, newest start first; missing starts come before all."""
    world = await canvas.world()
    if account_id(world, request) != ROOT:
        raise refusals.not_a_root_account()
    asked = request.query_params
    states = {*asked.getlist("workflow_state[]"), *asked.getlist("workflow_state")} & TERM_STATES or {
        "active"
    }
    part = asked.get("term_name", "").lower()
    found = world.terms.sort("start_at", "end_at", "id", descending=[True, True, False], nulls_last=False)
    rows = [
        row
        for row in found.to_dicts()
        if ("all" in states or row["status"] in states) and part in (row["name"] or "").lower()
    ]
    sees = _sees_sis(canvas)
    return page_reply(
        canvas, request, rows, lambda row: term_body(world, row, sees_sis=sees), "enrollment_terms"
    )


async def course(canvas: Canvas, request: Request) -> Response:
    """GET courses/:id."""
    world = await canvas.world()
    rows = world.courses.filter(pl.col("id") == request.path_params["id"]).to_dicts()
    if not rows:
        raise refusals.not_found()
    return json_reply(canvas, request, course_body(rows[0]))


async def myself(canvas: Canvas, request: Request) -> Response:
    """GET users/self."""
    return json_reply(canvas, request, user_body(await canvas.world()))
