"""A term by id, SIS id or exact name; never by a part of a name."""

import pytest

from canvas_reports_nb.catalog.parameters import is_name, term_id
from canvas_reports_nb.exceptions import InvalidTermError

TERMS = [
    {"id": 1, "name": "Default Term", "sis_term_id": None, "workflow_state": "active"},
    {"id": 12, "name": "Fall 2025", "sis_term_id": "FA25", "workflow_state": "active"},
    {"id": "13", "name": "Fall 2025 (Medicine)", "sis_term_id": "FA25M", "workflow_state": "active"},
    {"id": 20, "name": "Summer", "sis_term_id": "SU24", "workflow_state": "active"},
    {"id": 21, "name": "summer ", "sis_term_id": None, "workflow_state": "active"},
    {"id": 30, "name": "Winter", "sis_term_id": "W1", "workflow_state": "deleted"},
    {"id": 31, "name": "Winter", "sis_term_id": "W2", "workflow_state": "active"},
]


@pytest.mark.parametrize(
    "value",
    [
        12,
        "12",
        "12~34",
        "sis_term_id:Fall 2025",
        "sis_integration_id:x",
        "default",
        "current",
        "12,13",
        "",
        None,
    ],
)
def test_what_canvas_knows_by_itself_is_no_name(value: object) -> None:
    assert not is_name(value)


@pytest.mark.parametrize("value", ["Fall 2025", "fall", "12, Fall 2025", "term 12"])
def test_anything_else_is_a_name(value: str) -> None:
    assert is_name(value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Fall 2025", 12), (" fall 2025 ", 12), ("Fall 2025 (Medicine)", 13), ("Winter", 31)],
)
def test_the_exact_name(name: str, expected: int) -> None:
    assert term_id(name, TERMS) == expected


def test_two_of_one_name_are_listed() -> None:
    with pytest.raises(InvalidTermError, match=r"20 \(SIS id SU24\); 21 \(SIS id none\)"):
        term_id("Summer", TERMS)


def test_a_part_of_a_name_is_none() -> None:
    with pytest.raises(InvalidTermError, match="Did you mean 'Fall 2025'"):
        term_id("Fall", TERMS)
