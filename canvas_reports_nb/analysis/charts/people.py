"""Charts of enrollments and of the last access of people."""

from __future__ import annotations

import textwrap
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

import polars as pl
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from canvas_reports_nb.analysis.activity import last_seen
from canvas_reports_nb.analysis.charts import look
from canvas_reports_nb.analysis.provisioning.tables import key_of, takes_tables, unique_rows
from canvas_reports_nb.frames.exchange import require_columns, to_lazy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_ENDED = ("deleted", "rejected")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MAX_WEEKS = 520
_MAX_TERMS, _MAX_ROLES, _MAX_STATES = 12, 12, 8
# The width of names in cells, and inches per state and digit of its numbers.
_ROLE_CELLS, _STATE_CELLS, _STATE, _DIGIT = 30, 10, 0.66, 0.083
# The share of the axes that the layout leaves to the cells, and the luminance from which black is easier to read.
_CELLS_SHARE, _DARK = 0.8, 0.179


def enrollments_over_terms(tables: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Draw students and their course enrollments per term, so that fall is compared with fall.

    Terms of one season, such as "Fall 2024" and "Fall 2025", follow each other in the order they begin. A student in two
    sections of a course counts as one enrollment; deleted and rejected enrollments don't count.

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
    left = max(terms.height - _MAX_TERMS, 0)
    shown, earlier = _by_season(terms.tail(terms.height - left)), terms.head(left)["enrollments"].sum()
    with look.panel(ax, look.size_for_rows(1.7 * shown.height + (left > 0) + 1)) as panel:
        for column, text, shift, color, hatch in (
            ("enrollments", "course enrollments", -0.19, panel.theme.colors[0], ""),
            ("people", "students", 0.19, panel.theme.colors[1], "///"),
        ):
            places = [at + shift for at in range(shown.height)]
            bars = panel.ax.barh(
                places,
                shown[column].to_list(),
                0.36,
                label=text,
                color=color,
                hatch=hatch,
                edgecolor=panel.theme.line,
            )
            panel.ax.bar_label(bars, fmt="{:,.0f}", padding=4, color=panel.theme.text)
        names = look.labels(shown["name"], shown["canvas_term_id"])
        panel.name_rows(
            names,
            (look.name_others(left), f"{earlier:,} course enrollments in earlier terms") if left else None,
        )
        panel.ax.xaxis.set_visible(False)
        panel.legend()
        alt = "; ".join(
            f"{row['name']}: {row['people']:,} students, {row['enrollments']:,} enrollments"
            for row in terms.iter_rows(named=True)
        )
        source = look.describe_source(tables["enrollments"])
        panel.describe("Students and enrollments by term", source, f"Bar chart. {alt or 'No data'}.")
    return panel.ax


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


def _by_season(terms: pl.DataFrame) -> pl.DataFrame:
    """Put the terms of each season together, the seasons in the order of their first terms."""
    seasons = [look.season_of(name or "") for name in terms["name"]]
    order = sorted(range(len(seasons)), key=lambda at: (seasons.index(seasons[at]), at))
    return terms[order]


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
    if key_of("enrollments", rows.collect_schema().names()):
        rows = unique_rows({"enrollments": rows}, "enrollments")
    texts = rows.select(pl.col("role", "status").cast(pl.String).fill_null("none"))
    counts = texts.group_by("role", "status").len("n").collect()
    roles, by_role = _sum_others(counts, "role", _MAX_ROLES)
    states, by_both = _sum_others(by_role, "status", _MAX_STATES)
    cells = {(role, state): n for role, state, n in by_both.select("role", "status", "n").iter_rows()}
    grid = [[cells.get((role, state), 0) for state in states] for role in roles]
    width, height = look.size_for_rows(1.6 * len(roles) + 2)
    with look.panel(ax, (max(width, 3.4 + _STATE * len(states)), height)) as panel:
        if roles:
            _write_numbers(panel, grid, _draw_cells(panel, grid, "enrollments"))
        _name_cells(panel.ax.xaxis, [_two_lines(state) for state in states])
        _name_cells(panel.ax.yaxis, look.labels(roles, range(1, len(roles) + 1), cells=_ROLE_CELLS))
        ordered = counts.sort("n", "role", "status", descending=[True, False, False])
        alt = "; ".join(f"{role}, {state}: {n:,}" for role, state, n in ordered.iter_rows())
        source = look.describe_source(enrollments)
        panel.describe("Enrollments by role and status", source, f"Table. {alt or 'No data'}.")
    return panel.ax


def _sum_others(counts: pl.DataFrame, column: str, most: int) -> tuple[list[str], pl.DataFrame]:
    """Return the largest groups of a column in order, and the counts with all other groups as one."""
    totals = counts.group_by(column).agg(pl.col("n").sum()).sort(["n", column], descending=[True, False])
    names = totals[column].to_list()
    if len(names) <= most:
        return names, counts
    kept, others = names[: most - 1], look.name_others(len(names) - most + 1)
    group = pl.when(pl.col(column).is_in(kept)).then(column).otherwise(pl.lit(others)).alias(column)
    return [*kept, others], counts.with_columns(group).group_by("role", "status").agg(pl.col("n").sum())


def _two_lines(name: str) -> str:
    return "\n".join(textwrap.wrap(look.label(name, 2 * _STATE_CELLS), _STATE_CELLS))


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
    with look.panel(ax, (7.2, 2.7)) as panel:
        message = _draw_calendar(panel, dict(days.iter_rows()), weeks) if days.height else ""
        _name_cells(panel.ax.yaxis, _DAYS)
        alt = (
            f"Calendar of the {weeks} weeks up to {max(days['day']):%d %B %Y}. {message}."
            if message
            else "Nobody was ever seen."
        )
        panel.describe("Day of last access", look.describe_source(access), alt, message)
    return panel.ax


def _draw_calendar(panel: look.Panel, people: Mapping[date, int], weeks: int) -> str:
    """Draw the people last seen on each day, and return the main numbers in words."""
    last = max(people)
    monday = last - timedelta(days=last.weekday(), weeks=weeks - 1)
    grid = [
        [people.get(monday + timedelta(days=day, weeks=week), 0) for week in range(weeks)] for day in range(7)
    ]
    _draw_cells(panel, grid, "people")
    ticks = [monday + timedelta(weeks=week) for week in range(0, weeks, -(-weeks // 6))]
    panel.ax.set_xticks(
        [(day - monday).days / 7 for day in ticks], [f"{day:%d %b %Y}" for day in ticks], ha="left"
    )
    busiest = max(people, key=lambda day: people[day])
    before = sum(n for day, n in people.items() if day < monday)
    return (
        f"Most people ({people[busiest]:,}) were last seen on {busiest:%d %B %Y}; "
        f"{before:,} before {monday:%d %B %Y}"
    )


def _draw_cells(panel: look.Panel, grid: list[list[int]], of: str) -> ScalarMappable:
    """Draw cells in tints of one color, the first row on top, with their scale; cells of 0 stay empty."""
    shown = [[n or float("nan") for n in row] for row in grid]
    top = _largest(grid)
    scale = ScalarMappable(LogNorm(1, top), LinearSegmentedColormap.from_list("tints", panel.theme.tints))
    panel.ax.pcolormesh(shown, cmap=scale.cmap, norm=cast("Any", scale.norm), edgecolors="none")
    panel.ax.invert_yaxis()
    tens = [10**at for at in range(len(str(top)))]
    # The end of the scale, unless a power of ten is too close.
    ticks = [*tens, top] if top > 2 * tens[-1] else [*tens[:-1], top]
    bar = panel.figure.colorbar(scale, ax=panel.ax, label=of, fraction=0.03, ticks=ticks, format="{x:,.0f}")
    bar.minorticks_off()
    bar.ax.tick_params(length=0, colors=panel.theme.text)
    cast("Any", bar.outline).set_visible(False)
    return scale


def _name_cells(axis: Axis, names: Sequence[str]) -> None:
    axis.set_ticks([at + 0.5 for at in range(len(names))], names)


def _write_numbers(panel: look.Panel, grid: list[list[int]], scale: ScalarMappable) -> None:
    # Inches per digit at 9 points.
    width = (panel.ax.bbox.width / panel.figure.dpi) * _CELLS_SHARE / len(grid[0])
    size = min(9.0, 9 * width / (_DIGIT * len(f"{_largest(grid):,}")))
    for y, row in enumerate(grid):
        for x, n in enumerate(row):
            if n:
                # The ink of more contrast, as WCAG defines it.
                shade = scale.to_rgba(cast("Any", n))
                ink: Any = {"color": "white" if look.luminance(shade) < _DARK else "black", "fontsize": size}
                panel.ax.text(x + 0.5, y + 0.5, f"{n:,}", ha="center", va="center", **ink)


def _largest(grid: list[list[int]]) -> int:
    return max([2, *(n for row in grid for n in row)])
