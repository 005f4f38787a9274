"""What a notebook shows: the form, the progress bar and the magics."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.exceptions import ConfigurationError

if TYPE_CHECKING:
    from canvas_reports_nb.connection import Connection
    from canvas_reports_nb.notebook.form import ReportForm

_LOWEST = {"ipywidgets": (8, 1), "IPython": (8, 6)}


def report_form(canvas: Connection) -> ReportForm:
    """Make a form for the notebook; the same as ``canvas.form()``.

    Examples
    --------
    >>> form = crn.report_form(canvas)
    >>> form.frame is None  # until a report is run or opened
    True
    """
    form: ReportForm = load("form", "The form").ReportForm(canvas)
    return form


def load(module: str, what: str) -> Any:
    """Import a module of this room; raise an error of ours if ipywidgets or IPython is missing or too old here."""
    loaded = {name: _version(name) for name in _LOWEST}
    if any(_is_older(version, _LOWEST[name]) for name, version in loaded.items()):
        needed = [f"{name} {'.'.join(map(str, lowest))}" for name, lowest in _LOWEST.items()]
        found = [f"{name} {version}" if version else f"no {name}" for name, version in loaded.items()]
        raise ConfigurationError(
            f"{what} needs {' and '.join(needed)} or newer, but this kernel has {' and '.join(found)}.",
            hint='Run %pip install -U "ipywidgets>=8.1" "ipython>=8.6" and restart the kernel. '
            "Without them, canvas.reports() and canvas.read_report(...) work.",
        )
    return import_module(f"{__name__}.{module}")


def _version(name: str) -> str:
    """Return the version that is loaded, which may be older than the one on disk; ``""`` if none is loaded."""
    try:
        return str(getattr(import_module(name), "__version__", "of unknown version"))
    except ImportError:
        return ""


def _is_older(version: str, lowest: tuple[int, ...]) -> bool:
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    return not version or (bool(numbers) and numbers < lowest)
