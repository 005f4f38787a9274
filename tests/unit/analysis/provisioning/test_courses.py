"""The people in courses and the account tree, in unusual tables."""

import polars as pl

from canvas_reports_nb.analysis import activity, provisioning


def test_enrollments_of_an_older_canvas() -> None:
    """Older files have no enrollment id and no base role, so the older key and the role are used."""
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
    counted = provisioning.census(tables, ("term", "role", "status"), states=None)
    assert counted.select("role", "status", "headcount", "section_seats").rows() == [
        ("student", "invited", 1, 1),
        ("teacher", "active", 1, 1),
    ]
    found = activity.clean_up(tables)
    assert found.select("course id", "no students", "no teachers").rows() == [
        (1, True, False),
        (2, False, True),
    ]


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


def test_a_tree_of_ids_that_are_text_everywhere(small_demo: dict[str, pl.DataFrame]) -> None:
    ids = ("canvas_account_id", "canvas_parent_id", "canvas_course_id")
    texts = {
        name: small_demo[name].with_columns(
            pl.col(each).cast(pl.String) for each in ids if each in small_demo[name].columns
        )
        for name in ("accounts", "courses", "enrollments")
    }
    found, wanted = provisioning.account_tree(texts), provisioning.account_tree(small_demo)
    assert found.cast({"canvas_account_id": pl.Int64, "canvas_parent_id": pl.Int64}).equals(wanted)
