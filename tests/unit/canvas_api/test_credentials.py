"""Where the token is found, where it is sent, and where it must never appear."""

import copy
import logging
import pickle
import sys
import traceback
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import requests

from canvas_reports_nb.canvas_api import credentials
from canvas_reports_nb.canvas_api.credentials import BearerAuth, Token, find_token, find_url
from canvas_reports_nb.exceptions import ConfigurationError, CredentialsError

URL, SECRET = "https://canvas.example.edu", "1234~hidden"


def keyring(answer: Any) -> ModuleType:
    """Make a keyring with one entry or one error."""
    module = ModuleType("keyring")
    asked: list[tuple[str, str]] = []

    class KeyringError(Exception):
        pass

    def get_password(service: str, user: str) -> Any:
        asked.append((service, user))
        if answer is KeyringError or answer == "broken":
            raise KeyringError("locked")
        return answer

    vars(module).update(
        get_password=get_password, asked=asked, errors=SimpleNamespace(KeyringError=KeyringError)
    )
    return module


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables, the keyring and the terminal."""
    for name in ("CANVAS_API_URL", "CANVAS_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))


@pytest.mark.parametrize(
    ("argument", "environment", "ring", "typed", "found"),
    [
        ("arg", "env", "ring", "typed", "arg"),
        (None, "env", "ring", "typed", "env"),
        (None, None, "ring", "typed", "ring"),
        (None, None, None, "typed", "typed"),
        (None, None, "broken", "typed", "typed"),
        ("", "", "ring", "typed", "ring"),
        (Token("object"), "env", "ring", "typed", "object"),
    ],
)
def test_order(
    *,
    monkeypatch: pytest.MonkeyPatch,
    argument: Any,
    environment: str | None,
    ring: str | None,
    typed: str,
    found: str,
) -> None:
    if environment is not None:
        monkeypatch.setenv("CANVAS_API_TOKEN", environment)
    monkeypatch.setitem(sys.modules, "keyring", keyring(ring))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(
        credentials, "getpass", lambda prompt: typed if "canvas.example.edu" in prompt else ""
    )
    token = find_token(argument, URL)
    assert token.reveal() == found
    sources = {
        "env": "found in CANVAS_API_TOKEN",
        "ring": "found in the keyring",
        "typed": "typed at the prompt",
    }
    assert token.source == sources.get(found, "given as an argument")


def test_the_keyring_entry_is_that_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = keyring(SECRET)
    monkeypatch.setitem(sys.modules, "keyring", ring)
    find_token(None, URL)
    assert ring.asked == [("canvas-reports-nb", "canvas.example.edu")]


def test_an_error_without_a_token_names_every_way_to_give_one() -> None:
    with pytest.raises(CredentialsError) as caught:
        find_token(None, URL)
    for way in ("CANVAS_API_TOKEN", "keyring set canvas-reports-nb canvas.example.edu", "demo()"):
        assert way in str(caught.value)
    with pytest.raises(CredentialsError, match="CANVAS_API_URL"):
        find_url(None)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_kernel_prompts_only_if_its_front_end_accepts_input(
    monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=allowed))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(credentials, "getpass", lambda _: SECRET)
    if allowed:
        assert find_token(None, URL).reveal() == SECRET
    else:
        with pytest.raises(CredentialsError):
            find_token(None, URL)


@pytest.mark.parametrize("error", [EOFError, NotImplementedError])
def test_a_front_end_without_input(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuse(_: str) -> str:
        raise error

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(credentials, "getpass", refuse)
    with pytest.raises(ConfigurationError, match="before the kernel starts"):
        find_token(None, URL)


def test_find_url_prefers_the_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANVAS_API_URL", "https://env.example.edu/api/v1")
    assert find_url(None) == "https://env.example.edu"
    assert find_url("arg.example.edu") == "https://arg.example.edu"


@pytest.mark.parametrize(
    "text", ["", "  ", "two words", "tab\there", "line\nbreak", "žeton", "a\u200bb", "null\x00"]
)
def test_an_invalid_token_is_rejected_and_not_repeated(text: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        Token(text)
    assert not text.strip() or text not in str(caught.value)


def test_spaces_around_a_pasted_token_are_dropped() -> None:
    assert Token(f" {SECRET}\n").reveal() == SECRET


def test_a_token_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    token = Token(SECRET)
    auth = BearerAuth(token, URL)
    logging.getLogger("canvas_reports_nb").warning("%s %r", token, auth)
    shown = [
        str(token),
        repr(token),
        f"{token}",
        f"{token!r:>40}",
        repr([token]),
        repr(vars(auth)),
    ]
    assert SECRET not in "".join(shown) + caplog.text
    for leaving in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="pickled"):
            leaving(token)
    with pytest.raises(TypeError) as caught:
        len(token)  # type: ignore[arg-type]
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "Token(hidden)" in "".join(report.format())
    assert SECRET not in "".join(report.format())


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        (f"{URL}/api/v1/accounts/self", True),
        ("https://CANVAS.example.edu:443/x", True),
        ("http://canvas.example.edu/x", False),
        ("https://canvas.example.edu:8443/x", False),
        ("https://files.example.org/x", False),
        ("https://canvas.example.edu.evil.example.org/x", False),
        ("https://canvas.example.edu@evil.example.org/x", False),
    ],
)
def test_the_token_is_sent_only_to_canvas(url: str, goes: bool) -> None:
    request = requests.Request("GET", url, auth=BearerAuth(Token(SECRET), URL)).prepare()
    assert ("Authorization" in request.headers) is goes
    assert SECRET not in (request.url or "")


def test_netrc_does_not_replace_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session = requests.Session()
    session.auth = BearerAuth(Token(SECRET), URL)
    assert (
        session.prepare_request(requests.Request("GET", URL)).headers["Authorization"] == f"Bearer {SECRET}"
    )
    assert (
        "Authorization"
        not in session.prepare_request(requests.Request("GET", "https://a.example.org")).headers
    )


@pytest.mark.parametrize("given", [f'"{SECRET}"', f"'{SECRET}'", f' "{SECRET}" \n', f'"{SECRET}'])
def test_quotes_around_a_token_are_not_a_part_of_it(given: str) -> None:
    assert Token(given).reveal() == SECRET


@pytest.mark.parametrize("argument", [None, f"{SECRET} x"])
def test_local_variables_in_a_traceback_do_not_show_a_token(
    monkeypatch: pytest.MonkeyPatch, argument: str | None
) -> None:
    monkeypatch.setenv("CANVAS_API_TOKEN", f"{SECRET} x")
    with pytest.raises(CredentialsError) as caught:
        find_token(argument, URL)
    ours = [
        frame
        for frame, _ in traceback.walk_tb(caught.value.__traceback__)
        if frame.f_code.co_filename == credentials.__file__
    ]
    shown = {
        name: repr(value) for frame in ours for name, value in frame.f_locals.items() if name != "argument"
    }
    assert len(ours) == 2
    assert SECRET not in repr(shown)
