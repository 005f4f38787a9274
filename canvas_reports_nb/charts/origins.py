"""What the title of a chart says of the runs its frame came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from canvas_reports_nb.frames import exchange
from canvas_reports_nb.frames.origin import origin

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["said_of", "spoken"]

_TERM = "enrollment_term_id"


def said_of(frame: Any, term: str | None = None) -> str:
    """Accounts, terms and dates of the runs a frame came from, as far as it knows.

    Parameters
    ----------
    term : str, optional
        The column that names the term; without it, the term is the one the runs were asked for.
    """
    carried = origin(frame)
    # A stacked frame tells where each part of it came from.
    runs = carried.get("runs") or [carried]
    asked = [(run.get("parameters") or {}).get(_TERM) for run in runs]
    return spoken(
        accounts=(run.get("account") for run in runs),
        terms=_named(frame, term) or [f"term {one}" for one in asked if one is not None],
        ended=(run.get("ended_at") for run in runs),
    )


def spoken(accounts: Iterable[Any], terms: Iterable[Any], ended: Iterable[Any]) -> str:
    """Accounts, terms and the days of ISO moments as a line; what is missing is left out."""
    days = sorted({str(moment)[:10] for moment in ended if moment})
    parts = [
        _few("account ", "accounts", _different(accounts)),
        _few("", "terms", _different(terms)),
        f"run{'s' if len(days) > 1 else ''} of {' to '.join(dict.fromkeys((days[0], days[-1])))}"
        if days
        else "",
    ]
    return ", ".join(part for part in parts if part)


def _named(frame: Any, term: str | None) -> list[str]:
    rows = exchange.lazy(frame)
    if term is None or term not in rows.collect_schema():
        return []
    return [str(name) for name in rows.select(term).drop_nulls().unique().sort(term).collect()[term]]


def _different(words: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(word) for word in words if word is not None and str(word)))


def _few(before: str, several: str, words: list[str]) -> str:
    # More than two would fill the line.
    return f"{len(words)} {several}" if len(words) > 2 else " and ".join(before + word for word in words)  # noqa: PLR2004 - two
