"""The searchable list of reports, and what the selected one is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.notebook.controls import LABELED, button, row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun

# As many titles as fit on one line.
_TITLES = 4


class ReportList:
    """The list of reports, and a description of the `selected` one."""

    def __init__(self, typed: Callable[[object], None], refresh: Callable[[object], None]) -> None:
        self._offers: Sequence[AvailableReport] = ()
        self.selected: AvailableReport | None = None
        self._input = widgets.Combobox(
            description="Report",
            tooltip="The report to run",
            disabled=True,
            layout=widgets.Layout(width="min(40em, 98%)"),
            style=LABELED,
        ).add_class("crn-reports")
        self._input.observe(typed, names="value")
        again = button("Refresh", "crn-refresh", "Load the reports, terms and past runs again")
        again.on_click(refresh)
        self._matches = widgets.HTML().add_class("crn-matches")
        self._about, self._last_run = widgets.HTML().add_class("crn-about"), widgets.HTML()
        self.box = widgets.VBox([row(self._input, again), self._matches, self._about, self._last_run])
        self.set_placeholder("loading the reports of this account …")

    def set_placeholder(self, text: str) -> None:
        """Show a text in the empty search box."""
        self._input.placeholder = text

    def show(self, offers: Sequence[AvailableReport]) -> None:
        """Offer these reports."""
        self._offers = offers
        self._input.options = [option_of(offer) for offer in offers]
        self._input.disabled = False
        self.set_placeholder("type part of a title or name")

    def update(self) -> bool:
        """Select the report whose name was typed; return whether another one is selected now."""
        before, self.selected = self.selected, find(self._input.value, self._offers)
        is_searching = self.selected is None and not self._input.disabled
        self._matches.value = _html.hint(matches(self._input.value, self._offers)) if is_searching else ""
        self._about.value = about(self.selected) if self.selected else ""
        self.show_last_run(self.selected.last_run if self.selected else None)
        return (before and before.report) != (self.selected and self.selected.report)

    def show_last_run(self, run: ReportRun | None) -> None:
        """Show when the selected report last ran."""
        if run is None:
            text = "Never run on this account."
        else:
            created = f", created {run.created_at:%Y-%m-%d %H:%M} UTC" if run.created_at else ""
            text = f"Last run: {run.id}, {run.status}{created}."
        self._last_run.value = _html.hint(text) if self.selected else ""


def option_of(offer: AvailableReport) -> str:
    """Return a report's line in the list, which can be searched by title and by name."""
    return f"{offer.title} · {offer.report}"


def find(typed: str, offers: Sequence[AvailableReport]) -> AvailableReport | None:
    """Return the report with this line, name or title; ``None`` if several have the title."""
    wanted = typed.strip().casefold()
    for offer in offers:
        if wanted in (option_of(offer).casefold(), offer.report.casefold()):
            return offer
    titled = [offer for offer in offers if offer.title.strip().casefold() == wanted]
    return titled[0] if len(titled) == 1 else None


def matches(typed: str, offers: Sequence[AvailableReport]) -> str:
    """Describe which reports match the text so far."""
    text = typed.strip()
    if not offers:
        return "Your token can't see any report on this account. Ask a Canvas admin for permission to read reports."
    if not text:
        return f"{len(offers)} reports. Type part of a title or name, or open the list."
    found = [offer.title for offer in offers if text.casefold() in option_of(offer).casefold()]
    if not found:
        return f"No report matches {text!r}. {near(text, [offer.report for offer in offers])}".strip()
    more = ", …" if len(found) > _TITLES else ""
    return f"{len(found)} of {len(offers)} reports match: {', '.join(found[:_TITLES])}{more}"


def about(offer: AvailableReport) -> str:
    """Return the server's description of a report, or else ours, as HTML."""
    if offer.description_html:
        return _html.sanitized(offer.description_html)
    known = schema(offer.report)
    return _html.status(known.description) if known else ""
