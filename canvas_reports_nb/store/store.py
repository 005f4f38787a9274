"""Finished runs on this disk: the file from Canvas, its tables as Parquet, and a sidecar.

::

    <root>/runs/<host>/<account>/<report>/<run id>/
        raw.csv | raw.zip       unchanged, byte for byte
        <table>.parquet         typed
        run.json                the sidecar, written last: a folder without it is not a run

Only the owner can read the folders and files.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pandas as pd

from canvas_reports_nb import _html
from canvas_reports_nb._disk import disk_name, expanded, make_private, try_lock
from canvas_reports_nb.catalog.parameters import is_number
from canvas_reports_nb.deadline import Waiter
from canvas_reports_nb.exceptions import ParameterError, StoreError, StoreLockedError, warn
from canvas_reports_nb.settings import DEFAULT_STORE_LIMIT, host_folder
from canvas_reports_nb.store import index
from canvas_reports_nb.store.index import Index
from canvas_reports_nb.store.pins import Pins
from canvas_reports_nb.store.stored_run import (
    QUARANTINED,
    SIDECAR,
    ReportResult,
    read_run,
    runs_in,
    write_sidecar,
)
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from os import PathLike

    from canvas_reports_nb.store.index import Entry
    from canvas_reports_nb.typing import Age

_LOG = logging.getLogger(__name__)
_LOCK_POLL, _MOST_POLLS = 0.1, 3000
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


def cutoff(age: Age | None, now: datetime) -> datetime | None:
    """Return the time that long ago; ``None`` without an age."""
    return None if age is None else now - timedelta(seconds=seconds(age))


class Store:
    """The finished runs on this disk.

    Parameters
    ----------
    path : path
        The root folder; made on first use.
    limit : int
        Bytes the runs may take. If a new run exceeds it, the runs stored first are removed.
    waiter : Waiter, optional
        How to wait for a lock.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        limit: int = DEFAULT_STORE_LIMIT,
        waiter: Waiter | None = None,
    ) -> None:
        self.path, self.limit = Path(path), limit
        self._waiter = waiter or Waiter()
        self._pins, self._index = Pins(self.path), Index()

    def __repr__(self) -> str:
        return f"Store({self._shown_path!r})"

    @property
    def _shown_path(self) -> str:
        """The path without the user's name, because notebooks are shared."""
        home = expanded("~")
        return str(Path("~") / self.path.relative_to(home) if self.path.is_relative_to(home) else self.path)

    def _repr_html_(self) -> str:
        facts = [("path", self._shown_path), *self._totals("runs")]
        return _html.card("Store", _html.facts(facts))

    def _totals(self, name: str) -> list[tuple[str, object]]:
        sizes = [entry.size for _, entry in self._entries()]
        return [(name, len(sizes)), ("size", f"{sum(sizes) / 1e6:,.1f} MB")]

    @property
    def address(self) -> str:
        """Where the runs are: this folder, or the address that a team shares."""
        return str(self.path)

    def folder(self, url: str, account: str, report: str, run_id: int | None = None) -> Path:
        """Return the folder of a run, or of all runs of a report."""
        base = self.path / "runs" / host_folder(url) / disk_name(account) / disk_name(report)
        return base if run_id is None else base / str(run_id)

    def find(self, url: str, account: str, report: str, run_id: int) -> ReportResult | None:
        """Return a run by its id, or ``None``."""
        return read_run(self.folder(url, account, report, run_id))

    def equal(self, url: str, account: str, report: str, key: str) -> list[ReportResult]:
        """Return the stored runs that answer the query with this key, newest first."""
        found = self._with_key(self.folder(url, account, report), index.digest(key))
        return sorted((run for run in found if run.key == key), key=lambda run: run.finished_at, reverse=True)

    def _with_key(self, folder: Path, key: str) -> Iterator[ReportResult]:
        """Yield the runs of a report whose keys have this digest."""
        names = sorted({entry.run_id for entry in self._index.entries(folder) if entry.key == key})
        yield from filter(None, (read_run(folder / name) for name in names))

    def verify(self, run: ReportResult | None) -> ReportResult | None:
        """Return the run if its files are intact; otherwise quarantine it and return ``None``.

        The files are read only if they seem to have been written since the run was stored.
        """
        if run is None:
            return None
        self._pins.add(run.folder)  # before the files are read, so that no other process removes them
        if run.is_as_stored:
            return run
        with suppress(OSError):
            noted = run.noted_again()
            if run.is_intact():
                self._note_again(run, noted)
                return run
        with suppress(StoreLockedError), self._acquire(run.folder, _LOG.info, blocking=False):
            # Another process may have removed the run while it was read, or stored it again.
            again = read_run(run.folder)
            if again is not None and again.is_intact():
                return again
            if run.folder.is_dir():
                run.quarantine()
        return None

    def _note_again(self, run: ReportResult, facts: Mapping[str, Any]) -> None:
        """Renew the sidecar of a run that was copied or restored, so that it is not read in full each time."""
        with suppress(OSError, StoreError), self._acquire(run.folder, _LOG.info, blocking=False):
            if read_run(run.folder) == run:
                write_sidecar(run.folder, facts)

    def runs(self, report: str | None = None) -> Iterator[ReportResult]:
        """Yield all runs on this disk, or those of one report."""
        for folder in self._folders(report):
            yield from runs_in(folder)

    def _folders(self, report: str | None) -> list[Path]:
        """Return the folders of the reports; files behind a link belong to somebody else, so don't list or clear them."""
        found = [self.path / "runs"]
        for _ in range(3):  # host, account, report
            found = [folder for outer in found for folder in _folders_in(outer)]
        return [folder for folder in found if report is None or folder.name == disk_name(report)]

    def _entries(self) -> list[tuple[Path, Entry]]:
        """Return what the index knows of each run on this disk, with the folder of its report."""
        folders = [(folder, self._index.entries(folder)) for folder in self._folders(None)]
        return [(folder, last) for folder, found in folders for last in {e.run_id: e for e in found}.values()]

    def info(self, *, verify: bool = False) -> pd.DataFrame:
        """List the stored runs, one row per run.

        Parameters
        ----------
        verify : bool
            First read every file in full, and set aside the runs that changed since they were stored. Otherwise a
            run is checked when it is used, by the size, time and inode of its files; only if these differ is it
            read in full.

        Returns
        -------
        DataFrame
            ``report``, ``run_id`` (Int64), ``host``, ``account``, ``tables``, ``rows`` (Int64), ``bytes``
            (Int64), ``finished_at`` (UTC), ``age``, ``parameters``.

        Examples
        --------
        >>> "grade_export_csv" in set(canvas.store.info()["report"])
        True
        """
        if verify:
            self._set_damaged_aside()
        return store_frame(self.runs(), self._waiter.now())

    def _set_damaged_aside(self) -> None:
        """Read every file on this disk in full, and quarantine the damaged runs."""
        damaged = []
        for run in self.runs():
            if not (run.is_intact() and run.is_raw_intact()):
                with suppress(StoreError), self._acquire(run.folder, _LOG.info, blocking=False):
                    if read_run(run.folder) == run:  # no other process stored it again in the meantime
                        run.quarantine()
                        damaged.append(run.folder.name)
        if damaged:
            warn(
                f"Files of these runs changed since they were stored; they were set aside: {', '.join(damaged)}."
            )

    def lock(
        self,
        url: str,
        account: str,
        report: str,
        run_id: int,
        *,
        on_wait: Callable[[str], object] = _LOG.info,
        blocking: bool = True,
    ) -> AbstractContextManager[Path]:
        """Lock a run for one writer on this machine, and return a context with its folder.

        If another writer holds the lock, wait until the deadline at most (not at all with ``blocking=False``),
        then raise `StoreLockedError`; ``on_wait`` is called once with a sentence to show.
        """
        return self._lock_folder(self.folder(url, account, report, run_id), on_wait, blocking=blocking)

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
        """Acquire the file lock of a run, waiting until the deadline at most."""
        for poll in range(_MOST_POLLS):
            try:
                held = try_lock(folder.parent / f".{folder.name}.lock", is_reentrant=True)
            except OSError as error:
                raise StoreError(
                    f"Can't lock a run in the store at {self.path}: {error.strerror}.",
                    hint="Choose another folder with CANVAS_REPORTS_CACHE or store=.",
                ) from None
            if held is not None:
                return held
            if not blocking or self._waiter.is_expired:
                break
            if poll == 0:
                on_wait(f"Waiting for another process that is downloading run {folder.name} ...")
            self._waiter.pause(_LOCK_POLL)
        raise StoreLockedError(
            f"Another process is still downloading run {folder.name}.",
            hint="Call again when it has finished: the run is then read from this disk. "
            "Or set a larger timeout=.",
            account=unquote(folder.parents[1].name),
            report=unquote(folder.parent.name),
        )

    def seal(self, folder: Path, facts: Mapping[str, Any]) -> ReportResult:
        """Write the sidecar, which completes the run."""
        self._pins.add(folder)
        index.note(ReportResult(folder, facts))
        write_sidecar(folder, facts)
        sealed = read_run(folder)
        if sealed is None:
            raise StoreError(f"The store at {self.path} lost a run while it was written.", hint="Call again.")
        return sealed

    def discard(self, run: ReportResult) -> None:
        """Remove a run whose id Canvas has since given to another run."""
        with suppress(StoreLockedError), self._acquire(run.folder, _LOG.info, blocking=False):
            _LOG.warning(
                "Run %s on this disk is another run than the one on Canvas; removed.", run.folder.name
            )
            _remove(run.folder)
            make_private(self.path, run.folder)

    def check_writable(self, folder: Path) -> None:
        """Raise `StoreError` if nothing can be written to a folder."""
        make_private(self.path, folder)
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"test")
        except OSError as error:
            raise StoreError(
                f"Can't write to the store at {self.path}: {error.strerror}.",
                hint="Free space there, or choose another folder with CANVAS_REPORTS_CACHE or store=.",
            ) from None

    def clear(self, report: str | None = None, older_than: Age | None = None, *, shared: bool = False) -> int:
        """Remove stored runs from this disk and return how many.

        Parameters
        ----------
        report : str, optional
            Only runs of this report.
        older_than : float, str or timedelta, optional
            Only runs that ended longer ago than this: seconds, ``"7d"``, ``"12h"`` or a timedelta.
        shared : bool
            Also remove them from the store that a team shares, for everybody.

        Raises
        ------
        StoreError
            The files can't be removed.

        Examples
        --------
        >>> canvas.store.clear(older_than="30d")
        0
        """
        if shared:
            raise StoreError("This store is only on this disk, not shared.", hint="Leave out shared=True.")
        before = cutoff(older_than, self._waiter.now())
        found = [run for run in self.runs(report) if before is None or run.finished_at < before]
        try:
            removed = sum(map(self._remove_unlocked, found))
            if before is None:
                self._sweep(report)
        except OSError as error:
            raise StoreError(
                f"The store at {self.path} can't be cleared: {error.strerror}.",
                hint="Ask the owner of its files to clear it.",
            ) from None
        return removed

    def _remove_unlocked(self, run: ReportResult) -> bool:
        """Remove a run unless another process is storing it again; return whether it did."""
        with suppress(StoreLockedError), self._acquire(run.folder, _LOG.info, blocking=False):
            _remove(run.folder)
            return True
        return False

    def _sweep(self, report: str | None) -> None:
        """Remove quarantined and unfinished runs that no other process is writing."""
        for folder in self._folders(report):
            index.remove(folder)
            for leftover in filter(Path.is_dir, folder.iterdir()):
                run = leftover.with_name(leftover.stem)
                with suppress(StoreLockedError), self._acquire(run, _LOG.info, blocking=False):
                    if leftover.suffix == QUARANTINED or not (leftover / SIDECAR).exists():
                        shutil.rmtree(leftover, ignore_errors=True)

    def evict(self, keep: ReportResult) -> None:
        """Remove the runs stored first until the limit is met; ``keep`` stays, and what any process uses."""
        found = self._entries()
        excess = sum(entry.size for _, entry in found) - self.limit
        if excess <= 0:
            return
        used = {keep.folder} | self._pins.used()
        for report, entry in sorted(found, key=lambda each: each[1].stored_at):
            folder = report / entry.run_id
            if folder in used:
                continue
            excess -= entry.size
            with suppress(OSError, StoreError):  # another process may be removing it, or have it open
                run = read_run(folder)
                if run is not None and self._remove_unlocked(run):
                    _LOG.info("Removed run %s: the store at %s was over its limit.", folder.name, self.path)
            if excess <= 0:
                return

    def pin_used(self) -> AbstractContextManager[None]:
        """Keep every run that is stored or used inside the block, even beyond the limit."""
        return self._pins.keep()

    def hold(self, run: ReportResult) -> None:
        """Keep a run until this process ends: a lazy frame may read it at any time."""
        self._pins.hold(run.folder)


def _folders_in(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        return sorted(Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False))
    return []


def _remove(folder: Path) -> None:
    # The sidecar goes first: without it, a half-removed folder is not a run.
    (folder / SIDECAR).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def store_frame(runs: Iterable[ReportResult], now: datetime) -> pd.DataFrame:
    """Return one row per stored run, with the columns of `Store.info`."""
    columns: dict[str, tuple[Any, Callable[[ReportResult], object]]] = {
        "report": (TEXT, lambda run: run.origin.report),
        "run_id": ("Int64", lambda run: run.origin.run_id),
        "host": (TEXT, lambda run: run.origin.host),
        "account": (TEXT, lambda run: run.origin.account),
        "tables": (TEXT, lambda run: ", ".join(run.tables)),
        "rows": ("Int64", lambda run: run.rows),
        "bytes": ("Int64", lambda run: run.size),
        "finished_at": ("datetime64[us, UTC]", lambda run: run.finished_at),
        "age": ("timedelta64[us]", lambda run: now - run.finished_at),
        "parameters": ("object", lambda run: run.origin.parameters),
    }
    rows = [{name: value(run) for name, (_, value) in columns.items()} for run in runs]
    return pd.DataFrame(rows, columns=list(columns)).astype(
        {name: kind for name, (kind, _) in columns.items()}
    )
