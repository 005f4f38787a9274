"""The result of a run: its card, and the code that gives the same frame."""

import inspect
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.notebook.result_card import personal_note, preview, snippet

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)
VALUES = st.one_of(
    TEXT, st.booleans(), st.integers(-(10**18), 10**18), st.lists(TEXT, min_size=1, max_size=3)
)


class Spy:
    """A connection that records its call."""

    def __init__(self) -> None:
        self.on: str | None = None
        self.called: tuple[str, dict[str, Any]] | None = None

    def account(self, account: str) -> "Spy":
        self.on = account
        return self

    def read_report(self, report: str, **keywords: Any) -> None:
        self.called = (report, keywords)


@given(
    parameters=st.dictionaries(
        TEXT | st.sampled_from(["table", "class", "users", "max_age"]), VALUES, max_size=5
    ),
    table=st.none() | TEXT,
    account=st.none() | TEXT,
)
def test_the_code_to_copy_makes_the_same_call(
    parameters: dict[str, Any], table: str | None, account: str | None
) -> None:
    spy = Spy()
    exec(snippet("some_report_csv", parameters, table, account), {"canvas": spy})
    report, keywords = spy.called
    assert (report, spy.on) == ("some_report_csv", account)
    assert keywords.pop("table", None) == table
    assert {**keywords.pop("parameters", {}), **keywords} == parameters


@pytest.mark.parametrize("report", schemas.reports())
def test_every_parameter_of_the_catalog_is_a_keyword_in_the_code(report: str) -> None:
    parameters = dict.fromkeys(schemas.schema(report).parameters, "x")
    spy = Spy()
    exec(snippet(report, parameters), {"canvas": spy})
    assert spy.called == (report, parameters)
    assert not parameters.keys() & inspect.signature(crn.read_report).parameters.keys()


KNOWN = schemas.schema("grade_export_csv").tables["grade_export_csv"]


def test_cells_are_shown_as_text() -> None:
    frame = pd.DataFrame(
        {
            "student name": ["<script>alert(1)</script>", "مريم", None],
            "student id": pd.array([12345678901234567, None, 3], dtype="Int64"),
            "moon phase": ["x" * 500, "", "李小明"],
            "is new": pd.array([True, False, None], dtype="boolean"),
            "seen": pd.to_datetime(["2026-03-02T16:14:07Z", None, None]),
        }
    )
    shown = preview(frame, KNOWN, 0, 50)
    assert "<script>" not in shown
    for text in ("12345678901234567", "<bdi>yes</bdi>", "<bdi>no</bdi>", "2026-03-02 16:14"):
        assert text in shown
    assert "nan" not in shown.lower()
    assert "nat" not in shown.lower().replace("catalog", "")
    assert "x" * 100 not in shown
    assert personal_note(frame, KNOWN) == "Personal data in 2 of 5 columns; not in the catalog: 3."
    assert "not in the catalog" in personal_note(frame, None)


def test_pages_and_wide_tables() -> None:
    frame = pd.DataFrame({f"column {n}": range(120) for n in range(70)})
    assert "<bdi>49</bdi>" in preview(frame, None, 0, 50)
    last = preview(frame, None, 100, 50)
    assert ("<bdi>100</bdi>" in last, "<bdi>99</bdi>" in last, "<bdi>119</bdi>" in last) == (
        True,
        False,
        True,
    )
    assert "and 10 more columns" in last
    assert "<tbody></tbody>" in preview(frame.iloc[:0], None, 0, 50)
