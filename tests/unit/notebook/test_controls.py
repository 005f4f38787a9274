"""Fields: what they send for what was typed."""

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


def test_a_long_choice_is_searched_and_terms_may_come_later() -> None:
    field = Field("faculty", "choice", "Faculty", options=tuple((f"Faculty {n}", str(n)) for n in range(40)))
    field._inputs[0].value = "Faculty 17"
    assert field.values() == {"faculty": "17"}
    term = Field("enrollment_term_id", "term")
    term._inputs[0].value = "Autumn"
    assert term.values() == {"enrollment_term_id": "Autumn"}
    term.set_terms({"Autumn": 4})
    assert term.values() == {"enrollment_term_id": 4}
