"""Read the HTML form that Canvas sends with a report: the only description of a report the catalog lacks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from canvas_reports_nb.notebook.controls import Field, FieldKind
from canvas_reports_nb.notebook.wording import label_of

_NAME = re.compile(r"parameters\[(?P<name>[^\]]+)\](?P<several>\[\])?")
_TERMS = frozenset({"enrollment_term_id", "enrollment_term"})
_NO_INPUTS = frozenset({"hidden", "submit", "button", "reset", "image", "file", "password"})


def read_form(markup: str | None) -> list[Field]:
    """Return one field per parameter of a server's form, in its order."""
    reader = _Reader(convert_charrefs=True)
    reader.feed(markup or "")
    reader.close()
    return [
        Field(
            name,
            found.kind,
            " ".join((found.label or reader.labels.get(found.id, "")).split()).rstrip(": "),
            options=[(" ".join(label.split()) or value, value) for label, value in found.options if value],
            sends=found.sends,
        )
        for name, found in reader.inputs.items()
    ]


@dataclass
class _Input:
    """One parameter while its form is being read."""

    kind: FieldKind
    id: str = ""
    label: str = ""
    sends: str | bool = True
    options: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects the inputs, and the text of the labels around or beside them."""

    inputs: dict[str, _Input]

    def reset(self) -> None:
        super().reset()
        self.inputs, self.labels = {}, dict[str, str]()
        self._select: _Input | None = None
        self._in_option = False
        self._label: list[str] | None = None
        self._label_for = ""
        self._labeled: list[_Input] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "label":
            self._end_label()
            self._label, self._label_for = [], given.get("for", "")
        elif tag == "option" and self._select is not None:
            self._select.options.append(("", given.get("value", "")))
            self._in_option = True
        elif tag in ("input", "select", "textarea"):
            self._add(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._end_label()
        elif tag in ("option", "select", "optgroup"):
            self._in_option = False
            if tag == "select":
                self._select = None

    def handle_data(self, data: str) -> None:
        if self._in_option and self._select is not None:
            label, value = self._select.options[-1]
            self._select.options[-1] = (label + data, value)
        elif self._label is not None and self._select is None:
            self._label.append(data)

    def close(self) -> None:
        super().close()
        self._end_label()

    def _add(self, tag: str, given: dict[str, str]) -> None:
        named = _NAME.fullmatch(given.get("name", ""))
        if named is None or given.get("type", "").lower() in _NO_INPUTS:
            return
        name, kind = named["name"], _kind(tag, given, several=bool(named["several"]))
        found = self.inputs.setdefault(name, _Input("term" if name in _TERMS else kind))
        found.id = given.get("id", "")
        if given.get("type") == "radio":
            # The label around a radio button belongs to the choice; the parameter has only its name.
            found.options.append((label_of(given.get("value", "")), given.get("value", "")))
            found.label = label_of(name)
            return
        if kind == "switch":
            found.sends = given.get("value") or "1"
        self._select = found if tag == "select" else None
        if self._label is not None:
            self._labeled.append(found)

    def _end_label(self) -> None:
        if self._label is None:
            return
        text = "".join(self._label)
        if self._label_for:
            self.labels[self._label_for] = text
        for found in self._labeled:
            found.label = found.label or text
        self._label, self._labeled = None, []


def _kind(tag: str, given: dict[str, str], *, several: bool) -> FieldKind:
    if tag == "select":
        return "choices" if several or "multiple" in given else "choice"
    kind = given.get("type", "text").lower()
    if kind.startswith("date") or "datetime_field" in given.get("class", ""):
        return "date"
    kinds: dict[str, FieldKind] = {"checkbox": "switch", "radio": "choice", "number": "integer"}
    return kinds.get(kind, "text")
