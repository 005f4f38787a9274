"""The values of report parameters: checked before the start, sent, and compared as Canvas reads them.

Canvas stores a parameter it doesn't know and ignores it, so a misspelled name exports the whole account.
That is why an unknown name is an error here.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Collection, Mapping, Sequence, Sized
from datetime import date, datetime
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from canvas_reports_nb.catalog.schemas import COMMON_PARAMETERS, schema
from canvas_reports_nb.exceptions import InvalidChoiceError, ParameterError, UnknownParameterError

if TYPE_CHECKING:
    from canvas_reports_nb.catalog.schemas import Parameter

_SERVER_ADDS = frozenset({"locale", "extra_text"})
_NOT_COMPARED = _SERVER_ADDS | {"skip_message"}
# A form, a script and Canvas's web page spell one value differently: "1", "true" and True.
_TRUE = frozenset({"true", "1", "yes", "y", "t", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "f", "off"})
# To Canvas these two are on unless they are null or false: 0, "" and the word "false" switch them on.
_ON_WHEN_SENT = frozenset({"skip_message", "created_by_sis"})


def close_to(name: str, known: Collection[str]) -> list[str]:
    """Return up to three known names that are similar, the closest first."""
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.55)
    if len(name) > 2:  # noqa: PLR2004 - "id" is a part of nearly every name
        found += [k for k in known if k not in found and (name in k or k in name)]
    return found[:3]


def near(name: str, known: Collection[str]) -> str:
    """Return a "Did you mean ...?" sentence; empty if nothing is close."""
    found = close_to(name, known)
    return f"Did you mean {' or '.join(map(repr, found))}? " if found else ""


def is_blank(value: Any) -> bool:
    """Whether a value means "not given": ``None``, ``""``, NaN, ``NA``, ``NaT``, an empty list."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Sized):
        return len(value) == 0
    # For a scalar, pandas returns a bool for every kind of "missing" that a row of a frame can hold.
    return pd.isna(value) is True


def is_number(value: Any) -> bool:
    """Whether a value is a number: not a boolean, a text or NaN."""
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def named_report(report: Any) -> str:
    """Return the report if it is a name."""
    if not isinstance(report, str):
        raise ParameterError(
            f"Can't use {report!r} as a report.", hint='Use its name, such as "grade_export_csv".'
        )
    return report


def numbered(run_id: Any) -> int:
    """Return a run's id as a number; a text may hold one, too."""
    try:
        return int(run_id)
    except (TypeError, ValueError):
        raise ParameterError(
            f"Can't use run_id={run_id!r}: the id of a run is a number.",
            hint="canvas.history(report) lists the runs.",
        ) from None


def merged(report: str, parameters: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters given as a mapping and as keywords, together."""
    named_report(report)
    if not isinstance(parameters, Mapping | None):
        raise ParameterError(
            f"parameters= must be a mapping, not {type(parameters).__name__}.",
            hint='Use keywords, or parameters={"name": value}.',
            report=report,
        )
    both = sorted((parameters or {}).keys() & named.keys())
    if both:
        raise ParameterError(
            f"{', '.join(both)} was given twice: in parameters= and as a keyword.",
            hint="Give it once.",
            report=report,
        )
    return {**(parameters or {}), **named}


def wire_value(value: object) -> Any:
    """Return a value as JSON can hold it: dates in ISO 8601, ids that became floats as whole numbers."""
    if isinstance(value, np.datetime64):  # in nanoseconds numpy itself would return a plain number
        value = value.astype("datetime64[us]").item()
    elif isinstance(value, np.generic | np.ndarray | pd.Series):  # from a row of a frame, or a column
        value = value.tolist()
    match value:
        case datetime() | date():
            return value.isoformat()
        case float():  # an id beside a blank in a frame
            return int(value) if value.is_integer() else value
        case Mapping():
            return {str(name): wire_value(item) for name, item in value.items()}
        case set() | frozenset():
            return [wire_value(item) for item in sorted(value)]
        case list() | tuple():
            return [wire_value(item) for item in value]
    return value


def switches(report: str) -> dict[str, str]:
    """Map each parameter that selects a file to its table: the files of provisioning and SIS export."""
    known = schema(report)
    return {p.name: p.selects_table for p in known.parameters.values() if p.selects_table} if known else {}


def expected_tables(report: str, parameters: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the tables a run will have, in Canvas's order; ``None`` if only the run itself can tell.

    ``parameters`` are spelled as the caller or Canvas spells them.
    """
    known = schema(report)
    if known is None or any(table.dynamic for table in known.tables.values()):
        return None
    selecting = switches(report)
    if not selecting:
        return tuple(known.tables)
    chosen = {selecting[name] for name, value in parameters.items() if name in selecting and is_on(value)}
    return tuple(name for name in known.tables if name in chosen)


def is_on(value: object) -> bool:
    """Whether Canvas reads a value as yes."""
    if isinstance(value, bool | int):
        return bool(value)
    if not isinstance(value, str):
        return False
    word = value.strip().lower()
    digits = word.removeprefix("-")
    return word in _TRUE or (digits.isdigit() and int(digits) != 0)


def check_names(report: str, parameters: Mapping[str, Any], listed: Collection[str] | None) -> None:
    """Raise `UnknownParameterError` for a name that neither the catalog nor the server lists.

    ``listed`` is ``None`` if the server's list is not at hand: then only a report of the catalog is checked.
    """
    known = schema(report)
    if known is None and listed is None:
        return
    own = {*(listed or ()), *(known.parameters if known else ())}
    for name in parameters:
        if name in own or is_declared(report, name):
            continue
        offer = f"It takes: {', '.join(sorted(own))}." if own else "It takes no parameters."
        raise UnknownParameterError(
            f"{report} has no parameter {name!r}; Canvas would ignore it and export everything.",
            hint=near(name, own) + offer,
            report=report,
        )


def is_declared(report: str, name: str) -> bool:
    """Whether the catalog knows a parameter of a report under this name."""
    return name in COMMON_PARAMETERS or declared_as(report, name)[1] is not None


def declared_as(report: str, name: str) -> tuple[str, Parameter | None]:
    """Return a parameter's own name, which may be given under an alias, and its description in the catalog."""
    known = schema(report)
    declared = known.parameter(name) if known else None
    return (declared.name, declared) if declared else (name, None)


def read_parameters(report: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as they are sent: aliases resolved, blanks left out, values checked and spelled one way.

    Raises
    ------
    InvalidChoiceError
        A value its parameter doesn't take; the choices are listed.
    UnknownParameterError
        A parameter is given twice, under its name and an alias, with different values.
    """
    read: dict[str, Any] = {}
    for name, value in parameters.items():
        if is_blank(value):
            continue
        target, declared = declared_as(report, name)
        plain = _read(report, declared, name, value)
        if target in read and _canonical(declared, read[target]) != _canonical(declared, plain):
            raise UnknownParameterError(
                f"{target!r} was given twice, with different values.", hint="Give it once.", report=report
            )
        read[target] = plain
    return {name: value for name, value in read.items() if not (name in _ON_WHEN_SENT and value is False)}


def _read(report: str, declared: Parameter | None, name: str, value: object) -> Any:
    """Return one value as it is sent, or raise."""
    try:
        plain = wire_value(value)
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError):
        hint = "Use a text, a number, a date, True or False, or a list."
        raise _refused(report, name, f"{name} can't be {value!r}.", hint) from None
    if name in COMMON_PARAMETERS:
        return is_on(plain) if name in _ON_WHEN_SENT else plain
    if declared is None:
        return plain
    readers = {"boolean": _boolean, "list": _choices, "enum": _choice, "date": _date}
    return readers.get(declared.type, _one)(report, declared, plain)


def _boolean(report: str, declared: Parameter, value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise _refused(report, declared.name, f"{declared.name} can't be {value!r}.", "Use True or False.")
    return word in _TRUE


def _choices(report: str, declared: Parameter, value: Any) -> list[Any]:
    """Return the items of a list or of a text with commas, without blanks and repetitions."""
    items = value if isinstance(value, list) else str(value).split(",")
    return list(dict.fromkeys(_choice(report, declared, item) for item in items if not is_blank(item)))


def _choice(report: str, declared: Parameter, value: Any) -> Any:
    """Return a choice in Canvas's spelling: Canvas is case-sensitive and ignores unknown values."""
    if not declared.choices:
        return value
    word = str(value).strip()
    for choice in declared.choices:
        if choice.lower() == word.lower():
            return choice
    hint = near(word, declared.choices) + f"Use: {', '.join(declared.choices)}."
    raise _refused(report, declared.name, f"{declared.name} can't be {word!r}.", hint)


def _date(report: str, declared: Parameter, value: Any) -> Any:
    try:
        datetime.fromisoformat(str(value).strip())
    except ValueError:
        hint = 'Use a date such as "2026-02-01", or a time such as "2026-02-01T08:00:00-07:00".'
        message = f"Can't read {declared.name}={value!r} as a date."
        raise _refused(report, declared.name, message, hint) from None
    return str(value).strip()


def _one(report: str, declared: Parameter, value: Any) -> Any:
    """Return the single value of a term, a course or a number."""
    if isinstance(value, list | dict):
        hint = "Use one value; run the report once for each of them."
        if declared.type == "term":
            hint = "Use one term per run; crn.requests_for(report, terms=[...]) makes the requests of a list."
        raise _refused(report, declared.name, f"{declared.name} takes one value, not {value!r}.", hint)
    text = str(value).strip()
    if declared.type == "integer" and not text.removeprefix("-").isdecimal():
        raise _refused(report, declared.name, f"{declared.name} can't be {value!r}.", "Use a whole number.")
    is_number = declared.type == "integer" or (text.isdecimal() and text == str(int(text)))
    return int(text) if is_number else text if isinstance(value, str) else value


def _refused(report: str, name: str, message: str, hint: str) -> InvalidChoiceError:
    error = InvalidChoiceError(message, hint=hint, report=report)
    error.parameter = name
    return error


def asked_of(report: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters a run was asked for, from those Canvas stored: the server's own are left out."""
    asked: dict[str, Any] = {}
    for name, value in stored.items():
        target, _ = declared_as(report, name)
        meant = _as_canvas_reads(target, value)
        if target not in _NOT_COMPARED and not is_blank(meant) and (target not in asked or name == target):
            asked[target] = wire_value(meant)
    return asked


def _as_canvas_reads(name: str, value: Any) -> Any:
    """Return True for a parameter that is on whatever was sent, unless that was null or false."""
    return value is not False if name in _ON_WHEN_SENT and value is not None else value


def canonical(report: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in the one form in which equal requests are equal, as Canvas reads what it stored.

    Never raises: another client may have sent anything. What is off or not given is left out.
    """
    found: dict[str, Any] = {}
    for name, value in asked_of(report, stored).items():
        declared = declared_as(report, name)[1]
        plain = _canonical(declared, value)
        if declared is None or plain is not False:
            found[name] = plain
    return dict(sorted(found.items()))


def _canonical(declared: Parameter | None, value: Any) -> Any:
    if declared is None:
        return _exact(value)
    match declared.type:
        case "boolean":
            return is_on(value)
        case "list":
            items = value if isinstance(value, list) else str(value).split(",")
            choices = declared.choices or items
            return sorted({str(item) for item in items if str(item) in choices})
        case _:
            return str(value).strip()


def _exact(value: Any) -> Any:
    """Return the value of a parameter nobody described: equal only if really equal, up to text and number."""
    if isinstance(value, Mapping):
        return {name: _exact(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_exact(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
