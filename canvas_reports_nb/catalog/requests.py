"""Requests as the rows of a frame: one row a run, column ``report``, optional ``account``, one column a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from canvas_reports_nb.catalog.parameters import is_blank, wire_value
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

_TERM = "enrollment_term_id"


@dataclass(frozen=True, slots=True)
class Request:
    """One run that is wanted.

    Attributes
    ----------
    row : int
        Place in the frame, from 0.
    report : str
    account : str or None
        ``None`` for the connection's own.
    parameters : mapping
        Those that are sent: blanks are left out.
    given : mapping
        All columns of the row, as they go to Canvas; a blank is ``None``.
    """

    row: int
    report: str
    account: str | None
    parameters: Mapping[str, Any]
    given: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The request in a few words, for a table or a log line."""
        where = [f"account {self.account}"] if self.account else []
        return ", ".join(
            [self.report, *where, *(f"{name}={value}" for name, value in self.parameters.items())]
        )


def parse_queries(requests: Any) -> list[Request]:
    """The rows of a frame as requests, in its order.

    Parameters
    ----------
    requests : DataFrame
        pandas, polars (eager or lazy) or Arrow; or a list of mappings. Column ``report``, optional ``account``,
        all others are parameters; a blank cell (``None``, NaN, empty text) is not sent.

    Raises
    ------
    ParameterError
        No column ``report``, a row without one, or no row at all.
    """
    rows = _rows(requests)
    if not rows:
        raise ParameterError("There is no request: the frame has no rows.", hint="Give one row a run.")
    # Mappings may leave out what is blank; the stacked frame has the columns of all.
    names = list(dict.fromkeys(name for row in rows for name in row))
    if "report" not in names:
        raise ParameterError(
            f"Requests need a column 'report'; there are: {', '.join(map(str, names)) or 'none'}.",
            hint="crn.requests_for(report, terms=[...]) builds such a frame.",
        )
    return [_request(number, {name: row.get(name) for name in names}) for number, row in enumerate(rows)]


def _rows(requests: Any) -> list[Mapping[str, Any]]:
    import narwhals as nw  # noqa: PLC0415 - only many requests need it

    if isinstance(requests, Sequence) and all(isinstance(row, Mapping) for row in requests):
        return list(requests)
    try:
        known = nw.from_native(requests)
    except nw.exceptions.DuplicateError:
        raise ParameterError(
            "The requests have several columns of one name.", hint="Give each column once."
        ) from None
    except TypeError:
        raise ParameterError(
            f"Requests are the rows of a frame, not {type(requests).__name__}.",
            hint="Give a DataFrame with one row a run; crn.requests_for(report, terms=[...]) builds one.",
        ) from None
    whole = known.collect() if isinstance(known, nw.LazyFrame) else known
    # Cell by cell as they are: a column of ids and texts has no one type in a stricter frame.
    return [dict(row) for row in whole.iter_rows(named=True)]


def _request(number: int, row: Mapping[str, Any]) -> Request:
    given = {str(name): None if is_blank(value) else wire_value(value) for name, value in row.items()}
    if given["report"] is None:
        raise ParameterError(
            f"Row {number} of the requests (counted from 0) names no report.",
            hint="canvas.reports() lists what there is.",
        )
    account = given.get("account")
    sent = {
        name: value
        for name, value in given.items()
        if name not in {"report", "account"} and value is not None
    }
    return Request(number, str(given["report"]), None if account is None else str(account), sent, given)


def requests_for(
    report: str | Iterable[str], *, terms: Any = None, accounts: Any = None, **parameters: Any
) -> pd.DataFrame:
    """The requests for every combination: reports by accounts by terms by whatever else is given as a list.

    Parameters
    ----------
    report : str or list of str
    terms : list, optional
        Ids, ``sis_term_id:X`` or exact names; one column of the report's own name for a term.
    accounts : list, optional
        Ids, ``"self"`` or ``sis_account_id:X``; column ``account``.
    **parameters
        One column each. A list gives one run a value; several values for one run are one text with commas.

    Returns
    -------
    pandas.DataFrame
        For `read_reports`; add, drop and edit rows as you like.

    Raises
    ------
    ParameterError
        The report takes no term, or a list is empty.

    Examples
    --------
    >>> requests_for("grade_export_csv", terms=["sis_term_id:FA25", "sis_term_id:SP26"])["report"].tolist()
    ['grade_export_csv', 'grade_export_csv']
    """
    names = _several(report)
    if not names:
        raise ParameterError("report is an empty list.", hint="Name one report at least.")
    return pd.concat([_combined(name, terms, accounts, parameters) for name in names], ignore_index=True)


def _combined(report: str, terms: Any, accounts: Any, parameters: Mapping[str, Any]) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {"report": [report]}
    if accounts is not None:
        columns["account"] = _several(accounts)
    if terms is not None:
        columns[_term_of(report)] = _several(terms)
    columns |= {name: _several(value) for name, value in parameters.items()}
    empty = [name for name, values in columns.items() if not values]
    if empty:
        raise ParameterError(f"{', '.join(empty)} is an empty list.", hint="Leave it out.", report=report)
    return pd.DataFrame(list(product(*columns.values())), columns=list(columns))


def _term_of(report: str) -> str:
    known = schema(report)
    if known is None:
        return _TERM
    for name, declared in known.parameters.items():
        if declared.type == "term":
            return name
    raise ParameterError(f"{report} takes no term.", hint="Leave terms= out.", report=report)


def _several(value: Any) -> list[Any]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return [value]
    return list(value)
