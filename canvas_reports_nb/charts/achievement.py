"""Charts of marks: how they are spread, and where many are a D, an F or a withdrawal."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.charts.look import BARS, COLOURS, describe, label, looked, rows_high, said_of
from canvas_reports_nb.frames import exchange
from canvas_reports_nb.grades import summary
from canvas_reports_nb.grades.counting import NEEDED, once
from canvas_reports_nb.grades.marks import SCORE, counted, scored

if TYPE_CHECKING:
    from collections.abc import Collection

    from matplotlib.axes import Axes

    from canvas_reports_nb.grades.marks import Score

__all__ = ["dfw_by_course", "grade_distribution"]

_WIDTH = 5
_FULL = 100
# Two-sided 95 % of the normal distribution.
_Z = 1.959963984540054


def grade_distribution(grades: Any, *, score: Score = "in force", ax: Axes | None = None) -> Axes:
    """How many grades fall on each five points; a student counts once in a course.

    Parameters
    ----------
    grades : DataFrame
        The grade export, of any kind.
    score : {"in force", "final", "current", "unposted final", "unposted current"}
        As in ``grades.summary``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Bins of five points, each with its lower and without its upper end; 100 stands in the last one, and
        more than 100 beyond it.
    """
    rows = exchange.lazy(grades)
    exchange.require(rows, {*NEEDED, *counted(score, letters=False)}, "This chart")
    marks = scored(once(rows), score, letters=False).select(SCORE).collect()[SCORE]
    found = marks.drop_nulls().to_list()
    # A hundred is the end of the scale, not the beginning of what lies beyond it.
    bins = [_WIDTH * int((mark - 1e-9 if mark == _FULL else mark) // _WIDTH) for mark in found]
    places = range(min([0, *bins]), max([_FULL - _WIDTH, *bins]) + 1, _WIDTH)
    heights = [bins.count(place) for place in places]
    with looked(ax) as drawn:
        drawn.bar([place + _WIDTH / 2 for place in places], heights, width=0.92 * _WIDTH, color=COLOURS[0])
        drawn.set_xticks(range(places[0], places[-1] + 2 * _WIDTH, 2 * _WIDTH))
        drawn.set_xlabel(f"score ({score}), %")
        drawn.set_ylabel("grades")
        drawn.yaxis.set_major_formatter("{x:,.0f}")
        alt = f"No grades; {len(marks):,} without a score."
        if found:
            middle = statistics.median(found)
            drawn.axvline(middle, color=COLOURS[3], linestyle="--")
            drawn.annotate(
                f" median {middle:.1f}", (middle, 1), xycoords=("data", "axes fraction"), va="top", ha="right"
            )
            alt = (
                f"Bars. {len(found):,} grades, the median {middle:.1f}, from {min(found):.1f} to {max(found):.1f}; "
                f"{len(marks) - len(found):,} without a score."
            )
        describe(drawn, "Distribution of grades", said_of(grades, "term"), alt)
    return drawn


def dfw_by_course(
    grades: Any,
    *,
    top: int = 30,
    minimum: int = 5,
    below: float = 70.0,
    letters: Collection[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The courses with the highest share of D, F and withdrawals, each with its 95 % interval.

    Parameters
    ----------
    grades : DataFrame
        The grade export, of any kind; run with ``include_deleted=True`` for withdrawals.
    top : int
        How many courses, 100 at most.
    minimum : int
        Courses of fewer students are left out: they would show persons, and their shares mean little.
    below, letters
        What a D or F is, as in ``grades.summary``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Shares in percent with Wilson's score interval (1927), which small courses don't take below 0.
    """
    table = exchange.lazy(summary(exchange.lazy(grades), "course", below=below, letters=letters)).collect()
    judged = table.with_columns(of=pl.col("passed") + pl.col("dfw"))
    enough = judged.filter(pl.col("of") >= minimum)
    shown = enough.sort(["dfw share", "course id"], descending=[True, False]).head(min(top, BARS))
    ends = [wilson(row["dfw"], row["of"]) for row in shown.iter_rows(named=True)]
    shares = [100 * share for share in shown["dfw share"]]
    with looked(ax, rows_high(shown.height)) as drawn:
        at = list(range(shown.height))
        drawn.hlines(
            at, [100 * low for low, _ in ends], [100 * high for _, high in ends], color=COLOURS[0], lw=2
        )
        drawn.plot(shares, at, "o", color=COLOURS[3])
        names = [f"{label(row['course'])} ({row['of']:,})" for row in shown.iter_rows(named=True)]
        drawn.set_yticks(at, names, fontsize="small")
        drawn.set_ylim(max(shown.height, 1) - 0.4, -0.6)
        drawn.set_xlim(0, None)
        drawn.set_xlabel("D, F or withdrawn, %; lines: 95 % interval")
        small = judged.height - enough.height
        alt = f"Points with intervals. {shown.height:,} of {judged.height:,} courses; {small:,} with fewer than {minimum} left out."
        if shares:
            alt += f" {label(shown['course'][0])} has the highest share, {shares[0]:.0f} %."
        describe(drawn, "D, F and withdrawn by course", said_of(grades, "term"), alt)
    return drawn


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (JASA 22, 1927), between 0 and 1."""
    share, spread = hits / of, _Z * _Z / of
    middle = share + spread / 2
    reach = _Z * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max((middle - reach) / (1 + spread), 0.0), min((middle + reach) / (1 + spread), 1.0)
