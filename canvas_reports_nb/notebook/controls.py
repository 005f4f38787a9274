"""The fields of the form, one per parameter: each shows its control, its value and its error."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import ipywidgets as widgets
from ipywidgets.widgets.widget_bool import CheckboxStyle

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import is_on
from canvas_reports_nb.exceptions import InvalidChoiceError
from canvas_reports_nb.notebook.wording import label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    # The label of each term and its Canvas id; "" stands for all terms, ``None`` for no choice yet.
    Terms = Sequence[tuple[str, int | str | None]]

FieldKind = Literal["term", "switch", "files", "choices", "choice", "date", "integer", "text"]

# A longer list of choices is searched instead of opened.
_SHORT = 15
_WIDE = "min(36em, 100%)"
_LABELED = {"description_width": "8.5em"}
_LOADING: Terms = [("Loading the terms \u2026", None)]


def button(text: str, css: str, tooltip: str, *, style: str = "") -> widgets.Button:
    """Make a button that is as wide as its text."""
    layout = widgets.Layout(width="auto")
    return widgets.Button(description=text, tooltip=tooltip, button_style=style, layout=layout).add_class(css)


def row(*children: widgets.Widget) -> widgets.HBox:
    """Place widgets side by side; they wrap on a narrow page."""
    return widgets.HBox(children).add_class("crn-row")


def labeled_row(label: str, *children: widgets.Widget) -> widgets.HBox:
    """Place widgets side by side behind one label, in line with the other fields."""
    return widgets.HBox([widgets.Label(label).add_class("crn-label"), row(*children)]).add_class(
        "crn-labeled"
    )


def show_if(widget: widgets.Widget, *, shown: bool) -> None:
    """Show a widget or remove it from the page."""
    widget.layout.display = None if shown else "none"


def discard(widget: widgets.Widget) -> None:
    """Close a widget and its children; ipywidgets keeps every open one in memory."""
    for child in getattr(widget, "children", ()):
        discard(child)
    for part in ("layout", "style"):
        if widget.has_trait(part):
            getattr(widget, part).close()
    widget.close()


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
        self._changed: Callable[[Any], None] | None = None
        self._note = widgets.HTML()
        if kind in ("files", "choices"):
            self._inputs = self._checkboxes()
            control = labeled_row(self.label, *self._inputs, *self._all_or_none())
        else:
            control = self._input()
            self._inputs = [control]
        self.box = widgets.VBox([control, self._note])
        self.box.add_class("crn-param").add_class(f"crn-param-{name}")
        self._error = " "
        self.clear()

    def _input(self) -> widgets.Widget:
        look = {"description": self.label, "tooltip": self.label, "style": _LABELED}
        look["layout"] = widgets.Layout(width="auto" if self.kind == "switch" else _WIDE)
        # Read a text when it is complete, so that typing does not cause an error at every keystroke.
        typed = {"continuous_update": False, **look}
        match self.kind:
            case "switch":
                return widgets.Checkbox(value=False, indent=False, **look)
            case "date":
                return widgets.DatePicker(**look)
            case "term":
                return widgets.Dropdown(options=_LOADING, disabled=True, **look)
            case "choice" if len(self.options) > _SHORT:
                return widgets.Combobox(options=list(self._lines), placeholder="type to search", **typed)
            case "choice":
                return widgets.Dropdown(options=[("Default", ""), *self.options], **look)
        return widgets.Text(placeholder="optional", **typed)

    def _checkboxes(self) -> list[widgets.Checkbox]:
        # One layout and style for all: making them for each box doubles the time to show the report.
        look = {"layout": widgets.Layout(width="auto"), "style": CheckboxStyle(), "indent": False}
        boxes = []
        for label, value in self.options:
            box = widgets.Checkbox(description=label, tooltip=label, **look).add_class("crn-pill")
            box.add_class(f"crn-tick-{value}")
            boxes.append(box.add_class(f"crn-param-{value}") if self.kind == "files" else box)
        return boxes

    def _all_or_none(self) -> list[widgets.Button]:
        buttons = []
        for text, value in (("All", True), ("None", False)):
            each = button(text, f"crn-{text.lower()}", f"{self.label}: select {text.lower()}")
            each.on_click(lambda _, value=value: self._select(value=value))
            buttons.append(each.add_class("crn-link"))
        return buttons

    def _select(self, *, value: bool) -> None:
        for box in self._inputs:
            box.value = value

    @property
    def is_missing(self) -> bool:
        """Whether a term must be chosen before a run."""
        control = self._inputs[0]
        return self.kind == "term" and isinstance(control, widgets.Dropdown) and control.value is None

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

    def set(self, asked: Mapping[str, Any]) -> None:
        """Fill in the parameters of an earlier run; what it did not have becomes blank."""
        value = asked.get(self.name)
        text = "" if value is None else str(value)
        control = self._inputs[0]
        match self.kind:
            case "files":
                self._tick({name for _, name in self.options if is_on(asked.get(name, False))})
            case "choices":
                self._tick(value if isinstance(value, list) else text.split(","))
            case "switch":
                control.value = value is not None and (is_on(value) or value == self.sends)
            case "date":
                control.value = _day(value)
            case "term" | "choice" if isinstance(control, widgets.Dropdown):
                known = {str(item): item for _, item in control.options if item is not None}
                control.value = known.get(text, known.get(""))
            case _:
                control.value = text

    def _tick(self, names: Collection[str]) -> None:
        for (_, name), box in zip(self.options, self._inputs, strict=True):
            box.value = name in names

    def observe(self, changed: Callable[[Any], None]) -> None:
        """Call ``changed`` when the user changes a value."""
        self._changed = changed
        for each in self._inputs:
            each.observe(changed, names="value")

    def show_error(self, text: str) -> None:
        """Show below the control what is wrong with its value."""
        if text != self._error:
            self._error = text
            self._note.value = _html.error(text) if text else _html.hint(self._help)
            show_if(self._note, shown=bool(text or self._help))

    def clear(self) -> None:
        """Show the hint instead of an error."""
        self.show_error("")

    def set_terms(self, terms: Terms | None) -> None:
        """Offer these terms if the field takes one; without a list, any spelling of a term can be typed."""
        if self.kind != "term":
            return
        control = self._inputs[0]
        if terms is None and isinstance(control, widgets.Dropdown):
            self._help = (
                "The list of terms can't be read. Type a Canvas id or SIS id; leave blank for all terms."
            )
            look = {"description": self.label, "tooltip": self.label, "style": _LABELED}
            text = widgets.Text(continuous_update=False, layout=widgets.Layout(width=_WIDE), **look)
            self._inputs = [text]
            if self._changed is not None:
                text.observe(self._changed, names="value")
            self.box.children = [text, self._note]
            discard(control)
            self._error = " "
            self.clear()
        elif terms is not None and isinstance(control, widgets.Dropdown):
            before = control.value
            control.options, control.disabled = terms, False
            control.value = before if before in [value for _, value in terms] else terms[0][1]


def _whole(label: str, text: str) -> int:
    if not text.isdecimal():
        raise InvalidChoiceError(f"{label} must be a whole number, not {text!r}.", hint="Use digits only.")
    return int(text)


def _day(value: Any) -> date | None:
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        return None
