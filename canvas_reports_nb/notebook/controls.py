"""One control a field: drawn with a label, read as parameters, with room beside it for what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from ipywidgets.widgets.widget_bool import CheckboxStyle

from canvas_reports_nb import _html
from canvas_reports_nb.catalog.parameters import check, expected_tables, is_name, term_id
from canvas_reports_nb.exceptions import InvalidChoiceError, ParameterError
from canvas_reports_nb.notebook.fields import FILES, fields_of, term_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from canvas_reports_nb.canvas_api.models import AvailableReport
    from canvas_reports_nb.notebook.fields import Field


# Beyond this a list is searched, not read.
_SHORT = 15
_WIDE = "min(34em, 98%)"
LABELLED = {"description_width": "9em"}
"""Style of every control with a label, so that they stand in one column."""


def button(text: str, css: str, says: str, *, icon: str = "", style: str = "") -> widgets.Button:
    """A button with a tooltip, as wide as its text."""
    made = widgets.Button(
        description=text, tooltip=says, icon=icon, button_style=style, layout=widgets.Layout(width="auto")
    )
    made.add_class(css)
    return made


def discard(widget: widgets.Widget) -> None:
    """Close a widget and all inside it: ipywidgets holds on to every one that is not closed."""
    for inside in getattr(widget, "children", ()):
        discard(inside)
    for part in ("layout", "style"):
        if widget.has_trait(part):
            getattr(widget, part).close()
    widget.close()


class Control:
    """One field on the page.

    Not made by hand: `control` gives one.

    Attributes
    ----------
    field : Field
    box : VBox
        The control and the line below it.
    """

    def __init__(self, field: Field, *inputs: widgets.Widget) -> None:
        self.field = field
        self._inputs = inputs
        self._line = widgets.HTML()
        self.box = widgets.VBox([self._place(), self._line])
        self.box.add_class("crn-param")
        self.box.add_class(f"crn-param-{field.name}")
        self.clear()

    def _place(self) -> widgets.Widget:
        return self._inputs[0]

    def values(self) -> dict[str, Any]:
        """The parameters this control sends; none where it is left alone.

        Raises
        ------
        InvalidChoiceError
            What stands in it is no value.
        """
        value = self._inputs[0].value
        if isinstance(value, str):
            value = value.strip()
        return {} if value in ("", None) else {self.field.name: self._read(value)}

    def _read(self, value: Any) -> Any:
        return value

    def observe(self, changed: Callable[[Any], None]) -> None:
        """Call when the user changed something."""
        for each in self._inputs:
            each.observe(changed, names="value")

    def complain(self, text: str) -> None:
        """Say beside the control what is wrong with it."""
        self._line.value = _html.problem(text)

    def clear(self) -> None:
        """Say what the field is for."""
        default = f"Left alone: {self.field.default}." if self.field.default else ""
        self._line.value = _html.says(f"{self.field.help} {default}".strip())

    def offer(self, lines: Mapping[str, Any]) -> None:
        """Take a list that came later; only a term's control has one."""


class _Searched(Control):
    """Search as you type in a long list; what is no line of it is sent as typed."""

    def __init__(self, field: Field, lines: Mapping[str, Any], placeholder: str) -> None:
        self._lines = dict(lines)
        super().__init__(
            field,
            widgets.Combobox(
                options=list(self._lines),
                continuous_update=False,
                description=field.label,
                placeholder=placeholder,
                tooltip=field.name,
                style=LABELLED,
                layout=widgets.Layout(width=_WIDE),
            ),
        )

    def offer(self, lines: Mapping[str, Any]) -> None:
        if self.field.kind == "term":
            self._lines = dict(lines)
            self._inputs[0].options = list(self._lines)

    def _read(self, value: Any) -> Any:
        return self._lines.get(value, value)


class _Integer(Control):
    def _read(self, value: Any) -> Any:
        if not value.isdecimal():
            raise InvalidChoiceError(
                f"{self.field.name} is a whole number, not {value!r}.", hint="Write digits only."
            )
        return int(value)


class _Switch(Control):
    def values(self) -> dict[str, Any]:
        return {self.field.name: self.field.sends} if self._inputs[0].value else {}


class _Boxes(Control):
    """A grid of boxes to tick, with all and none."""

    def __init__(self, field: Field) -> None:
        # Shared: a layout and a style for each box would double the time a click on such a report takes.
        look = {"layout": widgets.Layout(width="auto"), "style": CheckboxStyle(), "indent": False}
        boxes = [widgets.Checkbox(description=label, tooltip=value, **look) for label, value in field.options]
        for box, (_, value) in zip(boxes, field.options, strict=True):
            box.add_class(f"crn-tick-{value}")
        super().__init__(field, *boxes)

    def _place(self) -> widgets.Widget:
        grid = widgets.GridBox(
            self._inputs,
            layout=widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(13em, 1fr))", width="auto"),
        )
        every = button("All", "crn-all", f"Tick all of {self.field.label}")
        none = button("None", "crn-none", f"Tick none of {self.field.label}")
        every.on_click(lambda _: self._tick_all(ticked=True))
        none.on_click(lambda _: self._tick_all(ticked=False))
        label = widgets.Label(
            self.field.label, layout=widgets.Layout(width="9em", justify_content="flex-end")
        )
        head = widgets.HBox([label, every, none])
        head.add_class("crn-row")
        grid.add_class("crn-grid")
        return widgets.VBox([head, grid])

    def _tick_all(self, *, ticked: bool) -> None:
        for box in self._inputs:
            box.value = ticked

    def values(self) -> dict[str, Any]:
        ticked = [
            value for (_, value), box in zip(self.field.options, self._inputs, strict=True) if box.value
        ]
        if self.field.kind == "files":
            return dict.fromkeys(ticked, True)
        return {self.field.name: ticked} if ticked else {}


def control(field: Field, terms: Mapping[str, Any]) -> Control:
    """The control that fits a field.

    Parameters
    ----------
    field : Field
    terms : mapping
        Lines of the list of terms and what they send; may come later, through `Control.offer`.
    """
    look = {
        "description": field.label,
        "tooltip": field.name,
        "style": LABELLED,
        "layout": widgets.Layout(width=_WIDE),
    }
    made: Control
    match field.kind:
        case "term":
            made = _Searched(field, terms, "all terms; type to search")
        case "choice" if len(field.options) > _SHORT:
            made = _Searched(field, dict(field.options), "not sent; type to search")
        case "choice":
            made = Control(field, widgets.Dropdown(options=[("not sent", ""), *field.options], **look))
        case "files" | "choices":
            made = _Boxes(field)
        case "switch":
            made = _Switch(field, widgets.Checkbox(value=False, **look))
        case "date":
            made = Control(field, widgets.DatePicker(**look))
        case "integer":
            made = _Integer(field, _text(look))
        case _:
            made = Control(field, _text(look))
    return made


def _text(look: Mapping[str, Any]) -> widgets.Text:
    # Told once it is whole: a remark on every letter would only disturb.
    return widgets.Text(placeholder="not sent", continuous_update=False, **look)


class ParameterForm:
    """The controls of one report at a time.

    Parameters
    ----------
    changed : callable
        Called without arguments when the user changed a value.

    Attributes
    ----------
    box : VBox
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._offer: AvailableReport | None = None
        self._terms: Sequence[dict[str, Any]] = ()
        self._lines: dict[str, int] = {}
        self.controls: list[Control] = []
        self.box = widgets.VBox()
        self.box.add_class("crn-params")

    def show(self, offer: AvailableReport | None) -> None:
        """Ask for what this report takes; for nothing without one."""
        self._offer = offer
        self.controls = [control(field, self._lines) for field in fields_of(offer)] if offer else []
        for asking in self.controls:
            asking.observe(lambda _: self._changed())
        nothing = [widgets.HTML(_html.says("This report takes no parameters."))] if offer else []
        before, self.box.children = self.box.children, [each.box for each in self.controls] or nothing
        for each in before:
            discard(each)

    def know_terms(self, terms: Sequence[dict[str, Any]], now: datetime) -> None:
        """Offer these terms, in the controls that are there already, too."""
        self._terms, self._lines = terms, term_options(terms, now)
        for each in self.controls:
            each.offer(self._lines)

    def asked(self) -> dict[str, Any] | None:
        """The parameters as they stand; ``None`` where something is wrong, which then stands beside its control."""
        if self._offer is None:
            return None
        asked: dict[str, Any] = {}
        sound = True
        for each in self.controls:
            each.clear()
            try:
                values = each.values()
                self._check(each, values)
                asked |= values
            except ParameterError as error:
                each.complain("\n".join(filter(None, (error.message, error.hint))))
                sound = False
        return asked if sound else None

    def complete(self) -> dict[str, Any] | None:
        """As `asked`, and fit for a start: a report of several files needs one at least."""
        asked = self.asked()
        if asked is None or self._offer is None or expected_tables(self._offer.report, asked) != ():
            return asked
        for each in self.controls:
            if each.field.name == FILES:
                each.complain("This report writes only the files it is asked for. Tick one at least.")
        return None

    def _check(self, each: Control, values: dict[str, Any]) -> None:
        if self._offer is None:
            return
        # A name that stands in the server's own form is as good as one in its list.
        check(self._offer.report, values, {*self._offer.parameters, *values})
        value = values.get(each.field.name)
        if each.field.kind == "term" and self._terms and isinstance(value, str) and is_name(value):
            term_id(value, self._terms)
