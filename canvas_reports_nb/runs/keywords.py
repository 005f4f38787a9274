"""The keywords of the readers: the help for each, and an error for a misspelled one."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import UnknownParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_F = TypeVar("_F", bound="Callable[..., Any]")
_NEAR = 0.7


def _entries(text: str) -> dict[str, str]:
    """Split the Parameters section of a docstring into one entry per keyword."""
    return {entry.split()[0].lstrip("*"): entry for entry in re.split(r"\n(?=\S)", text.strip())}


# The help for each keyword, shared by all readers.
_KEYWORDS = _entries("""
report : str
    The report's name, such as ``grade_export_csv``.
requests : DataFrame or list of dict
    One row per run: a column ``report``, an optional column ``account``, and one column per parameter. A blank
    cell is not sent. `requests_for` builds such a frame.
parameters : mapping, optional
    Parameters of the report, for names that clash with a keyword of this function.
table : str, optional
    Which table to read. Needed if the run has several.
columns : sequence of str, optional
    Only these, in this order; ``[]`` keeps all rows and no column. All by default.
engine : {"pandas", "polars", "arrow", "dask"}
    Which kind of frame to return.
on_error : {"raise", "return"}
    What to do if some runs fail. "raise" raises one error for all of them, with the finished runs on it.
    "return" returns a pair: the frame of the finished runs, and the ``status`` of each request.
max_age : float, str or timedelta
    Reuse a finished run that is at most this old: seconds, "7d", "12h" or a timedelta. The default is one day.
    0 starts a new run. With ``offline=True`` the default is any age.
as_of : str or date, optional
    A past day, such as "2026-09-14": read the newest finished run with these parameters, from the store or from
    Canvas, that started before that day began. No run is started; an error names the nearest ones. Run the report
    every evening, such as with cron, so that there is one.
within : float, str or timedelta, optional
    How long before that midnight the run may have started: "12h", "7d". The default is three days.
zone : str, optional
    The time zone of that midnight, such as ``"America/Denver"``. The default is the account's.
run_id : int, optional
    Read exactly this run. ``canvas.history(report)`` lists the runs.
offline : bool
    Read from the store only; nothing is sent to Canvas.
progress : {"auto", "widget", "tqdm", "log", False} or ProgressSink
    How to show progress. "auto" chooses a widget, a terminal bar or log lines.
timeout : float, optional
    Total seconds for the call, download included. No limit by default.
on_interrupt : {"detach", "abort"}
    What an interrupt does to a run this call started: let it continue in Canvas, or stop it.
windows : bool
    Split a period that is longer than the 14 days that ``students_with_no_submissions_csv`` looks at into several
    runs, and keep the rows that all of them have: the students who submitted nothing in the whole period.
**report_parameters
    All other keywords are parameters of the report.
""")
TABLES = """
table : str or sequence of str, optional
    Which tables to read. All by default.
columns : sequence of str, or mapping of str to sequence of str, optional
    Only these, in this order, of every table or of each table by name. All by default.
"""
LAZY = """
engine : {"polars", "dask"}
    Which kind of lazy frame to return.
"""


def reader(differing: str = "") -> Callable[[_F], _F]:
    """Document every keyword of a reader, and reject misspelled ones before anything is sent."""

    def decorate(method: _F) -> _F:
        _, first, *others = inspect.signature(method).parameters.values()
        keywords = [each.name for each in others if each.kind is each.KEYWORD_ONLY]
        is_single = first.name == "report"

        @functools.wraps(method)
        def call(self: Any, *positional: Any, **named: Any) -> Any:
            report = positional[0] if positional else named.get(first.name)
            others = named.keys() - {first.name}
            _check_keywords(method.__name__, keywords, others, report, is_single=is_single)
            return method(self, *positional, **named)

        entries = _KEYWORDS | (_entries(differing) if differing else {})
        section = ["Parameters", "----------", *(entries[each.name] for each in (first, *others))]
        head, returns, rest = inspect.cleandoc(method.__doc__ or "").partition("Returns\n")
        call.__doc__ = head + "\n".join(section) + f"\n\n{returns}{rest}"
        return cast("_F", call)

    return decorate


def _check_keywords(
    reader: str, keywords: list[str], named: Iterable[str], report: Any, *, is_single: bool
) -> None:
    """Reject a name that is not a keyword of the reader, or only looks like one.

    Other names of a single report may be parameters that only Canvas knows; they are checked later.
    """
    known = schema(report) if isinstance(report, str) else None
    parameters = list(known.parameters) if known else []
    for name in set(named) - set(keywords):
        near = difflib.get_close_matches(name, [*keywords, *parameters], 3, _NEAR)
        looks_like_ours = name in _KEYWORDS or not set(keywords).isdisjoint(near)
        if not is_single or (looks_like_ours and not (known and known.parameter(name))):
            raise _no_keyword(reader, name, near, [] if is_single else keywords)


def _no_keyword(reader: str, name: str, near: list[str], keywords: list[str]) -> UnknownParameterError:
    hint = f"Did you mean {'= or '.join(near)}=? " if near else ""
    if keywords:
        hint += f"The keywords are: {', '.join(keywords)}."
    else:
        hint += f'If it is a parameter of the report, use parameters={{"{name}": ...}}.'
    return UnknownParameterError(f"{reader} has no keyword {name}=.", hint=hint)
