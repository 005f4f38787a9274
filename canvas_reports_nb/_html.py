"""The only writer of HTML: every text from a server passes through here, escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# JupyterLab's own variables follow its light and dark theme; the fallbacks serve every other page.
_STYLE = (
    "border:1px solid var(--jp-border-color2,#8888);border-radius:4px;padding:.5em .8em;"
    "display:inline-block;max-width:100%;color:var(--jp-ui-font-color1,inherit);"
    "font-family:var(--jp-ui-font-family,sans-serif);font-size:var(--jp-ui-font-size1,13px)"
)


def escape(text: object) -> str:
    """Text as HTML shows it, whatever characters it holds."""
    return html.escape(str(text), quote=True)


def lines(texts: Iterable[object]) -> str:
    """Plain texts, each on a line of its own, in the direction its script is read."""
    return "".join(f'<div dir="auto">{escape(text)}</div>' for text in texts)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows of plain text as an HTML table."""
    head = "".join(f'<th scope="col" style="text-align:left">{escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align:left;padding-right:1em">{escape(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Label and value pairs as an HTML table with row headers."""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(label)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for label, value in pairs
        if value not in (None, "")
    )
    return f"<table><tbody>{rows}</tbody></table>"


def fold(summary: str, text: str) -> str:
    """A text behind its summary, opened by a click or a key."""
    return f"<details><summary>{escape(summary)}</summary>{escape(text)}</details>"


def card(title: str, *parts: str) -> str:
    """HTML parts, made by this module, under an escaped title."""
    return f'<div style="{_STYLE}"><strong>{escape(title)}</strong>{"".join(parts)}</div>'


# No pictures and no links to scripts: what a server describes needs words and their structure.
_TAGS = frozenset(
    {"a", "b", "br", "code", "dd", "dl", "dt", "em", "h2", "h3", "h4", "i", "li", "ol", "p", "span", "strong"}
    | {"table", "tbody", "td", "th", "thead", "tr", "u", "ul"}
)


def sanitised(markup: str) -> str:
    """A server's own HTML without anything that runs, loads, or styles."""
    import nh3  # noqa: PLC0415 - only the form shows a server's HTML

    cleaned = nh3.clean(
        markup,
        tags=set(_TAGS),
        attributes={"a": {"href", "title"}, "*": {"dir", "lang"}},
        url_schemes={"https", "mailto"},
        url_relative="deny",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return f'<div dir="auto">{cleaned}</div>'


def form_style() -> str:
    """The few rules ipywidgets' own layout cannot say; colours are JupyterLab's, with fallbacks."""
    return f"<style>{_FORM_RULES}</style>"


_FORM_RULES = """
.crn-form {max-width: 62em; color: var(--jp-ui-font-color1, inherit)}
.crn-form input, .crn-form select, .crn-form .widget-label {unicode-bidi: plaintext}
.crn-form .crn-row {flex-wrap: wrap; align-items: center; gap: .2em .5em}
.crn-form .crn-row > * {flex-shrink: 0; max-width: 100%}
.crn-form .crn-row > .widget-html {flex: 1 1 20em; min-width: 0}
.crn-form .crn-param > .widget-html, .crn-form .crn-grid {margin-inline-start: min(11em, 15%)}
.crn-form .widget-html, .crn-form .widget-html-content {min-width: 0; max-width: 100%; white-space: normal}
.crn-form .widget-inline-hbox {flex-wrap: wrap; max-width: 100%}
.crn-form .crn-says {color: var(--jp-ui-font-color2, inherit); font-size: .92em; line-height: 1.35}
.crn-form .crn-problem {color: var(--jp-ui-font-color1, inherit);
  border-inline-start: 4px solid var(--jp-error-color1, #b71c1c); padding: .2em .6em; line-height: 1.4}
.crn-form .crn-well {border-inline-start: 4px solid var(--jp-success-color1, #2e7d32); padding: .1em .6em}
.crn-form .crn-scroll {overflow-x: auto; max-width: 100%}
.crn-form .crn-scroll td, .crn-form .crn-scroll th {white-space: nowrap; padding: .15em .6em; text-align: start;
  border-bottom: 1px solid var(--jp-border-color2, #8886); max-width: 22em; overflow: hidden; text-overflow: ellipsis}
.crn-form .crn-scroll table {border-collapse: collapse; font-size: .92em}
.crn-form .crn-mark {font-weight: normal; font-size: .85em; font-style: italic}
.crn-form pre.crn-code {user-select: all; white-space: pre; word-break: normal; overflow-x: auto; padding: .6em .8em; border-radius: 3px; margin: .3em 0;
  background: var(--jp-layout-color2, #8882); color: var(--jp-ui-font-color1, inherit);
  font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px)}
.crn-form .crn-run {display: flex; flex-wrap: wrap; gap: 0 .8em; line-height: 1.4; padding: .3em 0}
.crn-form .crn-past .crn-row {align-items: flex-start}
.crn-form h4 {margin: .7em 0 .2em; font-size: 1em}
.crn-form p {margin: .2em 0}
"""


def heading(text: str) -> str:
    """A heading inside the form."""
    return f"<h4>{escape(text)}</h4>"


def says(text: str) -> str:
    """A remark beside a control."""
    return f'<div class="crn-says" dir="auto">{_lines(text)}</div>' if text else ""


def problem(text: str) -> str:
    """What went wrong, read aloud at once; the word says it, the colour only underlines."""
    return f'<div class="crn-problem" role="alert" dir="auto"><strong>Problem:</strong> {_lines(text)}</div>'


def news(text: str, *, well: bool = False) -> str:
    """How things stand, read aloud when there is a pause."""
    return f'<div class="{"crn-well" if well else ""}" role="status" dir="auto">{_lines(text)}</div>'


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.splitlines()))


def preview(columns: Iterable[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """The first rows of a table that may be wide: column names with a word on each, cells as text."""
    head = "".join(
        f'<th scope="col" dir="auto">{escape(name)}'
        + (f'<br><span class="crn-mark">{escape(mark)}</span>' if mark else "")
        + "</th>"
        for name, mark in columns
    )
    body = "".join(
        "<tr>" + "".join(f'<td dir="auto">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    # A region that scrolls must be reachable by keyboard, and then needs a name.
    return (
        '<div class="crn-scroll" tabindex="0" role="region" aria-label="First rows">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def code(text: str) -> str:
    """Code that one click selects as a whole."""
    return f'<pre class="crn-code" tabindex="0" title="Click to select it all">{escape(text)}</pre>'


def run_line(cells: Iterable[tuple[str, str]]) -> str:
    """One past run: texts in columns as wide as told, which wrap where there is no room."""
    return (
        '<div class="crn-run" dir="auto">'
        + "".join(f'<span style="min-width:{width}">{escape(text)}</span>' for text, width in cells)
        + "</div>"
    )
