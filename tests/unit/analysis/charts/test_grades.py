"""Charts of grades show the numbers of the letters and rates."""

import warnings

import pandas as pd
import pytest

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.analysis.grades import letters
from canvas_reports_nb.exceptions import ReportWarning
from tests.unit.analysis.charts.samples import (
    GOOD,
    GRADES,
    KINDS,
    export,
    footer,
    heights,
    kind,
    source,
    ticks,
)


@pytest.mark.parametrize("name", KINDS)
def test_grades(name):
    ax = charts.grade_distribution(kind(GRADES, name), score="final")
    lefts = {round(patch.get_x() + patch.get_width() / 2 - 2.5): patch.get_height() for patch in ax.patches}
    assert {place: height for place, height in lefts.items() if height} == {60: 1, 95: 2}
    assert (
        "3 grades from 60.0 to 100.0, median 95.0; 1 without a graded score, 1 withdrawn or dropped"
        in charts.alt_text(ax)
    )
    assert "Fall 2025" in source(ax)


@pytest.mark.parametrize("withdrawn", [("inactive",), ("inactive", "deleted"), ()])
def test_the_chart_counts_the_same_grades_as_the_letters(withdrawn):
    frame = export(
        [90.0, 80.0, 10.0, None], **{"enrollment state": ["active", "inactive", "deleted", "active"]}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReportWarning)
        classes = letters(frame, withdrawn=withdrawn)["letter class"]
    kept = frame["final score"][~classes.isin(["W", "dropped", "none"]).to_numpy()]
    ax = charts.grade_distribution(frame, withdrawn=withdrawn)
    assert sum(heights(ax)) == len(kept)
    assert f"median {kept.median():.1f}" in charts.alt_text(ax)


def test_work_that_was_never_graded_is_no_grade_of_zero():
    frame = export([90.0, 0.0], **{"current score": [90.0, None]})
    assert sum(heights(charts.grade_distribution(frame))) == 1


def test_a_single_state_may_be_a_string():
    frame = export([90.0, 80.0], **{"enrollment state": ["active", "concluded"]})
    assert sum(heights(charts.grade_distribution(frame, withdrawn="concluded"))) == 1


def test_scores_far_beyond_the_scale_share_a_bar():
    ax = charts.grade_distribution(
        export([80.0, 100_000.0, 150.0, -7000.0, float("inf"), None]), score="final"
    )
    assert "; 2 without a graded score, 0 withdrawn or dropped" in charts.alt_text(ax)
    assert len(ax.patches) < 50
    assert (heights(ax)[0], heights(ax)[-1], sum(heights(ax))) == (1, 2, 4)
    assert ticks(ax.xaxis)[0] == "< -50"
    assert ticks(ax.xaxis)[-1] == "150+"


@pytest.mark.parametrize("name", KINDS)
def test_dfw(name):
    census = kind(GRADES[["student id", "course id"]], name)
    ax = charts.dfw_by_course(kind(GRADES, name), census=census, minimum=4)
    # One D, one withdrew, two passed; the one without a score is not judged.
    (points,) = ax.lines
    assert points.get_xdata().tolist() == [50.0]
    assert ticks(ax.yaxis) == ["Welding (4)"]
    assert "Welding has the highest rate, 50%" in charts.alt_text(ax)
    (interval,) = ax.collections[0].get_segments()
    assert interval[:, 0].tolist() == pytest.approx([15.0, 85.0], abs=0.05), "Wilson's of 2 in 4"
    assert "dfw = (D+F+NP+W)/(valid-I)" in footer(ax)


def test_letters_are_drawn_as_they_are():
    made = letters(GRADES, census=GRADES, scheme={"A": "F"}, bands={"F": 0})
    (points,) = charts.dfw_by_course(made, minimum=1).lines
    assert points.get_xdata().tolist() == [100.0]


def test_small_courses_are_left_out():
    ax = charts.dfw_by_course(GRADES[GRADES["enrollment state"] != "deleted"])
    assert ticks(ax.yaxis) == []
    assert "1 with fewer than 10 grades and 0 with an unused gradebook left out" in charts.alt_text(ax)


def test_a_course_with_an_unused_gradebook_is_not_ranked():
    courses = [export([50.0] * 10), export([0.0] * 20, **{"course id": 2, "current score": None})]
    # pandas 2 warns of a column that is wholly missing, unless both parts have its type.
    ax = charts.dfw_by_course(pd.concat([each.astype({"current score": "Float64"}) for each in courses]))
    assert ticks(ax.yaxis) == ["Welding (10)"]
    assert "1 with an unused gradebook left out" in charts.alt_text(ax)


YEARS = pd.concat(
    [
        export([50.0] * fails + [90.0] * (10 - fails), **{"course id": at, "term id": at, "term": term})
        for at, (term, fails) in enumerate(
            [("Spring 2025", 1), ("Fall 2024", 4), ("Fall 2025", 2), ("Default", 9), ("2026/Spring", 3)]
        )
    ]
)


@pytest.mark.parametrize("name", KINDS)
def test_fall_is_compared_with_fall(name):
    ax = charts.rates_over_terms(kind(YEARS, name))
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert lines == {"Fall": [[2024, 40], [2025, 20]], "Spring": [[2025, 10], [2026, 30]]}
    assert "Fall: 2024 40.0%, 2025 20.0%; Spring" in charts.alt_text(ax)
    assert "1 terms without a year left out" in charts.alt_text(ax)
    terms = pd.DataFrame({"canvas_term_id": [3], "start_date": pd.to_datetime(["2025-01-01"], utc=True)})
    ax = charts.rates_over_terms(kind(YEARS, name), terms=kind(terms, name), measure="success")
    assert {line.get_label(): line.get_xydata().tolist() for line in ax.lines}["Default"] == [[2025, 10]]
    # The name of each line is at its end, so there is no legend to look up.
    assert {text.get_text() for text in ax.texts} == {"Fall 80.0%", "Spring 70.0%", "Default 10.0%"}
    assert ax.get_legend() is None


def test_the_courses_that_are_not_shown_are_pooled():
    frame = pd.concat([export([50.0] * at + [90.0] * (10 - at), **{"course id": at}) for at in (5, 2, 1)])
    ax = charts.dfw_by_course(frame, top=1)
    assert ticks(ax.yaxis) == ["Welding (10)", "2 others (20)"]
    assert [text.get_text() for text in ax.texts] == ["50%", "15% together"]


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
    assert "Fall" not in source(chart(GOOD.drop(columns="term")))
