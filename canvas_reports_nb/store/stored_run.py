"""One finished run on disk: its files, its sidecar, and its tables as frames."""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canvas_reports_nb import _html, frames
from canvas_reports_nb._disk import disk_name, file_digest, file_state, is_settled, open_private, replace_file
from canvas_reports_nb.catalog.query import key_of
from canvas_reports_nb.exceptions import CanvasReportsError, DamagedFileError, NotStoredError
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.settings import host_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from canvas_reports_nb.frames.gathering import Columns
    from canvas_reports_nb.typing import Engine

_LOG = logging.getLogger(__name__)

SIDECAR = "run.json"
QUARANTINED = ".damaged"
FORMAT = 1
# More rows than any run has, and few enough that the sum over all tables fits in 64 bits.
_TOO_MANY = 2**53
_STILL_ON_CANVAS = "Call again to download it again; the run itself is still on Canvas."


@dataclass(frozen=True, repr=False)
class ReportResult:
    """A finished run on disk: its tables as frames, its file, and where it came from.

    Attributes
    ----------
    folder : Path
        Where the files are. A run that is only in a shared store will be copied to this folder.
    facts : mapping
        The contents of the sidecar.
    asked : mapping, optional
        The question of this call; another one may have started the run.
    kept : dict
        The columns of each table that are still in memory, for the first frame.

    Examples
    --------
    >>> result = canvas.start("unused_courses_csv", enrollment_term_id="current").result()
    >>> result.to_polars().columns[:2]
    ['course id', 'course sis id']
    """

    folder: Path
    facts: Mapping[str, Any]
    asked: Mapping[str, Any] | None = field(default=None, compare=False)
    kept: dict[str, Columns] = field(default_factory=dict, compare=False)

    def __hash__(self) -> int:
        return hash(self.folder)

    def __repr__(self) -> str:
        return f"ReportResult({self.origin.report!r}, run {self.origin.run_id}, tables {self.tables})"

    def _repr_html_(self) -> str:
        rows = [(name, f"{self.provenance_of(name).rows:,}") for name in self.tables]
        return _html.card(
            f"{self.origin.report} · run {self.origin.run_id}",
            _html.facts([("ended", self.origin.ended_at), ("file", self.raw.name)]),
            _html.table(("table", "rows"), rows),
        )

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables, in the order of the file."""
        return tuple(self.facts["tables"])

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(each["provenance"].get("rows") or 0 for each in self.facts["tables"].values())

    def load(
        self, engine: Engine = "pandas", table: str | None = None, columns: Sequence[str] | None = None
    ) -> Any:
        """Return one table as a frame of an engine; ``table`` is optional if the run has only one."""
        path = self.parquet(table)
        with self._damage_explained():
            name = self.choose(table)
            return frames.load(path, self.provenance_of(name), engine, columns, self.kept.pop(name, None))

    def parquet(self, table: str | None = None) -> Path:
        """Return the path of the typed Parquet file of one table."""
        name = self.choose(table)
        self._check_stored()
        return self.path_of(name)

    def to_pandas(self, table: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one table as a pandas DataFrame."""
        frame: pd.DataFrame = self.load("pandas", table, columns)
        return frame

    def to_polars(self, table: str | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return one table as a polars DataFrame."""
        frame: pl.DataFrame = self.load("polars", table, columns)
        return frame

    def to_arrow(self, table: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """Return one table as an Arrow table."""
        return self.load("arrow", table, columns)

    def to_dask(self, table: str | None = None, columns: Sequence[str] | None = None) -> Any:
        """Return one table as a Dask DataFrame; needs the extra ``dask``."""
        return self.load("dask", table, columns)

    def scan(self, table: str | None = None, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """Return one table as a lazy polars frame over the stored Parquet file."""
        path = self.parquet(table)
        with self._damage_explained():
            return frames.scan(path, columns)

    def choose(self, table: str | None) -> str:
        """Return the name of a table; ``table`` is optional if the run has only one."""
        return choose_table(self.tables, table, self.origin.report, self.origin.run_id)

    def _check_stored(self) -> None:
        if not (self.folder / SIDECAR).is_file():
            raise self._removed()

    @contextmanager
    def _damage_explained(self) -> Iterator[None]:
        """Replace the errors of a file that was removed or damaged after it was checked."""
        try:
            yield
        except CanvasReportsError:
            raise
        except FileNotFoundError:
            raise self._removed() from None  # by another process, a moment ago
        except Exception:  # each engine raises errors of its own
            if self.is_intact():
                raise
            raise self._damaged("A stored file was damaged") from None

    def _damaged(self, what: str) -> DamagedFileError:
        self.quarantine()
        return DamagedFileError(f"{what}; it was set aside.", hint=_STILL_ON_CANVAS, **self._where)

    def _removed(self) -> NotStoredError:
        message = "The run is no longer in the store: it was cleared, or removed to make room for newer runs."
        return NotStoredError(message, hint=_STILL_ON_CANVAS, **self._where)

    @property
    def _where(self) -> dict[str, Any]:
        return {"account": self.origin.account, "report": self.origin.report, "run_id": self.origin.run_id}

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Where the run came from: of the table if it has only one, otherwise of the run."""
        return (self.provenance_of(self.tables[0]) if len(self.tables) == 1 else self.origin).to_dict()

    @cached_property
    def origin(self) -> Provenance:
        """The provenance of the whole run."""
        return self._as_asked(Provenance.from_dict(self.facts["provenance"]))

    def provenance_of(self, table: str) -> Provenance:
        """Return the provenance of one table."""
        return self._as_asked(Provenance.from_dict(self.facts["tables"][table]["provenance"]))

    def _as_asked(self, made: Provenance) -> Provenance:
        return made if self.asked is None else made.replace(asked=dict(self.asked))

    @property
    def key(self) -> str:
        """The key of the query this run answers; version 0.1.0 stored none."""
        key: str | None = self.facts.get("key")
        return key_of(self.origin.report or "", self.origin.parameters) if key is None else key

    @property
    def finished_at(self) -> datetime:
        """When the run ended on Canvas; aware, in UTC."""
        text = self.origin.ended_at or self.origin.created_at or self.origin.retrieved_at
        return datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)

    @cached_property
    def path(self) -> Path:
        """The file as Canvas sent it; raises `DamagedFileError` if the stored file has changed."""
        self._check_stored()
        if not self._is_as_stored(self.facts["raw"]) and not self.is_raw_intact():
            raise self._damaged("The stored file differs from what Canvas sent")
        return self.raw

    @property
    def raw(self) -> Path:
        """The path of the file from Canvas, unchecked."""
        return self.folder / str(self.facts["raw"]["file"])

    def path_of(self, table: str) -> Path:
        """Return the path of the Parquet file of a table, unchecked."""
        return self.folder / str(self.facts["tables"][table]["file"])

    @property
    def files(self) -> list[Mapping[str, Any]]:
        """What the sidecar records about each file, the raw one first: ``file``, ``size``, ``sha256``."""
        return [self.facts["raw"], *self.facts["tables"].values()]

    @property
    def size(self) -> int:
        """Bytes on disk; for a run that isn't copied yet, the bytes it will take."""
        return bytes_in(self.folder) if self.is_complete else sum(int(facts["size"]) for facts in self.files)

    @property
    def is_complete(self) -> bool:
        """Whether the sidecar and all files are on this disk; links don't count."""
        needed = [SIDECAR, *(each["file"] for each in self.files)]
        with suppress(OSError), os.scandir(self.folder) as found:
            here = {entry.name for entry in found if entry.is_file(follow_symlinks=False)}
            return not self.folder.is_symlink() and here.issuperset(needed)
        return False

    @property
    def is_as_stored(self) -> bool:
        """Whether no file was written since the run was stored, by its size, time and inode."""
        return self._has_raw_size and all(map(self._is_as_stored, self.facts["tables"].values()))

    def is_intact(self) -> bool:
        """Read every Parquet file; return whether they are unchanged and the raw file has its original size."""
        return self._has_raw_size and all(map(self._is_unchanged, self.facts["tables"].values()))

    def is_raw_intact(self) -> bool:
        """Read the file from Canvas; return whether it is unchanged, byte for byte."""
        return self._is_unchanged(self.facts["raw"])

    @property
    def _has_raw_size(self) -> bool:
        with suppress(OSError):
            return bool(self.raw.stat().st_size == self.facts["raw"].get("size"))
        return False

    def _is_as_stored(self, recorded: Mapping[str, Any]) -> bool:
        with suppress(OSError):
            state = file_state(self.folder / recorded["file"])
            noted_ns = (self.folder / SIDECAR).stat().st_mtime_ns
            return state.items() <= recorded.items() and is_settled(state, noted_ns)
        return False

    def _is_unchanged(self, recorded: Mapping[str, Any]) -> bool:
        path = self.folder / recorded["file"]
        with suppress(OSError):
            expected = (recorded.get("size"), recorded.get("sha256"))
            return (path.stat().st_size, file_digest(path)) == expected
        return False

    def noted_again(self) -> dict[str, Any]:
        """Return the contents of the sidecar with the size, time and inode of each Parquet file as they are now."""
        tables = self.facts["tables"].items()
        now = {name: {**recorded, **file_state(self.path_of(name))} for name, recorded in tables}
        return {**self.facts, "tables": now}

    def is_same_run(self, other: ReportResult) -> bool:
        """Whether both are one run of Canvas: a run id may start again with other parameters."""
        mine, theirs = self.origin, other.origin
        return (self.folder, mine.created_at, mine.parameters) == (
            other.folder,
            theirs.created_at,
            theirs.parameters,
        )

    def quarantine(self) -> Path:
        """Move a damaged run aside so that it can be inspected, and return its new folder."""
        aside = self.folder.with_name(f"{self.folder.name}{QUARANTINED}")
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(OSError):  # Another process may have moved it first.
            self.folder.rename(aside)
        _LOG.warning("Run %s in the store was damaged; it was moved to %s.", self.folder.name, aside)
        return aside


def run_names(folder: Path) -> list[str]:
    """Return the names of the folders of runs, complete or not, in the folder of a report."""
    try:
        return sorted(filter(str.isdigit, os.listdir(folder)))  # noqa: PTH208 - twice as fast for many runs
    except (FileNotFoundError, NotADirectoryError):
        return []


def runs_in(folder: Path) -> Iterator[ReportResult]:
    """Yield the complete runs in the folder of a report."""
    yield from filter(None, (read_run(folder / name) for name in run_names(folder)))


def bytes_in(folder: Path) -> int:
    """Return the size of all files in a folder; 0 if another process is removing it."""
    with suppress(OSError), os.scandir(folder) as found:
        return sum(entry.stat().st_size for entry in found)
    return 0


def sidecar_text(facts: Mapping[str, Any]) -> str:
    """Return the text of the sidecar with these facts."""
    return json.dumps({"format": FORMAT, **facts}, ensure_ascii=False, indent=1)


def write_sidecar(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the sidecar in one step, so that it is never seen half-written."""
    part = folder / f"{SIDECAR}.part"
    with open_private(part) as file:
        file.write(sidecar_text(facts).encode())
        file.flush()
        os.fsync(file.fileno())
    replace_file(part, folder / SIDECAR)


def read_run(folder: Path) -> ReportResult | None:
    """Return the complete run in a folder; ``None`` if the sidecar is missing, damaged or foreign."""
    try:
        run = parse_run(folder, (folder / SIDECAR).read_bytes())
    except (OSError, ValueError):
        return None
    return run if run is not None and run.is_complete else None


def parse_run(folder: Path, text: bytes) -> ReportResult | None:
    """Return the run that a sidecar describes without looking at its files; ``None`` if it is not valid."""
    try:
        run = ReportResult(folder, json.loads(text.decode()))
        if rb"\u" in text:
            # Half a surrogate pair is valid JSON, but no list of runs could show it.
            json.dumps(run.facts, ensure_ascii=False).encode()
        return run if _is_valid(run) else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return None  # A foreign file can have any shape.


def _is_valid(run: ReportResult) -> bool:
    tables = [run.provenance_of(table) for table in run.tables]
    return (
        run.facts["format"] == FORMAT
        and _is_in_its_folder(run)
        and run.finished_at.tzinfo is not None
        and all(Path(each["file"]).name == each["file"] for each in run.files)
        and all(map(_has_valid_types, [run.origin, *tables]))
        and all(isinstance(each.rows, int) for each in tables)
        and isinstance(run.key, str)
    )


def _is_in_its_folder(run: ReportResult) -> bool:
    """Whether a sidecar is about the run that its folder is named after."""
    made = run.origin
    names = (
        host_folder(f"//{made.host}"),
        disk_name(f"{made.account}"),
        disk_name(f"{made.report}"),
        f"{made.run_id}",
    )
    return run.folder.parts[-len(names) :] == names


def _has_valid_types(origin: Provenance) -> bool:
    """Return whether the values that a list of runs shows have the types of its columns."""
    texts = (origin.host, origin.account, origin.report, origin.created_at, origin.ended_at)
    counts = ((origin.run_id, 2**63), (origin.rows, _TOO_MANY))
    return all(isinstance(text, str | None) for text in (*texts, origin.retrieved_at)) and all(
        count is None or (isinstance(count, int) and abs(count) < bound) for count, bound in counts
    )
