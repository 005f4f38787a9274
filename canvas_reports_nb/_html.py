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
        "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) + "</tr>"
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
