"""The address and the token: where they are found, and how the token stays hidden.

The token is the argument, ``CANVAS_API_TOKEN``, a keyring entry or typed at a prompt, in this order.
"""

from __future__ import annotations

import logging
import os
import sys
from getpass import getpass
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import requests.auth

from canvas_reports_nb.exceptions import ConfigurationError, CredentialsError
from canvas_reports_nb.settings import canvas_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

_LOG = logging.getLogger(__name__)
KEYRING_SERVICE = "canvas-reports-nb"
_DEMO_MARK = "demo-canvas~"  # tokens of a real Canvas begin with a number


class Token:
    """A secret that ``repr``, ``str``, formatting and pickle never show; ``source`` is where it was found.

    >>> Token("abc")
    Token(hidden)
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str = "given as an argument") -> None:
        # Docker's env files keep the quotes around a value.
        self._value = value.strip().strip("\"'").strip()
        self.source = source
        del value  # tracebacks that show local variables must not show it
        if not (self._value and self._value.isascii() and self._value.isprintable()) or " " in self._value:
            raise CredentialsError(
                f"The token {source} was not a Canvas token: it was empty or had spaces or special characters.",
                hint="Copy it again, or create a new one in Canvas (Account, Settings, New Access Token).",
            )

    def reveal(self) -> str:
        """Return the secret, for the Authorization header only."""
        return self._value

    @property
    def is_demo(self) -> bool:
        """Whether it is the token of a demo Canvas."""
        return self._value.startswith(_DEMO_MARK)

    def __repr__(self) -> str:
        return "Token(hidden)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("A token can't be pickled, because the pickle would reveal it.")


class BearerAuth(requests.auth.AuthBase):
    """Authentication that sends the token to one server only.

    A header on the session would be replaced from ``~/.netrc`` and would follow redirects to other hosts.
    """

    def __init__(self, token: Token, url: str) -> None:
        self._token = token
        self._origin = origin(url)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header if the request goes to the Canvas server."""
        if origin(request.url or "") == self._origin:
            request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port, which identify a server."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def find_url(argument: str | None) -> str:
    """Return the address of the Canvas: argument, then ``CANVAS_API_URL``."""
    given = argument or os.environ.get("CANVAS_API_URL")
    if not given:
        raise CredentialsError(
            "No Canvas address was given.",
            hint='Pass one, as in connect("https://canvas.example.edu"), set CANVAS_API_URL, or try demo().',
        )
    return canvas_url(given)


def find_token(argument: str | Token | None, url: str) -> Token:
    """Return the token for a Canvas: argument, environment, keyring, prompt."""
    if isinstance(argument, Token):
        return argument
    places: dict[str, Callable[[], str | None]] = {
        "given as an argument": lambda: argument,
        "found in CANVAS_API_TOKEN": lambda: os.environ.get("CANVAS_API_TOKEN"),
        "found in the keyring": lambda: _from_keyring(url),
        "typed at the prompt": lambda: _from_prompt(url),
    }
    for source, look in places.items():
        given = look()
        try:
            if given:
                return Token(given, source)
        finally:
            del given  # as above
    raise CredentialsError(
        f"No token for {urlsplit(url).netloc} was found.",
        hint=(
            "Create one in Canvas (Account, Settings, New Access Token). Then set CANVAS_API_TOKEN, or save it "
            f"with `keyring set {KEYRING_SERVICE} {urlsplit(url).netloc}`, or pass token=. demo() needs no token."
        ),
    )


def _from_keyring(url: str) -> str | None:
    try:
        import keyring  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    try:
        return keyring.get_password(KEYRING_SERVICE, urlsplit(url).netloc)
    except keyring.errors.KeyringError as error:
        # Hubs and containers have no working keyring.
        _LOG.debug("the keyring could not be read: %s", type(error).__name__)
        return None


def _from_prompt(url: str) -> str | None:
    if not _can_prompt():
        return None
    try:
        return getpass(f"Canvas token for {urlsplit(url).netloc}: ") or None
    except (EOFError, NotImplementedError) as error:
        # Kernels raise a NotImplementedError if their front end accepts no input.
        raise ConfigurationError(
            "This notebook can't ask for a token because its front end accepts no input.",
            hint="Set CANVAS_API_TOKEN before the kernel starts.",
        ) from error


def _can_prompt() -> bool:
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()
