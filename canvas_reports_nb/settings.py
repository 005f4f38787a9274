"""How the package behaves, in one frozen object.

Precedence, for every setting: argument > environment > default.

===============  ==============================  =======================
argument         environment                     default
===============  ==============================  =======================
``url``          ``CANVAS_API_URL``              none: must be given
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
from urllib.parse import urlsplit

from canvas_reports_nb.exceptions import ConfigurationError

__version__ = "0.1.0"

DEFAULT_MAX_AGE = 24 * 60 * 60
"""Seconds for which a finished run is good enough to be used again."""

DEFAULT_STORE_LIMIT = 20 * 1000**3
"""Bytes the store may take."""

_LABEL = 63
_HOST = re.compile(r"[\w.:\[\]-]+")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^?]+")
_PASSWORD = re.compile(r"://[^/@]*:[^@]*@")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for every call of one connection.

    Attributes
    ----------
    url : str
        Scheme and host of the Canvas, no path, no trailing slash.
    account : str
        ``"self"``, a Canvas id, or ``"sis_account_id:X"``.
    store : Path
        Folder of the finished runs, the ledger and the HTTP cache.
    store_limit : int
        Bytes they may take.
    shared : str
        Address of the store a team shares; empty where there is none.
    connect_timeout, read_timeout : float
        Seconds to wait for a connection, and between two bytes.
    """

    url: str
    account: str = "self"
    store: Path = Path()
    store_limit: int = DEFAULT_STORE_LIMIT
    shared: str = ""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0


def canvas_url(text: str) -> str:
    """Check and tidy the address of a Canvas.

    ``canvas.example.edu`` gets ``https://``; a pasted ``.../api/v1`` or page address loses its path.

    Raises
    ------
    ConfigurationError
        No host in it, or plain HTTP to another machine (the token would travel readable).

    Examples
    --------
    >>> canvas_url("canvas.example.edu/accounts/1")
    'https://canvas.example.edu'
    """
    try:
        parts = urlsplit(text.strip() if "://" in text else f"https://{text.strip()}")
        known = parts.scheme in {"http", "https"} and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # a port that is none, a bracket that is never closed
        known = False
    if not known or "@" in parts.netloc or not _HOST.fullmatch(parts.netloc):
        # Whatever stands before an @ may be a password.
        msg = f"{text.rpartition('@')[2]!r} is not the address of a Canvas."
        raise ConfigurationError(msg, hint='It looks like "https://canvas.example.edu".') from None
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        msg = f"{parts.hostname} was given with plain http, which would show the token to the network."
        raise ConfigurationError(msg, hint=f'Use "https://{parts.netloc}".')
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _is_host(name: str) -> bool:
    """Whether a name can be looked up: parts of 1 to 63 characters (RFC 1035), or an address of IPv6."""
    return ":" in name or all(0 < len(part) <= _LABEL for part in name.removesuffix(".").split("."))


def is_loopback(host: str | None) -> bool:
    """Whether a host name means this very machine."""
    return host in _LOOPBACK


def host_folder(url: str) -> str:
    """The folder name that stands for a Canvas; the port's colon is no good in a Windows path."""
    return urlsplit(url).netloc.replace(":", "_").replace("[", "").replace("]", "")


def store_limit(argument: int | None = None) -> int:
    """Bytes the store may take: argument, then ``CANVAS_REPORTS_CACHE_LIMIT``, then 20 GB.

    Raises
    ------
    ConfigurationError
        The variable is neither a number of bytes nor like ``5 GB``.
    """
    text = os.environ.get("CANVAS_REPORTS_CACHE_LIMIT", "").strip()
    if argument is not None or not text:
        return DEFAULT_STORE_LIMIT if argument is None else argument
    found = re.fullmatch(r"(\d+)\s*([kMGT]?)B?", text)
    if not found:
        raise ConfigurationError(
            f"CANVAS_REPORTS_CACHE_LIMIT={text!r} is no size.", hint='Write a number of bytes, or "5 GB".'
        )
    return int(found[1]) * int(1000 ** " kMGT".index(found[2] or " "))


def store_root(argument: str | os.PathLike[str] | None = None) -> Path:
    """Where finished runs are kept: argument, then ``CANVAS_REPORTS_CACHE``, then the user's cache folder.

    The runs of a shared store have a folder of their own in it.
    """
    address, variable = shared_address(argument), os.environ.get("CANVAS_REPORTS_CACHE")
    if address:
        base = store_root() if argument and not _is_address(variable) else _user_cache()
        name = re.sub(r"[^\w.-]+", "_", address)[:60]
        return base / "shared" / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"
    chosen = argument or variable
    return Path(chosen).expanduser().absolute() if chosen else _user_cache()


def shared_address(argument: str | os.PathLike[str] | None = None) -> str:
    """The address of a shared store: argument, then ``CANVAS_REPORTS_CACHE``; empty where that is a folder.

    Raises
    ------
    ConfigurationError
        It holds a password or a signature, which would be shown with it.
    """
    chosen = argument or os.environ.get("CANVAS_REPORTS_CACHE")
    if not _is_address(chosen):
        return ""
    text = str(chosen).strip()
    if not _ADDRESS.fullmatch(text) or _PASSWORD.search(text):
        raise ConfigurationError(
            "The store's address is none, or holds a password or a key.",
            hint='It looks like "s3://bucket/folder"; keys belong in the storage\'s own settings.',
        )
    return text.rstrip("/")


def _is_address(chosen: str | os.PathLike[str] | None) -> bool:
    return "://" in str(chosen or "")


def _user_cache() -> Path:
    import platformdirs  # noqa: PLC0415 - only needed where nobody chose a folder

    return platformdirs.user_cache_path("canvas-reports-nb", appauthor=False)
