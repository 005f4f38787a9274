"""What is sent where, what is retried, and what is never shown, over an adapter without a network."""

import io
import json
import sqlite3
import threading
import traceback
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import requests.adapters
import urllib3

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.credentials import Token
from canvas_reports_nb.canvas_api.session import Adapter
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
    assert made.json("GET", "accounts/self", cache="yes") == {"id": 1}
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
        made.json("GET", "accounts/self", cache="yes")
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
        made.json("GET", "accounts/self", cache="yes")
    assert made.json("GET", "accounts/self", cache="yes") == {"id": 2}, (
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
    "elsewhere",
    [
        "https://evil.example.org/x",
        CANVAS + ".evil.example.org/x",
        CANVAS + ":8443/x",
        "http://[::1",
        "//x",
        "file:///x",
    ],
)
def test_a_next_page_on_another_host_is_not_followed(transport: Made, elsewhere: str) -> None:
    made, wire = transport((200, [1], {"Link": f'<{elsewhere}>; rel="next"'}))
    with pytest.raises(exc.UnexpectedAnswerError, match="another host"):
        list(made.pages("accounts/1/reports/x"))
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "link", ["http://canvas.example.edu/p?page=2", f"{CANVAS}:443/p?page=2", "/p?page=2", "p?page=2"]
)
def test_a_next_page_behind_a_proxy_is_read_from_our_own_address(transport: Made, link: str) -> None:
    made, wire = transport((200, [1], {"Link": f'<{link}>; rel="next"'}), (200, [2]))
    assert list(made.pages(f"{CANVAS}/api/v1/p")) == [[1], [2]]
    assert wire.requests[1].url in {f"{CANVAS}/p?page=2", f"{CANVAS}/api/v1/p?page=2"}


@pytest.mark.parametrize("circle", [1, 2, 3])
def test_next_pages_in_a_circle_end(transport: Made, circle: int) -> None:
    pages = [(200, [n], {"Link": f'<{CANVAS}/p?page={n % circle}>; rel="next"'}) for n in range(1, 9)]
    made, wire = transport(*pages)
    with pytest.raises(exc.UnexpectedAnswerError, match="no end"):
        list(made.pages("accounts/1/reports/x"))
    assert len(wire.requests) == circle + 1


def test_a_list_of_ever_new_pages_ends(transport: Made) -> None:
    made, wire = transport(*((200, [], {"Link": f'<{CANVAS}/p?page={n}>; rel="next"'}) for n in range(2000)))
    with pytest.raises(exc.UnexpectedAnswerError, match="no end"):
        list(made.pages("accounts/1/reports/x"))
    assert len(wire.requests) == 1000


BAD_LINKS = [
    "http://files.example.org/a.csv", "http://127.0.0.1/a", "https://localhost/a", "https://[::1]:8888/a",
    "http://[::1", "file:///etc/passwd", "ftp://files.example.org/a", "https://files.example.org:99999/a",
    "https://", "nothing",
]  # fmt: skip


@pytest.mark.parametrize("link", BAD_LINKS)
def test_a_link_that_is_invalid_or_exposes_data_is_not_followed(transport: Made, link: str) -> None:
    made, wire = transport((302, b"", {"Location": link}), (404, b""))
    with pytest.raises(exc.UnexpectedAnswerError), made.download(link):
        pass
    assert not wire.requests
    if "://" in link:
        with pytest.raises(exc.UnexpectedAnswerError), made.download(f"{CANVAS}/files/7"):
            pass
        assert len(wire.requests) == 1


def test_a_download_behind_a_proxy_keeps_our_own_scheme(transport: Made) -> None:
    made, wire = transport((200, b"rows", {"Content-Type": "text/csv"}))
    with made.download("http://canvas.example.edu/files/7/download?x=1") as response:
        assert response.content == b"rows"
    assert wire.requests[0].url == f"{CANVAS}/files/7/download?x=1"


@pytest.mark.parametrize("left", ["nan", "inf", "-inf", ""])
def test_a_rate_limit_that_is_not_a_number_is_unknown(transport: Made, left: str) -> None:
    made, _ = transport((200, {}, {"X-Rate-Limit-Remaining": left}))
    made.json("GET", "accounts/self")
    assert made.rate_limit_remaining is None


def test_a_locked_cache_is_skipped(transport: Made, tmp_path: Path) -> None:
    made, wire = transport((200, {"id": 1}), (200, {"id": 2}))
    path = made._make_cache_file()
    with closing(sqlite3.connect(path, isolation_level=None)) as other, made.waiter.limit(0.0):
        other.execute("BEGIN IMMEDIATE")
        assert made.json("GET", "accounts/self", cache="yes") == {"id": 1}
        with pytest.raises(exc.NotStoredError):
            made.json("GET", "accounts/self", cache="only")
    assert len(wire.requests) == 1


def test_a_forked_process_opens_its_own_connections(transport: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = transport()
    plain, cached = made._plain, made._cached
    assert made._plain is plain
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert made._plain is not plain
    assert made._cached is not cached


class Slow(io.RawIOBase):
    """A body that arrives one byte at a time; each takes a second."""

    def __init__(self, slept: list[float], size: int) -> None:
        super().__init__()
        self.slept, self.left = slept, size

    def readable(self) -> bool:
        return True

    def read1(self, _: int = -1) -> bytes:
        self.slept.append(1.0)
        self.left -= 1
        return b" " if self.left >= 0 else b""


@pytest.mark.parametrize(("timeout", "most"), [(5, 7), (None, 302)])
def test_a_response_that_trickles_in_ends_in_time(
    waiter: Waiter, slept: list[float], timeout: float | None, most: int
) -> None:
    response = requests.Response()
    response.raw = urllib3.HTTPResponse(Slow(slept, 10_000), preload_content=False)
    with waiter.limit(timeout), pytest.raises(requests.ReadTimeout):
        Adapter(waiter, CANVAS)._read(response)
    assert len(slept) <= most


def test_a_compressed_response_without_end_is_an_error(waiter: Waiter) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(80)) + packer.flush()
    response = requests.Response()
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(packed), headers={"Content-Encoding": "gzip"}, preload_content=False
    )
    with pytest.raises(exc.UnexpectedAnswerError, match="more than 8 MB"):
        Adapter(waiter, CANVAS)._read(response)


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
        (CANVAS, 400, exc.ParameterError),
        (CANVAS, 401, exc.AuthenticationError),
        (CANVAS, 403, exc.NotPermittedError),
        (CANVAS, 404, exc.NotFoundError),
        (STORAGE, 400, exc.ServerError),
        (STORAGE, 401, exc.ServerError),
        (STORAGE, 403, exc.ServerError),
        (STORAGE, 404, exc.NotFoundError),
        (STORAGE, 410, exc.NotFoundError),
    ],
)
def test_a_rejected_link_is_renewed_once_on_any_host(
    transport: Made, slept: list[float], host: str, status: int, error: type[Exception]
) -> None:
    rejected = (
        (302, b"", {"Location": f"{host}/a?token=signed"}),
        (status, b"<Error/>", {"Content-Type": "text/xml"}),
    )
    renewed = (
        (302, b"", {"Location": f"{host}/a?token=new"}),
        (200, b"a\n1\n", {"Content-Type": "text/csv"}),
    )
    made, wire = transport(*rejected, *renewed)
    with made.download(f"{CANVAS}/files/7?verifier=signed") as response:
        assert response.raw.read() == b"a\n1\n"
    assert str(wire.requests[-1].url).endswith("token=new")
    wire.answers = [*rejected, *rejected]
    with pytest.raises(error) as caught, made.download(f"{CANVAS}/files/7?verifier=signed"):
        pass
    assert type(caught.value) is error
    assert not wire.answers
    assert not slept
    assert "signed" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


def test_a_link_that_canvas_itself_rejects(transport: Made) -> None:
    kind = {"Content-Type": "application/xml"}
    made, wire = transport((403, b"<Error/>", kind), (200, b"a\n1\n", {"Content-Type": "text/csv"}))
    with made.download(f"{CANVAS}/files/7") as response:
        assert response.raw.read() == b"a\n1\n"
    for answer, error in [((404, b"<html/>", {"Content-Type": "text/html"}), exc.NotFoundError)] + [
        ((status, {"status": "unauthorized"}), exc.NotPermittedError) for status in (401, 403)
    ]:
        wire.answers = [answer]  # its permission check, or a file that was removed: a new link is the same
        with pytest.raises(error), made.download(f"{CANVAS}/files/7"):
            pass
        assert not wire.answers


@pytest.mark.parametrize("host", [CANVAS, STORAGE])
def test_a_storage_that_is_busy_is_asked_again_after_a_pause(
    transport: Made, slept: list[float], host: str
) -> None:
    redirect = (302, b"", {"Location": f"{host}/a?token=signed"})
    made, wire = transport(redirect, THROTTLED, redirect, (503, b""), redirect, (200, b"a\n1\n"))
    with made.download(f"{CANVAS}/files/7") as response:
        assert response.raw.read() == b"a\n1\n"
    assert not wire.answers
    assert len(slept) == 2


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
        assert made.json("GET", "accounts/self/reports", cache="yes")[0]["report"] == "x"
        assert made.json("GET", "accounts/self/reports/x/1", cache="yes") == {"id": 1}
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


THEN = datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC)


def test_the_servers_time_is_that_of_its_latest_response(transport: Made, slept: list[float]) -> None:
    date = {"Date": format_datetime(THEN, usegmt=True)}
    made, wire = transport((503, b"", date), (200, {}, {"Date": format_datetime(THEN + timedelta(hours=1))}))
    made.json("GET", "accounts/self/reports")
    assert made.waiter.now() == THEN + timedelta(hours=1)
    slept.append(60.0)
    assert made.waiter.now() == THEN + timedelta(hours=1, minutes=1)
    for odd in ("", "soon", "0", "Mon, 01 Jan 9999 00:00:00 GMT", "1, 2 3 4 5 6 7 +99999999", "\xff", "Tue"):
        wire.answers = [
            (200, {}, {"Date": odd}),
            (302, b"", {"Location": f"{STORAGE}/a"}),
            (200, b"a\n", date),
        ]
        made.json("GET", "accounts/self/reports")
        with made.download(f"{CANVAS}/files/7"):
            assert made.waiter.now() == THEN + timedelta(
                hours=1, minutes=1
            )  # a storage has a clock of its own


def test_the_servers_time_is_remembered_with_a_cached_list(
    transport: Made, waiter: Waiter, slept: list[float], tmp_path: Path
) -> None:
    date = {"Date": format_datetime(THEN, usegmt=True)}
    made, wire = transport()
    made._cached.mount("https://", wire)
    wire.answers = [(200, [], date)]
    made.json("GET", "accounts/self/reports", cache="yes")
    slept.append(30.0)
    for cache in ("yes", "only"):
        again = Transport(Settings(url=CANVAS, store=tmp_path), Token(SECRET), Waiter(waiter.clock))
        assert again.json("GET", "accounts/self/reports", cache=cache) == []  # type: ignore[arg-type]
        assert again.waiter.now() == THEN + timedelta(seconds=30)
        assert not again.waiter.is_synced
        again.close()


def test_a_list_that_this_disk_has_never_seen(transport: Made) -> None:
    made, wire = transport()
    for _ in range(2):  # without a cache file, and with an empty one
        with pytest.raises(exc.NotStoredError):
            made.json("GET", "accounts/self/reports", cache="only")
        made._cached.mount("https://", wire)
    assert not wire.requests


def test_a_list_whose_pages_take_minutes_ends(transport: Made, slept: list[float]) -> None:
    made, wire = transport()
    send = wire.send

    def slow(*args: Any, **how: Any) -> requests.Response:
        slept.append(250.0)
        wire.answers = [(200, [1], {"Link": f'<{CANVAS}/api/v1/list?page={len(slept)}>; rel="next"'})]
        return send(*args, **how)

    wire.send = slow  # type: ignore[method-assign]
    with pytest.raises(exc.UnexpectedAnswerError, match="no end"):
        list(made.pages("list"))
    assert sum(slept) <= 2100
