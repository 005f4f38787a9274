"""What is sent where, what is retried, and what is never shown, over an adapter without a network."""

import io
import json
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import requests.adapters
import urllib3

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.credentials import Token
from canvas_reports_nb.canvas_api.transport import Transport
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.settings import Settings

CANVAS, STORAGE, SECRET = "https://canvas.example.edu", "https://files.example.org", "1234~hidden"


class Wire(requests.adapters.BaseAdapter):
    """An adapter that keeps the requests and takes responses, (status, body, headers) or exceptions, from a list."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers = list(answers)
        self.requests: list[requests.PreparedRequest] = []
        self.verified: list[Any] = []
        self.timeouts: list[Any] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **kwargs: Any) -> requests.Response:
        self.requests.append(request)
        self.verified.append(kwargs["verify"])
        self.timeouts.append(kwargs["timeout"])
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        status, body, headers = (*answer, {})[:3]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw = urllib3.HTTPResponse(
            io.BytesIO(content),
            headers={"Content-Type": "application/json", **headers},
            status=status,
            preload_content=False,
        )
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing is open."""


Made = Callable[..., tuple[Transport, Wire]]


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def waiter(slept: list[float]) -> Waiter:
    return Waiter(clock=lambda: 1000.0 + sum(slept), sleep=slept.append)


@pytest.fixture
def transport(tmp_path: Path, waiter: Waiter) -> Iterator[Made]:
    opened: list[Transport] = []

    def make(*answers: Any) -> tuple[Transport, Wire]:
        made = Transport(Settings(url=CANVAS, store=tmp_path), Token(SECRET), waiter)
        wire = Wire(*answers)
        made._plain.mount("https://", wire)
        opened.append(made)
        return made, wire

    yield make
    for each in opened:
        each.close()


def test_a_call(transport: Made) -> None:
    made, wire = transport((200, {"id": 1}, {"X-Rate-Limit-Remaining": "512.25"}))
    assert made.json("POST", "accounts/self/reports/x", body={"parameters": {"users": True}}) == {"id": 1}
    request = wire.requests[0]
    assert request.url == f"{CANVAS}/api/v1/accounts/self/reports/x"
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["User-Agent"].startswith("canvas-reports-nb/")
    assert json.loads(request.body or "") == {"parameters": {"users": True}}
    assert made.rate_limit_remaining == 512.25


def test_an_odd_rate_header_is_ignored(transport: Made) -> None:
    made, _ = transport((200, [], {"X-Rate-Limit-Remaining": "plenty"}))
    assert made.json("GET", "accounts/self/reports") == []
    assert made.rate_limit_remaining is None


THROTTLED = (403, b"403 Forbidden (Rate Limit Exceeded)\n", {"Content-Type": "text/plain"})
LOST = requests.ConnectionError("reset")
GOOD = (200, {"id": 1})


@pytest.mark.parametrize(
    ("method", "answers", "calls", "error"),
    [
        ("GET", [THROTTLED, (502, b""), LOST, GOOD], 4, None),
        ("PUT", [(503, b""), GOOD], 2, None),
        ("DELETE", [LOST, GOOD], 2, None),
        ("GET", [LOST] * 4, 4, exc.NotReachedError),
        ("GET", [THROTTLED] * 4, 4, exc.ThrottledError),
        ("POST", [THROTTLED, GOOD], 2, None),
        ("POST", [(500, b"")], 1, exc.ServerError),
        ("POST", [(500, b"[" * 100_000)], 1, exc.ServerError),
        ("GET", [(200, b"[" * 100_000)], 1, exc.UnexpectedAnswerError),
        ("POST", [LOST], 1, exc.NotReachedError),
        ("POST", [requests.ReadTimeout("slow")], 1, exc.NotReachedError),
        ("GET", [(404, {})], 1, exc.NotFoundError),
        ("GET", [(401, {})], 1, exc.AuthenticationError),
        ("GET", [(403, {"status": "unauthorized"})], 1, exc.NotPermittedError),
        (
            "GET",
            [(403, b"User-Agent required", {"Content-Type": "text/plain"})],
            1,
            exc.UserAgentRefusedError,
        ),
        ("GET", [requests.TooManyRedirects("round")], 1, exc.UnexpectedAnswerError),
        ("GET", [requests.exceptions.SSLError("handshake")] * 4, 4, exc.NotReachedError),
        ("GET", [requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED]")], 1, exc.NotReachedError),
        ("GET", [(302, b"", {"Location": f"{STORAGE}/api"}), GOOD], 2, exc.UnexpectedAnswerError),
        ("POST", [(302, b"", {"Location": f"{CANVAS}/login"})], 1, exc.UnexpectedAnswerError),
        ("DELETE", [(301, b"", {"Location": f"{CANVAS}/other"})], 1, exc.UnexpectedAnswerError),
    ],
)
def test_temporary_errors_are_retried(
    *,
    transport: Made,
    slept: list[float],
    method: str,
    answers: list[Any],
    calls: int,
    error: type[Exception] | None,
) -> None:
    made, wire = transport(*answers)
    if error is None:
        assert made.json(method, "accounts/self") == {"id": 1}
    else:
        with pytest.raises(error) as caught:
            made.json(method, "accounts/self")
        assert type(caught.value) is error
    assert (len(wire.requests), wire.answers) == (calls, [])
    redirected = sum(isinstance(answer, tuple) and answer[0] == 302 for answer in answers[: calls - 1])
    assert len(slept) == calls - 1 - redirected
    assert all(0 < pause < 60 for pause in slept)


DATE = {"Date": "Mon, 02 Mar 2026 16:14:00 GMT"}


@pytest.mark.parametrize(
    ("method", "status", "headers", "least", "most"),
    [
        ("POST", 429, {"Retry-After": "7"}, 7, 9),
        ("GET", 503, {"Retry-After": "Mon, 02 Mar 2026 16:14:07 GMT", **DATE}, 7, 9),
        ("GET", 503, {"Retry-After": "Mon, 02 Mar 2026 16:13:07 GMT", **DATE}, 0, 2),
        ("GET", 503, {"Retry-After": "86400"}, 60, 62),
        ("GET", 503, {"Retry-After": "soon"}, 0, 2),
        ("GET", 503, {"Retry-After": "-5"}, 0, 2),
        ("GET", 503, {}, 0, 2),
    ],
)
def test_the_pause_is_what_the_server_asks_for(
    *, transport: Made, slept: list[float], method: str, status: int, headers: Any, least: int, most: int
) -> None:
    made, _ = transport((status, b"", headers), GOOD)
    assert made.json(method, "accounts/self") == {"id": 1}
    (pause,) = slept
    assert least < pause <= most + 1


def test_network_timeouts_end_at_the_deadline(transport: Made, slept: list[float]) -> None:
    now = [1000.0]
    made, wire = transport(GOOD, GOOD, LOST, GOOD)
    made.waiter.clock = lambda: now[0]
    made.json("GET", "accounts/self")
    with made.waiter.limit(20):
        made.json("GET", "accounts/self")
        now[0] += 20.5
        with pytest.raises(exc.NotReachedError):
            made.json("GET", "accounts/self")
        now[0] += 0.5
        with pytest.raises(exc.NotReachedError, match="The timeout passed"):
            made.json("GET", "accounts/self")
    assert wire.timeouts == [(10.0, 60.0), (10.0, 21.0), (0.5, 0.5)]
    assert slept == [], "nothing is retried after the deadline"
    assert made.json("GET", "accounts/self") == {"id": 1}


def test_certificates_are_always_checked(
    transport: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    made, wire = transport(*[GOOD] * 3)
    made.json("GET", "accounts/self")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "school.pem"))
    made.json("GET", "accounts/self")
    with made.download(f"{CANVAS}/files/7"):
        pass
    assert wire.verified == [True, *[str(tmp_path / "school.pem")] * 2]


def test_a_missing_certificate_file_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slept: list[float], waiter: Waiter
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "school.pem"))
    settings = Settings(url=CANVAS, store=tmp_path)
    with closing(Transport(settings, Token(SECRET), waiter)) as made:
        with pytest.raises(exc.ConfigurationError, match="REQUESTS_CA_BUNDLE"):
            made.json("GET", "accounts/self")
        with pytest.raises(exc.ConfigurationError), made.download(f"{CANVAS}/files/7"):
            pass
    assert slept == []


def test_a_call_succeeds_without_a_usable_cache(transport: Made, tmp_path: Path) -> None:
    (tmp_path / "http").write_text("a file where a folder should be")
    made, wire = transport(GOOD)
    assert made.json("GET", "accounts/self", cached=True) == {"id": 1}
    assert len(wire.requests) == 1


def test_threads_share_one_session_with_a_cache(transport: Made) -> None:
    made, _ = transport()
    together = threading.Barrier(8)

    def open_session(_: int) -> Any:
        together.wait()
        return made._cached

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(open_session, range(8)))) == 1


def test_the_cache_follows_no_redirect_to_plain_http(transport: Made) -> None:
    made, _ = transport()
    cached = Wire((302, b"", {"Location": "http://canvas.example.edu/api/v1/accounts/self"}))
    made._cached.mount("https://", cached)
    with pytest.raises(exc.UnexpectedAnswerError, match="plain http"):
        made.json("GET", "accounts/self", cached=True)
    assert len(cached.requests) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [(302, b"", {"Location": "/api/v1/accounts/1"}), (200, {"id": 1})],
        [(302, b"", {"Location": "/login"}), (200, b"<html>Log in</html>", {"Content-Type": "text/html"})],
        [(200, b"<html>Log in</html>", {"Content-Type": "text/html"})],
    ],
    ids=["elsewhere", "to the login page", "login page"],
)
def test_the_cache_keeps_no_redirect_and_no_web_page(
    transport: Made, tmp_path: Path, answers: list[Any]
) -> None:
    made, _ = transport()
    made._cached.mount("https://", Wire(*answers, (200, {"id": 2})))
    with suppress(exc.AuthenticationError):
        made.json("GET", "accounts/self", cached=True)
    assert made.json("GET", "accounts/self", cached=True) == {"id": 2}, (
        "after the login the next call succeeds"
    )
    made.close()
    (stored,) = [path.read_bytes() for path in (tmp_path / "http").iterdir()]
    assert SECRET.encode() not in stored


def test_all_pages_are_followed_by_the_link_header(transport: Made) -> None:
    second = f"{CANVAS.replace('canvas', 'Canvas')}/api/v1/accounts/1/reports/x?page=bookmark:W&per_page=100"
    made, wire = transport(
        (200, [1, 2], {"Link": f'<{second}>; rel="next",<{CANVAS}/first>; rel="first"'}),
        (200, [3], {"link": f'<{CANVAS}/first>; rel="first"'}),
    )
    assert list(made.pages("accounts/1/reports/x", query={"a": "b"})) == [[1, 2], [3]]
    assert [request.url for request in wire.requests] == [
        f"{CANVAS}/api/v1/accounts/1/reports/x?a=b&per_page=100",
        second.replace("Canvas", "canvas"),
    ]


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example.org/x", "http://canvas.example.edu/x", CANVAS + ".evil.example.org/x"]
)
def test_a_next_page_on_another_host_is_not_followed(transport: Made, elsewhere: str) -> None:
    made, wire = transport((200, [1], {"Link": f'<{elsewhere}>; rel="next"'}))
    with pytest.raises(exc.UnexpectedAnswerError, match="another host"):
        list(made.pages("accounts/1/reports/x"))
    assert len(wire.requests) == 1


def test_a_redirect_to_the_storage_drops_the_token(
    transport: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    made, wire = transport(
        (302, b"", {"Location": f"{CANVAS}/files/7/download"}),
        (302, b"", {"Location": f"{STORAGE}/files/a.csv?token=signed"}),
        (200, b"a\n1\n", {"Content-Type": "text/csv"}),
    )
    with made.download(f"{CANVAS}/files/7?download_frd=1", offset=3) as response:
        assert response.raw.read() == b"a\n1\n"
    sent = [request.headers.get("Authorization") for request in wire.requests]
    assert sent == [f"Bearer {SECRET}", f"Bearer {SECRET}", None]
    assert {request.headers["Range"] for request in wire.requests} == {"bytes=3-"}
    assert {request.headers["Accept-Encoding"] for request in wire.requests} == {"identity"}


def test_no_redirect_to_plain_http(transport: Made) -> None:
    made, wire = transport((302, b"", {"Location": "http://files.example.org/a.csv"}))
    with pytest.raises(exc.UnexpectedAnswerError, match="plain http"), made.download(f"{CANVAS}/files/7"):
        pass
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("host", "status", "error"),
    [
        (CANVAS, 401, exc.AuthenticationError),
        (CANVAS, 403, exc.NotPermittedError),
        (CANVAS, 404, exc.NotFoundError),
        (STORAGE, 401, exc.ServerError),
        (STORAGE, 403, exc.ServerError),
        (STORAGE, 404, exc.ServerError),
    ],
)
def test_a_rejected_download(transport: Made, host: str, status: int, error: type[Exception]) -> None:
    tries = 4 if error is exc.ServerError else 1  # a new link is requested for an expired one
    made, wire = transport(
        *[
            (302, b"", {"Location": f"{host}/a?token=signed"}),
            (status, b"<Error/>", {"Content-Type": "text/xml"}),
        ]
        * tries
    )
    with pytest.raises(error) as caught, made.download(f"{CANVAS}/files/7?verifier=signed"):
        pass
    assert type(caught.value) is error
    assert not wire.answers
    assert "signed" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize(
    "lost",
    [
        LOST,
        requests.exceptions.SSLError(f"{SECRET} in the text"),
        requests.Timeout(SECRET),
        urllib3.exceptions.LocationParseError(SECRET),
    ],
)
def test_no_secret_in_a_network_error(transport: Made, lost: Exception) -> None:
    made, _ = transport(*[lost] * 4)
    with pytest.raises(exc.NotReachedError) as caught:
        made.json("GET", "accounts/self?access_token=hidden")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "hidden" not in str(caught.value)
    assert SECRET not in "".join(traceback.StackSummary.from_list(shown.stack[1:]).format())
    assert SECRET not in repr(made) + repr(vars(made))


def test_the_cache_holds_only_metadata_and_no_secret(transport: Made, tmp_path: Path) -> None:
    made, plain = transport((200, {"id": 2}))
    cached = Wire(
        (
            200,
            [{"report": "x", "url": f"{CANVAS}/files/1?verifier=abc123&b=1"}],
            {"Set-Cookie": "session=abc123"},
        ),
        (200, {"id": 1}),
        (200, {"id": 1}),
    )
    made._cached.mount("https://", cached)
    for _ in range(2):
        assert made.json("GET", "accounts/self/reports", cached=True)[0]["report"] == "x"
        assert made.json("GET", "accounts/self/reports/x/1", cached=True) == {"id": 1}
    assert [request.path_url for request in cached.requests].count("/api/v1/accounts/self/reports") == 1
    assert [request.path_url for request in cached.requests].count("/api/v1/accounts/self/reports/x/1") == 2
    assert made.json("GET", "accounts/self/reports") == {"id": 2}
    assert len(plain.requests) == 1
    made.close()
    files = list((tmp_path / "http").iterdir())
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600"]
    assert SECRET not in files[0].name
    stored = files[0].read_bytes()
    assert b"accounts/self/reports" in stored
    assert SECRET.encode() not in stored
    assert b"abc123" not in stored


def test_loopback_uses_no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:1")
    with closing(
        Transport(Settings(url="http://127.0.0.1:9", store=tmp_path), Token(SECRET), Waiter())
    ) as made:
        assert made._plain.trust_env is False
    with closing(Transport(Settings(url=CANVAS, store=tmp_path), Token(SECRET), Waiter())) as made:
        assert made._plain.trust_env is True
