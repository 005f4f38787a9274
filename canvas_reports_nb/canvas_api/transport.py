"""HTTP requests to Canvas: timeouts, retries, redirects, the token and the cache.

There are two sessions. Responses that rarely change may come from one with a cache on disk (``cache="yes"``).
Everything else uses a plain session, also report files: a cached session would hold them in memory.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import platform
import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from canvas_reports_nb.canvas_api.cache import RECEIVED, cached_session, is_free, make_file
from canvas_reports_nb.canvas_api.credentials import BearerAuth, Token, origin
from canvas_reports_nb.canvas_api.redaction import redacted_logs
from canvas_reports_nb.canvas_api.responses import error_for, http_date, json_body, retry_after
from canvas_reports_nb.canvas_api.session import Adapter, Session, at_home, check_link
from canvas_reports_nb.deadline import GRACE
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    ConfigurationError,
    NotFoundError,
    NotPermittedError,
    NotReachedError,
    NotStoredError,
    ServerError,
    ThrottledError,
    UnexpectedAnswerError,
    UserAgentRefusedError,
)
from canvas_reports_nb.settings import Settings, __version__, host_folder, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from requests import Response
    from tenacity import RetryCallState

    from canvas_reports_nb.deadline import Waiter

Cache = Literal["no", "yes", "refresh", "only"]
"""Whether a GET may be answered from the disk: never, if recent, after asking again, or in any case."""
_AnySession = TypeVar("_AnySession", bound=Session)

_LOG = logging.getLogger(__name__)
_USER_AGENT = (
    f"canvas-reports-nb/{__version__} (Python {platform.python_version()}; requests {requests.__version__})"
)
_ATTEMPTS = 4
_MAX_RETRY_AFTER = 60.0  # a server may ask for hours, but the caller's timeout decides
_TEMPORARY = (ThrottledError, NotReachedError, ServerError)
_ADDRESS = "Check that the address is that of your Canvas."
_START_AGAIN = "Start the report again, for example with max_age=0."
_GONE, _REJECTED = (404, 410), (400, 401, 403, 404, 410)
_PER_PAGE = 100
_MAX_PAGES, _LONGEST_LIST = 1000, 1800.0  # seconds
_ANY_AGE = 10 * 365 * 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The response or the error of one attempt, and the pause in seconds that the server asked for."""

    response: Response | None = None
    error: CanvasReportsError | None = None
    pause: float = 0.0
    may_retry: bool = True


class Transport:
    """The HTTP connection to one Canvas with one token.

    Parameters
    ----------
    settings : Settings
    token : Token
    waiter : Waiter
        Waits between attempts and knows the call's deadline.
    """

    def __init__(self, settings: Settings, token: Token, waiter: Waiter) -> None:
        self._settings = settings
        self._token = token
        self.waiter = waiter
        self._open()
        self.rate_limit_remaining: float | None = None

    def __repr__(self) -> str:
        return f"Transport({self._settings.url!r})"

    @property
    def is_demo(self) -> bool:
        """Whether the Canvas is a demo, with invented people."""
        return self._token.is_demo

    def _open(self) -> None:
        self._process = os.getpid()
        self._without_cache = self._prepare(Session())
        self._lock = threading.Lock()
        self._with_cache: Any = None

    @property
    def _plain(self) -> Session:
        if self._process != os.getpid():
            self._open()  # after a fork, both processes would read from one connection
        return self._without_cache

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        self._plain.close()
        with self._lock:
            if self._with_cache is not None:
                self._with_cache.cache.close()
                self._with_cache.close()

    @property
    def _cached(self) -> Any:
        if self._process != os.getpid():
            self._open()
        with self._lock:  # a form's thread and a cell may get here at the same time
            if self._with_cache is None:
                self._with_cache = self._prepare(cached_session(self._make_cache_file(), self.waiter))
            return self._with_cache

    @property
    def _cache_file(self) -> Path:
        # One file per token: the library's cache key ignores the token, so two would share responses.
        digest = hashlib.blake2b(self._token.reveal().encode(), person=b"crn-principal", digest_size=12)
        name = f"{host_folder(self._settings.url)}-{digest.hexdigest()}.sqlite"
        return self._settings.store / "http" / name

    def _make_cache_file(self) -> Path:
        make_file(self._settings.store, self._cache_file)
        return self._cache_file

    def _is_cache_free(self) -> bool:
        return is_free(self._make_cache_file(), self.waiter)

    def _prepare(self, session: _AnySession) -> _AnySession:
        session.home = self._settings.url
        for scheme in ("https://", "http://"):
            session.mount(scheme, Adapter(self.waiter, self._settings.url))
        session.auth = BearerAuth(self._token, self._settings.url)
        session.headers.update(
            {"User-Agent": _USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
        )
        session.max_redirects = 5
        if is_loopback(urlsplit(self._settings.url).hostname):
            session.trust_env = False  # no proxy to this machine itself
        return session

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        cache: Cache = "no",
    ) -> Response:
        """Call the API and return the response, or raise an error.

        After a temporary error, a GET, PUT or DELETE is retried up to three times within the deadline. A POST is
        retried only if it was throttled, because then nothing was started. With ``cache="only"`` nothing is sent; a
        response that this disk doesn't have is a `NotStoredError`.
        """
        url = path if "://" in path else f"{self._settings.url}/api/v1/{path}"
        # Following a redirect would turn a POST into the GET of something else, which would then succeed.
        request = {"params": query, "json": body, "allow_redirects": method == "GET"}
        if cache == "only":
            return self._from_disk(url, request)
        if cache == "refresh":
            request["force_refresh"] = True
        temporary = (ThrottledError,) if method == "POST" else _TEMPORARY
        return self._retry(lambda: self._call_once(method, url, request, cached=cache != "no"), temporary)

    def _retry(
        self, attempt: Callable[[], _Attempt], temporary: tuple[type[CanvasReportsError], ...] = _TEMPORARY
    ) -> Response:
        """Make up to four attempts, as long as the error is a temporary one."""
        import tenacity  # noqa: PLC0415 - imports asyncio, which is slow

        back_off = tenacity.wait_exponential_jitter(initial=1, max=20)
        last: _Attempt = tenacity.Retrying(
            stop=lambda state: state.attempt_number >= _ATTEMPTS or self.waiter.is_expired,
            # Add jitter to the server's pause too, because it sends all clients the same one.
            wait=lambda state: _outcome(state).pause + back_off(state),
            retry=tenacity.retry_if_result(lambda tried: tried.may_retry and type(tried.error) in temporary),
            retry_error_callback=_outcome,
            sleep=self.waiter.pause,
        )(attempt)
        if last.error is not None:
            raise last.error
        if last.response is None:
            raise AssertionError("an attempt has a response or an error")
        return last.response

    def _from_disk(self, url: str, request: Mapping[str, Any]) -> Response:
        missing = NotStoredError(
            "This disk has no copy of what Canvas lists.", hint="Call once without offline=True.", url=url
        )
        if not self._cache_file.exists():
            raise missing
        headers = {"Cache-Control": f"only-if-cached,stale-if-error={_ANY_AGE}"}
        with suppress(OSError, sqlite3.Error):
            if not self._is_cache_free():
                raise missing
            response: Response = self._cached.request("GET", url, headers=headers, **request)
            if response.ok and getattr(response, "from_cache", False):
                self._sync(response)
                return response
        raise missing

    def _sync(self, response: Response) -> None:
        """Learn the server's time; a response from the cache counts only until a new one arrives."""
        date = http_date(response.headers.get("Date"))
        if date is None or origin(response.url) != origin(self._settings.url):
            return
        if not getattr(response, "from_cache", False):
            self.waiter.sync(date)
        elif not self.waiter.is_synced:
            with suppress(ValueError):
                self.waiter.sync(date, float(response.headers.get(RECEIVED, "")))

    def _call_once(self, method: str, url: str, request: Mapping[str, Any], *, cached: bool) -> _Attempt:
        plain = {name: value for name, value in request.items() if name != "force_refresh"}
        try:
            cached = cached and self._is_cache_free()
            tried = self._send(
                *((self._cached, method, url, request) if cached else (self._plain, method, url, plain))
            )
        except (OSError, sqlite3.Error):
            if not cached:
                raise
            # A full disk or a damaged cache must not prevent the call.
            tried = self._send(self._plain, method, url, plain)
        response = tried.response
        if response is None or tried.error is not None:
            return tried
        if origin(response.url) != origin(self._settings.url):
            host = urlsplit(response.url).hostname
            hint = f"If that is your school's Canvas, connect to https://{host} instead."
            error = UnexpectedAnswerError(f"Canvas redirected its API to {host}.", hint=hint, url=url)
        elif response.is_redirect:
            error = UnexpectedAnswerError(f"Canvas redirected a {method} request.", hint=_ADDRESS, url=url)
        else:
            return tried
        return _Attempt(error=error)

    def _send(self, session: requests.Session, method: str, url: str, request: Mapping[str, Any]) -> _Attempt:
        self.waiter.check()
        rest = self.waiter.remaining + GRACE
        if rest <= 0:
            hint = "Call again with a larger timeout=."
            late = NotReachedError("The timeout passed before the request was sent.", hint=hint, url=url)
            return _Attempt(error=late, may_retry=False)
        timeout = (min(self._settings.connect_timeout, rest), min(self._settings.read_timeout, rest))
        try:
            with redacted_logs():
                response = session.request(method, url, timeout=timeout, **request)
        # Some errors of urllib3, such as for an invalid host, pass through `requests`.
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return _unreached(error, url)
        except UnexpectedAnswerError as error:  # from `get_redirect_target`
            return _Attempt(error=error)
        except OSError as error:
            if "CA certificate bundle" not in str(error):
                raise
            raise ConfigurationError(
                "The certificate file that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names was not found.",
                hint="Set the variable to an existing file, or unset it.",
            ) from None
        self._sync(response)
        remaining = response.headers.get("X-Rate-Limit-Remaining")
        if remaining and not getattr(response, "from_cache", False):
            with suppress(ValueError):  # a proxy may send anything
                left = float(remaining)
                self.rate_limit_remaining = left if math.isfinite(left) else None
        pause = min(retry_after(response, self.waiter.now()), _MAX_RETRY_AFTER)
        return _Attempt(response, error_for(response), pause)

    def json(self, method: str, path: str, **request: Any) -> Any:
        """Call the API and return the JSON of the response."""
        return json_body(self.call(method, path, **request))

    def pages(
        self, path: str, *, query: Mapping[str, Any] | None = None, cache: Cache = "no"
    ) -> Iterator[Any]:
        """Yield all pages of a list, following the ``Link`` headers on this host."""
        url, parameters = path, {**(query or {}), "per_page": _PER_PAGE}
        seen: set[str] = set()
        latest = self.waiter.elapsed() + _LONGEST_LIST
        while len(seen) < _MAX_PAGES and self.waiter.elapsed() <= latest:
            response = self.call("GET", url, query=parameters, cache=cache)
            yield json_body(response)
            link = response.links.get("next", {}).get("url")
            if not link:
                return
            url, parameters = self._next_page(response.url, link), {}
            if url in seen:
                break
            seen.add(url)
        raise UnexpectedAnswerError("Canvas sent a list whose pages have no end.", hint=_ADDRESS, url=url)

    def _next_page(self, current: str, link: str) -> str:
        """Return the address of the next page, which must be on this server."""
        with suppress(ValueError):
            url = at_home(urljoin(current, link), self._settings.url)
            if origin(url) == origin(self._settings.url):
                return url
        raise UnexpectedAnswerError("Canvas named a next page on another host.", url=current)

    @contextmanager
    def download(self, url: str, *, offset: int = 0) -> Iterator[Response]:
        """Stream a report file, from byte ``offset`` if the server supports it (status 206).

        Each call gets a new link to the storage, whose links expire within minutes. Status 416, which means that
        nothing follows ``offset``, is not an error here.
        """
        # Compression would hide the size, and with it a truncated file.
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        url = at_home(url, self._settings.url)
        check_link(url, self._settings.url)
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self._retry(lambda: self._open_file(url, headers)) as response:
            yield response

    def _open_file(self, url: str, headers: Mapping[str, str]) -> _Attempt:
        request = {"stream": True, "headers": headers}
        tried = self._send(self._plain, "GET", url, request)
        if _is_rejected_link(tried):
            tried = self._send(self._plain, "GET", url, request)  # Canvas redirects to a new link
        response = tried.response
        if response is None or tried.error is None:
            return tried
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return _Attempt(response)
        return self._file_error(tried, response, url)

    def _file_error(self, tried: _Attempt, response: Response, url: str) -> _Attempt:
        error = tried.error
        is_elsewhere = origin(response.url) != origin(self._settings.url)
        if is_elsewhere and response.status_code in _GONE:
            error = NotFoundError("The file is no longer in the file storage.", hint=_START_AGAIN, url=url)
        elif is_elsewhere and type(error) not in _TEMPORARY:
            # A storage checks only its links, which expire within minutes.
            message = f"The file storage rejected the link ({response.status_code})."
            error = ServerError(message, hint="Call again to get a new link.", url=url)
        elif isinstance(error, UserAgentRefusedError):
            # Files have permissions of their own, and their error responses are not JSON.
            error = NotPermittedError(
                "The token's owner may see the run but not download its file (403).",
                hint="Ask a Canvas admin for permission to read the account's files.",
                url=url,
            )
        return _Attempt(error=error, pause=tried.pause, may_retry=type(tried.error) in _TEMPORARY)


def _is_rejected_link(tried: _Attempt) -> bool:
    """Return whether the server of a file rejected its link, most likely because it expired."""
    response, error = tried.response, tried.error
    if response is None or response.status_code not in _REJECTED or isinstance(error, ThrottledError):
        return False
    if response.history:
        return True
    # JSON is the answer of Canvas's own permission check.
    return response.status_code == requests.codes.forbidden and not isinstance(error, NotPermittedError)


def _outcome(state: RetryCallState) -> _Attempt:
    """Return the latest attempt."""
    if state.outcome is None:
        raise AssertionError("called before the first attempt")
    tried: _Attempt = state.outcome.result()
    return tried


def _unreached(error: Exception, url: str) -> _Attempt:
    # The library's messages may contain signed links, so only the error's type is shown.
    if isinstance(error, requests.TooManyRedirects):
        return _Attempt(
            error=UnexpectedAnswerError("Canvas redirected the request in circles.", hint=_ADDRESS, url=url)
        )
    host = urlsplit(url).hostname
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        hint = "If your school has its own certificate authority, set REQUESTS_CA_BUNDLE to its file."
        refused = NotReachedError(f"The TLS certificate of {host} was not accepted.", hint=hint, url=url)
        return _Attempt(error=refused, may_retry=False)
    what = (
        "no response in time"
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError)
        else type(error).__name__
    )
    hint = "Check the address and the network, then try again."
    return _Attempt(error=NotReachedError(f"{host} was not reached ({what}).", hint=hint, url=url))
