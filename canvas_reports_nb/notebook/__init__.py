"""What a notebook shows: ipywidgets' own controls only. Nothing below this layer imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.notebook.form import ReportForm


def report_form(canvas: Connection) -> ReportForm:
    """A form in the notebook: choose a report, start and follow it, load it as a frame.

    Parameters
    ----------
    canvas : Connection

    Returns
    -------
    ReportForm
        ``form.job``, ``form.result``, ``form.frame``, ``form.wait()``.
    """
    from canvas_reports_nb.notebook.form import ReportForm  # noqa: PLC0415 - ipywidgets is loaded on use only

    return ReportForm(canvas)
