"""Requests as the rows of a frame of any kind."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.catalog.requests import parse_queries
from canvas_reports_nb.exceptions import ParameterError

GRADES = "grade_export_csv"
ROWS = [
    {"report": GRADES, "account": 7, "enrollment_term_id": 12, "include_deleted": True},
    {"report": "zero_activity_csv", "account": None, "enrollment_term_id": None, "include_deleted": None},
]


@pytest.mark.parametrize(
    "frame",
    [ROWS, pd.DataFrame(ROWS), pl.DataFrame(ROWS), pl.LazyFrame(ROWS), pa.Table.from_pylist(ROWS)],
    ids=type,
)
def test_any_frame_gives_the_same_requests(frame: Any) -> None:
    first, second = parse_queries(frame)
    assert (first.row, first.report, first.account) == (0, GRADES, "7")
    assert first.parameters == {"enrollment_term_id": 12, "include_deleted": True}
    assert type(first.parameters["enrollment_term_id"]) is int
    assert (second.row, second.account, second.parameters) == (1, None, {})
    assert second.given == {**ROWS[1]}
    assert first.label == f"{GRADES}, account 7, enrollment_term_id=12, include_deleted=True"


def test_mappings_need_not_have_the_same_keys() -> None:
    first, second = parse_queries([{"report": GRADES}, {"enrollment_term_id": 1, "report": GRADES}])
    assert first.given == {"report": GRADES, "enrollment_term_id": None}
    assert (first.parameters, second.parameters) == ({}, {"enrollment_term_id": 1})
    assert list(first.given) == list(second.given), "one order of columns for all"


@given(st.sampled_from([None, np.nan, pd.NA, pd.NaT, "", "  ", [], float("nan")]))
def test_a_blank_is_not_sent(blank: Any) -> None:
    frame = pd.DataFrame(
        {"report": [GRADES], "account": [blank], "enrollment_term_id": [blank]}, dtype=object
    )
    (request,) = parse_queries(frame)
    assert (request.account, request.parameters) == (None, {})


def test_values_are_sent_as_canvas_reads_them() -> None:
    when = datetime(2026, 3, 2, tzinfo=UTC)
    (request,) = parse_queries(
        pd.DataFrame(
            {
                "report": ["zero_activity_csv"],
                "start_at": [when],
                "course_id": [7.0],
                "account": ["sis_account_id:X"],
            }
        )
    )
    assert request.parameters == {"start_at": when.isoformat(), "course_id": 7}
    assert request.account == "sis_account_id:X"


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        (pd.DataFrame(), "no rows"),
        ([], "no rows"),
        (pd.DataFrame({"Report": [GRADES]}), "column 'report', only: Report"),
        ([{"report": GRADES}, {"report": " "}], "Row 1 of the requests"),
        (GRADES, "not str"),
        (7, "not int"),
        (pd.DataFrame([[GRADES, 1, 2]], columns=["report", "account", "account"]), "several columns"),
    ],
)
def test_invalid_requests_are_rejected(requests: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parse_queries(requests)


def test_requests_for_makes_every_combination() -> None:
    made = crn.requests_for(GRADES, terms=[12, "current"], accounts=["self", 7], include_deleted=True)
    assert list(made) == ["report", "account", "enrollment_term_id", "include_deleted"]
    assert list(made.itertuples(index=False, name=None)) == [
        (GRADES, account, term, True) for account in ("self", 7) for term in (12, "current")
    ]
    several = crn.requests_for([GRADES, "lti_report_csv"], include_deleted=[True, False])
    assert len(several) == 4
    assert crn.requests_for("hosted_report_csv", terms="current").columns.tolist() == [
        "report",
        "enrollment_term_id",
    ]
    assert crn.requests_for(GRADES)["report"].tolist() == [GRADES]
    with pytest.raises(ParameterError, match="report is an empty list"):
        crn.requests_for([])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"terms": [1]}, "does not take a term"), ({"accounts": []}, "account is an empty list")],
)
def test_requests_for_rejects_what_has_no_combinations(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        crn.requests_for("lti_report_csv", **wrong)
