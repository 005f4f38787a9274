"""Frozen objects for the runs and reports that Canvas describes.

``raw`` keeps unknown fields. Fields that an older server does not send are ``None``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, Self
from zoneinfo import ZoneInfo, available_timezones

from canvas_reports_nb import _html
from canvas_reports_nb.canvas_api.redaction import without_query
from canvas_reports_nb.catalog.parameters import expected_tables
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import UnexpectedAnswerError, printable


class RunStatus(StrEnum):
    """The seven states of a run. A run in an unknown state counts as still running."""

    CREATED = "created"
    RUNNING = "running"
    COMPILING = "compiling"
    COMPLETE = "complete"
    ERROR = "error"
    ABORTED = "aborted"
    DELETED = "deleted"


_IN_FORM = re.compile(r"""name=["']parameters\[([^\]"']+)\]""")
_ENDED = frozenset({RunStatus.COMPLETE, RunStatus.ERROR, RunStatus.ABORTED, RunStatus.DELETED})
_HEADER_AND_ONE = 2
_TOO_LARGE = 2**63  # JSON allows larger numbers, but a frame's integer column does not


# Names that older servers use; the others are those of a city, as in Europe/London.
_ZONES = {
    "Hawaii": "Pacific/Honolulu",
    "Alaska": "America/Juneau",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Arizona": "America/Phoenix",
    "Mountain Time (US & Canada)": "America/Denver",
    "Central Time (US & Canada)": "America/Chicago",
    "Saskatchewan": "America/Regina",
    "Eastern Time (US & Canada)": "America/New_York",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "Atlantic Time (Canada)": "America/Halifax",
    "Newfoundland": "America/St_Johns",
}


def parse_zone(name: object) -> str | None:
    """Return the name of a time zone as the IANA has it; ``None`` for anything else."""
    if not isinstance(name, str) or not name:
        return None
    with suppress(KeyError, ValueError, OSError):
        return ZoneInfo(_ZONES.get(name, name)).key
    city = name.replace(" ", "_")
    return next((zone for zone in sorted(available_timezones()) if zone.rpartition("/")[2] == city), None)


def parse_time(text: object) -> datetime | None:
    """Return an ISO 8601 time as an aware UTC datetime; ``None`` for anything else."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _int(value: object) -> int | None:
    """Return a number, which may come as text, as an integer; ``None`` for anything else."""
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


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Attachment:
    """The file of a finished run. Its ``repr`` leaves out ``url``, which may contain a key."""

    id: int
    filename: str
    url: str = field(repr=False)
    size: int | None = None
    content_type: str | None = None

    @classmethod
    def from_api(cls, data: object) -> Self | None:
        """Read the ``attachment`` of a run; ``None`` if it has no file yet."""
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
    """One execution of a report, as Canvas last described it.

    Attributes
    ----------
    status : str
        One of `RunStatus`, or a state this version does not know.
    progress : int or None
        0 to 100. It is also 100 after an error or abort, so check ``status``.
    current_line : int or None
        Lines written so far, the header included; of several files, those of the last one.
    created_at, started_at, ended_at : datetime or None
        Aware datetimes in UTC.
    run_time : float or None
        Seconds; ``None`` on older servers.
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
        """Read a Report object of the API; raise UnexpectedAnswerError if it has no id or status."""
        if not isinstance(data, Mapping):
            raise UnexpectedAnswerError(f"Canvas sent {type(data).__name__} instead of a run.")
        run_id, status = _int(data.get("id")), data.get("status")
        if run_id is None or not isinstance(status, str):
            raise UnexpectedAnswerError("Canvas sent a run without an id or a status.")
        return cls(
            id=run_id,
            report=str(data.get("report") or ""),
            status=status,
            progress=_int(data.get("progress")),
            parameters=MappingProxyType(dict(_mapping(data.get("parameters")))),
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
        """Whether the run has ended, with or without a file."""
        return self.status in _ENDED

    @property
    def is_complete(self) -> bool:
        """Whether the run ended with a file."""
        return self.status == RunStatus.COMPLETE

    @property
    def rows(self) -> int | None:
        """The rows of a finished run without the header; ``None`` if Canvas does not count them all."""
        tables = expected_tables(self.report, self.parameters)
        is_one_csv = (
            self.attachment.filename.lower().endswith(".csv") if self.attachment else len(tables or ()) == 1
        )
        if not (self.is_complete and is_one_csv and self.current_line):
            return None
        known = schema(self.report)
        # A file without results has one line below its header, too, which is a message.
        may_be_message = any(table.one_cell_results for table in known.tables.values()) if known else False
        return None if may_be_message and self.current_line == _HEADER_AND_ONE else self.current_line - 1

    @property
    def reason(self) -> str:
        """Why the run ended, in the server's words."""
        # The message reports only the failure; the server adds its cause to the parameters.
        texts = (self.message, self.parameters.get("extra_text"))
        return " ".join(str(text).strip() for text in texts if text) or "Canvas gave no reason."

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickle may be saved to disk, so it must not contain the keys that older servers put in links.
        state = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "raw"}
        state["parameters"] = dict(self.parameters)
        if self.file_url:
            state["file_url"] = without_query(self.file_url)
        if self.attachment:
            state["attachment"] = replace(self.attachment, url=without_query(self.attachment.url))
        return partial(type(self), **state), ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.report!r}, run {self.id}, {printable(self.status)})".replace(
            "\n", " "
        )

    def _repr_html_(self) -> str:
        return _html.card(
            f"{self.report} · run {self.id}",
            _html.facts(
                [
                    ("status", self.status),
                    ("progress", None if self.progress is None else f"{self.progress} %"),
                    (
                        "rows" if self.is_ended else "lines so far",
                        self.rows if self.is_ended else self.current_line,
                    ),
                    ("created", self.created_at),
                    ("started", self.started_at),
                    ("ended", self.ended_at),
                    ("message", self.message),
                ]
            ),
        )


@dataclass(frozen=True, slots=True)
class ReportParameter:
    """A parameter as the server lists it, without type, default or choices."""

    name: str
    required: bool = False
    description: str | None = None


@dataclass(frozen=True, slots=True)
class AvailableReport:
    """A report this account offers.

    Attributes
    ----------
    parameters : mapping of str to ReportParameter
        Empty if the report takes no parameters.
    columns : mapping of str to tuple of str
        The column names of each table, from this package's catalog; empty for an unknown report.
    description_html, parameters_html : str or None
        The server's HTML, which must be sanitized before it is shown.
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
        """Read an item of the list of reports; raise UnexpectedAnswerError if it has no name."""
        if not isinstance(data, Mapping) or not isinstance(data.get("report"), str):
            raise UnexpectedAnswerError("Canvas sent a list of reports in which one has no name.")
        try:
            last_run = ReportRun.from_api(data.get("last_run"))
        except UnexpectedAnswerError:
            last_run = None  # none yet, or one that can't be read, which must not hide the report
        parameters = {}
        for name, value in _mapping(data.get("parameters")).items():
            facts = _mapping(value)
            parameters[str(name)] = ReportParameter(
                str(name), bool(facts.get("required")), facts.get("description")
            )
        return cls(
            report=data["report"],
            title=str(data.get("title") or data["report"]),
            parameters=MappingProxyType(parameters),
            last_run=last_run,
            columns=MappingProxyType(dict(columns or {})),
            description_html=data.get("description_html"),
            parameters_html=data.get("parameters_html"),
        )

    @property
    def in_form(self) -> frozenset[str]:
        """The names of the parameters in the server's own form, some of which its list may lack."""
        return frozenset(_IN_FORM.findall(self.parameters_html or ""))

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
