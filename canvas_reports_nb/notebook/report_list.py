"""Which report: searched as it is typed, then told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.notebook.controls import LABELLED, button

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun


class ReportList:
    """The list of reports, searchable, and the words about the one that is chosen.

    Parameters
    ----------
    typed : callable
        Called when the text changed.
    refresh : callable
        Called when the user wants everything asked for again.

    Attributes
    ----------
    box : VBox
    offer : AvailableReport or None
        The report that was chosen.
    """

    def __init__(self, typed: Callable[[object], None], refresh: Callable[[object], None]) -> None:
        self._offers: Sequence[AvailableReport] = ()
        self.offer: AvailableReport | None = None
        self._input = widgets.Combobox(
            description="Report",
            tooltip="The report to run",
            disabled=True,
            layout=widgets.Layout(width="min(40em, 98%)"),
            style=LABELLED,
        )
        self._input.add_class("crn-report")
        self._input.observe(typed, names="value")
        again = button("Refresh", "crn-refresh", "Ask Canvas again for reports, terms and past runs")
        again.on_click(refresh)
        head = widgets.HBox([self._input, again])
        head.add_class("crn-row")
        self._says, self._about, self._last = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._says.add_class("crn-report-says")
        self._about.add_class("crn-about")
        self.box = widgets.VBox([head, self._says, self._about, self._last])
        self.wait("loading the reports of this account …")

    def wait(self, text: str) -> None:
        """Say why there is no list."""
        self._input.placeholder = text

    def know(self, offers: Sequence[AvailableReport]) -> None:
        """Offer these reports; the one chosen before stays chosen if it is among them."""
        self._offers = offers
        self._input.options = [option_of(offer) for offer in offers]
        self._input.disabled = False
        self.wait("type a part of a title or name")

    def changed(self) -> bool:
        """Read what was typed; whether another report is chosen now than before."""
        before, self.offer = self.offer, chosen(self._input.value, self._offers)
        searching = self.offer is None and not self._input.disabled
        self._says.value = _html.says(matching(self._input.value, self._offers)) if searching else ""
        self._about.value = about(self.offer) if self.offer else ""
        self.know_last(self.offer.last_run if self.offer else None)
        return (before.report if before else None) != (self.offer.report if self.offer else None)

    def know_last(self, run: ReportRun | None) -> None:
        """Say when the chosen report was run last."""
        self._last.value = _html.says(last_run(run)) if self.offer else ""


def option_of(offer: AvailableReport) -> str:
    """The line of a report in the list; both its title and its name can be searched for."""
    return f"{offer.title} · {offer.report}"


def chosen(typed: str, offers: Sequence[AvailableReport]) -> AvailableReport | None:
    """The report that is meant: its line, its name, or a title only one has."""
    wanted = typed.strip().casefold()
    for offer in offers:
        if wanted in (option_of(offer).casefold(), offer.report.casefold()):
            return offer
    titled = [offer for offer in offers if offer.title.strip().casefold() == wanted]
    return titled[0] if len(titled) == 1 else None


def matching(typed: str, offers: Sequence[AvailableReport]) -> str:
    """What to say while the text names no report yet."""
    if not offers:
        return (
            "This account offers no report to this token. Ask a Canvas admin for the right to read reports."
        )
    if not typed.strip():
        return f"{len(offers)} reports. Type a part of a title or name, or open the list."
    found = [offer for offer in offers if typed.strip().casefold() in option_of(offer).casefold()]
    if found:
        return (
            f"{len(found)} of {len(offers)} reports match: {', '.join(offer.title for offer in found[:4])}"
            + (
                ", …" if len(found) > 4 else ""  # noqa: PLR2004 - as many as fit in a line
            )
        )
    return f"No report matches. {near(typed.strip(), [offer.report for offer in offers])}".strip()


def about(offer: AvailableReport) -> str:
    """A report in words: the server's description, else ours."""
    if offer.description_html:
        return _html.sanitised(offer.description_html)
    known = schema(offer.report)
    return _html.news(known.description) if known else ""


def last_run(run: ReportRun | None) -> str:
    """The last run of a report in a sentence."""
    if run is None:
        return "Never run on this account."
    created = f", created {run.created_at:%Y-%m-%d %H:%M} UTC" if run.created_at else ""
    return f"Last run: {run.id}, {run.status}{created}."
