"""The fields of each report, and the list of terms."""

from datetime import UTC, datetime
from typing import Any

import pytest

from canvas_reports_nb.canvas_api.models import AvailableReport, ReportParameter
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.catalog.parameters import check_names, read_parameters
from canvas_reports_nb.notebook.parameter_form import (
    ALL_TERMS,
    ParameterForm,
    fields_of,
    settings_words,
    term_options,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def offer_of(report: str, **listed: str) -> AvailableReport:
    known = schemas.schema(report)
    names = {name for name, p in known.parameters.items() if p.advertised} if known else set()
    parameters = {name: ReportParameter(name) for name in names | set(listed)}
    return AvailableReport(report, known.title if known else report, parameters)


@pytest.mark.parametrize("report", schemas.reports())
def test_every_parameter_has_a_control_with_a_label(report: str) -> None:
    fields = fields_of(offer_of(report))
    known = schemas.schema(report)
    asked = {
        name
        for field in fields
        for name in ([v for _, v in field.options] if field.kind == "files" else [field.name])
    }
    assert asked == set(known.parameters)
    for field in fields:
        assert field.values() == {}
        labeled = [each for each in field._inputs if each.description]
        assert len(labeled) == len(field._inputs)
        assert field.label


@pytest.mark.parametrize("report", schemas.reports())
def test_what_is_filled_in_passes_the_check(report: str) -> None:
    entered: dict[str, Any] = {"date": NOW.date(), "integer": "30", "text": "sis_course_id:007E2"}
    for field in fields_of(offer_of(report)):
        field.set_terms([("All terms", ""), ("Spring 2026", 13)])
        for each in field._inputs:
            if field.kind == "term":
                each.value = 13
            elif field.kind == "choice":
                each.value = field.options[0][1]
            else:
                each.value = entered.get(field.kind, True)
        values = field.values()
        check_names(report, values, ())
        assert read_parameters(report, values)
        if field.kind == "term":
            assert values == {field.name: 13}


def test_a_parameter_only_the_server_knows_has_a_field_too() -> None:
    assert "moon_phase" in {field.name for field in fields_of(offer_of("grade_export_csv", moon_phase=""))}
    old = AvailableReport(
        "user_access_tokens_csv", "Tokens", {"include_deleted": ReportParameter("include_deleted")}
    )
    assert {field.name for field in fields_of(old)} == {"include_deleted"}, (
        "an older Canvas ignores the other"
    )


def form_of(report: str, terms: Any) -> ParameterForm:
    form = ParameterForm(lambda: None, "self", lambda: NOW)
    form.show(offer_of(report))
    form.set_terms(terms)
    return form


def test_nothing_runs_before_the_terms_are_there_or_can_be_typed() -> None:
    form = ParameterForm(lambda: None, "self", lambda: NOW)
    form.show(offer_of("grade_export_csv"))
    assert (form.values(to_run=True), form.query()) == (None, None)
    form.set_terms(None)
    assert form.values(to_run=True) == {}
    (field,) = [each for each in form._fields if each.kind == "term"]
    field._inputs[0].value = "Spring 26"
    assert form.values(to_run=True) == {"enrollment_term_id": "Spring 26"}
    assert form.query() is None
    form.set_terms([term(3, "Spring 26", "2026-01-12T00:00:00Z", "2026-05-08T00:00:00Z")])
    assert form.query().wire["enrollment_term_id"] == 3


def test_the_request_is_what_the_fields_hold_now_even_if_no_change_was_reported() -> None:
    form = form_of("grade_export_csv", [term(3, "Spring 26", None, None), term(4, "Fall 25", None, None)])
    (field,) = [each for each in form._fields if each.kind == "term"]
    field._inputs[0].unobserve_all()
    for chosen, term_id in ((3, 3), (4, 4), ("", None), (3, 3)):
        field._inputs[0].value = chosen
        query = form.query()
        assert query.wire.get("enrollment_term_id") == term_id
        assert form.query() is query, "checked once for equal values"
    field._inputs[0].value = None
    assert form.query() is None


def test_rare_options_are_folded_until_they_are_used_or_wrong() -> None:
    form = form_of("provisioning_csv", [])
    assert form._is_folded
    assert form._more.description == "▸ More options: enrollment roles, enrollment states"
    form._more.click()
    assert not form._is_folded
    form._more.click()
    form.fill({"users": True, "enrollment_states": ["active"]})
    assert not form._is_folded
    form = form_of("grade_export_csv", [])
    (field,) = [each for each in form._fields if each.name == "limiting_period"]
    field._inputs[0].value = "a week"
    assert form.query() is None
    assert not form._is_folded


def test_settings_in_words() -> None:
    terms = [term(3, "Spring 26", None, None, sis_term_id="SP26")]
    asked = {"enrollment_term_id": "3", "users": True, "xlist": True, "include_deleted": True}
    more = {**asked, "enrollment_states": ["active", "deleted"], "moon_phase": "<b>"}
    words = ["Spring 26 (SP26)", "users, cross-lists", "concluded and deleted records"]
    assert settings_words("provisioning_csv", asked, terms) == words
    assert settings_words("provisioning_csv", more, terms) == [
        *words,
        "enrollment states: active, deleted",
        "moon phase: <b>",
    ]
    assert settings_words("provisioning_csv", {"enrollment_term_id": 99}, terms) == ["term 99"]
    assert settings_words("grade_export_csv", {}, terms) == ["all terms"]
    assert settings_words("unheard_of_csv", {}, terms) == []


def term(number: int, name: str, start: str | None, end: str | None, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": name, "start_at": start, "end_at": end, "workflow_state": "active", **more}


def test_the_current_term_comes_first_then_all_then_the_newest() -> None:
    terms = [
        term(1, "Default", None, None),
        term(2, "Fall 25", "2025-08-25T00:00:00Z", "2025-12-19T00:00:00Z", sis_term_id="FA25"),
        term(3, "Spring 26", "2026-01-12T00:00:00Z", "2026-05-08T00:00:00Z", sis_term_id="SP26"),
        term(4, "Summer 26", "2026-05-18T00:00:00Z", None),
        term(5, "Year", "2025-08-01T00:00:00Z", None),
        term(6, "Gone", "2026-01-01T00:00:00Z", None, workflow_state="deleted"),
        term(7, "فصل الربيع", "2024-01-01T00:00:00Z", "2024-05-01T00:00:00Z"),
        term(8, "Twin", None, None),
        term(9, "Twin", None, None),
    ]
    assert term_options(terms, NOW) == [
        ("Current term: Spring 26 (SP26)", 3),
        (ALL_TERMS, ""),
        ("Summer 26 · upcoming", 4),
        ("Fall 25 (FA25) · ended", 2),
        ("Year · current", 5),
        ("فصل الربيع · ended", 7),
        ("Default · no dates", 1),
        ("Twin · no dates · id 8", 8),
        ("Twin · no dates · id 9", 9),
    ]
    assert term_options(terms[:1], NOW)[0] == ("Choose a term", None)
