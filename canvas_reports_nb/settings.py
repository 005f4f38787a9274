"""The settings of a connection, and where each comes from.

An argument takes precedence over the environment variable, and that over the default.

===============  ==============================  =======================
argument         environment                     default
===============  ==============================  =======================
``url``          ``CANVAS_API_URL``              none: required
``token``        ``CANVAS_API_TOKEN``            keyring, then a prompt
``store``        ``CANVAS_REPORTS_CACHE``        the user's cache folder
``store_limit``  ``CANVAS_REPORTS_CACHE_LIMIT``  20 GB
``progress``     ``CANVAS_REPORTS_PROGRESS``     ``"auto"``
===============  ==============================  =======================
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from canvas_reports_nb.exceptions import ConfigurationError

__version__ = "0.1.0"

DEFAULT_MAX_AGE = 24 * 60 * 60
"""A finished run is reused for this many seconds."""

DEFAULT_STORE_LIMIT = 20 * 1000**3
"""Maximum size of the store in bytes."""

_LONGEST_FOLDER = 255
_LONGEST_NAME = 30  # of a host without a dot; a longer text is rather a token
_LONG_WORD = re.compile(r"[A-Za-z0-9_]{31}")
_HOST = re.compile(r"[\w.:\[\]-]+")
_STORE_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^?]+")
_CHOOSE_STORE = "Choose another folder with CANVAS_REPORTS_CACHE or store=."
_PASSWORD = re.compile(r"://[^/@]*:[^@]*@")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one connection."""

    url: str  # scheme and host, without a path or trailing slash
    account: str = "self"  # or a Canvas id, or "sis_account_id:X"
    store: Path = Path()  # the folder of the finished runs, the ledger and the HTTP cache
    store_limit: int = DEFAULT_STORE_LIMIT
    shared: str = ""  # the address of the team's shared store
    connect_timeout: float = 10.0
    read_timeout: float = 60.0  # seconds without a byte of the response


def canvas_url(text: str) -> str:
    """Validate the address of a Canvas, add ``https://`` if needed, and drop the path.

    >>> canvas_url("canvas.example.edu/accounts/1")
    'https://canvas.example.edu'
    """
    parts = _parse(text.strip())
    if parts is None:
        # The part before an @ may be a password, and a text without a dot or with a long word may be a token.
        is_token = "." not in text or "~" in text or _LONG_WORD.search(text)
        shown = "The given text" if is_token else repr(text.rpartition("@")[2])
        msg = f"{shown} is not the address of a Canvas."
        raise ConfigurationError(msg, hint='Use an address like "https://canvas.example.edu".')
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        msg = f"The address of {parts.hostname} used plain http, which would expose your token."
        raise ConfigurationError(msg, hint=f'Use "https://{parts.netloc}".')
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _parse(text: str) -> SplitResult | None:
    """Split a web address; ``None`` if its host or port is invalid or it contains a user name."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:  # an invalid port, or a bracket without its pair
        return None
    # A label of a host name has 1 to 63 characters (RFC 1035); an IPv6 address has colons.
    is_host = ":" in host or all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))  # noqa: PLR2004
    is_host = is_host and (":" in host or "." in host or len(host) <= _LONGEST_NAME)
    valid = parts.scheme in {"http", "https"} and port != 0 and _HOST.fullmatch(parts.netloc)
    return parts if is_host and valid else None


def is_loopback(host: str | None) -> bool:
    """Return whether a host name is this machine."""
    return host in {"127.0.0.1", "localhost", "::1"}


def host_folder(url: str) -> str:
    """Return the folder name for a Canvas, without the colon that Windows forbids."""
    return urlsplit(url).netloc.replace(":", "_").replace("[", "").replace("]", "")


def store_limit(argument: int | None = None) -> int:
    """Return the store's maximum size in bytes: argument, then ``CANVAS_REPORTS_CACHE_LIMIT``, then 20 GB."""
    if argument is not None:
        if not isinstance(argument, int) or argument <= 0:
            raise ConfigurationError(
                f"Can't use store_limit={argument!r}.", hint="Use a number of bytes, such as 5_000_000_000."
            )
        return argument
    text = os.environ.get("CANVAS_REPORTS_CACHE_LIMIT", "").strip()
    if not text:
        return DEFAULT_STORE_LIMIT
    found = re.fullmatch(r"(\d+)\s*([kMGT]?)B?", text)
    if not found:
        raise ConfigurationError(
            f"Can't read CANVAS_REPORTS_CACHE_LIMIT={text!r} as a size.",
            hint='Use a number of bytes, or "5 GB".',
        )
    return int(found[1]) * int(1000 ** " kMGT".index(found[2] or " "))


def store_root(argument: str | os.PathLike[str] | None = None) -> Path:
    """Return the store's folder: argument, then ``CANVAS_REPORTS_CACHE``, then the user's cache folder.

    A shared store's runs are kept in a subfolder.
    """
    address, variable = shared_address(argument), os.environ.get("CANVAS_REPORTS_CACHE")
    if address:
        base = store_root() if argument and not _is_address(variable) else _user_cache()
        name = re.sub(r"[^\w.-]+", "_", address)[:60]
        return base / "shared" / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"
    chosen = argument or variable
    if not chosen:
        return _user_cache()
    try:
        folder = Path(chosen).expanduser().absolute()
        is_name = all(len(os.fsencode(part)) <= _LONGEST_FOLDER and "\0" not in part for part in folder.parts)
    except (ValueError, RuntimeError):  # an unknown user's home, for example
        is_name = False
    if not is_name:
        raise ConfigurationError(
            f"Can't use {str(chosen)[:_LONGEST_FOLDER]!r} as the store: no folder can have this name.",
            hint=_CHOOSE_STORE,
        )
    return _checked_letters(folder)


def shared_address(argument: str | os.PathLike[str] | None = None) -> str:
    """Return the shared store's address: argument, then ``CANVAS_REPORTS_CACHE``; ``""`` for a folder.

    An address with a password or key is rejected, because messages show the address.
    """
    chosen = argument or os.environ.get("CANVAS_REPORTS_CACHE")
    if not _is_address(chosen):
        return ""
    text = str(chosen).strip()
    if not _STORE_ADDRESS.fullmatch(text) or _PASSWORD.search(text):
        raise ConfigurationError(
            "The store's address was not valid, or contained a password or a key.",
            hint='Use an address like "s3://bucket/folder", and put keys in the storage\'s own settings.',
        )
    return text.rstrip("/")


def _is_address(chosen: str | os.PathLike[str] | None) -> bool:
    return "://" in str(chosen or "")


def _user_cache() -> Path:
    import platformdirs  # noqa: PLC0415 - needed only for the default folder

    try:
        folder = platformdirs.user_cache_path("canvas-reports-nb", appauthor=False)
    except RuntimeError:
        folder = Path("~")
    if folder.parts[:1] == ("~",):
        raise ConfigurationError("No home folder was found for the store.", hint=_CHOOSE_STORE)
    return _checked_letters(folder)


def _checked_letters(folder: Path) -> Path:
    """Return the folder; reject a name with bytes that are no letters in this locale: Arrow can't open such a path."""
    if re.search("[\ud800-\udfff]", str(folder)):
        raise ConfigurationError(
            f"Can't use {str(folder)!r} as the store: its name has letters that this locale does not support.",
            hint=f"Set PYTHONUTF8=1. {_CHOOSE_STORE}",
        )
    return folder
