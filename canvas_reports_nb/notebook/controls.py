"""The fields of the form, one per parameter: each shows its control, its value and its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import ipywidgets as widgets
from ipywidgets.widgets.widget_bool import CheckboxStyle

from canvas_reports_nb import _html
from canvas_reports_nb.exceptions import InvalidChoiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FieldKind = Literal["term", "switch", "files", "choices", "choice", "date", "integer", "text"]

# A longer list of choices is searched instead of opened.
_SHORT = 15
_WIDE = "min(34em, 98%)"
LABELED = {"description_width": "9em"}
"""Style of every control with a label, so that they line up in one column."""


def button(text: str, css: str, tooltip: str, *, style: str = "") -> widgets.Button:
    """Make a button that is as wide as its text."""
    layout = widgets.Layout(width="auto")
    return widgets.Button(description=text, tooltip=tooltip, button_style=style, layout=layout).add_class(css)


def row(*children: widgets.Widget) -> widgets.HBox:
    """Place widgets side by side; they wrap on a narrow page."""
    return widgets.HBox(children).add_class("crn-row")


def discard(widget: widgets.Widget) -> None:
    """Close a widget and its children; ipywidgets keeps every open one in memory."""
    for child in getattr(widget, "children", ()):
        discard(child)
    for part in ("layout", "style"):
        if widget.has_trait(part):
            getattr(widget, part).close()
    widget.close()


def label_of(name: str) -> str:
    """Return a parameter's name in words.

    Examples
    --------
    >>> label_of("enrollment_term_id")
    'Enrollment term'
    """
    words = name.removesuffix("_id").replace("_", " ").replace(" sis", " SIS").strip()
    return words[:1].upper() + words[1:] if words else name


class Field:
    """One parameter in the form; the kind ``files`` covers all file switches of a report."""

    def __init__(
        self,
        name: str,
        kind: FieldKind,
        label: str = "",
        *,
        help: str = "",  # noqa: A002 - the word for it
        options: Sequence[tuple[str, str]] = (),
        sends: Any = True,
    ) -> None:
        self.name, self.kind, self.label = name, kind, label or label_of(name)
        self.options, self.sends, self._help = tuple(options), sends, help
        # Maps each line of a searched list to its value; other text is sent as typed.
        self._lines: Mapping[str, Any] = dict(options)
        self._note = widgets.HTML()
        if kind in ("files", "choices"):
            self._inputs = self._checkboxes()
            control = self._grid()
        else:
            control = self._input()
            self._inputs = [control]
        self.box = widgets.VBox([control, self._note])
        self.box.add_class("crn-param").add_class(f"crn-param-{name}")
        self.clear()

    def _input(self) -> widgets.Widget:
        look = {"description": self.label, "tooltip": self.name, "style": LABELED}
        look["layout"] = widgets.Layout(width=_WIDE)
        # Read a text when it is complete, so that typing does not cause an error at every keystroke.
        typed = {"continuous_update": False, **look}
        match self.kind:
            case "switch":
                return widgets.Checkbox(value=False, **look)
            case "date":
                return widgets.DatePicker(**look)
            case "term":
                return widgets.Combobox(placeholder="all terms; type to search", **typed)
            case "choice" if len(self.options) > _SHORT:
                return widgets.Combobox(
                    options=list(self._lines), placeholder="optional; type to search", **typed
                )
            case "choice":
                return widgets.Dropdown(options=[("(default)", ""), *self.options], **look)
        return widgets.Text(placeholder="optional", **typed)

    def _checkboxes(self) -> list[widgets.Checkbox]:
        # One layout and style for all: making them for each box doubles the time to show the report.
        look = {"layout": widgets.Layout(width="auto"), "style": CheckboxStyle(), "indent": False}
        return [
            widgets.Checkbox(description=label, tooltip=value, **look).add_class(f"crn-tick-{value}")
            for label, value in self.options
        ]

    def _grid(self) -> widgets.VBox:
        columns = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(13em, 1fr))", width="auto")
        grid = widgets.GridBox(self._inputs, layout=columns).add_class("crn-grid")
        select_all = button("All", "crn-all", f"Select all of {self.label}")
        select_none = button("None", "crn-none", f"Select none of {self.label}")
        select_all.on_click(lambda _: self._select(value=True))
        select_none.on_click(lambda _: self._select(value=False))
        right = widgets.Layout(width="9em", justify_content="flex-end")
        return widgets.VBox([row(widgets.Label(self.label, layout=right), select_all, select_none), grid])

    def _select(self, *, value: bool) -> None:
        for box in self._inputs:
            box.value = value

    def values(self) -> dict[str, Any]:
        """Return the parameters this field sends; none if it was left blank."""
        value = self._inputs[0].value
        match self.kind:
            case "files":
                return dict.fromkeys(self._ticked(), True)
            case "choices":
                return {self.name: self._ticked()} if self._ticked() else {}
            case "switch":
                return {self.name: self.sends} if value else {}
        value = value.strip() if isinstance(value, str) else value
        if value in ("", None):
            return {}
        return {
            self.name: _whole(self.label, value) if self.kind == "integer" else self._lines.get(value, value)
        }

    def _ticked(self) -> list[str]:
        return [value for (_, value), box in zip(self.options, self._inputs, strict=True) if box.value]

    def observe(self, changed: Callable[[Any], None]) -> None:
        """Call ``changed`` when the user changes a value."""
        for each in self._inputs:
            each.observe(changed, names="value")

    def show_error(self, text: str) -> None:
        """Show below the control what is wrong with its value."""
        self._note.value = _html.error(text)

    def clear(self) -> None:
        """Show the help instead of an error."""
        self._note.value = _html.hint(self._help)

    def set_terms(self, lines: Mapping[str, int]) -> None:
        """Offer these terms if the field takes one."""
        if self.kind == "term":
            self._lines = lines
            self._inputs[0].options = list(lines)


def _whole(label: str, text: str) -> int:
    if not text.isdecimal():
        raise InvalidChoiceError(f"{label} must be a whole number, not {text!r}.", hint="Use digits only.")
    return int(text)
