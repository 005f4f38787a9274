"""What an analysis takes: tables by name, of headers old and new, and what it says when one is missing."""

import pandas as pd
import polars as pl
import pytest

from canvas_reports_nb import provisioning
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

LOGIN = {"canvas_user_id": [1, 1, 2], "user_id": ["0481", None, None], "login_id": ["0481", "ng", "zoe"]}
USERS = pl.DataFrame(
    {**LOGIN, "full_name": ["Ng", "Ng", "Zoë"], "status": ["suspended", "deleted", "active"]}
)


@pytest.mark.parametrize(
    "name", sorted(set(provisioning.__all__) - {"made_by_hand", "origins", "references", "sis_id_clashes"})
)
def test_a_missing_table_is_named_with_its_switch(name: str) -> None:
    with pytest.raises(ParameterError, match=rf"^{name} needs the table ") as caught:
        getattr(provisioning, name)({"groups": USERS})
    for table in str(caught.value).split("'")[1::2]:
        assert f"{table}=True" in caught.value.hint
    assert "read_tables" in caught.value.hint


@pytest.mark.parametrize("name", ["made_by_hand", "origins", "references", "sis_id_clashes"])
def test_no_known_table(name: str) -> None:
    with pytest.raises(ParameterError, match="at least one of the tables users,"):
        getattr(provisioning, name)({"grades": USERS})


@pytest.mark.parametrize("name", provisioning.__all__)
def test_a_frame_alone_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=f"{name} takes the tables of a run by name, not a DataFrame"):
        getattr(provisioning, name)(pd.DataFrame({"users": [1]}))


def test_a_missing_column_is_named_with_its_table() -> None:
    with pytest.raises(UnknownColumnError, match=r"people, of the table 'users',.*'canvas_user_id'"):
        provisioning.people({"users": USERS.drop("canvas_user_id")})
    with pytest.raises(UnknownColumnError, match=r"origins, of the table 'users',.*'created_by_sis'"):
        provisioning.origins({"users": USERS})


def test_tables_that_do_not_point_to_each_other() -> None:
    with pytest.raises(ParameterError, match="none points to another: users"):
        provisioning.references({"users": USERS})


def test_users_of_an_older_canvas() -> None:
    """No provider and no names but one: the columns that are there do."""
    people = provisioning.people({"users": USERS})
    assert people.columns == [*USERS.columns, "logins", "active_logins", "suspended_logins", "sis_ids"]
    assert people.rows() == [
        (1, "0481", "0481", "Ng", "suspended", 2, 0, 1, 1),
        (2, None, "zoe", "Zoë", "active", 1, 1, 0, 0),
    ]


def test_enrollments_of_an_older_canvas() -> None:
    """Without an id of their own and a base role, the older key and the role itself count."""
    enrollments = pl.DataFrame(
        {
            "canvas_course_id": [1, 1, 2],
            "canvas_user_id": [1, 1, 2],
            "role": ["teacher", "teacher", "student"],
            "canvas_section_id": [1, 1, 2],
            "status": ["active", "active", "invited"],
            "canvas_associated_user_id": [None, None, None],
        }
    )
    courses = pl.DataFrame(
        {
            "canvas_course_id": [1, 2],
            "course_id": ["A", None],
            "long_name": ["A", "B"],
            "canvas_account_id": [1, 1],
            "canvas_term_id": [1, 1],
            "status": ["active", "active"],
        }
    )
    terms = pl.DataFrame({"canvas_term_id": [1], "term_id": ["FA25"], "name": ["Fall"]})
    tables = {"enrollments": enrollments, "courses": courses, "terms": terms}
    assert provisioning.enrollment_counts(tables)["enrollments"].to_list() == [1, 1]
    vacant = provisioning.vacant_courses(tables)
    assert vacant.select("canvas_course_id", "empty", "teacherless").rows() == [
        (1, True, False),
        (2, False, True),
    ]
    assert provisioning.vacant_courses(tables, states=["active"])["empty"].to_list() == [True, True]


def test_a_sis_export_is_checked_by_its_sis_ids() -> None:
    users = pl.DataFrame({"user_id": ["0481", "481", "zoe"], "status": ["active"] * 3})
    enrollments = pl.DataFrame({"user_id": ["0481", "Zoe", None], "course_id": ["A", "A", "A"]})
    found = provisioning.references({"users": users, "enrollments": enrollments})
    assert found.rows() == [("enrollments", "user_id", "users", "user_id", 3, 1, 1, 1, "Zoe")]
    clashes = provisioning.sis_id_clashes({"users": users})
    assert clashes.select("sis_id", "canvas_id", "differ_in").rows() == [
        ("0481", None, "leading zeros"),
        ("481", None, "leading zeros"),
    ]


def test_pseudonyms_in_place_of_ids() -> None:
    users = USERS.with_columns(pl.col("canvas_user_id").cast(pl.String), created_by_sis=pl.lit(value=False))
    terms = pl.DataFrame(
        {"canvas_term_id": [1], "term_id": [None], "status": ["active"], "created_by_sis": [False]}
    )
    made = provisioning.made_by_hand({"users": users, "terms": terms})
    assert made["canvas_id"].to_list() == ["1", "1", "2", "1"]


def test_a_circle_of_accounts_is_cut() -> None:
    accounts = pl.DataFrame(
        {
            "canvas_account_id": [2, 3],
            "account_id": [None, None],
            "canvas_parent_id": [3, 2],
            "name": ["A", "B"],
            "status": ["active", "active"],
        },
        schema_overrides={"account_id": pl.String},
    )
    courses = pl.DataFrame({"canvas_course_id": [1], "canvas_account_id": [2]})
    enrollments = pl.DataFrame({"canvas_course_id": [1, 9], "canvas_user_id": [1, 1]})
    tree = provisioning.account_tree({"accounts": accounts, "courses": courses, "enrollments": enrollments})
    assert tree.select("path", "depth", "courses", "enrollments").rows() == [
        ("A / B", 1, 1, 1),
        ("B / A", 1, 1, 1),
    ]
