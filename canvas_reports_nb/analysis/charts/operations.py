"""Charts of the operation of Canvas: course storage and run times of reports."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.analysis.charts import look
from canvas_reports_nb.frames.exchange import require_columns, require_times, to_lazy
from canvas_reports_nb.frames.provenance import HISTORY_KEY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAJORITY = 0.8
_DATES = 6
_TIMES = ("created_at", "started_at", "ended_at")


def storage_pareto(storage: Any, *, top: int = 20, ax: Axes | None = None) -> Axes:
    """Draw the courses that use most storage; the last row sums the others.

    Parameters
    ----------
    storage : DataFrame
        The course storage report, of any kind.
    top : int
        Number of courses, at most 100.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A bar per course with its MB. Above them, the number of courses that use 80% of all storage.

    Examples
    --------
    >>> storage = canvas.read_report("course_storage_csv")
    >>> axes = crn.charts.storage_pareto(storage, top=15)
    """
    used, most = "storage used in MB", look.check_count("top", top)
    rows = to_lazy(storage)
    require_columns(rows, ("id", "short name"), "storage_pareto", numbers=(used,))
    courses = (
        rows.select("id", "short name", mb=pl.col(used).fill_null(0.0))
        .sort(["mb", "id"], descending=[True, False])
        .with_columns(share=pl.col("mb").cum_sum() / pl.col("mb").sum())
        .collect()
    )
    shown = courses.head(min(most, look.MAX_BARS))
    total, largest = courses["mb"].sum(), courses.filter(pl.col("share") < _MAJORITY).height + 1
    with look.panel(ax, look.size_for_rows(shown.height + 1)) as panel:
        bars = panel.ax.barh(
            range(shown.height), shown["mb"].to_list(), color=panel.theme.colors[0], height=0.72
        )
        panel.ax.bar_label(bars, fmt="{:,.0f} MB", padding=4, color=panel.theme.text)
        panel.ax.xaxis.set_visible(False)
        panel.name_rows(look.labels(shown["short name"], shown["id"]), _others(courses, shown))
        alt, message = "No course uses any storage.", ""
        if total:
            message = f"{courses.height:,} courses use {total:,.0f} MB; the {largest:,} largest use {_MAJORITY:.0%} of it"
            alt = f"Bar chart. {message}."
        panel.describe("Storage by course", look.describe_source(storage), alt, message)
    return panel.ax


def _others(courses: pl.DataFrame, shown: pl.DataFrame) -> tuple[str, str] | None:
    """Return the number of courses that aren't shown, and what they use together."""
    left = courses.height - shown.height
    if not left:
        return None
    mb, total = float(courses["mb"].tail(left).sum()), float(courses["mb"].sum())
    return look.name_others(left), f"{mb:,.0f} MB, {mb / total if total else 0:.0%} of all"


def run_durations(history: Any, *, ax: Axes | None = None) -> Axes:
    """Draw how long the runs of a report were queued and running, the latest last.

    Parameters
    ----------
    history : DataFrame
        As `Connection.history` returns it, or of another kind; only completed runs are shown.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        In minutes, or in seconds if no run took two minutes.

    Examples
    --------
    >>> axes = crn.charts.run_durations(canvas.history("grade_export_csv"))
    """
    runs = _completed(history)
    longest = max((runs["queued"] + runs["running"]).to_list(), default=0.0)
    per_unit, unit = (60.0, "min") if longest >= 120 else (1.0, "s")  # noqa: PLR2004 - two minutes
    with look.panel(ax) as panel:
        at = list(range(runs.height))
        queued, running = ([seconds / per_unit for seconds in runs[name]] for name in ("queued", "running"))
        main, second, *_ = panel.theme.colors
        panel.ax.bar(
            at, queued, color=second, hatch="///", edgecolor=panel.theme.line, label="queued", width=0.72
        )
        panel.ax.bar(at, running, bottom=queued, color=main, label="running", width=0.72)
        # A few dates are enough to find a run, and have room.
        every = math.ceil(runs.height / _DATES) or 1
        dates = [f"{moment:%d %b %Y}\n{moment:%H:%M}" for moment in runs["ended_at"]]
        panel.ax.set_xticks(at[::every], dates[::every])
        panel.ax.tick_params(axis="x", pad=9)
        panel.ax.set_xlim(-0.6, max(runs.height, _DATES) - 0.4)
        panel.ax.set_ylim(0, None if longest else 1)
        panel.scale(panel.ax.yaxis, f"{{x:,.0f}} {unit}")
        panel.legend()
        alt = message = "No run has completed"
        if running:
            message = (
                f"{len(running):,} runs took from {min(running):,.1f} to {max(running):,.1f} {unit}, "
                f"median {statistics.median(running):,.1f} {unit}, without the time in the queue"
            )
            alt = f"Bar chart. {message}"
        panel.describe(*_title(history, runs), f"{alt}.", message)
    return panel.ax


def _completed(history: Any) -> pl.DataFrame:
    """Return the last completed runs with their seconds in the queue and running."""
    columns = ("run_id", "status", *_TIMES)
    # Without the column of parameters: it holds objects, which polars can't convert.
    rows = to_lazy(history, columns)
    require_columns(rows, columns, "run_durations")
    require_times(rows, _TIMES, "run_durations")
    created, started, ended = (pl.col(name) for name in _TIMES)
    return (
        rows.select(columns)
        .filter(pl.col("status").cast(pl.String) == "complete")
        .drop_nulls()
        .sort("run_id")
        .tail(look.MAX_BARS)
        .select(
            "run_id",
            "ended_at",
            queued=(started - created).dt.total_microseconds() / 1e6,
            running=(ended - started).dt.total_microseconds() / 1e6,
        )
        .collect()
    )


def _title(history: Any, runs: pl.DataFrame) -> tuple[str, str]:
    """Return a title with the report, and the account, terms and days of the runs."""
    source = getattr(history, "attrs", {}).get(HISTORY_KEY, {})
    parameters: dict[int, Any] = {}
    if source and "parameters" in history:
        parameters = dict(zip(history["run_id"], history["parameters"], strict=True))
    terms = [(parameters.get(run) or {}).get("enrollment_term_id") for run in runs["run_id"]]
    line = look.join_source(
        accounts=[source.get("account")],
        terms=[f"term {term}" for term in terms if term is not None],
        ended=runs["ended_at"],
    )
    return f"Run times of {look.report_title(source['report'])}" if source.get(
        "report"
    ) else "Run times", line
