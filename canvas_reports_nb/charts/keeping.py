"""Charts of what running a Canvas takes: storage and time."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.charts.look import BARS, COLOURS, describe, label, looked, rows_high, said_of
from canvas_reports_nb.frames import exchange

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["run_durations", "storage_pareto"]

_ENOUGH = 0.8


def storage_pareto(storage: Any, *, top: int = 40, ax: Axes | None = None) -> Axes:
    """The courses that take most room, and what share of all room they take together.

    Parameters
    ----------
    storage : DataFrame
        The course storage report, of any kind.
    top : int
        How many courses, 100 at most.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        MB to the right below, the share of the total in percent above.
    """
    used = "storage used in MB"
    exchange.require(exchange.lazy(storage), ("id", "short name", used), "This chart")
    courses = (
        exchange.lazy(storage)
        .select("id", "short name", mb=pl.col(used).fill_null(0.0))
        .sort(["mb", "id"], descending=[True, False])
        .with_columns(share=pl.col("mb").cum_sum() / pl.col("mb").sum())
        .collect()
    )
    shown = courses.head(min(top, BARS))
    with looked(ax, rows_high(shown.height)) as drawn:
        at = list(range(shown.height))
        drawn.barh(at, shown["mb"].to_list(), color=COLOURS[0], height=0.8)
        drawn.set_yticks(at, [label(name) for name in shown["short name"]], fontsize="small")
        drawn.set_ylim(shown.height - 0.4, -0.6)
        drawn.set_xlabel("MB")
        drawn.xaxis.set_major_formatter("{x:,.0f}")
        together = drawn.twiny()
        together.plot(
            [100 * share for share in shown["share"]], at, color=COLOURS[3], marker=".", linewidth=1
        )
        together.axvline(100 * _ENOUGH, color=COLOURS[3], linestyle=":")
        together.set_xlim(0, 105)
        together.set_xlabel("% of all storage, together (dots)")
        enough = courses.filter(pl.col("share") < _ENOUGH).height + 1
        total = courses["mb"].sum()
        alt = (
            f"Bars. {courses.height:,} courses use {total:,.0f} MB; {enough:,} of them use {_ENOUGH:.0%} of it."
            if total
            else "No course uses any storage."
        )
        describe(drawn, "Storage by course", said_of(storage), alt)
    return drawn


def run_durations(history: Any, *, ax: Axes | None = None) -> Axes:
    """How long the runs of a report waited in the queue and worked, the latest last.

    Parameters
    ----------
    history : pandas.DataFrame
        As `Connection.history` gives; runs that did not complete are left out.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Minutes; seconds where no run took two minutes.
    """
    # Its column of parameters holds objects, which no other kind of frame knows.
    wanted = ["run_id", "status", "created_at", "started_at", "ended_at"]
    runs = exchange.lazy(history[wanted]).filter(pl.col("status") == "complete").drop_nulls().sort("run_id")
    took = (
        runs.select(
            "run_id",
            "ended_at",
            queued=(pl.col("started_at") - pl.col("created_at")).dt.total_microseconds() / 1e6,
            worked=(pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds() / 1e6,
        )
        .tail(BARS)
        .collect()
    )
    longest = max((took["queued"] + took["worked"]).to_list(), default=0.0)
    unit, word = (60.0, "min") if longest >= 120 else (1.0, "s")  # noqa: PLR2004 - two minutes
    with looked(ax) as drawn:
        at = list(range(took.height))
        queued, worked = ([seconds / unit for seconds in took[column]] for column in ("queued", "worked"))
        drawn.bar(at, queued, color=COLOURS[1], hatch="///", label="in the queue")
        drawn.bar(at, worked, bottom=queued, color=COLOURS[0], label="at work")
        every = max(took.height // 12, 1)
        ends = [f"{moment:%d %b %Y\n%H:%M}" for moment in took["ended_at"]]
        drawn.set_xticks(at[::every], ends[::every], rotation=30, ha="right", fontsize="small")
        drawn.set_ylabel(word)
        drawn.legend()
        alt = "No run has completed."
        if worked:
            alt = (
                f"Bars. {len(worked):,} runs worked from {min(worked):,.1f} to {max(worked):,.1f} {word}, "
                f"{statistics.median(worked):,.1f} {word} in the middle."
            )
        describe(drawn, "How long the runs took", "", alt)
    return drawn
