"""Responses that never end, and links that lead to this machine."""

import io
import itertools
import socket
from collections.abc import Iterable
from typing import Any

import pytest
import requests
import urllib3

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.session import LEAST, Adapter, Session
from canvas_reports_nb.deadline import Waiter

CANVAS = "https://canvas.example.edu"
OK = b"HTTP/1.1 200 OK\r\n"


class Drip(io.RawIOBase):
    """The bytes of a response; each read takes a second and returns a piece."""

    def __init__(self, pieces: Iterable[bytes], passed: list[float]) -> None:
        super().__init__()
        self.pieces, self.passed, self.timeouts = iter(pieces), passed, list[float | None]()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.passed[0] += 1
        piece = next(self.pieces, b"")
        buffer[: len(piece)] = piece
        return len(piece)

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def gettimeout(self) -> float:
        return 60.0

    def settimeout(self, seconds: float | None) -> None:
        self.timeouts.append(seconds)


def connection_of(adapter: Adapter, url: str = CANVAS) -> Any:
    pool = adapter.get_connection_with_tls_context(requests.Request("GET", url).prepare(), verify=True)
    assert pool is adapter.get_connection_with_tls_context(
        requests.Request("GET", url).prepare(), verify=True
    )
    return pool.ConnectionCls


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {  # what comes at once, and what follows byte by byte, again and again
    "a header": (OK + b"X: ", b"y"),
    "one status after the other": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a status line": (b"", b"H"),
    "the size of a chunk": (CHUNKED, b"0"),
    "a body": (OK + b"Content-Length: 9000000\r\n\r\n", b" "),
    "the last lines": (CHUNKED + b"0\r\n", b"X"),
}


@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.parametrize(("timeout", "most"), [(20, 22), (None, 302)])
def test_no_part_of_a_response_drips_in_without_end(what: str, timeout: float | None, most: float) -> None:
    passed = [0.0]
    waiter = Waiter(lambda: passed[0])
    begin, again = ENDLESS[what]
    wire = Drip(
        itertools.chain([begin] if begin else [], (bytes([byte]) for byte in itertools.cycle(again))), passed
    )

    def receive() -> None:
        response = connection_of(Adapter(waiter, CANVAS)).response_class(wire)
        response.begin()
        response.read(5_000)

    with waiter.limit(timeout), pytest.raises(TimeoutError):
        receive()
    assert passed[0] <= most
    assert all(seconds is not None and 0 < seconds <= 60 for seconds in wire.timeouts)
    assert wire.timeouts[-1] == (1.0 + 20 - passed[0] + 1 if timeout else 60.0)


@pytest.mark.parametrize(("piece", "is_whole"), [(LEAST // 290, True), (LEAST // 310, False)])
def test_a_long_file_may_take_hours_as_long_as_it_moves(piece: int, is_whole: bool) -> None:
    passed, pieces = [0.0], 5_000
    wire = Drip([OK + b"Content-Length: %d\r\n\r\n" % (piece * pieces), *[bytes(piece)] * pieces], passed)
    response = connection_of(Adapter(Waiter(lambda: passed[0]), CANVAS)).response_class(wire)
    response.begin()
    received = 0
    try:
        while data := response.read1(1 << 20):
            received += len(data)
    except TimeoutError:
        assert passed[0] <= 302
    assert (received == piece * pieces) == is_whole


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip,deflate", "compress", "\xff"])
def test_a_compression_that_unpacks_to_any_size_is_not_read(encoding: str) -> None:
    response = requests.Response()
    response.headers["Content-Encoding"] = encoding
    response.raw = urllib3.HTTPResponse(io.BytesIO(b"\x1f\x8b"), preload_content=False)
    with pytest.raises(exc.UnexpectedAnswerError, match="compressed"):
        Adapter(Waiter(), CANVAS)._read(response)


@pytest.mark.parametrize("home", [CANVAS, "http://127.0.0.1:1"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0"])
def test_a_name_that_leads_to_this_machine_is_noticed_before_anything_is_sent(home: str, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://{host}:{server.getsockname()[1]}/files/a.csv"
        opened = connection_of(Adapter(Waiter(), home), url)(host, server.getsockname()[1], timeout=5)
        if home == CANVAS:
            with pytest.raises(exc.UnexpectedAnswerError, match="this machine itself"):
                opened.connect()
        else:  # as the demo's own storage
            opened.connect()
        opened.close()
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(100) == b""


def test_a_canvas_on_this_machine_may_have_its_files_here(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Adapter(Waiter(), "https://canvas.test")
    for host, address, is_allowed in [
        ("files.canvas.test", "127.0.0.1", False),
        ("files.canvas.test", "::ffff:127.0.0.1", False),
        ("files.canvas.test", "192.0.2.1", True),
        ("canvas.test", "192.0.2.1", True),
        ("files.canvas.test", "127.0.0.1", False),
        ("canvas.test", "127.0.0.1", True),
        ("files.canvas.test", "::1", True),
    ]:
        with socket.socket() as sock:
            monkeypatch.setattr(socket.socket, "getpeername", lambda _, address=address: (address, 443))
            if is_allowed:
                adapter._check_peer(host, sock)
            else:
                with pytest.raises(exc.UnexpectedAnswerError):
                    adapter._check_peer(host, sock)
                assert sock.fileno() == -1


@pytest.mark.parametrize(
    "link",
    [
        "//[",
        "http://[::1",
        "\xff\xfe",
        "https://a:b/",
        "//x:99999/",
        "mailto:x",
        "https:///x",
        "http://\x1b]0;x",
    ],
)
def test_a_redirect_to_something_else_than_an_address(link: str) -> None:
    response = requests.Response()
    response.status_code, response.url, response.headers["Location"] = 302, f"{CANVAS}/files/7", link
    response.raw = urllib3.HTTPResponse(io.BytesIO(), preload_content=False)
    session = Session()
    session.home = CANVAS
    with session, pytest.raises(exc.UnexpectedAnswerError) as caught:
        session.get_redirect_target(response)
    assert str(caught.value).replace("\n", " ").isprintable()


@pytest.mark.parametrize(
    ("timeout", "addresses", "each"), [(None, 4, 10.0), (3, 4, 1.0), (3, 1, 4.0), (600, 8, 10.0)]
)
def test_all_addresses_of_a_host_share_the_time_to_the_deadline(
    timeout: float | None, addresses: int, each: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{n}", 443)) for n in range(addresses)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    tried: list[float] = []

    class Unreachable(socket.socket):
        def settimeout(self, seconds: float | None) -> None:
            tried.append(seconds or 0.0)

        def connect(self, _: Any) -> None:
            raise TimeoutError

    monkeypatch.setattr(socket, "socket", Unreachable)
    waiter = Waiter(lambda: 0.0)
    opened = connection_of(Adapter(waiter, CANVAS))(
        "canvas.example.edu", 443, timeout=min(10.0, (timeout or 99) + 1)
    )
    with waiter.limit(timeout), pytest.raises(urllib3.exceptions.ConnectTimeoutError):
        opened.connect()
    assert tried == [each] * addresses
    assert opened.timeout == min(10.0, (timeout or 99) + 1)
