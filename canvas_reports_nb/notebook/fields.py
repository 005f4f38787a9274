"""What a form asks for, one field a parameter, before any control is drawn."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Literal

from canvas_reports_nb.canvas_api.models import parse_time
from canvas_reports_nb.catalog.parameters import switches
from canvas_reports_nb.catalog.schemas import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from canvas_reports_nb.canvas_api.models import AvailableReport
    from canvas_reports_nb.catalog import schemas


FieldKind = Literal["term", "switch", "files", "choices", "choice", "date", "integer", "text"]

FILES = "files"
"""Name of the one field that stands for all file switches of a report."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a form asks for.

    Attributes
    ----------
    name : str
        The parameter; `FILES` for the file switches.
    kind : {"term", "switch", "files", "choices", "choice", "date", "integer", "text"}
        ``choices`` takes several values, ``choice`` one.
    label, help : str
    options : tuple of (str, str)
        Label and value of each choice; for ``files`` the label and the parameter.
    default : str
        What the server takes when nothing is sent, in words.
    sends : object
        What a ticked switch sends.
    """

    name: str
    kind: FieldKind
    label: str
    help: str = ""
    options: tuple[tuple[str, str], ...] = ()
    default: str = ""
    sends: Any = True


def label_of(name: str) -> str:
    """A parameter's name as people read it.

    Examples
    --------
    >>> label_of("enrollment_term_id")
    'Enrollment term'
    """
    words = name.removesuffix("_id").replace("_", " ").replace(" sis", " SIS").strip()
    return words[:1].upper() + words[1:] if words else name


_KINDS: dict[str, FieldKind] = {
    "term": "term",
    "boolean": "switch",
    "date": "date",
    "integer": "integer",
    "enum": "choice",
    "list": "choices",
    "string": "text",
}


def schema_field(parameter: schemas.Parameter) -> Field:
    """The field of a parameter the schemas describe."""
    kind = _KINDS[parameter.type]
    if kind == "choices" and not parameter.choices:
        kind = "text"
    return Field(
        parameter.name,
        kind,
        label_of(parameter.name),
        parameter.description,
        tuple((label_of(choice), choice) for choice in parameter.choices or ()),
        "" if parameter.default in (None, False) else str(parameter.default),
    )


def files_field(switches: tuple[str, ...]) -> Field:
    """The field of all file switches of a report."""
    return Field(
        FILES,
        "files",
        "Files",
        "The files to write: one at least.",
        tuple((label_of(switch), switch) for switch in switches),
    )


_NAME = re.compile(r"parameters\[(?P<name>[^\]]+)\](?P<several>\[\])?")
_TERMS = frozenset({"enrollment_term_id", "enrollment_term"})


class _Input:
    """One parameter while its form is being read."""

    def __init__(self, name: str, kind: FieldKind) -> None:
        self.name, self.kind = name, kind
        self.identifier = ""
        self.label = ""
        self.value: str | bool = True
        self.options: list[tuple[str, str]] = []

    def field(self, labels: dict[str, str]) -> Field:
        text = " ".join((self.label or labels.get(self.identifier, "")).split()).rstrip(": ")
        options = tuple((" ".join(label.split()) or value, value) for label, value in self.options if value)
        return Field(self.name, self.kind, text or label_of(self.name), options=options, sends=self.value)


class _Reader(HTMLParser):
    """Collects inputs, and the words of the labels around or beside them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.inputs: dict[str, _Input] = {}
        self.labels: dict[str, str] = {}
        self._current: _Input | None = None
        self._inside: list[_Input] = []
        self._label: list[str] | None = None
        self._label_for = ""
        self._option = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "label":
            self._end_label()
            self._label, self._label_for = [], given.get("for", "")
        elif tag == "option" and self._current is not None:
            self._current.options.append(("", given.get("value", "")))
            self._option = True
        elif tag in ("input", "select", "textarea"):
            self._input(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._end_label()
        elif tag in ("option", "select", "optgroup"):
            self._option = False
            if tag == "select":
                self._current = None

    def handle_data(self, data: str) -> None:
        if self._option and self._current is not None:
            label, value = self._current.options[-1]
            self._current.options[-1] = (label + data, value)
        elif self._label is not None and self._current is None:
            self._label.append(data)

    def close(self) -> None:
        super().close()
        self._end_label()

    def _input(self, tag: str, given: dict[str, str]) -> None:
        found = _NAME.fullmatch(given.get("name", ""))
        kind = _kind(tag, given, several=bool(found and found["several"]))
        if found is None or kind is None:
            return
        name = found["name"]
        entry = self.inputs.setdefault(name, _Input(name, "term" if name in _TERMS else kind))
        entry.identifier = given.get("id", "")
        if given.get("type") == "radio":
            # Each radio button has a label of its own; the parameter's is its name.
            entry.options.append((label_of(given.get("value", "")), given.get("value", "")))
            entry.label = entry.label or label_of(name)
            return
        if kind == "switch":
            entry.value = given.get("value") or "1"
        self._current = entry if tag == "select" else None
        if self._label is not None:
            self._inside.append(entry)

    def _end_label(self) -> None:
        if self._label is None:
            return
        text = "".join(self._label)
        if self._label_for:
            self.labels[self._label_for] = text
        for entry in self._inside:
            entry.label = entry.label or text
        self._label, self._inside = None, []


def _kind(tag: str, given: dict[str, str], *, several: bool) -> FieldKind | None:
    if tag == "select":
        return "choices" if several or "multiple" in given else "choice"
    kind = given.get("type", "text").lower()
    if kind in ("hidden", "submit", "button", "reset", "image", "file", "password"):
        return None
    if kind == "checkbox":
        return "switch"
    if kind == "radio":
        return "choice"
    if kind.startswith("date") or "datetime_field" in given.get("class", ""):
        return "date"
    return "integer" if kind == "number" else "text"


def read_form(markup: str | None) -> Sequence[Field]:
    """The parameters a server's form asks for, in its order; none where it asks for nothing."""
    reader = _Reader()
    reader.feed(markup or "")
    reader.close()
    return [entry.field(reader.labels) for entry in reader.inputs.values()]


_ORDER = ("running", "no dates", "future", "past")


def term_options(terms: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, int]:
    """Line to Canvas id: running terms, terms without dates, future, past; the latest of each first.

    Parameters
    ----------
    terms : iterable of mapping
        As the API lists them; deleted ones are left out.
    now : datetime
        Aware.
    """
    alive = [term for term in terms if term.get("workflow_state") != "deleted" and term.get("id") is not None]
    ranked = sorted(alive, key=_begin, reverse=True)
    ranked.sort(key=lambda term: _ORDER.index(_when(term, now)))
    lines = [_line(term, now) for term in ranked]
    twice = {line for line, count in Counter(lines).items() if count > 1}
    return {
        f"{line} · id {term['id']}" if line in twice else line: int(term["id"])
        for line, term in zip(lines, ranked, strict=True)
    }


def _begin(term: Mapping[str, Any]) -> float:
    start = parse_time(term.get("start_at"))
    return start.timestamp() if start else float("-inf")


def _when(term: Mapping[str, Any], now: datetime) -> str:
    start, end = parse_time(term.get("start_at")), parse_time(term.get("end_at"))
    if start is None and end is None:
        return "no dates"
    if start is not None and start > now:
        return "future"
    return "past" if end is not None and end < now else "running"


def _line(term: Mapping[str, Any], now: datetime) -> str:
    parts = (term.get("name") or f"term {term['id']}", term.get("sis_term_id"), _when(term, now))
    return " · ".join(str(part) for part in parts if part)


def fields_of(offer: AvailableReport) -> list[Field]:
    """What to ask for: by the schema; for a report it does not know by the server's own form, else by its list."""
    known = schema(offer.report)
    if known is None:
        fields = list(read_form(offer.parameters_html))
        named = {field.name for field in fields}
    else:
        # A parameter an older Canvas does not list would be ignored there.
        there = [p for p in known.parameters.values() if not p.advertised or p.name in offer.parameters]
        files = tuple(p.name for p in there if p.name in switches(offer.report))
        fields = [schema_field(p) for p in there if p.name not in files]
        fields[1:1] = [files_field(files)] if files else []
        named = {name for p in there for name in (p.name, *p.aliases)}
    return fields + [
        Field(listed.name, "text", label_of(listed.name), listed.description or "")
        for listed in offer.parameters.values()
        if listed.name not in named
    ]
