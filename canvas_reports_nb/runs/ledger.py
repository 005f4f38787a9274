"""The runs asked for from this disk: one small file per run, written before the wait.

So a run survives the kernel that started it: the next equal call finds it here and looks at its state in Canvas.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from canvas_reports_nb._disk import make_private, open_private
from canvas_reports_nb.catalog.query import key_of
from canvas_reports_nb.exceptions import StoreError
from canvas_reports_nb.settings import host_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from canvas_reports_nb.catalog.query import Query

_LOG = logging.getLogger(__name__)
_MONTH = 30 * 24 * 3600


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
        self._base = root / "ledger" / host_folder(url) / quote(account, safe="")

    def note(self, run_id: int, query: Query) -> None:
        """Remember a run, completely or not at all.

        If the disk takes no note, the run continues: Canvas's own list has it, too.
        """
        folder = self._folder(query.report)
        entry, part = folder / f"{run_id}.json", folder / f"{run_id}.part"
        facts = {
            "run_id": run_id,
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
            part.replace(entry)
        except (OSError, StoreError) as error:
            _LOG.warning("%s run %s could not be noted on this disk: %s", query.report, run_id, error)
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

    def equal(self, query: Query) -> list[int]:
        """Return the ids of the remembered runs of this query, highest first."""
        found = [run_id for run_id, key in self._entries(query.report) if key == query.key]
        return sorted(found, reverse=True)

    def key(self, report: str, run_id: int) -> str | None:
        """Return the key of the query a run was started for; ``None`` if it is not remembered."""
        return dict(self._entries(report)).get(run_id)

    def _entries(self, report: str) -> Iterator[tuple[int, str]]:
        """Yield the id and the key of each entry; damaged entries are skipped."""
        folder = self._folder(report)
        for entry in folder.glob("*.json") if folder.is_dir() else ():
            with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
                facts: dict[str, Any] = json.loads(entry.read_text(encoding="utf-8"))
                # Version 0.1.0 kept no key.
                yield int(facts["run_id"]), facts.get("key") or key_of(report, facts["parameters"])

    def _folder(self, report: str) -> Path:
        return self._base / quote(report, safe="")
