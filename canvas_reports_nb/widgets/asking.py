"""The parameters of the chosen report: a control each, checked together before a start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from canvas_reports_nb import _html
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.parameters import check, expected_tables
from canvas_reports_nb.terms import is_name, term_id
from canvas_reports_nb.widgets.controls import Control, control, discard
from canvas_reports_nb.widgets.fields import FILES
from canvas_reports_nb.widgets.offers import fields_of
from canvas_reports_nb.widgets.term_options import term_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from canvas_reports_nb.models import AvailableReport

__all__ = ["Asking"]


class Asking:
    """The controls of one report at a time.

    Parameters
    ----------
    changed : callable
        Called without arguments when the user changed a value.

    Attributes
    ----------
    box : VBox
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._offer: AvailableReport | None = None
        self._terms: Sequence[dict[str, Any]] = ()
        self._lines: dict[str, int] = {}
        self.controls: list[Control] = []
        self.box = widgets.VBox()
        self.box.add_class("crn-params")

    def show(self, offer: AvailableReport | None) -> None:
        """Ask for what this report takes; for nothing without one."""
        self._offer = offer
        self.controls = [control(field, self._lines) for field in fields_of(offer)] if offer else []
        for asking in self.controls:
            asking.observe(lambda _: self._changed())
        nothing = [widgets.HTML(_html.says("This report takes no parameters."))] if offer else []
        before, self.box.children = self.box.children, [each.box for each in self.controls] or nothing
        for each in before:
            discard(each)

    def know_terms(self, terms: Sequence[dict[str, Any]], now: datetime) -> None:
        """Offer these terms, in the controls that are there already, too."""
        self._terms, self._lines = terms, term_options(terms, now)
        for each in self.controls:
            each.offer(self._lines)

    def asked(self) -> dict[str, Any] | None:
        """The parameters as they stand; ``None`` where something is wrong, which then stands beside its control."""
        if self._offer is None:
            return None
        asked: dict[str, Any] = {}
        sound = True
        for each in self.controls:
            each.clear()
            try:
                values = each.values()
                self._check(each, values)
                asked |= values
            except ParameterError as error:
                each.complain("\n".join(filter(None, (error.message, error.hint))))
                sound = False
        return asked if sound else None

    def complete(self) -> dict[str, Any] | None:
        """As `asked`, and fit for a start: a report of several files needs one at least."""
        asked = self.asked()
        if asked is None or self._offer is None or expected_tables(self._offer.report, asked) != ():
            return asked
        for each in self.controls:
            if each.field.name == FILES:
                each.complain("This report writes only the files it is asked for. Tick one at least.")
        return None

    def _check(self, each: Control, values: dict[str, Any]) -> None:
        if self._offer is None:
            return
        # A name that stands in the server's own form is as good as one in its list.
        check(self._offer.report, values, {*self._offer.parameters, *values})
        value = values.get(each.field.name)
        if each.field.kind == "term" and self._terms and isinstance(value, str) and is_name(value):
            term_id(value, self._terms)
