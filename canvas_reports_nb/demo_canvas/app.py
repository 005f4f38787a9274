"""The two web applications of the demo Canvas, and the checks every request passes."""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import account_reports, accounts, answers, downloads
from .bodies import local_time
from .canvas import Canvas, RequestRecord
from .mishaps import Wire, play
from .replies import refusal_reply
from .scenarios import Call

Handler = Callable[[Canvas, Request], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]
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


def build(canvas: Canvas, files_port: int) -> ASGIApp:
    """Return the application of both listeners; the one on `files_port` serves file bodies only."""
    api = [Route(f"/api/v1{path}", _api(canvas, handler), methods=[method]) for method, path, handler in API]
    web = [Route(path, _download(canvas)) for path in FILES]
    login, unknown = _open(canvas, _login), _api(canvas, _nothing)
    rest = [Route("/login", login), Route("/{path:path}", unknown, methods=METHODS)]
    body = Route("/files/{uuid}/{name}", _open(canvas, downloads.deliver))
    canvas_host = Starlette(routes=[*api, *web, *rest])
    files_host = Starlette(routes=[body, Route("/{path:path}", _open(canvas, _nothing), methods=METHODS)])

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        host = files_host if scope["server"][1] == files_port else canvas_host
        noted = partial(_recorded, canvas, scope)
        fault = canvas.fault(scope["method"], scope["path"])
        if fault is None:
            await host(scope, receive, noted(send))
        else:
            await play(fault, host, Wire(scope, receive, send), noted)

    return both


def _recorded(canvas: Canvas, scope: Scope, send: Send) -> Send:
    """Note the status of each answer; done here because files decide theirs while being sent."""

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            pairs = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
            query = urlencode([(k, "***" if k in MASKED else v) for k, v in pairs], safe="*[]")
            host = "{}:{}".format(*scope["server"])
            record = RequestRecord(scope["method"], scope["path"], query, message["status"], host)
            canvas.traffic.log.append(record)
        await send(message)

    return noting


def _open(canvas: Canvas, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(canvas, request)
        except answers.Refusal as refusal:
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
            if canvas.settings.old:  # which takes tokens below /api/ only
                raise answers.unauthenticated()
            _check_token(canvas, request)
        except answers.Refusal as refusal:
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
    call = Call(request.url.path, nth, calls.total(), now, canvas.settings.old)
    for scenario in canvas.scenarios:
        refusal = scenario.before(call)
        if refusal is not None:
            raise refusal


def _check_token(canvas: Canvas, request: Request) -> None:
    if not request.headers.get("user-agent"):
        raise answers.no_user_agent()
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        sent = request.query_params.get("access_token", "")
    if not sent:
        raise answers.unauthenticated()
    if sent.strip() != canvas.token:
        raise answers.invalid_token()


async def _metered(canvas: Canvas, request: Request, handler: Handler) -> Response:
    bucket = canvas.bucket
    if not bucket.enter(canvas.clock.now()):
        raise answers.throttled(bucket.limits.status)
    try:
        reply = await handler(canvas, request)
    except answers.Refusal as refusal:
        reply = refusal_reply(canvas, request, refusal)
    finally:
        bucket.leave()
    reply.headers["X-Request-Cost"] = str(bucket.limits.cost)
    reply.headers["X-Rate-Limit-Remaining"] = str(round(bucket.remaining, 3))
    return reply


async def _nothing(_canvas: Canvas, _request: Request) -> Response:
    raise answers.not_found()


async def _login(_canvas: Canvas, _request: Request) -> Response:
    raise answers.login_page()
