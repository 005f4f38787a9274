"""Fields: what they send for what was typed."""

from datetime import date
from typing import Any

import pytest

from canvas_reports_nb.exceptions import InvalidChoiceError
from canvas_reports_nb.notebook.controls import Field


@pytest.mark.parametrize(("text", "value"), [("30", 30), (" 7 ", 7)])
def test_whole_numbers(text: str, value: int) -> None:
    field = Field("limiting_period", "integer")
    field._inputs[0].value = text
    assert field.values() == {"limiting_period": value}
    field._inputs[0].value = "-3 days"
    with pytest.raises(InvalidChoiceError, match="whole number"):
        field.values()


def test_a_long_choice_is_searched() -> None:
    field = Field("faculty", "choice", "Faculty", options=tuple((f"Faculty {n}", str(n)) for n in range(40)))
    field._inputs[0].value = "Faculty 17"
    assert field.values() == {"faculty": "17"}


TERMS = [("Current term: Spring", 7), ("All terms", ""), ("Autumn", 4)]


def test_a_term_is_chosen_from_the_list_once_it_is_there() -> None:
    term = Field("enrollment_term_id", "term")
    assert term.is_missing
    assert term._inputs[0].disabled
    term.set_terms(TERMS)
    assert (term.is_missing, term.values()) == (False, {"enrollment_term_id": 7})
    term._inputs[0].value = ""
    assert (term.is_missing, term.values()) == (False, {})
    term._inputs[0].value = 4
    term.set_terms(TERMS[:1] + TERMS[2:])
    assert term.values() == {"enrollment_term_id": 4}, "a refresh keeps the choice"


def test_without_a_list_a_term_is_typed() -> None:
    changes: list[object] = []
    term = Field("enrollment_term_id", "term")
    term.observe(changes.append)
    term.set_terms(None)
    term._inputs[0].value = "Autumn"
    assert (term.is_missing, term.values(), len(changes)) == (False, {"enrollment_term_id": "Autumn"}, 1)


@pytest.mark.parametrize(
    ("kind", "options", "asked"),
    [
        ("term", (), {"x": 4}),
        ("switch", (), {"x": True}),
        ("files", (("A", "a"), ("B", "b")), {"b": True}),
        ("choices", (("A", "a"), ("B", "b")), {"x": ["b"]}),
        ("choice", (("A", "a"), ("B", "b")), {"x": "b"}),
        ("date", (), {"x": date(2026, 2, 3)}),
        ("integer", (), {"x": 30}),
        ("text", (), {"x": "sis_course_id:7"}),
    ],
)
def test_the_settings_of_an_earlier_run_are_filled_in_and_removed(
    kind: Any, options: Any, asked: Any
) -> None:
    field = Field("x", kind, options=options)
    field.set_terms(TERMS)
    stored = {name: value if isinstance(value, list) else str(value) for name, value in asked.items()}
    for given in (asked, stored):
        field.set(given)
        assert field.values() == asked
        field.set({})
        assert field.values() == {}
