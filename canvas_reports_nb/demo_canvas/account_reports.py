"""The six calls of the Account Reports API."""

import json
from collections.abc import Iterable
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from . import refusals
from .accounts import permitted_account
from .bodies import run_body
from .canvas import Canvas
from .replies import json_reply, page_reply
from .reports import REPORT_TYPES, ReportType, as_text, is_given, parameters_html, resolve_term
from .runs import IN_FLIGHT, QUEUED, Run
from .world import World

PREFIX = "parameters"
TERM_NAMES = ("enrollment_term_id", "enrollment_term")


async def available(canvas: Canvas, request: Request) -> Response:
    """GET reports: every type with its newest run in this account, on one page."""
    world = await canvas.world()
    account = permitted_account(canvas, world, request)
    include = set(request.query_params.getlist("include[]"))
    if any(scenario.no_includes for scenario in canvas.scenarios):
        include.clear()
    states = await canvas.settled()
    listed: list[dict[str, object]] = []
    for name, kind in sorted(canvas.types.items(), key=lambda item: item[1].title):
        if name in canvas.switched_off:
            continue
        last = next(iter(canvas.history(account, name)), None)
        shown = None if last is None else run_body(canvas, world, last, states[last.id])
        parameters = kind.parameters and {k: dict(v) for k, v in kind.parameters.items()}
        item = {"title": kind.title, "parameters": parameters, "report": name, "last_run": shown}
        listed.append(item | _texts(world, account, name, kind, include))
    return json_reply(canvas, request, listed)


def _texts(world: World, account: int, name: str, kind: ReportType, include: set[str]) -> dict[str, object]:
    form = parameters_html(name, world, account) if name in REPORT_TYPES else None
    texts = {"description_html": kind.description_html, "parameters_html": form}
    return {key: text for key, text in texts.items() if key in include and text is not None}


async def start(canvas: Canvas, request: Request) -> Response:
    """POST reports/:report: queue a run, or refer to an equal one in flight."""
    world = await canvas.world()
    account, report = permitted_account(canvas, world, request), request.path_params["report"]
    if report not in canvas.types or report in canvas.switched_off:
        raise refusals.not_found()
    parameters = await _read_parameters(request)
    if not isinstance(parameters, dict):
        raise refusals.server_fault(len(canvas.traffic.log))
    if not canvas.options.old:  # where the run fails instead
        _check_term(world, parameters)
    await canvas.settled()
    same = None if canvas.options.old else canvas.duplicate(report, account, parameters)
    if same is None:
        # The response shows the run as it was queued, even if it takes no time at all.
        run = canvas.start(report, account, parameters)
        return json_reply(canvas, request, run_body(canvas, world, run, QUEUED))
    location = f"{canvas.hosts.api}/api/v1/accounts/{account}/reports/{report}/{same.id}"
    reply = await _reply(canvas, request, world, same, status=409)
    reply.headers["Location"] = location
    return reply


async def index(canvas: Canvas, request: Request) -> Response:
    """GET reports/:report: past runs, newest first, in pages; an unknown type has none."""
    world = await canvas.world()
    runs = canvas.history(permitted_account(canvas, world, request), request.path_params["report"])
    await canvas.archived(runs)
    states = await canvas.settled()
    return page_reply(canvas, request, runs, lambda run: run_body(canvas, world, run, states[run.id]))


async def show(canvas: Canvas, request: Request) -> Response:
    """GET reports/:report/:id."""
    world = await canvas.world()
    return await _reply(canvas, request, world, _run(canvas, world, request))


async def delete(canvas: Canvas, request: Request) -> Response:
    """DELETE reports/:report/:id: hide a run in any state; its file stays."""
    world = await canvas.world()
    run = _run(canvas, world, request)
    await canvas.settled()
    run.stop("deleted", canvas.clock.now())
    return await _reply(canvas, request, world, run)


async def abort(canvas: Canvas, request: Request) -> Response:
    """PUT reports/:report/:id/abort: stop an unfinished run; older servers lack the call."""
    world = await canvas.world()
    run = _run(canvas, world, request)
    state = (await canvas.settled())[run.id]
    if canvas.options.old or state.status not in IN_FLIGHT:
        raise refusals.not_found()
    run.stop("aborted", canvas.clock.now())
    return await _reply(canvas, request, world, run)


def _run(canvas: Canvas, world: World, request: Request) -> Run:
    where = request.path_params
    run = canvas.find(where["report"], permitted_account(canvas, world, request), where["id"])
    if run is None:
        raise refusals.not_found()
    return run


async def _reply(canvas: Canvas, request: Request, world: World, run: Run, status: int = 200) -> Response:
    state = (await canvas.settled())[run.id]
    return json_reply(canvas, request, run_body(canvas, world, run, state), status)


def _check_term(world: World, parameters: dict[str, object]) -> None:
    sent = next((parameters[name] for name in TERM_NAMES if is_given(parameters.get(name))), "")
    text = as_text(sent)
    if text and resolve_term(world, text) is None:
        raise refusals.invalid_term(text)


async def _read_parameters(request: Request) -> object:
    """Return the `parameters` that a client sent as JSON, form or multipart: normally a dict."""
    body = await request.body()
    media = request.headers.get("content-type", "")
    if media.startswith("application/json"):
        try:
            sent = json.loads(body or b"{}")
        except ValueError:
            return body
        parameters = sent.get(PREFIX) if isinstance(sent, dict) else sent
        return {} if parameters is None else parameters
    pairs = request.query_params.multi_items()
    if media.startswith("multipart/form-data"):
        pairs += _multipart(media, body)
    else:
        pairs += parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    return _nested(pairs)


def _multipart(media: str, body: bytes) -> list[tuple[str, str]]:
    message = message_from_bytes(b"Content-Type: %s\r\n\r\n%s" % (media.encode(), body), policy=HTTP)
    pairs = []
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            pairs.append((name, content.decode(errors="replace")))
    return pairs


def _nested(pairs: Iterable[tuple[str, str]]) -> object:
    parameters: dict[str, object] = {}
    for name, value in pairs:
        if name == PREFIX:
            return value
        if not name.startswith(f"{PREFIX}[") or "]" not in name:
            continue
        key, _, rest = name.removeprefix(f"{PREFIX}[").partition("]")
        if rest == "[]":
            listed = parameters.setdefault(key, [])
            if isinstance(listed, list):
                listed.append(value)
        else:
            parameters[key] = value
    return parameters
