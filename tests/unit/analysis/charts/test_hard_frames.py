"""Charts of frames that are stacked, messy or large, and of keywords that mean nothing."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import polars as pl
import pytest

mpl.use("Agg")

from canvas_reports_nb.analysis import charts
from canvas_reports_nb.analysis.charts.look import label
from canvas_reports_nb.analysis.grades import summary
from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.exceptions import CanvasReportsError, ParameterError, UnknownColumnError
from canvas_reports_nb.frames.provenance import ATTRS_KEY
from canvas_reports_nb.runs.listings import history_frame

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def ticks(axis) -> list[str]:
    return [tick.get_text() for tick in axis.get_ticklabels()]


def heights(ax) -> list[float]:
    return [patch.get_height() for patch in ax.patches]


def export(scores: list[float | None], **columns) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "student id": range(len(scores)),
            "course id": 501,
            "course": "Welding",
            "section id": 1,
            "enrollment state": "active",
            "term": "Fall 2025",
            "current score": scores,
            "final score": scores,
            **columns,
        }
    )


def runs(count: int) -> pd.DataFrame:
    return history_frame(
        "grade_export_csv",
        [
            ReportRun(
                id=at,
                report="grade_export_csv",
                status="complete",
                parameters={"enrollment_term_id": "12"},
                created_at=MONDAY + timedelta(hours=at),
                started_at=MONDAY + timedelta(hours=at, seconds=30),
                ended_at=MONDAY + timedelta(hours=at, seconds=70 + at),
            )
            for at in range(count)
        ],
        "7",
    )


def provisioned(terms: int) -> dict[str, pd.DataFrame]:
    numbers = range(1, terms + 1)
    return {
        "enrollments": pd.DataFrame(
            {
                "canvas_enrollment_id": numbers,
                "canvas_course_id": numbers,
                "canvas_user_id": 1,
                "base_role_type": "StudentEnrollment",
                "role": "student",
                "status": "active",
            }
        ),
        "courses": pd.DataFrame({"canvas_course_id": numbers, "canvas_term_id": numbers}),
        "terms": pd.DataFrame(
            {
                "canvas_term_id": numbers,
                "name": [f"Semester of the year {2000 + n}" for n in numbers],
                "start_date": [MONDAY + timedelta(days=n) for n in numbers],
            }
        ),
    }


@pytest.mark.parametrize("withdrawn", [("inactive", "deleted"), ("deleted",), ()])
def test_the_chart_counts_whom_the_summary_counts(withdrawn):
    frame = export(
        [90.0, 80.0, 10.0, None], **{"enrollment state": ["active", "inactive", "deleted", "active"]}
    )
    (row,) = summary(frame, withdrawn=withdrawn).to_dict("records")
    ax = charts.grade_distribution(frame, withdrawn=withdrawn)
    assert sum(heights(ax)) == row["n"]
    assert f"median {row['median']:.1f}" in charts.alt_text(ax)


def test_one_state_is_one_state():
    frame = export([90.0, 80.0], **{"enrollment state": ["active", "deleted"]})
    assert sum(heights(charts.grade_distribution(frame, withdrawn="deleted"))) == 1


def test_scores_far_beyond_the_scale_share_a_bar():
    ax = charts.grade_distribution(export([80.0, 100_000.0, 150.0, -7000.0, float("inf")]), score="final")
    assert len(ax.patches) < 50
    assert (heights(ax)[0], heights(ax)[-1], sum(heights(ax))) == (1, 2, 4)
    assert ticks(ax.xaxis)[0] == "< -50"
    assert ticks(ax.xaxis)[-1] == "150+"


def test_a_person_of_two_logins_is_seen_once():
    frame = pd.DataFrame(
        {"user id": [1, 1, None], "last access at": [MONDAY, MONDAY - timedelta(days=3), MONDAY]}
    )
    ax = charts.last_access_calendar(frame.astype({"user id": "Int64"}))
    assert "Most people (1) were" in charts.alt_text(ax)
    assert ax.collections[0].get_array().compressed().tolist() == [1]


def test_stacked_runs_double_nothing():
    tables = provisioned(3)
    twice = {name: pd.concat([frame, frame]) for name, frame in tables.items()}
    for chart in (charts.enrollments_over_terms, lambda held: charts.role_by_state(held["enrollments"])):
        assert charts.alt_text(chart(twice)) == charts.alt_text(chart(tables))


def test_roles_and_states_alone_are_counted_row_by_row():
    ax = charts.role_by_state(pd.DataFrame({"role": ["student"] * 3, "status": ["active"] * 3}))
    assert "student, active: 3" in charts.alt_text(ax)


def test_equal_counts_are_told_in_one_order_whatever_the_rows():
    frame = pd.DataFrame({"role": ["ta", "student", "observer", "designer"], "status": "active"})
    told = {charts.alt_text(charts.role_by_state(frame.sample(frac=1, random_state=at))) for at in range(8)}
    assert len(told) == 1


GOOD = export([90.0, 60.0])
SEEN = pd.DataFrame({"user id": [1], "last access at": [MONDAY]})
STORAGE = pd.DataFrame({"id": [1], "short name": ["ART"], "storage used in MB": ["9 or so"]})
TEXT_IDS = {**provisioned(2), "courses": provisioned(2)["courses"].astype({"canvas_course_id": str})}


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.grade_distribution(export(["90", "excused"]), score="final"),
        lambda: charts.grade_distribution(
            export([90.0], **{"override score": ["ten"], "override grade": ["A"]})
        ),
        lambda: charts.last_access_calendar(SEEN.assign(**{"last access at": ["never"]})),
        lambda: charts.storage_pareto(STORAGE),
        lambda: charts.enrollments_over_terms(TEXT_IDS),
        lambda: charts.run_durations(runs(2).assign(ended_at="soon")),
        lambda: charts.run_durations(None),
        lambda: charts.run_durations([]),
        lambda: charts.dfw_by_course(GOOD, minimum=0),
        lambda: charts.dfw_by_course(GOOD, top=-1),
        lambda: charts.dfw_by_course(GOOD, below="70"),
        lambda: charts.last_access_calendar(SEEN, weeks=0),
        lambda: charts.last_access_calendar(SEEN, weeks=10**6),
        lambda: charts.last_access_calendar(SEEN, zone="Mars/X"),
        lambda: charts.last_access_calendar(SEEN, zone=None),
    ],
)
def test_what_can_not_be_drawn_is_refused_with_a_hint(draw):
    with pytest.raises(ParameterError) as refused:
        draw()
    assert refused.value.hint


@pytest.mark.parametrize(
    ("draw", "missing"),
    [
        (lambda: charts.run_durations(runs(2).drop(columns="ended_at")), "ended_at"),
        (lambda: charts.run_durations(pl.LazyFrame({"run_id": [1]})), "status"),
        (lambda: charts.dfw_by_course(GOOD.drop(columns="course")), "course"),
        (lambda: charts.last_access_calendar(SEEN[["last access at"]]), "user id"),
    ],
)
def test_a_missing_column_is_named(draw, missing):
    with pytest.raises(UnknownColumnError, match=missing):
        draw()


@pytest.mark.parametrize("chart", [charts.grade_distribution, charts.dfw_by_course])
def test_a_frame_without_terms_is_drawn(chart):
    assert "Fall" not in chart(GOOD.drop(columns="term")).get_title(loc="left")


def test_durations_of_another_kind_of_frame():
    columns = ["run_id", "status", "created_at", "started_at", "ended_at"]
    for frame in (pl.from_pandas(runs(3)[columns]), pl.from_pandas(runs(3)[columns]).lazy()):
        assert heights(charts.run_durations(frame)) == [30.0] * 3 + [40.0, 41.0, 42.0]


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
def test_a_long_name_is_cut_and_not_lost(name, shown):
    assert label(name) == shown


def test_courses_of_one_name_are_told_apart():
    frame = pd.concat(
        [
            export([50.0], **{"course id": 1, "course sis": "WELD-FA25"}),
            export([50.0], **{"course id": 2, "course sis": "WELD-SP26"}),
            export([50.0], **{"course id": 3, "course sis": None}),
            export([50.0], **{"course id": 4, "course sis": None, "course": "Art"}),
        ]
    )
    ax = charts.dfw_by_course(frame, minimum=1)
    # The third has no SIS id; by then its name alone is no other one's.
    assert ticks(ax.yaxis) == ["Welding [WELD-FA25] (1)", "Welding [WELD-SP26] (1)", "Welding (1)", "Art (1)"]


@pytest.mark.parametrize(
    "draw",
    [lambda n: charts.run_durations(runs(n)), lambda n: charts.enrollments_over_terms(provisioned(n))],
    ids=["runs", "terms"],
)
@pytest.mark.parametrize("count", [3, 15, 23, 40, 100])
def test_slanted_names_stand_apart_and_the_legend_covers_no_bar(draw, count):
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


def test_a_title_tells_the_runs():
    ax = charts.run_durations(runs(30))
    assert ax.get_title(loc="left") == (
        "Run times of grade_export_csv\naccount 7, term 12, runs of 2026-03-02 to 2026-03-03"
    )


@pytest.mark.parametrize(
    ("origin", "said"),
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
            {"runs": [{"account": str(n), "parameters": {}, "ended_at": None} for n in range(3)]},
            "3 accounts",
        ),
    ],
)
def test_a_title_tells_account_term_and_date(origin, said):
    frame = provisioned(1)["enrollments"]
    frame.attrs[ATTRS_KEY] = origin
    assert charts.role_by_state(frame).get_title(loc="left") == f"Enrollments by role and status\n{said}"


def test_a_list_of_runs_is_no_table_of_a_run():
    with pytest.raises(CanvasReportsError, match="no record of its source"):
        runs(1).canvas.provenance()
