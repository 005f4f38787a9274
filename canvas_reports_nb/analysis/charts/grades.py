"""Charts of grades: their distribution, and the courses with most D, F and withdrawals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.analysis.charts import look
from canvas_reports_nb.analysis.grades import summary
from canvas_reports_nb.analysis.grades.marks import REQUIRED, SCORE, is_withdrawn, with_scores
from canvas_reports_nb.frames.exchange import as_list, require_columns, to_lazy

if TYPE_CHECKING:
    from collections.abc import Collection

    from matplotlib.axes import Axes

    from canvas_reports_nb.analysis.grades.marks import Score

_WIDTH = 5
_FULL = 100
# Room for extra credit and penalties; one score of 100,000 would leave no room for the others.
_LEAST, _MOST = -50, 150
# An axis of up to 130 points has a tick every ten points.
_DENSE_TICKS = 130
# Two-sided 95% of the normal distribution.
_Z = 1.959963984540054


def grade_distribution(
    grades: Any,
    *,
    score: Score = "effective",
    withdrawn: Collection[str] = ("inactive", "deleted"),
    ax: Axes | None = None,
) -> Axes:
    """Draw the number of grades in bins of five points; students are counted once per course.

    Parameters
    ----------
    grades : DataFrame
        The grade export, of any kind.
    score : {"effective", "final", "current", "unposted final", "unposted current"}
        As in ``grades.summary``.
    withdrawn : collection of str
        Enrollment states to leave out, as in ``grades.summary``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Each bin includes its lower end; 100 belongs to the bin from 95. A last bin holds scores of 150 and
        more, a first one scores below -50.
    """
    left = is_withdrawn(as_list(withdrawn))
    rows = with_scores(grades, score, "grade_distribution").select(pl.col(SCORE).cast(pl.Float64), left=left)
    marks = rows.collect()
    stayed = marks.filter(~pl.col("left"))[SCORE]
    scores = stayed.filter(stayed.is_finite())
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
            drawn.annotate(
                f" median {median:.1f}", (at, 1), xycoords=("data", "axes fraction"), va="top", ha="right"
            )
            alt = f"Bar chart. {len(scores):,} grades from {lowest:.1f} to {highest:.1f}, median {median:.1f}"
        alt += f"; {len(stayed) - len(scores):,} without a score, {marks['left'].sum():,} withdrawn."
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
    top: int = 30,
    minimum: int = 5,
    below: float = 70.0,
    letters: Collection[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the courses with the highest rates of D, F and withdrawals, each with its 95% interval.

    Parameters
    ----------
    grades : DataFrame
        The grade export, of any kind; requested with ``include_deleted=True`` to include withdrawals.
    top : int
        Number of courses, at most 100.
    minimum : int
        Courses with fewer students are left out: the rates are unreliable and could identify individuals.
    below, letters
        The definition of a D or F, as in ``grades.summary``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Rates in percent with Wilson's score interval (1927), which stays above 0 in small courses. Courses with
        the same name are labeled with their SIS id.
    """
    least, most = look.check_count("minimum", minimum), look.check_count("top", top)
    rows = to_lazy(grades)
    require_columns(rows, (*REQUIRED, "course"), "dfw_by_course")
    table = to_lazy(summary(rows, "course", below=below, letters=letters)).collect()
    judged = table.with_columns(of=pl.col("passed") + pl.col("dfw"))
    enough = judged.filter(pl.col("of") >= least)
    shown = enough.sort(["dfw share", "course id"], descending=[True, False]).head(min(most, look.MAX_BARS))
    sis_ids = [shown["course sis"]] if "course sis" in shown.columns else []
    names = look.labels(shown["course"], *sis_ids, shown["course id"])
    intervals = [wilson(row["dfw"], row["of"]) for row in shown.iter_rows(named=True)]
    rates = [100 * share for share in shown["dfw share"]]
    with look.styled_axes(ax, look.size_for_rows(shown.height)) as drawn:
        at = list(range(shown.height))
        lows, highs = ([100 * interval[end] for interval in intervals] for end in (0, 1))
        drawn.hlines(at, lows, highs, color=look.COLORS[0], lw=2)
        drawn.plot(rates, at, "o", color=look.COLORS[3])
        counted = [f"{name} ({of:,})" for name, of in zip(names, shown["of"], strict=True)]
        drawn.set_yticks(at, counted, fontsize="small")
        drawn.set_ylim(max(shown.height, 1) - 0.4, -0.6)
        drawn.set_xlim(0, None)
        drawn.set_xlabel("D, F or withdrawn, %; lines: 95% interval")
        alt = (
            f"Dot plot with intervals. {shown.height:,} of {judged.height:,} courses; "
            f"{judged.height - enough.height:,} with fewer than {minimum} students left out."
        )
        if rates:
            alt += f" {names[0]} has the highest rate, {rates[0]:.0f}%."
        look.describe(drawn, "D, F and withdrawal rates by course", look.describe_source(grades, "term"), alt)
    return drawn


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95% score interval of a share (JASA 22, 1927), between 0 and 1."""
    share, spread = hits / of, _Z * _Z / of
    middle = share + spread / 2
    reach = _Z * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max((middle - reach) / (1 + spread), 0.0), min((middle + reach) / (1 + spread), 1.0)
