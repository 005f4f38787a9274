"""The common look of all charts: colors, labels, titles and alternative text."""

from __future__ import annotations

import math
import os
import textwrap
import unicodedata
from collections import Counter
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from canvas_reports_nb.exceptions import MissingDependencyError, ParameterError
from canvas_reports_nb.frames.describe import provenance_of
from canvas_reports_nb.frames.exchange import to_lazy
from canvas_reports_nb.settings import is_loopback

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

#: The palette of Okabe and Ito (2008), which every kind of color vision can tell apart, on white and on black.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
#: The largest number of bars in a chart.
MAX_BARS = 100
#: The length of a name below a column, in cells as in `label`.
SLANTED_CELLS = 26
# This gray has a contrast of 4.5:1 on white and of 4.6:1 on black (WCAG 2.2, 1.4.3).
_INK = "#767676"
_CELLS = 44
# Inches per slanted name, the share of the figure's width that the axes keep, and the widest figure.
_COLUMN, _AXES_SHARE, _WIDEST = 0.32, 0.58, 12.0
# The share of the axes' width that is left after the layout has made room for the first name.
_NAMES_SHARE = 0.75
# The width of the line that says what a chart counts, in letters.
_DEFINITION_CELLS = 60
# The points between axes and title that a legend of one line takes.
_LEGEND = 26
_STYLE: dict[Any, Any] = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor"), _INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "grid.color", "legend.labelcolor"), _INK),
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
# Names come in every script, and the default font covers few.
_FONTS = (
    *("Noto Sans", "Noto Sans CJK JP", "Noto Sans Arabic"),
    *("Hiragino Sans", "Microsoft YaHei", "WenQuanYi Zen Hei"),
)


@contextmanager
def styled_axes(ax: Axes | None, size: tuple[float, float] = (7.2, 3.6)) -> Iterator[Axes]:
    """Give the axes to draw on, in the style of this package; new ones unless the caller passed some."""
    installed = set(font_manager.get_font_names())
    fonts = ["DejaVu Sans", *(font for font in _FONTS if font in installed)]
    # Before the style: the first figure loads the backend, whose settings must outlive the style's context.
    figure = plt.figure(figsize=size, layout="constrained", facecolor="none") if ax is None else None
    with plt.rc_context({**_STYLE, "font.family": fonts}):
        if figure is None:
            yield cast("Axes", ax)
        else:
            drawn = figure.subplots()
            # The notebook shows the picture; the text of the axes below it would only repeat the description.
            drawn._ipython_display_ = _show_nothing  # type: ignore[attr-defined]
            yield drawn


def _show_nothing() -> None:
    """Show no text for axes whose picture is shown."""


def size_for_rows(rows: int) -> tuple[float, float]:
    """Return the size in inches at which this many horizontal bars stay readable."""
    return 7.2, 1.4 + 0.22 * max(rows, 3)


def size_for_columns(columns: int) -> tuple[float, float]:
    """Return the size in inches of a chart with this many columns, at most as wide as a page."""
    return min(max(7.2, _COLUMN * columns / _AXES_SHARE), _WIDEST), 3.6


def label(text: object, cells: int = _CELLS) -> str:
    """Return a name as one line without formula signs, shortened to a width in cells.

    A letter takes one cell, a Chinese, Japanese or Korean character two.
    """
    line = " ".join(str(text).split())
    return (line if _width(line) <= cells else _shorten(line, cells - 3)).replace("$", r"\$") or " "


def _width(line: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


def _shorten(line: str, cells: int) -> str:
    fits = next(end for end in range(len(line), -1, -1) if _width(line[:end]) <= cells)
    words = line[: fits + 1].rpartition(" ")[0]
    # Cut at a space, unless that leaves little, as in scripts without spaces.
    return f"{words if _width(words) * 2 > cells else line[:fits].rstrip()}..."


def labels(names: Iterable[object], *ids: Iterable[object], cells: int = _CELLS) -> list[str]:
    """Return names as labels; names that look the same get the first of their ids that differs."""
    names = list(names)
    shown = [label(name, cells) for name in names]
    for known in ids:
        counts = Counter(shown)
        for at, (name, text, own) in enumerate(zip(names, tuple(shown), known, strict=True)):
            if counts[text] > 1 and own is not None:
                suffix = label(own, cells // 2)
                shown[at] = f"{label(name, cells - _width(suffix) - 3)} [{suffix}]"
    return shown


def whole_numbers(axis: Axis) -> None:
    """Show whole numbers along an axis, with thousands separators."""
    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    axis.set_major_formatter("{x:,.0f}")


def name_columns(ax: Axes, names: Sequence[str]) -> None:
    """Write slanted names below columns, only every n-th if they would overlap."""
    width = ax.bbox.width / ax.figure.dpi * _NAMES_SHARE
    every = max(math.ceil(len(names) * _COLUMN / width), 1)
    ax.set_xticks(range(0, len(names), every), names[::every], rotation=30, ha="right", fontsize="small")


def legend(ax: Axes) -> None:
    """Add a legend in one line between title and bars, where it covers nothing."""
    handles, _ = ax.get_legend_handles_labels()
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), fontsize="small", borderaxespad=0.2
    )


def describe(ax: Axes, title: str, source: str, alt: str, definition: str = "") -> None:
    """Set the title of a chart, with its source, what it counts, and its alternative text."""
    if definition:
        lines = textwrap.wrap(definition, _DEFINITION_CELLS)
        ax.set_xlabel("\n".join([ax.get_xlabel(), *lines]).replace("$", r"\$"), fontsize="small")
    pad = None if ax.get_legend() is None else _LEGEND
    lines = [label(title), source.replace("$", r"\$")] if source else [label(title)]
    ax.set_title("\n".join(lines), pad=pad)
    # matplotlib doesn't draw the label of axes, so it can carry the text.
    ax.set_label(f"{title}. {f'{source[0].upper()}{source[1:]}. ' if source else ''}{alt}")


def alt_text(ax: Axes) -> str:
    """Return the chart in words: what it shows, its source and its main numbers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes that a chart of this package returned.

    Examples
    --------
    >>> axes = crn.charts.role_by_state(tables["enrollments"])
    >>> crn.charts.alt_text(axes).startswith("Enrollments by role and state")
    False
    """
    return str(ax.get_label())


def save(ax: Axes, path: str | os.PathLike[str]) -> None:
    """Write a chart to a PNG, SVG or PDF file, with its alternative text in the metadata.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path : path
        Its extension sets the format.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     crn.charts.save(crn.charts.grade_distribution(grades), f"{folder}/grades.svg")
    """
    field = "Subject" if os.fspath(path).lower().endswith(".pdf") else "Description"
    ax.figure.get_figure(root=True).savefig(path, dpi=150, metadata={field: alt_text(ax)})


def describe_source(frame: Any, term: str | None = None) -> str:
    """Return schools, accounts, terms and dates of the runs of a frame; ``term`` is its column of term names."""
    provenance = provenance_of(frame)
    # A stacked frame records each of its runs.
    runs = provenance.get("runs") or [provenance]
    ids = [(run.get("parameters") or {}).get("enrollment_term_id") for run in runs]
    return join_source(
        schools=(run.get("host") for run in runs),
        accounts=(run.get("account") for run in runs),
        terms=_term_names(frame, term) or [f"term {one}" for one in ids if one is not None],
        ended=(run.get("ended_at") for run in runs),
    )


def join_source(
    accounts: Iterable[Any], terms: Iterable[Any], ended: Iterable[Any], schools: Iterable[Any] = ()
) -> str:
    """Join schools, accounts, terms and the days of ISO times in one line, without missing parts."""
    days = sorted({str(moment)[:10] for moment in ended if moment})
    dates = " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""
    # The demo on this machine is no school, and its port differs each time.
    hosts = [str(host) for host in schools if host and not is_loopback(urlsplit(f"//{host}").hostname)]
    parts = [
        _names_or_count("", "schools", hosts),
        _names_or_count("account ", "accounts", accounts),
        _names_or_count("", "terms", terms),
        f"run{'s' if len(days) > 1 else ''} of {dates}" if days else "",
    ]
    return ", ".join(filter(None, parts))


def _term_names(frame: Any, term: str | None) -> list[str]:
    rows = to_lazy(frame)
    if term is None or term not in rows.collect_schema():
        return []
    return [str(name) for name in rows.select(term).drop_nulls().unique().sort(term).collect()[term]]


def _names_or_count(prefix: str, plural: str, values: Iterable[Any]) -> str:
    names = list(dict.fromkeys(str(value) for value in values if value is not None and str(value)))
    # More than two names would fill the line.
    return f"{len(names)} {plural}" if len(names) > 2 else " and ".join(prefix + name for name in names)  # noqa: PLR2004


def check_count(name: str, value: Any, most: int | None = None) -> int:
    """Return a count of 1 or more, at most ``most``; reject anything else."""
    count = int(value) if isinstance(value, Integral) else 0
    if count >= 1 and (most is None or count <= most):
        return count
    limit = f" from 1 to {most}" if most else ", 1 or more"
    raise ParameterError(f"Can't use {name}={value!r}.", hint=f"Give a whole number{limit}.")
