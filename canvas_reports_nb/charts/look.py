"""One look for every chart: its colours, its title, its words for those who can't see it."""

from __future__ import annotations

import os
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.exceptions import MissingDependencyError
from canvas_reports_nb.frames import exchange
from canvas_reports_nb.lineage import ATTRS_KEY

try:
    import matplotlib.pyplot as plt
    from matplotlib import font_manager
except ImportError:
    raise MissingDependencyError("matplotlib", "plot", "crn.charts") from None

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

__all__ = ["BARS", "COLOURS", "alt_text", "describe", "label", "looked", "rows_high", "said_of", "save"]

#: Okabe and Ito's palette (2008), told apart by every kind of colour vision; each stands on white and on black.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
#: The most bars a chart shows.
BARS = 100
# This grey has a contrast of 4.5:1 on white and of 4.6:1 on black (WCAG 2.2, 1.4.3).
_INK = "#767676"
_WORDS = 44
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
def looked(ax: Axes | None, size: tuple[float, float] = (7.2, 3.6)) -> Iterator[Axes]:
    """The axes to draw on, new ones unless the caller brought some, in this package's look."""
    held = set(font_manager.get_font_names())
    fonts = ["DejaVu Sans", *(font for font in _SCRIPTS if font in held)]
    with plt.rc_context({**_LOOK, "font.family": fonts}):
        yield ax if ax is not None else plt.subplots(figsize=size)[1]


def rows_high(rows: int) -> tuple[float, float]:
    """Size in inches of a chart of so many bars below each other, so that each stays readable."""
    return 7.2, 1.4 + 0.22 * max(rows, 3)


def label(text: object) -> str:
    """A name as an axis can show it: one line, not too long, no formula."""
    return textwrap.shorten(str(text), _WORDS, placeholder="...").replace("$", r"\$") or " "


def said_of(frame: Any, term: str | None = None) -> str:
    """Account, term and date of the run a frame came from, as far as it knows."""
    origin = getattr(frame, "attrs", {}).get(ATTRS_KEY, {})
    terms: Sequence[str] = ()
    if term is not None:
        found = exchange.lazy(frame).select(term).drop_nulls().unique().sort(term).collect()
        terms = found[term].to_list()
    parts = [
        f"account {origin['account']}" if origin.get("account") else "",
        f"{len(terms)} terms" if len(terms) > 2 else " and ".join(terms),  # noqa: PLR2004 - more fill the line
        f"run of {origin['ended_at'][:10]}" if origin.get("ended_at") else "",
    ]
    return ", ".join(part for part in parts if part)


def describe(ax: Axes, title: str, said: str, alt: str) -> None:
    """Give a chart its title, what it was made from, and its alternative text."""
    ax.set_title(label(title) if not said else f"{label(title)}\n{said.replace('$', chr(92) + '$')}")
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
