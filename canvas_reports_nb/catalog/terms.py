"""A term's Canvas id from any of its spellings. Never from a part of a name: that would pick the wrong term."""

from __future__ import annotations

import re
from datetime import datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.exceptions import InvalidTermError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Canvas resolves these itself, and they can't mean another term later.
_CANVAS_READS = re.compile(r"\d+(~\d+)?|(hex:sis_term|hex:sis_integration|sis_integration)_id:.+")
_SIS = "sis_term_id:"
_TERM_FIELDS = ("parameters[enrollment_term_id]", "parameters[enrollment_term]")
_DEFAULT_NAME = "default term"
_SPELLINGS = 'Use a Canvas id, a SIS id, the exact name, "current" or "default".'


class _TermReader(HTMLParser):
    """Collects the choices of the term in the HTML form that Canvas sends with a report."""

    def __init__(self) -> None:
        super().__init__()
        self.terms: list[dict[str, Any]] = []
        self._is_inside = self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._is_inside = given.get("name") in _TERM_FIELDS
        elif tag == "option":
            self._is_open = self._is_inside and given.get("value", "").isdecimal()
            if self._is_open:
                self.terms.append({"id": int(given["value"]), "name": ""})

    def handle_endtag(self, tag: str) -> None:
        if tag in ("option", "select"):
            self._is_open = False
            self._is_inside = self._is_inside and tag == "option"

    def handle_data(self, data: str) -> None:
        if self._is_open:
            self.terms[-1]["name"] = f"{self.terms[-1]['name']} {data}".strip()


def terms_in_form(markup: str | None) -> list[dict[str, Any]]:
    """Return the terms that a report's HTML form offers: their ids and names, without dates."""
    reader = _TermReader()
    reader.feed(markup or "")
    reader.close()
    return reader.terms


def is_id(spelling: object) -> bool:
    """Whether a spelling needs no list of terms."""
    return _CANVAS_READS.fullmatch(str(spelling).strip()) is not None


def find_term(spelling: object, terms: Sequence[dict[str, Any]], now: datetime) -> int | str:
    """Return the Canvas id of a term, or the spelling itself where only Canvas can read it.

    Parameters
    ----------
    terms : sequence of dict
        As the API lists them: ``id``, ``name``, ``sis_term_id``, ``start_at``, ``end_at``, ``workflow_state``.
    now : datetime
        Decides which term is current.

    Raises
    ------
    InvalidTermError
        No term or several terms fit; near names are offered.
    """
    text = str(spelling).strip()
    if is_id(text):
        return int(text) if text.isdigit() else text
    found = [term for term in terms if _fits(text, term, now)]
    alive = [term for term in found if term.get("workflow_state") != "deleted"] or found
    if not alive:
        return _unlisted(text, terms)
    if len({int(term["id"]) for term in alive}) > 1:
        raise _ambiguous(text, alive)
    return int(alive[0]["id"])


def _ambiguous(text: str, terms: Sequence[dict[str, Any]]) -> InvalidTermError:
    listed = "; ".join(f"{term['id']} (SIS id {term.get('sis_term_id') or 'none'})" for term in terms)
    return InvalidTermError(
        f"{len(terms)} terms match {text!r}: {listed}.", hint="Use the Canvas id of the one you want."
    )


def _fits(text: str, term: dict[str, Any], now: datetime) -> bool:
    sis_id = term.get("sis_term_id")
    if text == "current":
        return is_current(term, now)
    if text.startswith(_SIS):
        return bool(sis_id == text.removeprefix(_SIS))
    name = _DEFAULT_NAME if text == "default" else text.casefold()
    return sis_id == text or str(term.get("name") or "").strip().casefold() == name


def _unlisted(text: str, terms: Sequence[dict[str, Any]]) -> str:
    """Return a spelling that only Canvas can read, or raise."""
    # An admin of a sub-account sees no SIS ids, and the default term may have any name.
    sees_sis_ids = any("sis_term_id" in term for term in terms)
    if text == "default" or (text.startswith(_SIS) and not sees_sis_ids):
        return text
    if text == "current" and terms and not any("start_at" in term for term in terms):
        raise InvalidTermError(
            "This token may not see the dates of the terms, so the current one is unknown.",
            hint="Use the exact name or the Canvas id of a term.",
        )
    if text == "current":
        raise InvalidTermError("No term is current today.", hint=_SPELLINGS)
    known = {str(term[key]) for key in ("name", "sis_term_id") for term in terms if term.get(key)}
    hint = near(text.removeprefix(_SIS), sorted(known)) + _SPELLINGS
    raise InvalidTermError(f"No term matches {text!r}.", hint=hint)


def is_current(term: Mapping[str, Any], now: datetime) -> bool:
    """Canvas's own rule: active, with at least one date, and today between them."""
    starts, ends = (_moment(term.get(key)) for key in ("start_at", "end_at"))
    return (
        term.get("workflow_state", "active") == "active"
        and (starts is not None or ends is not None)
        and (starts is None or starts <= now)
        and (ends is None or ends >= now)
    )


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.astimezone() if moment.tzinfo is None else moment
