"""Charts of grades: their distribution, the courses with most D, F and withdrawals, and rates over the years."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from canvas_reports_nb.analysis.charts import look
from canvas_reports_nb.analysis.definitions import definition
from canvas_reports_nb.analysis.grades import letters, rates
from canvas_reports_nb.analysis.grades.letters import BANDS, CLASS, classify
from canvas_reports_nb.analysis.grades.marks import SCORE, score_columns, unknown_choice
from canvas_reports_nb.frames.exchange import check_joinable, require_columns, to_lazy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from matplotlib.axes import Axes

    from canvas_reports_nb.analysis.grades.marks import Score

_WIDTH = 5
_FULL = 100
# Room for extra credit and penalties; one score of 100,000 would leave no room for the others.
_LEAST, _MOST = -50, 150
# An axis of up to 130 points has a tick every ten points.
_DENSE_TICKS = 130
_LABELS = ("course", "course id", "course sis", "term", "term id", "term sis")
_MEASURES = {
    "dfw": "D, F or withdrawn",
    "dfwi": "D, F, withdrawn or incomplete",
    "success": "success",
    "completion": "completion",
}
_MARKERS = "os^Dvp"
# The length of a season's name, and the height of its line as a share of the chart.
_SEASON, _LINE = 24, 0.085


def grade_distribution(
    grades: Any,
    *,
    score: Score = "effective",
    withdrawn: Collection[str] = ("inactive",),
    ax: Axes | None = None,
) -> Axes:
    """Draw the number of grades in bins of five points; students are counted once per course.

    Parameters
    ----------
    grades : DataFrame
        The grade export, of any kind.
    score : {"effective", "final", "current", "unposted final", "unposted current"}
        As in ``grades.letters``.
    withdrawn : collection of str
        Enrollment states to leave out, as in ``grades.letters``; deleted enrollments are left out, too.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Each bin includes its lower end; 100 belongs to the bin from 95. A last bin holds scores of 150 and
        more, a first one scores below -50. Work that was never graded is left out: its final score of 0 is no
        grade.

    Examples
    --------
    >>> axes = crn.charts.grade_distribution(grades)
    """
    rows = to_lazy(grades, {*_LABELS, *score_columns(score)})
    classed = classify(grades, rows, None, withdrawn=withdrawn, score=score, analysis="grade_distribution")
    marks = classed.select(pl.col(SCORE).cast(pl.Float64), CLASS).collect()
    gone = pl.col(CLASS).is_in(("W", "dropped"))
    graded = marks.filter(~gone, pl.col(CLASS) != "none")[SCORE]
    scores = graded.filter(graded.is_finite())
    bins = _count_by_bin(scores)
    places = list(range(min([0, *bins]), max([_FULL - _WIDTH, *bins]) + 1, _WIDTH))
    left, never = marks.filter(gone).height, marks.filter(pl.col(CLASS) == "none").height
    others = len(graded) - len(scores) + never
    with look.panel(ax) as panel:
        middles = [place + _WIDTH / 2 for place in places]
        counts = [bins.get(place, 0) for place in places]
        panel.ax.bar(middles, counts, width=0.92 * _WIDTH, color=panel.theme.colors[0])
        _set_ticks(panel.ax, places)
        panel.ax.set_xlabel(f"score ({score}), %")
        panel.ax.set_ylabel("grades")
        panel.scale(panel.ax.yaxis)
        counted = "No grades"
        if len(scores):
            lowest, median, highest = (float(scores.quantile(part, "linear") or 0) for part in (0, 0.5, 1))
            counted = f"{len(scores):,} grades from {lowest:.1f} to {highest:.1f}, median {median:.1f}"
            _mark(panel, min(max(median, places[0]), places[-1] + _WIDTH), f"median {median:.1f}")
        missing = look.join_counts((others, "without a graded score"), (left, "withdrawn or dropped"))
        message = f"{counted}; {missing}" if missing else counted
        alt = f"{'Bar chart. ' if len(scores) else ''}{counted}; {others:,} without a graded score, {left:,} withdrawn or dropped."
        panel.describe("Distribution of grades", look.describe_source(grades, "term"), alt, message)
    return panel.ax


def _mark(panel: look.Panel, at: float, text: str) -> None:
    """Mark a score by a line with its name, above the bars."""
    color = panel.theme.colors[1]
    panel.ax.axvline(at, color=color, linestyle="--", linewidth=1.2)
    panel.ax.margins(y=0.15)
    place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
    start, end = panel.ax.get_xlim()
    # On the side with more room.
    side: Any = (
        {"xytext": (-5, 0), "ha": "right"} if at > (start + end) / 2 else {"xytext": (5, 0), "ha": "left"}
    )
    panel.ax.annotate(text, (at, 1), color=color, **place, **side)


def _count_by_bin(scores: pl.Series) -> dict[int, int]:
    """Count scores by the lower end of their bin."""
    score = pl.col(SCORE)
    # 100 is the end of the scale, not the beginning of the scores beyond it.
    inside = pl.when(score == _FULL).then(_FULL - _WIDTH).otherwise(score).clip(_LEAST - _WIDTH, _MOST)
    place = (inside / _WIDTH).floor().cast(pl.Int64) * _WIDTH
    return dict(scores.to_frame().group_by(place.alias("place")).len().iter_rows())


def _set_ticks(ax: Axes, places: list[int]) -> None:
    step = 10 if places[-1] - places[0] <= _DENSE_TICKS else 25
    ends = range(step * math.ceil(places[0] / step), places[-1] + 2 * _WIDTH, step)
    words = {_LEAST: f"< {_LEAST}"} if places[0] < _LEAST else {}
    words |= {_MOST: f"{_MOST}+"} if places[-1] == _MOST else {}
    ax.set_xticks(ends, [words.get(end, str(end)) for end in ends])


def dfw_by_course(
    grades: Any,
    *,
    census: Any = None,
    top: int = 20,
    minimum: int = 10,
    withdrawn: Collection[str] = ("inactive",),
    scheme: Mapping[str, str] | None = None,
    bands: Mapping[str, float] = BANDS,
    ax: Axes | None = None,
) -> Axes:
    """Draw the courses with the highest rates of D, F and withdrawals, each with its 95% interval.

    Parameters
    ----------
    grades : DataFrame
        The grade export, of any kind, requested with ``include_deleted=True``; or what ``grades.letters`` returned.
    census, withdrawn, scheme, bands
        As in ``grades.letters``.
    top : int
        Number of courses, at most 100.
    minimum : int
        Courses with fewer grades are left out: the rates are unreliable and could identify individuals.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Rates in percent with Wilson's score interval (1927), which stays above 0 in small courses. Courses with
        an unused gradebook are not ranked. Courses with the same name are labeled with their SIS id.

    Examples
    --------
    >>> axes = crn.charts.dfw_by_course(grades, top=10)
    """
    least, most = look.check_count("minimum", minimum), look.check_count("top", top)
    classed = _letters(grades, census, withdrawn=withdrawn, scheme=scheme, bands=bands)
    require_columns(classed.lazy(), ("course",), "dfw_by_course", given=grades)
    table = rates(classed).with_columns(of=pl.col("valid") - pl.col("I"))
    used = table.filter(~pl.col("gradebook unused"))
    enough = used.filter(pl.col("of") >= least).sort(["dfw", "course id"], descending=[True, False])
    shown = enough.head(min(most, look.MAX_BARS))
    sis_ids = [shown["course sis"]] if "course sis" in shown.columns else []
    names = look.labels(shown["course"], *sis_ids, shown["course id"])
    counted = [f"{name} ({of:,})" for name, of in zip(names, shown["of"], strict=True)]
    left = enough.height - shown.height
    with look.panel(ax, look.size_for_rows(shown.height + 2)) as panel:
        line, dot = panel.theme.colors[:2]
        at = list(range(shown.height))
        rate = [100 * share for share in shown["dfw"]]
        panel.ax.hlines(at, 100 * shown["low"], 100 * shown["high"], color=line, lw=2)
        panel.ax.plot(rate, at, "o", color=dot, markersize=5, clip_on=False, zorder=3)
        for row, share, end in zip(at, rate, shown["high"], strict=True):
            panel.ax.annotate(
                f"{share:.0f}%", (100 * end, row), (5, 0), textcoords="offset points", va="center", color=dot
            )
        panel.ax.set_xlim(0, None if at else 100)
        panel.scale(panel.ax.xaxis, "{x:.0f}%")
        panel.name_rows(counted, _pool(enough.tail(left)) if left else None)
        small, unused = used.height - enough.height, table.height - used.height
        alt = (
            f"Dot plot with intervals. {shown.height:,} of {table.height:,} courses; {small:,} with fewer than "
            f"{minimum} grades and {unused:,} with an unused gradebook left out."
        )
        if rate:
            alt += f" {names[0]} has the highest rate, {rate[0]:.0f}%."
        left_out = look.join_counts(
            (small, f"with fewer than {minimum} grades"), (unused, "with an unused gradebook")
        )
        message = "Dots: rate; lines: 95% interval. " if rate else ""
        message += (
            f"{enough.height:,} of {table.height:,} courses{f'; left out: {left_out}' if left_out else ''}"
        )
        source = look.describe_source(grades, "term")
        title = "D, F and withdrawal rates by course"
        panel.describe(title, source, alt, message, definition(rates))
    return panel.ax


def _pool(courses: pl.DataFrame) -> tuple[str, str]:
    """Return the number of courses, their grades and the rate of all of them."""
    failed, of = courses.select("D", "F", "NP", "W").sum().sum_horizontal().item(), courses["of"].sum()
    return f"{look.name_others(courses.height)} ({of:,})", f"{100 * failed / of:.0f}% together"


def _letters(grades: Any, census: Any = None, **options: Any) -> pl.DataFrame:
    """Return the needed columns of the letters of an export, or of letters themselves."""
    wanted = {*_LABELS, *score_columns("effective"), CLASS}
    rows = to_lazy(grades, wanted)
    if CLASS in rows.collect_schema().names():
        return rows.select(name for name in rows.collect_schema().names() if name in wanted).collect()
    require_columns(rows, (), "This chart", given=grades)
    return letters(rows.collect(), census=census, **options)


def rates_over_terms(
    grades: Any,
    *,
    terms: Any = None,
    measure: Literal["dfw", "dfwi", "success", "completion"] = "dfw",
    census: Any = None,
    minimum: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw a rate over the years, with one line per season, so that fall is compared with fall.

    Parameters
    ----------
    grades : DataFrame
        The grade export of several terms, or what ``grades.letters`` returned for it.
    terms : DataFrame, optional
        The terms of a provisioning run. The year of a term is then that of its start date; otherwise it is taken
        from its name, such as "Fall 2025". The rest of the name is the season.
    measure : {"dfw", "dfwi", "success", "completion"}
        As in ``grades.rates``.
    census
        As in ``grades.letters``.
    minimum : int
        Terms with fewer grades are left out.
    ax : matplotlib.axes.Axes, optional

    Examples
    --------
    >>> years = canvas.read_report("grade_export_csv")
    >>> axes = crn.charts.rates_over_terms(years)
    """
    if not isinstance(measure, str) or measure not in _MEASURES:
        raise unknown_choice("measure", measure, list(_MEASURES))
    least = look.check_count("minimum", minimum)
    classed = _letters(grades, census)
    require_columns(classed.lazy(), ("term id", "term"), "rates_over_terms", given=grades)
    table = rates(classed, "term").filter(pl.col("valid") >= least, pl.col(measure).is_not_null())
    years = _years(table, classed, terms)
    placed = [
        (look.season_of(row["term"]), year, 100 * row[measure])
        for row in table.iter_rows(named=True)
        if (year := years.get(row["term id"])) is not None and row["term"]
    ]
    lines: dict[str, list[tuple[int, float]]] = {}
    for season, year, percent in sorted(placed, key=lambda point: point[:2]):
        lines.setdefault(season, []).append((year, percent))
    with look.panel(ax) as panel:
        # The seasons of most years; an order by name would begin with the odd ones.
        shown = sorted(lines, key=lambda season: -len(lines[season]))[: len(panel.theme.colors)]
        _draw_lines(panel, {season: lines[season] for season in shown})
        message = f"{look.name_others(len(lines) - len(shown))} not shown" if len(lines) > len(shown) else ""
        alt = f"Line chart by season. {_in_words(lines)}. {table.height - len(placed):,} terms without a year left out."
        title = f"{_MEASURES[measure][0].upper()}{_MEASURES[measure][1:]}, by season"
        what = definition(rates).replace("by course", "by term")
        panel.describe(title, look.describe_source(grades, "term"), alt, message, what)
    return panel.ax


def _in_words(lines: Mapping[str, list[tuple[int, float]]]) -> str:
    seasons = (
        f"{season}: {', '.join(f'{year} {percent:.1f}%' for year, percent in points)}"
        for season, points in lines.items()
    )
    return "; ".join(seasons) or "No data"


def _draw_lines(panel: look.Panel, lines: Mapping[str, list[tuple[int, float]]]) -> None:
    """Draw a line per season, with its name and last rate at the right."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - `look` says if matplotlib is missing

    ax = panel.ax
    names = dict(zip(lines, look.labels(lines, range(1, len(lines) + 1), cells=_SEASON), strict=True))
    for (season, points), color, marker in zip(lines.items(), panel.theme.colors, _MARKERS, strict=False):
        ax.plot(*zip(*points, strict=True), label=look.label(season), color=color, marker=marker)
    years = [year for points in lines.values() for year, _ in points]
    ax.set_xlim(min(years, default=2000) - 0.5, max(years, default=2000) + 0.5)
    ax.set_ylim(0, max([1.0, *(percent for points in lines.values() for _, percent in points)]) * 1.08)
    panel.scale(ax.xaxis, "{x:.0f}")
    panel.scale(ax.yaxis, "{x:.0f}%")
    ax.xaxis.grid(visible=False)
    ax.tick_params(axis="x", pad=9)
    (_, right), (_, top) = ax.get_xlim(), ax.get_ylim()
    ends = sorted(lines, key=lambda season: lines[season][-1][1])
    heights = look.spread([lines[season][-1][1] / top for season in ends], _LINE)
    colors = [panel.theme.colors[list(lines).index(season)] for season in ends]
    leaders = [
        [lines[season][-1], (right, height * top)] for season, height in zip(ends, heights, strict=True)
    ]
    ax.add_collection(LineCollection(leaders, colors=colors, linewidths=0.6), autolim=False)
    for season, height, color in zip(ends, heights, colors, strict=True):
        name = f"{names[season]} {lines[season][-1][1]:.1f}%"
        place: Any = {"xycoords": "axes fraction", "va": "center", "annotation_clip": False}
        ax.annotate(name, (1.01, height), color=color, **place)


def _years(table: pl.DataFrame, classed: pl.DataFrame, terms: Any) -> dict[Any, int | None]:
    found: dict[Any, int | None] = {
        row["term id"]: int(year[1]) if (year := look.YEAR.search(row["term"] or "")) else None
        for row in table.iter_rows(named=True)
    }
    if terms is not None:
        dates = to_lazy(terms, ("canvas_term_id", "start_date"))
        require_columns(
            dates, ("canvas_term_id", "start_date"), "rates_over_terms, in the terms,", given=terms
        )
        check_joinable(classed.lazy(), "term id", dates, "canvas_term_id")
        begun = dates.select("canvas_term_id", pl.col("start_date").dt.year()).drop_nulls().collect()
        found |= {term: year for term, year in begun.iter_rows() if term in found}
    return found
