"""Which runs were asked for from this disk and are not fetched yet: one small file a run, written before the wait.

So a run survives the kernel that started it: the next equal call finds it here, and asks how it stands.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from canvas_reports_nb._disk import make_private, open_private
from canvas_reports_nb.catalog.parameters import comparable
from canvas_reports_nb.exceptions import StoreError
from canvas_reports_nb.settings import host_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from canvas_reports_nb.canvas_api.models import ReportRun

_LOG = logging.getLogger(__name__)
_MONTH = 30 * 24 * 3600


class Ledger:
    """The runs of one account that are under way.

    Parameters
    ----------
    root : Path
        The store's folder.
    url, account : str
    """

    def __init__(self, root: Path, url: str, account: str) -> None:
        self._root = root
        self._base = root / "ledger" / host_folder(url) / quote(account, safe="")

    def note(self, run: ReportRun, parameters: Mapping[str, Any]) -> None:
        """Remember a run. Whole or not at all: a torn entry would be a run lost.

        A disk that takes no note does not stop the run: Canvas's own list knows it, too.
        """
        try:
            self._write(run, parameters)
        except (OSError, StoreError) as error:
            _LOG.warning("%s run %s could not be noted on this disk: %s", run.report, run.id, error)

    def _write(self, run: ReportRun, parameters: Mapping[str, Any]) -> None:
        folder = self._folder(run.report)
        make_private(self._root, folder)
        part = folder / f"{run.id}.part"
        facts = {"run_id": run.id, "report": run.report, "parameters": dict(parameters)}
        with open_private(part) as file:
            file.write(json.dumps(facts, default=str).encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / f"{run.id}.json")
        for entry in folder.iterdir():
            # Nobody waits for a month, and what nobody asks for again is never forgotten otherwise.
            if entry.stat().st_mtime < (folder / f"{run.id}.json").stat().st_mtime - _MONTH:
                entry.unlink(missing_ok=True)

    def forget(self, report: str, run_id: int) -> None:
        """A run that is fetched, or will never be, needs no remembering."""
        with suppress(OSError):  # a store that is only to be read serves, too
            (self._folder(report) / f"{run_id}.json").unlink(missing_ok=True)

    def equal(self, report: str, parameters: Mapping[str, Any]) -> list[int]:
        """The remembered runs of equal parameters, newest id first; damaged entries are passed over."""
        wanted, found = comparable(report, parameters), []
        folder = self._folder(report)
        for entry in folder.glob("*.json") if folder.is_dir() else ():
            try:
                facts = json.loads(entry.read_text(encoding="utf-8"))
                if comparable(report, facts["parameters"]) == wanted:
                    found.append(int(facts["run_id"]))
            except (OSError, ValueError, LookupError, TypeError, AttributeError):
                continue
        return sorted(found, reverse=True)

    def _folder(self, report: str) -> Path:
        return self._base / quote(report, safe="")
