"""Charts of enrolments and of who was there when."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from canvas_reports_nb.analysis.charts.look import (
    COLOURS,
    SLANTED_CELLS,
    columns_wide,
    describe,
    describe_source,
    label,
    labels,
    legend,
    name_columns,
    rows_high,
    styled_axes,
    times,
    whole,
    whole_numbers,
    zoned,
)
from canvas_reports_nb.analysis.provisioning.tables import REPORT, once, over_tables
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.frames import exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

_GONE = ("deleted", "rejected")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FEW = 10
_MOST_WEEKS = 520
# From a tint seen on white and on black to the darkest of the palette's first colour.
_TINTS = LinearSegmentedColormap.from_list("tints", ["#B8D9EE", "#56B4E9", "#0072B2", "#003A5C"])


def enrollments_over_terms(tables: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Students and their course enrolments in each term, in the order the terms begin.

    A student in two sections of a course counts as one enrolment; deleted and rejected ones don't count.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of one provisioning run, of any kind: ``enrollments``, ``courses`` and ``terms``, as
        ``read_tables`` gives them.
    ax : matplotlib.axes.Axes, optional
        To draw on; new ones else.

    Returns
    -------
    matplotlib.axes.Axes
    """
    counted = exchange.to_lazy(_by_term(tables)).collect()
    with styled_axes(ax, columns_wide(counted.height)) as drawn:
        at = list(range(counted.height))
        for shift, (column, name, colour, hatch) in enumerate(
            [
                ("enrollments", "enrolments in courses", COLOURS[0], ""),
                ("people", "students", COLOURS[1], "///"),
            ]
        ):
            places = [place + (shift - 0.5) * 0.4 for place in at]
            bars = drawn.bar(places, counted[column].to_list(), 0.38, label=name, color=colour, hatch=hatch)
            if counted.height <= _FEW:
                drawn.bar_label(bars, fmt="{:,.0f}", fontsize="x-small")
        name_columns(drawn, labels(counted["name"], counted["canvas_term_id"], cells=SLANTED_CELLS))
        whole_numbers(drawn.yaxis)
        legend(drawn)
        alt = "; ".join(
            f"{row['name']}: {row['people']:,} students, {row['enrollments']:,} enrolments"
            for row in counted.iter_rows(named=True)
        )
        describe(
            drawn,
            "Students and enrolments by term",
            describe_source(tables["enrollments"]),
            f"Bars. {alt or 'Nothing to show'}.",
        )
    return drawn


@over_tables(
    enrollments=("canvas_course_id", "canvas_user_id", "base_role_type", "status"),
    courses=("canvas_course_id", "canvas_term_id"),
    terms=("canvas_term_id", "name", "start_date"),
)
def _by_term(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    enrollments, courses, terms = tables["enrollments"], once(tables, "courses"), once(tables, "terms")
    exchange.check_joinable(enrollments, "canvas_course_id", courses, "canvas_course_id")
    exchange.check_joinable(courses, "canvas_term_id", terms, "canvas_term_id")
    return (
        enrollments.filter(
            pl.col("base_role_type").cast(pl.String) == "StudentEnrollment",
            ~pl.col("status").cast(pl.String).is_in(_GONE),
        )
        .select("canvas_course_id", "canvas_user_id")
        .unique()
        .join(courses.select("canvas_course_id", "canvas_term_id"), on="canvas_course_id")
        .join(terms.select("canvas_term_id", "name", "start_date"), on="canvas_term_id")
        .group_by("canvas_term_id", "name", "start_date")
        .agg(people=pl.col("canvas_user_id").n_unique(), enrollments=pl.len())
        # A term without dates is the default one: it belongs before them all.
        .sort("start_date", "name", "canvas_term_id", nulls_last=False)
    )


def role_by_state(enrollments: Any, *, ax: Axes | None = None) -> Axes:
    """How many enrolments there are of each role in each state, as a table of tinted cells.

    Parameters
    ----------
    enrollments : DataFrame
        The enrollments of a provisioning run, of any kind.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    rows = exchange.to_lazy(enrollments)
    exchange.require_columns(rows, ("role", "status"), "This chart")
    counted = (
        _each_once(rows)
        .select(pl.col("role", "status").cast(pl.String).fill_null("none"))
        .group_by("role", "status")
        .len("n")
        .collect()
    )
    roles = _by_size(counted, "role")
    states = _by_size(counted, "status")
    held = {(row["role"], row["status"]): row["n"] for row in counted.iter_rows(named=True)}
    grid = [[held.get((role, state), 0) for state in states] for role in roles]
    with styled_axes(ax, rows_high(2 * len(roles))) as drawn:
        if roles:
            _tinted(drawn, grid, numbers=True)
        drawn.set_xticks([at + 0.5 for at in range(len(states))], [label(state) for state in states])
        drawn.set_yticks([at + 0.5 for at in range(len(roles))], [label(role) for role in roles])
        alt = "; ".join(
            f"{role}, {state}: {n:,}"
            for (role, state), n in sorted(held.items(), key=lambda one: (-one[1], one[0]))
        )
        describe(
            drawn,
            "Enrolments by role and state",
            describe_source(enrollments),
            f"A table. {alt or 'Nothing to show'}.",
        )
    return drawn


def _each_once(enrollments: pl.LazyFrame) -> pl.LazyFrame:
    """Enrolments once each, where they can be told apart: of roles and states alone all are alike."""
    held = enrollments.collect_schema().names()
    table = schema(REPORT).table("enrollments")  # type: ignore[union-attr] # it is known
    keys = (table.key, table.older_key) if table else ()
    known = any(key and set(key) <= set(held) for key in keys)
    return once({"enrollments": enrollments}, "enrollments") if known else enrollments


def last_access_calendar(access: Any, *, weeks: int = 26, zone: str = "UTC", ax: Axes | None = None) -> Axes:
    """On which day people were last seen, the latest weeks as a calendar.

    A person counts once, at the latest moment any of their logins shows.

    Parameters
    ----------
    access : DataFrame
        The last user access report, of any kind.
    weeks : int
        How many, back from the latest access; 520 at most.
    zone : str
        Where a day begins, such as ``"America/Denver"``; the report's times are UTC.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        ``weeks`` is no count, ``zone`` no zone, or the moments are no times.
    """
    weeks = whole("weeks", weeks, _MOST_WEEKS)
    days = _last_days(access, zoned(zone))
    with styled_axes(ax, (7.2, 2.4)) as drawn:
        alt = "Nobody was ever seen."
        if days.height:
            last = days["day"][-1]
            monday = last - timedelta(days=last.weekday(), weeks=weeks - 1)
            held = {row["day"]: row["n"] for row in days.iter_rows(named=True)}
            grid = [
                [held.get(monday + timedelta(days=day, weeks=week), 0) for week in range(weeks)]
                for day in range(7)
            ]
            mesh = _tinted(drawn, grid, numbers=False)
            begins = [monday + timedelta(weeks=week) for week in range(0, weeks, -(-weeks // 6))]
            drawn.set_xticks(
                [(day - monday).days / 7 for day in begins], [f"{day:%d %b %Y}" for day in begins]
            )
            drawn.tick_params(axis="x", labelsize="small")
            drawn.figure.colorbar(mesh, ax=drawn, label="people", fraction=0.03, format="{x:,.0f}")
            most = max(days.iter_rows(named=True), key=lambda row: row["n"])
            before = sum(n for day, n in held.items() if day < monday)
            alt = (
                f"A calendar of {weeks} weeks up to {last:%d %B %Y}. Most people, {most['n']:,}, were last seen on "
                f"{most['day']:%d %B %Y}; {before:,} not since {monday:%d %B %Y}."
            )
        drawn.set_yticks([at + 0.5 for at in range(7)], _DAYS)
        describe(drawn, "Day of last access", describe_source(access), alt)
    return drawn


def _last_days(access: Any, zone: str) -> pl.DataFrame:
    """How many people were last seen on each day."""
    rows, moment = exchange.to_lazy(access), pl.col("last access at")
    exchange.require_columns(rows, ("user id", "last access at"), "This chart")
    times(rows, ("last access at",), "This chart")
    day = moment.max().cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.date()
    return (
        rows.filter(pl.col("user id").is_not_null())
        .group_by("user id")
        .agg(day=day)
        .drop_nulls("day")
        .group_by("day")
        .len("n")
        .sort("day")
        .collect()
    )


def _by_size(counted: pl.DataFrame, column: str) -> list[str]:
    totals = counted.group_by(column).agg(pl.col("n").sum()).sort(["n", column], descending=[True, False])
    return totals[column].to_list()


def _tinted(ax: Axes, grid: list[list[int]], *, numbers: bool) -> QuadMesh:
    """Cells in tints of one colour, empty ones left open; the first row on top."""
    most = max((n for row in grid for n in row), default=0)
    shown = [[n or float("nan") for n in row] for row in grid]
    mesh = ax.pcolormesh(shown, cmap=_TINTS, norm=LogNorm(1, max(most, 2)), edgecolors="none")
    for y, row in enumerate(grid if numbers else ()):
        for x, n in enumerate(row):
            if n:
                dark = n > math.sqrt(max(most, 2))  # beyond the middle of the tints
                ax.text(
                    x + 0.5, y + 0.5, f"{n:,}", ha="center", va="center", color="white" if dark else "black"
                )
    ax.invert_yaxis()
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    return mesh
