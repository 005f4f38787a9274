"""All HTML of the package is made here, with every text escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# JupyterLab's variables follow its light and dark themes; the fallbacks serve every other page.
_STYLE = (
    "border:1px solid var(--jp-border-color2,#8888);border-radius:4px;padding:.5em .8em;"
    "display:inline-block;max-width:100%;color:var(--jp-ui-font-color1,inherit);"
    "font-family:var(--jp-ui-font-family,sans-serif);font-size:var(--jp-ui-font-size1,13px)"
)


def escape(text: object) -> str:
    """Escape a text for HTML and its attributes."""
    return html.escape(str(text), quote=True)


def lines(texts: Iterable[object]) -> str:
    """Return one line per text, each in the direction of its script."""
    return "".join(f'<div dir="auto">{escape(text)}</div>' for text in texts)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table of plain text."""
    head = "".join(f'<th scope="col" style="text-align:left">{escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align:left;padding-right:1em">{escape(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Return labels and values as an HTML table; pairs without a value are left out."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(label)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for label, value in pairs
        if value not in (None, "")
    )
    return f"<table><tbody>{rows}</tbody></table>"


def fold(summary: str, text: str) -> str:
    """Return a text that unfolds from its summary."""
    return f"<details><summary>{escape(summary)}</summary>{escape(text)}</details>"


def card(title: str, *parts: str) -> str:
    """Return a box with a title around HTML parts made by this module."""
    return f'<div style="{_STYLE}"><strong>{escape(title)}</strong>{"".join(parts)}</div>'


# Enough for a description; no images, styles or scripts.
_TAGS = frozenset(
    {"a", "b", "br", "code", "dd", "dl", "dt", "em", "h2", "h3", "h4", "i", "li", "ol", "p", "span", "strong"}
    | {"table", "tbody", "td", "th", "thead", "tr", "u", "ul"}
)


def sanitized(markup: str) -> str:
    """Remove everything from a server's HTML that could run, load or style something."""
    import nh3  # noqa: PLC0415 - needed only for a server's HTML

    cleaned = nh3.clean(
        markup,
        tags=set(_TAGS),
        attributes={"a": {"href", "title"}, "*": {"dir", "lang"}},
        url_schemes={"https", "mailto"},
        url_relative="deny",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return f'<div dir="auto">{cleaned}</div>'


# A bar also stands alone in a cell's output, so it brings its own style.
BAR_STYLE = """<style>
.crn-bar {width: 100%; overflow: hidden}
.crn-bar .crn-line {line-height: 1.4; padding: .2em 0; font-variant-numeric: tabular-nums}
.crn-bar .crn-track {position: relative; width: 100%; overflow: hidden}
.crn-bar .crn-track > .widget-hprogress {flex: 1 1 100%; min-width: 0}
.crn-bar .crn-track .widget-label {display: none}
.crn-bar .crn-track .progress {margin: 0; border-radius: 4px; background: var(--jp-layout-color3, #8884)}
.crn-bar .crn-role, .crn-bar .crn-role div {position: absolute; inset: 0; margin: 0; overflow: hidden}
.crn-bar .crn-heard {position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%)}
</style>"""


def progress_line(state: str, facts: Iterable[str]) -> str:
    """Return the line above a bar: the state, then facts."""
    rest = "".join(f" · {escape(fact)}" for fact in facts if fact)
    return f'<div class="crn-line" dir="auto"><strong>{escape(state)}</strong>{rest}</div>'


def progress_role(percent: int, text: str) -> str:
    """Return a bar for screen readers."""
    return (
        f'<div role="progressbar" aria-label="Progress of the report" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}" aria-valuetext="{escape(text)}"></div>'
    )


# What ipywidgets' own layout can't express. Colors are JupyterLab's, with fallbacks.
FORM_STYLE = """<style>
.crn-form {max-width: 62em; color: var(--jp-ui-font-color1, inherit)}
.crn-form input, .crn-form select, .crn-form .widget-label {unicode-bidi: plaintext}
.crn-form .crn-row {flex-wrap: wrap; align-items: center; gap: .2em .5em}
.crn-form .crn-row > * {flex-shrink: 0; max-width: 100%}
.crn-form .crn-row > .widget-html {flex: 1 1 20em; min-width: 0}
.crn-form .crn-param > .widget-html, .crn-form .crn-grid {margin-inline-start: min(11em, 15%)}
.crn-form .widget-html, .crn-form .widget-html-content {min-width: 0; max-width: 100%; white-space: normal}
.crn-form .widget-inline-hbox {flex-wrap: wrap; max-width: 100%}
.crn-form .crn-hint {color: var(--jp-ui-font-color2, inherit); font-size: .92em; line-height: 1.35}
.crn-form .crn-error {color: var(--jp-ui-font-color1, inherit);
  border-inline-start: 4px solid var(--jp-error-color1, #b71c1c); padding: .2em .6em; line-height: 1.4}
.crn-form .crn-success {border-inline-start: 4px solid var(--jp-success-color1, #2e7d32); padding: .1em .6em}
.crn-form .crn-scroll {overflow-x: auto; max-width: 100%}
.crn-form .crn-scroll td, .crn-form .crn-scroll th {white-space: nowrap; padding: .15em .6em; text-align: start;
  border-bottom: 1px solid var(--jp-border-color2, #8886); max-width: 22em; overflow: hidden; text-overflow: ellipsis}
.crn-form .crn-scroll table {border-collapse: collapse; font-size: .92em}
.crn-form .crn-mark {font-weight: normal; font-size: .85em; font-style: italic}
.crn-form pre.crn-code {user-select: all; white-space: pre; word-break: normal; overflow-x: auto; padding: .6em .8em; border-radius: 3px; margin: .3em 0;
  background: var(--jp-layout-color2, #8882); color: var(--jp-ui-font-color1, inherit);
  font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px)}
.crn-form .crn-line {display: flex; flex-wrap: wrap; gap: 0 .8em; line-height: 1.4; padding: .3em 0}
.crn-form .crn-past .crn-row {align-items: flex-start}
.crn-form h4 {margin: .7em 0 .2em; font-size: 1em}
.crn-form p {margin: .2em 0}
</style>"""


def heading(text: str) -> str:
    """Return a heading for the form."""
    return f"<h4>{escape(text)}</h4>"


def hint(text: str) -> str:
    """Return an explanation in small print."""
    return f'<div class="crn-hint" dir="auto">{_lines(text)}</div>' if text else ""


def error(text: str) -> str:
    """Return an error, which screen readers read at once."""
    return f'<div class="crn-error" role="alert" dir="auto">{_lines(text)}</div>'


def status(text: str, *, success: bool = False) -> str:
    """Return a status, which screen readers read at the next pause."""
    return f'<div class="{"crn-success" if success else ""}" role="status" dir="auto">{_lines(text)}</div>'


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.splitlines()))


def preview(columns: Iterable[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that scrolls sideways: columns as name and mark, cells as text."""
    head = "".join(
        f'<th scope="col" dir="auto">{escape(name)}'
        + (f'<br><span class="crn-mark">{escape(mark)}</span>' if mark else "")
        + "</th>"
        for name, mark in columns
    )
    body = "".join(
        "<tr>" + "".join(f'<td dir="auto">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    # A region that scrolls must be reachable by keyboard, and therefore needs a name.
    return (
        '<div class="crn-scroll" tabindex="0" role="region" aria-label="First rows">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def code(text: str) -> str:
    """Return code that one click selects."""
    return f'<pre class="crn-code" tabindex="0" title="Click to select all">{escape(text)}</pre>'


def run_line(cells: Iterable[tuple[str, str]]) -> str:
    """Return texts in columns of the given widths, which wrap on a narrow page."""
    return (
        '<div class="crn-line" dir="auto">'
        + "".join(f'<span style="min-width:{width}">{escape(text)}</span>' for text, width in cells)
        + "</div>"
    )
