"""The parameters of the selected report: its fields, and whether their values can be sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.canvas_api.models import parse_time
from canvas_reports_nb.catalog.parameters import switches
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.catalog.schemas import reports, schema
from canvas_reports_nb.exceptions import InvalidTermError, ParameterError
from canvas_reports_nb.notebook.controls import Field, FieldKind, discard, label_of
from canvas_reports_nb.notebook.server_form import read_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from canvas_reports_nb.canvas_api.models import AvailableReport
    from canvas_reports_nb.catalog import schemas

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
    files = [(label_of(each.name), each.name) for each in taken if each.name in switches(offer.report)]
    fields = [_catalog_field(each) for each in taken if each.name not in switches(offer.report)]
    if files:
        fields.insert(1, Field("files", "files", help="Select at least one file.", options=files))
    return fields


def _catalog_field(declared: schemas.Parameter) -> Field:
    kind = _KINDS[declared.type]
    if kind == "choices" and not declared.choices:
        kind = "text"
    default = "" if declared.default in (None, False) else f" Default: {declared.default}."
    return Field(
        declared.name,
        kind,
        help=declared.description + default,
        options=[(label_of(choice), choice) for choice in declared.choices or ()],
    )


_ORDER = ("running", "no dates", "future", "past")


def term_options(terms: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, int]:
    """Return each term's line in the list and its Canvas id: running terms first, past ones last."""
    alive = [term for term in terms if term.get("workflow_state") != "deleted" and term.get("id") is not None]
    ranked = sorted(alive, key=_begin, reverse=True)
    ranked.sort(key=lambda term: _ORDER.index(_when(term, now)))
    lines = [_line(term, now) for term in ranked]
    count = Counter(lines)
    return {
        line if count[line] == 1 else f"{line} · id {term['id']}": int(term["id"])
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


class ParameterForm:
    """The fields of one report at a time; ``changed`` is called when the user changes a value."""

    def __init__(self, changed: Callable[[], None], account: str, now: Callable[[], datetime]) -> None:
        self._changed, self._account, self._now = changed, account, now
        self._offer: AvailableReport | None = None
        self._terms: Sequence[dict[str, Any]] = ()
        self._lines: dict[str, int] = {}
        self._fields: list[Field] = []
        self._last: tuple[object, tuple[dict[str, Any] | None, Query | None]] | None = None
        self.box = widgets.VBox().add_class("crn-parameters")

    def show(self, offer: AvailableReport | None) -> None:
        """Show the fields of a report, or none."""
        self._offer, self._fields = offer, fields_of(offer) if offer else []
        for field in self._fields:
            field.set_terms(self._lines)
            field.observe(lambda _: self._changed())
        self._last = None
        nothing = [widgets.HTML(_html.hint("This report takes no parameters."))] if offer else []
        before, self.box.children = self.box.children, [field.box for field in self._fields] or nothing
        for each in before:
            discard(each)

    def set_terms(self, terms: Sequence[dict[str, Any]]) -> None:
        """Offer these terms in the fields that take one."""
        self._terms, self._lines = terms, term_options(terms, self._now())
        for field in self._fields:
            field.set_terms(self._lines)

    def values(self, *, to_run: bool = False) -> dict[str, Any] | None:
        """Return the parameters, or ``None`` if a field shows an error; ``to_run`` also requires a file."""
        values, query = self._read()
        if to_run and query is not None and query.tables == ():
            for field in self._fields:
                if field.kind == "files":
                    field.show_error("No file is selected. Select at least one.")
            return None
        return values

    def query(self) -> Query | None:
        """Return the request as it is filled in, or ``None`` if it is wrong or its term is not known yet."""
        return self._read()[1]

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
        state = (offer, self._terms, values, errors)
        if self._last is None or self._last[0] != state:
            self._last = (state, self._check(offer, values, dict(errors)))
        return self._last[1]

    def _check(
        self, offer: AvailableReport, values: dict[str, Any], errors: dict[str, str]
    ) -> tuple[dict[str, Any] | None, Query | None]:
        """Check the values together, and show each error in its field."""
        query, is_wrong = None, True
        while is_wrong:
            try:
                query = self._query(offer, {name: values[name] for name in values if name not in errors})
            except ParameterError as error:
                if isinstance(error, InvalidTermError) and not self._terms:
                    break  # the terms are still loading
                if error.parameter is None or error.parameter in errors:
                    raise
                errors[error.parameter] = _remark(error)
            else:
                is_wrong = False
        for field in self._fields:
            field.clear()
            if field.name in errors:
                field.show_error(errors[field.name])
        return (None, None) if errors else (values, query)

    def _query(self, offer: AvailableReport, values: Mapping[str, Any]) -> Query:
        return Query.checked(
            offer.report,
            values,
            account=self._account,
            # A name in the server's own form is as good as one in its list.
            listed={*offer.parameters, *values},
            terms=lambda: self._terms,
            now=self._now(),
            to_run=False,
        )


def _remark(error: ParameterError) -> str:
    return "\n".join(filter(None, (error.message, error.hint)))
