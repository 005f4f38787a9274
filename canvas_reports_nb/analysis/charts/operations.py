"""Charts of what running a Canvas takes: storage and time."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.analysis.charts.look import (
    BARS,
    COLOURS,
    columns_wide,
    describe,
    describe_source,
    labels,
    legend,
    name_columns,
    rows_high,
    spoken,
    styled_axes,
    times,
    whole,
)
from canvas_reports_nb.frames import exchange
from canvas_reports_nb.frames.provenance import HISTORY_KEY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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

    Raises
    ------
    ParameterError
        ``top`` is no count.
    """
    used, most = "storage used in MB", whole("top", top)
    exchange.require_columns(exchange.to_lazy(storage), ("id", "short name"), "This chart", numbers=(used,))
    courses = (
        exchange.to_lazy(storage)
        .select("id", "short name", mb=pl.col(used).fill_null(0.0))
        .sort(["mb", "id"], descending=[True, False])
        .with_columns(share=pl.col("mb").cum_sum() / pl.col("mb").sum())
        .collect()
    )
    shown = courses.head(min(most, BARS))
    with styled_axes(ax, rows_high(shown.height)) as drawn:
        at = list(range(shown.height))
        drawn.barh(at, shown["mb"].to_list(), color=COLOURS[0], height=0.8)
        drawn.set_yticks(at, labels(shown["short name"], shown["id"]), fontsize="small")
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
        describe(drawn, "Storage by course", describe_source(storage), alt)
    return drawn


def run_durations(history: Any, *, ax: Axes | None = None) -> Axes:
    """How long the runs of a report waited in the queue and worked, the latest last.

    Parameters
    ----------
    history : DataFrame
        As `Connection.history` gives, or of another kind; runs that did not complete are left out.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Minutes; seconds where no run took two minutes.
    """
    took = _took(history)
    longest = max((took["queued"] + took["worked"]).to_list(), default=0.0)
    unit, word = (60.0, "min") if longest >= 120 else (1.0, "s")  # noqa: PLR2004 - two minutes
    with styled_axes(ax, columns_wide(took.height)) as drawn:
        at = list(range(took.height))
        queued, worked = ([seconds / unit for seconds in took[column]] for column in ("queued", "worked"))
        drawn.bar(at, queued, color=COLOURS[1], hatch="///", label="in the queue")
        drawn.bar(at, worked, bottom=queued, color=COLOURS[0], label="at work")
        name_columns(drawn, [f"{moment:%d %b %Y %H:%M}" for moment in took["ended_at"]])
        drawn.set_ylabel(word)
        legend(drawn)
        alt = "No run has completed."
        if worked:
            alt = (
                f"Bars. {len(worked):,} runs worked from {min(worked):,.1f} to {max(worked):,.1f} {word}, "
                f"{statistics.median(worked):,.1f} {word} in the middle."
            )
        describe(drawn, *_titled(history, took), alt)
    return drawn


def _took(history: Any) -> pl.DataFrame:
    """The last completed runs with the seconds they took."""
    moments = ("created_at", "started_at", "ended_at")
    # Its column of parameters holds objects, which no other kind of frame knows.
    wanted = ("run_id", "status", *moments)
    rows = exchange.to_lazy(history, wanted)
    exchange.require_columns(rows, wanted, "This chart")
    times(rows, moments, "This chart")
    created, started, ended = (pl.col(name) for name in moments)
    return (
        rows.select(wanted)
        .filter(pl.col("status").cast(pl.String) == "complete")
        .drop_nulls()
        .sort("run_id")
        .tail(BARS)
        .select(
            "run_id",
            "ended_at",
            queued=(started - created).dt.total_microseconds() / 1e6,
            worked=(ended - started).dt.total_microseconds() / 1e6,
        )
        .collect()
    )


def _titled(history: Any, took: pl.DataFrame) -> tuple[str, str]:
    """The report, and the account, the terms and the days of the runs shown."""
    told = getattr(history, "attrs", {}).get(HISTORY_KEY, {})
    asked: dict[int, Any] = {}
    if told and "parameters" in history:
        asked = dict(zip(history["run_id"], history["parameters"], strict=True))
    terms = [(asked.get(run) or {}).get("enrollment_term_id") for run in took["run_id"]]
    said = spoken(
        accounts=[told.get("account")],
        terms=[f"term {term}" for term in terms if term is not None],
        ended=took["ended_at"],
    )
    report = told.get("report")
    return f"How long the runs {f'of {report} ' if report else ''}took", said
