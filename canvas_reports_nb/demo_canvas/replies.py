"""JSON replies, whole or in pages with Canvas's Link header."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from . import refusals
from .bodies import stringified
from .canvas import Canvas

T = TypeVar("T")
JSON = "application/json; charset=utf-8"
STRING_IDS = "application/json+canvas-string-ids"
DEFAULT_PER_PAGE, LARGEST_PAGE, OLD_LARGEST_PAGE = 10, 100, 50
HEADER_LIMIT = 6_000
UNREPEATED = frozenset({"page", "per_page", "access_token", "api_key"})
LINK_ORDER = ("current", "next", "prev", "first", "last")
LINK_PRIORITY = ("next", "last", "prev", "current", "first")
"""Links that don't fit into the header are dropped from the end of this list."""


def json_reply(canvas: Canvas, request: Request, body: object, status: int = 200) -> Response:
    """Return `body` as JSON, with ids as text if the client, or a scenario, asks for that."""
    if STRING_IDS in request.headers.get("accept", "") or any(s.string_ids for s in canvas.scenarios):
        body = stringified(body)
    return Response(json.dumps(body, separators=(",", ":")), status, {"content-type": JSON})


def page_reply(
    canvas: Canvas,
    request: Request,
    items: Sequence[T],
    body: Callable[[T], object],
    root: str | None = None,
    *,
    has_last: bool = True,
) -> Response:
    """Return the page of `items` that the request asks for; `root` is the key of an object around the list."""
    url = f"{canvas.hosts.api}{request.url.path}"
    largest = OLD_LARGEST_PAGE if canvas.options.old else LARGEST_PAGE
    query = request.query_params.multi_items()
    page, link = paginate(items, url, query, largest, has_last=has_last)
    listed = [body(item) for item in page]
    reply = json_reply(canvas, request, listed if root is None else {root: listed})
    reply.headers["Link"] = link
    return reply


def refusal_reply(canvas: Canvas, request: Request, refusal: refusals.Refusal) -> Response:
    """Return a refusal as a response."""
    if isinstance(refusal.body, str):
        headers = {"content-type": refusal.media_type, **refusal.headers}
        return Response(refusal.body, refusal.status, headers)
    reply = json_reply(canvas, request, refusal.body, refusal.status)
    reply.headers.update(refusal.headers)
    return reply


def paginate(
    items: Sequence[T],
    url: str,
    query: Iterable[tuple[str, str]],
    largest: int = LARGEST_PAGE,
    *,
    has_last: bool = True,
) -> tuple[Sequence[T], str]:
    """Return the page of `items` that `query` asks for, and its Link header.

    The links keep every query parameter but credentials; `per_page` is silently limited to `largest`.

    Raises
    ------
    refusals.Refusal
        404, if the page is not a positive number.
    """
    asked = dict(query)
    number = _integer(asked.get("page", "1"), 0)
    if number < 1:
        raise refusals.not_found()
    # A per_page that is not a number counts as 1, not as the default.
    size = min(max(_integer(asked.get("per_page", str(DEFAULT_PER_PAGE)), 1), 1), largest)
    last = max(1, -(-len(items) // size))
    pages = {"current": number, "first": 1} | ({"last": last} if has_last else {})
    if number < last:
        pages["next"] = number + 1
    if number > 1:
        pages["prev"] = number - 1
    kept = [(k, v) for k, v in query if k not in UNREPEATED]
    links = {
        rel: f'<{url}?{urlencode([*kept, ("page", page), ("per_page", size)], safe="[]")}>; rel="{rel}"'
        for rel, page in pages.items()
    }
    return items[(number - 1) * size : number * size], _header(links)


def _header(links: dict[str, str]) -> str:
    fitting: set[str] = set()
    room = HEADER_LIMIT
    for rel in LINK_PRIORITY:
        if rel in links and len(links[rel]) < room:
            room -= len(links[rel]) + 1
            fitting.add(rel)
    return ",".join(links[rel] for rel in LINK_ORDER if rel in fitting)


def _integer(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() else default
