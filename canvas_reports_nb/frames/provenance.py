"""Where a table came from: the note that stays with a frame and with a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from canvas_reports_nb.settings import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Key in ``DataFrame.attrs``. Not the one of a table's origin: a list of runs is no table of a run.
HISTORY_KEY = "canvas_history"
ATTRS_KEY = "canvas_report"
"""Key in ``DataFrame.attrs`` and in the metadata of a Parquet file."""
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a table came from.

    Attributes
    ----------
    host, account : str or None
        The Canvas and the account, as the caller spelled it; ``None`` for a file read by hand.
    report, table : str or None
        ``None`` where the header fits several reports.
    run_id : int or None
    parameters : dict
        As Canvas stored them; what the server adds is left out.
    created_at, started_at, ended_at, retrieved_at : str or None
        ISO 8601, UTC.
    rows : int or None
        Data rows of the table.
    sha256 : str or None
        Of the file as Canvas sent it.
    zone : list of str
        UTC offsets met in the file's times, before they became UTC.
    encoding : str or None
    notes : dict
        Column to what happened to it (kept as text and why), and remarks on the whole file under ``"file"``.
    """

    host: str | None = None
    account: str | None = None
    report: str | None = None
    table: str | None = None
    run_id: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    created_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    retrieved_at: str | None = None
    source: str | None = None
    rows: int | None = None
    sha256: str | None = None
    zone: list[str] = field(default_factory=list)
    encoding: str | None = None
    notes: dict[str, str] = field(default_factory=dict)
    package_version: str = __version__
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote; keys of a later version are left out."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in data.items() if name in known})

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe: numbers, texts, lists, dicts, ``None``."""
        return asdict(self)

    def replace(self, **changes: Any) -> Self:
        """The same origin with one table's own facts."""
        return replace(self, **changes)
