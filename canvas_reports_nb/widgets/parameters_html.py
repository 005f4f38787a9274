"""The form a server sends for a report, read for its parameters: names, kinds, choices. Nothing of it is shown."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from canvas_reports_nb.widgets.fields import Field, label_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.widgets.fields import FieldKind

__all__ = ["read_form"]

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
