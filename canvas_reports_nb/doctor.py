"""Checks of everything a report needs, with one finding per check and what to do about it.

The checks follow a call: address, host, TLS, token, permission, reports; then the store and the installation.
Checks that depend on a failed one are skipped, so fix the first failure first.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import socket
import stat
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.canvas_api.credentials import find_token, find_url
from canvas_reports_nb.canvas_api.transport import Transport
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.exceptions import CanvasReportsError, NotFoundError, NotPermittedError
from canvas_reports_nb.settings import Settings, __version__, is_loopback, store_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from canvas_reports_nb.canvas_api.credentials import Token
    from canvas_reports_nb.canvas_api.models import AvailableReport
    from canvas_reports_nb.typing import Clock, Sleep

_SECONDS = 10.0
_SKEW_SECONDS = 120.0
_ROOM = 1_000_000_000
_SHOWN = 5
_INVITATION = (
    "The columns of unknown reports load as text. To get types, send this package's maintainers the first line of "
    "such a file with the report's name. Send the header only, never rows: they contain names."
)
_NEEDED = ("pandas", "polars", "pyarrow", "requests", "requests-cache", "ipywidgets")
_EXTRAS = {
    "demo": ("starlette", "uvicorn", "jupyterlab"),
    "plot": ("matplotlib",),
    "dask": ("dask",),
    "excel": ("xlsxwriter",),
    "keyring": ("keyring",),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    name : str
    ok : bool or None
        ``None`` if the check was skipped because an earlier one failed.
    says : str
        What was found. It never contains the token.
    do : str
        What to do about it, or ``""``.
    """

    name: str
    ok: bool | None
    says: str
    do: str = ""


def examine(
    url: str | None = None,
    token: str | None = None,
    *,
    account: str = "self",
    store: str | os.PathLike[str] | None = None,
    clock: Clock = time.time,
    sleep: Sleep = time.sleep,
) -> Iterator[Finding]:
    """Check the address, TLS, token, permissions, reports, store and versions, in this order.

    No run is started and nothing is cached. The arguments are those of `connect`.

    Yields
    ------
    Finding
        One per check, always in the same order.
    """
    address, given = _address(url)
    yield given
    host = _after(given, "host", lambda: _host(address))
    yield host
    answer = _head(address) if host.ok else None
    reached = _after(host, "connection", lambda: _connection(address, answer))
    yield reached
    yield _after(reached, "clock", lambda: _clock(address, answer, clock()))
    secret, held = _token(token, address) if given.ok else (None, _after(given, "token", lambda: given))
    yield held
    yield from _calls(address, secret, account, sleep, reached if held.ok else held)
    try:
        root = store_root(store)
        writable = _store(root)
    except CanvasReportsError as error:
        writable = _failed("store", error)
    yield writable
    yield _after(writable, "room", lambda: _room(root))
    yield _versions()
    yield _extras()


def _after(needed: Finding, name: str, check: Callable[[], Finding]) -> Finding:
    if needed.ok:
        return check()
    return Finding(name, None, f"skipped until {needed.name!r} is fixed")


def _failed(name: str, error: CanvasReportsError) -> Finding:
    return Finding(name, False, error.message, error.hint or "")


def _address(url: str | None) -> tuple[str, Finding]:
    try:
        address = find_url(url)
    except CanvasReportsError as error:
        return "", _failed("address", error)
    return address, Finding("address", True, f"{address} ({'argument' if url else 'CANVAS_API_URL'})")


def _host(address: str) -> Finding:
    parts = urlsplit(address)
    proxy = requests.utils.select_proxy(address, requests.utils.get_environ_proxies(address, no_proxy=None))
    if proxy and not is_loopback(parts.hostname):
        # The proxy's address may contain a password.
        return Finding("host", True, f"looked up by the proxy {urlsplit(proxy).hostname}")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        do = "Check the spelling of the address, the network, and whether it needs a VPN."
        return Finding("host", False, f"{parts.hostname} was not found ({type(error).__name__})", do)
    return Finding("host", True, f"{parts.hostname} is {found[0][4][0]}")


def _head(address: str) -> requests.Response | OSError:
    """Send a request without the token, and return the response or the error."""
    with requests.Session() as session:
        session.trust_env = not is_loopback(urlsplit(address).hostname)
        try:
            # This auth adds nothing, so that no password from ~/.netrc is sent.
            return session.head(address, auth=lambda bare: bare, timeout=_SECONDS, allow_redirects=False)
        except OSError as error:
            return error


def _connection(address: str, answer: requests.Response | OSError | None) -> Finding:
    name, host = "connection", urlsplit(address).hostname
    match answer:
        case requests.Response():
            kind = "plain http to this machine" if address.startswith("http:") else "TLS certificate accepted"
            return Finding(name, True, f"{host} responded; {kind}")
        case requests.exceptions.SSLError():
            do = "If your school has its own certificate authority, set REQUESTS_CA_BUNDLE to its file. Else check the port."
            return Finding(name, False, f"no trusted TLS connection to {host}", do)
        case requests.RequestException():
            do = "Check the port, the proxy (HTTPS_PROXY) and the firewall."
            return Finding(name, False, f"{host} did not respond ({type(answer).__name__})", do)
        case _:
            do = "Set REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE to an existing file, or unset them."
            return Finding(name, False, "the file of trusted certificates can't be read", do)


def _clock(address: str, answer: object, now: float) -> Finding:
    if is_loopback(urlsplit(address).hostname):  # the demo has a clock of its own
        return Finding("clock", True, "not compared, because the host is this machine")
    sent = answer.headers.get("Date", "") if isinstance(answer, requests.Response) else ""
    try:
        away = now - parsedate_to_datetime(sent).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return Finding("clock", True, "not compared, because the host sends no time")
    if abs(away) <= _SKEW_SECONDS:
        return Finding("clock", True, "agrees with the host's clock")
    side = "ahead of" if away > 0 else "behind"
    do = "Set this machine's clock. It decides how old a finished run is, and so whether it is reused."
    return Finding("clock", False, f"{abs(away):,.0f} seconds {side} the host's clock", do)


def _token(argument: str | None, address: str) -> tuple[Token | None, Finding]:
    try:
        token = find_token(argument, address)
    except CanvasReportsError as error:
        return None, _failed("token", error)
    return token, Finding("token", True, f"{token.source}; not shown")


def _calls(
    address: str, token: Token | None, account: str, sleep: Sleep, needed: Finding
) -> Iterator[Finding]:
    """Yield the three checks that depend on the list of reports."""
    listed: list[AvailableReport] | CanvasReportsError = []
    if needed.ok and token is not None:
        transport = Transport(Settings(address, account), token, Waiter(sleep=sleep))
        try:
            listed = AccountReports(transport, account).available()
        except CanvasReportsError as error:
            listed = error
        finally:
            transport.close()
    accepted = _after(needed, "token accepted", lambda: _accepted(listed))
    yield accepted
    permitted = _after(accepted, "permission", lambda: _permitted(account, listed))
    yield permitted
    yield _after(permitted, "reports", lambda: _offered(listed))


def _accepted(listed: list[AvailableReport] | CanvasReportsError) -> Finding:
    # These two errors come only after Canvas accepted the token.
    if isinstance(listed, CanvasReportsError) and not isinstance(listed, NotPermittedError | NotFoundError):
        return _failed("token accepted", listed)
    return Finding("token accepted", True, "Canvas accepts the token")


def _permitted(account: str, listed: list[AvailableReport] | CanvasReportsError) -> Finding:
    if isinstance(listed, NotFoundError):
        do = "Use the Canvas id or sis_account_id:X of an account this token can see."
        return Finding("permission", False, f"{listed.message} (account {account})", do)
    if isinstance(listed, CanvasReportsError):
        return _failed("permission", listed)
    return Finding("permission", True, f"the token can list the reports of account {account}")


def _offered(listed: list[AvailableReport] | CanvasReportsError) -> Finding:
    offered = {offer.report for offer in listed} if isinstance(listed, list) else set()
    if not offered:
        do = "Ask a Canvas admin which account has reports, and for permission to use them."
        return Finding("reports", False, "the account has no reports", do)
    known = {*schemas.reports(), *schemas.hosted_reports()}
    absent = sorted(set(schemas.reports()) - offered)
    unknown = sorted(offered - known)
    parts = [f"{len(offered)} offered, {len(offered & known)} of them known to this package"]
    parts += [
        f"{what}: {_some(names)}" for what, names in (("not offered", absent), ("unknown", unknown)) if names
    ]
    return Finding("reports", True, "; ".join(parts), _INVITATION if unknown else "")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _store(root: Path) -> Finding:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=root, prefix=".doctor-") as probe:
            probe.write(b"written")
            probe.flush()
        open_to_others = [path for path in (root, *root.rglob("*")) if _open_to_others(path)]
    except OSError as error:
        do = "Set CANVAS_REPORTS_CACHE to another folder."
        return Finding("store", False, f"can't write to {root}: {error.strerror}", do)
    if open_to_others:
        says = (
            f"other users of this machine can read {len(open_to_others)} of the files and folders in {root}"
        )
        return Finding("store", False, says, f"Run: chmod -R go-rwx {shlex.quote(str(root))}")
    return Finding("store", True, f"{root} is writable and private")


def _open_to_others(path: Path) -> bool:
    # Windows has no file modes; the user's folder is private there.
    return os.name == "posix" and bool(stat.S_IMODE(path.lstat().st_mode) & 0o077) and not path.is_symlink()


def _room(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    says = f"{free / 1e9:,.1f} GB free on the store's disk"
    if free >= _ROOM:
        return Finding("room", True, says)
    do = "Remove old runs with canvas-reports store clear, or set CANVAS_REPORTS_CACHE to another disk."
    return Finding("room", False, says, do)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _versions() -> Finding:
    found = {package: _version(package) for package in _NEEDED}
    missing = [package for package, version in found.items() if version is None]
    ours = f"canvas-reports-nb {__version__}, Python {platform.python_version()}"
    says = ", ".join([ours, *(f"{package} {version or 'missing'}" for package, version in found.items())])
    do = f"Run: python -m pip install {' '.join(missing)}" if missing else ""
    kernel = _version("ipykernel") or ""
    # While these send a reply, they can miss the next request, and then every later one (ipykernel#1554).
    if kernel.startswith(("7.0.", "7.1.", "7.2.", "7.3.")):
        says += f"; ipykernel {kernel} can stop answering"
        do = do or 'Run: python -m pip install "ipykernel>=7.4"'
    return Finding("versions", not missing, says, do)


def _extras() -> Finding:
    missing = [
        extra for extra, packages in _EXTRAS.items() if any(_version(package) is None for package in packages)
    ]
    says = ", ".join(f"{extra} {'not installed' if extra in missing else 'installed'}" for extra in _EXTRAS)
    do = f'To install all: python -m pip install "canvas-reports-nb[{",".join(missing)}]"' if missing else ""
    return Finding("extras", True, says, do)
