"""The report types the school offers: their titles, parameters, forms and columns."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from typing import Any, TypeAlias

from canvas_reports_nb.demo_canvas.data import read
from canvas_reports_nb.demo_canvas.settings import Settings
from canvas_reports_nb.demo_canvas.world import World

COLUMNS: Mapping[str, Mapping[str, Mapping[str, str]]] = read("columns")
"""For each report and table: the names in its header, and the column of our frames each one prints.

This is the header with default settings.
"""

HEADERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    report: {table: tuple(columns) for table, columns in tables.items()} for report, tables in COLUMNS.items()
}

TABLES = tuple(COLUMNS["provisioning_csv"])
"""Canvas writes the members of a zip in this order, whatever the order of the switches."""
_GRADE_REPORTS = ("grade_export_csv", "mgp_grade_export_csv")
_SCALED = ("calculation_method", "calculation_int", "mastery_points", "ratings")
_HIDDEN: Mapping[tuple[str, bool], Mapping[str, Collection[str]]] = {
    ("integration_ids", False): dict.fromkeys(_GRADE_REPORTS, ("student integration id",)),
    ("grade_override", False): dict.fromkeys(_GRADE_REPORTS, ("override score", "override grade")),
    ("pronouns", False): {"users": ("pronouns",)},
    ("mastery_scales", True): {"outcome_export_csv": _SCALED},
}
"""The columns that a setting hides, by report or table."""
TAG_TABLES: Mapping[str, Mapping[str, str]] = read("tags")["columns"]
"""The files of institutional tags; their headers are those of the SIS import, as no export was ever seen."""
_SOURCE = "temporary_enrollment_source_user_id"
Columns: TypeAlias = Sequence[tuple[str, str | None]]
_ADDED: Mapping[tuple[str, str, str], Columns] = {
    ("temporary_enrollments", "provisioning_csv", "enrollments"): (
        (f"canvas_{_SOURCE}", "temporary_source_id"),
        (_SOURCE, "temporary_source_sis"),
    ),
    # Canvas's own quirk: three names in the header, but one cell per row, so that the next cell is misplaced.
    ("temporary_enrollments", "sis_export_csv", "enrollments"): (
        (_SOURCE, "temporary_source_sis"),
        (f"canvas_{_SOURCE}", None),
        (_SOURCE, None),
    ),
} | {
    ("trusted_accounts", report, table): (("root_account", "root_account"),)
    for report in ("provisioning_csv", "sis_export_csv")
    for table in ("enrollments", "admins")
}
"""The columns that a setting adds, by report and table; those without a source have a name but no cells."""


def _hidden_columns(settings: Settings, report: str, table: str) -> set[str]:
    off = [columns for (setting, value), columns in _HIDDEN.items() if getattr(settings, setting) == value]
    return {name for columns in off for key in (report, table) for name in columns.get(key, ())}


def table_columns(settings: Settings, report: str, table: str) -> list[tuple[str, str | None]]:
    """Return the columns of a table under some settings: the name in the header, the column of our frames."""
    hidden = _hidden_columns(settings, report, table)
    plain = TAG_TABLES[table] if table in TAG_TABLES else COLUMNS[report][table]
    columns = [pair for pair in plain.items() if pair[0] not in hidden]
    switched_on = [key for key in _ADDED if key[1:] == (report, table) and getattr(settings, key[0])]
    return [*columns, *chain.from_iterable(_ADDED[key] for key in switched_on)]


@dataclass(frozen=True, slots=True)
class ReportType:
    """One report a school offers; `parameters` is None where the type declares none."""

    title: str
    parameters: Mapping[str, Mapping[str, object]] | None
    description_html: str | None
    form: Sequence[Mapping[str, Any]] = ()
    """The controls on its page, each with its kind and settings."""


REPORT_TYPES: Mapping[str, ReportType] = {name: ReportType(**kind) for name, kind in read("reports").items()}


def _terms(control: Mapping[str, Any], world: World) -> str:
    """Return the menu of terms: the default one, then active, future and past ones in groups."""
    groups: dict[str, list[str]] = {"": [], "Active Terms": [], "Future Terms": [], "Past Terms": []}
    for term in world.terms.filter(status="active").iter_rows(named=True):
        start, end = term["start_at"], term["end_at"]
        group = "" if term["id"] == 1 else "Active Terms"
        if start is not None and start > world.now:
            group = "Future Terms"
        elif end is not None and end < world.now:
            group = "Past Terms"
        groups[group].append(f'<option value="{term["id"]}">{escape(term["name"])}</option>')
    every = ['<option value="">All Terms</option>'] if control["all"] else []
    options = every + groups.pop("")
    options += [f'<optgroup label="{name}">{"".join(of)}</optgroup>' for name, of in groups.items() if of]
    return f'<label>Term <select name="parameters[enrollment_term_id]">{"".join(options)}</select></label>'


def _switch(control: Mapping[str, Any], _world: World) -> str:
    """Return a checkbox; an unchecked one sends nothing."""
    off = " disabled" if control.get("disabled") else ""
    box = f'<input type="checkbox" name="parameters[{control["name"]}]" value="1"{off}>'
    return f"<label>{box} {escape(control['label'])}</label>"


def _date(control: Mapping[str, Any], _world: World) -> str:
    field = f'<input type="text" class="datetime_field" name="parameters[{control["name"]}]">'
    return f"<label>{control['label']} {field}</label>"


def _menu(control: Mapping[str, Any], _world: World) -> str:
    """Return the menu of a list parameter."""
    options = "".join(f'<option value="{word}">{word.title()}</option>' for word in control["words"])
    return f'<select name="parameters[{control["name"]}][]">{options}</select>'


def _radio(control: Mapping[str, Any], _world: World) -> str:
    """Return radio buttons; the first word is the default."""
    start = f'<label><input type="radio" name="parameters[{control["name"]}]"'
    return "".join(
        f'{start} value="{word}"{" checked" if word == control["words"][0] else ""}> {word.title()}</label>'
        for word in control["words"]
    )


_CONTROLS: Mapping[str, Callable[[Mapping[str, Any], World], str]] = {
    "terms": _terms, "switch": _switch, "date": _date, "menu": _menu, "radio": _radio
}  # fmt: skip


def parameters_html(report: str, world: World, account_id: int) -> str | None:
    """Return the form of a report, one table row per control; None for the two without a form."""
    form = REPORT_TYPES[report].form
    if "users" in (REPORT_TYPES[report].parameters or {}) and world.settings.institutional_tags:
        labels = {name: f"{name.replace('_', ' ').title()} CSV" for name in TAG_TABLES}
        form = [*form, *({"control": "switch", "name": k, "label": v} for k, v in labels.items())]
    rows = "".join(f"<tr><td>{_CONTROLS[c['control']](c, world)}</td></tr>" for c in form)
    action = f"/api/v1/accounts/{account_id}/reports/{report}"
    head = f'<form id="{report}_form" class="run_report_form" action="{action}">'
    return f'{head}<table class="reports">{rows}</table></form>' if form else None
