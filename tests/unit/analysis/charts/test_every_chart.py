"""Empty frames, unusable frames and unusable options, for every chart."""

import polars as pl
import pytest

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from tests.unit.analysis.charts.samples import (
    ACCESS,
    ENROLLMENTS,
    GOOD,
    GRADES,
    SEEN,
    STORAGE,
    TABLES,
    TEXT_IDS,
    TEXT_STORAGE,
    export,
    history,
    kind,
    runs,
    ticks,
)

EMPTY = [
    lambda: charts.grade_distribution(GRADES.iloc[:0]),
    lambda: charts.dfw_by_course(GRADES.iloc[:0]),
    lambda: charts.rates_over_terms(GRADES.iloc[:0].assign(**{"term id": 1})),
    lambda: charts.storage_pareto(STORAGE.iloc[:0]),
    lambda: charts.enrollments_over_terms({**TABLES, "enrollments": ENROLLMENTS.iloc[:0]}),
    lambda: charts.role_by_state(ENROLLMENTS.iloc[:0]),
    lambda: charts.last_access_calendar(ACCESS.iloc[:0]),
    lambda: charts.run_durations(history([])),
]


@pytest.mark.parametrize("draw", EMPTY)
def test_an_empty_frame_gives_a_chart(draw):
    ax = draw()
    ax.figure.canvas.draw()
    assert charts.alt_text(ax)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.grade_distribution(export(["90", "excused"]), score="final"),
        lambda: charts.grade_distribution(
            export([90.0], **{"override score": ["ten"], "override grade": ["A"]})
        ),
        lambda: charts.last_access_calendar(SEEN.assign(**{"last access at": ["never"]})),
        lambda: charts.storage_pareto(TEXT_STORAGE),
        lambda: charts.enrollments_over_terms(TEXT_IDS),
        lambda: charts.run_durations(runs(2).assign(ended_at="soon")),
        lambda: charts.run_durations(None),
        lambda: charts.run_durations([]),
        lambda: charts.dfw_by_course(GOOD, minimum=0),
        lambda: charts.dfw_by_course(GOOD, top=-1),
        lambda: charts.dfw_by_course(GOOD, bands={"C": "70"}),
        lambda: charts.rates_over_terms(GOOD, measure="gap"),
        lambda: charts.last_access_calendar(SEEN, weeks=0),
        lambda: charts.last_access_calendar(SEEN, weeks=10**6),
        lambda: charts.last_access_calendar(SEEN, zone="Mars/X"),
        lambda: charts.last_access_calendar(SEEN, zone=None),
    ],
)
def test_unusable_input_raises_an_error_with_a_hint(draw):
    with pytest.raises(ParameterError) as caught:
        draw()
    assert caught.value.hint


def test_a_missing_column_is_named():
    with pytest.raises(UnknownColumnError, match="storage used in MB"):
        charts.storage_pareto(STORAGE.drop(columns="storage used in MB"))


@pytest.mark.parametrize(
    ("draw", "missing"),
    [
        (lambda: charts.run_durations(runs(2).drop(columns="ended_at")), "ended_at"),
        (lambda: charts.run_durations(pl.LazyFrame({"run_id": [1]})), "status"),
        (lambda: charts.dfw_by_course(GOOD.drop(columns="course")), "course"),
        (lambda: charts.last_access_calendar(SEEN[["last access at"]]), "user id"),
    ],
)
def test_missing_columns_are_named(draw, missing):
    with pytest.raises(UnknownColumnError, match=missing):
        draw()


@pytest.mark.parametrize("name", ["pandas", "polars", "lazy"])
@pytest.mark.parametrize(
    ("chart", "frame"),
    [
        ("grade_distribution", GRADES),
        ("dfw_by_course", GOOD),
        ("role_by_state", ENROLLMENTS),
        ("last_access_calendar", ACCESS),
        ("storage_pareto", STORAGE),
    ],
)
def test_the_accessor_draws_the_same_chart(chart, frame, name):
    shown = kind(frame, name)
    drawn = getattr(shown.canvas.plot, chart)()
    assert charts.alt_text(drawn) == charts.alt_text(getattr(charts, chart)(frame))


SCORED = "score (effective), %", "grades"
AXES = [
    (lambda: charts.grade_distribution(GRADES), [(*SCORED, [*map(str, range(0, 101, 10))], None)]),
    (
        lambda: charts.grade_distribution(export([-20.0, 130.0])),
        [(*SCORED, ["0", "25", "50", "75", "100", "125"], None)],
    ),
    (
        lambda: charts.dfw_by_course(GOOD, minimum=1),
        [("", "", [f"{n}%" for n in range(0, 101, 20)], ["Welding (2)"])],
    ),
    (
        lambda: charts.role_by_state(ENROLLMENTS),
        [
            ("", "", ["active", "deleted"], ["student", "Auditor", "teacher"]),
            ("", "enrollments", [], ["1", "3"]),
        ],
    ),
    (
        lambda: charts.role_by_state(pl.concat([pl.from_pandas(ENROLLMENTS)] * 90)),
        [("", "", ["active", "deleted"], None), ("", "enrollments", [], ["1", "10", "100", "270"])],
    ),
    (
        lambda: charts.last_access_calendar(ACCESS),
        [("", "", None, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]), ("", "people", [], ["2"])],
    ),
]


@pytest.mark.parametrize(("draw", "wanted"), AXES, ids=range(len(AXES)))
def test_the_axes_have_names_and_round_numbers(draw, wanted):
    drawn = draw().get_figure(root=True).axes
    assert len(drawn) == len(wanted)
    for ax, (across, up, below, beside) in zip(drawn, wanted, strict=True):
        assert (ax.get_xlabel(), ax.get_ylabel()) == (across, up)
        assert below in (None, ticks(ax.xaxis))
        assert beside in (None, ticks(ax.yaxis))
