"""Sphinx: the reference of the public names, and a gallery with a picture of each chart."""

import doctest
import os
from typing import Any

import canvas_reports_nb as crn

os.environ["CANVAS_REPORTS_PROGRESS"] = "off"

project = "canvas_reports_nb"
version = release = crn.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",  # for the role autolink
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
]
autosummary_generate = numpydoc_show_class_members = False
add_module_names = toc_object_entries = False
autodoc_typehints = "none"  # the overloads of the readers would fill a page each
autodoc_default_options = {"members": True}
default_role = "autolink"
exclude_patterns = ["build"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1180px", "sidebar_width": "260px", "body_max_width": "none"}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_show_copyright = False


def example_of(text: str | None) -> list[str]:
    """Return the lines of the examples in a docstring."""
    found = doctest.DocTestParser().get_examples(text or "")
    return [line for one in found for line in one.source.splitlines()]


plot_pre_code = "\n".join(example_of(crn.__doc__))
plot_formats = [("png", 110)]
plot_html_show_formats = plot_html_show_source_link = False


def edit(app: Any, kind: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Link `crn.x`; in the gallery, show of each chart its first sentence, its example and the picture."""
    lines[:] = [line.replace("`crn.", "`canvas_reports_nb.") for line in lines]
    if app.env.docname == "gallery" and kind == "function":
        code = [f"    {line}" for line in example_of(found.__doc__)]
        lines[:] = [lines[0], "", ".. plot::", "    :include-source:", "    :context: close-figs", "", *code]


def skip(app: Any, kind: str, name: str, found: Any, is_skipped: bool, options: Any) -> bool | None:
    """Leave out of the gallery what draws no chart."""
    return True if app.env.docname == "gallery" and name in {"alt_text", "save"} else None


def setup(app: Any) -> None:
    """Connect the functions above."""
    app.connect("autodoc-process-docstring", edit, priority=0)
    app.connect("autodoc-skip-member", skip)
