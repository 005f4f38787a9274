"""Progress as an ipywidgets bar. It only writes traits, so it works from any thread while a cell blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets
from IPython.display import display

from canvas_reports_nb import _html
from canvas_reports_nb.notebook.controls import discard
from canvas_reports_nb.runs.progress import ENDS, HEADER

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from canvas_reports_nb.runs.progress import ProgressEvent


class ProgressBar(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A line of text with a bar below it, notes, and a table if there are several runs."""

    def __init__(self) -> None:
        self.bar = widgets.IntProgress(
            min=0,
            max=100,
            description="progress",
            layout=widgets.Layout(width="100%", height="8px", margin="0"),
        )
        self.label, self.notes = (
            widgets.HTML(_html.BAR_STYLE + _html.progress_line("Asking Canvas …", [])),
            widgets.HTML(),
        )
        self.runs = widgets.HTML(layout=widgets.Layout(max_height="24em", overflow="auto"))
        # ipywidgets gives its bar no role; this one is for screen readers, which also hear each new state.
        self.role, self.heard = widgets.HTML().add_class("crn-role"), widgets.HTML().add_class("crn-heard")
        self._headline, self._notes, self._state, self._earlier = "", list[str](), "", 0
        track = self._track = widgets.Box([self.bar, self.role]).add_class("crn-track")
        super().__init__([self.label, track, self.notes, self.runs, self.heard])
        self.add_class("crn-bar")

    def show(self, event: ProgressEvent) -> None:
        """Show one event."""
        if event.stage == "note":
            self._notes.append(event.sentence)
            self.notes.value = _html.lines(self._notes)
            return
        if event.runs:
            self.runs.value = _html.table(HEADER, [each.cells for each in event.runs])
        subject = f"{event.report} run {event.run_id}" if event.run_id else event.report
        state, *facts = event.facts
        facts.insert(0, "" if event.runs else event.step)
        pause = "" if event.next_poll is None else f"next check in {event.next_poll:.0f} s"
        self._earlier = len(self._notes)
        self._headline = f"{subject}: {' · '.join(filter(None, (state, *facts)))}"
        self.label.value = _html.BAR_STYLE + _html.progress_line(f"{subject}: {state}", [*facts, pause])
        if event.share is not None:
            self.bar.value = round(event.share * 100)
        is_unknown = event.stage not in ENDS and not event.share
        (self._track.add_class if is_unknown else self._track.remove_class)("crn-unknown")
        self.role.value = _html.progress_role(self.bar.value, self._headline)
        if event.state != self._state:
            self._state = event.state
            self.heard.value = _html.status(self._headline)
        is_waiting = event.stage == "waiting" and not event.runs
        self.bar.description = f"{event.state} {self.bar.value} %".strip() if is_waiting else event.stage
        self.bar.bar_style = {"done": "success", "failed": "danger"}.get(
            event.stage, "warning" if event.stage in ENDS else ""
        )

    def close(self) -> None:
        """Remove the bar and its parts from the page and from the widgets that a notebook saves."""
        for child in self.children:
            discard(child)
        self.layout.close()
        super().close()

    @property
    def text(self) -> list[str]:
        """The lines on the page now, in the order they came in."""
        lines = [*self._notes[: self._earlier], self._headline, *self._notes[self._earlier :]]
        return [line for line in lines if line]


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
