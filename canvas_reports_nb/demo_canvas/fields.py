"""The fields of a request's body: form, multipart or JSON."""

import json
from collections.abc import Iterable
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import parse_qsl

from starlette.requests import Request

PREFIX = "parameters"


async def read_parameters(request: Request) -> object:
    """Return what the client sent as `parameters`: normally a dict, but it may be anything.

    JSON values keep their types; form values are text, and `parameters[x][]` gives a list.
    """
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
