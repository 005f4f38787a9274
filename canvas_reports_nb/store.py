"""Finished runs on this disk: what Canvas sent, byte for byte, the typed Parquet beside it, and a sidecar.

::

    <root>/runs/<host>/<account>/<report>/<run id>/
        raw.csv | raw.zip       as it came
        <table>.parquet         derived
        run.json                the sidecar, written last: a folder without it does not exist

Folders are 0700, files 0600.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pandas as pd
from filelock import FileLock

from canvas_reports_nb import _html
from canvas_reports_nb.exceptions import StoreError
from canvas_reports_nb.models import Provenance
from canvas_reports_nb.parameters import comparable
from canvas_reports_nb.settings import host_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from canvas_reports_nb.typing import Age

__all__ = ["Store", "StoredRun", "seconds"]

_SIDECAR = "run.json"
_FORMAT = 1


def seconds(age: Age) -> float:
    """An age in seconds."""
    return age.total_seconds() if isinstance(age, timedelta) else float(age)


@dataclass(frozen=True)
class StoredRun:
    """One finished run on this disk.

    Attributes
    ----------
    folder : Path
    facts : mapping
        The sidecar.
    """

    folder: Path
    facts: Mapping[str, Any]

    @cached_property
    def provenance(self) -> Provenance:
        """Where the run came from."""
        return Provenance.from_dict(self.facts["provenance"])

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables, in the file's order."""
        return tuple(self.facts["tables"])

    @property
    def raw(self) -> Path:
        """The file as Canvas sent it."""
        return self.folder / str(self.facts["raw"]["file"])

    @property
    def finished_at(self) -> datetime:
        """When the run ended on Canvas; aware, UTC."""
        made = self.provenance
        text = made.ended_at or made.created_at or made.retrieved_at
        return datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)

    def path_of(self, table: str) -> Path:
        """The Parquet file of a table."""
        return self.folder / str(self.facts["tables"][table]["file"])

    def provenance_of(self, table: str) -> Provenance:
        """Where a table came from."""
        return Provenance.from_dict(self.facts["tables"][table]["provenance"])

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.folder.iterdir())


class Store:
    """The finished runs on this disk.

    Parameters
    ----------
    path : path
        The root folder; made on first use.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def _repr_html_(self) -> str:
        runs = list(self.runs())
        total = sum(run.size for run in runs)
        return _html.card(
            "Store",
            _html.facts([("path", self.path), ("runs", len(runs)), ("size", f"{total / 1e6:,.1f} MB")]),
        )

    def folder(self, url: str, account: str, report: str, run_id: int | None = None) -> Path:
        """Where the runs of a report, or one of them, are kept."""
        base = self.path / "runs" / host_folder(url) / quote(account, safe="") / quote(report, safe="")
        return base if run_id is None else base / str(run_id)

    def find(self, url: str, account: str, report: str, run_id: int) -> StoredRun | None:
        """A run by its id, or ``None``."""
        return _load(self.folder(url, account, report, run_id))

    def equal(self, url: str, account: str, report: str, parameters: Mapping[str, Any]) -> list[StoredRun]:
        """Stored runs of equal parameters, newest first."""
        wanted = comparable(report, parameters)
        found = [
            run
            for run in _runs_in(self.folder(url, account, report))
            if comparable(report, run.provenance.parameters) == wanted
        ]
        return sorted(found, key=lambda run: run.finished_at, reverse=True)

    def runs(self, report: str | None = None) -> Iterator[StoredRun]:
        """All stored runs, of one report if it is named."""
        root = self.path / "runs"
        for folder in sorted(root.glob("*/*/*")) if root.is_dir() else ():
            if report is None or unquote(folder.name) == report:
                yield from _runs_in(folder)

    @contextmanager
    def lock(self, url: str, account: str, report: str, run_id: int) -> Iterator[Path]:
        """The folder of a run, for one writer at a time, on this machine."""
        folder = self.folder(url, account, report, run_id)
        _make_private(self.path, folder)
        with FileLock(folder.parent / f".{run_id}.lock", mode=0o600):
            # Another process may have cleared the store while this one waited for its turn.
            _make_private(self.path, folder)
            yield folder

    def seal(self, folder: Path, facts: Mapping[str, Any]) -> StoredRun:
        """Write the sidecar, last and at once; from now on the run exists."""
        part = folder / f"{_SIDECAR}.part"
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump({"format": _FORMAT, **facts}, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / _SIDECAR)
        sealed = _load(folder)
        if sealed is None:
            raise StoreError(f"The store at {self.path} lost a run while it was written.", hint="Call again.")
        return sealed

    def info(self) -> pd.DataFrame:
        """What is kept: one row a run.

        Returns
        -------
        DataFrame
            ``report``, ``run_id`` (Int64), ``host``, ``account``, ``tables``, ``rows`` (Int64), ``bytes``
            (Int64), ``finished_at`` (UTC), ``age``, ``parameters``.
        """
        now = datetime.now(UTC)
        rows = [
            {
                "report": run.provenance.report,
                "run_id": run.provenance.run_id,
                "host": run.provenance.host,
                "account": run.provenance.account,
                "tables": ", ".join(run.tables),
                "rows": sum(table["provenance"]["rows"] for table in run.facts["tables"].values()),
                "bytes": run.size,
                "finished_at": pd.Timestamp(run.finished_at),
                "age": pd.Timedelta(now - run.finished_at),
                "parameters": run.provenance.parameters,
            }
            for run in self.runs()
        ]
        columns = [
            "report",
            "run_id",
            "host",
            "account",
            "tables",
            "rows",
            "bytes",
            "finished_at",
            "age",
            "parameters",
        ]
        types = dict.fromkeys(("report", "host", "account", "tables"), "str")
        types |= dict.fromkeys(("run_id", "rows", "bytes"), "Int64")
        types |= {"finished_at": "datetime64[us, UTC]", "age": "timedelta64[us]"}
        return pd.DataFrame(rows, columns=columns).astype(types)

    def clear(self, report: str | None = None, older_than: Age | None = None) -> int:
        """Remove stored runs.

        Parameters
        ----------
        report : str, optional
            Only of this report.
        older_than : float or timedelta, optional
            Only runs that ended longer ago than this (seconds).

        Returns
        -------
        int
            How many runs were removed.
        """
        limit = None if older_than is None else datetime.now(UTC) - timedelta(seconds=seconds(older_than))
        removed = 0
        for run in list(self.runs(report)):
            if limit is None or run.finished_at < limit:
                # The sidecar goes first: a half-removed folder then does not exist.
                (run.folder / _SIDECAR).unlink(missing_ok=True)
                shutil.rmtree(run.folder, ignore_errors=True)
                removed += 1
        return removed


def _runs_in(folder: Path) -> Iterator[StoredRun]:
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            run = _load(entry) if entry.name.isdigit() else None
            if run is not None:
                yield run


def _load(folder: Path) -> StoredRun | None:
    """The run in a folder; a missing, damaged or foreign sidecar means there is none."""
    try:
        facts = json.loads((folder / _SIDECAR).read_text(encoding="utf-8"))
        run = StoredRun(folder, facts)
        names = [facts["raw"]["file"], *(table["file"] for table in facts["tables"].values())]
        inside = all(Path(name).name == name and (folder / name).is_file() for name in names)
        told = all(isinstance(run.provenance_of(table).rows, int) for table in run.tables)
        known = facts["format"] == _FORMAT and run.finished_at.tzinfo is not None
        comparable(run.provenance.report or "", run.provenance.parameters)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        # Whatever shape a foreign file has, it is no run of ours.
        return None
    return run if inside and told and known else None


def _make_private(root: Path, folder: Path) -> None:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        step = root
        for part in folder.relative_to(root).parts:
            step /= part
            step.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The store at {root} can't be written: {error.strerror}.",
            hint="Name another folder with CANVAS_REPORTS_CACHE or store=.",
        ) from None
