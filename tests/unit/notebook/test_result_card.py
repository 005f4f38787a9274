"""The result of a run: its card, and the code that gives the same frame."""

import inspect
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.notebook.result_card import card, snippet

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


def result_of(report: str, table: str) -> Any:
    return SimpleNamespace(tables=(table,), provenance={"report": report, "run_id": 7, "parameters": {}})


def test_cells_are_shown_as_text() -> None:
    frame = pd.DataFrame(
        {
            "student name": ["<script>alert(1)</script>", "مريم", None],
            "student id": pd.array([12345678901234567, None, 3], dtype="Int64"),
            "moon phase": ["x" * 500, "", "李小明"],
        }
    )
    shown = card(result_of("grade_export_csv", "grade_export_csv"), "grade_export_csv", frame, "df = 1 < 2")
    assert "3 rows, 3 columns" in shown
    assert "<script>" not in shown
    assert "12345678901234567" in shown
    assert "nan" not in shown.lower()
    assert "x" * 100 not in shown
    assert "Personal data in 2 of 3 columns; not in the catalog: 1." in shown
    assert "df = 1 &lt; 2" in shown


@pytest.mark.parametrize(("rows", "unit"), [(1, "bytes"), (10_000, "kB"), (2_000_000, "MB")])
def test_memory_has_a_unit(rows: int, unit: str) -> None:
    frame = pd.DataFrame({"x": range(rows)})
    assert f" {unit} in memory" in card(result_of("unheard_of_csv", "t"), "t", frame, "")
