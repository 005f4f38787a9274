"""Files: from the Canvas host, over a short-lived link, to the files host."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from . import refusals
from .bodies import content_type, file_uuid
from .canvas import Canvas
from .runs import Run, has_file

LINK_SECONDS = 60.0
CHUNK = 1 << 16


async def redirect(canvas: Canvas, request: Request) -> Response:
    """GET files/:id/download: redirect the client to the files host."""
    run = canvas.by_attachment(request.path_params["file"])
    made = run.made() if run else None
    # The file may exist before the clock reaches the end of the run.
    if run is None or made is None or not has_file(run, (await canvas.settled())[run.id]):
        raise refusals.not_found()
    canvas.traffic.links += 1
    lives = [s.link_seconds(canvas.traffic.links) for s in canvas.scenarios]
    seconds = next((life for life in lives if life is not None), LINK_SECONDS)
    expires = int((canvas.clock.now() + timedelta(seconds=seconds)).timestamp())
    path = f"/files/{_stored_as(canvas, run)}/{quote(made.name)}"
    url = f"{canvas.hosts.files}{path}?download=1&token={expires}.{_signature(canvas, run, expires)}"
    return RedirectResponse(url, 302)


async def deliver(canvas: Canvas, request: Request) -> Response:
    """GET files/:uuid/:name on the files host: the body, for a valid link."""
    if "authorization" in request.headers:
        return Response("Only one auth mechanism allowed\n", 400, media_type="text/plain")
    uuid, token = request.path_params["uuid"], request.query_params.get("token", "")
    run = next((run for run in canvas.runs if _stored_as(canvas, run) == uuid), None)
    made = run.made() if run else None
    if not (run and made and made.file):
        raise refusals.not_found()
    if not _is_valid(canvas, run, token):
        return Response("Request has expired\n", 403, media_type="text/plain")
    return _body(canvas, request, made.file, made.name)


def has_verifier(canvas: Canvas, request: Request) -> bool:
    """Whether the link holds a valid verifier, which old servers accept without a token."""
    run = canvas.by_attachment(request.path_params["file"])
    sent = request.query_params.get("verifier", "")
    return canvas.options.old and run is not None and hmac.compare_digest(sent, file_uuid(canvas, run))


def _stored_as(canvas: Canvas, run: Run) -> str:
    # The storage must use other ids: a file's Canvas uuid would open it on an old server.
    return str(uuid5(NAMESPACE_URL, file_uuid(canvas, run)))


def _signature(canvas: Canvas, run: Run, expires: int) -> str:
    return hmac.new(canvas.secret, b"link %d %d" % (run.attachment_id, expires), hashlib.sha256).hexdigest()


def _is_valid(canvas: Canvas, run: Run, token: str) -> bool:
    expires, _, signature = token.partition(".")
    genuine = expires.isdecimal() and hmac.compare_digest(signature, _signature(canvas, run, int(expires)))
    return genuine and canvas.clock.now().timestamp() < int(expires)


class _LargeChunks(FileResponse):
    """A file response in pieces of a megabyte, since each piece costs a change of threads."""

    chunk_size = 1 << 20


def _body(canvas: Canvas, request: Request, file: Path, name: str) -> Response:
    whole = _LargeChunks(
        file, headers={"content-type": content_type(name)}, filename=name, stat_result=file.stat()
    )
    size = file.stat().st_size
    sent = min((s.cut(size) for s in canvas.scenarios), default=size)
    if sent == size or "range" in request.headers:
        return whole
    # The headers promise the whole file, so the client sees the connection break.
    return StreamingResponse(_first_bytes(file, sent), headers=dict(whole.headers))


def _first_bytes(file: Path, size: int) -> Iterator[bytes]:
    with file.open("rb") as source:
        while size > 0 and (chunk := source.read(min(size, CHUNK))):
            size -= len(chunk)
            yield chunk
