"""Requests as the rows of a frame: one row per run, with columns ``report``, ``account`` and one per parameter."""

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
    """One row of the requests."""

    row: int  # position in the frame, from 0
    report: str
    account: str | None  # None for the connection's account
    parameters: Mapping[str, Any]  # without blanks
    given: Mapping[str, Any]  # all columns; a blank is None

    @property
    def label(self) -> str:
        """A short description for tables and log lines."""
        where = [f"account {self.account}"] if self.account else []
        return ", ".join(
            [self.report, *where, *(f"{name}={value}" for name, value in self.parameters.items())]
        )


def parse_queries(requests: Any) -> list[Request]:
    """Return the rows of a pandas, polars or Arrow frame, or of a list of mappings, as requests.

    All columns except ``report`` and ``account`` are parameters. A blank cell is not sent.
    """
    rows = _rows(requests)
    if not rows:
        raise ParameterError("The requests have no rows.", hint="Add one row per run.")
    # Mappings may leave out blanks, but the stacked frame has the columns of all.
    names = list(dict.fromkeys(name for row in rows for name in row))
    if "report" not in names:
        raise ParameterError(
            f"The requests have no column 'report', only: {', '.join(map(str, names)) or 'none'}.",
            hint="Add it, or make the frame with crn.requests_for(report, terms=[...]).",
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
            "The requests have several columns with the same name.", hint="Give each column once."
        ) from None
    except TypeError:
        raise ParameterError(
            f"Requests must be the rows of a frame, not {type(requests).__name__}.",
            hint="Use a DataFrame with one row per run; crn.requests_for(report, terms=[...]) makes one.",
        ) from None
    whole = known.collect() if isinstance(known, nw.LazyFrame) else known
    # Cell by cell, because a column may mix ids and texts, which a stricter frame can't hold.
    return [dict(row) for row in whole.iter_rows(named=True)]


def _request(number: int, row: Mapping[str, Any]) -> Request:
    given = {str(name): None if is_blank(value) else wire_value(value) for name, value in row.items()}
    if given["report"] is None:
        raise ParameterError(
            f"Row {number} of the requests (counted from 0) has no report.",
            hint="Enter one of the reports that canvas.reports() lists.",
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
    """Return the requests for every combination of reports, accounts, terms and other listed values.

    Parameters
    ----------
    report : str or list of str
    terms : list, optional
        Ids, ``sis_term_id:X`` or exact names, for the report's term parameter.
    accounts : list, optional
        Ids, ``"self"`` or ``sis_account_id:X``, for the column ``account``.
    **parameters
        One column each. A list makes one run per value; write several values for one run as a text with commas.

    Returns
    -------
    pandas.DataFrame
        Requests for `read_reports`. Add, remove and edit rows as you like.

    Raises
    ------
    ParameterError
        The report takes no term, or a list is empty.

    Examples
    --------
    >>> crn.requests_for("grade_export_csv", terms=["sis_term_id:FA25", "sis_term_id:SP26"])["report"].tolist()
    ['grade_export_csv', 'grade_export_csv']
    """
    names = _several(report)
    if not names:
        raise ParameterError("report is an empty list.", hint="Name at least one report.")
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
        raise ParameterError(
            f"{', '.join(empty)} is an empty list.", hint="Leave it out, or add a value.", report=report
        )
    return pd.DataFrame(list(product(*columns.values())), columns=list(columns))


def _term_of(report: str) -> str:
    known = schema(report)
    if known is None:
        return _TERM
    for name, declared in known.parameters.items():
        if declared.type == "term":
            return name
    raise ParameterError(f"{report} does not take a term.", hint="Leave terms= out.", report=report)


def _several(value: Any) -> list[Any]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return [value]
    return list(value)
