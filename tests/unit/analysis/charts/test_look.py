"""Labels, titles, style and files of charts."""

from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.analysis.charts import look
from canvas_reports_nb.analysis.charts.look import label
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from tests.unit.analysis.charts.samples import (
    ENROLLMENTS,
    STORAGE,
    TABLES,
    export,
    provisioned,
    runs,
    source,
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
@pytest.mark.parametrize("count", [3, 15, 100])
def test_the_legend_covers_neither_bars_nor_header(draw, count):
    ax = draw(count)
    ax.figure.draw_without_rendering()
    counts = ticks(ax.yaxis)
    assert len(counts) == len(set(counts))
    inside, legend = ax.get_window_extent(), ax.get_legend().get_window_extent()
    assert legend.y0 >= inside.y1
    header = [text for text in (ax._left_title, ax.title, ax._right_title) if text.get_text()]
    assert all(text.get_window_extent().y0 >= legend.y1 - 1 for text in header)


@pytest.mark.parametrize("own", [True, False])
def test_a_bold_title_is_above_a_message_and_a_lighter_smaller_source(own):
    frame = STORAGE.copy()
    frame.attrs[ATTRS_KEY] = {"host": "canvas.example.edu", "report": "course_storage_csv"}
    ax = charts.storage_pareto(frame, ax=None if own else plt.subplots(2, 2, layout="constrained")[1][1, 1])
    ax.figure.draw_without_rendering()
    title, message, line = ax._left_title, ax.title, ax._right_title
    words = [text.get_text().replace("\n", " ") for text in (title, line, message)]
    assert words[:2] == ["Storage by course", "canvas.example.edu, Course Storage"]
    assert words[2] == "4 courses use 100 MB; the 2 largest use 80% of it"
    assert (title.get_fontweight(), line.get_fontweight()) == ("bold", "normal")
    assert title.get_fontsize() > message.get_fontsize() > line.get_fontsize()
    assert look.luminance(line.get_color()) > look.luminance(title.get_color())
    boxes = [text.get_window_extent() for text in (title, message, line)]
    assert all(above.y0 >= below.y1 - 1 for above, below in pairwise(boxes))


def test_the_users_style_decides_on_light_or_dark():
    with plt.style.context("dark_background"):
        dark = charts.storage_pareto(STORAGE)
    assert dark.figure.get_facecolor() == (0, 0, 0, 1)
    assert look.luminance(dark._left_title.get_color()) > 0.5
    _, ax = plt.subplots(facecolor="black")
    assert look.luminance(charts.storage_pareto(STORAGE, ax=ax)._left_title.get_color()) > 0.5
    with plt.rc_context({"figure.facecolor": "none"}):
        clear = charts.storage_pareto(STORAGE)
    assert look.luminance(clear._left_title.get_color()) < 0.5


def test_axes_given_by_the_user_print_no_description():
    _, ax = plt.subplots()
    charts.storage_pareto(STORAGE, ax=ax)
    assert ax._ipython_display_() is None


@pytest.mark.parametrize(
    ("origin", "line"),
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
        (
            {"account": "7", "ended_at": "2026-03-02T10:00:00+00:00"},
            "account 7, run of 2026-03-02",
        ),
        ({"host": "canvas.example.edu", "account": "7"}, "canvas.example.edu, account 7"),
        (
            {"host": "canvas.example.edu", "account": "self", "report": "lti_report_csv"},
            "canvas.example.edu, LTI Report",
        ),
        ({"host": "127.0.0.1:4711", "account": "7"}, "account 7"),
        (
            {"runs": [{"account": str(n), "parameters": {}, "ended_at": None} for n in range(3)]},
            "3 accounts",
        ),
    ],
)
def test_the_source_names_school_account_report_term_and_date(origin, line):
    frame = provisioned(1)["enrollments"]
    frame.attrs[ATTRS_KEY] = origin
    ax = charts.role_by_state(frame)
    assert (ax.get_title(loc="left"), source(ax)) == ("Enrollments by role and status", line)
    assert f"{line[0].upper()}{line[1:]}. " in charts.alt_text(ax)


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


def test_the_median_stays_above_the_bars():
    ax = charts.grade_distribution(LONG)
    ax.figure.draw_without_rendering()
    (word,) = ax.texts
    assert all(word.get_window_extent().y0 >= bar.get_window_extent().y1 for bar in ax.patches)


@pytest.mark.parametrize(
    ("draw", "shown"),
    [
        (lambda: charts.grade_distribution(LONG), [0]),
        (lambda: charts.storage_pareto(STORAGE), [0]),
        (lambda: charts.enrollments_over_terms(TABLES), [0, 1]),
        (lambda: charts.run_durations(runs(3)), [1, 0]),
    ],
    ids=["grades", "storage", "terms", "runs"],
)
def test_bars_have_the_first_colors(draw, shown):
    wanted = [mpl.colors.to_rgba(look.LIGHT.colors[place]) for place in shown]
    assert list(dict.fromkeys(bar.get_facecolor() for bar in draw().patches)) == wanted
