"""JSON replies, whole or in pages."""

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from . import answers
from .bodies import stringified
from .canvas import Canvas
from .pagination import NoSuchPageError, paginate

T = TypeVar("T")
JSON = "application/json; charset=utf-8"
STRING_IDS = "application/json+canvas-string-ids"
LARGEST_PAGE, OLD_LARGEST_PAGE = 100, 50


def json_reply(canvas: Canvas, request: Request, body: object, status: int = 200) -> Response:
    """Return `body` as JSON, with ids as text if the client, or a scenario, wants so."""
    if STRING_IDS in request.headers.get("accept", "") or any(s.string_ids for s in canvas.scenarios):
        body = stringified(body)
    return Response(json.dumps(body, separators=(",", ":")), status, {"content-type": JSON})


def page_reply(
    canvas: Canvas, request: Request, items: Sequence[T], body: Callable[[T], object], root: str | None = None
) -> Response:
    """Return the page of `items` that the request asks for.

    Parameters
    ----------
    root
        Key of an object around the list, where there is one.
    """
    url = f"{canvas.hosts.api}{request.url.path}"
    largest = OLD_LARGEST_PAGE if canvas.settings.old else LARGEST_PAGE
    try:
        page = paginate(items, url, request.query_params.multi_items(), largest)
    except NoSuchPageError:
        raise answers.not_found() from None
    listed = [body(item) for item in page.items]
    reply = json_reply(canvas, request, listed if root is None else {root: listed})
    reply.headers["Link"] = page.link
    return reply


def refusal_reply(canvas: Canvas, request: Request, refusal: answers.Refusal) -> Response:
    """Return what a refusal says."""
    if isinstance(refusal.body, str):
        headers = {"content-type": refusal.media_type, **refusal.headers}
        return Response(refusal.body, refusal.status, headers)
    reply = json_reply(canvas, request, refusal.body, refusal.status)
    reply.headers.update(refusal.headers)
    return reply
