"""The token: where it is looked for, and how it is kept from being shown.

Order: argument, ``CANVAS_API_TOKEN``, keyring (where installed), a prompt (where one can be answered).
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


class Token:
    """A secret that no ``repr``, ``str``, format or pickle shows.

    Parameters
    ----------
    value : str
    source : str
        Where it was found, in words.

    Examples
    --------
    >>> Token("abc")
    Token(hidden)
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str = "given as an argument") -> None:
        value = value.strip()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise CredentialsError(
                f"That is not a Canvas token ({source}): it is empty or holds blanks or special characters.",
                hint="Copy it again from Canvas: Account, Settings, New Access Token.",
            )
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The secret itself, for the one header it belongs in."""
        return self._value

    def __repr__(self) -> str:
        return "Token(hidden)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("A token can't be pickled: it would end up on a disk.")


class BearerAuth(requests.auth.AuthBase):
    """Sends the token to one host and to no other.

    An auth object and not a session header: ``~/.netrc`` silently replaces a header,
    and a redirect elsewhere must arrive without it.
    """

    def __init__(self, token: Token, url: str) -> None:
        self._token = token
        self._origin = origin(url)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header where the request goes to the Canvas itself."""
        if origin(request.url or "") == self._origin:
            request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: what makes two addresses one server."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def find_url(argument: str | None) -> str:
    """The address of the Canvas: argument, then ``CANVAS_API_URL``.

    Raises
    ------
    CredentialsError
        Neither is there.
    """
    given = argument or os.environ.get("CANVAS_API_URL")
    if not given:
        raise CredentialsError(
            "No Canvas was named.",
            hint='Give connect("https://canvas.example.edu"), set CANVAS_API_URL, or try demo(), which needs none.',
        )
    return canvas_url(given)


def find_token(argument: str | Token | None, url: str) -> Token:
    """The token for a Canvas: argument, environment, keyring, prompt.

    Raises
    ------
    CredentialsError
        None of the four has one.
    """
    if isinstance(argument, Token):
        return argument
    places: dict[str, Callable[[], str | None]] = {
        "given as an argument": lambda: argument,
        "found in CANVAS_API_TOKEN": lambda: os.environ.get("CANVAS_API_TOKEN"),
        "found in the keyring": lambda: _from_keyring(url),
        "typed at the prompt": lambda: _from_prompt(url),
    }
    for source, look in places.items():
        if given := look():
            return Token(given, source)
    raise CredentialsError(
        f"No token for {urlsplit(url).netloc}.",
        hint=(
            "Set CANVAS_API_TOKEN, or store it once with "
            f"`keyring set {KEYRING_SERVICE} {urlsplit(url).netloc}`, or pass token=. "
            "Canvas makes one under Account, Settings, New Access Token. demo() needs none."
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
        # Hubs and containers have no keyring; the next place is asked instead.
        _LOG.debug("keyring has no answer: %s", type(error).__name__)
        return None


def _from_prompt(url: str) -> str | None:
    if not _can_ask():
        return None
    try:
        return getpass(f"Canvas token for {urlsplit(url).netloc}: ") or None
    except (EOFError, NotImplementedError) as error:
        # ipykernel's StdinNotImplementedError is a NotImplementedError: the front end takes no input.
        raise ConfigurationError(
            "This notebook can't ask for a token: its front end takes no input.",
            hint="Set CANVAS_API_TOKEN before the kernel starts.",
        ) from error


def _can_ask() -> bool:
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()
