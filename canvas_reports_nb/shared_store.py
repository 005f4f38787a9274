"""A store a team shares: finished runs at any address fsspec writes to, with a copy of those used on this disk."""

from __future__ import annotations

import logging
import shutil
import warnings
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from canvas_reports_nb import _html
from canvas_reports_nb.claims import claimed
from canvas_reports_nb.exceptions import ReportWarning, StoreError
from canvas_reports_nb.listings import store_frame
from canvas_reports_nb.shared_runs import SharedRuns
from canvas_reports_nb.store import Store, make_private, oldest
from canvas_reports_nb.stored import file_facts, load, runs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pandas as pd

    from canvas_reports_nb.settings import Settings
    from canvas_reports_nb.shared_runs import Entry
    from canvas_reports_nb.stored import StoredRun
    from canvas_reports_nb.typing import Age, Clock, Sleep

__all__ = ["SharedStore", "open_store"]

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
# Seconds for which a storage that failed is left alone: some take minutes to say so.
_REST = 60.0


def open_store(settings: Settings, clock: Clock, sleep: Sleep) -> Store:
    """The store the settings name: on this disk, or shared."""
    if not settings.shared:
        return Store(settings.store, settings.store_limit)
    shared = SharedRuns(settings.shared, settings.store)
    return SharedStore(shared, settings.store, settings.store_limit, clock=clock, sleep=sleep)


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
    clock, sleep : callable
    """

    def __init__(self, shared: SharedRuns, path: Path, limit: int, *, clock: Clock, sleep: Sleep) -> None:
        super().__init__(path, limit)
        self._shared, self._clock, self._sleep = shared, clock, sleep
        self._resting = float("-inf")

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

    def find(self, url: str, account: str, report: str, run_id: int) -> StoredRun | None:
        """A run by its id, or ``None``; `sound` copies it here where it is not yet."""
        here = super().find(url, account, report, run_id)
        there = [] if here else self._entries(self.folder(url, account, report, run_id))
        return there[0].run if there else here

    @contextmanager
    def lock(self, url: str, account: str, report: str, run_id: int) -> Iterator[Path]:
        """The folder of a run, for one writer at a time, on all machines: the others wait for its copy."""
        with super().lock(url, account, report, run_id) as folder:
            alone = load(folder) is None and not self._entries(folder) and not self._rests
            with self._claimed(folder) if alone else nullcontext():
                yield folder

    def seal(self, folder: Path, facts: Mapping[str, Any]) -> StoredRun:
        """Share the run, then let it exist here: a process killed between has nothing that others have not."""
        if not self._entries(folder) and not self._rests:
            self._tried(partial(self._shared.upload, folder, facts))
        return super().seal(folder, facts)

    def sound(self, run: StoredRun | None) -> StoredRun | None:
        """The run on this disk with the files that were stored, copied here where they are not."""
        kept = super().sound(run) if run is not None and run.is_here else None
        if kept is not None or run is None:
            return kept
        with self._alone(run.folder):
            found = super().sound(load(run.folder))  # another process may have copied it meanwhile
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

    def _claimed(self, folder: Path) -> AbstractContextManager[None]:
        def done() -> bool:
            return bool(self._entries(folder)) or self._rests

        claim = self._shared.claim(folder)
        return claimed(self._shared.files, claim, done, clock=self._clock, sleep=self._sleep)

    def _known(self, folder: Path) -> Iterator[StoredRun]:
        here = {run.folder: run for run in runs_in(folder)}
        yield from here.values()
        shared = {entry.run.folder: entry.run for entry in self._entries(folder)}
        yield from (run for place, run in shared.items() if place not in here)

    @property
    def _rests(self) -> bool:
        return self._clock() < self._resting

    def _entries(self, folder: Path) -> list[Entry]:
        if self._rests:
            return []
        found = self._tried(partial(self._shared.entries, folder))
        if found is None:
            self._resting = self._clock() + _REST
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

    def _copied(self, entry: Entry) -> StoredRun | None:
        """A shared run, copied here; a damaged one is set aside."""
        run, sealed = entry.run, None
        _LOG.info("copying run %s from %s", run.folder.name, self.address)
        # What lies there is no run: the rest of a copy that was cut short, or links that lead elsewhere.
        shutil.rmtree(run.folder, ignore_errors=True)
        make_private(self.path, run.folder)
        try:
            self._shared.fetch(entry)
            if run.is_sound() and file_facts(run.raw).items() <= run.facts["raw"].items():
                sealed = super().seal(run.folder, run.facts)
            else:
                _LOG.warning("run %s in the shared store is damaged; set aside there", run.folder.name)
                self._shared.set_aside(entry)
        finally:
            if sealed is None:
                shutil.rmtree(run.folder, ignore_errors=True)
                make_private(self.path, run.folder)
        if sealed:
            self.evict(keep=sealed)
        return sealed
