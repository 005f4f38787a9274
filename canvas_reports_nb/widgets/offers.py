"""The reports on offer as a form shows them: found by what is typed, told in words, asked for field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canvas_reports_nb import _html
from canvas_reports_nb.parameters import near, switches
from canvas_reports_nb.schemas import schema
from canvas_reports_nb.widgets.fields import Field, files_field, label_of, schema_field
from canvas_reports_nb.widgets.parameters_html import read_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canvas_reports_nb.models import AvailableReport, ReportRun

__all__ = ["about", "chosen", "fields_of", "last_run", "matching", "option_of"]


def option_of(offer: AvailableReport) -> str:
    """The line of a report in the list; both its title and its name can be searched for."""
    return f"{offer.title} · {offer.report}"


def chosen(typed: str, offers: Sequence[AvailableReport]) -> AvailableReport | None:
    """The report that is meant: its line, its name, or a title only one has."""
    wanted = typed.strip().casefold()
    for offer in offers:
        if wanted in (option_of(offer).casefold(), offer.report.casefold()):
            return offer
    titled = [offer for offer in offers if offer.title.strip().casefold() == wanted]
    return titled[0] if len(titled) == 1 else None


def matching(typed: str, offers: Sequence[AvailableReport]) -> str:
    """What to say while the text names no report yet."""
    if not offers:
        return (
            "This account offers no report to this token. Ask a Canvas admin for the right to read reports."
        )
    if not typed.strip():
        return f"{len(offers)} reports. Type a part of a title or name, or open the list."
    found = [offer for offer in offers if typed.strip().casefold() in option_of(offer).casefold()]
    if found:
        return (
            f"{len(found)} of {len(offers)} reports match: {', '.join(offer.title for offer in found[:4])}"
            + (
                ", …" if len(found) > 4 else ""  # noqa: PLR2004 - as many as fit in a line
            )
        )
    return f"No report matches. {near(typed.strip(), [offer.report for offer in offers])}".strip()


def about(offer: AvailableReport) -> str:
    """A report in words: the server's description, else ours."""
    if offer.description_html:
        return _html.sanitised(offer.description_html)
    known = schema(offer.report)
    return _html.news(known.description) if known else ""


def last_run(run: ReportRun | None) -> str:
    """The last run of a report in a sentence."""
    if run is None:
        return "Never run on this account."
    created = f", created {run.created_at:%Y-%m-%d %H:%M} UTC" if run.created_at else ""
    return f"Last run: {run.id}, {run.status}{created}."


def fields_of(offer: AvailableReport) -> list[Field]:
    """What to ask for: by the schema; for a report it does not know by the server's own form, else by its list."""
    known = schema(offer.report)
    if known is None:
        fields = list(read_form(offer.parameters_html))
        named = {field.name for field in fields}
    else:
        # A parameter an older Canvas does not list would be ignored there.
        there = [p for p in known.parameters.values() if not p.advertised or p.name in offer.parameters]
        files = tuple(p.name for p in there if p.name in switches(offer.report))
        fields = [schema_field(p) for p in there if p.name not in files]
        fields[1:1] = [files_field(files)] if files else []
        named = {name for p in there for name in (p.name, *p.aliases)}
    return fields + [
        Field(listed.name, "text", label_of(listed.name), listed.description or "")
        for listed in offer.parameters.values()
        if listed.name not in named
    ]
