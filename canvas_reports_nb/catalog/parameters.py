"""The parameters of a run: spelled as the caller likes, compared as the server sees them, checked before the start.

Canvas stores a parameter it does not know and ignores it, so a typo exports the whole account;
therefore a name neither the schemas nor the server list is an error here.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence, Sized
from datetime import date, datetime
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from canvas_reports_nb.catalog.schemas import COMMON_PARAMETERS, schema
from canvas_reports_nb.exceptions import (
    InvalidChoiceError,
    InvalidTermError,
    ParameterError,
    UnknownParameterError,
)

if TYPE_CHECKING:
    from canvas_reports_nb.catalog import schemas


_SERVER_ADDS = frozenset({"locale", "extra_text"})
_NOT_COMPARED = _SERVER_ADDS | {"skip_message"}
# Equality must hold between what a form, a script and the web page send: "1", "true" and True are one value.
_TRUE = frozenset({"true", "1", "yes", "y", "t", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "f", "off"})
# Canvas takes any non-empty text for "on" here, the word "false" included.
_ON_WHEN_SENT = frozenset({"skip_message", "created_by_sis"})


def near(name: str, known: Collection[str]) -> str:
    """A "Did you mean ...?" sentence, empty when nothing is close."""
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.55)
    if len(name) > 2:  # noqa: PLR2004 - "id" is a part of nearly every name
        found += [k for k in known if k not in found and (name in k or k in name)]
    return f"Did you mean {' or '.join(repr(k) for k in found[:3])}? " if found else ""


def is_blank(value: Any) -> bool:
    """Whether a value means "not sent": ``None``, ``""``, NaN, ``NA``, ``NaT``, an empty list."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Sized):
        return len(value) == 0
    # Given a scalar, pandas answers with a bool for every kind of "missing" a frame's row can hold.
    return pd.isna(value) is True


def is_number(value: Any) -> bool:
    """Whether a value counts something: no truth value, no text, no NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def named_report(report: Any) -> str:
    """The report, if it is a name."""
    if not isinstance(report, str):
        raise ParameterError(
            f"{report!r} is no report.", hint='Reports have names, such as "grade_export_csv".'
        )
    return report


def numbered(run_id: Any) -> int:
    """The id of a run as a number, which a text may hold, too."""
    try:
        return int(run_id)
    except (TypeError, ValueError):
        raise ParameterError(
            f"run_id={run_id!r} is no run.",
            hint="Give a number; canvas.history(report) lists the runs there are.",
        ) from None


def to_wire(report: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as they go to Canvas: aliases resolved, blanks left out, dates in ISO 8601.

    A false ``skip_message`` or ``created_by_sis`` is left out: any text sent under
    those two names means yes to Canvas. Where a name and its alias are both there, the name counts.
    """
    wire: dict[str, Any] = {}
    for name, value in parameters.items():
        target = _target(report, name)
        unsent = is_blank(value) or (target in _ON_WHEN_SENT and _switch(value) is False)
        if not unsent and (name == target or target not in wire):
            wire[target] = wire_value(value)
    return wire


def _target(report: str, name: str) -> str:
    known = schema(report)
    declared = known.parameter(name) if known else None
    return declared.name if declared else name


def wire_value(value: object) -> Any:
    """A value as it goes to Canvas, whatever a frame made of it: dates in ISO 8601, ids whole numbers again."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, np.datetime64):  # in nanoseconds numpy itself would make a plain number of it
        return wire_value(value.astype("datetime64[us]").item())
    if isinstance(value, np.generic | np.ndarray | pd.Series):  # from a row of a frame, or a column
        return wire_value(value.tolist())
    if isinstance(value, float) and value.is_integer():  # an id that met a blank in a frame
        return int(value)
    if isinstance(value, list | tuple):
        return [wire_value(item) for item in value]
    return sorted(map(wire_value, value)) if isinstance(value, set | frozenset) else value


def _switch(value: object) -> bool | None:
    """A yes or no as Canvas reads one; ``None`` for anything else."""
    word = str(wire_value(value)).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _canonical(value: object) -> str:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return ",".join(sorted(_canonical(item) for item in value))
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(sorted(part.strip() for part in str(wire_value(value)).split(",")))


def comparable(report: str, parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What makes two runs of a report equal, hashable.

    What the server adds, the e-mail switch, and a boolean that is off do not count;
    neither does how a value is spelled.

    Examples
    --------
    >>> comparable("grade_export_csv", {"enrollment_term": "12", "include_deleted": False})
    (('enrollment_term_id', '12'),)
    """
    known = schema(report)
    pairs = []
    for name, value in to_wire(report, parameters).items():
        declared = known.parameter(name) if known else None
        # Only where the schema says "boolean": elsewhere "1" is an id and "no" may be a name.
        switch = _switch(value) if declared and declared.type == "boolean" else None
        if name not in _NOT_COMPARED and switch is not False:
            pairs.append((name, "true" if switch else _canonical(value)))
    return tuple(sorted(pairs))


def asked_of(report: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters a run was asked for, from those Canvas stored: the server's own are left out."""
    # Another client's text "false" was a yes to Canvas under these names.
    meant = {name: bool(value) if name in _ON_WHEN_SENT else value for name, value in stored.items()}
    return {name: value for name, value in to_wire(report, meant).items() if name not in _NOT_COMPARED}


def switches(report: str) -> dict[str, str]:
    """Parameters that select a table, and the table: the file switches of provisioning and SIS export."""
    known = schema(report)
    return {p.name: p.selects_table for p in known.parameters.values() if p.selects_table} if known else {}


def expected_tables(report: str, parameters: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The tables a run will hold, in the server's order; ``None`` where only the run itself can tell."""
    known = schema(report)
    if known is None or any(table.dynamic for table in known.tables.values()):
        return None
    selecting = switches(report)
    if not selecting:
        return tuple(known.tables)
    on = {name for name, value in to_wire(report, parameters).items() if _switch(value)}
    chosen = {table for name, table in selecting.items() if name in on}
    return tuple(name for name in known.tables if name in chosen)


def check(report: str, parameters: Mapping[str, Any], listed: Collection[str]) -> None:
    """Check names and choices before anything is started.

    Parameters
    ----------
    report : str
    parameters : mapping
        As the caller gave them.
    listed : collection of str
        The names the server lists for this report; a name it lists is allowed even when the
        schemas don't know it.

    Raises
    ------
    UnknownParameterError
        Near names are offered.
    InvalidChoiceError
        The choices are listed.
    """
    known = schema(report)
    names = {*listed, *COMMON_PARAMETERS, *((known.parameters if known else None) or ())}
    for name, value in parameters.items():
        _check_sendable(report, name, value)
    _check_twice(report, parameters)
    for name, value in parameters.items():
        declared = known.parameter(name) if known else None
        if declared is None:
            if name not in names:
                raise UnknownParameterError(
                    f"{report} has no parameter {name!r}; Canvas would ignore it and export everything.",
                    hint=near(name, names - set(COMMON_PARAMETERS)) + _offer(names - set(COMMON_PARAMETERS)),
                    report=report,
                )
        elif not is_blank(value):
            _check_value(report, declared, value)


def _check_sendable(report: str, name: str, value: object) -> None:
    """Refuse what JSON has no word for: bytes, a period, an infinite number."""
    try:
        if not is_blank(value):
            json.dumps(wire_value(value), allow_nan=False)
    except (TypeError, ValueError):
        raise InvalidChoiceError(
            f"{name} does not take {value!r}.",
            hint="Give a text, a number, a date, True or False, or a list of them.",
            report=report,
        ) from None


def _check_twice(report: str, parameters: Mapping[str, Any]) -> None:
    seen: dict[str, str] = {}
    for name, value in parameters.items():
        if not is_blank(value) and seen.setdefault(_target(report, name), _canonical(value)) != _canonical(
            value
        ):
            raise UnknownParameterError(
                f"{_target(report, name)!r} was given twice, with different values.",
                hint="Give it once.",
                report=report,
            )


def _offer(names: Collection[str]) -> str:
    return f"It takes: {', '.join(sorted(names))}." if names else "It takes no parameters."


def _check_value(report: str, declared: schemas.Parameter, value: object) -> None:
    if declared.type == "boolean":
        if _switch(value) is None:
            raise InvalidChoiceError(
                f"{declared.name} is yes or no, not {value!r}.", hint="Give True or False.", report=report
            )
        return
    plain = wire_value(value)
    if declared.type == "term" and isinstance(plain, list):
        raise InvalidChoiceError(
            f"{declared.name} is one term, not {plain!r}.",
            hint="Ask for one run a term; crn.requests_for(report, terms=[...]) makes requests of a list.",
            report=report,
        )
    if not declared.choices:
        return
    given = plain if isinstance(plain, list) else str(plain).split(",")
    for item in given:
        word = str(item).strip()
        if word.lower() not in {choice.lower() for choice in declared.choices}:
            raise InvalidChoiceError(
                f"{declared.name} does not take {word!r}.",
                hint=near(word, declared.choices) + f"It takes: {', '.join(declared.choices)}.",
                report=report,
            )


# What Canvas resolves by itself: one id or several, SIS spellings, and its words.
_CANVAS_KNOWS = re.compile(r"\s*(\d+(~\d+)?|sis_(term|integration)_id:.+|default|current|active_terms)\s*")


def is_name(value: object) -> bool:
    """Whether a value can only be a term's name."""
    if not isinstance(value, str) or not value.strip():
        return False
    return not all(_CANVAS_KNOWS.fullmatch(part) for part in value.split(","))


def term_id(name: str, terms: Sequence[dict[str, Any]]) -> int:
    """The Canvas id of the term of this name; case and outer blanks do not count.

    Parameters
    ----------
    name : str
    terms : sequence of dict
        As the API lists them: ``id``, ``name``, ``sis_term_id``, ``workflow_state``.

    Raises
    ------
    InvalidTermError
        No such term (near names are offered), or several (they are listed with their ids).
    """
    wanted = name.strip().casefold()
    found = [term for term in terms if str(term.get("name") or "").strip().casefold() == wanted]
    alive = [term for term in found if term.get("workflow_state") != "deleted"] or found
    if len(alive) == 1:
        return int(alive[0]["id"])
    if alive:
        listed = "; ".join(f"{term['id']} (SIS id {term.get('sis_term_id') or 'none'})" for term in alive)
        raise InvalidTermError(
            f"{len(alive)} terms are called {name!r}: {listed}.",
            hint="Give the Canvas id of the one you mean.",
        )
    names = sorted({str(term["name"]) for term in terms if term.get("name")})
    raise InvalidTermError(
        f"No term is called {name!r}.",
        hint=near(name, names) + "Give a Canvas id, sis_term_id:X, default, current, or the exact name.",
    )
