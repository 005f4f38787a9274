"""Finished runs on this disk: what Canvas sent, byte for byte, the typed Parquet beside it, and a sidecar.

::

    <root>/runs/<host>/<account>/<report>/<run id>/
        raw.csv | raw.zip       as it came
        <table>.parquet         derived
        run.json                the sidecar, written last: a folder without it does not exist

Folders are 0700, files 0600.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pandas as pd

from canvas_reports_nb import _html
from canvas_reports_nb._disk import make_private, open_private
from canvas_reports_nb.catalog.parameters import comparable, is_number
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.exceptions import ParameterError, StoreError, StoreLockedError
from canvas_reports_nb.settings import DEFAULT_STORE_LIMIT, host_folder
from canvas_reports_nb.store.stored_run import (
    QUARANTINED,
    SIDECAR,
    ReportResult,
    read_run,
    runs_in,
    sidecar_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from canvas_reports_nb.typing import Age

_LOG = logging.getLogger(__name__)
_LOCK_POLL = 0.1
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def seconds(age: Age) -> float:
    """Return an age in seconds: a number, a ``timedelta``, or a text such as ``"7d"`` or ``"12h"``.

    Raises
    ------
    ParameterError
    """
    if isinstance(age, timedelta):
        return age.total_seconds()
    if is_number(age):
        return float(age)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", age) if isinstance(age, str) else None
    if found is None:
        raise ParameterError(
            f"Can't read {age!r} as an age.", hint='Use seconds, "7d", "12h" or a timedelta.'
        )
    return float(found[1]) * _UNITS[found[2]]


def oldest(age: Age | None) -> datetime | None:
    """The moment an age ago; ``None`` without one."""
    return None if age is None else datetime.now(UTC) - timedelta(seconds=seconds(age))


class Store:
    """The finished runs on this disk.

    Parameters
    ----------
    path : path
        The root folder; made on first use.
    limit : int
        Bytes the runs may take; where a new one goes beyond, those stored first are removed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        limit: int = DEFAULT_STORE_LIMIT,
        waiter: Waiter | None = None,
    ) -> None:
        self.path = Path(path)
        self.limit = limit
        self._waiter = waiter or Waiter()
        self._pinned: list[set[Path]] = []

    def __repr__(self) -> str:
        return f"Store({self._shown_path!r})"

    @property
    def _shown_path(self) -> str:
        """The path without the user's name: a notebook that shows it is passed on."""
        home = Path.home()
        return (
            str(Path("~") / self.path.relative_to(home)) if self.path.is_relative_to(home) else str(self.path)
        )

    def _repr_html_(self) -> str:
        runs = list(self.runs())
        total = sum(run.size for run in runs)
        return _html.card(
            "Store",
            _html.facts(
                [("path", self._shown_path), ("runs", len(runs)), ("size", f"{total / 1e6:,.1f} MB")]
            ),
        )

    @property
    def address(self) -> str:
        """Where the runs are, in words: this folder, or what a team shares."""
        return str(self.path)

    def folder(self, url: str, account: str, report: str, run_id: int | None = None) -> Path:
        """Where the runs of a report, or one of them, are kept."""
        base = self.path / "runs" / host_folder(url) / quote(account, safe="") / quote(report, safe="")
        return base if run_id is None else base / str(run_id)

    def find(self, url: str, account: str, report: str, run_id: int) -> ReportResult | None:
        """A run by its id, or ``None``."""
        return read_run(self.folder(url, account, report, run_id))

    def equal(self, url: str, account: str, report: str, parameters: Mapping[str, Any]) -> list[ReportResult]:
        """Stored runs of equal parameters, newest first."""
        wanted = comparable(report, parameters)
        found = [
            run
            for run in self._known(self.folder(url, account, report))
            if comparable(report, run.origin.parameters) == wanted
        ]
        return sorted(found, key=lambda run: run.finished_at, reverse=True)

    def _known(self, folder: Path) -> Iterator[ReportResult]:
        return runs_in(folder)

    def runs(self, report: str | None = None) -> Iterator[ReportResult]:
        """All runs on this disk, of one report if it is named."""
        for folder in self._folders(report):
            yield from runs_in(folder)

    def _folders(self, report: str | None) -> list[Path]:
        root = self.path / "runs"
        found = sorted(root.glob("*/*/*")) if root.is_dir() else []
        # What lies behind a link is not ours to list, or to clear.
        real = root.resolve()
        found = [folder for folder in found if folder.resolve() == real / folder.relative_to(root)]
        return [folder for folder in found if report is None or unquote(folder.name) == report]

    @contextmanager
    def lock(
        self,
        url: str,
        account: str,
        report: str,
        run_id: int,
        *,
        on_wait: Callable[[str], object] = _LOG.info,
        blocking: bool = True,
    ) -> Iterator[Path]:
        """Lock a run for one writer at a time on this machine, and yield its folder.

        Parameters
        ----------
        on_wait : callable
            Called once with a sentence to show if another writer holds the lock.
        blocking : bool
            Whether to wait for another writer, until the deadline at most.

        Raises
        ------
        StoreLockedError
            Another writer holds the lock.
        """
        with self._lock_folder(
            self.folder(url, account, report, run_id), on_wait, blocking=blocking
        ) as folder:
            yield folder

    @contextmanager
    def _lock_folder(
        self, folder: Path, on_wait: Callable[[str], object] = _LOG.info, *, blocking: bool = True
    ) -> Iterator[Path]:
        make_private(self.path, folder)
        with self._acquire(folder, on_wait, blocking=blocking):
            # Another process may have cleared the store in the meantime.
            make_private(self.path, folder)
            yield folder

    def _acquire(
        self, folder: Path, on_wait: Callable[[str], object], *, blocking: bool
    ) -> AbstractContextManager[object]:
        """Acquire the file lock of a run's folder, waiting until the deadline at most."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - slow to import, and only a writer needs it

        # One object per file, so that the thread that holds the lock can acquire it again.
        lock = FileLock(folder.parent / f".{folder.name}.lock", mode=0o600, is_singleton=True)
        has_noted = False
        while True:
            try:
                return lock.acquire(blocking=False)
            except Timeout:
                if not blocking or self._waiter.is_expired:
                    raise StoreLockedError(
                        f"Another process is still downloading run {folder.name}.",
                        hint="Call again when it has finished: the run is then read from this disk. "
                        "Or set a larger timeout=.",
                        account=unquote(folder.parents[1].name),
                        report=unquote(folder.parent.name),
                    ) from None
            if not has_noted:
                on_wait(f"Waiting for another process that is downloading run {folder.name} ...")
                has_noted = True
            self._waiter.pause(_LOCK_POLL)

    def seal(self, folder: Path, facts: Mapping[str, Any]) -> ReportResult:
        """Write the sidecar, last and at once; from now on the run exists."""
        part = folder / f"{SIDECAR}.part"
        with open_private(part) as file:
            file.write(sidecar_text(facts).encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / SIDECAR)
        sealed = read_run(folder)
        if sealed is None:
            raise StoreError(f"The store at {self.path} lost a run while it was written.", hint="Call again.")
        self._pin(sealed)
        return sealed

    def info(self) -> pd.DataFrame:
        """What is kept: one row a run.

        Returns
        -------
        DataFrame
            ``report``, ``run_id`` (Int64), ``host``, ``account``, ``tables``, ``rows`` (Int64), ``bytes``
            (Int64), ``finished_at`` (UTC), ``age``, ``parameters``.
        """
        return store_frame(self.runs(), datetime.now(UTC))

    def clear(self, report: str | None = None, older_than: Age | None = None, *, shared: bool = False) -> int:
        """Remove stored runs from this disk.

        Parameters
        ----------
        report : str, optional
            Only of this report.
        older_than : float or timedelta, optional
            Only runs that ended longer ago than this (seconds).
        shared : bool
            Also from the store a team shares, for everybody.

        Returns
        -------
        int
            How many runs were removed.

        Raises
        ------
        StoreError
            This disk lets none be removed.
        """
        if shared:
            raise StoreError("This store is on this disk alone.", hint="Leave shared=True out.")
        limit = oldest(older_than)
        gone = [run for run in self.runs(report) if limit is None or run.finished_at < limit]
        try:
            for run in gone:
                _remove(run.folder)
            if limit is None:
                self._sweep(report)
        except OSError as error:
            raise StoreError(
                f"The store at {self.path} can't be cleared: {error.strerror}.",
                hint="Ask who owns its files.",
            ) from None
        return len(gone)

    def _sweep(self, report: str | None) -> None:
        """Remove quarantined and unfinished runs that no other process is writing."""
        for folder in self._folders(report):
            for leftover in filter(Path.is_dir, folder.iterdir()):
                run = leftover.with_name(leftover.stem)
                with suppress(StoreLockedError), self._acquire(run, _LOG.info, blocking=False):
                    if leftover.suffix == QUARANTINED or not (leftover / SIDECAR).exists():
                        shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def pin_used(self) -> Iterator[None]:
        """Let every run that is stored or used inside stay to its end, however large they are together."""
        pinned: set[Path] = set()
        self._pinned.append(pinned)
        try:
            yield
        finally:
            self._pinned = [other for other in self._pinned if other is not pinned]

    def _pin(self, run: ReportResult) -> None:
        for pinned in self._pinned:
            pinned.add(run.folder)

    def evict(self, keep: ReportResult) -> list[ReportResult]:
        """Remove the runs stored first until the limit is kept; ``keep`` stays, however large."""
        runs = sorted(self.runs(), key=lambda run: run.origin.retrieved_at or "")
        total, gone = sum(run.size for run in runs), []
        kept = {keep.folder}.union(*self._pinned)
        for run in runs:
            if total <= self.limit:
                break
            if run.folder not in kept:
                total -= run.size
                _remove(run.folder)
                gone.append(run)
        if gone:
            _LOG.info("the store at %s was over its limit: %d old runs removed", self.path, len(gone))
        return gone

    def verify(self, run: ReportResult | None) -> ReportResult | None:
        """The run if its files are what was stored; a damaged one is set aside, and there is none."""
        if run is None:
            return None
        if run.is_intact():
            self._pin(run)
            return run
        run.quarantine()
        return None


def _remove(folder: Path) -> None:
    # The sidecar goes first: a half-removed folder then does not exist.
    (folder / SIDECAR).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def store_frame(runs: Iterable[ReportResult], now: datetime) -> pd.DataFrame:
    """One row a stored run; the columns are those of `Store.info`."""
    rows = [
        {
            "report": run.origin.report,
            "run_id": run.origin.run_id,
            "host": run.origin.host,
            "account": run.origin.account,
            "tables": ", ".join(run.tables),
            "rows": sum(run.provenance_of(table).rows or 0 for table in run.tables),
            "bytes": run.size,
            "finished_at": run.finished_at,
            "age": now - run.finished_at,
            "parameters": run.origin.parameters,
        }
        for run in runs
    ]
    types = {
        "report": "str",
        "run_id": "Int64",
        "host": "str",
        "account": "str",
        "tables": "str",
        "rows": "Int64",
        "bytes": "Int64",
        "finished_at": "datetime64[us, UTC]",
        "age": "timedelta64[us]",
        "parameters": "object",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)
