"""The runs asked for from this disk: one small file per run, written before the wait.

So a run survives the kernel that started it: the next equal call finds it here and looks at its state in Canvas.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from canvas_reports_nb._disk import disk_name, make_private, open_private, replace_file, try_lock
from canvas_reports_nb.canvas_api.models import parse_time
from canvas_reports_nb.catalog.query import key_of
from canvas_reports_nb.exceptions import StoreError
from canvas_reports_nb.settings import host_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.catalog.query import Query
    from canvas_reports_nb.deadline import Waiter

_LOG = logging.getLogger(__name__)
_LOCK_POLL, _LONGEST_START = 0.1, 300.0
_MONTH = 30 * 24 * 3600


def was_created(run: ReportRun, created_at: str | None) -> bool:
    """Whether a run was created at this time, to the second; an unknown time fits any run."""
    noted = parse_time(created_at)
    return noted is None or run.created_at is None or abs((run.created_at - noted).total_seconds()) < 1


class Ledger:
    """The runs of one account that were asked for from this disk.

    Parameters
    ----------
    root : Path
        The store's folder.
    url, account : str
    """

    def __init__(self, root: Path, url: str, account: str) -> None:
        self._root = root
        self._base = root / "ledger" / host_folder(url) / disk_name(account)

    @contextmanager
    def lock(self, query: Query, waiter: Waiter) -> Iterator[None]:
        """Let one process at a time start a run of this query; without file locks, don't wait for others."""
        path, latest = self.lock_path(query), waiter.elapsed() + _LONGEST_START
        with ExitStack() as stack:
            try:
                make_private(self._root, path.parent)
                while (held := try_lock(path)) is None:
                    if waiter.is_expired or waiter.elapsed() > latest:
                        break
                    _LOG.info("%s: waiting for another process that is starting the same run", query.report)
                    waiter.pause(_LOCK_POLL)
                stack.enter_context(held or nullcontext())
            except (OSError, StoreError) as error:
                _LOG.info("%s: started without a lock: %s", query.report, error)
            yield

    def lock_path(self, query: Query) -> Path:
        """Return the file that is locked while a run of this query is started."""
        name = hashlib.blake2b(query.key.encode(), digest_size=8).hexdigest()
        return self._folder(query.report) / f".{name}.lock"

    def note(self, run: ReportRun, query: Query) -> None:
        """Remember a run, completely or not at all.

        If the disk takes no note, the run continues: Canvas's own list has it, too.
        """
        folder = self._folder(query.report)
        entry, part = folder / f"{run.id}.json", folder / f"{run.id}.part"
        facts = {
            "run_id": run.id,
            "created_at": run.created_at.isoformat() if run.created_at else None,
            "report": query.report,
            "key": query.key,
            "parameters": dict(query.asked),
        }
        try:
            make_private(self._root, folder)
            with open_private(part) as file:
                file.write(json.dumps(facts, default=str).encode())
                file.flush()
                os.fsync(file.fileno())
            replace_file(part, entry)
        except (OSError, StoreError) as error:
            _LOG.warning("%s run %s could not be noted on this disk: %s", query.report, run.id, error)
            return
        with suppress(OSError):
            self._prune(folder, entry.stat().st_mtime - _MONTH)

    def _prune(self, folder: Path, before: float) -> None:
        """Forget runs that nobody asked for again."""
        for entry in folder.iterdir():
            if entry.stat().st_mtime < before:
                entry.unlink(missing_ok=True)

    def forget(self, report: str, run_id: int) -> None:
        """Remove a run that was downloaded, or never will be."""
        with suppress(OSError):  # a read-only store works, too
            (self._folder(report) / f"{run_id}.json").unlink(missing_ok=True)

    def equal(self, query: Query) -> dict[int, str | None]:
        """Return the remembered runs of this query, highest id first, and when each was created."""
        found = [(run_id, made) for run_id, key, made in self._entries(query.report) if key == query.key]
        return dict(sorted(found, key=lambda each: each[0], reverse=True))

    def key(self, report: str, run_id: int) -> str | None:
        """Return the key of the query a run was started for; ``None`` if it is not remembered."""
        return next((key for found, key, _ in self._entries(report) if found == run_id), None)

    def _entries(self, report: str) -> Iterator[tuple[int, str, str | None]]:
        """Yield the id, the key and the creation time of each entry; damaged entries are skipped."""
        folder = self._folder(report)
        for entry in folder.glob("*.json") if folder.is_dir() else ():
            with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
                facts: dict[str, Any] = json.loads(entry.read_text(encoding="utf-8"))
                # Version 0.1.0 kept no key.
                key = facts.get("key") or key_of(report, facts["parameters"])
                yield int(facts["run_id"]), key, facts.get("created_at")

    def _folder(self, report: str) -> Path:
        return self._base / disk_name(report)
