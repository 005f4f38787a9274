"""Each chart shows the numbers of its frame, of any kind, in words too, and stays readable."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

mpl.use("Agg")

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.analysis.charts.grades import wilson
from canvas_reports_nb.exceptions import UnknownColumnError
from canvas_reports_nb.frames.provenance import ATTRS_KEY

KINDS = ["pandas", "polars", "lazy", "arrow"]
MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def kind(frame: pd.DataFrame, name: str):
    made = pl.from_pandas(frame)
    return {"pandas": frame, "polars": made, "lazy": made.lazy(), "arrow": made.to_arrow()}[name]


def widths(ax) -> list[float]:
    return [patch.get_width() for patch in ax.patches]


def heights(ax) -> list[float]:
    return [patch.get_height() for patch in ax.patches]


def ticks(axis) -> list[str]:
    return [tick.get_text() for tick in axis.get_ticklabels()]


STORAGE = pd.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "short name": ["ART $5 & $6", "BIO\n101", "CIV", None],
        "storage used in MB": [10.0, 70.0, None, 20.0],
    }
).astype({"id": "Int64", "storage used in MB": "Float64"})
ENROLLMENTS = pd.DataFrame(
    {
        # One student in two sections of course 1; one deleted; one teacher.
        "canvas_course_id": [1, 1, 1, 2, 2, 3],
        "canvas_user_id": [7, 7, 8, 7, 9, 8],
        "base_role_type": ["StudentEnrollment"] * 4 + ["TeacherEnrollment", "StudentEnrollment"],
        "role": ["student", "student", "student", "Auditor", "teacher", "student"],
        "status": ["active", "active", "active", "active", "active", "deleted"],
    }
)
COURSES = pd.DataFrame({"canvas_course_id": [1, 2, 3], "canvas_term_id": [12, 11, 12]})
TERMS = pd.DataFrame(
    {
        "canvas_term_id": [12, 11],
        "name": ["Fall 2025", "Spring 2025"],
        "start_date": [MONDAY, MONDAY - timedelta(days=200)],
    }
)
TABLES = {"enrollments": ENROLLMENTS, "courses": COURSES, "terms": TERMS}
ACCESS = pd.DataFrame(
    {
        "user id": range(1, 6),
        "last access at": [MONDAY, MONDAY - timedelta(days=1), MONDAY, None, MONDAY - timedelta(days=90)],
    }
)


GRADES = pd.DataFrame(
    {
        # The first student is in two sections of the course and counts once.
        "student id": [1, 1, 2, 3, 4, 5],
        "course id": 501,
        "course": "Welding",
        "section id": [1, 2, 1, 1, 1, 1],
        "enrollment state": ["active", "active", "active", "active", "deleted", "active"],
        "term": "Fall 2025",
        "current score": [95.0, 95.0, 60.0, 100.0, 80.0, None],
        "final score": [95.0, 95.0, 60.0, 100.0, 80.0, None],
    }
)


def history(seconds: list[int]) -> pd.DataFrame:
    began = [MONDAY + timedelta(hours=at) for at in range(len(seconds))]
    return pd.DataFrame(
        {
            "run_id": range(len(seconds)),
            "status": "complete",
            "created_at": [moment - timedelta(seconds=30) for moment in began],
            "started_at": began,
            "ended_at": [
                moment + timedelta(seconds=took) for moment, took in zip(began, seconds, strict=True)
            ],
            "parameters": [{"enrollment_term_id": "12"} for _ in seconds],
        }
    ).astype(dict.fromkeys(("created_at", "started_at", "ended_at"), "datetime64[us, UTC]"))


@pytest.mark.parametrize("name", KINDS)
def test_storage(name):
    ax = charts.storage_pareto(kind(STORAGE, name))
    assert widths(ax) == [70.0, 20.0, 10.0, 0.0]
    # A dollar sign would begin a formula, a line break a second line.
    assert ticks(ax.yaxis) == ["BIO 101", "None", r"ART \$5 & \$6", "CIV"]
    assert "4 courses use 100 MB; the 2 largest use 80% of it" in charts.alt_text(ax)


@pytest.mark.parametrize("name", KINDS)
def test_terms_count_a_student_of_two_sections_once(name):
    ax = charts.enrollments_over_terms({table: kind(frame, name) for table, frame in TABLES.items()})
    assert ticks(ax.xaxis) == ["Spring 2025", "Fall 2025"]
    assert heights(ax) == [1, 2, 1, 2]
    assert "Fall 2025: 2 students, 2 enrollments" in charts.alt_text(ax)


@pytest.mark.parametrize("name", KINDS)
def test_roles(name):
    ax = charts.role_by_state(kind(ENROLLMENTS, name))
    numbers = {text.get_text() for text in ax.texts}
    assert ticks(ax.yaxis) == ["student", "Auditor", "teacher"]
    assert ticks(ax.xaxis) == ["active", "deleted"]
    assert numbers == {"3", "1"}
    assert "student, active: 3" in charts.alt_text(ax)


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
def test_calendar_dates_stand_apart(weeks):
    ax = charts.last_access_calendar(ACCESS, weeks=weeks)
    ax.figure.draw_without_rendering()
    places = [text.get_window_extent() for text in ax.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(places))


@pytest.mark.parametrize(("seconds", "unit"), [([20, 40, 30], "s"), ([3600, 60, 1800], "min")])
def test_durations(seconds, unit):
    ax = charts.run_durations(history(seconds))
    per = 60 if unit == "min" else 1
    assert ax.get_ylabel() == unit
    assert heights(ax) == pytest.approx([30 / per] * 3 + [took / per for took in seconds])


@pytest.mark.parametrize("name", KINDS)
def test_grades(name):
    ax = charts.grade_distribution(kind(GRADES, name), score="final")
    lefts = {round(patch.get_x() + patch.get_width() / 2 - 2.5): patch.get_height() for patch in ax.patches}
    assert {place: height for place, height in lefts.items() if height} == {60: 1, 95: 2}
    assert "3 grades from 60.0 to 100.0, median 95.0; 1 without a score, 1 withdrawn" in charts.alt_text(ax)
    assert "Fall 2025" in ax.get_title(loc="left")


@pytest.mark.parametrize("name", KINDS)
def test_dfw(name):
    ax = charts.dfw_by_course(kind(GRADES, name), minimum=4)
    # One failed, one withdrew, two passed; the one without a score is not judged.
    (points,) = ax.lines
    assert points.get_xdata().tolist() == [50.0]
    assert ticks(ax.yaxis) == ["Welding (4)"]
    assert "Welding has the highest rate, 50%" in charts.alt_text(ax)


def test_a_course_of_few_is_not_shown():
    ax = charts.dfw_by_course(GRADES)
    assert ticks(ax.yaxis) == []
    assert "1 with fewer than 5 students left out" in charts.alt_text(ax)


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


EMPTY = [
    lambda: charts.grade_distribution(GRADES.iloc[:0]),
    lambda: charts.dfw_by_course(GRADES.iloc[:0]),
    lambda: charts.storage_pareto(STORAGE.iloc[:0]),
    lambda: charts.enrollments_over_terms({**TABLES, "enrollments": ENROLLMENTS.iloc[:0]}),
    lambda: charts.role_by_state(ENROLLMENTS.iloc[:0]),
    lambda: charts.last_access_calendar(ACCESS.iloc[:0]),
    lambda: charts.run_durations(history([])),
]


@pytest.mark.parametrize("draw", EMPTY)
def test_nothing_to_show_is_a_chart_too(draw):
    ax = draw()
    ax.figure.canvas.draw()
    assert charts.alt_text(ax)


def test_a_missing_column_is_named():
    with pytest.raises(UnknownColumnError, match="storage used in MB"):
        charts.storage_pareto(STORAGE.drop(columns="storage used in MB"))


def test_title_says_where_it_is_from():
    frame = STORAGE.copy()
    frame.attrs[ATTRS_KEY] = {"account": "7", "ended_at": "2026-03-02T10:00:00+00:00"}
    assert (
        charts.storage_pareto(frame).get_title(loc="left")
        == "Storage by course\naccount 7, run of 2026-03-02"
    )


def test_a_hundred_courses_are_readable():
    frame = pd.DataFrame(
        {
            "id": range(150),
            "short name": [f"Course number {n}" for n in range(150)],
            "storage used in MB": 5.0,
        }
    )
    ax = charts.storage_pareto(frame, top=150)
    ax.figure.canvas.draw()
    boxes = [tick.get_window_extent() for tick in ax.yaxis.get_ticklabels()]
    assert len(boxes) == 100
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))


def test_draws_on_the_axes_given_and_leaves_the_style_alone():
    before = dict(mpl.rcParams)
    _, ax = plt.subplots()
    assert charts.role_by_state(ENROLLMENTS, ax=ax) is ax
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_saved_with_its_words(ending, tmp_path: Path):
    ax = charts.storage_pareto(STORAGE)
    charts.save(ax, tmp_path / f"chart.{ending}")
    written = (tmp_path / f"chart.{ending}").read_bytes()
    assert b"courses use 100 MB" in written or ending == "pdf"
    assert len(written) > 1000


@pytest.mark.parametrize("name", ["pandas", "polars", "lazy"])
@pytest.mark.parametrize(
    ("chart", "frame"),
    [
        ("grade_distribution", GRADES),
        ("dfw_by_course", GRADES),
        ("role_by_state", ENROLLMENTS),
        ("last_access_calendar", ACCESS),
        ("storage_pareto", STORAGE),
    ],
)
def test_a_frame_draws_itself(chart, frame, name):
    shown = kind(frame, name)
    drawn = getattr(shown.canvas.plot, chart)()
    assert charts.alt_text(drawn) == charts.alt_text(getattr(charts, chart)(frame))
