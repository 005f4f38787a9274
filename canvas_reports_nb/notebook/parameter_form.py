"""The parameters of the selected report: its fields, and whether their values can be sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.canvas_api.models import parse_time
from canvas_reports_nb.catalog.parameters import is_on, switches
from canvas_reports_nb.catalog.query import Query, term_parameter
from canvas_reports_nb.catalog.schemas import reports, schema
from canvas_reports_nb.exceptions import InvalidTermError, ParameterError
from canvas_reports_nb.notebook.controls import Field, FieldKind, button, discard, labeled_row, show_if
from canvas_reports_nb.notebook.server_form import read_form
from canvas_reports_nb.notebook.wording import MORE_OPTIONS, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from canvas_reports_nb.canvas_api.models import AvailableReport
    from canvas_reports_nb.catalog import schemas
    from canvas_reports_nb.notebook.controls import Terms

_KINDS: dict[str, FieldKind] = {
    "term": "term",
    "boolean": "switch",
    "date": "date",
    "integer": "integer",
    "enum": "choice",
    "list": "choices",
    "string": "text",
}


def fields_of(offer: AvailableReport) -> list[Field]:
    """Make the fields of a report, from the catalog or else from the server's own form."""
    # Of a hosted report, the catalog may not know all parameters.
    known = schema(offer.report) if offer.report in reports() else None
    fields = _catalog_fields(offer, known) if known else read_form(offer.parameters_html)
    names = {field.name for field in fields}
    if known:
        names |= {name for each in known.parameters.values() for name in (each.name, *each.aliases)}
    listed = [each for each in offer.parameters.values() if each.name not in names]
    return fields + [Field(each.name, "text", help=each.description or "") for each in listed]


def _catalog_fields(offer: AvailableReport, known: schemas.Report) -> list[Field]:
    # An older Canvas ignores a parameter that it does not list.
    taken = [
        each for each in known.parameters.values() if not each.advertised or each.name in offer.parameters
    ]
    choosing = switches(offer.report)
    fields = [_catalog_field(offer.report, each) for each in taken if each.name not in choosing]
    files = [(words(offer.report, each.name)[0], each.name) for each in taken if each.name in choosing]
    if files:
        label, hint = words(offer.report, "files")
        fields.insert(1, Field("files", "files", label, help=hint, options=files))
    return fields


def _catalog_field(report: str, declared: schemas.Parameter) -> Field:
    kind = _KINDS[declared.type]
    if kind == "choices" and not declared.choices:
        kind = "text"
    label, hint = words(report, declared.name)
    options = [(words(report, choice)[0], choice) for choice in declared.choices or ()]
    return Field(declared.name, kind, label, help=hint, options=options)


ALL_TERMS = "All terms (can take much longer)"


def term_options(terms: Iterable[Mapping[str, Any]], now: datetime) -> Terms:
    """Return the label and id of each choice: the current term, all terms, then terms newest first.

    If several terms are current, the first is the one that began last; if none is, the user must choose.
    """
    alive = [term for term in terms if term.get("workflow_state") != "deleted" and term.get("id") is not None]
    ranked = sorted(alive, key=_begin, reverse=True)
    current = next((term for term in ranked if _state(term, now) == "current"), None)
    others = [term for term in ranked if term is not current]
    lines = [f"{term_name(term)} \u00b7 {_state(term, now)}" for term in others]
    count = Counter(lines)
    named = [
        (line if count[line] == 1 else f"{line} \u00b7 id {term['id']}", int(term["id"]))
        for line, term in zip(lines, others, strict=True)
    ]
    first: tuple[str, int | None] = ("Choose a term", None)
    if current is not None:
        first = (f"Current term: {term_name(current)}", int(current["id"]))
    return [first, (ALL_TERMS, ""), *named]


def term_name(term: Mapping[str, Any]) -> str:
    """Return a term's name, with its SIS id if it has one."""
    sis_id = term.get("sis_term_id")
    name = str(term.get("name") or f"term {term['id']}")
    return f"{name} ({sis_id})" if sis_id else name


def _begin(term: Mapping[str, Any]) -> float:
    start = parse_time(term.get("start_at"))
    return start.timestamp() if start else float("-inf")


def _state(term: Mapping[str, Any], now: datetime) -> str:
    start, end = parse_time(term.get("start_at")), parse_time(term.get("end_at"))
    if start is None and end is None:
        return "no dates"
    if start is not None and start > now:
        return "upcoming"
    return "ended" if end is not None and end < now else "current"


class ParameterForm:
    """The fields of one report at a time; ``changed`` is called when the user changes a value."""

    def __init__(self, changed: Callable[[], None], account: str, now: Callable[[], datetime]) -> None:
        self._changed, self.account, self._now = changed, account, now
        self._offer: AvailableReport | None = None
        self._terms: Sequence[dict[str, Any]] | None = None
        self._has_terms = False
        self._fields: list[Field] = []
        self._last: tuple[object, tuple[dict[str, Any] | None, Query | None]] | None = None
        self._more = button("", "crn-more", "Show or hide options that few people need")
        self._more.add_class("crn-link").on_click(lambda _: self._fold(shown=self._is_folded))
        self._folded = widgets.VBox()
        self.box = widgets.VBox().add_class("crn-parameters")
        self.parts = (self._more, self._folded)
        """What is not always on the page."""

    def show(self, offer: AvailableReport | None) -> None:
        """Show the fields of a report, or none."""
        self._offer, self._fields, self._last = offer, fields_of(offer) if offer else [], None
        if self._has_terms:
            self._offer_terms()
        for field in self._fields:
            field.observe(lambda _: self._changed())
        before = [each for each in self.box.children if each not in self.parts] + [*self._folded.children]
        rare = self._rare
        self._folded.children = [field.box for field in rare]
        self._fold(shown=False)
        children = _placed([field for field in self._fields if field not in rare])
        if rare:
            children += self.parts
        if offer and not children:
            children = [widgets.HTML(_html.hint("This report has no options."))]
        self.box.children = children
        for each in before:
            discard(each)

    @property
    def _rare(self) -> list[Field]:
        """The fields that are folded away: rarely used options of a report whose schema is known."""
        if self._offer is None or schema(self._offer.report) is None:
            return []
        return [field for field in self._fields if field.name in MORE_OPTIONS]

    @property
    def _is_folded(self) -> bool:
        return bool(self._folded.layout.display == "none")

    def _fold(self, *, shown: bool) -> None:
        labels = ", ".join(field.label.lower() for field in self._rare)
        self._more.description = "\u25be Fewer options" if shown else f"\u25b8 More options: {labels}"
        show_if(self._folded, shown=shown)

    def set_terms(self, terms: Sequence[dict[str, Any]] | None) -> None:
        """Offer these terms in the fields that take one; ``None`` if they can't be listed."""
        self._terms, self._has_terms = terms, True
        self._offer_terms()

    def _offer_terms(self) -> None:
        choices = None if self._terms is None else term_options(self._terms, self._now())
        for field in self._fields:
            field.set_terms(choices)

    def show_error(self, error: Exception) -> None:
        """Show an error of a request in its own field."""
        for field in self._fields:
            if isinstance(error, ParameterError) and error.parameter == field.name:
                field.show_error(_remark(error))

    def fill(self, asked: Mapping[str, Any]) -> None:
        """Fill in the parameters of an earlier run."""
        for field in self._fields:
            field.set(asked)
        if any(field.values() for field in self._rare):
            self._fold(shown=True)

    def settings(self, asked: Mapping[str, Any], report: str | None = None) -> list[str]:
        """Return the parameters of a run in words, such as ``Spring 2026 (SP26)`` and ``users, courses``."""
        name = report or (self._offer.report if self._offer else "")
        return settings_words(name, asked, self._terms or ())

    def values(self, *, to_run: bool = False) -> dict[str, Any] | None:
        """Return the parameters, or ``None`` if a field shows an error; ``to_run`` also requires term and file."""
        values, query = self._read()
        if to_run:
            for field in self._fields:
                if field.is_missing:
                    text = (
                        'Choose a term, or "All terms".'
                        if self._has_terms
                        else "The terms are still loading."
                    )
                    field.show_error(text)
                    return None
                if field.kind == "files" and query is not None and query.tables == ():
                    field.show_error("No file is selected. Select at least one.")
                    return None
        return values

    def query(self) -> Query | None:
        """Return the request as it is filled in, or ``None`` if it is wrong or its term is not known yet."""
        query = self._read()[1]
        return None if any(field.is_missing for field in self._fields) else query

    def _read(self) -> tuple[dict[str, Any] | None, Query | None]:
        """Read all fields, and check them if anything has changed since the last time."""
        offer = self._offer
        if offer is None:
            return None, None
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for field in self._fields:
            try:
                values |= field.values()
            except ParameterError as error:
                errors[field.name] = _remark(error)
        # What the fields hold decides, not whether a change was reported: threads may read while the user types.
        state = (offer, self.account, self._terms, values, errors)
        if self._last is None or self._last[0] != state:
            self._last = (state, self._check(offer, values, dict(errors)))
        return self._last[1]

    def _check(
        self, offer: AvailableReport, values: dict[str, Any], errors: dict[str, str]
    ) -> tuple[dict[str, Any] | None, Query | None]:
        """Check the values together, and show each error in its field."""
        query = self._query_without(offer, values, errors)
        for field in self._fields:
            if not field.is_missing:  # that a term is missing is shown until one is chosen
                field.show_error(errors.get(field.name, ""))
            if field.name in errors and field.name in MORE_OPTIONS:
                self._fold(shown=True)
        return (None, None) if errors else (values, query)

    def _query_without(
        self, offer: AvailableReport, values: dict[str, Any], errors: dict[str, str]
    ) -> Query | None:
        """Return the query of the values without an error; add each error that the check finds."""
        while True:
            try:
                return self._query(offer, {name: values[name] for name in values if name not in errors})
            except ParameterError as error:
                if isinstance(error, InvalidTermError) and not self._terms:
                    return None  # only the connection can find this term
                if error.parameter is None or error.parameter in errors:
                    raise
                errors[error.parameter] = _remark(error)

    def _query(self, offer: AvailableReport, values: Mapping[str, Any]) -> Query:
        return Query.checked(
            offer.report,
            values,
            account=self.account,
            # A name in the server's own form is as good as one in its list.
            listed={*offer.parameters, *values},
            terms=lambda: self._terms or (),
            now=self._now(),
            to_run=False,
        )


def _placed(fields: Sequence[Field]) -> list[widgets.Widget]:
    """Return the boxes of fields, with all switches in one row at the end."""
    switched = [field.box for field in fields if field.kind == "switch"]
    switched.reverse()  # the records to add before those to leave out
    boxes = [field.box for field in fields if field.kind != "switch"]
    return [*boxes, labeled_row("Include", *switched)] if switched else boxes


def settings_words(report: str, asked: Mapping[str, Any], terms: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the parameters of a run in words."""
    name, choosing = term_parameter(report), switches(report)
    files = [_label(report, each) for each in choosing if is_on(asked.get(each, False))]
    others = {each: value for each, value in asked.items() if each != name and each not in choosing}
    return [
        *_term_words(report, asked, terms),
        *(["all files"] if files and len(files) == len(choosing) else [", ".join(files)] if files else []),
        *(_setting(report, each, value) for each, value in others.items() if value not in (None, False, "")),
    ]


def _term_words(report: str, asked: Mapping[str, Any], terms: Sequence[Mapping[str, Any]]) -> list[str]:
    name, known = term_parameter(report), schema(report)
    chosen = asked.get(name) if name else None
    if chosen is not None:
        names = {str(term["id"]): term_name(term) for term in terms}
        return [names.get(str(chosen), f"term {chosen}")]
    return ["all terms"] if known is not None and name in known.parameters else []


def _setting(report: str, name: str, value: Any) -> str:
    if value is True:
        return _label(report, name)
    items = [_label(report, str(item)) for item in value] if isinstance(value, list) else [str(value)]
    return f"{_label(report, name)}: {', '.join(items)}"


def _label(report: str, name: str) -> str:
    return words(report, name)[0].lower()


def _remark(error: ParameterError) -> str:
    return "\n".join(filter(None, (error.message, error.hint)))
