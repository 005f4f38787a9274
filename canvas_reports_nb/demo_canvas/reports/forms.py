"""The HTML form Canvas offers for a report on its own page."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.demo_canvas.world import World

__all__ = ["Choice", "Control", "DateField", "Switch", "TermSelect", "form_html"]


@dataclass(frozen=True, slots=True)
class TermSelect:
    """A menu of terms."""

    all_terms: bool = True

    def html(self, world: World) -> str:
        """Return the menu: the default term, then active, future and past terms in groups."""
        parts = ['<option value="">All Terms</option>'] if self.all_terms else []
        groups: dict[str, list[str]] = {"": [], "Active Terms": [], "Future Terms": [], "Past Terms": []}
        for term in world.terms.filter(status="active").iter_rows(named=True):
            start, end = term["start_at"], term["end_at"]
            group = "" if term["id"] == 1 else "Active Terms"
            if start is not None and start > world.now:
                group = "Future Terms"
            elif end is not None and end < world.now:
                group = "Past Terms"
            groups[group].append(f'<option value="{term["id"]}">{escape(term["name"])}</option>')
        parts += groups.pop("")
        parts += [
            f'<optgroup label="{name}">{"".join(items)}</optgroup>' for name, items in groups.items() if items
        ]
        return f'<label>Term <select name="parameters[enrollment_term_id]">{"".join(parts)}</select></label>'


@dataclass(frozen=True, slots=True)
class Switch:
    """A box to tick; `needs_table` ones wait until a file is ticked."""

    name: str
    label: str
    needs_table: bool = False

    def html(self, world: World) -> str:
        """Return the box, without the hidden twin that would send a false."""
        del world
        off = " disabled" if self.needs_table else ""
        return f'<label><input type="checkbox" name="parameters[{self.name}]" value="1"{off}> {escape(self.label)}</label>'


@dataclass(frozen=True, slots=True)
class DateField:
    """A date to type."""

    name: str
    label: str

    def html(self, world: World) -> str:
        """Return the text field."""
        del world
        return f'<label>{self.label} <input type="text" class="datetime_field" name="parameters[{self.name}]"></label>'


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words, as a menu (of a list parameter) or as radio buttons."""

    name: str
    words: Sequence[str]
    radio: bool = False

    def html(self, world: World) -> str:
        """Return the choice; the first word is the default."""
        del world
        if not self.radio:
            options = "".join(f'<option value="{word}">{word.title()}</option>' for word in self.words)
            return f'<select name="parameters[{self.name}][]">{options}</select>'
        return "".join(
            f'<label><input type="radio" name="parameters[{self.name}]" value="{word}"'
            f"{' checked' if word == self.words[0] else ''}> {word.title()}</label>"
            for word in self.words
        )


Control = TermSelect | Switch | DateField | Choice


def form_html(report: str, controls: Sequence[Control], world: World, account_id: int) -> str:
    """Return the form around the controls, one to a row of a table."""
    rows = "".join(f"<tr><td>{control.html(world)}</td></tr>" for control in controls)
    action = f"/api/v1/accounts/{account_id}/reports/{report}"
    return (
        f'<form id="{report}_form" class="run_report_form" action="{action}">'
        f'<table class="reports">{rows}</table></form>'
    )
