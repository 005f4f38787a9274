"""Sessions that read no response without end and follow no link that exposes data."""

from __future__ import annotations

import http.client
import io
import ipaddress
import math
import socket
from contextlib import suppress
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
_NO_LINK = "Canvas sent a link that is not a web address."
_PIECE = 16 * 1024  # small, because a piece of a compressed response can unpack to a thousand times its size
_MAX_BODY = 8 * 1024 * 1024  # as JSON objects, it may take 30 times as much memory
_MAX_SECONDS = 300.0  # for a response that arrives slowly, if the caller set no deadline
LEAST = 256 * 1024
"""A long response is too slow if fewer bytes than this arrive in five minutes."""
# Others unpack to far more than a thousand times their size, and so do several of them on top of each other.
_ENCODINGS = {"", "identity", "gzip", "x-gzip", "deflate"}


class Adapter(requests.adapters.HTTPAdapter):
    """Reads responses within the deadline and up to a size, however slowly they arrive.

    A connection to this machine itself is closed, unless the Canvas server at ``home`` is here, too.
    """

    def __init__(self, waiter: Waiter, home: str) -> None:
        super().__init__()
        self._waiter, self._home = waiter, urlsplit(home).hostname
        self._is_local = is_loopback(self._home)

    def get_connection_with_tls_context(self, *args: Any, **rest: Any) -> Any:
        """Return a pool whose connections watch the time and where they lead."""
        pool: Any = super().get_connection_with_tls_context(*args, **rest)
        if "ConnectionCls" not in vars(pool):
            adapter = self

            class Connection(pool.ConnectionCls):  # type: ignore[misc]
                def connect(self) -> None:
                    whole: Any = self.timeout  # type: ignore[has-type]
                    self.timeout = adapter._share(self._dns_host, self.port, whole)
                    try:
                        super().connect()
                    finally:
                        self.timeout = whole
                    if self.proxy is None:
                        adapter._check_peer(self.host, self.sock)

                @staticmethod
                def response_class(sock: socket.socket, *args: Any, **rest: Any) -> http.client.HTTPResponse:
                    response = http.client.HTTPResponse(sock, *args, **rest)
                    response.fp = io.BufferedReader(_Paced(response.fp, sock, adapter._waiter))
                    return response

            pool.ConnectionCls = Connection
        return pool

    def _share(self, host: str, port: int, timeout: Any) -> Any:
        """Return the seconds to try each address of a host, so that all of them together end at the deadline."""
        rest = self._waiter.remaining + GRACE
        if not isinstance(timeout, int | float) or rest == math.inf:
            return timeout
        with suppress(OSError, UnicodeError):  # without addresses, the connection itself raises
            return min(timeout, max(rest, 0.1) / len(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        return timeout

    def _check_peer(self, host: str, sock: socket.socket) -> None:
        """Reject a connection to this machine: a host name can lead here, too."""
        address = ipaddress.ip_address(sock.getpeername()[0])
        is_here = (getattr(address, "ipv4_mapped", None) or address).is_loopback
        if host.strip("[]") == self._home:
            self._is_local = is_here
        elif is_here and not self._is_local:
            sock.close()
            raise UnexpectedAnswerError("Canvas sent a link to this machine itself.", hint=_STORAGE)

    def send(self, request: PreparedRequest, stream: bool = False, **rest: Any) -> Response:  # type: ignore[override]
        """Send a request; read the response, unless it is a file to be streamed."""
        response = super().send(request, stream=True, **rest)
        if not stream or response.status_code >= 300:  # noqa: PLR2004 - where redirects and errors begin (RFC 9110)
            with response:
                response._content, response._content_consumed = self._read(response), True  # type: ignore[attr-defined]  # noqa: SLF001 - no public way to set it
        return response

    def _read(self, response: Response) -> bytes:
        if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
            raise UnexpectedAnswerError(
                "Canvas sent a response that was compressed in an unexpected way.", hint=_ADDRESS
            )
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


class _Paced(io.RawIOBase):
    """The bytes of a response, headers included; reading ends with the deadline, or if they arrive too slowly."""

    def __init__(self, stream: Any, sock: socket.socket, waiter: Waiter) -> None:
        super().__init__()
        self._stream, self._sock, self._waiter = stream, sock, waiter
        self._timeout = sock.gettimeout()
        self._since, self._bytes = waiter.elapsed(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        rest = self._waiter.remaining + GRACE
        is_slow = self._waiter.elapsed() - self._since > _MAX_SECONDS
        if rest <= 0 or (is_slow and self._bytes < LEAST):
            raise TimeoutError("the response arrived too slowly")
        if is_slow:
            self._since, self._bytes = self._waiter.elapsed(), 0
        if self._timeout is not None:
            self._sock.settimeout(min(self._timeout, rest))
        count: int = self._stream.readinto1(buffer)
        self._bytes += count
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class Session(requests.Session):
    """A session that follows a redirect only where no data is exposed."""

    home = ""

    def get_redirect_target(self, resp: Response) -> str | None:
        """Return where a response redirects to, if that is safe."""
        try:
            target = super().get_redirect_target(resp)
            if target:
                check_link(target if "://" in target else urljoin(resp.url, target), self.home)
        except ValueError:
            resp.close()
            raise UnexpectedAnswerError(_NO_LINK, hint=_STORAGE) from None
        except UnexpectedAnswerError:
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
        raise UnexpectedAnswerError(_NO_LINK, hint=_STORAGE)
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
