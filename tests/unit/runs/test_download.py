"""From a finished run to its stored result, over a connection that breaks in every known way."""

import errno
import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.canvas_api.session import LEAST
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.frames import parquet
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.runs import download
from canvas_reports_nb.runs.download import retrieve
from canvas_reports_nb.runs.progress import ProgressEvent
from canvas_reports_nb.store.store import Store

URL, REPORT = "https://canvas.example.edu", "last_user_access_csv"
HEADER = b"user id,user sis id,user name,last access at,last ip\n"
BODY = HEADER + b"".join(
    b'%d,00%d,"Ng, Bea",2026-03-02T09:14:07-07:00,192.0.2.1\n' % (n, n) for n in range(30_000)
)
HALF = len(BODY) // 2


class Breaks(io.BytesIO):
    """A body whose connection dies when its bytes are read."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data:
            raise ConnectionResetError
        return data

    read1 = read


class Api:
    """Serves planned downloads: (status, body, content type) or an error; the body ``None`` is the missing bytes."""

    account = "self"
    waiter = Waiter()
    starts: int | None = None
    """Where each part begins, whatever offset was requested; ``None`` for the requested offset."""

    def __init__(self, *plan: Any) -> None:
        self.plan, self.offsets = list(plan), list[int]()
        self.tags: Iterator[str | None] = repeat(None)
        self.headers: Iterator[dict[str, str]] = repeat({})

    def about(self) -> dict[str, Any]:
        return {"default_time_zone": "America/Denver"}

    @contextmanager
    def download(self, url: str, *, offset: int = 0) -> Iterator[requests.Response]:
        assert url.endswith("/files/1/download?verifier=key")
        self.offsets.append(offset)
        answer = self.plan.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, kind = (*answer, "text/csv")[:3]
        stream = body if isinstance(body, io.BytesIO) else io.BytesIO(BODY[offset:] if body is None else body)
        raw = urllib3.HTTPResponse(
            stream, headers={"Content-Type": kind}, status=status, preload_content=False
        )
        response = requests.Response()
        response.status_code, response.raw, response.headers["Content-Type"] = status, raw, kind
        if tag := next(self.tags):
            response.headers["ETag"] = tag
        if status == 206:
            response.headers["Content-Range"] = f"bytes {self.starts or offset}-{len(BODY) - 1}/{len(BODY)}"
        response.headers.update(next(self.headers))
        yield response


def run(
    size: int | None = len(BODY), url: str = f"{URL}/files/1/download?verifier=key", **more: Any
) -> ReportRun:
    return ReportRun.from_api(
        {
            "id": 7,
            "report": REPORT,
            "status": "complete",
            "parameters": {"enrollment_term": "12", "locale": "en", "extra_text": "Term: Autumn;"},
            "ended_at": "2026-03-02T09:14:21-07:00",
            "attachment": {"id": 1, "filename": "access.csv", "url": url, "size": size},
            **more,
        }
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.parametrize(
    ("plan", "offsets"),
    [
        ([(200, BODY)], [0]),
        ([(200, Breaks(BODY[:HALF])), (206, None)], [0, HALF]),
        ([(200, Breaks(BODY[:HALF])), (206, Breaks(BODY[HALF:-9])), (206, None)], [0, HALF, len(BODY) - 9]),
        ([(200, Breaks(BODY[:HALF])), (200, BODY)], [0, HALF]),
        ([(200, BODY[:HALF]), (206, None)], [0, HALF]),
        ([(200, BODY + b"more"), (200, BODY)], [0, 0]),
        ([(200, Breaks(BODY))], [0]),
        # Attempts with new bytes are not counted.
        (
            [*((206 if n else 200, Breaks(BODY[n * 90_000 :][:90_000])) for n in range(6)), (206, None)],
            [n * 90_000 for n in range(7)],
        ),
    ],
)
def test_a_download_is_complete_despite_breaks(store: Store, plan: list[Any], offsets: list[int]) -> None:
    api, seen = Api(*plan), list[ProgressEvent]()
    result = retrieve(api, store, URL, run(), seen.append)  # type: ignore[arg-type]
    assert api.offsets == offsets
    assert result.path.read_bytes() == BODY
    assert result.provenance["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert result.provenance["parameters"] == {"enrollment_term_id": "12"}
    assert result.provenance["ended_at"] == "2026-03-02T16:14:21+00:00"
    frame = result.to_pandas()
    assert (len(frame), frame["user sis id"][5]) == (30_000, "005")
    shown = [event.fraction or 0.0 for event in seen if event.stage == "downloading"]
    assert shown[-1] == max(shown) == 1.0, "also while the file is too long"
    assert seen[-1].stage == "reading"
    files = list(result.path.parent.iterdir())
    assert {file.name for file in files} == {"raw.csv", "run.json", f"{REPORT}.parquet"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_stored_run_is_not_downloaded_again(store: Store) -> None:
    first = retrieve(Api((200, BODY)), store, URL, run(), lambda _: None)  # type: ignore[arg-type]
    again = retrieve(Api(), store, URL, run(), lambda _: None)  # type: ignore[arg-type]
    assert again.provenance == first.provenance
    assert first.provenance["time_zone"] == "America/Denver"


@pytest.mark.parametrize("about", [{}, {"default_time_zone": None}, exc.NotPermittedError("no")])
def test_a_time_zone_that_is_not_known_is_no_error(store: Store, about: Any) -> None:
    def give() -> dict[str, Any]:
        if isinstance(about, Exception):
            raise about
        return about

    api = Api((200, BODY))
    api.about = give  # type: ignore[method-assign]
    assert retrieve(api, store, URL, run(), lambda _: None).provenance["time_zone"] is None  # type: ignore[arg-type]


def test_a_file_of_unknown_size_is_downloaded(store: Store) -> None:
    result = retrieve(Api((200, BODY)), store, URL, run(size=None), lambda _: None)  # type: ignore[arg-type]
    assert result.path.read_bytes() == BODY


LOGIN = b"<!DOCTYPE html><title>Log in to Canvas</title>"
JSON = "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("asked", "plan", "error"),
    [
        (run(), [(200, BODY[:HALF]), *[(206, b"")] * 4], exc.DamagedFileError),
        (run(), [(200, BODY[:HALF]), *[(416, LOGIN, "text/html")] * 4], exc.DamagedFileError),
        (run(), [(200, BODY + b"more")] * 5, exc.DamagedFileError),
        (run(), [(200, Breaks(b"")) for _ in range(4)], exc.DamagedFileError),
        (run(size=None), [(200, Breaks(BODY[:HALF])) for _ in range(5)], exc.DamagedFileError),
        (run(), [exc.NotReachedError("no")], exc.NotReachedError),
        (run(), [exc.NotPermittedError("no")], exc.NotPermittedError),
        (run(), [(200, LOGIN, "text/html; charset=utf-8")], exc.AuthenticationError),
        (run(size=None), [(200, LOGIN)], exc.NotAReportError),
        (
            run(size=None),
            [(200, b'{"errors":[{"message":"An error occurred."}]}', JSON)],
            exc.UnexpectedAnswerError,
        ),
        (run(size=None), [(200, b"PK\x03\x04 cut short", "application/zip")], exc.DamagedFileError),
        (run(url=""), [], exc.UnexpectedAnswerError),
        (run(attachment=None), [], exc.UnexpectedAnswerError),
    ],
)
def test_a_bad_file_is_never_sealed(
    store: Store, asked: ReportRun, plan: list[Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        retrieve(Api(*plan), store, URL, asked, lambda _: None)  # type: ignore[arg-type]
    assert type(caught.value) is error
    assert isinstance(caught.value, exc.CanvasReportsError)
    assert (caught.value.report, caught.value.run_id, caught.value.account) == (REPORT, 7, "self")
    assert "verifier" not in str(caught.value)
    assert store.find(URL, "self", REPORT, 7) is None
    assert not list(store.path.rglob("run.json"))
    assert not list(store.path.rglob("*.part"))
    repaired = retrieve(Api((200, BODY)), store, URL, run(), lambda _: None)  # type: ignore[arg-type]
    assert repaired.path.read_bytes() == BODY


@pytest.mark.parametrize("size", [len(BODY), None])
def test_a_part_that_was_not_requested_is_discarded(store: Store, size: int | None) -> None:
    api = Api((200, Breaks(BODY[:HALF])), (206, BODY[9:]), (200, BODY))
    api.starts = 9
    result = retrieve(api, store, URL, run(size=size), lambda _: None)  # type: ignore[arg-type]
    assert api.offsets == [0, HALF, 0]
    assert result.path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("tags", "offsets"),
    [
        (["a", "a"], [0, HALF]),
        (["a", None, None], [0, HALF, 0]),
        ([None, "b", "b"], [0, HALF, 0]),
        (["a", "b", "b"], [0, HALF, 0]),
    ],
)
def test_parts_of_two_files_are_never_put_together(
    store: Store, tags: list[str | None], offsets: list[int]
) -> None:
    api = Api((200, Breaks(BODY[:HALF])), (206, None), (200, BODY))
    api.tags = iter(tags)
    result = retrieve(api, store, URL, run(), lambda _: None)  # type: ignore[arg-type]
    assert api.offsets == offsets
    assert result.path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ({}, {}, True),
        ({"Last-Modified": "a"}, {"Last-Modified": "a"}, True),
        ({"Last-Modified": "a"}, {"Last-Modified": "b"}, False),
        ({"Last-Modified": "a"}, {}, False),
        ({}, {"Last-Modified": "a"}, False),
        ({"Content-Length": str(len(BODY))}, {}, True),
        ({"Content-Length": str(len(BODY) + 1)}, {}, False),
        ({"Content-Length": str(len(BODY))}, {"Content-Range": f"bytes {HALF}-{len(BODY) - 1}/*"}, True),
        ({}, {"Content-Range": f"bytes {HALF}-"}, False),
        ({}, {"Content-Range": f"bytes {'9' * 5000}-9/9"}, False),
        ({}, {"Content-Range": "bytes \u0661-2/3"}, False),
        ({}, {"Content-Range": "cells 1-2/3"}, False),
    ],
)
def test_parts_without_a_tag_are_compared_by_what_is_known_of_them(
    store: Store, first: dict[str, str], second: dict[str, str], *, is_same: bool
) -> None:
    api = Api((200, Breaks(BODY[:HALF])), (206, None), (200, BODY))
    api.headers = iter([first, second, second])
    result = retrieve(api, store, URL, run(), lambda _: None)  # type: ignore[arg-type]
    assert api.offsets == ([0, HALF] if is_same else [0, HALF, 0])
    assert result.path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("size", "seconds", "ends"),
    [(10_000, 20.0, False), (10_000, 400.0, True), (LEAST, 1300.0, False), (LEAST - 1, 1300.0, True)],
)
def test_a_connection_that_breaks_off_again_and_again_must_bring_something(
    store: Store, size: int, seconds: float, *, ends: bool
) -> None:
    passed = [0.0]
    pieces = range(0, len(BODY), size)

    class Late(Breaks):
        def read1(self, size: int | None = -1) -> bytes:
            passed[0] += seconds * (self.tell() == len(self.getbuffer()))
            return self.read(size)

    api = Api(*((206 if at else 200, Late(BODY[at : at + size])) for at in pieces))
    api.waiter = Waiter(lambda: passed[0])
    if ends:
        with pytest.raises(exc.DamagedFileError, match="broke off"):
            retrieve(api, store, URL, run(), lambda _: None)  # type: ignore[arg-type]
        assert passed[0] < 2000
    else:
        assert retrieve(api, store, URL, run(), lambda _: None).path.read_bytes() == BODY  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("timeout", "pieces"), [(8.5, 1), (9.0, 1), (9.5, 2), (29.0, 3), (99.0, 10), (99.5, 11)]
)
def test_a_download_ends_with_the_first_bytes_after_the_timeout_unless_they_are_the_last(
    store: Store, timeout: float, pieces: int
) -> None:
    passed, size = [0.0], -(-len(BODY) // 10)

    class Slow(io.BytesIO):
        def read1(self, _: int | None = -1) -> bytes:
            passed[0] += 10.0
            return self.read(size)

    api = Api((200, Slow(BODY)))
    api.waiter = Waiter(lambda: passed[0])
    with api.waiter.limit(timeout):
        if pieces < 10:
            with pytest.raises(exc.NotReachedError, match=f"timeout passed after {pieces * size:,} bytes"):
                retrieve(api, store, URL, run(), lambda _: None)  # type: ignore[arg-type]
        else:
            assert retrieve(api, store, URL, run(), lambda _: None).path.read_bytes() == BODY  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("name", ["raw.part", f"{REPORT}.parquet"])
def test_a_disk_that_cannot_be_written(
    store: Store, monkeypatch: pytest.MonkeyPatch, code: int, name: str
) -> None:
    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            raise OSError(code, os.strerror(code))

    def opened(path: Path) -> Any:
        return Full(path, "w+") if path.name == name else path.open("w+b")

    monkeypatch.setattr(download, "open_private", opened)
    monkeypatch.setattr(parquet, "open_private", opened)
    with pytest.raises(exc.StoreError) as caught:
        retrieve(Api((200, BODY)), store, URL, run(), lambda _: None)  # type: ignore[arg-type]
    room = f"needs about {2 * len(BODY) / 1e6:,.1f} MB"
    assert (room in str(caught.value)) == (code != errno.EROFS)
    assert "CANVAS_REPORTS_CACHE" in str(caught.value)
    assert caught.value.run_id == 7
    assert not [path for path in store.path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    monkeypatch.undo()
    assert retrieve(Api((200, BODY)), store, URL, run(), lambda _: None).path.read_bytes() == BODY  # type: ignore[arg-type]


def test_a_zip_gives_one_table_per_file(store: Store) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("users.csv", "canvas_user_id,user_id\n1,007\n2,\n")
        archive.writestr("terms.csv", "canvas_term_id,term_id\n1,T1\n")
    asked = run(size=len(packed.getvalue()), report="provisioning_csv")
    api = Api((200, packed.getvalue(), "text/csv"))
    result = retrieve(api, store, URL, asked, lambda _: None)  # type: ignore[arg-type]
    assert result.tables == ("users", "terms")
    assert result.path.name == "raw.zip"
    assert result.to_polars("users")["user_id"].to_list() == ["007", None]
    assert result.to_arrow("terms", ["term_id"]).column_names == ["term_id"]
    assert result.scan("users").collect().height == 2
    assert "users" in result._repr_html_()
    with pytest.raises(exc.TableRequiredError, match="users, terms"):
        result.to_pandas()


@pytest.mark.parametrize(
    ("tables", "table", "chosen"),
    [
        (("a",), None, "a"),
        (("a", "b"), "b", "b"),
        (("a", "b"), None, exc.TableRequiredError),
        (("a", "b"), "c", exc.UnknownTableError),
        (("a",), "c", exc.UnknownTableError),
    ],
)
def test_choose_table(tables: tuple[str, ...], table: str | None, chosen: Any) -> None:
    if isinstance(chosen, str):
        assert choose_table(tables, table, REPORT) == chosen
    else:
        with pytest.raises(chosen) as caught:
            choose_table(tables, table, REPORT, 7)
        assert caught.value.tables == tables
        assert all(name in str(caught.value) for name in tables)
