"""Which report a typed text selects."""

from canvas_reports_nb.canvas_api.models import AvailableReport
from canvas_reports_nb.notebook.report_list import find, matches


def test_a_shared_title_selects_nothing() -> None:
    offers = [
        AvailableReport("a_csv", "Grades"),
        AvailableReport("b_csv", "Grades"),
        AvailableReport("c_csv", "Other"),
    ]
    assert find("grades", offers) is None
    assert find("GRADES · B_csv", offers) is offers[1]
    assert find("other", offers) is offers[2]
    assert "2 of 3 reports match" in matches("grades", offers)
    assert "can't see any report" in matches("", [])
