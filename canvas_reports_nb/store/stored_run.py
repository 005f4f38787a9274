"""One finished run in the store: its folder, its sidecar, whether both are still what they were."""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canvas_reports_nb import _html, frames
from canvas_reports_nb._disk import file_facts
from canvas_reports_nb.catalog.parameters import comparable
from canvas_reports_nb.exceptions import DamagedFileError, NotStoredError
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.frames.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from canvas_reports_nb.typing import Engine

_LOG = logging.getLogger(__name__)

SIDECAR = "run.json"
ASIDE = ".damaged"
FORMAT = 1
# More rows than any run has, and few enough that the sum over its tables is a 64-bit number, too.
_TOO_MANY = 2**53


@dataclass(frozen=True)
class StoredRun:
    """One finished run.

    Attributes
    ----------
    folder : Path
        Where its files are; of a run known from a shared store, where they will be once it is fetched.
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
    def files(self) -> list[Mapping[str, Any]]:
        """What the sidecar holds of each file, the raw one first: ``file``, ``size``, ``sha256``."""
        return [self.facts["raw"], *self.facts["tables"].values()]

    @property
    def is_sealed(self) -> bool:
        """Whether the run exists on this disk; its files may be damaged."""
        return (self.folder / SIDECAR).is_file()

    @property
    def is_here(self) -> bool:
        """Whether the run is on this disk."""
        files = [self.folder / SIDECAR, *(self.folder / each["file"] for each in self.files)]
        # Whatever a link leads to, it is not what was written here.
        return not self.folder.is_symlink() and all(
            file.is_file() and not file.is_symlink() for file in files
        )

    @property
    def size(self) -> int:
        """Bytes on disk; of a run that is not here yet, those it will take."""
        if not self.is_here:
            return sum(int(facts["size"]) for facts in self.files)
        return sum(file.stat().st_size for file in self.folder.iterdir())

    def is_raw_sound(self) -> bool:
        """Whether the file from Canvas still is, byte for byte, what was stored."""
        try:
            return bool(file_facts(self.raw).items() <= self.facts["raw"].items())
        except OSError:
            return False

    def quarantine(self) -> Path:
        """Take a damaged run out of the store, for somebody to look at; give its new folder."""
        aside = self.folder.with_name(f"{self.folder.name}{ASIDE}")
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(OSError):  # another process may have set it aside first
            self.folder.rename(aside)
        _LOG.warning("run %s in the store is damaged; set aside as %s", self.folder.name, aside)
        return aside

    def is_sound(self) -> bool:
        """Whether every typed file still is, byte for byte, what was sealed, and the raw one as long."""
        try:
            typed = all(
                file_facts(self.path_of(name)).items() <= self.facts["tables"][name].items()
                for name in self.tables
            )
            return typed and self.raw.stat().st_size == self.facts["raw"]["size"]
        except OSError:
            return False


def runs_in(folder: Path) -> Iterator[StoredRun]:
    """The runs in the folder of a report."""
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            run = load(entry) if entry.name.isdigit() else None
            if run is not None:
                yield run


def sidecar(facts: Mapping[str, Any]) -> str:
    """The text of the sidecar that holds these facts."""
    return json.dumps({"format": FORMAT, **facts}, ensure_ascii=False, indent=1)


def load(folder: Path) -> StoredRun | None:
    """The run in a folder; a missing, damaged or foreign sidecar means there is none."""
    try:
        run = parse(folder, (folder / SIDECAR).read_bytes())
    except (OSError, ValueError):
        return None
    return run if run is not None and run.is_here else None


def parse(folder: Path, text: bytes) -> StoredRun | None:
    """The run a sidecar tells of, its files not looked for; ``None`` where it tells of none."""
    try:
        facts = json.loads(text.decode())
        run = StoredRun(folder, facts)
        inside = all(Path(each["file"]).name == each["file"] for each in run.files)
        made = [run.provenance, *(run.provenance_of(table) for table in run.tables)]
        told = all(map(_is_told, made)) and all(isinstance(each.rows, int) for each in made[1:])
        known = facts["format"] == FORMAT and run.finished_at.tzinfo is not None
        comparable(run.provenance.report or "", run.provenance.parameters)
        # Half a surrogate pair is good JSON and no text: it would break the first list it stands in.
        json.dumps(facts, ensure_ascii=False).encode()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        # Whatever shape a foreign file has, it is no run of ours.
        return None
    return run if inside and told and known else None


def _is_told(made: Provenance) -> bool:
    """Whether what a list of runs shows has the types its columns need."""
    texts = (made.host, made.account, made.report, made.created_at, made.ended_at, made.retrieved_at)
    counts = ((made.run_id, 2**63), (made.rows, _TOO_MANY))
    return all(text is None or isinstance(text, str) for text in texts) and all(
        count is None or (isinstance(count, int) and abs(count) < bound) for count, bound in counts
    )


_KEPT = "Call again; the run itself is kept on Canvas."


class ReportResult:
    """The finished run: its tables as frames, its file, where it came from.

    Attributes
    ----------
    tables : tuple of str
    provenance : dict
        Of the run, or of its table where it has one; the frames carry their own.
    """

    def __init__(self, stored: StoredRun) -> None:
        self._stored = stored
        self.tables = stored.tables
        whole = stored.provenance_of(stored.tables[0]) if len(stored.tables) == 1 else stored.provenance
        self.provenance = whole.to_dict()

    @cached_property
    def path(self) -> Path:
        """The file as Canvas sent it; a `DamagedFileError` where the stored one is no longer that."""
        if not self._kept.is_raw_sound():
            self._stored.quarantine()
            error = DamagedFileError("The stored file is not what Canvas sent; it was set aside.", hint=_KEPT)
            made = self._stored.provenance
            error.located(account=made.account, report=made.report, run_id=made.run_id)
            raise error
        return self._stored.raw

    def __repr__(self) -> str:
        return f"ReportResult({self.provenance['report']!r}, run {self.provenance['run_id']}, tables {self.tables})"

    def _repr_html_(self) -> str:
        rows = [(name, f"{self._stored.provenance_of(name).rows:,}") for name in self.tables]
        return _html.card(
            f"{self.provenance['report']} · run {self.provenance['run_id']}",
            _html.facts([("ended", self.provenance["ended_at"]), ("file", self._stored.raw.name)]),
            _html.table(("table", "rows"), rows),
        )

    def load(
        self, engine: Engine = "pandas", table: str | None = None, columns: Sequence[str] | None = None
    ) -> Any:
        """One table as a frame of an engine; ``table`` may be left out where there is one."""
        name = self._choose(table)
        return frames.load(self._kept.path_of(name), self._stored.provenance_of(name), engine, columns)

    def parquet(self, table: str | None = None) -> Path:
        """The typed Parquet file of one table."""
        return self._kept.path_of(self._choose(table))

    def to_pandas(self, table: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One table as pandas."""
        frame: pd.DataFrame = self.load("pandas", table, columns)
        return frame

    def to_polars(self, table: str | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """One table as polars."""
        frame: pl.DataFrame = self.load("polars", table, columns)
        return frame

    def to_arrow(self, table: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """One table as Arrow."""
        return self.load("arrow", table, columns)

    def to_dask(self, table: str | None = None, columns: Sequence[str] | None = None) -> Any:
        """One table as Dask; needs the extra ``dask``."""
        return self.load("dask", table, columns)

    def scan(self, table: str | None = None, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """One table as a lazy polars frame over the stored Parquet."""
        return frames.scan(self.parquet(table), columns)

    @property
    def _kept(self) -> StoredRun:
        """The run, if the store still has it."""
        if not self._stored.is_sealed:
            made = self._stored.provenance
            raise NotStoredError(
                "The run is no longer in the store: it was cleared, or gave way to newer ones.",
                hint=_KEPT,
                account=made.account,
                report=made.report,
                run_id=made.run_id,
            )
        return self._stored

    def _choose(self, table: str | None) -> str:
        return choose_table(self.tables, table, self.provenance["report"], self.provenance["run_id"])
