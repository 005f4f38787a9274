"""Sessions that read no response without end and follow no link that exposes data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
import requests.adapters

from canvas_reports_nb.canvas_api.credentials import origin
from canvas_reports_nb.deadline import GRACE
from canvas_reports_nb.exceptions import UnexpectedAnswerError
from canvas_reports_nb.settings import is_loopback

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from canvas_reports_nb.deadline import Waiter

_ADDRESS = "Check that the address is that of your Canvas."
_STORAGE = "Ask a Canvas admin to correct the address of the file storage."
_PIECE = 16 * 1024  # small, because a piece of a compressed response can unpack to a thousand times its size
_MAX_BODY = 64 * 1024 * 1024
_MAX_SECONDS = 300.0  # for a response that arrives slowly, if the caller set no deadline


class Adapter(requests.adapters.HTTPAdapter):
    """Reads responses within the deadline and up to a size, however slowly they arrive."""

    def __init__(self, waiter: Waiter) -> None:
        super().__init__()
        self._waiter = waiter

    def send(self, request: PreparedRequest, stream: bool = False, **rest: Any) -> Response:  # type: ignore[override]
        """Send a request; unless it is streamed, read the response."""
        response = super().send(request, stream=True, **rest)
        if not stream or response.status_code >= 400:  # noqa: PLR2004 - where errors begin (RFC 9110)
            with response:
                response._content, response._content_consumed = self._read(response), True  # type: ignore[attr-defined]  # noqa: SLF001 - no public way to set it
        return response

    def _read(self, response: Response) -> bytes:
        body, latest = bytearray(), self._waiter.elapsed() + _MAX_SECONDS
        while piece := response.raw.read1(_PIECE, decode_content=True):
            body += piece
            if response.request is None or response.request.method == "GET":
                self._waiter.check()  # what another request has changed must become known
            if self._waiter.remaining + GRACE <= 0 or self._waiter.elapsed() > latest:
                raise requests.ReadTimeout("the response arrived too slowly")
            if len(body) > _MAX_BODY:
                raise UnexpectedAnswerError(
                    f"Canvas sent more than {_MAX_BODY >> 20} MB instead of a short response.", hint=_ADDRESS
                )
        return bytes(body)


class Session(requests.Session):
    """A session that follows a redirect only where no data is exposed."""

    home = ""

    def get_redirect_target(self, resp: Response) -> str | None:
        """Return where a response redirects to, if that is safe."""
        target = super().get_redirect_target(resp)
        if target:
            try:
                check_link(target if "://" in target else urljoin(resp.url, target), self.home)
            except (ValueError, UnexpectedAnswerError):
                resp.close()
                raise
        return target

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Drop the token on the way to another host, without reading ``~/.netrc``."""
        if origin(response.request.url or "") != origin(prepared_request.url or ""):
            prepared_request.headers.pop("Authorization", None)


def check_link(url: str, home: str) -> None:
    """Raise for a link that is invalid, exposes the data over plain HTTP, or leads into this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise UnexpectedAnswerError("Canvas sent a link that is not a web address.", hint=_STORAGE)
    if is_loopback(host) and not is_loopback(urlsplit(home).hostname):
        raise UnexpectedAnswerError("Canvas sent a link to this machine itself.", hint=_STORAGE)
    if parts.scheme == "http" and not is_loopback(host):
        raise UnexpectedAnswerError(
            f"Canvas redirected to {host} over plain http, which would expose the data.", hint=_STORAGE
        )


def at_home(url: str, home: str) -> str:
    """Return a link to the Canvas server with the address we use; a proxy may have hidden its scheme or port."""
    try:
        parts, own = urlsplit(url), urlsplit(home)
        ports = {None, own.port, {"http": 80, "https": 443}.get(parts.scheme)}
        is_own = parts.scheme in {"http", "https"} and parts.hostname == own.hostname and parts.port in ports
    except ValueError:
        return url
    return parts._replace(scheme=own.scheme, netloc=own.netloc).geturl() if is_own else url
