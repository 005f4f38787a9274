"""What can go wrong with one exchange: how its answer is replaced, changed, or carried over the wire.

A new fault is one more entry in `FAULTS`; it can be played on every call named in `CALLS`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from . import answers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
"""The exchanges of one report, each by its method and path: the six calls, the way to the file, the file."""
RETRY_SECONDS = 7
"""What the answers with a Retry-After ask for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def typed(self, media_type: str) -> Answer:
        """The same with another content type."""
        others = tuple(pair for pair in self.headers if pair[0] != b"content-type")
        return replace(self, headers=(*others, (b"content-type", media_type.encode())))

    def holding(self, body: bytes) -> Answer:
        """The same with another body, and a length that says so."""
        others = tuple(pair for pair in self.headers if pair[0] != b"content-length")
        return replace(self, body=body, headers=(*others, (b"content-length", b"%d" % len(body))))


@dataclass(frozen=True, slots=True)
class Wire:
    """One request and the connection its answer goes over."""

    scope: Scope
    receive: Receive
    send: Send

    async def begin(self, answer: Answer) -> None:
        """Send status and headers; the length is that of the whole body."""
        head = {"status": answer.status, "headers": list(answer.headers)}
        await self.send({"type": "http.response.start", **head})

    async def go_on(self, part: bytes) -> None:
        """Send a piece of the body that is not the last."""
        await self.send({"type": "http.response.body", "body": part, "more_body": True})

    async def end(self, rest: bytes = b"") -> None:
        """Send the last piece of the body."""
        await self.send({"type": "http.response.body", "body": rest})

    async def left(self) -> None:
        """Wait until the client has gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def reset(self) -> None:
        """Break the connection off, without a goodbye."""
        self.scope["state"]["reset"]()
        await self.left()


Carry = Callable[[Wire, Answer], Awaitable[None]]


def _half(body: bytes) -> bytes:
    # Rounded up: who asks for the rest again and again gets it all in the end.
    return body[: (len(body) + 1) // 2]


async def _whole(wire: Wire, answer: Answer) -> None:
    await wire.begin(answer)
    await wire.end(answer.body)


async def _nothing_then_reset(wire: Wire, _answer: Answer) -> None:
    await wire.reset()


async def _half_then_reset(wire: Wire, answer: Answer) -> None:
    await wire.begin(answer)
    await wire.go_on(_half(answer.body))
    await wire.reset()


async def _whole_then_reset(wire: Wire, answer: Answer) -> None:
    await _whole(wire, answer)
    await wire.reset()


async def _half_then_goodbye(wire: Wire, answer: Answer) -> None:
    # Headers promise the whole body; to return without its end closes the connection.
    await wire.begin(answer)
    await wire.go_on(_half(answer.body))


async def _half_then_stall(wire: Wire, answer: Answer) -> None:
    await wire.begin(answer)
    await wire.go_on(_half(answer.body))
    await wire.left()


async def _silence(wire: Wire, _answer: Answer) -> None:
    await wire.left()


async def _byte_by_byte(wire: Wire, answer: Answer) -> None:
    await wire.begin(answer)
    for at in range(min(len(answer.body), 100)):
        await wire.go_on(answer.body[at : at + 1])
        await asyncio.sleep(0)
    await wire.end(answer.body[100:])


def _same(answer: Answer) -> Answer:
    return answer


@dataclass(frozen=True, slots=True)
class Fault:
    """Deviations of one exchange; a hook left out changes nothing."""

    stops: str | None = None
    """How somebody else has just stopped all runs: aborted, deleted."""
    switches_off: bool = False
    """Whether an administrator has just switched the report off."""
    instead: Callable[[str], Answer] | None = None
    """An answer in place of Canvas's own, which is then not asked; gets the path."""
    change: Callable[[Answer], Answer] = _same
    carry: Carry = _whole


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and the exchanges it spoils: ``times`` ones of a kind, from the ``first`` on."""

    fault: Fault
    call: str
    first: int = 1
    times: int | None = 1
    """None for all that follow."""

    def strikes(self, call: str, nth: int) -> bool:
        """Whether it spoils the n-th exchange of a kind."""
        return call == self.call and self.first <= nth and (not self.times or nth < self.first + self.times)


def call_of(method: str, path: str) -> str | None:
    """The name of a call, if it is one of `CALLS`."""
    return next((n for n, (verb, form) in CALLS.items() if verb == method and form.fullmatch(path)), None)


async def play(fault: Fault, app: ASGIApp, wire: Wire, noted: Callable[[Send], Send]) -> None:
    """Play an exchange with its fault; `noted` records the answer that Canvas, or the fault, gives."""
    if fault.instead is not None:
        await fault.carry(replace(wire, send=noted(wire.send)), fault.instead(wire.scope["path"]))
    else:
        await fault.carry(wire, fault.change(await _answer(app, wire, noted)))


async def _answer(app: ASGIApp, wire: Wire, noted: Callable[[Send], Send]) -> Answer:
    parts: list[Message] = []

    async def keep(message: Message) -> None:
        parts.append(message)

    await app(wire.scope, wire.receive, noted(keep))
    body = b"".join(part.get("body", b"") for part in parts[1:])
    return Answer(parts[0]["status"], body, tuple((k.lower(), v) for k, v in parts[0]["headers"]))


def _refusing(refusal: answers.Refusal, **headers: str) -> Fault:
    is_text = isinstance(refusal.body, str)
    body = refusal.body.encode() if isinstance(refusal.body, str) else json.dumps(refusal.body).encode()
    sent = {
        "content-type": refusal.media_type if is_text else "application/json; charset=utf-8",
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in refusal.headers.items()},
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    answer = Answer(refusal.status, body, tuple((k.encode(), v.encode()) for k, v in sent.items()))
    return Fault(instead=lambda _path: answer)


def _redirecting(target: Callable[[str], str]) -> Fault:
    empty = (b"content-length", b"0")
    return Fault(instead=lambda path: Answer(302, b"", ((b"location", target(path).encode()), empty)))


def _retry_date(_path: str) -> Answer:
    at = datetime.now(UTC) + timedelta(seconds=RETRY_SECONDS)
    headers = ((b"retry-after", format_datetime(at, usegmt=True).encode()), (b"content-length", b"0"))
    return Answer(503, b"", headers)


def _rewriting(edit: Callable[[dict[str, object]], object]) -> Fault:
    """Change every object of a JSON answer that tells of a run."""

    def change(answer: Answer) -> Answer:
        told = json.loads(answer.body)
        edited = [edit(item) for item in told] if isinstance(told, list) else edit(told)
        return answer.holding(json.dumps(edited).encode())

    return Fault(change=change)


def _size_off_by(difference: int) -> Fault:
    def edit(run: dict[str, object]) -> object:
        attachment = run.get("attachment")
        if isinstance(attachment, dict):
            attachment["size"] += difference
        return run

    return _rewriting(edit)


def _other_shape(answer: Answer) -> Answer:
    told = json.loads(answer.body)
    return answer.holding(json.dumps({"reports": told} if isinstance(told, list) else [told]).encode())


_SORRY = json.dumps({"errors": [{"message": "An error occurred."}]}).encode()

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "aborted": Fault(stops="aborted"),
        "bad_json": Fault(change=lambda answer: answer.holding(answer.body[:-2] + b",,")),
        "byte_by_byte": Fault(carry=_byte_by_byte),
        "cut": Fault(carry=_half_then_goodbye),
        "deleted": Fault(stops="deleted"),
        "expired": _refusing(answers.Refusal(403, "Request has expired\n", media_type="text/plain")),
        "forbidden": _refusing(answers.no_permission(old=False)),
        "half": Fault(change=lambda answer: answer.holding(_half(answer.body))),
        "http_500": _refusing(answers.server_fault(4711)),
        "http_500_page": _refusing(answers.Refusal(500, "<h1>We're sorry</h1>")),
        "http_502_page": _refusing(answers.bad_gateway()),
        "http_503": _refusing(answers.Refusal(503, "")),
        "http_503_retry": Fault(instead=_retry_date),
        "json_error": Fault(
            change=lambda a: replace(a, status=200).holding(_SORRY).typed("application/json")
        ),
        "login_page": _refusing(answers.login_page()),
        "login_redirect": _redirecting(lambda _path: "/login"),
        "no_user_agent": _refusing(answers.no_user_agent()),
        "other_shape": Fault(change=_other_shape),
        "redirect_loop": _redirecting(lambda path: path),
        "redirect_plain": _redirecting(lambda _path: "http://files.example.org/report.csv?token=signed"),
        "reset_after": Fault(carry=_whole_then_reset),
        "reset_before": Fault(instead=lambda _path: Answer(0, b""), carry=_nothing_then_reset),
        "reset_unanswered": Fault(carry=_nothing_then_reset),
        "reset_while": Fault(carry=_half_then_reset),
        "silence": Fault(carry=_silence),
        "size_less": _size_off_by(-1),
        "size_more": _size_off_by(+1),
        "stall": Fault(carry=_half_then_stall),
        "switched_off": Fault(switches_off=True),
        "throttled_403": _refusing(answers.throttled(403)),
        "throttled_429": _refusing(answers.throttled(429)),
        "throttled_429_retry": _refusing(answers.throttled(429), retry_after=str(RETRY_SECONDS)),
        "unauthorized": _refusing(answers.invalid_token()),
        "unknown_state": _rewriting(lambda run: {**run, "status": "postprocessing"}),
        "wrong_type": Fault(change=lambda answer: answer.typed("application/octet-stream")),
    }
)
"""All faults, by name."""
