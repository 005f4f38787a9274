"""Terms are found by id, SIS id, exact name or keyword, never by a part of a name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from canvas_reports_nb.catalog.terms import find_term, is_id, terms_in_form
from canvas_reports_nb.exceptions import InvalidTermError

NOW = datetime(2026, 3, 2, tzinfo=UTC)
FALL = {"start_at": "2025-08-20T00:00:00Z", "end_at": "2025-12-20T00:00:00Z"}
SPRING = {"start_at": "2026-01-10T00:00:00-07:00", "end_at": None}
TERMS: list[dict[str, Any]] = [
    {"id": 1, "name": "Default Term", "sis_term_id": None, "workflow_state": "active"},
    {"id": 12, "name": "Fall 2025", "sis_term_id": "FA25", "workflow_state": "active", **FALL},
    {"id": "13", "name": "Fall 2025 (Medicine)", "sis_term_id": "FA25M", "workflow_state": "active"},
    {"id": 14, "name": "Spring", "sis_term_id": "SP26", "workflow_state": "active", **SPRING},
    {"id": 20, "name": "Summer", "sis_term_id": "SU24", "workflow_state": "active"},
    {"id": 21, "name": "summer ", "sis_term_id": None, "workflow_state": "active"},
    {"id": 30, "name": "Winter", "sis_term_id": "W1", "workflow_state": "deleted"},
    {"id": 31, "name": "Winter", "sis_term_id": "W2", "workflow_state": "active"},
]


@pytest.mark.parametrize("value", [12, "12", " 12 ", "12~34", "sis_integration_id:x", "hex:sis_term_id:4641"])
def test_an_id_needs_no_list_of_terms(value: object) -> None:
    assert is_id(value)
    assert str(find_term(value, [], NOW)) == str(value).strip()


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("Fall 2025", 12),
        (" fall 2025 ", 12),
        ("FA25", 12),
        ("sis_term_id:FA25", 12),
        ("Fall 2025 (Medicine)", 13),
        ("Winter", 31),
        ("sis_term_id:W1", 30),
        ("default", 1),
        ("current", 14),
    ],
)
def test_every_spelling_of_a_term_gives_its_id(spelling: str, expected: int) -> None:
    assert not is_id(spelling)
    assert find_term(spelling, TERMS, NOW) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [(datetime(2025, 8, 20, tzinfo=UTC), 12), (datetime(2025, 12, 20, tzinfo=UTC), 12), (NOW, 14)],
)
def test_the_current_term_depends_on_the_day(day: datetime, expected: int) -> None:
    assert find_term("current", TERMS, day) == expected


def test_no_current_term_or_two_of_them_are_an_error() -> None:
    with pytest.raises(InvalidTermError, match="No term is current"):
        find_term("current", TERMS, datetime(2025, 12, 31, tzinfo=UTC))
    both = [*TERMS, {"id": 15, "name": "Spring (Law)", "workflow_state": "active", **SPRING}]
    with pytest.raises(InvalidTermError, match=r"2 terms match 'current': 14 \(SIS id SP26\); 15"):
        find_term("current", both, NOW)


def test_two_terms_with_one_name_are_listed() -> None:
    with pytest.raises(InvalidTermError, match=r"20 \(SIS id SU24\); 21 \(SIS id none\)"):
        find_term("Summer", TERMS, NOW)


@pytest.mark.parametrize("spelling", ["Fall", "Fall 202", "FA2", "sis_term_id:FA26", "12,13", "term 12"])
def test_a_part_of_a_name_matches_no_term(spelling: str) -> None:
    with pytest.raises(InvalidTermError, match="No term matches") as caught:
        find_term(spelling, TERMS, NOW)
    assert "exact name" in caught.value.hint


def test_similar_names_are_suggested() -> None:
    with pytest.raises(InvalidTermError, match="Did you mean 'Fall 2025'"):
        find_term("Fall", TERMS, NOW)


def test_without_permission_to_see_sis_ids_canvas_finds_the_term() -> None:
    bare = [{name: value for name, value in term.items() if name != "sis_term_id"} for term in TERMS]
    assert find_term("sis_term_id:FA25", bare, NOW) == "sis_term_id:FA25"
    with pytest.raises(InvalidTermError):
        find_term("sis_term_id:FA26", TERMS, NOW)


def test_a_renamed_default_term_is_found_by_canvas() -> None:
    assert find_term("default", TERMS[1:], NOW) == "default"


FORM = """Term: <form><select name="parameters[course]"><option value="4">Bio</option></select>
<select name="parameters[enrollment_term_id]"><option value="">All Terms</option><optgroup label="open">
<option selected value="12">Fall &amp; Winter</option> and <option value=13>Spring</optgroup></select>
 of the terms<option value="9">stray</option></form>"""


def test_terms_in_the_form_of_a_report() -> None:
    terms = terms_in_form(FORM)
    assert terms == [{"id": 12, "name": "Fall & Winter"}, {"id": 13, "name": "Spring"}]
    assert terms_in_form(None) == []
    assert find_term("spring", terms, NOW) == 13
    assert find_term("sis_term_id:FA25", terms, NOW) == "sis_term_id:FA25"
    with pytest.raises(InvalidTermError, match=r"may not see the dates[\s\S]*exact name"):
        find_term("current", terms, NOW)
