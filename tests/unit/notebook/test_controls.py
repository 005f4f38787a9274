"""What a form asks for: fields, controls, terms, a server's own form."""

from datetime import UTC, datetime
from typing import Any

import pytest

from canvas_reports_nb.canvas_api.models import AvailableReport, ReportParameter
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.catalog.parameters import check, to_wire
from canvas_reports_nb.exceptions import InvalidChoiceError
from canvas_reports_nb.notebook.controls import control
from canvas_reports_nb.notebook.fields import FILES, Field, fields_of, read_form, term_options
from canvas_reports_nb.notebook.report_list import chosen, matching

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
        for name in ([v for _, v in field.options] if field.name == FILES else [field.name])
    }
    assert asked == set(known.parameters)
    for field in fields:
        drawn = control(field, {})
        assert drawn.values() == {}
        labelled = [each for each in drawn._inputs if each.description]
        assert len(labelled) == len(drawn._inputs)
        assert field.label


@pytest.mark.parametrize("report", schemas.reports())
def test_what_is_filled_in_passes_the_check(report: str) -> None:
    entered: dict[str, Any] = {"date": NOW.date(), "integer": "30", "text": "sis_course_id:007E2"}
    for field in fields_of(offer_of(report)):
        drawn = control(field, {"Spring 2026": 13})
        for each in drawn._inputs:
            if field.kind == "term":
                each.value = "Spring 2026"
            elif field.kind == "choice":
                each.value = field.options[0][1]
            else:
                each.value = entered.get(field.kind, True)
        values = drawn.values()
        check(report, values, ())
        assert to_wire(report, values)
        if field.kind == "term":
            assert values == {field.name: 13}


def test_a_parameter_only_the_server_knows_is_asked_for_too() -> None:
    assert "moon_phase" in {field.name for field in fields_of(offer_of("grade_export_csv", moon_phase=""))}
    old = AvailableReport(
        "user_access_tokens_csv", "Tokens", {"include_deleted": ReportParameter("include_deleted")}
    )
    assert {field.name for field in fields_of(old)} == {"include_deleted"}, (
        "an older Canvas ignores the other"
    )


@pytest.mark.parametrize(("text", "value"), [("30", 30), (" 7 ", 7)])
def test_whole_numbers(text: str, value: int) -> None:
    drawn = control(Field("limiting_period", "integer", "Limiting period"), {})
    drawn._inputs[0].value = text
    assert drawn.values() == {"limiting_period": value}
    drawn._inputs[0].value = "-3 days"
    with pytest.raises(InvalidChoiceError, match="whole number"):
        drawn.values()


def test_a_long_choice_is_searched_and_a_term_list_may_come_later() -> None:
    many = Field("faculty", "choice", "Faculty", options=tuple((f"Faculty {n}", str(n)) for n in range(40)))
    drawn = control(many, {})
    drawn._inputs[0].value = "Faculty 17"
    assert drawn.values() == {"faculty": "17"}
    term = control(Field("enrollment_term_id", "term", "Term"), {})
    term._inputs[0].value = "Autumn"
    assert term.values() == {"enrollment_term_id": "Autumn"}
    term.offer({"Autumn": 4})
    assert term.values() == {"enrollment_term_id": 4}


FORMS = [
    (
        (
            '<label>Term <select name="parameters[enrollment_term_id]"><option value="">All</option>'
            '<optgroup label="Active"><option value="13">Spring</option></optgroup></select></label>'
        ),
        [("enrollment_term_id", "term", "Term", (("Spring", "13"),), True)],
    ),
    (
        '<label><input type="checkbox" name="parameters[deep]" value="1"> Deep &amp; slow</label>',
        [("deep", "switch", "Deep & slow", (), "1")],
    ),
    (
        '<input type="text" class="datetime_field" id="s" name="parameters[start_at]"><label for="s">From:</label>',
        [("start_at", "date", "From", (), True)],
    ),
    (
        (
            "<label><input type=radio name=parameters[order] value=users checked>Users</label>"
            "<label><input type=radio name=parameters[order] value=courses>Courses</label>"
        ),
        [("order", "choice", "Order", (("Users", "users"), ("Courses", "courses")), True)],
    ),
    (
        (
            '<select name="parameters[state][]"><option value="all">All<option value="active">Active</select>'
            '<label>Days <input type="number" name="parameters[days]"></label>'
        ),
        [
            ("state", "choices", "State", (("All", "all"), ("Active", "active")), True),
            ("days", "integer", "Days", (), True),
        ],
    ),
    (
        '<input name="utf8" value="x"><input type=hidden name="parameters[k]"><button>Run</button><p>Text</p>',
        [],
    ),
    ('<label>Weeks <input name="parameters[weeks]">', [("weeks", "text", "Weeks", (), True)]),
    ("", []),
]


@pytest.mark.parametrize(("markup", "fields"), FORMS)
def test_a_servers_form_is_read(markup: str, fields: list[tuple[Any, ...]]) -> None:
    assert [(f.name, f.kind, f.label, f.options, f.sends) for f in read_form(markup)] == fields


def term(number: int, name: str, start: str | None, end: str | None, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": name, "start_at": start, "end_at": end, "workflow_state": "active", **more}


def test_terms_stand_in_the_order_people_need_them() -> None:
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
    assert term_options(terms, NOW) == {
        "Spring 26 · SP26 · running": 3,
        "Year · running": 5,
        "Default · no dates": 1,
        "Twin · no dates · id 8": 8,
        "Twin · no dates · id 9": 9,
        "Summer 26 · future": 4,
        "Fall 25 · FA25 · past": 2,
        "فصل الربيع · past": 7,
    }


def test_a_shared_title_chooses_nothing() -> None:
    offers = [
        AvailableReport("a_csv", "Grades"),
        AvailableReport("b_csv", "Grades"),
        AvailableReport("c_csv", "Other"),
    ]
    assert chosen("grades", offers) is None
    assert chosen("GRADES · B_csv", offers) is offers[1]
    assert chosen("other", offers) is offers[2]
    assert "2 of 3 reports match" in matching("grades", offers)
    assert "offers no report" in matching("", [])
