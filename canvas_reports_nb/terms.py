"""A term by its Canvas id, its SIS id, or its exact name. Never by a part of a name: that takes the wrong term."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.exceptions import InvalidTermError
from canvas_reports_nb.parameters import near

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["is_name", "term_id"]

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
