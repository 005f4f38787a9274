"""Charts of marks: how they are spread, and where many are a D, an F or a withdrawal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.analysis.charts.look import (
    BARS,
    COLOURS,
    describe,
    describe_source,
    labels,
    number,
    rows_high,
    styled_axes,
    whole,
    whole_numbers,
)
from canvas_reports_nb.analysis.grades import summary
from canvas_reports_nb.analysis.grades.marks import NEEDED, SCORE, counted, once, scored
from canvas_reports_nb.frames import exchange

if TYPE_CHECKING:
    from collections.abc import Collection

    from matplotlib.axes import Axes

    from canvas_reports_nb.analysis.grades.marks import Score

_WIDTH = 5
_FULL = 100
# Extra credit and penalties stay within; one score of 100,000 would leave the others no room.
_LEAST, _MOST = -50, 150
# As many points have a number at each ten.
_ROOM = 130
# Two-sided 95 % of the normal distribution.
_Z = 1.959963984540054


def grade_distribution(
    grades: Any,
    *,
    score: Score = "in force",
    withdrawn: Collection[str] = ("inactive", "deleted"),
    ax: Axes | None = None,
) -> Axes:
    """How many grades fall on each five points; a student counts once in a course.

    Parameters
    ----------
    grades : DataFrame
        The grade export, of any kind.
    score : {"in force", "final", "current", "unposted final", "unposted current"}
        As in ``grades.summary``.
    withdrawn : collection of str
        Enrolment states that are left out, as in ``grades.summary``.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Bins of five points, each with its lower and without its upper end; 100 stands in the last one, and
        more than 100 beyond it; in a last bar all of 150 and more, in a first one all below -50.
    """
    stayed, left = _stayed(grades, score, withdrawn)
    found = stayed.filter(stayed.is_finite())
    bins = _binned(found)
    places = list(range(min([0, *bins]), max([_FULL - _WIDTH, *bins]) + 1, _WIDTH))
    with styled_axes(ax) as drawn:
        drawn.bar(
            [place + _WIDTH / 2 for place in places],
            [bins.get(place, 0) for place in places],
            width=0.92 * _WIDTH,
            color=COLOURS[0],
        )
        _scale(drawn, places)
        drawn.set_xlabel(f"score ({score}), %")
        drawn.set_ylabel("grades")
        whole_numbers(drawn.yaxis)
        alt = f"{len(stayed) - len(found):,} without a score, {left:,} withdrawn."
        if len(found):
            lowest, middle, highest = (float(found.quantile(part, "linear") or 0) for part in (0, 0.5, 1))
            at = min(max(middle, places[0]), places[-1] + _WIDTH)
            drawn.axvline(at, color=COLOURS[3], linestyle="--")
            drawn.annotate(
                f" median {middle:.1f}", (at, 1), xycoords=("data", "axes fraction"), va="top", ha="right"
            )
            alt = f"{len(found):,} grades, the median {middle:.1f}, from {lowest:.1f} to {highest:.1f}; {alt}"
        describe(
            drawn,
            "Distribution of grades",
            describe_source(grades, "term"),
            f"Bars. {alt}" if len(found) else f"No grades; {alt}",
        )
    return drawn


def _stayed(grades: Any, score: Score, withdrawn: Collection[str]) -> tuple[pl.Series, int]:
    """The scores of who stayed, and how many did not."""
    rows = exchange.to_lazy(grades)
    read = counted(score, letters=False)
    if score == "in force" and "override score" in rows.collect_schema():
        read.add("override score")
    exchange.require_columns(rows, NEEDED, "This chart", numbers=sorted(read))
    states = [withdrawn] if isinstance(withdrawn, str) else list(withdrawn)
    left = pl.col("enrollment state").cast(pl.String).is_in(states).fill_null(value=False)
    marks = (
        scored(once(rows), score, letters=False).select(pl.col(SCORE).cast(pl.Float64), left=left).collect()
    )
    return marks.filter(~pl.col("left"))[SCORE], int(marks["left"].sum())


def _binned(found: pl.Series) -> dict[int, int]:
    """How many there are in each bin, by its lower end."""
    mark = pl.col(SCORE)
    # A hundred is the end of the scale, not the beginning of what lies beyond it.
    inside = pl.when(mark == _FULL).then(_FULL - _WIDTH).otherwise(mark).clip(_LEAST - _WIDTH, _MOST)
    place = (inside / _WIDTH).floor().cast(pl.Int64) * _WIDTH
    return dict(found.to_frame().group_by(place.alias("place")).len().iter_rows())


def _scale(ax: Axes, places: list[int]) -> None:
    step = 10 if places[-1] - places[0] <= _ROOM else 25
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
        Shares in percent with Wilson's score interval (1927), which small courses don't take below 0. Courses
        of one name have their SIS id beside it.

    Raises
    ------
    ParameterError
        ``top`` or ``minimum`` is no count, ``below`` no number.
    """
    few, most, below = whole("minimum", minimum), whole("top", top), number("below", below)
    rows = exchange.to_lazy(grades)
    exchange.require_columns(rows, (*NEEDED, "course"), "This chart")
    table = exchange.to_lazy(summary(rows, "course", below=below, letters=letters)).collect()
    judged = table.with_columns(of=pl.col("passed") + pl.col("dfw"))
    enough = judged.filter(pl.col("of") >= few)
    shown = enough.sort(["dfw share", "course id"], descending=[True, False]).head(min(most, BARS))
    sis_ids = [shown["course sis"]] if "course sis" in shown.columns else []
    names = labels(shown["course"], *sis_ids, shown["course id"])
    ends = [wilson(row["dfw"], row["of"]) for row in shown.iter_rows(named=True)]
    shares = [100 * share for share in shown["dfw share"]]
    with styled_axes(ax, rows_high(shown.height)) as drawn:
        at = list(range(shown.height))
        drawn.hlines(
            at, [100 * low for low, _ in ends], [100 * high for _, high in ends], color=COLOURS[0], lw=2
        )
        drawn.plot(shares, at, "o", color=COLOURS[3])
        drawn.set_yticks(
            at, [f"{name} ({of:,})" for name, of in zip(names, shown["of"], strict=True)], fontsize="small"
        )
        drawn.set_ylim(max(shown.height, 1) - 0.4, -0.6)
        drawn.set_xlim(0, None)
        drawn.set_xlabel("D, F or withdrawn, %; lines: 95 % interval")
        small = judged.height - enough.height
        alt = f"Points with intervals. {shown.height:,} of {judged.height:,} courses; {small:,} with fewer than {minimum} left out."
        if shares:
            alt += f" {names[0]} has the highest share, {shares[0]:.0f} %."
        describe(drawn, "D, F and withdrawn by course", describe_source(grades, "term"), alt)
    return drawn


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (JASA 22, 1927), between 0 and 1."""
    share, spread = hits / of, _Z * _Z / of
    middle = share + spread / 2
    reach = _Z * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max((middle - reach) / (1 + spread), 0.0), min((middle + reach) / (1 + spread), 1.0)
