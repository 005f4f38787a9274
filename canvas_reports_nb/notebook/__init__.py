"""What a notebook shows: the form, the progress bar and the magics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.notebook.form import ReportForm


def report_form(canvas: Connection) -> ReportForm:
    """Make a form for the notebook; the same as ``canvas.form()``.

    Examples
    --------
    >>> form = crn.report_form(canvas)
    >>> form.frame is None  # until a report is run or opened
    True
    """
    from canvas_reports_nb.notebook.form import ReportForm  # noqa: PLC0415 - loads ipywidgets only on use

    return ReportForm(canvas)
