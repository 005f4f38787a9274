"""Faults of single exchanges with the demo Canvas, injected by middleware.

``FAULT@CALL``, ``FAULT@CALL*N``, ``FAULT@CALL*``
    A fault from `FAULTS` in the first, the first N, or all exchanges of a kind, such as ``reset_while@show*2``.
``schedule:SEED``
    A few temporary faults, chosen at random from the seed.

To add a fault, add an entry to `FAULTS`. Each fault works with every call in `CALLS`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection

from canvas_reports_nb import demo_canvas
from canvas_reports_nb.demo_canvas import refusals

if TYPE_CHECKING:
    import pytest
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def refuse_locks(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let the file system have no locks; those of earlier tests are still released, which happens at any time."""
    import fcntl  # noqa: PLC0415 - Windows has none

    flock = fcntl.flock

    def refuse(file: int, operation: int) -> None:
        if operation != fcntl.LOCK_UN:
            raise OSError(code, os.strerror(code))
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", refuse)


CALLS: Mapping[str, tuple[str, re.Pattern[str]]] = MappingProxyType(
    {
        "list": ("GET", re.compile(r"/api/v1/accounts/[^/]+/reports")),
        "start": ("POST", re.compile(r"/api/v1/accounts/[^/]+/reports/[^/]+")),
        "history": ("GET", re.compile(r"/api/v1/accounts/[^/]+/reports/[^/]+")),
        "show": ("GET", re.compile(r"/api/v1/accounts/[^/]+/reports/[^/]+/\d+")),
        "delete": ("DELETE", re.compile(r"/api/v1/accounts/[^/]+/reports/[^/]+/\d+")),
        "abort": ("PUT", re.compile(r"/api/v1/accounts/[^/]+/reports/[^/]+/\d+/abort")),
        "link": ("GET", re.compile(r"(/accounts/[^/]+)?/files/\d+/download")),
        "file": ("GET", re.compile(r"/files/[^/]+/(?!download$)[^/]+")),
    }
)
"""The exchanges of one report, by method and path: the API calls, the download link and the file."""
RETRY_SECONDS = 7
"""The Retry-After value of the faults that send one."""
PASSING = {
    "list": ("reset_before", "http_502_page", "throttled_429_retry", "byte_by_byte"),
    "history": ("reset_unanswered", "http_500", "http_503_retry", "cut"),
    "start": ("throttled_403", "throttled_429", "throttled_429_retry", "byte_by_byte"),
    "show": ("reset_while", "http_500_page", "http_502_page", "throttled_403", "unknown_state"),
    "link": ("reset_before", "http_503", "throttled_403", "cut"),
    "file": ("reset_while", "cut", "half", "expired", "http_503", "byte_by_byte", "wrong_type"),
}
"""The faults that a client survives by retrying, by call."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def with_type(self, media_type: str) -> Response:
        """Return a copy with another content type."""
        others = tuple(pair for pair in self.headers if pair[0] != b"content-type")
        return replace(self, headers=(*others, (b"content-type", media_type.encode())))

    def with_body(self, body: bytes) -> Response:
        """Return a copy with another body and its length."""
        others = tuple(pair for pair in self.headers if pair[0] != b"content-length")
        return replace(self, body=body, headers=(*others, (b"content-length", b"%d" % len(body))))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the connection for its response."""

    scope: Scope
    receive: Receive
    send: Send
    silent: set[int]
    """The client's ports to which the server sends nothing more."""

    async def send_head(self, response: Response) -> None:
        """Send status and headers; Content-Length is that of the whole body."""
        head = {"status": response.status, "headers": list(response.headers)}
        await self.send({"type": "http.response.start", **head})

    async def send_part(self, part: bytes) -> None:
        """Send a part of the body that is not the last."""
        await self.send({"type": "http.response.body", "body": part, "more_body": True})

    async def send_last(self, part: bytes = b"") -> None:
        """Send the last part of the body."""
        await self.send({"type": "http.response.body", "body": part})

    async def wait_for_disconnect(self) -> None:
        """Wait until the client has closed the connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def fall_silent(self) -> None:
        """Send nothing more until the client has closed the connection."""
        _, port = self.scope["client"]
        self.silent.add(port)
        await self.wait_for_disconnect()
        self.silent.discard(port)

    async def reset(self) -> None:
        """Break the connection with a TCP reset."""
        transport = self.scope["state"]["transport"]
        # With a linger time of zero, the kernel sends a reset instead of an orderly close.
        no_time = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
        transport.abort()
        await self.wait_for_disconnect()


Carry = Callable[[Exchange, Response], Awaitable[None]]


def _half(body: bytes) -> bytes:
    # Rounded up, so a client that keeps resuming gets the whole body.
    return body[: (len(body) + 1) // 2]


async def _whole(exchange: Exchange, response: Response) -> None:
    await exchange.send_head(response)
    await exchange.send_last(response.body)


async def _nothing_then_reset(exchange: Exchange, _response: Response) -> None:
    await exchange.reset()


async def _half_then_reset(exchange: Exchange, response: Response) -> None:
    await exchange.send_head(response)
    await exchange.send_part(_half(response.body))
    await exchange.reset()


async def _whole_then_reset(exchange: Exchange, response: Response) -> None:
    await _whole(exchange, response)
    await exchange.reset()


async def _half_then_close(exchange: Exchange, response: Response) -> None:
    # The headers announce the whole body. Returning before it is complete closes the connection.
    await exchange.send_head(response)
    await exchange.send_part(_half(response.body))


async def _half_then_stall(exchange: Exchange, response: Response) -> None:
    await exchange.send_head(response)
    await exchange.send_part(_half(response.body))
    await exchange.fall_silent()


async def _silence(exchange: Exchange, _response: Response) -> None:
    await exchange.fall_silent()


async def _byte_by_byte(exchange: Exchange, response: Response) -> None:
    await exchange.send_head(response)
    for at in range(min(len(response.body), 100)):
        await exchange.send_part(response.body[at : at + 1])
        await asyncio.sleep(0)
    await exchange.send_last(response.body[100:])


def _same(response: Response) -> Response:
    return response


@dataclass(frozen=True, slots=True)
class Fault:
    """Changes to one exchange; the default of each field changes nothing."""

    stops: str | None = None
    """How a colleague has just stopped all runs: "aborted" or "deleted"."""
    switches_off: bool = False
    """Whether an administrator has just disabled the report."""
    instead: Callable[[str], Response] | None = None
    """From the path to a response that replaces Canvas's; the request does not reach Canvas."""
    change: Callable[[Response], Response] = _same
    carry: Carry = _whole


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and the exchanges it affects: `times` exchanges of a kind, starting with number `first`."""

    fault: Fault
    call: str
    first: int = 1
    times: int | None = 1
    """None for all later ones."""

    def hits(self, call: str, nth: int) -> bool:
        """Whether it affects the nth exchange of a kind."""
        return call == self.call and self.first <= nth and (not self.times or nth < self.first + self.times)


class FaultInjector:
    """Middleware that injects planned faults into a demo Canvas; set `server` before the first request."""

    def __init__(self, planned: Iterable[Planned]) -> None:
        self.planned = tuple(planned)
        self.kinds: Counter[str] = Counter()
        """The number of exchanges so far, by the names in `CALLS`."""
        self.silent: set[int] = set()
        """The client's ports to which the server sends nothing more."""
        self.server: Any = None

    def plan(self, name: str) -> None:
        """Replace the planned faults; exchanges are counted from now on."""
        self.planned = choose(name)
        self.kinds.clear()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def injecting(scope: Scope, receive: Receive, send: Send) -> None:
            fault = self._next(scope["method"], scope["path"])
            exchange = Exchange(scope, receive, send, self.silent)
            if fault is None:
                await app(scope, receive, send)
            elif fault.instead is not None:
                await fault.carry(exchange, fault.instead(scope["path"]))
            else:
                await fault.carry(exchange, fault.change(await _ask(app, exchange)))

        return injecting

    def _next(self, method: str, path: str) -> Fault | None:
        """Count an exchange and return its fault, if any."""
        call = next((n for n, (verb, form) in CALLS.items() if verb == method and form.fullmatch(path)), None)
        if call is None:
            return None
        self.kinds[call] += 1
        fault = next((plan.fault for plan in self.planned if plan.hits(call, self.kinds[call])), None)
        canvas = self.server._canvas
        if fault is not None and fault.stops:
            for run in canvas.runs:
                run.stop(fault.stops, canvas.clock.now())
        if fault is not None and fault.switches_off:
            canvas.switched_off |= canvas.types.keys() & set(path.split("/"))
        return fault


async def _ask(app: ASGIApp, exchange: Exchange) -> Response:
    parts: list[Message] = []

    async def keep(message: Message) -> None:
        parts.append(message)

    await app(exchange.scope, exchange.receive, keep)
    body = b"".join(part.get("body", b"") for part in parts[1:])
    return Response(parts[0]["status"], body, tuple((k.lower(), v) for k, v in parts[0]["headers"]))


def _refusing(refusal: refusals.Refusal, **headers: str) -> Fault:
    is_text = isinstance(refusal.body, str)
    body = refusal.body.encode() if isinstance(refusal.body, str) else json.dumps(refusal.body).encode()
    sent = {
        "content-type": refusal.media_type if is_text else "application/json; charset=utf-8",
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in refusal.headers.items()},
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    response = Response(refusal.status, body, tuple((k.encode(), v.encode()) for k, v in sent.items()))
    return Fault(instead=lambda _path: response)


def _redirecting(target: Callable[[str], str]) -> Fault:
    empty = (b"content-length", b"0")
    return Fault(instead=lambda path: Response(302, b"", ((b"location", target(path).encode()), empty)))


def _retry_date(_path: str) -> Response:
    at = datetime.now(UTC) + timedelta(seconds=RETRY_SECONDS)
    headers = ((b"retry-after", format_datetime(at, usegmt=True).encode()), (b"content-length", b"0"))
    return Response(503, b"", headers)


def _rewriting(edit: Callable[[dict[str, object]], object]) -> Fault:
    """Return a fault that edits every run in a JSON response."""

    def change(response: Response) -> Response:
        content = json.loads(response.body)
        edited = [edit(item) for item in content] if isinstance(content, list) else edit(content)
        return response.with_body(json.dumps(edited).encode())

    return Fault(change=change)


def _size_off_by(difference: int) -> Fault:
    def edit(run: dict[str, object]) -> object:
        attachment = run.get("attachment")
        if isinstance(attachment, dict):
            attachment["size"] += difference
        return run

    return _rewriting(edit)


def _other_shape(response: Response) -> Response:
    content = json.loads(response.body)
    return response.with_body(
        json.dumps({"reports": content} if isinstance(content, list) else [content]).encode()
    )


def _with_headers(**headers: str) -> Fault:
    """Return a fault that adds headers, or replaces those of the same names."""
    added = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}

    def change(response: Response) -> Response:
        kept = [pair for pair in response.headers if pair[0] not in added]
        return replace(response, headers=(*kept, *added.items()))

    return Fault(change=change)


def _packed(response: Response) -> Response:
    """Return ten times the largest response that a client reads, packed into some kilobytes."""
    packed = gzip.compress(b" " * (80 << 20), compresslevel=1)
    return replace(response, headers=(*response.headers, (b"content-encoding", b"gzip"))).with_body(packed)


def _of_another_account(run: dict[str, object]) -> object:
    return {**run, "id": int(str(run["id"])) + 1, "report": "provisioning_csv"}


_NO_NUMBERS = {
    "date": "yesterday", "retry_after": "soon", "x_rate_limit_remaining": "-nan", "age": "x", "etag": "\xff",
    "last_modified": "\x7f", "content_range": f"bytes {'9' * 5000}-x/y", "link": '<>; rel="last", <http://[::1>;',
}  # fmt: skip
_SORRY = json.dumps({"errors": [{"message": "An error occurred."}]}).encode()

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "aborted": Fault(stops="aborted"),
        "bad_json": Fault(change=lambda response: response.with_body(response.body[:-2] + b",,")),
        "byte_by_byte": Fault(carry=_byte_by_byte),
        "cut": Fault(carry=_half_then_close),
        "deleted": Fault(stops="deleted"),
        "expired": _refusing(refusals.Refusal(403, "Request has expired\n", media_type="text/plain")),
        "forbidden": _refusing(refusals.no_permission(old=False)),
        "half": Fault(change=lambda response: response.with_body(_half(response.body))),
        "http_500": _refusing(refusals.server_fault(4711)),
        "http_500_page": _refusing(refusals.Refusal(500, "<h1>We're sorry</h1>")),
        "http_502_page": _refusing(refusals.bad_gateway()),
        "http_503": _refusing(refusals.Refusal(503, "")),
        "http_503_retry": Fault(instead=_retry_date),
        "json_error": Fault(
            change=lambda response: (
                replace(response, status=200).with_body(_SORRY).with_type("application/json")
            )
        ),
        "login_page": _refusing(refusals.login_page()),
        "login_redirect": _redirecting(lambda _path: "/login"),
        "no_user_agent": _refusing(refusals.no_user_agent()),
        "odd_headers": _with_headers(**_NO_NUMBERS),
        "odd_next_page": _with_headers(link='<http://[::1/?page=2>; rel="next"'),
        "other_run": _rewriting(_of_another_account),
        "other_shape": Fault(change=_other_shape),
        "packed": Fault(change=_packed),
        "redirect_loop": _redirecting(lambda path: path),
        "redirect_plain": _redirecting(lambda _path: "http://files.example.org/report.csv?token=signed"),
        "rejected_link": _refusing(
            refusals.Refusal(403, "<Error><Code>AccessDenied</Code></Error>", media_type="application/xml")
        ),
        "reset_after": Fault(carry=_whole_then_reset),
        "reset_before": Fault(instead=lambda _path: Response(0, b""), carry=_nothing_then_reset),
        "reset_unanswered": Fault(carry=_nothing_then_reset),
        "reset_while": Fault(carry=_half_then_reset),
        "silence": Fault(carry=_silence),
        "size_less": _size_off_by(-1),
        "size_more": _size_off_by(+1),
        "stall": Fault(carry=_half_then_stall),
        "strange_packing": _with_headers(content_encoding="br"),
        "switched_off": Fault(switches_off=True),
        "throttled_403": _refusing(refusals.throttled(403)),
        "throttled_429": _refusing(refusals.throttled(429)),
        "throttled_429_retry": _refusing(refusals.throttled(429), retry_after=str(RETRY_SECONDS)),
        "unauthorized": _refusing(refusals.invalid_token()),
        "unknown_state": _rewriting(lambda run: {**run, "status": "postprocessing"}),
        "wrong_type": Fault(change=lambda response: response.with_type("application/octet-stream")),
    }
)
"""All faults, by name."""


def choose(name: str) -> tuple[Planned, ...]:
    """Return the planned faults for a name; raise ValueError with the known names for an unknown one."""
    if seeded := re.fullmatch(r"schedule:(\d+)", name):
        return _schedule(int(seeded[1]))
    single = re.fullmatch(r"(\w+)@(\w+)(?:(\*)(\d*))?", name)
    if single is None or single[1] not in FAULTS or single[2] not in CALLS:
        raise ValueError(
            f"Unknown fault {name!r}. Use schedule:SEED, or FAULT@CALL with FAULT one of {', '.join(FAULTS)} "
            f"and CALL one of {', '.join(CALLS)}."
        )
    times = int(single[4]) if single[4] else None if single[3] else 1
    return (Planned(FAULTS[single[1]], single[2], times=times),)


def _schedule(seed: int) -> tuple[Planned, ...]:
    draw = random.Random(seed)  # repeatable: the same seed gives the same faults
    calls = [draw.choice(list(PASSING)) for _ in range(draw.randint(2, 5))]
    return tuple(Planned(FAULTS[draw.choice(PASSING[call])], call, draw.randint(1, 2)) for call in calls)


def serve(*, scenarios: Iterable[str] = (), **options: Any) -> Any:
    """Start a demo Canvas like `demo_canvas.serve`; `scenarios` can also name faults.

    ``server.kinds`` counts the exchanges by the names in `CALLS`. ``server.plan(name)`` changes the faults, and
    ``server.faults.planned`` takes any others. ``server.silent`` contains the client's ports to
    which nothing more is sent, for `patient_connection`.
    """
    names = list(scenarios)
    faulty = [name for name in names if "@" in name or ":" in name]
    injector = FaultInjector(plan for name in faulty for plan in choose(name))
    plain = [name for name in names if name not in faulty]
    server = demo_canvas.serve(scenarios=plain, middleware=injector.wrap, **options)
    injector.server, server.kinds, server.silent = server, injector.kinds, injector.silent
    server.plan, server.faults = injector.plan, injector
    return server


def patient_connection(silent: Callable[[], set[int]]) -> type[HTTPConnection]:
    """Return a connection class that times out only if the server has stopped sending, even on a slow machine."""

    class PatientSocket(socket.socket):
        def recv_into(self, *arguments: Any) -> int:
            while True:
                try:
                    return super().recv_into(*arguments)
                except TimeoutError:
                    if self.getsockname()[1] in silent():
                        raise

    class PatientConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            opened = super()._new_conn()
            patient = PatientSocket(fileno=opened.detach())
            patient.settimeout(self.timeout)
            return patient

    return PatientConnection
