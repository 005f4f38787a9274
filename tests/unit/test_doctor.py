"""Each check of the doctor names the problem and what to do, and never shows the token."""

import os
import shutil
import ssl
import stat
import sys
import time
from email.utils import formatdate
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from canvas_reports_nb import doctor
from canvas_reports_nb.doctor import Finding, examine

SECRET = "1234~hidden"
URL = "https://canvas.example.edu"
CHECKS = [
    "address", "host", "connection", "clock", "token", "token accepted", "permission", "reports",
    "store", "room", "versions", "extras",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide a host name that resolves, no keyring and no terminal."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    found = [(None, None, None, "", ("192.0.2.7", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[requests.PreparedRequest]:
    sent = []

    def send(_: object, request: requests.PreparedRequest, **__: object) -> None:
        sent.append(request)
        raise error

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)
    return sent


def found(store: Path, **given: Any) -> dict[str, Finding]:
    findings = list(examine(store=store, **given))
    assert [finding.name for finding in findings] == CHECKS
    assert SECRET not in repr(findings)
    for finding in findings:
        assert finding.says
        assert finding.ok is not False or finding.do, f"{finding} has no advice"
    return {finding.name: finding for finding in findings}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "No Canvas address was given"),
        ({"url": "http://canvas.example.edu"}, "plain http"),
        ({"url": f"https://me:{SECRET}@canvas.example.edu"}, "not the address"),
    ],
)
def test_without_an_address_only_this_machine_is_checked(
    tmp_path: Path, given: dict[str, str], says: str
) -> None:
    seen = found(tmp_path / "store", token=SECRET, **given)
    assert says in seen["address"].says
    assert [name for name, finding in seen.items() if finding.ok is None] == CHECKS[1:8]
    assert all(seen[name].ok for name in CHECKS[8:])


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    seen = found(tmp_path, url=URL, token=SECRET)
    assert seen["host"].ok is False
    assert seen["token"].ok
    assert [name for name, finding in seen.items() if finding.ok is None] == [
        "connection", "clock", "token accepted", "permission", "reports",
    ]  # fmt: skip


def test_a_proxy_looks_up_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET}@proxy.example.edu:3128")
    monkeypatch.delattr("socket.getaddrinfo")
    refuse(monkeypatch, requests.exceptions.ProxyError(f"http://me:{SECRET}@proxy.example.edu"))
    seen = found(tmp_path, url=URL, token=SECRET)
    assert "proxy.example.edu" in seen["host"].says
    assert "ProxyError" in seen["connection"].says


@pytest.mark.parametrize(
    ("error", "do"),
    [
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError()), "REQUESTS_CA_BUNDLE"),
        (requests.ConnectTimeout(), "firewall"),
        (requests.ConnectionError(), "firewall"),
        (OSError("Could not find a suitable TLS CA certificate bundle"), "unset them"),
    ],
)
def test_no_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, do: str) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login me password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    sent = refuse(monkeypatch, error)
    seen = found(tmp_path / "store", url=URL, token=SECRET)
    assert seen["connection"].ok is False
    assert do in seen["connection"].do
    assert "Authorization" not in sent[0].headers, "no secret is sent before TLS is known to work"


@pytest.mark.parametrize(
    ("away", "ok", "says"),
    [(0, True, "agrees"), (3600, False, "3,600 seconds ahead"), (-600, False, "behind")],
)
def test_the_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, away: int, ok: bool, says: str
) -> None:
    answer = requests.Response()
    now = 1_772_468_047
    answer.headers["Date"] = formatdate(now, usegmt=True)
    monkeypatch.setattr("requests.Session.head", lambda *_, **__: answer)
    seen = found(tmp_path, url=URL, clock=lambda: now + away)
    assert seen["clock"].ok is ok
    assert says in seen["clock"].says
    assert seen["token"].ok is False
    assert "CANVAS_API_TOKEN" in seen["token"].do


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026"])
def test_a_host_that_sends_no_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, date: str) -> None:
    answer = requests.Response()
    answer.headers["Date"] = date
    monkeypatch.setattr("requests.Session.head", lambda *_, **__: answer)
    assert found(tmp_path, url=URL, clock=time.time)["clock"].ok


def test_the_source_of_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuse(monkeypatch, requests.ConnectionError())
    assert "argument" in found(tmp_path, url=URL, token=SECRET)["token"].says
    monkeypatch.setenv("CANVAS_API_TOKEN", SECRET)
    assert "CANVAS_API_TOKEN" in found(tmp_path, url=URL)["token"].says
    monkeypatch.setenv("CANVAS_API_TOKEN", f"two {SECRET}")
    assert "CANVAS_API_TOKEN" in found(tmp_path, url=URL)["token"].says
    assert found(tmp_path, url=URL)["token"].ok is False
    monkeypatch.delenv("CANVAS_API_TOKEN")
    monkeypatch.setitem(
        sys.modules, "keyring", SimpleNamespace(get_password=lambda *_: SECRET, errors=SimpleNamespace())
    )
    assert "keyring" in found(tmp_path, url=URL)["token"].says
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("canvas_reports_nb.canvas_api.credentials.getpass", lambda _: SECRET)
    assert found(tmp_path, url=URL)["token"].says == "typed at the prompt; not shown"


def test_the_store_is_made_private(tmp_path: Path) -> None:
    seen = found(tmp_path / "store")
    assert seen["store"].ok
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700
    assert not list((tmp_path / "store").iterdir()), "the test file is removed"


@pytest.mark.skipif(os.name != "posix", reason="other systems have no file modes")
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620])
def test_a_store_others_can_read(tmp_path: Path, mode: int) -> None:
    store = tmp_path / "the store"
    store.mkdir(mode=0o700)
    (store / "names.csv").write_bytes(b"")
    (store / "names.csv").chmod(mode)
    (store / "link").symlink_to(tmp_path)
    seen = found(store)
    assert "1 of the files" in seen["store"].says
    assert f"chmod -R go-rwx '{store}'" in seen["store"].do


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    seen = found(tmp_path / "file" / "store")
    assert "can't write to" in seen["store"].says
    assert seen["room"].ok is None


@pytest.mark.parametrize(("free", "ok"), [(10**9 - 1, False), (10**9, True)])
def test_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, free: int, ok: bool) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert found(tmp_path / "store")["room"].ok is ok


def test_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = found(tmp_path / "store")
    assert f"polars {metadata.version('polars')}" in seen["versions"].says
    installed = doctor._version
    monkeypatch.setattr(
        doctor, "_version", lambda name: None if name in {"polars", "dask"} else installed(name)
    )
    seen = found(tmp_path / "store")
    assert seen["versions"].ok is False
    assert "polars missing" in seen["versions"].says
    assert seen["versions"].do.endswith("pip install polars")
    assert seen["extras"].ok, "extras are optional"
    assert "canvas-reports-nb[dask]" in seen["extras"].do


@pytest.mark.parametrize(
    ("kernel", "hint"),
    [("7.3.0", 'Run: python -m pip install "ipykernel>=7.4"'), ("7.10.0", ""), ("6.30.1", ""), (None, "")],
)
def test_a_kernel_that_can_stop_answering(
    monkeypatch: pytest.MonkeyPatch, kernel: str | None, hint: str
) -> None:
    installed = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: kernel if name == "ipykernel" else installed(name))
    seen = doctor._versions()
    assert seen.ok, "reports are read all the same"
    assert bool(hint) == ("ipykernel 7.3.0 can stop answering" in seen.says)
    assert seen.do == hint
