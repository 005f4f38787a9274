"""HTTP manners: who we are, how long we wait, what is tried again, where the token goes.

Two sessions. A plain one for everything that changes and for report files; one with a
cache on disk for the few answers that hardly change (``cached=True``), which never sees a
report file: a cached session would hold the whole body in memory.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from canvas_reports_nb.canvas_api.credentials import BearerAuth, Token, origin
from canvas_reports_nb.canvas_api.redaction import body_without_keys, redacted_logs
from canvas_reports_nb.canvas_api.responses import error_for, is_html, json_body, retry_after
from canvas_reports_nb.deadline import GRACE
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    ConfigurationError,
    NotPermittedError,
    NotReachedError,
    ServerError,
    ThrottledError,
    UnexpectedAnswerError,
    UserAgentRefusedError,
)
from canvas_reports_nb.settings import Settings, __version__, host_folder, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests import PreparedRequest, Response
    from tenacity import RetryCallState

    from canvas_reports_nb.deadline import Waiter

_AnySession = TypeVar("_AnySession", bound=requests.Session)

_USER_AGENT = (
    f"canvas-reports-nb/{__version__} (Python {platform.python_version()}; requests {requests.__version__})"
)
_ATTEMPTS = 4
# A server may ask to be left alone for hours; the budget of a wait is the caller's to spend.
_LONGEST_PAUSE = 60.0
_PASSING = (ThrottledError, NotReachedError, ServerError)
_ADDRESS = "Check that the address is Canvas's own."
_PER_PAGE = 100
_CACHE_SECONDS = {
    # Whole paths: a rule for "reports" that also matched ".../reports/x/42" would freeze a run's status.
    re.compile(r"^[^?]*/api/v1/accounts/[^/?]+/reports(\?.*)?$"): 600,
    re.compile(r"^[^?]*/api/v1/accounts/[^/?]+(\?.*)?$"): 3600,
    re.compile(r"^[^?]*/api/v1/accounts/[^/?]+/terms(\?.*)?$"): 600,
}


class _Session(requests.Session):
    """Follows redirects as `requests` does, but never from TLS to plain HTTP on another machine."""

    def get_redirect_target(self, resp: Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target:
            parts = urlsplit(target)
            if parts.scheme == "http" and not is_loopback(parts.hostname):
                resp.close()
                raise UnexpectedAnswerError(
                    f"Canvas redirects to {parts.hostname} over plain http; the file would travel readable.",
                    hint="Ask the Canvas admin about the file storage's address.",
                )
        return target

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Drop the token on the way to another host, and look for no other one in ``~/.netrc``."""
        if origin(response.request.url or "") != origin(prepared_request.url or ""):
            prepared_request.headers.pop("Authorization", None)


@dataclass(frozen=True, slots=True)
class _Try:
    """What one try gave: an answer, or an error that may pass or not."""

    response: Response | None = None
    error: CanvasReportsError | None = None
    pause: float = 0.0
    """Seconds the server asks us to stay away."""
    again: bool = True


class Transport:
    """Speaks HTTP to one Canvas with one token.

    Parameters
    ----------
    settings : Settings
    token : Token
    waiter : Waiter
        Waits between two attempts, and knows the deadline of the call.
    """

    def __init__(self, settings: Settings, token: Token, waiter: Waiter) -> None:
        self._settings = settings
        self._token = token
        self.waiter = waiter
        self._plain = self._prepare(_Session())
        self.rate_limit_remaining: float | None = None

    def __repr__(self) -> str:
        return f"Transport({self._settings.url!r})"

    def close(self) -> None:
        """Close the connections; a call after this opens new ones."""
        self._plain.close()
        if "_cached" in self.__dict__:
            self._cached.cache.close()
            self._cached.close()

    @cached_property
    def _cached(self) -> Any:
        import requests_cache  # noqa: PLC0415 - only metadata needs it, and it is slow to import

        folder = self._settings.store / "http"
        # One by one: a parent that mkdir makes by itself is open to everybody.
        for step in (self._settings.store, folder):
            step.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One file per principal: the library's own key leaves Authorization out, so two tokens
        # sharing a file would be served each other's answers.
        digest = hashlib.blake2b(self._token.reveal().encode(), person=b"crn-principal", digest_size=12)
        path = folder / f"{host_folder(self._settings.url)}-{digest.hexdigest()}.sqlite"
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))

        class Cached(requests_cache.CacheMixin, _Session):
            """The manners of the plain session, with a cache."""

        session = Cached(
            str(path),
            backend="sqlite",
            serializer="json",
            allowable_methods=("GET",),
            # With a redirected answer the library keeps the requests before it, token included; and a login
            # page would be served for minutes after the login.
            filter_fn=lambda response: not response.history and not is_html(response),
            urls_expire_after=dict([*_CACHE_SECONDS.items(), ("*", requests_cache.DO_NOT_CACHE)]),
        )
        session.hooks["response"].append(_without_secrets)
        return self._prepare(session)

    def _prepare(self, session: _AnySession) -> _AnySession:
        session.auth = BearerAuth(self._token, self._settings.url)
        session.headers.update({"User-Agent": _USER_AGENT, "Accept": "application/json"})
        session.max_redirects = 5
        if is_loopback(urlsplit(self._settings.url).hostname):
            session.trust_env = False  # no proxy lies between this machine and itself
        return session

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        cached: bool = False,
    ) -> Response:
        """One call of the API; an answer of the server, or an error of ours.

        A GET, PUT or DELETE is tried up to four times while the trouble is a passing one. A POST is
        tried again only after a throttled answer, which says that nothing was started. No pause goes past
        the budget of the call under way, and nothing is tried again after it.
        """
        url = path if "://" in path else f"{self._settings.url}/api/v1/{path}"
        # Followed, a redirect would turn a POST into a GET of something else, and that into a success.
        request = {"params": query, "json": body, "allow_redirects": method == "GET"}
        passing = (ThrottledError,) if method == "POST" else _PASSING
        return self._persist(lambda: self._once(method, url, request, cached=cached), passing)

    def _persist(
        self, once: Callable[[], _Try], passing: tuple[type[CanvasReportsError], ...] = _PASSING
    ) -> Response:
        """Try until there is an answer, four times at most, and only where the trouble may pass."""
        import tenacity  # noqa: PLC0415 - brings asyncio along, which an import of the package need not

        back_off = tenacity.wait_exponential_jitter(initial=1, max=20)
        last: _Try = tenacity.Retrying(
            stop=lambda state: state.attempt_number >= _ATTEMPTS or self.waiter.is_expired,
            # Jitter also upon what the server asks for: its other clients were told the same.
            wait=lambda state: _outcome(state).pause + back_off(state),
            retry=tenacity.retry_if_result(lambda tried: tried.again and type(tried.error) in passing),
            retry_error_callback=_outcome,
            sleep=self.waiter.pause,
        )(once)
        if last.error is not None:
            raise last.error
        if last.response is None:
            raise AssertionError("a try gives an answer or an error")
        return last.response

    def _once(self, method: str, url: str, request: Mapping[str, Any], *, cached: bool) -> _Try:
        try:
            tried = self._send(self._cached if cached else self._plain, method, url, request)
        except (OSError, sqlite3.Error):
            if not cached:
                raise
            # What is only there to save calls must not stop one: a full disk, a damaged file.
            tried = self._send(self._plain, method, url, request)
        response = tried.response
        if response is None or tried.error is not None:
            return tried
        if origin(response.url) != origin(self._settings.url):
            host = urlsplit(response.url).hostname
            hint = f"If that is your school's Canvas, connect to https://{host} instead."
            return _Try(
                error=UnexpectedAnswerError(f"Canvas redirects its API to {host}.", hint=hint, url=url)
            )
        if response.is_redirect:
            return _Try(error=UnexpectedAnswerError(f"Canvas redirects a {method}.", hint=_ADDRESS, url=url))
        return tried

    def _send(self, session: requests.Session, method: str, url: str, request: Mapping[str, Any]) -> _Try:
        self.waiter.check()
        rest = self.waiter.remaining + GRACE
        if rest <= 0:
            hint = "Call again with a larger timeout=."
            late = NotReachedError("The time is over; Canvas was not asked.", hint=hint, url=url)
            return _Try(error=late, again=False)
        timeout = (min(self._settings.connect_timeout, rest), min(self._settings.read_timeout, rest))
        try:
            with redacted_logs():
                response = session.request(method, url, timeout=timeout, **request)
        # `requests` lets some of the library's below it through, such as of a host that is none.
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return _unreached(error, url)
        except UnexpectedAnswerError as error:  # of a redirect we don't follow
            return _Try(error=error)
        except OSError as error:
            if "CA certificate bundle" not in str(error):
                raise
            # `requests` looks for it before it connects, and lets a plain OSError out.
            raise ConfigurationError(
                "The certificates that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names are not there.",
                hint="Name a file that exists, or unset the variable.",
            ) from None
        remaining = response.headers.get("X-Rate-Limit-Remaining")
        if remaining and not getattr(response, "from_cache", False):
            with suppress(ValueError):  # a proxy may write anything there
                self.rate_limit_remaining = float(remaining)
        return _Try(response, error_for(response), min(retry_after(response), _LONGEST_PAUSE))

    def json(self, method: str, path: str, **request: Any) -> Any:
        """One call, and the JSON of its answer."""
        return json_body(self.call(method, path, **request))

    def pages(
        self, path: str, *, query: Mapping[str, Any] | None = None, cached: bool = False
    ) -> Iterator[Any]:
        """All pages of a list, as the ``Link`` header names them; a link to another host is not followed."""
        url: str | None = path
        parameters: Mapping[str, Any] | None = {**(query or {}), "per_page": _PER_PAGE}
        while url:
            response = self.call("GET", url, query=parameters, cached=cached)
            yield json_body(response)
            url, parameters = response.links.get("next", {}).get("url"), None
            if url and origin(url) != origin(self._settings.url):
                raise UnexpectedAnswerError("The next page is said to be on another host.", url=url)

    @contextmanager
    def download(self, url: str, *, offset: int = 0) -> Iterator[Response]:
        """A report file as a stream, from byte ``offset`` where the server allows it (status 206).

        Opened anew, the address gives a fresh link to the storage; the storage's own live for minutes.
        An answer that there is nothing beyond ``offset`` (status 416) is no error here.
        """
        # "identity": the announced size must be the size on the wire, or a short file goes unnoticed.
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self._persist(lambda: self._open(url, headers)) as response:
            yield response

    def _open(self, url: str, headers: Mapping[str, str]) -> _Try:
        tried = self._send(self._plain, "GET", url, {"stream": True, "headers": headers})
        response = tried.response
        if response is None or tried.error is None:
            return tried
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return _Try(response)
        response.close()
        error: CanvasReportsError = tried.error
        if origin(response.url) != origin(self._settings.url):
            # The storage knows no tokens and no rights, only links, and those live for minutes.
            said = f"The file storage refused the link ({response.status_code})."
            error = ServerError(said, hint="Call again.", url=url)
        elif isinstance(error, UserAgentRefusedError):
            # A file is guarded by rights of its own, and asked for as a page its refusal is no JSON.
            error = NotPermittedError(
                "The token's owner may see the run but not fetch its file (403).",
                hint="Ask a Canvas admin for the right to the account's files.",
                url=url,
            )
        return _Try(error=error, pause=tried.pause)


def _outcome(state: RetryCallState) -> _Try:
    """The result of the latest try."""
    if state.outcome is None:
        raise AssertionError("asked before the first try")
    tried: _Try = state.outcome.result()
    return tried


def _unreached(error: Exception, url: str) -> _Try:
    # The library's texts can hold the whole address, signed links included: only its kind is told.
    if isinstance(error, requests.TooManyRedirects):
        return _Try(error=UnexpectedAnswerError("Canvas redirects in circles.", hint=_ADDRESS, url=url))
    host = urlsplit(url).hostname
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        hint = "Check the certificate; behind a school's own authority set REQUESTS_CA_BUNDLE to its file."
        refused = NotReachedError(f"The TLS certificate of {host} was not accepted.", hint=hint, url=url)
        return _Try(error=refused, again=False)
    what = "no answer in time" if isinstance(error, requests.Timeout) else type(error).__name__
    hint = "Check the address and the network, then try again."
    return _Try(error=NotReachedError(f"{host} was not reached ({what}).", hint=hint, url=url))


def _without_secrets(response: Response, **_: Any) -> Response:
    """Take cookies and the keys in file links off an answer before it is kept on disk."""
    response.headers.pop("Set-Cookie", None)
    response.cookies.clear()
    if hasattr(response.raw, "headers"):
        response.raw.headers.pop("Set-Cookie", None)
    response._content = body_without_keys(response.content)  # noqa: SLF001 - no public way to replace it
    return response
