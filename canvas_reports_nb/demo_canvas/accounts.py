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


def account_id(world: World, request: Request) -> int:
    """Return the account in the path, in any of Canvas's spellings; an unknown one is refused with 404."""
    number = resolve_account(world, request.path_params["account"])
    if number is None:
        raise refusals.not_found()
    return number


async def own_accounts(canvas: Canvas, request: Request) -> Response:
    """GET accounts: those that the token's owner administers, here the root."""
    world = await canvas.world()
    roots = [row for row in world.accounts.to_dicts() if row["id"] == ROOT]
    return page_reply(canvas, request, roots, lambda row: account_body(world, row))


async def account(canvas: Canvas, request: Request) -> Response:
    """GET accounts/:account_id."""
    world = await canvas.world()
    number = account_id(world, request)
    row = next(row for row in world.accounts.to_dicts() if row["id"] == number)
    return json_reply(canvas, request, account_body(world, row))


async def sub_accounts(canvas: Canvas, request: Request) -> Response:
    """GET accounts/:account_id/sub_accounts: the direct children, or with `recursive` the whole tree."""
    world = await canvas.world()
    rows = [row for row in world.accounts.to_dicts() if row["status"] == "active"]
    above, listed = {account_id(world, request)}, []
    while children := [row for row in rows if row["parent_id"] in above]:
        listed += children
        above = {row["id"] for row in children}
        if request.query_params.get("recursive", "").lower() not in {"true", "1"}:
            break
    return page_reply(canvas, request, listed, lambda row: account_body(world, row))


async def terms(canvas: Canvas, request: Request) -> Response:
    """GET accounts/:account_id/terms: the active ones, unless `workflow_state` asks for others."""
    world = await canvas.world()
    account_id(world, request)
    asked = request.query_params
    wanted = {*asked.getlist("workflow_state[]"), *asked.getlist("workflow_state")} or {"active"}
    rows = [row for row in world.terms.to_dicts() if "all" in wanted or row["status"] in wanted]
    return page_reply(canvas, request, rows, lambda row: term_body(row, world.zone), "enrollment_terms")


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
