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
    source,
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
    assert len(boxes) == 101  # and the others
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))


def test_the_courses_that_are_not_shown_are_summed():
    bars = ["70 MB", "20 MB", "10 MB", "0 MB"]
    for top, name, summed in ((1, "3 others", "30 MB, 30% of all"), (3, "1 other", "0 MB, 0% of all")):
        ax = charts.storage_pareto(STORAGE, top=top)
        assert ticks(ax.yaxis)[top:] == [name]
        assert [text.get_text() for text in ax.texts] == [*bars[:top], summed]
    assert [text.get_text() for text in charts.storage_pareto(STORAGE).texts] == bars


@pytest.mark.parametrize(("seconds", "unit"), [([20, 40, 30], "s"), ([3600, 60, 1800], "min")])
def test_durations(seconds, unit):
    ax = charts.run_durations(history(seconds))
    per = 60 if unit == "min" else 1
    ax.figure.draw_without_rendering()
    assert all(text.endswith(f" {unit}") for text in ticks(ax.yaxis))
    assert heights(ax) == pytest.approx([30 / per] * 3 + [took / per for took in seconds])


def test_durations_of_another_kind_of_frame():
    columns = ["run_id", "status", "created_at", "started_at", "ended_at"]
    for frame in (pl.from_pandas(runs(3)[columns]), pl.from_pandas(runs(3)[columns]).lazy()):
        assert heights(charts.run_durations(frame)) == [30.0] * 3 + [40.0, 41.0, 42.0]


def test_the_title_names_the_runs():
    ax = charts.run_durations(runs(30))
    assert ax.get_title(loc="left") == "Run times of Grade Export"
    assert source(ax) == "account 7, term 12, runs of 2026-03-02 to 2026-03-03"


def test_a_history_has_no_provenance():
    with pytest.raises(CanvasReportsError, match="no record of its source"):
        runs(1).canvas.provenance()
