"""Progress as an ipywidgets bar. It only writes traits, so it works from any thread and while a cell blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets
from IPython.display import display

from canvas_reports_nb import _html
from canvas_reports_nb.runs.progress import HEADER

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from canvas_reports_nb.runs.progress import ProgressEvent


class ProgressBar(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A bar with the state in words, the times and the rows beside it; notes stand below, and of many runs the table."""

    def __init__(self) -> None:
        self.bar = widgets.IntProgress(
            min=0,
            max=100,
            description="progress",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="18em", max_width="100%"),
            tooltip="Progress of the report",
        )
        self.label, self.notes = widgets.HTML(), widgets.HTML()
        self.runs = widgets.HTML(layout=widgets.Layout(max_height="24em", overflow="auto"))
        self._headline, self._notes = "", list[str]()
        wrapped = widgets.Layout(flex_flow="row wrap", align_items="center")
        super().__init__([widgets.HBox([self.bar, self.label], layout=wrapped), self.notes, self.runs])

    def show(self, event: ProgressEvent) -> None:
        """Show one event."""
        if event.stage == "note":
            self._notes.append(event.sentence)
            self.notes.value = _html.lines(self._notes)
            return
        if event.runs:
            self.runs.value = _html.table(HEADER, [line.cells for line in event.runs])
        run = f" run {event.run_id}" if event.run_id else ""
        facts = list(event.facts)
        if event.queued and event.running:
            facts.append(f"{event.queued + event.running:.0f} s since the start")
        self._headline = f"{event.report}{run}: {' · '.join(facts)}"
        pause = "" if event.next_poll is None else f" · asks again in {event.next_poll:.0f} s"
        self.label.value = _html.lines([self._headline + pause])
        if event.fraction is not None:
            self.bar.value = round(event.fraction * 100)
        self.bar.description = (
            f"{'' if event.runs else event.facts[0]} {self.bar.value} %".strip()
            if event.stage == "waiting"
            else event.stage
        )
        self.bar.bar_style = "success" if event.stage == "done" else ""

    def close(self) -> None:
        """Take the bar, and all it is made of, from the page and from the widgets a notebook saves."""
        inside = (self.bar, self.label, self.notes, self.runs, self.children[0])
        styles = (each.style for each in inside if each.has_trait("style"))
        for part in (self.layout, *(each.layout for each in inside), *styles, *inside):
            part.close()
        super().close()

    @property
    def told(self) -> list[str]:
        """What stands there now, line by line."""
        return [line for line in (self._headline, *self._notes) if line]


class WidgetSink:
    """The bar in a cell's output while the cell waits; then what it said last, which needs no widget.

    So a saved notebook, opened without a kernel or on a web page, shows a line in place of a dead bar.

    Parameters
    ----------
    placed : bool
        Whether somebody else puts `box` on the page, where it stays; else the first event does.
    """

    def __init__(self, *, placed: bool = False) -> None:
        self.box = ProgressBar()
        self._placed = placed
        self._output: DisplayHandle | None = None

    def show(self, event: ProgressEvent) -> None:
        """Show one event."""
        if not self._placed and self._output is None:
            self._output = display(self.box, display_id=True)
        self.box.show(event)

    def close(self) -> None:
        """Put the last words in the bar's place; where it stays, say so if this is not the end."""
        if self._placed:
            self.box.bar.bar_style = self.box.bar.bar_style or "warning"
            return
        told = self.box.told
        if self._output is not None:
            self._output.update({"text/plain": "\n".join(told), "text/html": _html.lines(told)}, raw=True)
            self._output = None
        self.box.close()
