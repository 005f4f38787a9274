"""Value objects: what Canvas says, parsed once, kept frozen.

Unknown fields stay in ``raw``; fields an old server does not send are ``None``
(``run_time``, ``message`` and ``user`` came later than the rest of the API).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, Self

from canvas_reports_nb import _html
from canvas_reports_nb.canvas_api.redaction import without_query
from canvas_reports_nb.exceptions import UnexpectedAnswerError


class RunStatus(StrEnum):
    """The seven states of a run. A server may send others; they count as still going."""

    CREATED = "created"
    RUNNING = "running"
    COMPILING = "compiling"
    COMPLETE = "complete"
    ERROR = "error"
    ABORTED = "aborted"
    DELETED = "deleted"


_ENDED = frozenset({RunStatus.COMPLETE, RunStatus.ERROR, RunStatus.ABORTED, RunStatus.DELETED})
# Ids, sizes and counts are 64-bit; JSON knows no bound, a frame's column does.
_TOO_LARGE = 2**63


def parse_time(text: object) -> datetime | None:
    """An ISO 8601 time of the API as an aware UTC datetime; anything else is ``None``."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _int(value: object) -> int | None:
    """Ids come as numbers, or as text where the client asked for string ids."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        number = int(value)
    except ValueError:
        return None
    return number if abs(number) < _TOO_LARGE else None


def _float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class Attachment:
    """The file of a finished run.

    ``url`` may hold a key and is therefore in no ``repr``.
    """

    id: int
    filename: str
    url: str = field(repr=False)
    size: int | None = None
    content_type: str | None = None

    @classmethod
    def from_api(cls, data: object) -> Self | None:
        """Read the ``attachment`` of a run; ``None`` until there is one."""
        if not isinstance(data, Mapping):
            return None
        return cls(
            id=_int(data.get("id")) or 0,
            filename=str(data.get("filename") or data.get("display_name") or "report"),
            url=str(data.get("url") or ""),
            size=_int(data.get("size")),
            content_type=data.get("content-type"),
        )


@dataclass(frozen=True, slots=True)
class ReportRun:
    """One execution of a report, as Canvas last told it.

    Attributes
    ----------
    status : str
        One of `RunStatus`, or a word this version does not know.
    progress : int or None
        0 to 100, and 100 after an error or abort too: read ``status``.
    current_line : int or None
        Rows written so far, the header included.
    created_at, started_at, ended_at : datetime or None
        Aware, UTC.
    run_time : float or None
        Seconds; missing on old servers.
    """

    id: int
    report: str
    status: str
    progress: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    current_line: int | None = None
    run_time: float | None = None
    message: str | None = None
    file_url: str | None = field(default=None, repr=False)
    attachment: Attachment | None = None
    raw: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False, compare=False)

    @classmethod
    def from_api(cls, data: object) -> Self:
        """Read the Report object of the API.

        Raises
        ------
        UnexpectedAnswerError
            Not an object, or one without an id and a status.
        """
        if not isinstance(data, Mapping):
            raise UnexpectedAnswerError(f"Canvas sent {type(data).__name__} where a run was expected.")
        run_id, status = _int(data.get("id")), data.get("status")
        if run_id is None or not isinstance(status, str):
            raise UnexpectedAnswerError("Canvas sent a run without an id or a status.")
        parameters = data.get("parameters")
        return cls(
            id=run_id,
            report=str(data.get("report") or ""),
            status=status,
            progress=_int(data.get("progress")),
            parameters=MappingProxyType(dict(parameters) if isinstance(parameters, Mapping) else {}),
            created_at=parse_time(data.get("created_at")),
            started_at=parse_time(data.get("started_at")),
            ended_at=parse_time(data.get("ended_at")),
            current_line=_int(data.get("current_line")),
            run_time=_float(data.get("run_time")),
            message=data.get("message"),
            file_url=data.get("file_url"),
            attachment=Attachment.from_api(data.get("attachment")),
            raw=MappingProxyType(dict(data)),
        )

    @property
    def is_ended(self) -> bool:
        """Whether the run has ended, well or not; an unknown status has not."""
        return self.status in _ENDED

    @property
    def is_complete(self) -> bool:
        """Whether the run ended with a file."""
        return self.status == RunStatus.COMPLETE

    @property
    def reason(self) -> str:
        """Why the run ended, in the server's words."""
        # The message says only that it failed; the cause stands in the text the server adds.
        said = (self.message, self.parameters.get("extra_text"))
        return " ".join(str(text).strip() for text in said if text) or "Canvas gives no reason."

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickle may lie on a disk: the keys that old servers put in links stay out of it.
        facts = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "raw"}
        facts["parameters"] = dict(self.parameters)
        facts["file_url"] = self.file_url and without_query(self.file_url)
        facts["attachment"] = self.attachment and replace(
            self.attachment, url=without_query(self.attachment.url)
        )
        return partial(type(self), **facts), ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.report!r}, run {self.id}, {self.status})"

    def _repr_html_(self) -> str:
        return _html.card(
            f"{self.report} · run {self.id}",
            _html.facts(
                [
                    ("status", self.status),
                    ("progress", None if self.progress is None else f"{self.progress} %"),
                    ("rows so far", self.current_line),
                    ("created", self.created_at),
                    ("started", self.started_at),
                    ("ended", self.ended_at),
                    ("message", self.message),
                ]
            ),
        )


@dataclass(frozen=True, slots=True)
class ReportParameter:
    """A parameter as the server lists it: no type, no default, no choices."""

    name: str
    required: bool = False
    description: str | None = None


@dataclass(frozen=True, slots=True)
class AvailableReport:
    """A report this account offers.

    Attributes
    ----------
    parameters : mapping of str to ReportParameter
        Empty where the report declares none.
    columns : mapping of str to tuple of str
        Table name to its column names, from the package's own schemas; empty for a report
        they don't know.
    description_html, parameters_html : str or None
        The server's own HTML, raw: show it only sanitised.
    """

    report: str
    title: str
    parameters: Mapping[str, ReportParameter] = field(default_factory=lambda: MappingProxyType({}))
    last_run: ReportRun | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    description_html: str | None = field(default=None, repr=False)
    parameters_html: str | None = field(default=None, repr=False)

    @classmethod
    def from_api(cls, data: object, columns: Mapping[str, tuple[str, ...]] | None = None) -> Self:
        """Read one item of the list of reports.

        Raises
        ------
        UnexpectedAnswerError
            Not an object, or one without a name.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("report"), str):
            raise UnexpectedAnswerError("Canvas sent a list of reports with an item that names no report.")
        declared = data.get("parameters")
        last_run = data.get("last_run")
        return cls(
            report=data["report"],
            title=str(data.get("title") or data["report"]),
            parameters=MappingProxyType(
                {
                    str(name): ReportParameter(
                        str(name), bool(facts.get("required")), facts.get("description")
                    )
                    if isinstance(facts, Mapping)
                    else ReportParameter(str(name))
                    for name, facts in (declared.items() if isinstance(declared, Mapping) else ())
                }
            ),
            last_run=ReportRun.from_api(last_run) if isinstance(last_run, Mapping) else None,
            columns=MappingProxyType(dict(columns or {})),
            description_html=data.get("description_html"),
            parameters_html=data.get("parameters_html"),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.report!r}, {len(self.parameters)} parameters)"

    def _repr_html_(self) -> str:
        parameters = [
            (p.name, "yes" if p.required else "", p.description or "") for p in self.parameters.values()
        ]
        tables = [
            _html.fold(f"{name}: {len(columns)} columns", ", ".join(columns))
            for name, columns in self.columns.items()
        ]
        return _html.card(
            f"{self.title} · {self.report}",
            _html.table(("parameter", "required", "description"), parameters) if parameters else "",
            *tables,
        )
