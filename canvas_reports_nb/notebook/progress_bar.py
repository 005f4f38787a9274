"""Progress as an ipywidgets bar. It only writes traits, so it works from any thread while a cell blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets
from IPython.display import display

from canvas_reports_nb import _html
from canvas_reports_nb.notebook.controls import discard
from canvas_reports_nb.runs.progress import HEADER

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from canvas_reports_nb.runs.progress import ProgressEvent


class ProgressBar(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A bar with state, times and rows beside it, notes below, and a table if there are several runs."""

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
            self.runs.value = _html.table(HEADER, [each.cells for each in event.runs])
        self._headline = _headline(event)
        pause = "" if event.next_poll is None else f" · next check in {event.next_poll:.0f} s"
        self.label.value = _html.lines([self._headline + pause])
        if event.fraction is not None:
            self.bar.value = round(event.fraction * 100)
        state = "" if event.runs else event.facts[0]
        is_waiting = event.stage == "waiting"
        self.bar.description = f"{state} {self.bar.value} %".strip() if is_waiting else event.stage
        self.bar.bar_style = "success" if event.stage == "done" else ""

    def close(self) -> None:
        """Remove the bar and its parts from the page and from the widgets that a notebook saves."""
        for child in self.children:
            discard(child)
        self.layout.close()
        super().close()

    @property
    def text(self) -> list[str]:
        """The lines on the page now."""
        return [line for line in (self._headline, *self._notes) if line]


def _headline(event: ProgressEvent) -> str:
    run = f" run {event.run_id}" if event.run_id else ""
    facts = list(event.facts)
    if event.queued and event.running:
        facts.append(f"{event.queued + event.running:.0f} s since the start")
    return f"{event.report}{run}: {' · '.join(facts)}"


class WidgetSink:
    """The bar in a cell's output while the cell waits; afterwards its last lines as text.

    A saved notebook opened without a kernel then shows these lines instead of a dead bar. A bar that the caller has
    ``placed`` on the page stays there.
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
        """Replace the bar with its last lines; a bar that stays is marked if the run did not finish."""
        if self._placed:
            self.box.bar.bar_style = self.box.bar.bar_style or "warning"
            return
        text = self.box.text
        if self._output is not None:
            self._output.update({"text/plain": "\n".join(text), "text/html": _html.lines(text)}, raw=True)
            self._output = None
        self.box.close()
