"""Charts of enrollments and last access."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from canvas_reports_nb.analysis import charts
from tests.unit.analysis.charts.samples import (
    ACCESS,
    ENROLLMENTS,
    KINDS,
    MONDAY,
    TABLES,
    kind,
    provisioned,
    ticks,
    widths,
)


@pytest.mark.parametrize("name", KINDS)
def test_a_student_in_two_sections_counts_once(name):
    ax = charts.enrollments_over_terms({table: kind(frame, name) for table, frame in TABLES.items()})
    assert ticks(ax.yaxis) == ["Spring 2025", "Fall 2025"]
    assert widths(ax) == [1, 2, 1, 2]
    assert [text.get_text() for text in ax.texts] == ["1", "2", "1", "2"]
    assert "Fall 2025: 2 students, 2 enrollments" in charts.alt_text(ax)


def test_terms_of_one_season_are_side_by_side():
    tables = provisioned(5)
    names = ["Spring 2024", "Fall 2024", "Spring 2025", "Default Term", "Fall 2025"]
    tables["terms"] = tables["terms"].sort_values("start_date").assign(name=names)
    found = ticks(charts.enrollments_over_terms(tables).yaxis)
    assert found == ["Spring 2024", "Spring 2025", "Fall 2024", "Fall 2025", "Default Term"]


def test_stacked_runs_count_once():
    tables = provisioned(3)
    twice = {name: pd.concat([frame, frame]) for name, frame in tables.items()}
    for chart in (charts.enrollments_over_terms, lambda held: charts.role_by_state(held["enrollments"])):
        assert charts.alt_text(chart(twice)) == charts.alt_text(chart(tables))


def test_earlier_terms_are_summed():
    ax = charts.enrollments_over_terms(provisioned(15))
    assert ticks(ax.yaxis)[-2:] == ["Semester of the year 2015", "3 others"]
    assert ax.texts[-1].get_text() == "3 course enrollments in earlier terms"


def test_rare_roles_and_states_are_summed():
    frame = pd.DataFrame({"role": [f"role {at % 30}" for at in range(100)], "status": "active"})
    frame.loc[:19, "status"] = [f"state {at}" for at in range(20)]
    ax = charts.role_by_state(frame)
    assert ticks(ax.yaxis)[-1] == "19 others"
    assert ticks(ax.xaxis)[-1] == "14 others"
    assert sum(int(text.get_text()) for text in ax.texts) == 100


def test_a_color_scale_has_a_legend():
    for ax in (charts.role_by_state(ENROLLMENTS), charts.last_access_calendar(ACCESS)):
        _, scale = ax.figure.axes
        assert scale.get_ylabel() in {"enrollments", "people"}


@pytest.mark.parametrize("name", KINDS)
def test_roles(name):
    ax = charts.role_by_state(kind(ENROLLMENTS, name))
    numbers = {text.get_text() for text in ax.texts}
    assert ticks(ax.yaxis) == ["student", "Auditor", "teacher"]
    assert ticks(ax.xaxis) == ["active", "deleted"]
    assert numbers == {"3", "1"}
    assert "student, active: 3" in charts.alt_text(ax)


def test_roles_and_states_alone_are_counted_row_by_row():
    ax = charts.role_by_state(pd.DataFrame({"role": ["student"] * 3, "status": ["active"] * 3}))
    assert "student, active: 3" in charts.alt_text(ax)


def test_numbers_fit_their_cells_in_small_axes():
    frame = pd.DataFrame({"role": "student", "status": list("abcdefg") * 1234})
    ax = charts.role_by_state(frame, ax=plt.figure(figsize=(3.5, 2)).add_subplot())
    ax.figure.draw_without_rendering()
    cell = ax.get_window_extent().width / 7
    assert {text.get_text() for text in ax.texts} == {"1,234"}
    assert all(0.5 * cell < text.get_window_extent().width < cell for text in ax.texts)


def test_equal_counts_are_described_in_the_same_order():
    frame = pd.DataFrame({"role": ["ta", "student", "observer", "designer"], "status": "active"})
    described = {
        charts.alt_text(charts.role_by_state(frame.sample(frac=1, random_state=at))) for at in range(8)
    }
    assert len(described) == 1


@pytest.mark.parametrize("name", KINDS)
def test_calendar(name):
    ax = charts.last_access_calendar(kind(ACCESS, name), weeks=4)
    (mesh,) = ax.collections
    grid = mesh.get_array()
    assert grid.shape == (7, 4)
    assert (grid[0, 3], grid[6, 2], grid.compressed().size) == (2, 1, 2)
    assert "Most people (2) were last seen on 02 March 2026; 1 before 09 February 2026" in charts.alt_text(ax)


def test_calendar_days_begin_where_the_school_is():
    frame = pd.DataFrame({"user id": [1], "last access at": [datetime(2026, 3, 2, 3, tzinfo=UTC)]})
    assert "01 March 2026" in charts.alt_text(charts.last_access_calendar(frame, zone="America/Denver"))


@pytest.mark.parametrize("weeks", [6, 10, 16, 26, 52])
def test_calendar_dates_do_not_overlap(weeks):
    ax = charts.last_access_calendar(ACCESS, weeks=weeks)
    ax.figure.draw_without_rendering()
    places = [text.get_window_extent() for text in ax.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(places))


def test_a_person_with_two_logins_counts_once():
    frame = pd.DataFrame(
        {"user id": [1, 1, None], "last access at": [MONDAY, MONDAY - timedelta(days=3), MONDAY]}
    )
    ax = charts.last_access_calendar(frame.astype({"user id": "Int64"}))
    assert "Most people (1) were" in charts.alt_text(ax)
    assert ax.collections[0].get_array().compressed().tolist() == [1]
