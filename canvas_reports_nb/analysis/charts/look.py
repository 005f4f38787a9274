"""The common look of all charts: header, colors, labels and alternative text."""

from __future__ import annotations

import os
import re
import textwrap
import unicodedata
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import FileError, MissingDependencyError, ParameterError
from canvas_reports_nb.frames.describe import provenance_of
from canvas_reports_nb.frames.exchange import check_kinds, to_lazy
from canvas_reports_nb.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform


try:
    import matplotlib.pyplot as plt
    from matplotlib import font_manager
    from matplotlib.axes import Axes
    from matplotlib.colors import to_rgb, to_rgba
    from matplotlib.ticker import MaxNLocator
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory
except ImportError:
    raise MissingDependencyError("matplotlib", "plot", "crn.charts") from None

#: The year in the name of a term, or the first of two.
YEAR = re.compile(r"((?:19|20)\d\d)(?:[-/\u2013]\d{2,4})?")
#: The largest number of bars in a chart.
MAX_BARS = 100
_CELLS = 44
_WIDE, _HIGH = 7.2, 3.4
# The lines above a chart from the lowest: source, message and title. For each, the slot of matplotlib that holds it,
# its size in points and its cells per inch.
_HEADER: tuple[tuple[Literal["left", "center", "right"], float, float], ...] = (
    *(("right", 8.5, 14.0), ("center", 9.5, 12.6), ("left", 13.0, 7.0)),
)
# Inches from the edge of the figure, between axes and header, and for a legend of one line.
_EDGE, _GAP, _LEGEND = 0.1, 0.1, 0.22
# Names come in every script, and the default font covers few.
_FONTS = (
    "DejaVu Sans",
    *("Noto Sans", "Noto Sans CJK JP", "Noto Sans Arabic"),
    *("Hiragino Sans", "Microsoft YaHei", "WenQuanYi Zen Hei", "Noto Sans Symbols 2", "Noto Emoji"),
    # Boxes for all other letters; without it, matplotlib would warn about each of them.
    "Last Resort High-Efficiency",
)


@dataclass(frozen=True, slots=True)
class Theme:
    """The colors of a chart on a light or a dark page.

    Texts have a contrast of 4.5:1 or more (WCAG 2.2, 1.4.3), and so have the colors of series, whose names are
    written in them. Every kind of color vision can tell these apart.
    """

    strong: str
    text: str
    faint: str
    line: str
    colors: tuple[str, ...]
    #: From a color that shows on the page to the one that differs most from it.
    tints: tuple[str, ...]


LIGHT = Theme(
    strong="#1A1A1A",
    text="#404040",
    faint="#666666",
    line="#E3E3E3",
    colors=("#0072B2", "#C44E00", "#8F3B76", "#222222", "#767676", "#332288"),
    tints=("#B8D9EE", "#56B4E9", "#0072B2", "#003A5C"),
)
DARK = Theme(
    strong="#FFFFFF",
    text="#D6D6D6",
    faint="#ABABAB",
    line="#3A3A3A",
    colors=("#56B4E9", "#FF8A5B", "#E7A5CC", "#FFFFFF", "#F0E442", "#C58A00"),
    tints=("#0B3B5A", "#0072B2", "#56B4E9", "#D6ECF8"),
)


@contextmanager
def panel(ax: Axes | None, size: tuple[float, float] = (_WIDE, _HIGH)) -> Iterator[Panel]:
    """Give a panel to draw on: new axes unless the caller passed some."""
    check_kinds("matplotlib Axes", Axes | None, ax=ax)
    # Before the style: the first figure loads the backend, whose settings must outlive the style's context.
    figure = plt.figure(figsize=size, layout="constrained") if ax is None else ax.get_figure(root=True)
    theme = DARK if _is_dark(cast("Figure", figure)) else LIGHT
    installed = set(font_manager.get_font_names())
    style = {
        **dict.fromkeys(("text.color", "axes.labelcolor"), theme.text),
        "font.family": [font for font in _FONTS if font in installed],
        "font.size": 9.0,
        "hatch.linewidth": 0.6,
    }
    with plt.rc_context(cast("Any", style)):
        drawn = cast("Figure", figure).subplots() if ax is None else ax
        drawn.set(facecolor="none", axisbelow=True)
        drawn.spines[:].set_visible(False)
        drawn.tick_params(length=0, colors=theme.text)
        # The notebook shows the picture; the text of the axes below it would only repeat the description.
        drawn._ipython_display_ = _show_nothing  # type: ignore[attr-defined]
        yield Panel(drawn, theme, cast("Figure", figure), is_own=ax is None)


def _is_dark(figure: Figure) -> bool:
    """Tell a dark page from a light one; on a transparent figure, by the color of the user's texts."""
    *page, opacity = to_rgba(figure.get_facecolor())
    half = 0.5
    if opacity < half:
        return luminance(plt.rcParams["text.color"]) > half
    return luminance(page) < half


def luminance(color: Any) -> float:
    """Return the relative luminance of a color, from 0 for black to 1 for white (WCAG 2.2)."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - of sRGB
        for part in to_rgb(color)
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _show_nothing() -> None:
    """Show no text for axes whose picture is shown."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The axes of a chart and the colors for their page."""

    ax: Axes
    theme: Theme
    figure: Figure
    is_own: bool

    def name_rows(self, names: Sequence[str], others: tuple[str, str] | None = None) -> None:
        """Name the rows from the top; the last one sums ``others``: its name and its numbers in words."""
        shown = [*names, *(others[:1] if others else ())]
        self.ax.set_yticks(range(len(shown)), shown)
        self.ax.set_ylim(max(len(shown), 1) - 0.4, -0.6)
        if others:
            self.ax.get_yticklabels()[-1].set_color(self.theme.faint)
            text: Any = {"va": "center", "color": self.theme.faint, "annotation_clip": False}
            start: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            self.ax.annotate(others[1], (0, len(names)), (4, 0), **start, **text)

    def scale(self, axis: Axis, form: str = "{x:,.0f}") -> None:
        """Show whole numbers along an axis, on a quiet grid."""
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        axis.set_major_formatter(form)
        axis.grid(visible=True, color=self.theme.line)

    def legend(self) -> None:
        """Add a legend in one line between header and chart, where it covers nothing."""
        handles, _ = self.ax.get_legend_handles_labels()
        place: Any = {"loc": "lower left", "bbox_to_anchor": (0, 1), "bbox_transform": self._above(0.03)}
        look: Any = {"frameon": False, "borderpad": 0, "borderaxespad": 0, "handlelength": 1.5}
        self.ax.legend(**place, **look, ncols=len(handles)).set_in_layout(False)

    def _above(self, inches: float) -> Transform:
        """Return coordinates with their origin above the axes, at the left edge of a figure of ours."""
        left, edge = (self.figure.transFigure, _EDGE) if self.is_own else (self.ax.transAxes, 0)
        place = blended_transform_factory(left, self.ax.transAxes)
        return place + ScaledTranslation(edge, inches, self.figure.dpi_scale_trans)

    def describe(self, title: str, source: str, alt: str, message: str = "", definition: str = "") -> None:
        """Write title, message and source above the chart, what it counts below, and the alternative text."""
        width = (self.figure.bbox if self.is_own else self.ax.bbox).width / self.figure.dpi - 2 * _EDGE
        above = _GAP + (_LEGEND if self.ax.get_legend() else 0)
        looks = ((source, self.theme.faint), (message, self.theme.text), (title, self.theme.strong))
        placed = []
        for (slot, points, per_inch), (text, color) in zip(_HEADER, looks, strict=True):
            lines = _wrap(text, int(width * per_inch)) if text else []
            placed.append(
                (self.ax.set_title("\n".join(lines), loc=slot, x=0, y=1, color=color, size=points), above)
            )
            above += len(lines) * points * 1.3 / 72
        for written, inches in placed:  # setting one title moves the others
            written.set(ha="left", va="bottom", fontweight="normal", transform=self._above(inches))
        # Our own words; the fonts for other scripts have no bold letters.
        written.set(fontweight="bold", fontfamily=_FONTS[0])
        if definition:
            lines = _wrap(definition, int(width * _HEADER[0][2]))
            look: dict[str, Any] = {"size": _HEADER[0][1], "color": self.theme.faint}
            if self.is_own:
                self.figure.supxlabel("\n".join(lines), x=0.02, ha="left", **look)
                self.figure.set_figheight(self.figure.get_figheight() + len(lines) * 0.15)
            else:
                self.ax.set_xlabel("\n".join([self.ax.get_xlabel(), *lines]), **look)
        # matplotlib doesn't draw the label of axes, so it can carry the text.
        self.ax.set_label(f"{title}. {f'{source[0].upper()}{source[1:]}. ' if source else ''}{alt}")


def _wrap(text: str, cells: int) -> list[str]:
    """Break a text into lines of a width in cells, without formula signs."""
    letters = cells * len(text) // max(_width(text), 1)
    return [line.replace("$", r"\$") for line in textwrap.wrap(text, max(letters, 8))]


def size_for_rows(rows: float) -> tuple[float, float]:
    """Return the size in inches at which this many rows stay readable."""
    return _WIDE, 1.1 + 0.22 * max(rows, 3)


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


def name_others(count: int) -> str:
    """Return the name of a row that sums what isn't shown."""
    return f"{count:,} other{'s' if count > 1 else ''}"


def join_counts(*counts: tuple[int, str]) -> str:
    """Join the counts that aren't 0, each with its words."""
    return ", ".join(f"{count:,} {words}" for count, words in counts if count)


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
    check_kinds("the Axes that a chart returned", Axes, ax=ax)
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
    words = alt_text(ax)
    try:
        field = "Subject" if os.fspath(path).lower().endswith(".pdf") else "Description"
        ax.figure.get_figure(root=True).savefig(path, dpi=150, metadata={field: words})
    except (TypeError, ValueError):
        raise ParameterError(
            f"Can't save a chart as {path!r}.", hint="Use a path that ends in .png, .svg or .pdf."
        ) from None
    except OSError as error:
        raise FileError(f"Can't write {path}: {error.strerror}.", hint="Choose another path.") from None


def describe_source(frame: Any, term: str | None = None) -> str:
    """Return schools, accounts, terms and dates of the runs of a frame; ``term`` is its column of term names."""
    provenance = provenance_of(frame)
    # A stacked frame records each of its runs.
    runs = provenance.get("runs") or [provenance]
    ids = [(run.get("parameters") or {}).get("enrollment_term_id") for run in runs]
    return join_source(
        schools=(run.get("host") for run in runs),
        accounts=(run.get("account") for run in runs),
        reports=(run.get("report") for run in runs),
        terms=_term_names(frame, term) or [f"term {one}" for one in ids if one is not None],
        ended=(run.get("ended_at") for run in runs),
    )


def join_source(
    accounts: Iterable[Any],
    terms: Iterable[Any],
    ended: Iterable[Any],
    schools: Iterable[Any] = (),
    reports: Iterable[Any] = (),
) -> str:
    """Join schools, accounts, reports, terms and the days of ISO times in one line, without missing parts."""
    days = sorted({str(moment)[:10] for moment in ended if moment})
    dates = " to ".join(dict.fromkeys((days[0], days[-1]))) if days else ""
    # The demo on this machine is no school, and its port differs each time.
    hosts = [str(host) for host in schools if host and not is_loopback(urlsplit(f"//{host}").hostname)]
    parts = [
        _names_or_count("", "schools", hosts),
        # "self" is the whole school.
        _names_or_count("account ", "accounts", (account for account in accounts if account != "self")),
        _names_or_count("", "reports", map(report_title, reports)),
        _names_or_count("", "terms", terms),
        f"run{'s' if len(days) > 1 else ''} of {dates}" if days else "",
    ]
    return ", ".join(filter(None, parts))


def report_title(report: Any) -> Any:
    """Return the title of a report that the catalog has, or its name."""
    known = schema(report) if report else None
    return known.title if known else report


def _term_names(frame: Any, term: str | None) -> list[str]:
    rows = to_lazy(frame)
    if term is None or term not in rows.collect_schema():
        return []
    return [str(name) for name in rows.select(term).drop_nulls().unique().sort(term).collect()[term]]


def _names_or_count(prefix: str, plural: str, values: Iterable[Any]) -> str:
    names = list(dict.fromkeys(str(value) for value in values if value is not None and str(value)))
    # More than two names would fill the line.
    return f"{len(names)} {plural}" if len(names) > 2 else " and ".join(prefix + name for name in names)  # noqa: PLR2004


def spread(places: Iterable[float], gap: float) -> list[float]:
    """Move ascending places apart, each as little as leaves the gap, within 0 and 1 if they fit."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    ceiling = 1.0
    for at in range(len(moved) - 1, -1, -1):
        moved[at] = min(moved[at], ceiling)
        ceiling = moved[at] - gap
    return moved


def check_count(name: str, value: Any, most: int | None = None) -> int:
    """Return a count of 1 or more, at most ``most``; reject anything else."""
    count = int(value) if isinstance(value, Integral) else 0
    if count >= 1 and (most is None or count <= most):
        return count
    limit = f" from 1 to {most}" if most else ", 1 or more"
    raise ParameterError(f"Can't use {name}={value!r}.", hint=f"Give a whole number{limit}.")


def season_of(name: str) -> str:
    """Return the name of a term without its year."""
    text = YEAR.sub(" ", name) if YEAR.search(name) else re.sub(r"\d+", " ", name)
    return " ".join(text.split()).replace(" ,", ",").strip(" ,/-") or "terms"
