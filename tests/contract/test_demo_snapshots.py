"""The runs of past Sunday evenings that the demo keeps, and what has changed since."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import canvas_reports_nb as crn
from canvas_reports_nb.demo_canvas.canvas import sunday_evenings

GRADES = "grade_export_csv"
ASK = {"enrollment_term_id": "current", "progress": False}


def test_sunday_evenings():
    monday = datetime(2026, 3, 2, 16, 14, tzinfo=UTC)
    evenings = list(islice(sunday_evenings(monday), 2))
    assert evenings == [datetime(2026, 3, 2, 6, 30, tzinfo=UTC), datetime(2026, 2, 23, 6, 30, tzinfo=UTC)]
    for hours, week in ((-10, 1), (-9, 0), (6 * 24 - 10, 0)):
        assert next(sunday_evenings(monday + timedelta(hours=hours))) == evenings[week]


def test_a_run_has_earlier_ones_with_other_scores_and_people(canvas):
    connection = canvas(snapshots=3, enrollments=1_500)
    now = connection.read_report(GRADES, **ASK)
    again = connection.read_report(GRADES, max_age=0, **ASK)
    history = connection.history(GRADES)
    assert list(history["status"]) == ["complete"] * 5  # the second run adds no past ones
    assert history["started_at"].is_monotonic_decreasing
    older = connection.read_report(GRADES, as_of="2026-02-16", **ASK)
    found = crn.diff(older, now)
    assert found.counts["added"] > 0
    assert found.counts["removed"] > 0
    assert found.by_column["current score"] > 0
    assert crn.diff(now, again).counts["changed"] == 0
    assert len(crn.diff(older, connection.read_report(GRADES, as_of="2026-02-23", **ASK)).changed) > 0


def test_without_snapshots_there_is_no_earlier_run(canvas):
    connection = canvas(enrollments=300)
    connection.read_report(GRADES, **ASK)
    assert len(connection.history(GRADES)) == 1
