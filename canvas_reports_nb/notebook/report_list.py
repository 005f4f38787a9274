"""The searchable list of reports in groups, with the last run of each, and what the selected one is about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import near
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.notebook.wording import GROUPS, group_of, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, tzinfo

    from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun

_NONE = ("Choose a report", "")
_NO_REPORTS = (
    "Your token can't see any report on this account. Ask a Canvas admin for permission to read reports."
)


class ReportList(widgets.VBox):  # type: ignore[misc]  # ipywidgets is not typed
    """The list of reports; on a narrow page a picker. ``chosen`` is called when another report is selected."""

    def __init__(self, chosen: Callable[[], None]) -> None:
        self._chosen, self._is_changing = chosen, False
        self._offers: Sequence[AvailableReport] = ()
        self._shown: Sequence[AvailableReport] = ()
        self._now: Callable[[], datetime] | None = None
        self._zone: tzinfo | None = None
        self.selected: AvailableReport | None = None
        wide = widgets.Layout(width="100%", margin="0")
        hidden = {"description_width": "0px"}
        self._search = widgets.Text(
            description="Search reports", placeholder="Loading the reports …", layout=wide, style=hidden
        )
        self._list = widgets.Select(description="Reports", layout=wide, style=hidden).add_class("crn-list")
        self._picker = widgets.Dropdown(
            options=[_NONE], description="Report", layout=wide, style=hidden
        ).add_class("crn-picker")
        self._style, self._matches = widgets.HTML(), widgets.HTML().add_class("crn-matches")
        super().__init__(
            [self._search.add_class("crn-search"), self._picker, self._list, self._matches, self._style]
        )
        self.add_class("crn-reports").add_class(f"crn-reports-{self.model_id}")
        self._search.observe(self._searched, names="value")
        self._list.observe(self._picked, names="value")
        self._picker.observe(self._picked, names="value")
        self.set_disabled("Loading the reports …")

    def set_disabled(self, text: str) -> None:
        """Show a text instead of the list."""
        self._search.placeholder = text
        for each in (self._search, self._list, self._picker):
            each.disabled = True

    @property
    def disabled(self) -> bool:
        """Whether there is no list to select from."""
        return bool(self._search.disabled)

    @property
    def value(self) -> str:
        """The name of the selected report, or the text in the search box; setting it is like typing it."""
        return self.selected.report if self.selected else self._search.value

    @value.setter
    def value(self, text: str) -> None:
        self._search.value = text

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the reports in the list."""
        return tuple(offer.report for offer in self._shown)

    def show(self, offers: Sequence[AvailableReport], now: Callable[[], datetime], zone: tzinfo) -> None:
        """Offer these reports; the selected one stays selected."""
        self._now, self._zone = now, zone
        order = {
            name: place for place, name in enumerate(name for names in GROUPS.values() for name in names)
        }
        self._offers = sorted(offers, key=lambda offer: order.get(offer.report, len(order)))
        names = [offer.report for offer in self._offers]
        self.selected = next(
            (offer for offer in self._offers if self.selected and offer.report == self.selected.report), None
        )
        with self._quietly():
            choices = [(f"{group_of(each.report)}: {each.title}", each.report) for each in self._offers]
            self._picker.options = [_NONE, *choices]
        self._filter()
        for each in (self._search, self._list, self._picker):
            each.disabled = not names
        self._search.placeholder = f"Search {len(names)} reports" if names else "No reports"

    def set_last_run(self, report: str, run: ReportRun | None) -> None:
        """Show this run beside a report, whose list of runs is newer than the list of reports."""
        self._offers = [
            replace(offer, last_run=run) if offer.report == report else offer for offer in self._offers
        ]
        shown = self.options
        self._shown = [offer for offer in self._offers if offer.report in shown]
        self.refresh()

    def refresh(self, zone: tzinfo | None = None) -> None:
        """Show the current ages of the last runs."""
        self._zone = zone or self._zone
        if self._now is None or self._zone is None:
            return
        rules, group = [], ""
        for place, offer in enumerate(self._shown, start=1):
            run = offer.last_run
            moment = (run.ended_at or run.created_at) if run else None
            last = short(moment, self._now(), self._zone) if moment else ""
            begins = group_of(offer.report) if group_of(offer.report) != group else ""
            group = group_of(offer.report)
            rules.append((place, begins, last))
        text = _html.list_style(f"crn-reports-{self.model_id}", rules)
        if self._style.value != text:
            self._style.value = text

    def _quietly(self) -> _Quiet:
        return _Quiet(self)

    def _filter(self) -> None:
        self._shown = [offer for offer in self._offers if fits(self._search.value, offer)]
        names = [offer.report for offer in self._shown]
        with self._quietly(), self._list.hold_sync():
            self._list.options = [(each.title, each.report) for each in self._shown]
            self._list.rows = max(len(names), 2)
            self._list.value = (
                self.selected.report if self.selected and self.selected.report in names else None
            )
            self._picker.value = self.selected.report if self.selected else ""
        if not self._offers:
            self._matches.value = _html.hint(_NO_REPORTS)
        elif names:
            self._matches.value = ""
        else:
            self._matches.value = _html.hint(no_match(self._search.value, self._offers))
        self.refresh()

    def _searched(self, _: object) -> None:
        self._filter()
        exact = find(self._search.value, self._offers)
        if exact is None and self._search.value.strip() and len(self._shown) == 1:
            exact = self._shown[0]
        if exact is not None:
            self._select(exact.report)

    def _picked(self, change: Any) -> None:
        if not self._is_changing and change["new"]:
            self._select(change["new"])

    def _select(self, report: str) -> None:
        before = self.selected
        self.selected = next(offer for offer in self._offers if offer.report == report)
        with self._quietly():
            self._picker.value = report
            self._list.value = report if report in self.options else None
        if before is None or before.report != report:
            self._chosen()


class _Quiet:
    """While the list is rebuilt, its changes are not the user's."""

    def __init__(self, owner: ReportList) -> None:
        self._owner = owner

    def __enter__(self) -> None:
        self._owner._is_changing = True  # noqa: SLF001 - its own helper

    def __exit__(self, *_: object) -> None:
        self._owner._is_changing = False  # noqa: SLF001 - as above


def fits(typed: str, offer: AvailableReport) -> bool:
    """Return whether every word of a search is in a report's title, name, group or description."""
    known = schema(offer.report)
    text = f"{offer.title} {offer.report} {group_of(offer.report)} {known.description if known else ''}"
    return all(word in text.casefold() for word in typed.casefold().split())


def find(typed: str, offers: Sequence[AvailableReport]) -> AvailableReport | None:
    """Return the report with this name or title; ``None`` if several have the title."""
    wanted = typed.strip().casefold()
    for offer in offers:
        if wanted == offer.report.casefold():
            return offer
    titled = [offer for offer in offers if offer.title.strip().casefold() == wanted]
    return titled[0] if len(titled) == 1 else None


def no_match(typed: str, offers: Sequence[AvailableReport]) -> str:
    """Return a sentence for a search without a result."""
    names = [offer.report for offer in offers]
    return f"No report matches {typed.strip()!r}. {near(typed.strip(), names)}".strip()


def about(offer: AvailableReport) -> str:
    """Return a report's title and description as HTML, with what each of its files holds."""
    known = schema(offer.report)
    described = _html.sanitized(offer.description_html) if offer.description_html else ""
    if not described and known:
        described = _html.hint(known.description)
    files = [(table.name, table.grain) for table in known.tables.values()] if known else []
    fold = _html.fold_list("What is in each file?", files) if len(files) > 1 else ""
    return _html.title(offer.title) + described + fold
