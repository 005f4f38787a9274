"""Charts of the operation of Canvas: course storage and run times of reports."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.analysis.charts import look
from canvas_reports_nb.frames.exchange import require_columns, require_times, to_lazy
from canvas_reports_nb.frames.provenance import HISTORY_KEY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAJORITY = 0.8
_TIMES = ("created_at", "started_at", "ended_at")


def storage_pareto(storage: Any, *, top: int = 40, ax: Axes | None = None) -> Axes:
    """Draw the courses that use most storage, with their cumulative share of all storage.

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
        MB on the lower axis, the cumulative share in percent on the upper one.

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
    with look.styled_axes(ax, look.size_for_rows(shown.height)) as drawn:
        at = list(range(shown.height))
        drawn.barh(at, shown["mb"].to_list(), color=look.COLORS[0], height=0.8)
        drawn.set_yticks(at, look.labels(shown["short name"], shown["id"]), fontsize="small")
        drawn.set_ylim(shown.height - 0.4, -0.6)
        drawn.set_xlabel(f"MB{_others(courses, shown)}")
        drawn.xaxis.set_major_formatter("{x:,.0f}")
        shares = drawn.twiny()
        shares.plot(
            [100 * share for share in shown["share"]], at, color=look.COLORS[3], marker=".", linewidth=1
        )
        shares.axvline(100 * _MAJORITY, color=look.COLORS[3], linestyle=":")
        shares.set_xlim(0, 105)
        shares.set_xlabel("cumulative share of all storage, % (dots)")
        total, largest = courses["mb"].sum(), courses.filter(pl.col("share") < _MAJORITY).height + 1
        alt = "No course uses any storage."
        if total:
            alt = (
                f"Bar chart. {courses.height:,} courses use {total:,.0f} MB; "
                f"the {largest:,} largest use {_MAJORITY:.0%} of it."
            )
        look.describe(drawn, "Storage by course", look.describe_source(storage), alt)
    return drawn


def _others(courses: pl.DataFrame, shown: pl.DataFrame) -> str:
    """Return how much the courses use that are not shown."""
    count, total = courses.height - shown.height, float(courses["mb"].sum())
    if not count:
        return ""
    rest = total - float(shown["mb"].sum())
    share = f", {rest / total:.0%} of all" if total else ""
    return f"; {count:,} other {'course uses' if count == 1 else 'courses use'} {rest:,.0f} MB{share}"


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
    with look.styled_axes(ax, look.size_for_columns(runs.height)) as drawn:
        at = list(range(runs.height))
        queued, running = ([seconds / per_unit for seconds in runs[name]] for name in ("queued", "running"))
        drawn.bar(at, queued, color=look.COLORS[1], hatch="///", label="queued")
        drawn.bar(at, running, bottom=queued, color=look.COLORS[0], label="running")
        look.name_columns(drawn, [f"{moment:%d %b %Y %H:%M}" for moment in runs["ended_at"]])
        drawn.set_ylabel(unit)
        look.legend(drawn)
        alt = "No run has completed."
        if running:
            alt = (
                f"Bar chart. {len(running):,} runs took from {min(running):,.1f} to {max(running):,.1f} {unit}, "
                f"median {statistics.median(running):,.1f} {unit}, without the time in the queue."
            )
        look.describe(drawn, *_title(history, runs), alt)
    return drawn


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
    return f"Run times of {source['report']}" if source.get("report") else "Run times", line
