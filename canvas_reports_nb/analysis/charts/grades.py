"""Charts of grades: their distribution, the courses with most D, F and withdrawals, and rates over the years."""

from __future__ import annotations

import math
import re
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
_YEAR = re.compile(r"((?:19|20)\d\d)(?:[-/\u2013]\d{2,4})?")


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
    with look.styled_axes(ax) as drawn:
        middles = [place + _WIDTH / 2 for place in places]
        drawn.bar(
            middles, [bins.get(place, 0) for place in places], width=0.92 * _WIDTH, color=look.COLORS[0]
        )
        _set_ticks(drawn, places)
        drawn.set_xlabel(f"score ({score}), %")
        drawn.set_ylabel("grades")
        look.whole_numbers(drawn.yaxis)
        alt = "No grades"
        if len(scores):
            lowest, median, highest = (float(scores.quantile(part, "linear") or 0) for part in (0, 0.5, 1))
            at = min(max(median, places[0]), places[-1] + _WIDTH)
            drawn.axvline(at, color=look.COLORS[3], linestyle="--")
            drawn.margins(y=0.15)  # the word stays above the bars
            drawn.annotate(
                f" median {median:.1f}  ", (at, 1), xycoords=("data", "axes fraction"), va="top", ha="right"
            )
            alt = f"Bar chart. {len(scores):,} grades from {lowest:.1f} to {highest:.1f}, median {median:.1f}"
        left, never = marks.filter(gone).height, marks.filter(pl.col(CLASS) == "none").height
        others = len(graded) - len(scores) + never
        alt += f"; {others:,} without a graded score, {left:,} withdrawn or dropped."
        look.describe(drawn, "Distribution of grades", look.describe_source(grades, "term"), alt)
    return drawn


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
    top: int = 30,
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
    enough = used.filter(pl.col("of") >= least)
    shown = enough.sort(["dfw", "course id"], descending=[True, False]).head(min(most, look.MAX_BARS))
    sis_ids = [shown["course sis"]] if "course sis" in shown.columns else []
    names = look.labels(shown["course"], *sis_ids, shown["course id"])
    percent = [100 * share for share in shown["dfw"]]
    with look.styled_axes(ax, look.size_for_rows(shown.height)) as drawn:
        at = list(range(shown.height))
        drawn.hlines(at, 100 * shown["low"], 100 * shown["high"], color=look.COLORS[0], lw=2)
        drawn.plot(percent, at, "o", color=look.COLORS[3])
        counted = [f"{name} ({of:,})" for name, of in zip(names, shown["of"], strict=True)]
        drawn.set_yticks(at, counted, fontsize="small")
        drawn.set_ylim(max(shown.height, 1) - 0.4, -0.6)
        drawn.set_xlim(0, None)
        drawn.set_xlabel("D, F or withdrawn, %; lines: 95% interval")
        alt = (
            f"Dot plot with intervals. {shown.height:,} of {table.height:,} courses; "
            f"{used.height - enough.height:,} with fewer than {minimum} grades and "
            f"{table.height - used.height:,} with an unused gradebook left out."
        )
        if percent:
            alt += f" {names[0]} has the highest rate, {percent[0]:.0f}%."
        source = look.describe_source(grades, "term")
        look.describe(drawn, "D, F and withdrawal rates by course", source, alt, definition(rates))
    return drawn


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
    if measure not in _MEASURES:
        raise unknown_choice("measure", measure, list(_MEASURES))
    least = look.check_count("minimum", minimum)
    classed = _letters(grades, census)
    require_columns(classed.lazy(), ("term id", "term"), "rates_over_terms", given=grades)
    table = rates(classed, "term").filter(pl.col("valid") >= least, pl.col(measure).is_not_null())
    years = _years(table, classed, terms)
    placed = [
        (_season(row["term"]), year, 100 * row[measure])
        for row in table.iter_rows(named=True)
        if (year := years.get(row["term id"])) is not None and row["term"]
    ]
    lines: dict[str, list[tuple[int, float]]] = {}
    for season, year, percent in sorted(placed, key=lambda point: point[:2]):
        lines.setdefault(season, []).append((year, percent))
    with look.styled_axes(ax) as drawn:
        for at, (season, points) in enumerate(lines.items()):
            color, marker = look.COLORS[at % len(look.COLORS)], _MARKERS[at % len(_MARKERS)]
            drawn.plot(*zip(*points, strict=True), label=look.label(season), color=color, marker=marker)
        drawn.set_xlabel("year")
        drawn.set_xticks(sorted({year for points in lines.values() for year, _ in points}))
        drawn.set_ylabel(f"{_MEASURES[measure]}, %")
        drawn.set_ylim(0, None)
        if lines:
            look.legend(drawn)
        told = "; ".join(
            f"{season}: {', '.join(f'{year} {percent:.1f}%' for year, percent in points)}"
            for season, points in lines.items()
        )
        alt = f"Line chart by season. {told or 'No data'}. {table.height - len(placed):,} terms without a year left out."
        title = f"{_MEASURES[measure][0].upper()}{_MEASURES[measure][1:]}, by season"
        what = definition(rates).replace("by course", "by term")
        look.describe(drawn, title, look.describe_source(grades), alt, what)
    return drawn


def _season(name: str) -> str:
    """Return the name of a term without its year."""
    text = _YEAR.sub(" ", name) if _YEAR.search(name) else re.sub(r"\d+", " ", name)
    return " ".join(text.split()).replace(" ,", ",").strip(" ,/-") or "terms"


def _years(table: pl.DataFrame, classed: pl.DataFrame, terms: Any) -> dict[Any, int | None]:
    found: dict[Any, int | None] = {
        row["term id"]: int(year[1]) if (year := _YEAR.search(row["term"] or "")) else None
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
