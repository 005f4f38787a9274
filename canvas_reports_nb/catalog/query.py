"""One checked request for a report. Made once, where the user's words come in; every later step takes it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from canvas_reports_nb.catalog.parameters import (
    asked_of,
    canonical,
    check_names,
    declared_as,
    expected_tables,
    is_blank,
    read_parameters,
    switches,
    wire_value,
)
from canvas_reports_nb.catalog.schemas import reports, schema
from canvas_reports_nb.catalog.terms import find_term, is_id
from canvas_reports_nb.catalog.windows import check_window
from canvas_reports_nb.exceptions import InvalidTermError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    Terms = Sequence[dict[str, Any]]

_TERM = "enrollment_term_id"
_SEVERAL_TERMS = re.compile(r"[,\[]|^active_terms$")


# These words may mean another term tomorrow.
_RELATIVE = {"current", "default"}


@dataclass(frozen=True, slots=True)
class Query:
    """One checked request.

    Attributes
    ----------
    report, account : str
    asked : mapping
        The parameters as the caller spelled them, without blanks.
    wire : mapping
        The parameters as they are sent.
    key : str
        Equal for equal requests, however they are spelled.
    tables : tuple of str or None
        The tables a new run will have; ``None`` if only the run itself can tell.
    """

    report: str
    account: str
    asked: Mapping[str, Any]
    wire: Mapping[str, Any]
    key: str
    tables: tuple[str, ...] | None
    terms: Terms = field(default=(), repr=False, compare=False)

    @classmethod
    def checked(
        cls,
        report: str,
        asked: Mapping[str, Any],
        *,
        account: str,
        listed: Collection[str] | None,
        terms: Callable[[], Terms],
        now: datetime,
        to_run: bool = True,
    ) -> Self:
        """Check a request.

        Parameters
        ----------
        listed : collection of str or None
            The parameters the server lists; ``None`` if its list is not at hand.
        terms : callable
            Returns the terms; called only if a term needs them.
        now : datetime
            Decides which term is current.
        to_run : bool
            Whether a new run may be started, which needs a file to export.

        Raises
        ------
        UnknownParameterError, InvalidChoiceError, InvalidTermError, ParameterError
        """
        check_names(report, asked, listed)
        wire = read_parameters(report, asked)
        check_window(report, wire)
        term = term_parameter(report)
        known: Terms = terms() if term in wire and not is_id(wire[term]) else ()
        if term in wire:
            try:
                wire[term] = _resolved(report, wire[term], known, now)
            except InvalidTermError as error:
                error.parameter = term
                raise
        tables = expected_tables(report, wire)
        if tables == () and to_run:
            raise ParameterError(
                f"{report} needs at least one file to export.",
                hint=f"Set one or more of these to True: {', '.join(switches(report))}.",
                account=account,
                report=report,
            )
        given = {name: wire_value(value) for name, value in asked.items() if not is_blank(value)}
        # No e-mail when the run ends, unless skip_message=False asks for one.
        sent = {**({} if "skip_message" in asked else {"skip_message": True}), **wire}
        return cls(report, account, given, sent, key_of(report, wire), tables, known)

    @property
    def question(self) -> dict[str, Any]:
        """The parameters that ask the same again, relative to now if they were relative; equal for equal requests."""
        sent = asked_of(self.report, self.wire)
        # What is off is not sent, unless only the server could tell that it means off.
        same = {
            n: value for n, value in sent.items() if value is not False or not declared_as(self.report, n)[1]
        }
        term = next((str(self.asked.get(name)).strip() for name in self.asked if self._is_term(name)), None)
        return {name: term if term in _RELATIVE and self._is_term(name) else same[name] for name in same}

    def _is_term(self, name: str) -> bool:
        return declared_as(self.report, name)[0] == term_parameter(self.report)

    @property
    def label(self) -> str:
        """The request in a few words, for a table or a log line."""
        parameters = [f"{name}={value}" for name, value in self.asked.items()]
        where = [] if self.account == "self" else [f"account {self.account}"]
        return ", ".join([self.report, *where, *parameters])

    def is_same(self, stored: Mapping[str, Any], created_at: datetime | None) -> bool:
        """Whether a run with these parameters, as Canvas stored them, answers this request."""
        return self.key == key_of(self.report, stored, terms=self.terms, at=created_at)

    def differing(self, stored: Mapping[str, Any]) -> list[str]:
        """Return the names of the parameters that Canvas stored otherwise than they were sent."""
        sent, kept = canonical(self.report, self.wire), canonical(self.report, stored)
        return sorted(name for name in sent.keys() | kept.keys() if sent.get(name) != kept.get(name))


def term_parameter(report: str) -> str | None:
    """Return the name of the parameter that takes a term; hosted reports name it as the others do."""
    if report not in reports():
        return _TERM
    known = schema(report)
    return next((p.name for p in known.parameters.values() if p.type == "term"), None) if known else None


def _resolved(report: str, spelling: Any, terms: Terms, now: datetime) -> Any:
    """Return the id of a term, or what only a hosted report can read: a list of terms, ``active_terms``."""
    try:
        return find_term(spelling, terms, now)
    except InvalidTermError:
        if report in reports() or not _SEVERAL_TERMS.search(str(spelling)):
            raise
        return spelling


def key_of(report: str, stored: Mapping[str, Any], *, terms: Terms = (), at: datetime | None = None) -> str:
    """Return the key of a run's parameters as Canvas stored them.

    With the terms at hand, a term that another client spelled otherwise is resolved as of the run's start.
    """
    found = canonical(report, stored)
    name = term_parameter(report)
    if terms and at is not None and name in found and not is_id(found[name]):
        try:
            resolved = _resolved(report, found[name], terms, at)
            found[name] = str(resolved) if isinstance(resolved, int) else resolved
        except InvalidTermError:
            found[name] = f"unknown term {found[name]}"  # equals no request
    return json.dumps(found, sort_keys=True, ensure_ascii=False)
