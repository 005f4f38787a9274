"""The past runs of a report, and the one that is offered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.catalog.query import Query
from canvas_reports_nb.notebook.past_runs import PastRuns, View, suggest

NOW = datetime(2026, 3, 2, 16, tzinfo=UTC)


def run_of(number: int, status: str, hours: float, **parameters: Any) -> ReportRun:
    at = NOW - timedelta(hours=hours)
    return ReportRun(number, "grade_export_csv", status, parameters=parameters, created_at=at, ended_at=at)


def query(**asked: Any) -> Query:
    return Query.checked("grade_export_csv", asked, account="self", listed=set(asked), terms=list, now=NOW)


def test_only_an_equal_run_of_today_is_suggested() -> None:
    runs = [run_of(5, "error", 1, x="1"), run_of(4, "complete", 3, x="1"), run_of(3, "complete", 30, y="1")]
    decision, label = suggest(query(x=1), kept=[], runs=runs, now=NOW, zone=UTC)
    assert (decision.run_id, decision.action, label) == (4, "finished", "Open today's run (3 h old)")
    assert "finished on Canvas" in decision.reason
    decision, label = suggest(query(x=1), kept=[], runs=[run_of(4, "complete", 20, x="1")], now=NOW, zone=UTC)
    assert label == "Open yesterday's run (20 h old)"
    going = replace(run_of(4, "running", 20, x="1"), ended_at=None)
    decision, label = suggest(query(x=1), kept=[], runs=[going], now=NOW, zone=UTC)
    assert label == "Follow the run in progress"
    decision, label = suggest(query(y=1), kept=[], runs=runs, now=NOW, zone=UTC)
    assert (decision.action, label) == ("start", "")


def test_each_past_run_has_its_words_and_the_buttons_that_apply() -> None:
    clicked: list[tuple[str, int]] = []
    now = [NOW]
    past = PastRuns(
        lambda run: clicked.append(("open", run.id)),
        lambda run: clicked.append(("same", run.id)),
        lambda run: clicked.append(("delete", run.id)),
        lambda: View(
            now[0], UTC, "R. Quill", lambda asked: [f"{n}: {v}" for n, v in asked.items()], {0: 1428}
        ),
    )
    states = ["complete", "running", "error", "aborted"]
    runs = [run_of(n, states[n % 4], n, name="<i>x</i>") for n in range(14)]
    runs[0] = replace(
        runs[0], started_at=NOW - timedelta(minutes=8), raw={"user": {"display_name": "R. Quill"}}
    )
    past.show(runs)
    lines = [line for line in past._table.children if "crn-run-line" in line._dom_classes]
    words = [[b.description for b in line.children[1].children] for line in lines]
    ended = ["Same settings", "…"]
    assert (len(words), words[:4]) == (10, [["Open", *ended], ["Follow", "Same settings"], ended, ended])
    shown = lines[0].children[0].value
    for text in ("today 16:00", "ready", "name: &lt;i&gt;x&lt;/i&gt;", "1,428", "8 min", "you"):
        assert f">{text}</span>" in shown
    assert "Canvas gave no reason" in lines[2].children[0].value
    now[0] = NOW + timedelta(days=1)
    past.update()
    assert "yesterday 16:00" in lines[0].children[0].value, "ages stay current"
    now[0] = NOW
    assert "4 or more older runs" in past._table.children[-1].value
    past.set_busy(True)
    buttons = [line.children[1].children for line in lines]
    assert all(b.disabled == (b.description in ("Open", "Follow")) for row in buttons for b in row)
    buttons[0][1].click()
    assert clicked == [("same", 0)]
    buttons[0][2].click()
    assert "Delete run 0 (today 16:00; name: &lt;i&gt;" in past._question.value
    past._cancel.click()
    past._confirm.click()
    buttons[0][2].click()
    now[0] = NOW + timedelta(minutes=1)
    past.update()
    past._confirm.click()
    buttons[0][2].click()
    past.clear("other report")
    past._confirm.click()
    assert clicked == [("same", 0)], "canceled, expired and outdated questions delete nothing"
    past._arm(runs[2])
    past._confirm.click()
    past._confirm.click()
    assert clicked[1:] == [("delete", 2)]
