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
.crn-bar .crn-unknown .progress {background: linear-gradient(90deg, var(--jp-layout-color3, #8884) 30%,
  var(--jp-brand-color2, #64b5f6) 50%, var(--jp-layout-color3, #8884) 70%) 0 0 / 200% 100%}
@media (prefers-reduced-motion: no-preference) {
  .crn-bar .crn-unknown .progress {animation: crn-move 2s linear infinite}
}
@keyframes crn-move {to {background-position: -200% 0}}
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


# JupyterLab takes letters and arrows for its own commands, unless a text is being edited: "d d" in a list of terms
# would delete the cell. This attribute of Lumino's keeps the keys of a focused control in the control.
_KEEP_KEYS = (
    "this.closest('.crn-form')?.addEventListener('focusin', "
    "e => e.target.setAttribute('data-lm-suppress-shortcuts', 'true'))"
)


def form_style() -> str:
    """Return the style of the form: what ipywidgets' own layout can't express."""
    from importlib.resources import files  # noqa: PLC0415 - only a form needs it

    css = (files("canvas_reports_nb.notebook") / "form.css").read_text(encoding="utf-8")
    return f'<style onload="{_KEEP_KEYS}">{css}</style>'


def list_style(css_class: str, lines: Iterable[tuple[int, str, str]]) -> str:
    """Return the headings and ages of a list: of each line its place, the group it begins, and its age."""
    rules = []
    for place, begins, last in lines:
        option = f".{css_class} .crn-list option:nth-child({place})"
        if begins:
            rules.append(f'{option}::before {{content: "{begins}"}}')
            rules.append(f"{option} {{padding-top: 27px; --crn-head: 24px}}")
        if last:
            rules.append(f'{option}::after {{content: "{last}"}}')
    return f"<style>{chr(10).join(rules)}</style>"


def header(title: str, school: str, host: str, badge: str, owner: str) -> str:
    """Return the first line of the form."""
    parts = [f"<strong>{escape(title)}</strong>"]
    parts += [f'<span dir="auto">{escape(part)}</span>' for part in (school, host) if part]
    text = f"{parts[0]} " + " · ".join(parts[1:])
    text += f' <span class="crn-badge">{escape(badge)}</span>' if badge else ""
    text += f' <span class="crn-owner">Token of <bdi>{escape(owner)}</bdi></span>' if owner else ""
    return f'<div class="crn-title-line">{text}</div>'


def title(text: str) -> str:
    """Return the title of the selected report."""
    return f'<h3 class="crn-title" dir="auto">{escape(text)}</h3>'


def heading(text: str) -> str:
    """Return a heading for the form."""
    return f'<h4 class="crn-heading">{escape(text)}</h4>'


def fold_list(summary: str, facts: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms and their meanings that unfolds from its summary."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return f'<details class="crn-fold"><summary>{escape(summary)}</summary><dl>{items}</dl></details>'


def hint(text: str) -> str:
    """Return an explanation in small print."""
    return f'<div class="crn-hint" dir="auto">{_lines(text)}</div>' if text else ""


def error(text: str) -> str:
    """Return an error, which screen readers read at once."""
    return f'<div class="crn-error" role="alert" dir="auto">{_lines(text)}</div>'


def question(text: str) -> str:
    """Return a question that screen readers read at once."""
    return f'<div class="crn-question" role="alert" dir="auto">{escape(text)}</div>'


def status(text: str, *, success: bool = False) -> str:
    """Return a status, which screen readers read at the next pause."""
    return f'<div class="{"crn-success" if success else ""}" role="status" dir="auto">{_lines(text)}</div>'


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.splitlines()))


def result_head(about: tuple[str, Iterable[str], str], stale: str) -> str:
    """Return the title of a result: report, settings and facts, with a label if it is stale."""
    report, settings, facts = about
    chips = "".join(f'<span class="crn-chip" dir="auto">{escape(each)}</span>' for each in settings)
    label = f'<div class="crn-stale-label" role="status">{escape(stale)}</div>' if stale else ""
    return (
        f'<div class="crn-result-head"><strong dir="auto">{escape(report)}</strong>{chips}'
        f'<span class="crn-hint">{escape(facts)}</span></div>{label}'
    )


def static_head(about: tuple[str, Iterable[str], str]) -> str:
    """Return the title of a result for a page without the form's style."""
    report, settings, facts = about
    rest = " · ".join(f"<bdi>{escape(each)}</bdi>" for each in (*settings, facts))
    return f"<div><strong><bdi>{escape(report)}</bdi></strong> · {rest}</div>"


def preview(columns: Iterable[tuple[str, str, bool]], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that scrolls inside its box: columns as name, mark and whether a number; cells as text."""
    described = list(columns)
    sides = [' class="crn-number"' if is_number else "" for _, _, is_number in described]
    head = "".join(
        f'<th scope="col"{side}><bdi>{escape(name)}</bdi>'
        + (f'<br><span class="crn-mark">{escape(mark)}</span>' if mark else "")
        + "</th>"
        for (name, mark, _), side in zip(described, sides, strict=True)
    )
    # Cells line up whatever the direction of their script.
    body = "".join(
        "<tr>"
        + "".join(f"<td{side}><bdi>{escape(cell)}</bdi></td>" for cell, side in zip(row, sides, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def scrolled(markup: str) -> str:
    """Return HTML of this module in a box that scrolls; to be reached by keyboard, it needs a name."""
    return f'<div class="crn-scroll" tabindex="0" role="region" aria-label="Rows of the table">{markup}</div>'


def code(text: str) -> str:
    """Return code that one click selects."""
    return f'<pre class="crn-code" tabindex="0" title="Click to select all">{escape(text)}</pre>'


_COPY = (
    "var c=this.nextElementSibling;getSelection().selectAllChildren(c);"
    "document.execCommand('copy');this.textContent='Copied'"
)


def code_box(text: str) -> str:
    """Return code with a button that copies it; where a page allows no scripts, one click selects the code."""
    return (
        '<div class="crn-code-box"><div class="crn-hint">The data is in <code>form.frame</code>. '
        "To get it without the form, copy this code into a cell:</div>"
        f'<button type="button" class="crn-copy jupyter-button" onclick="{_COPY}">Copy code</button>{code(text)}</div>'
    )


def download_link(address: str, name: str, size: str) -> str:
    """Return a link that saves a file beside the notebook."""
    return (
        f'<div role="status">Saved beside the notebook: <a href="{escape(address)}" '
        f'download="{escape(name)}">{escape(name)}</a> ({escape(size)})</div>'
    )


def run_line(cells: Iterable[str], state: str = "", *, is_head: bool = False) -> str:
    """Return the cells of a run's line, in the columns that all lines share."""
    css = "crn-line-head" if is_head else f"crn-state-{state if state in ('ready', 'failed') else 'other'}"
    parts = "".join(f'<span dir="auto">{escape(text)}</span>' for text in cells)
    return f'<div class="crn-columns {css}">{parts}</div>'


def static_form(text: str, result: str) -> str:
    """Return the form as it was saved, for pages without a kernel; hidden while the form itself is there."""
    about = heading("Canvas reports") + hint(text)
    return f'<style>{_STATIC_STYLE}</style><div class="crn-static">{about}{result}</div>'


_STATIC_STYLE = (
    ".crn-static {border: 1px solid var(--jp-border-color2, #8888); border-radius: 4px; padding: .5em .8em;"
    " max-width: 100%; overflow-x: auto}"
    # Saved outputs follow each other: this text, then the form or a message that it is gone.
    " .jp-OutputArea-child:has(.crn-static):has(+ .jp-OutputArea-child .crn-form) {display: none}"
    " .jp-OutputArea-child:has(.crn-static) + .jp-OutputArea-child:not(:has(.crn-form)) {display: none}"
)
