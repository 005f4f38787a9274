"""A store that a team shares: finished runs in a bucket, a container or on a mounted share.

::

    <address>/runs/<host>/<account>/<report>/<run id>/
        <upload>/               one per upload, under a unique name
            raw.csv | raw.zip, <table>.parquet
            run.json            the sidecar, written last and never changed

An upload without its sidecar doesn't count, so no reader sees half a run, and no two writers touch one file.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections import defaultdict
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

from canvas_reports_nb import _html
from canvas_reports_nb._disk import disk_name, make_private
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    ConfigurationError,
    MissingDependencyError,
    StoreError,
    warn,
)
from canvas_reports_nb.store.index import digest
from canvas_reports_nb.store.store import Store, cutoff, store_frame
from canvas_reports_nb.store.stored_run import (
    SIDECAR,
    ReportResult,
    parse_run,
    read_run,
    sidecar_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    import pandas as pd

    from canvas_reports_nb.deadline import Waiter
    from canvas_reports_nb.settings import Settings
    from canvas_reports_nb.typing import Age

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
# Seconds without a request after the storage failed: some take minutes to report an error.
_BACK_OFF = 60.0
# Folder names as `Store.folder` writes them. Any other name must not become a path on this disk.
_PART = re.compile(r"(?!\.+$)[\w.~%-]+")


class Upload(NamedTuple):
    """A complete upload of a run; ``run.folder`` is the folder for its copy on this disk."""

    path: str
    run: ReportResult


class SharedRuns:
    """The runs at an address that fsspec can write to; ``root`` is the local folder with the same layout."""

    def __init__(self, address: str, root: Path) -> None:
        self.address, self._root = address, root
        self.files, base = _open_address(address)
        self._base = base.rstrip("/")
        self._sidecars: dict[str, ReportResult | None] = {}

    def uploads(self, folder: Path, key: str | None = None) -> list[Upload]:
        """Return the complete uploads below a folder of the store, or only those whose key has this digest.

        One run may have several. The names of uploads begin with the digest, except those of version 0.1.0.
        """
        with self._explained("read"):
            found = self._find(self._path(folder))
            names = {path: path.rpartition("/")[2] for path in found} if key else {}
            other = {path for path, name in names.items() if "-" in name and not name.startswith(f"{key}-")}
            return self._complete({path: found[path] for path in found.keys() - other})

    def upload(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Upload a finished run, then remove what unfinished uploads of it left there."""
        with self._explained("written"):
            # A share that isn't mounted looks like an empty or missing folder: never write there.
            if self.files.protocol[0] == "file" and not self.files.isdir(self._base):
                raise StoreError(
                    f"The shared store {self.address} can't be written: there is no folder {self._base}.",
                    hint="Mount the share, or make the folder once.",
                )
            try:
                name = f"{digest(ReportResult(folder, facts).key)}-{uuid4().hex}"
                self._write(f"{self._path(folder)}/{name}", folder, facts)
            except FileNotFoundError:
                # Another writer may have finished the same run first and removed our files.
                if not self.uploads(folder):
                    raise
            found = self._find(self._path(folder))
            for path in found.keys() - {upload.path for upload in self._complete(found)}:
                with suppress(OSError):  # Its writer may be adding files right now.
                    self._remove(path)

    def fetch(self, upload: Upload) -> None:
        """Copy the files of a run to its folder on this disk."""
        with self._explained("read"):
            for each in upload.run.files:
                target = upload.run.folder / each["file"]
                target.touch(mode=0o600)
                self.files.get_file(f"{upload.path}/{each['file']}", str(target))

    def quarantine(self, upload: Upload) -> None:
        """Hide a damaged upload from everybody."""
        with self._explained("written"):
            self.files.mv(f"{upload.path}/{SIDECAR}", f"{upload.path}/{SIDECAR}.damaged")

    def clear(self, report: str | None, before: datetime | None) -> set[Path]:
        """Remove runs for everybody and return their local folders; without ``before``, also incomplete uploads."""
        with self._explained("cleared"):
            found, removed = self._find(f"{self._base}/runs"), set()
            complete = {upload.path: upload.run for upload in self._complete(found)}
            for path in found:
                run, is_named = complete.get(path), report is None or disk_name(report) == path.split("/")[-3]
                if is_named and (before is None or (run is not None and run.finished_at < before)):
                    self._remove(path)
                    removed |= {run.folder} if run else set()
            return removed

    def _path(self, folder: Path) -> str:
        return f"{self._base}/{folder.relative_to(self._root).as_posix()}"

    def _find(self, path: str) -> dict[str, dict[str, int]]:
        """Return the uploads at or below a path, each with its file names and sizes."""
        # A cached listing would hide what others have written since.
        self.files.invalidate_cache()
        found: dict[str, dict[str, int]] = defaultdict(dict)
        with suppress(FileNotFoundError):
            for name, facts in self.files.find(path, detail=True).items():
                place, _, file = name.rpartition("/")
                if self._is_upload(place):
                    found[place][file] = facts["size"]
        return found

    def _is_upload(self, path: str) -> bool:
        parts = path.removeprefix(f"{self._base}/").split("/")
        has_layout = len(parts) == 6 and parts[0] == "runs" and parts[4].isdigit()  # noqa: PLR2004 - see above
        return has_layout and all(map(_PART.fullmatch, parts))

    def _complete(self, found: Mapping[str, Mapping[str, int]]) -> list[Upload]:
        """Return those uploads that have a valid sidecar and all files."""
        sealed = sorted(path for path, sizes in found.items() if SIDECAR in sizes)
        self._read_sidecars(path for path in sealed if path not in self._sidecars)
        runs = ((path, self._sidecars.get(path)) for path in sealed)
        return [Upload(path, run) for path, run in runs if run and _has_all_files(run, found[path])]

    def _read_sidecars(self, paths: Iterable[str]) -> None:
        # A sidecar never changes, so each is read only once.
        names = [f"{path}/{SIDECAR}" for path in paths]
        for name, text in (self.files.cat(names, on_error="omit") if names else {}).items():
            path = name.rpartition("/")[0]
            parts = path.removeprefix(f"{self._base}/").split("/")
            self._sidecars[path] = parse_run(self._root.joinpath(*parts[:5]), text)

    def _write(self, place: str, folder: Path, facts: Mapping[str, Any]) -> None:
        # A bucket has no folders, and makedirs would create a missing bucket.
        if not self.files.async_impl:
            self.files.makedirs(place, exist_ok=True)
        for each in ReportResult(folder, facts).files:
            self.files.put_file(str(folder / each["file"]), f"{place}/{each['file']}")
        self.files.pipe_file(f"{place}/{SIDECAR}", sidecar_text(facts).encode())

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self.files.rm(path, recursive=True)

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        """Replace errors of the storage, whose messages may contain its keys."""
        try:
            yield
        except CanvasReportsError:
            raise
        except Exception as error:  # noqa: BLE001 - each storage raises errors of its own
            number = error.errno if isinstance(error, OSError) else None
            reason = os.strerror(number) if number else type(error).__name__
            raise StoreError(
                f"The shared store {self.address} can't be {action}: {reason}.",
                hint="Check that it exists, and check the permissions and settings of this storage.",
            ) from None


def _has_all_files(run: ReportResult, sizes: Mapping[str, int]) -> bool:
    return all(
        each["file"] != SIDECAR and each["file"] in sizes and sizes[each["file"]] == each.get("size")
        for each in run.files
    )


def _created(run: ReportResult) -> str:
    return run.origin.created_at or ""


def _open_address(address: str) -> tuple[Any, str]:
    """Return the file system of an address and the path in it."""
    protocol = address.partition("://")[0]
    purpose, extra = f"A store at {protocol}://", "s3" if protocol in {"s3", "s3a"} else "remote"
    try:
        import fsspec  # noqa: PLC0415 - an extra
        from fsspec.registry import known_implementations  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingDependencyError("fsspec", extra, purpose) from None
    try:
        files, base = fsspec.url_to_fs(address)
    except ImportError as error:
        package = known_implementations[protocol]["class"].partition(".")[0]
        # For a file system that fsspec ships itself, only the error names the missing package.
        named = re.search(r'"([\w-]+)', str(error)) if package == "fsspec" else None
        package = named[1] if named else package
        raise MissingDependencyError(package, extra, purpose, also="" if extra == "s3" else package) from None
    except Exception as error:  # noqa: BLE001 - each storage raises errors of its own, some with its keys
        raise ConfigurationError(
            f"The shared store {address} can't be opened: {type(error).__name__}.",
            hint="Check the address and the settings that this storage needs.",
        ) from None
    return files, str(base)


def open_store(settings: Settings, waiter: Waiter) -> Store:
    """Return the store that the settings name: on this disk, or shared."""
    if not settings.shared:
        return Store(settings.store, settings.store_limit, waiter)
    shared = SharedRuns(settings.shared, settings.store)
    return SharedStore(shared, settings.store, settings.store_limit, waiter)


class SharedStore(Store):
    """The finished runs that a team shares. A run is copied to this disk first and read from there.

    The storage decides who may read and write, and whether the runs are encrypted. If it fails, a warning
    says so and the copies on this disk are used. Ledger, locks and HTTP metadata stay on this disk. The limit
    is for the copies; the shared runs have none.
    """

    def __init__(self, shared: SharedRuns, path: Path, limit: int, waiter: Waiter) -> None:
        super().__init__(path, limit, waiter)
        self._shared = shared
        self._backing_off_until = float("-inf")

    @property
    def address(self) -> str:
        """The address of the shared runs."""
        return self._shared.address

    def __repr__(self) -> str:
        return f"SharedStore({self.address!r}, copies in {str(self.path)!r})"

    def _repr_html_(self) -> str:
        facts = [("address", self.address), ("copies in", self.path), *self._totals("copies")]
        return _html.card("Shared store", _html.facts(facts))

    def find(self, url: str, account: str, report: str, run_id: int) -> ReportResult | None:
        """Return a run by its id, or ``None``; `verify` copies it to this disk."""
        copy = super().find(url, account, report, run_id)
        uploads = [] if copy else self._uploads(self.folder(url, account, report, run_id))
        return max((upload.run for upload in uploads), key=_created, default=copy)

    def seal(self, folder: Path, facts: Mapping[str, Any]) -> ReportResult:
        """Upload first, then seal locally, so a crash never leaves a run that only we can see."""
        made = ReportResult(folder, facts)
        if not made.is_intact() or not made.is_raw_intact():
            raise StoreError(f"Run {folder.name} was damaged while it was stored.", hint="Call again.")
        is_shared = any(upload.run.is_same_run(made) for upload in self._uploads(folder))
        if not is_shared and not self._is_backing_off:
            self._try(partial(self._shared.upload, folder, facts))
        return super().seal(folder, facts)

    def verify(self, run: ReportResult | None) -> ReportResult | None:
        """Return the run with intact files on this disk, copied if need be; ``None`` if there are none."""
        if run is None:
            return None
        copy = self._verify_copy(run)
        if copy is None:
            with self._lock_folder(run.folder):
                copy = self._verify_copy(run)  # Another process may have copied it by now.
                if copy is None:
                    uploads = filter(lambda upload: upload.run.is_same_run(run), self._uploads(run.folder))
                    copies = (self._try(partial(self._copy, upload)) for upload in uploads)
                    copy = next(filter(None, copies), None)
        return copy

    def _verify_copy(self, run: ReportResult) -> ReportResult | None:
        copy = read_run(run.folder)
        return super().verify(copy) if copy is not None and copy.is_same_run(run) else None

    def info(self, *, verify: bool = False) -> pd.DataFrame:
        """List the copies and the shared runs as `Store.info` does, with two more columns: ``here``, ``shared``."""
        if verify:
            self._set_damaged_aside()
        shared = {upload.run.folder: upload.run for upload in self._uploads(self.path / "runs")}
        here = {run.folder: run for run in self.runs()}
        both = {**shared, **here}
        frame = store_frame(both.values(), self._waiter.now())
        return frame.assign(
            here=[folder in here for folder in both], shared=[folder in shared for folder in both]
        ).astype({"here": bool, "shared": bool})

    def clear(self, report: str | None = None, older_than: Age | None = None, *, shared: bool = False) -> int:
        """Remove the copies on this disk; with ``shared=True`` also the shared runs, for everybody."""
        before = cutoff(older_than, self._waiter.now())
        removed = {run.folder for run in self.runs(report) if before is None or run.finished_at < before}
        super().clear(report, older_than)
        removed = {folder for folder in removed if read_run(folder) is None}
        if shared:
            removed |= self._shared.clear(report, before)
        return len(removed)

    def _with_key(self, folder: Path, key: str) -> Iterator[ReportResult]:
        found = list(super()._with_key(folder, key))
        for upload in self._uploads(folder, key):
            if not any(upload.run.is_same_run(run) for run in found):
                found.append(upload.run)
        yield from found

    @property
    def _is_backing_off(self) -> bool:
        return self._waiter.elapsed() < self._backing_off_until

    def _uploads(self, folder: Path, key: str | None = None) -> list[Upload]:
        found = None if self._is_backing_off else self._try(partial(self._shared.uploads, folder, key))
        if found is None and not self._is_backing_off:
            self._backing_off_until = self._waiter.elapsed() + _BACK_OFF
        return found or []

    def _try(self, call: Callable[[], _T]) -> _T | None:
        """Return what a call of the storage returns; warn and return ``None`` if it fails."""
        try:
            return call()
        except StoreError as error:
            warn(f"{error.message} {error.hint} Continuing with the runs on this disk.")
            return None

    def _copy(self, upload: Upload) -> ReportResult | None:
        """Copy a shared run to this disk; quarantine it and return ``None`` if it is damaged."""
        run, copy = upload.run, None
        _LOG.info("Copying run %s from %s.", run.folder.name, self.address)
        # Whatever is in the folder is not a run: an interrupted copy, or links to other places.
        shutil.rmtree(run.folder, ignore_errors=True)
        make_private(self.path, run.folder)
        try:
            self._shared.fetch(upload)
            if run.is_intact() and run.is_raw_intact():
                copy = super().seal(run.folder, run.facts)
            else:
                _LOG.warning("Run %s in the shared store was damaged; it was set aside.", run.folder.name)
                self._shared.quarantine(upload)
        finally:
            if copy is None:
                shutil.rmtree(run.folder, ignore_errors=True)
                make_private(self.path, run.folder)
        if copy:
            self.evict(keep=copy)
        return copy
