"""From a finished run to its stored result: download the file, convert it, and seal the folder."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

import requests
import urllib3

from canvas_reports_nb import frames
from canvas_reports_nb._disk import file_facts, open_private, replace_file
from canvas_reports_nb.canvas_api.responses import is_html
from canvas_reports_nb.canvas_api.session import LEAST
from canvas_reports_nb.catalog.parameters import asked_of, canonical
from canvas_reports_nb.catalog.query import key_of
from canvas_reports_nb.deadline import GRACE
from canvas_reports_nb.exceptions import (
    AuthenticationError,
    CanvasReportsError,
    DamagedFileError,
    NotReachedError,
    StoreError,
    UnexpectedAnswerError,
)
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.runs.ledger import was_created
from canvas_reports_nb.runs.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from canvas_reports_nb.canvas_api.client import AccountReports
    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.frames.gathering import Columns
    from canvas_reports_nb.frames.parquet import Keep
    from canvas_reports_nb.store.store import Store
    from canvas_reports_nb.store.stored_run import ReportResult

_CHUNK = 1 << 20
# Attempts in a row without new bytes; an attempt with new bytes resets the count. But a connection that breaks off
# again and again must bring something, too.
_ATTEMPTS, _LONGEST_TRICKLE = 4, 1200.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_KEPT = "Call again. Canvas still has the run."


def retrieve(
    api: AccountReports,
    store: Store,
    url: str,
    run: ReportRun,
    show: Callable[[ProgressEvent], None],
    *,
    key: str | None = None,
    asked: Mapping[str, Any] | None = None,
    keep: Keep | None = None,
) -> ReportResult:
    """Return the result of a complete run: from the store, else downloaded, converted and stored.

    ``key`` is the key of the query; by default, that of the parameters Canvas stored. ``asked`` is its question,
    ``keep`` the columns of each table to keep in memory for the first frame, see `frames.derive_arriving`.

    Raises
    ------
    StoreLockedError
        Another process is downloading the run.
    DamagedFileError, NotReachedError, AuthenticationError, NotAReportError, StoreError
    """
    with store.lock(url, api.account, run.report, run.id, blocking=False) as folder:
        stored = store.find(url, api.account, run.report, run.id)
        if stored is not None and not is_run(stored, run):
            store.discard(stored)  # the same id, but another run
            stored = None
        stored = store.verify(stored)
        if stored is not None:
            return stored
        question = None if asked is None else dict(asked)
        origin = Provenance(host=urlsplit(url).netloc, account=api.account, asked=question)
        try:
            facts, kept = _fetch(api, folder, run, origin, show, keep=keep)
            facts["key"] = key_of(run.report, run.parameters) if key is None else key
            stored = replace(store.seal(folder, facts), kept=kept)
            store.evict(keep=stored)
        except BaseException as error:
            # A partial file is never used again, and it may contain names and grades.
            if stored is None:
                shutil.rmtree(folder, ignore_errors=True)
            ours = _unwritable(error, folder, run) or error
            if isinstance(ours, CanvasReportsError):
                ours.located(account=api.account, report=run.report, run_id=run.id)
            if ours is error:
                raise
            raise ours from None
        return stored


def _time_zone(api: AccountReports) -> str | None:
    """Return the account's time zone; a workbook shows times in it."""
    with suppress(CanvasReportsError):  # a token for reports need not read the account
        return str(api.about().get("default_time_zone") or "") or None
    return None


def is_run(stored: ReportResult, run: ReportRun) -> bool:
    """Whether a stored run is the one that Canvas describes now: a run id may start again."""
    made = stored.origin
    is_same = canonical(run.report, made.parameters) == canonical(run.report, run.parameters)
    return is_same and was_created(run, made.created_at)


def _unwritable(error: BaseException, folder: Path, run: ReportRun) -> StoreError | None:
    """Return a `StoreError` for an OSError of this disk; ``None`` for other errors."""
    if not isinstance(error, OSError) or isinstance(error, CanvasReportsError) or error.errno is None:
        return None
    if error.errno not in _FULL:
        return StoreError(
            f"Can't write to the store: {error.strerror}.",
            hint="Choose another folder with CANVAS_REPORTS_CACHE or store=.",
        )
    size = run.attachment.size if run.attachment else None
    # The Parquet file is smaller than a CSV, but may be larger than a zip.
    needed = f"about {_mb(2 * size)}" if size else "more space"
    free = shutil.disk_usage(folder.parent).free
    return StoreError(
        f"The disk of the store is full: this run needs {needed}, and {_mb(free)} are free.",
        hint="Free space with canvas.store.clear(), or choose another folder with CANVAS_REPORTS_CACHE or store=.",
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _fetch(
    api: AccountReports,
    folder: Path,
    run: ReportRun,
    origin: Provenance,
    show: Callable[[ProgressEvent], None],
    *,
    keep: Keep | None,
) -> tuple[dict[str, Any], dict[str, Columns]]:
    """Download and convert the file of a run; return the content of its sidecar, and the columns to keep."""
    if run.attachment is None or not run.attachment.url:
        raise UnexpectedAnswerError(
            "Canvas completed the run but sent no file.",
            hint="Start the report again, or ask a Canvas admin: the file may be locked for the token's owner.",
        )
    part = folder / "raw.part"
    known = origin.replace(
        report=run.report,
        run_id=run.id,
        parameters=asked_of(run.report, run.parameters),
        created_at=_iso(run.created_at),
        started_at=_iso(run.started_at),
        ended_at=_iso(run.ended_at),
        source=run.attachment.filename,
    )
    with open_private(part) as file, ThreadPoolExecutor(1, "zone") as aside:
        # Beside the download, whose first bytes need not wait for it.
        zone = aside.submit(copy_context().run, _time_zone, api)
        body = _Body(file, run.attachment.size, frames.ArrivingFile(part))
        derived = frames.derive_arriving(
            body.arriving,
            lambda: _download(api, run, body, lambda: known.replace(time_zone=zone.result()), show),
            folder,
            known,
            run.parameters,
            keep=keep,
        )
    raw = replace_file(part, folder / ("raw.zip" if derived.in_zip else "raw.csv"))
    facts = {
        "provenance": body.arriving.known().to_dict(),
        "raw": file_facts(raw, body.digest.hexdigest()),
        "tables": derived.tables,
    }
    return facts, derived.kept


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _download(
    api: AccountReports,
    run: ReportRun,
    body: _Body,
    origin: Callable[[], Provenance],
    show: Callable[[ProgressEvent], None],
) -> None:
    """Stream the file to disk, resuming after a broken connection."""
    url = run.attachment.url if run.attachment else ""
    most, idle = 0, 0
    moved, since = 0, api.waiter.elapsed()
    while True:
        try:
            # Each attempt starts at Canvas's own address, because the link it redirects to expires.
            body.receive(api, url, lambda: show(_downloading(run, body)))
            break
        except DamagedFileError:
            idle = 0 if body.most > most else idle + 1
            most, now = body.most, api.waiter.elapsed()
            if most >= moved + LEAST:
                moved, since = most, now
            if idle == _ATTEMPTS or now - since > _LONGEST_TRICKLE:
                raise
    show(ProgressEvent("reading", run.report, run.id, run.status, text="reading"))
    retrieved_at = _iso(datetime.now(UTC))
    body.arriving.finish(origin().replace(retrieved_at=retrieved_at, sha256=body.digest.hexdigest()))
    os.fsync(body.file.fileno())


class _Body:
    """The bytes received so far, and their digest."""

    def __init__(self, file: BinaryIO, size: int | None, arriving: frames.ArrivingFile) -> None:
        self.file, self.size, self.arriving = file, size, arriving
        self.digest = hashlib.sha256()
        self.most = 0
        self.version: tuple[str | None, ...] = ()
        self.length: str | None = None

    def receive(self, api: AccountReports, url: str, moved: Callable[[], None]) -> None:
        """Receive the missing bytes."""
        try:
            with api.download(url, offset=self.file.tell()) as response:
                # This status means that no bytes are left; the size check below decides if the file is complete.
                if response.status_code != requests.codes.requested_range_not_satisfiable:
                    _check_kind(response)
                    self._place(response)
                    # Read bytes as they arrive, not in full chunks, to keep those received before a break.
                    while chunk := response.raw.read1(_CHUNK):
                        self._take(chunk, moved)
                        api.waiter.check()
                        if api.waiter.remaining + GRACE <= 0 and self.file.tell() != self.size:
                            what = f"The timeout passed after {self.file.tell():,} bytes."
                            raise NotReachedError(what, hint=_KEPT)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # If every byte has arrived, the download is complete and the error does not matter.
            if self.file.tell() != self.size:
                what = f"The download broke off after {self.file.tell():,} bytes ({type(error).__name__})."
                raise DamagedFileError(what, hint=_KEPT) from None
        moved()
        received = self.file.tell()
        if self.size is not None and received != self.size:
            if received > self.size:
                self._restart()  # resuming can't fix a file that is too long
            raise DamagedFileError(
                f"The download has {received:,} bytes, but Canvas announced {self.size:,}.", hint=_KEPT
            )

    def _place(self, response: requests.Response) -> None:
        """Write the response after the bytes already here or, if it does not continue them, from the start."""
        begins = re.match(r"bytes (\d{1,18})-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        part = response.status_code == requests.codes.partial_content
        # A new link may lead to another file of the same name.
        version = (response.headers.get("ETag"), response.headers.get("Last-Modified"))
        length = (begins and begins[2]) if part else response.headers.get("Content-Length")
        is_same = version == self.version and (length in {self.length, None, "*"} or self.length is None)
        self.version, self.length = version, None if length == "*" else length
        if part and is_same and begins is not None and int(begins[1]) == self.file.tell():
            return
        self._restart()
        if part:
            raise DamagedFileError(
                "The server sent another part of the file than the requested one.", hint=_KEPT
            )

    def _take(self, chunk: bytes, moved: Callable[[], None]) -> None:
        before = self.file.tell() // _CHUNK
        self.file.write(chunk)
        self.file.flush()
        self.arriving.grow(self.file.tell())
        self.digest.update(chunk)
        self.most = max(self.most, self.file.tell())
        if self.file.tell() // _CHUNK > before:
            moved()

    def _restart(self) -> None:
        self.arriving.restart()
        self.file.seek(0)
        self.file.truncate()
        self.digest = hashlib.sha256()


def _check_kind(response: requests.Response) -> None:
    """Reject an HTML or JSON page sent instead of the file."""
    if is_html(response):
        raise AuthenticationError(
            "Canvas sent a web page, most likely its login page, instead of the file.",
            hint="Create a new token or ask a Canvas admin: this one may list runs but not download their files.",
        )
    if "json" in response.headers.get("Content-Type", "").lower():
        raise UnexpectedAnswerError("Canvas sent a JSON message instead of the file.", hint=_KEPT)


def _downloading(run: ReportRun, body: _Body) -> ProgressEvent:
    received = body.file.tell()
    fraction = min(received / body.size, 1.0) if body.size else None
    return ProgressEvent("downloading", run.report, run.id, run.status, fraction=fraction, rows=received)
