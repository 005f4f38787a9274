"""Which report: searched as it is typed, then told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.widgets.controls import LABELLED, button
from canvas_reports_nb.widgets.offers import about, chosen, last_run, matching, option_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from canvas_reports_nb.models import AvailableReport, ReportRun

__all__ = ["Chooser"]


class Chooser:
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
