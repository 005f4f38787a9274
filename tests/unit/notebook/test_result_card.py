"""What a form says of a run: the code to copy, the words, the times between two questions."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.parameters import to_wire
from canvas_reports_nb.notebook.past_runs import PastRuns, suggest
from canvas_reports_nb.notebook.result_card import card, snippet
from canvas_reports_nb.notebook.worker import later
from canvas_reports_nb.runs.progress import ProgressEvent

NOW = datetime(2026, 3, 2, 16, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)
VALUES = st.one_of(
    TEXT, st.booleans(), st.integers(-(10**18), 10**18), st.lists(TEXT, min_size=1, max_size=3)
)


class Spy:
    """Stands for a connection: keeps how it was called."""

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
    assert {**keywords.pop("parameters", {}), **keywords} == to_wire("some_report_csv", parameters)


def result_of(report: str, table: str) -> Any:
    return SimpleNamespace(tables=(table,), provenance={"report": report, "run_id": 7, "parameters": {}})


def test_cells_are_shown_as_text_and_nothing_runs() -> None:
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
    assert "Personal data in 2 of 3 columns; 1 columns are not known" in shown
    assert "df = 1 &lt; 2" in shown


@pytest.mark.parametrize(("rows", "unit"), [(1, "bytes"), (10_000, "kB"), (2_000_000, "MB")])
def test_memory_has_a_unit(rows: int, unit: str) -> None:
    frame = pd.DataFrame({"x": range(rows)})
    assert f" {unit} in memory" in card(result_of("unheard_of_csv", "t"), "t", frame, "")


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 100))
def test_time_passes_between_two_questions(queued: float, running: float, seconds: float) -> None:
    event = ProgressEvent("waiting", "r", 1, "running", queued=queued, running=running, next_poll=20.0)
    after = later(event, seconds)
    assert after.queued + after.running == pytest.approx(queued + running + seconds)
    assert after.queued == queued if running else after.running == 0
    assert after.next_poll == max(20.0 - seconds, 0)
    done = ProgressEvent("downloading", "r", 1)
    assert later(done, seconds) is done


def run_of(number: int, status: str, hours: float, **parameters: Any) -> ReportRun:
    at = NOW - timedelta(hours=hours)
    return ReportRun(number, "grade_export_csv", status, parameters=parameters, created_at=at, ended_at=at)


def test_only_an_equal_run_of_today_is_suggested() -> None:
    runs = [run_of(5, "error", 1, x="1"), run_of(4, "complete", 3, x="1"), run_of(3, "complete", 30, y="1")]
    found = suggest("grade_export_csv", {"x": 1}, kept=[], runs=runs, now=NOW)
    assert (found.run_id, found.stored, found.text) == (4, False, "Reuse run 4 from 3.0 h ago")
    assert "finished on Canvas" in found.reason
    assert suggest("grade_export_csv", {"y": 1}, kept=[], runs=runs, now=NOW) is None


def test_past_runs_offer_what_can_be_done_with_them() -> None:
    clicked: list[tuple[str, int]] = []
    past = PastRuns(
        lambda run: clicked.append(("load", run.id)), lambda run: clicked.append(("delete", run.id))
    )
    states = ["complete", "running", "error", "aborted"]
    runs = [run_of(n, states[n % 4], n, name="<i>x</i>") for n in range(14)]
    past.show(runs, NOW)
    words = {
        row.children[1].value: [b.description for b in row.children[0].children]
        for row in past.box.children[1:-1]
    }
    assert len(words) == 10
    assert [*words.values()][:4] == [["Load", "Delete"], ["Follow"], ["Delete"], ["Delete"]]
    assert all("<i>" not in text for text in words)
    assert "4 or more, older" in past.box.children[-1].value
    past.busy(True)
    buttons = [row.children[0].children for row in past.box.children[1:-1]]
    assert all(b.disabled == (b.description != "Delete") for row in buttons for b in row)
    buttons[0][1].click()
    assert clicked == []
    buttons[0][1].click()
    assert clicked == [("delete", 0)]
    assert json.dumps("<i>x</i>") not in str(words)
