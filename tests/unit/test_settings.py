"""Addresses are normalized where possible and rejected where they would expose the token."""

from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.exceptions import ConfigurationError
from canvas_reports_nb.settings import Settings, canvas_url, host_folder, is_loopback, store_root
from canvas_reports_nb.store.store import Store


@pytest.mark.parametrize(
    ("given_", "url"),
    [
        ("canvas.example.edu", "https://canvas.example.edu"),
        (" https://Canvas.Example.edu/ \n", "https://canvas.example.edu"),
        ("https://canvas.example.edu/api/v1", "https://canvas.example.edu"),
        ("https://canvas.example.edu/accounts/1/settings?x=1#tab-reports", "https://canvas.example.edu"),
        ("canvas.example.edu:8443/login", "https://canvas.example.edu:8443"),
        ("HTTPS://canvas.example.edu", "https://canvas.example.edu"),
        ("http://127.0.0.1:4000/", "http://127.0.0.1:4000"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_address_is_normalized(given_: str, url: str) -> None:
    assert canvas_url(given_) == url


@pytest.mark.parametrize("token", ["7~abcdefabcdef", "1234~" + "x" * 64, "a" * 31, "a" * 64, "10017~a.b"])
def test_a_token_given_as_the_address_is_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        canvas_url(token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "given_",
    [
        "",
        "  ",
        "https://",
        "https:///x",
        "ftp://canvas.example.edu",
        "file:///etc/hosts",
        "https://[::1",
        "https://h:99999",
        "https://a..b",
        "https://.example.edu",
        f"https://{'a' * 64}.example.edu",
        "https://exa mple.edu",
        "javascript:alert(1)//://x",
        "http://canvas.example.edu",
        "http://127.0.0.1.evil.example.org",
        "https://me:hidden@canvas.example.edu",
        "https://:hidden@canvas.example.edu",
        "https://hidden@canvas.example.edu",
        "http://localhost@evil.example.org",
        "http://localhost\\@evil.example.org",
        "http://canvas.example.edu#@localhost",
    ],
)
def test_an_invalid_or_unsafe_address_is_rejected(given_: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        canvas_url(given_)
    assert "hidden" not in str(caught.value)


hosts = st.sampled_from(["canvas.example.edu", "127.0.0.1", "localhost", "[::1]", "evil.example.org"])
addresses = st.text(max_size=30) | st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP://", "", "ftp://", "http:", "//"]),
    st.sampled_from(["", "me@", "me:pw@", "\\", "/", " "]),
    hosts,
    st.sampled_from(
        ["", ":80", ":x", "/api/v1", "@evil.example.org", "#@localhost", "?a=b", "\n", ".", "%2e"]
    ),
)


@given(addresses)
def test_never_plain_http_to_another_machine(text: str) -> None:
    try:
        url = canvas_url(text)
    except ConfigurationError:
        return
    parts = urlsplit(url)
    assert parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    assert (parts.path, parts.query, parts.fragment, parts.username, parts.password) == (
        "",
        "",
        "",
        None,
        None,
    )
    assert parts.hostname
    assert canvas_url(url) == url


@pytest.mark.parametrize(
    ("argument", "environment", "chosen"),
    [
        ("/a", "/e", Path("/a")),
        (Path("/a"), "/e", Path("/a")),
        (None, "/e", Path("/e")),
        (None, "~/e", Path.home() / "e"),
        ("e", None, Path.cwd() / "e"),
        (None, "", platformdirs.user_cache_path("canvas-reports-nb", appauthor=False)),
        (None, None, platformdirs.user_cache_path("canvas-reports-nb", appauthor=False)),
    ],
)
def test_store_root(
    monkeypatch: pytest.MonkeyPatch, argument: str | Path | None, environment: str | None, chosen: Path
) -> None:
    monkeypatch.delenv("CANVAS_REPORTS_CACHE", raising=False)
    if environment is not None:
        monkeypatch.setenv("CANVAS_REPORTS_CACHE", environment)
    assert store_root(argument) == chosen


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("https://canvas.example.edu", "canvas.example.edu"),
        ("http://127.0.0.1:4000", "127.0.0.1_4000"),
        ("http://[::1]:4000", "__1_4000"),
    ],
)
def test_host_folder(url: str, folder: str) -> None:
    assert host_folder(url) == folder


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings(url="https://canvas.example.edu").url = "https://evil.example.org"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "~nobody-here/store", "\u3042" * 90])
def test_a_store_that_no_folder_can_be(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for argument in (name, None):
        if argument is None and "\0" not in name:
            monkeypatch.setenv("CANVAS_REPORTS_CACHE", name)
        elif argument is None:
            continue
        with pytest.raises(ConfigurationError, match="as the store"):
            store_root(argument)


@pytest.mark.parametrize("folder", [RuntimeError("no home"), Path("~/.cache/x")], ids=["raised", "relative"])
def test_a_machine_without_a_home_folder(monkeypatch: pytest.MonkeyPatch, folder: Path | Exception) -> None:
    """Newer versions of platformdirs raise an error, older ones return a relative path."""

    def user_cache_path(*_: object, **__: object) -> Path:
        if isinstance(folder, Exception):
            raise folder
        return folder

    monkeypatch.delenv("CANVAS_REPORTS_CACHE", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", user_cache_path)
    with pytest.raises(ConfigurationError, match=r"No home folder[\s\S]*CANVAS_REPORTS_CACHE"):
        store_root()
    assert repr(Store(Path("/srv/store"))) == f"Store({str(Path('/srv/store'))!r})"


def test_a_folder_whose_name_this_locale_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path("/home/M\udcc3\udcbcller")  # how Python shows the bytes of an umlaut in the POSIX locale
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: home)
    monkeypatch.delenv("CANVAS_REPORTS_CACHE", raising=False)
    for argument in (None, home):
        with pytest.raises(ConfigurationError, match="this locale") as caught:
            store_root(argument)
        assert "PYTHONUTF8" in str(caught.value)
        str(caught.value).encode("ascii")
