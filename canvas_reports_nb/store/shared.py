"""The runs at an address several people write to: a bucket, a container, a mounted share.

::

    <address>/runs/<host>/<account>/<report>/<run id>/
        <attempt>/              one writer's, under a name nobody else has
            raw.csv | raw.zip, <table>.parquet
            run.json            the sidecar, written last, never again: without it nothing is there

So no two writers ever touch one object, and none sees what another has not finished.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import warnings
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote
from uuid import uuid4

from canvas_reports_nb import _html
from canvas_reports_nb._disk import make_private
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    ConfigurationError,
    MissingDependencyError,
    ReportWarning,
    StoreError,
)
from canvas_reports_nb.store.store import Store, oldest, store_frame
from canvas_reports_nb.store.stored_run import (
    SIDECAR,
    ReportResult,
    parse_run,
    read_run,
    runs_in,
    sidecar_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from canvas_reports_nb.deadline import Waiter
    from canvas_reports_nb.settings import Settings
    from canvas_reports_nb.typing import Age


# As `Store.folder` writes them; anything else is not ours, and never becomes a path of this disk.
_PART = re.compile(r"(?!\.+$)[\w.~%-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole run at the address.

    Attributes
    ----------
    path : str
        The attempt's folder there.
    run : ReportResult
        With the folder here that it belongs in.
    """

    path: str
    run: ReportResult


class SharedRuns:
    """What is kept at an address.

    Parameters
    ----------
    address : str
        Of anything fsspec writes to.
    root : Path
        The local folder of the same layout.

    Raises
    ------
    MissingDependencyError, ConfigurationError
        Nothing here can open such an address. Nothing is asked of the storage yet.
    """

    def __init__(self, address: str, root: Path) -> None:
        self.address, self._root = address, root
        self.files, base = _opened(address)
        self._base = base.rstrip("/")
        self._sidecars: dict[str, ReportResult] = {}

    def entries(self, folder: Path) -> list[Entry]:
        """The whole runs in a folder of the store; of equal ones each."""
        with self._told("read"):
            return self._whole(self._attempts(self._path(folder)))

    def upload(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Copy a finished run to the address, then remove what unfinished uploads of it left there."""
        with self._told("written"):
            self._check_mounted()
            place = f"{self._path(folder)}/{uuid4().hex}"
            with self._unless_shared(folder):
                self._make(place)
                for each in ReportResult(folder, facts).files:
                    self.files.put_file(str(folder / each["file"]), f"{place}/{each['file']}")
                self.files.pipe_file(f"{place}/{SIDECAR}", sidecar_text(facts).encode())
            attempts = self._attempts(self._path(folder))
            whole = {entry.path for entry in self._whole(attempts)}
            for path in attempts.keys() - whole:
                # Its writer may be adding files right now.
                with suppress(OSError):
                    self._remove(path, attempts[path])

    def fetch(self, entry: Entry) -> None:
        """Copy the files of a run to its folder here."""
        with self._told("read"):
            for each in entry.run.files:
                target = entry.run.folder / each["file"]
                target.touch(mode=0o600)
                self.files.get_file(f"{entry.path}/{each['file']}", str(target))

    def quarantine(self, entry: Entry) -> None:
        """Take a damaged run out of everybody's sight."""
        with self._told("written"):
            self.files.mv(f"{entry.path}/{SIDECAR}", f"{entry.path}/{SIDECAR}.damaged")

    def clear(self, report: str | None, before: datetime | None) -> set[Path]:
        """Remove runs for everybody, and without ``before`` also what is no whole run; give their folders here."""
        with self._told("cleared"):
            attempts, gone = self._attempts(f"{self._base}/runs"), set()
            whole = {entry.path: entry.run for entry in self._whole(attempts)}
            for path, names in attempts.items():
                run, named = whole.get(path), report in {None, unquote(path.split("/")[-3])}
                if named and (before is None or (run is not None and run.finished_at < before)):
                    self._remove(path, names)
                    gone |= {run.folder} if run else set()
            return gone

    # -- inside ------------------------------------------------------------------------------

    def _path(self, folder: Path) -> str:
        return f"{self._base}/{folder.relative_to(self._root).as_posix()}"

    def _attempts(self, path: str) -> dict[str, dict[str, int]]:
        """The folders of writers at or below a path, each with its files and their sizes."""
        # What others wrote since must not be hidden by a listing kept from before.
        self.files.invalidate_cache()
        found: dict[str, dict[str, int]] = defaultdict(dict)
        with suppress(FileNotFoundError):
            for name, facts in self.files.find(path, detail=True).items():
                place, _, file = name.rpartition("/")
                if self._folder(place) is not None:
                    found[place][file] = facts["size"]
        return found

    def _folder(self, place: str) -> Path | None:
        """The local folder of a run, from that of one of its writers; ``None`` for a foreign one."""
        parts = place.removeprefix(f"{self._base}/").split("/")
        ours = len(parts) == 6 and parts[0] == "runs" and parts[4].isdigit()  # noqa: PLR2004 - as drawn above
        return self._root.joinpath(*parts[:5]) if ours and all(map(_PART.fullmatch, parts)) else None

    def _whole(self, attempts: Mapping[str, Mapping[str, int]]) -> list[Entry]:
        sealed = sorted(path for path, names in attempts.items() if SIDECAR in names)
        new = [f"{path}/{SIDECAR}" for path in sealed if path not in self._sidecars]
        # Written once and never again, so each is read once.
        for name, text in (self.files.cat(new, on_error="omit") if new else {}).items():
            path = name.rpartition("/")[0]
            folder = self._folder(path)
            run = parse_run(folder, text) if folder else None
            if run is not None:
                self._sidecars[path] = run
        entries = [Entry(path, self._sidecars[path]) for path in sealed if path in self._sidecars]
        return [entry for entry in entries if _is_whole(entry.run, attempts[entry.path])]

    @contextmanager
    def _unless_shared(self, folder: Path) -> Iterator[None]:
        """Ignore a failed upload if another writer finished the same run first and removed our files."""
        try:
            yield
        except FileNotFoundError:
            if not self.entries(folder):
                raise

    def _check_mounted(self) -> None:
        # A share that is not mounted looks like an empty or missing folder: never write there.
        if self.files.protocol[0] == "file" and not self.files.isdir(self._base):
            raise StoreError(
                f"The shared store {self.address} can't be written: there is no folder {self._base}.",
                hint="Mount the share, or make the folder once.",
            )

    def _make(self, path: str) -> None:
        # A bucket has no folders, and asking for one there would make a bucket that is missing.
        if not self.files.async_impl:
            self.files.makedirs(path, exist_ok=True)

    def _remove(self, path: str, names: Mapping[str, int]) -> None:
        # The sidecar goes first: a half-removed run then is none.
        with suppress(FileNotFoundError):
            if SIDECAR in names:
                self.files.rm_file(f"{path}/{SIDECAR}")
            self.files.rm(path, recursive=True)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Say what went wrong in words of ours: a storage's own may hold its keys."""
        try:
            yield
        except CanvasReportsError:
            raise
        except Exception as error:  # noqa: BLE001 - each storage raises errors of its own
            number = error.errno if isinstance(error, OSError) else None
            reason = os.strerror(number) if number else type(error).__name__
            raise StoreError(
                f"The shared store {self.address} can't be {what}: {reason}.",
                hint="Look whether it is there, and at the rights and settings of this storage.",
            ) from None


def _is_whole(run: ReportResult, names: Mapping[str, int]) -> bool:
    return all(
        each["file"] != SIDECAR and each["file"] in names and names[each["file"]] == each.get("size")
        for each in run.files
    )


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    protocol = address.partition("://")[0]
    purpose, extra = f"A store at {protocol}://", "s3" if protocol in {"s3", "s3a"} else "remote"
    try:
        import fsspec  # noqa: PLC0415 - an extra
        from fsspec.registry import known_implementations  # noqa: PLC0415 - likewise
    except ImportError:
        raise MissingDependencyError("fsspec", extra, purpose) from None
    try:
        files, base = fsspec.url_to_fs(address)
    except ImportError as error:
        known = known_implementations[protocol]["class"].partition(".")[0]
        # What fsspec ships itself stands on other packages, which only its own words name.
        named = re.search(r'"([\w-]+)', str(error)) if known == "fsspec" else None
        package = named[1] if named else known
        raise MissingDependencyError(package, extra, purpose, also="" if extra == "s3" else package) from None
    except Exception as error:  # noqa: BLE001 - each storage raises errors of its own, some with its keys
        raise ConfigurationError(
            f"The shared store {address} can't be opened: {type(error).__name__}.",
            hint="Look at the address, and at the settings this storage needs.",
        ) from None
    return files, str(base)


_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
# Seconds for which a storage that failed is left alone: some take minutes to say so.
_BACK_OFF = 60.0


def open_store(settings: Settings, waiter: Waiter) -> Store:
    """The store the settings name: on this disk, or shared."""
    if not settings.shared:
        return Store(settings.store, settings.store_limit, waiter)
    shared = SharedRuns(settings.shared, settings.store)
    return SharedStore(shared, settings.store, settings.store_limit, waiter)


class SharedStore(Store):
    """The finished runs a team shares. What is used is copied to this disk first, and read from there.

    Who may read and write, and whether it is encrypted, is the storage's own affair. Trouble with it never
    stops a report: it is said in a warning, and this disk serves alone. Ledger, locks and HTTP metadata
    never leave this disk.

    Parameters
    ----------
    shared : SharedRuns
    path : path
        The folder of the copies.
    limit : int
        Bytes the copies may take; what is shared has no limit.
    waiter : Waiter
    """

    def __init__(self, shared: SharedRuns, path: Path, limit: int, waiter: Waiter) -> None:
        super().__init__(path, limit, waiter)
        self._shared = shared
        self._backing_off_until = float("-inf")

    @property
    def address(self) -> str:
        """Where the runs are shared."""
        return self._shared.address

    def __repr__(self) -> str:
        return f"SharedStore({self.address!r}, copies in {str(self.path)!r})"

    def _repr_html_(self) -> str:
        copies = list(self.runs())
        size = f"{sum(run.size for run in copies) / 1e6:,.1f} MB"
        facts = [
            ("shared at", self.address),
            ("copies in", self.path),
            ("copies", len(copies)),
            ("size", size),
        ]
        return _html.card("Shared store", _html.facts(facts))

    def find(self, url: str, account: str, report: str, run_id: int) -> ReportResult | None:
        """A run by its id, or ``None``; `verify` copies it here where it is not yet."""
        here = super().find(url, account, report, run_id)
        there = [] if here else self._entries(self.folder(url, account, report, run_id))
        return there[0].run if there else here

    def seal(self, folder: Path, facts: Mapping[str, Any]) -> ReportResult:
        """Share the run, then let it exist here: a process killed between has nothing that others have not."""
        if not self._entries(folder) and not self._is_backing_off:
            self._tried(partial(self._shared.upload, folder, facts))
        return super().seal(folder, facts)

    def verify(self, run: ReportResult | None) -> ReportResult | None:
        """The run on this disk with the files that were stored, copied here where they are not."""
        kept = super().verify(run) if run is not None and run.is_complete else None
        if kept is not None or run is None:
            return kept
        with self._lock_folder(run.folder):
            found = super().verify(read_run(run.folder))  # another process may have copied it meanwhile
            for entry in [] if found else self._entries(run.folder):
                found = self._tried(partial(self._copied, entry))
                if found:
                    break
        return found

    def info(self) -> pd.DataFrame:
        """What is kept, here and for all: one row a run.

        Returns
        -------
        DataFrame
            As `Store.info`, and ``here``, ``shared`` (bool): whether it is copied to this disk, and shared.
        """
        shared = {entry.run.folder: entry.run for entry in self._entries(self.path / "runs")}
        here = {run.folder: run for run in self.runs()}
        both = {**shared, **here}
        frame = store_frame(both.values(), datetime.now(UTC))
        return frame.assign(
            here=[folder in here for folder in both], shared=[folder in shared for folder in both]
        ).astype({"here": bool, "shared": bool})

    def clear(self, report: str | None = None, older_than: Age | None = None, *, shared: bool = False) -> int:
        """Remove the copies on this disk; with ``shared=True`` also the shared runs, for everybody.

        Raises
        ------
        StoreError
            The shared runs can't be removed.
        """
        before = oldest(older_than)
        gone = {run.folder for run in self.runs(report) if before is None or run.finished_at < before}
        super().clear(report, older_than)
        if shared:
            gone |= self._shared.clear(report, before)
        return len(gone)

    # -- inside ------------------------------------------------------------------------------

    def _known(self, folder: Path) -> Iterator[ReportResult]:
        here = {run.folder: run for run in runs_in(folder)}
        yield from here.values()
        shared = {entry.run.folder: entry.run for entry in self._entries(folder)}
        yield from (run for place, run in shared.items() if place not in here)

    @property
    def _is_backing_off(self) -> bool:
        return self._waiter.clock() < self._backing_off_until

    def _entries(self, folder: Path) -> list[Entry]:
        if self._is_backing_off:
            return []
        found = self._tried(partial(self._shared.entries, folder))
        if found is None:
            self._backing_off_until = self._waiter.clock() + _BACK_OFF
        return found or []

    def _tried(self, ask: Callable[[], _T]) -> _T | None:
        """What the storage gives; nothing where it fails, which is said."""
        try:
            return ask()
        except StoreError as error:
            warnings.warn(
                f"{error.message} {error.hint} Going on with this disk alone.", ReportWarning, stacklevel=2
            )
            return None

    def _copied(self, entry: Entry) -> ReportResult | None:
        """A shared run, copied here; a damaged one is set aside."""
        run, sealed = entry.run, None
        _LOG.info("copying run %s from %s", run.folder.name, self.address)
        # What lies there is no run: the rest of a copy that was cut short, or links that lead elsewhere.
        shutil.rmtree(run.folder, ignore_errors=True)
        make_private(self.path, run.folder)
        try:
            self._shared.fetch(entry)
            if run.is_intact() and run.is_raw_intact():
                sealed = super().seal(run.folder, run.facts)
            else:
                _LOG.warning("run %s in the shared store is damaged; set aside there", run.folder.name)
                self._shared.quarantine(entry)
        finally:
            if sealed is None:
                shutil.rmtree(run.folder, ignore_errors=True)
                make_private(self.path, run.folder)
        if sealed:
            self.evict(keep=sealed)
        return sealed
