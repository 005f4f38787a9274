"""Charts of grades show the numbers of the summary."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.analysis.charts.grades import wilson
from canvas_reports_nb.analysis.grades import summary
from tests.unit.analysis.charts.samples import (
    GOOD,
    GRADES,
    KINDS,
    export,
    heights,
    kind,
    ticks,
)


@pytest.mark.parametrize("name", KINDS)
def test_grades(name):
    ax = charts.grade_distribution(kind(GRADES, name), score="final")
    lefts = {round(patch.get_x() + patch.get_width() / 2 - 2.5): patch.get_height() for patch in ax.patches}
    assert {place: height for place, height in lefts.items() if height} == {60: 1, 95: 2}
    assert "3 grades from 60.0 to 100.0, median 95.0; 1 without a score, 1 withdrawn" in charts.alt_text(ax)
    assert "Fall 2025" in ax.get_title(loc="left")


@pytest.mark.parametrize("withdrawn", [("inactive", "deleted"), ("deleted",), ()])
def test_the_chart_counts_the_same_grades_as_the_summary(withdrawn):
    frame = export(
        [90.0, 80.0, 10.0, None], **{"enrollment state": ["active", "inactive", "deleted", "active"]}
    )
    (row,) = summary(frame, withdrawn=withdrawn).to_dict("records")
    ax = charts.grade_distribution(frame, withdrawn=withdrawn)
    assert sum(heights(ax)) == row["n"]
    assert f"median {row['median']:.1f}" in charts.alt_text(ax)


def test_a_single_state_may_be_a_string():
    frame = export([90.0, 80.0], **{"enrollment state": ["active", "deleted"]})
    assert sum(heights(charts.grade_distribution(frame, withdrawn="deleted"))) == 1


def test_scores_far_beyond_the_scale_share_a_bar():
    ax = charts.grade_distribution(export([80.0, 100_000.0, 150.0, -7000.0, float("inf")]), score="final")
    assert len(ax.patches) < 50
    assert (heights(ax)[0], heights(ax)[-1], sum(heights(ax))) == (1, 2, 4)
    assert ticks(ax.xaxis)[0] == "< -50"
    assert ticks(ax.xaxis)[-1] == "150+"


@pytest.mark.parametrize("name", KINDS)
def test_dfw(name):
    ax = charts.dfw_by_course(kind(GRADES, name), minimum=4)
    # One failed, one withdrew, two passed; the one without a score is not judged.
    (points,) = ax.lines
    assert points.get_xdata().tolist() == [50.0]
    assert ticks(ax.yaxis) == ["Welding (4)"]
    assert "Welding has the highest rate, 50%" in charts.alt_text(ax)


def test_small_courses_are_left_out():
    ax = charts.dfw_by_course(GRADES)
    assert ticks(ax.yaxis) == []
    assert "1 with fewer than 5 students left out" in charts.alt_text(ax)


def test_courses_with_the_same_name_get_their_sis_id():
    frame = pd.concat(
        [
            export([50.0], **{"course id": 1, "course sis": "WELD-FA25"}),
            export([50.0], **{"course id": 2, "course sis": "WELD-SP26"}),
            export([50.0], **{"course id": 3, "course sis": None}),
            export([50.0], **{"course id": 4, "course sis": None, "course": "Art"}),
        ]
    )
    ax = charts.dfw_by_course(frame, minimum=1)
    # The third has no SIS id, and its name alone is unique by then.
    assert ticks(ax.yaxis) == ["Welding [WELD-FA25] (1)", "Welding [WELD-SP26] (1)", "Welding (1)", "Art (1)"]


@pytest.mark.parametrize("chart", [charts.grade_distribution, charts.dfw_by_course])
def test_a_frame_without_terms_is_drawn(chart):
    assert "Fall" not in chart(GOOD.drop(columns="term")).get_title(loc="left")


@given(of=st.integers(1, 400), data=st.data())
def test_wilson(of, data):
    hits = data.draw(st.integers(0, of))
    low, high = wilson(hits, of)
    assert 0 <= low <= hits / of + 1e-12
    assert hits / of - 1e-12 <= high <= 1
    # Its ends are where the score test just rejects: |share - p| = z * sqrt(p (1 - p) / n).
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            assert abs(hits / of - end) == pytest.approx(
                1.959964 * (end * (1 - end) / of) ** 0.5, rel=1e-4, abs=1e-9
            )
