"""One look for every chart: its colours, its title, its words for those who can't see it."""

from __future__ import annotations

import math
import os
import unicodedata
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import polars as pl

from canvas_reports_nb.exceptions import MissingDependencyError, ParameterError
from canvas_reports_nb.frames import exchange
from canvas_reports_nb.frames.describe import provenance_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


try:
    import matplotlib.pyplot as plt
    from matplotlib import font_manager
    from matplotlib.ticker import MaxNLocator
except ImportError:
    raise MissingDependencyError("matplotlib", "plot", "crn.charts") from None

#: Okabe and Ito's palette (2008), told apart by every kind of colour vision; each stands on white and on black.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
#: The most bars a chart shows.
BARS = 100
#: The room of a name below a column.
SLANTED_CELLS = 26
# This grey has a contrast of 4.5:1 on white and of 4.6:1 on black (WCAG 2.2, 1.4.3).
_INK = "#767676"
_CELLS = 44
# The inches a slanted name takes, and what share of a figure is left for names beside that which hangs over.
_COLUMN, _SHARE, _WIDEST = 0.32, 0.58, 12.0
# The same share of the axes as matplotlib first lays them out.
_OF_AXES = 0.75
# The points between axes and title in which a legend of one line stands.
_LEGEND = 26
_LOOK: dict[Any, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    "figure.constrained_layout.use": True,
}
# Names come in every script; the default font holds few.
_SCRIPTS = (
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans Arabic",
    "Hiragino Sans",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
)


@contextmanager
def styled_axes(ax: Axes | None, size: tuple[float, float] = (7.2, 3.6)) -> Iterator[Axes]:
    """The axes to draw on, new ones unless the caller brought some, in this package's look."""
    held = set(font_manager.get_font_names())
    fonts = ["DejaVu Sans", *(font for font in _SCRIPTS if font in held)]
    with plt.rc_context({**_LOOK, "font.family": fonts}):
        yield ax if ax is not None else plt.subplots(figsize=size)[1]


def rows_high(rows: int) -> tuple[float, float]:
    """Size in inches of a chart of so many bars below each other, so that each stays readable."""
    return 7.2, 1.4 + 0.22 * max(rows, 3)


def columns_wide(columns: int) -> tuple[float, float]:
    """Size in inches of a chart of so many columns beside each other, as wide as a page can be at most."""
    return min(max(7.2, _COLUMN * columns / _SHARE), _WIDEST), 3.6


def label(text: object, cells: int = _CELLS) -> str:
    """A name as an axis can show it: one line, not too long, no formula.

    Parameters
    ----------
    cells : int
        The room it has; a letter takes one, a Chinese, Japanese or Korean one takes two.
    """
    line = " ".join(str(text).split())
    return (line if _cells(line) <= cells else _cut(line, cells - 3)).replace("$", r"\$") or " "


def _cells(line: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


def _cut(line: str, cells: int) -> str:
    fits = next(end for end in range(len(line), -1, -1) if _cells(line[:end]) <= cells)
    words = line[: fits + 1].rpartition(" ")[0]
    # At a space, unless that leaves little, as in scripts without spaces.
    return f"{words if _cells(words) * 2 > cells else line[:fits].rstrip()}..."


def labels(names: Iterable[object], *ids: Iterable[object], cells: int = _CELLS) -> list[str]:
    """Names as an axis can show them; those that would look the same get the first of their ids that differs."""
    names = list(names)
    shown = [label(name, cells) for name in names]
    for known in ids:
        often = Counter(shown)
        for at, (name, text, own) in enumerate(zip(names, tuple(shown), known, strict=True)):
            if often[text] > 1 and own is not None:
                told = label(own, cells // 2)
                shown[at] = f"{label(name, cells - _cells(told) - 3)} [{told}]"
    return shown


def whole_numbers(axis: Axis) -> None:
    """Whole numbers along an axis, thousands set apart."""
    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    axis.set_major_formatter("{x:,.0f}")


def name_columns(ax: Axes, names: Sequence[str]) -> None:
    """Slanted names below columns, every n-th where not all have room."""
    # The axes' width is that before the layout makes room for the names.
    room = ax.bbox.width / ax.figure.dpi * _OF_AXES
    every = max(math.ceil(len(names) * _COLUMN / room), 1)
    ax.set_xticks(range(0, len(names), every), names[::every], rotation=30, ha="right", fontsize="small")


def legend(ax: Axes) -> None:
    """What the colours mean, in a line between title and bars, where it covers none."""
    handles, _ = ax.get_legend_handles_labels()
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), fontsize="small", borderaxespad=0.2
    )


def describe(ax: Axes, title: str, said: str, alt: str) -> None:
    """Give a chart its title, what it was made from, and its alternative text."""
    pad = None if ax.get_legend() is None else _LEGEND
    ax.set_title(label(title) if not said else f"{label(title)}\n{said.replace('$', chr(92) + '$')}", pad=pad)
    # The label of axes is drawn nowhere and lost by nothing: the text travels with the chart.
    ax.set_label(f"{title}. {f'{said[0].upper()}{said[1:]}. ' if said else ''}{alt}")


def alt_text(ax: Axes) -> str:
    """The chart in words, for a reader who can't see it: what it shows, of what, and its main numbers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Of one of the charts of this package.
    """
    return str(ax.get_label())


def save(ax: Axes, path: str | os.PathLike[str]) -> None:
    """Write a chart to a PNG, SVG or PDF file, its alternative text inside.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path : path
        Its ending decides the format.
    """
    field = "Subject" if os.fspath(path).lower().endswith(".pdf") else "Description"
    ax.figure.get_figure(root=True).savefig(path, dpi=150, metadata={field: alt_text(ax)})


_TERM = "enrollment_term_id"


def describe_source(frame: Any, term: str | None = None) -> str:
    """Accounts, terms and dates of the runs a frame came from, as far as it knows.

    Parameters
    ----------
    term : str, optional
        The column that names the term; without it, the term is the one the runs were asked for.
    """
    carried = provenance_of(frame)
    # A stacked frame tells where each part of it came from.
    runs = carried.get("runs") or [carried]
    asked = [(run.get("parameters") or {}).get(_TERM) for run in runs]
    return spoken(
        accounts=(run.get("account") for run in runs),
        terms=_named(frame, term) or [f"term {one}" for one in asked if one is not None],
        ended=(run.get("ended_at") for run in runs),
    )


def spoken(accounts: Iterable[Any], terms: Iterable[Any], ended: Iterable[Any]) -> str:
    """Accounts, terms and the days of ISO moments as a line; what is missing is left out."""
    days = sorted({str(moment)[:10] for moment in ended if moment})
    parts = [
        _few("account ", "accounts", _different(accounts)),
        _few("", "terms", _different(terms)),
        f"run{'s' if len(days) > 1 else ''} of {' to '.join(dict.fromkeys((days[0], days[-1])))}"
        if days
        else "",
    ]
    return ", ".join(part for part in parts if part)


def _named(frame: Any, term: str | None) -> list[str]:
    rows = exchange.to_lazy(frame)
    if term is None or term not in rows.collect_schema():
        return []
    return [str(name) for name in rows.select(term).drop_nulls().unique().sort(term).collect()[term]]


def _different(words: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(word) for word in words if word is not None and str(word)))


def _few(before: str, several: str, words: list[str]) -> str:
    # More than two would fill the line.
    return f"{len(words)} {several}" if len(words) > 2 else " and ".join(before + word for word in words)  # noqa: PLR2004 - two


def whole(name: str, value: Any, most: int | None = None) -> int:
    """A keyword that counts something: 1 or more.

    Raises
    ------
    ParameterError
        It is anything else, or more than ``most``.
    """
    counted = int(value) if isinstance(value, Integral) else 0
    if counted >= 1 and (most is None or counted <= most):
        return counted
    raise ParameterError(
        f"{name}={value!r} is no count this chart can show.",
        hint=f"Give a whole number, 1 or more{f', {most} at most' if most else ''}.",
    )


def number(name: str, value: Any) -> float:
    """A keyword that measures something.

    Raises
    ------
    ParameterError
        It is no number, or no finite one.
    """
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    raise ParameterError(f"{name}={value!r} is no number.", hint=f"Give it without quotes, as in {name}=70.")


def zoned(zone: Any) -> str:
    """A keyword that names a time zone.

    Raises
    ------
    ParameterError
        No such zone is known.
    """
    noon = pl.lit(datetime(2026, 1, 1, 12, tzinfo=UTC))
    try:
        # polars brings its own list of zones, which alone decides.
        pl.select(noon.dt.convert_time_zone(zone))
    except (pl.exceptions.PolarsError, TypeError, ValueError):
        raise ParameterError(
            f"zone={zone!r} is no time zone.",
            hint='Give its name of the IANA list, such as "America/Denver".',
        ) from None
    return str(zone)


def times(rows: pl.LazyFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a frame that has text where a chart needs moments.

    Raises
    ------
    ParameterError
        It names the first such column.
    """
    schema = rows.collect_schema()
    for name in columns:
        if not isinstance(schema[name], pl.Datetime | pl.Null):
            raise ParameterError(
                f"{what} needs times, and {name!r} is {schema[name]} here.",
                hint="A column stays text when a cell is no time: crn.provenance(frame)['notes'] says which.",
            )
