"""Records by hand, SIS ids and references, in unusual tables."""

import polars as pl
import pytest

from canvas_reports_nb.analysis import provisioning
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

LOGIN = {"canvas_user_id": [1, 1, 2], "user_id": ["0481", None, None], "login_id": ["0481", "ng", "zoe"]}

USERS = pl.DataFrame(
    {**LOGIN, "full_name": ["Ng", "Ng", "Zoë"], "status": ["suspended", "deleted", "active"]}
)


def test_tables_without_references() -> None:
    with pytest.raises(ParameterError, match="No table refers to another one: users"):
        provisioning.references({"users": USERS})


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


@pytest.mark.parametrize("name", ["made_by_hand", "sis_id_clashes"])
def test_records_without_a_status_are_rejected(name: str, small_demo: dict[str, pl.DataFrame]) -> None:
    with pytest.raises(UnknownColumnError, match=rf"{name}, in the table 'users', needs the column 'status'"):
        getattr(provisioning, name)({"users": small_demo["users"].drop("status")})


@pytest.mark.parametrize("name", ["made_by_hand", "origins"])
def test_a_flag_loaded_as_text_is_rejected(name: str, small_demo: dict[str, pl.DataFrame]) -> None:
    users = small_demo["users"].with_columns(created_by_sis=pl.lit("maybe"))
    with pytest.raises(
        ParameterError, match=f"{name}, .* needs true or false in 'created_by_sis', which is String"
    ):
        getattr(provisioning, name)({"users": users})


def test_sis_ids_that_are_numbers_are_compared_as_text() -> None:
    users = pl.DataFrame({"user_id": [481, 481, 7], "status": ["active"] * 3})
    accounts = pl.DataFrame({"account_id": ["ab", "AB"], "status": ["active"] * 2})
    clashes = provisioning.sis_id_clashes({"users": users, "accounts": accounts})
    assert clashes["sis_id"].to_list() == ["AB", "ab"]
