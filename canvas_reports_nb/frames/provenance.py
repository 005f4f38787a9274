"""Where a table came from: the record that stays with a frame and with a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from canvas_reports_nb.settings import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Key of a table's origin in ``DataFrame.attrs`` and in the metadata of a Parquet file.
ATTRS_KEY = "canvas_report"
#: Key in ``DataFrame.attrs`` of a list of runs, which is not a table of a run.
HISTORY_KEY = "canvas_history"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a table came from.

    Attributes
    ----------
    host, account : str or None
        The Canvas, and the account as the caller spelled it; ``None`` for a file read by hand.
    report, table : str or None
        ``None`` if several reports have the same header.
    parameters : dict
        As Canvas stored them, without what the server adds.
    asked : dict or None
        The question of the call, such as the term ``current``; ``None`` if the run was downloaded by its id.
    created_at, started_at, ended_at, retrieved_at : str or None
        ISO 8601, UTC.
    source : str or None
        The name of the file.
    rows : int or None
        Data rows of the table.
    sha256 : str or None
        The checksum of the file as Canvas sent it.
    zone : list of str
        UTC offsets in the file's times, before they became UTC.
    time_zone : str or None
        The account's time zone, such as ``America/Denver``, if Canvas gave it.
    notes : dict
        Column to what happened to it (kept as text and why); remarks on the whole file under ``"file"``.
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
    time_zone: str | None = None
    encoding: str | None = None
    notes: dict[str, str] = field(default_factory=dict)
    asked: dict[str, Any] | None = None
    package_version: str = __version__
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote, without the keys of later versions."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in data.items() if name in known})

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return asdict(self)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some values changed."""
        return replace(self, **changes)
