"""Charts of storage and run times."""

from itertools import pairwise

import pandas as pd
import polars as pl
import pytest

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.exceptions import CanvasReportsError
from tests.unit.analysis.charts.samples import (
    KINDS,
    STORAGE,
    heights,
    history,
    kind,
    runs,
    ticks,
    widths,
)


@pytest.mark.parametrize("name", KINDS)
def test_storage(name):
    ax = charts.storage_pareto(kind(STORAGE, name))
    assert widths(ax) == [70.0, 20.0, 10.0, 0.0]
    # A dollar sign would begin a formula, a line break a second line.
    assert ticks(ax.yaxis) == ["BIO 101", "None", r"ART \$5 & \$6", "CIV"]
    assert "4 courses use 100 MB; the 2 largest use 80% of it" in charts.alt_text(ax)


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


def test_the_courses_that_are_not_shown_are_summed():
    assert charts.storage_pareto(STORAGE).get_xlabel() == "MB"
    assert charts.storage_pareto(STORAGE, top=1).get_xlabel() == "MB; 3 other courses use 30 MB, 30% of all"
    assert charts.storage_pareto(STORAGE, top=3).get_xlabel() == "MB; 1 other course uses 0 MB, 0% of all"


@pytest.mark.parametrize(("seconds", "unit"), [([20, 40, 30], "s"), ([3600, 60, 1800], "min")])
def test_durations(seconds, unit):
    ax = charts.run_durations(history(seconds))
    per = 60 if unit == "min" else 1
    assert ax.get_ylabel() == unit
    assert heights(ax) == pytest.approx([30 / per] * 3 + [took / per for took in seconds])


def test_durations_of_another_kind_of_frame():
    columns = ["run_id", "status", "created_at", "started_at", "ended_at"]
    for frame in (pl.from_pandas(runs(3)[columns]), pl.from_pandas(runs(3)[columns]).lazy()):
        assert heights(charts.run_durations(frame)) == [30.0] * 3 + [40.0, 41.0, 42.0]


def test_the_title_names_the_runs():
    ax = charts.run_durations(runs(30))
    assert ax.get_title(loc="left") == (
        "Run times of grade_export_csv\naccount 7, term 12, runs of 2026-03-02 to 2026-03-03"
    )


def test_a_history_has_no_provenance():
    with pytest.raises(CanvasReportsError, match="no record of its source"):
        runs(1).canvas.provenance()
