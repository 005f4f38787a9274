"""What an analysis takes: tables by name, of headers old and new, and what it says when one is missing."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.analysis import provisioning
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
    with pytest.raises(ParameterError, match=f"{name} takes a mapping of tables by name, not a DataFrame"):
        getattr(provisioning, name)(pd.DataFrame({"users": [1]}))


def test_a_missing_column_is_named_with_its_table() -> None:
    with pytest.raises(UnknownColumnError, match=r"people, in the table 'users',.*'canvas_user_id'"):
        provisioning.people({"users": USERS.drop("canvas_user_id")})
    with pytest.raises(UnknownColumnError, match=r"origins, in the table 'users',.*'created_by_sis'"):
        provisioning.origins({"users": USERS})


def test_tables_that_do_not_point_to_each_other() -> None:
    with pytest.raises(ParameterError, match="No table refers to another one: users"):
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


@pytest.fixture(scope="module")
def demo() -> dict[str, pl.DataFrame]:
    names = ("users", "accounts", "terms", "courses", "sections", "enrollments", "xlist")
    with crn.demo(duration=0) as canvas:
        return canvas.read_tables(
            "provisioning_csv",
            **dict.fromkeys(names, True),
            include_deleted=True,
            engine="polars",
            progress=False,
        )


@pytest.mark.parametrize("vacant", [provisioning.vacant_courses, provisioning.vacant_sections])
def test_a_state_alone_is_one_state(vacant: Callable[..., Any], demo: dict[str, pl.DataFrame]) -> None:
    assert vacant(demo, states="active").equals(vacant(demo, states=["active"]))


# Of each analysis that joins: a column of ids, and one of the tables it is in.
JOINED = {
    "roster": ("users", "canvas_user_id"),
    "cross_lists": ("xlist", "canvas_xlist_course_id"),
    "vacant_courses": ("courses", "canvas_course_id"),
    "vacant_sections": ("enrollments", "canvas_section_id"),
    "enrollment_counts": ("terms", "canvas_term_id"),
    "suspended_but_enrolled": ("enrollments", "canvas_user_id"),
    "account_tree": ("accounts", "canvas_parent_id"),
}


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("form", ["eager", "lazy"])
def test_ids_that_are_text_in_one_table_are_named(
    name: str, form: str, demo: dict[str, pl.DataFrame]
) -> None:
    table, column = JOINED[name]
    tables = {**demo, table: demo[table].with_columns(pl.col(column).cast(pl.String))}
    given = tables if form == "eager" else {each: frame.lazy() for each, frame in tables.items()}
    with pytest.raises(ParameterError, match=rf"^The ids .*'{column}' \(String\).* can't be matched"):
        getattr(provisioning, name)(given)


@pytest.mark.parametrize("kind", ["polars", "pandas", "arrow"])
@pytest.mark.parametrize("name", ["roster", "suspended_but_enrolled"])
def test_pseudonyms_in_one_table_only_are_refused(
    name: str, kind: str, demo: dict[str, pl.DataFrame]
) -> None:
    key = b"sixteen bytes and more"
    hidden = {
        table: crn.pseudonymize(demo[table], key, report="provisioning_csv", table=table)
        for table in ("users", "enrollments")
    }
    of_kind = {
        "polars": lambda frame: frame,
        "pandas": pl.DataFrame.to_pandas,
        "arrow": pl.DataFrame.to_arrow,
    }
    analysis = getattr(provisioning, name)

    def ask(tables: dict[str, pl.DataFrame]) -> Any:
        return analysis({each: of_kind[kind](frame) for each, frame in tables.items()})

    for table, frame in hidden.items():
        with pytest.raises(
            ParameterError, match="'canvas_user_id' are pseudonyms and 'canvas_user_id' are not"
        ):
            ask({**demo, table: frame})
    both = ask({**demo, **hidden})
    assert len(both) == len(ask(demo))


def test_a_tree_of_ids_that_are_text_everywhere(demo: dict[str, pl.DataFrame]) -> None:
    ids = ("canvas_account_id", "canvas_parent_id", "canvas_course_id")
    texts = {
        name: demo[name].with_columns(
            pl.col(each).cast(pl.String) for each in ids if each in demo[name].columns
        )
        for name in ("accounts", "courses", "enrollments")
    }
    found, wanted = provisioning.account_tree(texts), provisioning.account_tree(demo)
    assert found.cast({"canvas_account_id": pl.Int64, "canvas_parent_id": pl.Int64}).equals(wanted)


@pytest.mark.parametrize("name", ["made_by_hand", "sis_id_clashes"])
def test_records_without_a_status_are_refused(name: str, demo: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(UnknownColumnError, match=rf"{name}, in the table 'users', needs the column 'status'"):
        getattr(provisioning, name)({"users": demo["users"].drop("status")})


@pytest.mark.parametrize("name", ["made_by_hand", "origins"])
def test_a_mark_that_stayed_text_is_refused(name: str, demo: dict[str, pl.DataFrame]) -> None:
    users = demo["users"].with_columns(created_by_sis=pl.lit("maybe"))
    with pytest.raises(
        ParameterError, match=f"{name}, .* needs true or false in 'created_by_sis', which is String"
    ):
        getattr(provisioning, name)({"users": users})


def test_sis_ids_that_are_numbers_are_compared_as_text() -> None:
    users = pl.DataFrame({"user_id": [481, 481, 7], "status": ["active"] * 3})
    accounts = pl.DataFrame({"account_id": ["ab", "AB"], "status": ["active"] * 2})
    clashes = provisioning.sis_id_clashes({"users": users, "accounts": accounts})
    assert clashes["sis_id"].to_list() == ["AB", "ab"]


def test_logins_without_an_id_are_nobody_s() -> None:
    logins = {"user_id": ["1", None, None], "login_id": ["c", "b", "a"], "status": ["active"] * 3}
    users = pd.DataFrame({"canvas_user_id": pd.array([None] * 3, "Int64"), **logins})
    people = provisioning.people({"users": users})
    assert people["login_id"].tolist() == ["c", "a", "b"]
    assert people["logins"].tolist() == [1, 1, 1]
