"""Which reports a search finds, and which it selects."""

from datetime import UTC, datetime, timedelta

import pytest

from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun
from canvas_reports_nb.notebook.report_list import ReportList, find, fits, no_match

NOW = datetime(2026, 3, 2, 16, tzinfo=UTC)


def test_a_shared_title_selects_nothing() -> None:
    offers = [
        AvailableReport("a_csv", "Grades"),
        AvailableReport("b_csv", "Grades"),
        AvailableReport("c_csv", "Other"),
    ]
    assert find("grades", offers) is None
    assert find("B_csv ", offers) is offers[1]
    assert find("other", offers) is offers[2]
    assert no_match("c_cvs", offers).startswith("No report matches 'c_cvs'. Did you mean 'c_csv'")


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [
        ("", True),
        ("GRADE exp", True),
        ("grade_export_csv", True),
        ("override scores", True),
        ("logins", False),
    ],
)
def test_a_search_looks_at_title_name_and_description(typed: str, is_found: bool) -> None:
    assert fits(typed, AvailableReport("grade_export_csv", "Grade Export")) is is_found


def test_the_list_is_grouped_and_shows_the_last_runs() -> None:
    chosen: list[str] = []
    listed = ReportList(lambda: chosen.append(listed.selected.report))
    assert listed._picker.label == "Choose a report", "on a narrow page"
    ran = ReportRun(7, "lti_report_csv", "complete", ended_at=NOW - timedelta(hours=2))
    evil = '"} * {display: none}'
    offers = [
        AvailableReport("unheard_of_csv", evil),
        AvailableReport("lti_report_csv", "LTI", last_run=ran),
        AvailableReport("grade_export_csv", "Grade Export"),
    ]
    listed.show(offers, lambda: NOW, UTC)
    assert listed._picker.label == "Choose a report"
    assert listed.options == ("grade_export_csv", "lti_report_csv", "unheard_of_csv")
    style = listed._style.value
    assert 'option:nth-child(2)::before {content: "Security and tools"}' in style
    assert 'option:nth-child(2)::after {content: "2 h ago"}' in style
    assert evil not in style, "no text of the server gets into the style"
    listed._picker.value = "lti_report_csv"
    assert (chosen, listed._list.value) == (["lti_report_csv"], "lti_report_csv")
    listed.value = "grade"
    assert (listed.options, listed.selected.report) == (("grade_export_csv",), "grade_export_csv")
    listed.value = ""
    listed.show(offers[:2], lambda: NOW, UTC)
    assert (listed.selected, listed._picker.label) == (None, "Choose a report")
    listed.show([], lambda: NOW, UTC)
    assert "t see any report" in listed._matches.value
    assert listed.disabled
