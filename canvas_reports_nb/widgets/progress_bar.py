"""Progress as an ipywidgets bar. It only writes traits, so it works from any thread and while a cell blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets
from IPython.display import display

from canvas_reports_nb._html import escape, table
from canvas_reports_nb.run_lines import HEADER

if TYPE_CHECKING:
    from canvas_reports_nb.progress import ProgressEvent

__all__ = ["WidgetSink"]


class WidgetSink:
    """A bar with the state in words beside it; notes stand below, and of many runs the table of all."""

    def __init__(self) -> None:
        self.bar = widgets.IntProgress(
            min=0, max=100, layout=widgets.Layout(width="16em"), tooltip="Progress of the report"
        )
        self.label = widgets.HTML()
        self.notes = widgets.HTML()
        self.runs = widgets.HTML(layout=widgets.Layout(max_height="24em", overflow="auto"))
        self.box = widgets.VBox([widgets.HBox([self.bar, self.label]), self.notes, self.runs])
        self._shown = False

    def show(self, event: ProgressEvent) -> None:
        """Show one event; the first one displays the bar."""
        if not self._shown:
            self._shown = True
            display(self.box)
        if event.stage == "note":
            self.notes.value += f"<div>{escape(event.sentence)}</div>"
            return
        if event.runs:
            self.runs.value = table(HEADER, [line.cells for line in event.runs])
        run = f" run {event.run_id}" if event.run_id else ""
        self.label.value = f"<b>{escape(event.report)}</b>{run}: {escape(event.sentence)}"
        if event.fraction is not None:
            self.bar.value = round(event.fraction * 100)
        if event.stage == "done":
            self.bar.bar_style = "success"

    def close(self) -> None:
        """Leave the last state standing; say so where it is not the end."""
        if self.bar.bar_style != "success":
            self.bar.bar_style = "warning"
