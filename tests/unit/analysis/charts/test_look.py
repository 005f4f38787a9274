"""Labels, titles, style and files of charts."""

from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.analysis.charts.look import label
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from tests.unit.analysis.charts.samples import (
    ENROLLMENTS,
    STORAGE,
    export,
    provisioned,
    runs,
    ticks,
)

LONG = export([85.0] * 30, course="An introduction to the history of welding in Europe")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Welding", "Welding"),
        ("高等学校における物理学入門" * 4, "高等学校における物理学入門高等学校におけ..."),
        ("x" * 60, "x" * 41 + "..."),
        (
            "An introduction to the history of welding in Europe",
            "An introduction to the history of welding...",
        ),
        ("", " "),
    ],
)
def test_long_names_are_shortened(name, shown):
    assert label(name) == shown


@pytest.mark.parametrize(
    "draw",
    [lambda n: charts.run_durations(runs(n)), lambda n: charts.enrollments_over_terms(provisioned(n))],
    ids=["runs", "terms"],
)
@pytest.mark.parametrize("count", [3, 15, 23, 40, 100])
def test_slanted_names_do_not_overlap_and_the_legend_covers_no_bar(draw, count):
    ax = draw(count)
    ax.figure.draw_without_rendering()
    names = ax.get_xticklabels()
    assert "\n" not in "".join(ticks(ax.xaxis))
    # Between lines slanted by 30 degrees is half the distance of their ends.
    places = [ax.transData.transform((tick, 0))[0] for tick in ax.get_xticks()]
    line = names[0].get_fontsize() / 72 * ax.figure.dpi
    assert all((right - left) / 2 > line for left, right in pairwise(places))
    counts = ticks(ax.yaxis)
    assert len(counts) == len(set(counts))
    inside, legend, title = ax.get_window_extent(), ax.get_legend().get_window_extent(), ax._left_title
    assert legend.y0 >= inside.y1
    assert title.get_window_extent().y0 >= legend.y1 - 1


def test_the_title_names_account_and_date():
    frame = STORAGE.copy()
    frame.attrs[ATTRS_KEY] = {"account": "7", "ended_at": "2026-03-02T10:00:00+00:00"}
    assert (
        charts.storage_pareto(frame).get_title(loc="left")
        == "Storage by course\naccount 7, run of 2026-03-02"
    )


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (
            {
                "account": "7",
                "parameters": {"enrollment_term_id": 10},
                "ended_at": "2026-03-02T10:00:00+00:00",
            },
            "account 7, term 10, run of 2026-03-02",
        ),
        (
            {
                "account": None,
                "runs": [
                    {
                        "account": "7",
                        "parameters": {"enrollment_term_id": n},
                        "ended_at": f"2026-03-0{n}T10:00:00",
                    }
                    for n in (3, 2)
                ],
            },
            "account 7, term 3 and term 2, runs of 2026-03-02 to 2026-03-03",
        ),
        ({"host": "canvas.example.edu", "account": "7"}, "canvas.example.edu, account 7"),
        ({"host": "127.0.0.1:4711", "account": "7"}, "account 7"),
        (
            {"runs": [{"account": str(n), "parameters": {}, "ended_at": None} for n in range(3)]},
            "3 accounts",
        ),
    ],
)
def test_the_title_names_account_term_and_date(origin, source):
    frame = provisioned(1)["enrollments"]
    frame.attrs[ATTRS_KEY] = origin
    assert charts.role_by_state(frame).get_title(loc="left") == f"Enrollments by role and status\n{source}"


def test_draws_on_the_axes_given_and_leaves_the_style_alone():
    before = dict(mpl.rcParams)
    _, ax = plt.subplots()
    assert charts.role_by_state(ENROLLMENTS, ax=ax) is ax
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_saved_file_contains_the_alternative_text(ending, tmp_path: Path):
    ax = charts.storage_pareto(STORAGE)
    charts.save(ax, tmp_path / f"chart.{ending}")
    written = (tmp_path / f"chart.{ending}").read_bytes()
    assert b"courses use 100 MB" in written or ending == "pdf"
    assert len(written) > 1000


@pytest.mark.parametrize(
    "draw", [lambda: charts.dfw_by_course(LONG), lambda: charts.grade_distribution(LONG)]
)
def test_what_a_chart_counts_fits_in_the_picture(draw):
    ax = draw()
    ax.figure.draw_without_rendering()
    box, figure = ax.xaxis.label.get_window_extent(), ax.figure.bbox
    assert figure.x0 <= box.x0
    assert box.x1 <= figure.x1


def test_the_median_stays_above_the_bars():
    ax = charts.grade_distribution(LONG)
    ax.figure.draw_without_rendering()
    (word,) = ax.texts
    assert all(word.get_window_extent().y0 >= bar.get_window_extent().y1 for bar in ax.patches)
