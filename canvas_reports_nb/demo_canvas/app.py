"""The two web applications of the demo Canvas, and the checks on every request."""

from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import account_reports, accounts, downloads, refusals
from .bodies import USER_ID, local_time
from .canvas import Canvas, RequestRecord
from .replies import refusal_reply
from .scenarios import Call

Handler = Callable[[Canvas, Request], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]
SHARD = 10**13
"""Global ids are the number of the shard times this, plus the id there."""
MASKED = frozenset({"access_token", "token", "verifier"})
METHODS = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]

API: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/accounts", accounts.own_accounts),
    ("GET", "/accounts/{account}", accounts.account),
    ("GET", "/accounts/{account}/sub_accounts", accounts.sub_accounts),
    ("GET", "/accounts/{account}/terms", accounts.terms),
    ("GET", "/courses/{id:int}", accounts.course),
    ("GET", "/users/self", accounts.myself),
    ("GET", "/accounts/{account}/reports", account_reports.available),
    ("POST", "/accounts/{account}/reports/{report}", account_reports.start),
    ("GET", "/accounts/{account}/reports/{report}", account_reports.index),
    ("GET", "/accounts/{account}/reports/{report}/{id}", account_reports.show),
    ("DELETE", "/accounts/{account}/reports/{report}/{id}", account_reports.delete),
    ("PUT", "/accounts/{account}/reports/{report}/{id}/abort", account_reports.abort),
)
FILES = ("/files/{file:int}/download", "/accounts/{account}/files/{file:int}/download")


def build(canvas: Canvas, files_port: int, middleware: Callable[[ASGIApp], ASGIApp] | None = None) -> ASGIApp:
    """Return the application of both listeners; the one on `files_port` serves file bodies only."""
    api = [Route(f"/api/v1{path}", _api(canvas, handler), methods=[method]) for method, path, handler in API]
    web = [Route(path, _download(canvas)) for path in FILES]
    login, unknown = _open(canvas, _login), _api(canvas, _not_found)
    rest = [Route("/login", login), Route("/{path:path}", unknown, methods=METHODS)]
    body = Route("/files/{uuid}/{name}", _open(canvas, downloads.deliver))
    canvas_host = Starlette(routes=[*api, *web, *rest])
    files_host = Starlette(routes=[body, Route("/{path:path}", _open(canvas, _not_found), methods=METHODS)])

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        host = files_host if scope["server"][1] == files_port else canvas_host
        await host(scope, receive, send)

    wrapped = both if middleware is None else middleware(both)

    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        await wrapped(scope, receive, partial(_record, canvas, scope, send))

    return recorded


async def _record(canvas: Canvas, scope: Scope, send: Send, message: Message) -> None:
    """Send a message; log its status here because file responses decide theirs while they are sent."""
    if message["type"] == "http.response.start":
        # Clients take the age of a run from the server's clock, which here may differ from this machine's.
        date = format_datetime(canvas.clock.now(), usegmt=True).encode()
        message = {**message, "headers": [*message.get("headers", ()), (b"date", date)]}
        pairs = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        query = urlencode([(k, "***" if k in MASKED else v) for k, v in pairs], safe="*[]")
        host = "{}:{}".format(*scope["server"])
        canvas.traffic.log.append(
            RequestRecord(scope["method"], scope["path"], query, message["status"], host)
        )
    await send(message)


def _open(canvas: Canvas, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(canvas, request)
        except refusals.Refusal as refusal:
            return refusal_reply(canvas, request, refusal)

    return endpoint


def _api(canvas: Canvas, handler: Handler) -> Endpoint:
    async def checked(canvas: Canvas, request: Request) -> Response:
        _play_scenarios(canvas, request)
        _check_token(canvas, request)
        return await _metered(canvas, request, handler)

    return _open(canvas, checked)


def _download(canvas: Canvas) -> Endpoint:
    async def checked(canvas: Canvas, request: Request) -> Response:
        _play_scenarios(canvas, request)
        if downloads.has_verifier(canvas, request):
            return await downloads.redirect(canvas, request)
        try:
            if canvas.options.old:  # an old server accepts tokens below /api/ only
                raise refusals.unauthenticated()
            _check_token(canvas, request)
        except refusals.Refusal as refusal:
            wants_json = "application/json" in request.headers.get("accept", "")
            if refusal.status != HTTPStatus.UNAUTHORIZED or wants_json:
                raise
            return RedirectResponse(f"{canvas.hosts.api}/login", 302)
        return await _metered(canvas, request, downloads.redirect)

    return _open(canvas, checked)


def _play_scenarios(canvas: Canvas, request: Request) -> None:
    calls = canvas.traffic.calls
    calls[request.method, request.url.path] += 1
    nth, now = calls[request.method, request.url.path], local_time(canvas.clock.now(), "UTC")
    age = (canvas.clock.now() - canvas.opened_at).total_seconds()
    call = Call(request.url.path, nth, calls.total(), now, age, canvas.options.old)
    for scenario in canvas.scenarios:
        refusal = scenario.before(call)
        if refusal is not None:
            raise refusal


def _check_token(canvas: Canvas, request: Request) -> None:
    if not request.headers.get("user-agent"):
        raise refusals.no_user_agent()
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":  # other spellings are not taken
        sent = request.query_params.get("access_token", "")
    if not sent:
        raise refusals.unauthenticated()
    if sent.strip() != canvas.token:
        raise refusals.invalid_token()
    if request.query_params.get("as_user_id", "self") not in ("self", str(USER_ID)):
        raise refusals.invalid_masquerade()


async def _metered(canvas: Canvas, request: Request, handler: Handler) -> Response:
    throttle = canvas.throttle
    if not throttle.enter(canvas.clock.now()):
        raise refusals.throttled(throttle.limits.status)
    try:
        reply = await handler(canvas, request)
    except refusals.Refusal as refusal:
        reply = refusal_reply(canvas, request, refusal)
    finally:
        throttle.leave()
    reply.headers["X-Canvas-User-Id"] = str(SHARD + USER_ID)
    reply.headers["X-Request-Cost"] = str(throttle.limits.cost)
    reply.headers["X-Rate-Limit-Remaining"] = str(round(throttle.remaining, 3))
    return reply


async def _not_found(_canvas: Canvas, _request: Request) -> Response:
    raise refusals.not_found()


async def _login(_canvas: Canvas, _request: Request) -> Response:
    raise refusals.login_page()
