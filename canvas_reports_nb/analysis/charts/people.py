"""Charts of enrollments and of the last access of people."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from canvas_reports_nb.analysis.activity import last_seen
from canvas_reports_nb.analysis.charts import look
from canvas_reports_nb.analysis.provisioning.tables import has_key, takes_tables, unique_rows
from canvas_reports_nb.frames.exchange import require_columns, to_lazy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.collections import QuadMesh

_ENDED = ("deleted", "rejected")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FEW_TERMS = 10
# Inches per term and digit of its numbers, the least share of a figure's width that axes take, the widest figure.
_DIGIT, _AXES, _WIDEST = 0.155, 0.77, 14.0
_MAX_WEEKS = 520
# Tints of the palette's first color, from one that shows on white and on black to the darkest.
_TINTS = LinearSegmentedColormap.from_list("tints", ["#B8D9EE", "#56B4E9", "#0072B2", "#003A5C"])


def enrollments_over_terms(tables: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Draw students and their course enrollments per term, in the order the terms begin.

    A student in two sections of a course counts as one enrollment; deleted and rejected enrollments don't count.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        ``enrollments``, ``courses`` and ``terms`` of one provisioning run, of any kind, as ``read_tables``
        returns them.
    ax : matplotlib.axes.Axes, optional

    Examples
    --------
    >>> axes = crn.charts.enrollments_over_terms(tables)
    """
    terms = to_lazy(_count_by_term(tables)).collect()
    most = max(terms["enrollments"].to_list(), default=0)
    # Each term has two bars with a number on top.
    needed = terms.height * _DIGIT * len(f"{most:,}") if terms.height <= _FEW_TERMS else 0.0
    width, height = look.size_for_columns(terms.height)
    with look.styled_axes(ax, (max(width, min(needed / _AXES, _WIDEST)), height)) as drawn:
        at = list(range(terms.height))
        has_room = 0 < needed <= drawn.bbox.width / drawn.figure.dpi
        for column, text, shift, color, hatch in (
            ("enrollments", "course enrollments", -0.2, look.COLORS[0], ""),
            ("people", "students", 0.2, look.COLORS[1], "///"),
        ):
            places = [place + shift for place in at]
            bars = drawn.bar(places, terms[column].to_list(), 0.38, label=text, color=color, hatch=hatch)
            if has_room:
                drawn.bar_label(bars, fmt="{:,.0f}", fontsize="x-small")
        look.name_columns(
            drawn, look.labels(terms["name"], terms["canvas_term_id"], cells=look.SLANTED_CELLS)
        )
        look.whole_numbers(drawn.yaxis)
        look.legend(drawn)
        alt = "; ".join(
            f"{row['name']}: {row['people']:,} students, {row['enrollments']:,} enrollments"
            for row in terms.iter_rows(named=True)
        )
        source = look.describe_source(tables["enrollments"])
        look.describe(drawn, "Students and enrollments by term", source, f"Bar chart. {alt or 'No data'}.")
    return drawn


@takes_tables(
    enrollments=("canvas_course_id", "canvas_user_id", "base_role_type", "status"),
    courses=("canvas_course_id", "canvas_term_id"),
    terms=("canvas_term_id", "name", "start_date"),
)
def _count_by_term(tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    courses, terms = unique_rows(tables, "courses"), unique_rows(tables, "terms")
    return (
        tables["enrollments"]
        .filter(
            pl.col("base_role_type").cast(pl.String) == "StudentEnrollment",
            ~pl.col("status").cast(pl.String).is_in(_ENDED),
        )
        .select("canvas_course_id", "canvas_user_id")
        .unique()
        .join(courses.select("canvas_course_id", "canvas_term_id"), on="canvas_course_id")
        .join(terms.select("canvas_term_id", "name", "start_date"), on="canvas_term_id")
        .group_by("canvas_term_id", "name", "start_date")
        .agg(people=pl.col("canvas_user_id").n_unique(), enrollments=pl.len())
        # The default term has no dates and comes first.
        .sort("start_date", "name", "canvas_term_id", nulls_last=False)
    )


def role_by_state(enrollments: Any, *, ax: Axes | None = None) -> Axes:
    """Draw the number of enrollments of each role and status as a table of tinted cells.

    Parameters
    ----------
    enrollments : DataFrame
        The enrollments of a provisioning run, of any kind.
    ax : matplotlib.axes.Axes, optional

    Examples
    --------
    >>> axes = crn.charts.role_by_state(tables["enrollments"])
    """
    rows = to_lazy(enrollments)
    require_columns(rows, ("role", "status"), "role_by_state")
    # Without a key, equal rows are different enrollments.
    if has_key(rows, "enrollments"):
        rows = unique_rows({"enrollments": rows}, "enrollments")
    texts = rows.select(pl.col("role", "status").cast(pl.String).fill_null("none"))
    counts = texts.group_by("role", "status").len("n").collect()
    roles, states = _by_size(counts, "role"), _by_size(counts, "status")
    cells = {(role, state): n for role, state, n in counts.iter_rows()}
    grid = [[cells.get((role, state), 0) for state in states] for role in roles]
    with look.styled_axes(ax, look.size_for_rows(2 * len(roles))) as drawn:
        if roles:
            _add_scale(drawn, _draw_cells(drawn, grid), "enrollments")
            _write_numbers(drawn, grid)
        _name_cells(drawn.xaxis, states)
        _name_cells(drawn.yaxis, roles)
        ordered = counts.sort("n", "role", "status", descending=[True, False, False])
        alt = "; ".join(f"{role}, {state}: {n:,}" for role, state, n in ordered.iter_rows())
        source = look.describe_source(enrollments)
        look.describe(drawn, "Enrollments by role and status", source, f"Table. {alt or 'No data'}.")
    return drawn


def _by_size(counts: pl.DataFrame, column: str) -> list[str]:
    totals = counts.group_by(column).agg(pl.col("n").sum()).sort(["n", column], descending=[True, False])
    return totals[column].to_list()


def last_access_calendar(access: Any, *, weeks: int = 26, zone: str = "UTC", ax: Axes | None = None) -> Axes:
    """Draw the day people were last seen, the latest weeks as a calendar.

    Each person counts once, at the latest time of all their logins.

    Parameters
    ----------
    access : DataFrame
        The last user access report, of any kind.
    weeks : int
        Number of weeks back from the latest access, at most 520.
    zone : str
        The time zone in which days begin, such as ``"America/Denver"``; the report is in UTC.
    ax : matplotlib.axes.Axes, optional

    Examples
    --------
    >>> access = canvas.read_report("last_user_access_csv")
    >>> axes = crn.charts.last_access_calendar(access, zone="America/Denver")
    """
    weeks = look.check_count("weeks", weeks, _MAX_WEEKS)
    seen = last_seen(access, "last access at", zone, "last_access_calendar").drop_nulls()
    days = seen.group_by(day=pl.col("seen").dt.date()).len("n").sort("day").collect()
    with look.styled_axes(ax, (7.2, 2.4)) as drawn:
        alt = _draw_calendar(drawn, dict(days.iter_rows()), weeks) if days.height else "Nobody was ever seen."
        _name_cells(drawn.yaxis, _DAYS)
        look.describe(drawn, "Day of last access", look.describe_source(access), alt)
    return drawn


def _draw_calendar(ax: Axes, people: Mapping[date, int], weeks: int) -> str:
    """Draw the people last seen on each day, and return the chart in words."""
    last = max(people)
    monday = last - timedelta(days=last.weekday(), weeks=weeks - 1)
    grid = [
        [people.get(monday + timedelta(days=day, weeks=week), 0) for week in range(weeks)] for day in range(7)
    ]
    mesh = _draw_cells(ax, grid)
    ticks = [monday + timedelta(weeks=week) for week in range(0, weeks, -(-weeks // 6))]
    ax.set_xticks([(day - monday).days / 7 for day in ticks], [f"{day:%d %b %Y}" for day in ticks])
    ax.tick_params(axis="x", labelsize="small")
    _add_scale(ax, mesh, "people")
    busiest = max(people, key=lambda day: people[day])
    before = sum(n for day, n in people.items() if day < monday)
    return (
        f"Calendar of the {weeks} weeks up to {last:%d %B %Y}. Most people ({people[busiest]:,}) were last "
        f"seen on {busiest:%d %B %Y}; {before:,} before {monday:%d %B %Y}."
    )


def _draw_cells(ax: Axes, grid: list[list[int]]) -> QuadMesh:
    """Draw cells in tints of one color, the first row on top; cells of 0 stay empty."""
    shown = [[n or float("nan") for n in row] for row in grid]
    mesh = ax.pcolormesh(shown, cmap=_TINTS, norm=LogNorm(1, _largest(grid)), edgecolors="none")
    ax.invert_yaxis()
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    return mesh


def _add_scale(ax: Axes, mesh: QuadMesh, of: str) -> None:
    ax.figure.colorbar(mesh, ax=ax, label=of, fraction=0.03, format="{x:,.0f}")


def _name_cells(axis: Axis, names: Sequence[str]) -> None:
    axis.set_ticks([at + 0.5 for at in range(len(names))], [look.label(name) for name in names])


def _write_numbers(ax: Axes, grid: list[list[int]]) -> None:
    middle = math.sqrt(_largest(grid))  # of the logarithmic tints; darker cells get white numbers
    for y, row in enumerate(grid):
        for x, n in enumerate(row):
            if n:
                color = "white" if n > middle else "black"
                ax.text(x + 0.5, y + 0.5, f"{n:,}", ha="center", va="center", color=color)


def _largest(grid: list[list[int]]) -> int:
    return max([2, *(n for row in grid for n in row)])
