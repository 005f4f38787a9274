"""The past runs of a report, and the one that is offered."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.notebook.past_runs import PastRuns, suggest

NOW = datetime(2026, 3, 2, 16, tzinfo=UTC)


def run_of(number: int, status: str, hours: float, **parameters: Any) -> ReportRun:
    at = NOW - timedelta(hours=hours)
    return ReportRun(number, "grade_export_csv", status, parameters=parameters, created_at=at, ended_at=at)


def query(**asked: Any) -> Query:
    return Query.checked("grade_export_csv", asked, account="self", listed=set(asked), terms=list, now=NOW)


def test_only_an_equal_run_of_today_is_suggested() -> None:
    runs = [run_of(5, "error", 1, x="1"), run_of(4, "complete", 3, x="1"), run_of(3, "complete", 30, y="1")]
    found = suggest(query(x=1), kept=[], runs=runs, now=NOW)
    decision, label = found
    assert (decision.run_id, decision.action, label) == (4, "finished", "Open run 4 from 3.0 h ago")
    assert "finished in Canvas" in decision.reason
    assert suggest(query(y=1), kept=[], runs=runs, now=NOW) is None


def test_each_past_run_has_the_buttons_that_apply() -> None:
    clicked: list[tuple[str, int]] = []
    past = PastRuns(
        lambda run: clicked.append(("open", run.id)), lambda run: clicked.append(("delete", run.id))
    )
    states = ["complete", "running", "error", "aborted"]
    runs = [run_of(n, states[n % 4], n, name="<i>x</i>") for n in range(14)]
    past.show(runs, NOW)
    words = {
        row.children[1].value: [b.description for b in row.children[0].children]
        for row in past.box.children[1:-1]
    }
    assert len(words) == 10
    assert [*words.values()][:4] == [["Open", "Delete"], ["Follow"], ["Delete"], ["Delete"]]
    assert all("<i>" not in text for text in words)
    assert "4 or more older runs" in past.box.children[-1].value
    past.set_busy(True)
    buttons = [row.children[0].children for row in past.box.children[1:-1]]
    assert all(b.disabled == (b.description != "Delete") for row in buttons for b in row)
    buttons[0][1].click()
    assert clicked == []
    buttons[0][1].click()
    assert clicked == [("delete", 0)]
    assert json.dumps("<i>x</i>") not in str(words)
