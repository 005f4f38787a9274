"""Places in the account tree and people to write to, in tables written by hand."""

import polars as pl
import pytest

from canvas_reports_nb.analysis import provisioning
from canvas_reports_nb.exceptions import ParameterError

ACCOUNTS = pl.DataFrame(
    {
        "canvas_account_id": [10, 11, 12, 20, 21],
        "canvas_parent_id": [1, 10, 11, 21, 20],
        "name": ["Health", "Nursing", "Night school", "This way", "That way"],
    }
)
COURSES = pl.DataFrame({"canvas_course_id": range(7), "canvas_account_id": [1, 10, 11, 12, 20, 99, None]})
USERS = pl.DataFrame(
    [
        (1, "1", "ng", "Ann Ng", "Ng, Ann", "Team@example.edu", "active"),
        (1, "1b", "ng2", "Ann Ng", "Ng, Ann", "old@example.edu", "deleted"),
        (2, "2", "abel", "Bo Abel", "Abel, Bo", "team@example.edu", "active"),
        (3, "3", "cruz", "Cy Cruz", "Cruz, Cy", " ", "active"),
    ],
    schema=["canvas_user_id", "user_id", "login_id", "full_name", "sortable_name", "email", "status"],
    orient="row",
)
ENROLLMENTS = pl.DataFrame(
    [
        (7, 70, 1, "teacher", "active"),
        (7, 71, 1, "teacher", "active"),
        (7, 71, 2, "teacher", "active"),
        (7, 71, 3, "teacher", "active"),
        (7, 71, 4, "ta", "active"),
        (7, 71, 5, "student", "active"),
        (8, 80, 3, "teacher", "active"),
        (9, 90, 2, "teacher", "concluded"),
    ],
    schema=["canvas_course_id", "canvas_section_id", "canvas_user_id", "role", "status"],
    orient="row",
)
PEOPLE = {"users": USERS, "enrollments": ENROLLMENTS}


def test_levels_come_from_below_the_root_and_repeat_the_last_name() -> None:
    found = provisioning.places({"accounts": ACCOUNTS, "courses": COURSES})
    assert found.columns == [
        *("canvas_course_id", "canvas_account_id", "account_path", "college", "department"),
    ]
    assert found.select("account_path", "college", "department").rows() == [
        (None, None, None),
        ("Health", "Health", "Health"),
        ("Health / Nursing", "Health", "Nursing"),
        ("Health / Nursing / Night school", "Health", "Nursing"),
        ("That way / This way", "This way", "This way"),
        (None, None, None),
        (None, None, None),
    ]
    deep = provisioning.places({"accounts": ACCOUNTS, "courses": COURSES}, levels=("a", "b", "c"))
    assert deep.row(3) == (3, 12, "Health / Nursing / Night school", "Health", "Nursing", "Night school")
    assert provisioning.places({"accounts": ACCOUNTS, "courses": COURSES}, levels="a").columns[-1] == "a"


def test_contacts_are_people_with_their_addresses_in_the_order_of_their_names() -> None:
    by_course = provisioning.contacts(PEOPLE)
    assert by_course.rows() == [
        (7, 3, "Bo Abel; Cy Cruz; Ann Ng", "team@example.edu", "Bo Abel", "team@example.edu"),
        (8, 1, "Cy Cruz", None, "Cy Cruz", None),
    ]
    by_section = provisioning.contacts(PEOPLE, per="section")
    assert by_section.select("canvas_section_id", "canvas_course_id", "contacts", "emails").rows() == [
        (70, 7, 1, "Team@example.edu"),
        (71, 7, 3, "team@example.edu"),
        (80, 8, 1, None),
    ]


def test_roles_are_base_roles_and_may_be_unknown_people() -> None:
    assistants = provisioning.contacts(PEOPLE, roles="ta")
    assert assistants.rows() == [(7, 1, None, None, None, None)]
    both = provisioning.contacts(PEOPLE, roles=("ta", "teacher"))
    named = ("Bo Abel; Cy Cruz; Ann Ng", "team@example.edu", "Bo Abel", "team@example.edu")
    assert both.rows()[0] == (7, 4, *named), "who has no name comes last"
    based = ENROLLMENTS.with_columns(role=pl.lit("Lab grader"), base_role_type=pl.lit("TaEnrollment"))
    found = provisioning.contacts({**PEOPLE, "enrollments": based}, roles=("ta",), states="concluded")
    assert found["names"].to_list() == ["Bo Abel"]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda of: provisioning.contacts(of, per="cuorse"), "Unknown per 'cuorse'(?s:.*)'course'"),
        (lambda of: provisioning.contacts(of, roles=["techer"]), "Unknown role 'techer'(?s:.*)'teacher'"),
        (lambda of: provisioning.places(of, levels=("a", "a")), "Can't name a level 'a'"),
        (lambda of: provisioning.places(of, levels=("account_path",)), "Can't name a level 'account_path'"),
    ],
)
def test_wrong_options_are_explained(ask: object, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        ask({**PEOPLE, "accounts": ACCOUNTS, "courses": COURSES})


@pytest.mark.parametrize("name", ["places", "contacts"])
def test_empty_tables_give_an_empty_table(name: str) -> None:
    tables = {"accounts": ACCOUNTS, "courses": COURSES, **PEOPLE}
    nothing = {name: frame.clear() for name, frame in tables.items()}
    full, empty = getattr(provisioning, name)(tables), getattr(provisioning, name)(nothing)
    assert empty.height == 0
    assert empty.schema == full.schema
