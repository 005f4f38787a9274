"""People who may be in Canvas twice, in a table written by hand."""

import polars as pl

from canvas_reports_nb.analysis import provisioning

COLUMNS = ["canvas_user_id", "user_id", "login_id", "full_name", "email", "status"]
USERS = pl.DataFrame(
    [
        (1, "0481", "ng", "Ann Ng", "Ann@example.edu", "active"),
        (1, "0482", "ng2", "Ann Ng", "ann@example.edu", "active"),
        (2, "2", "abel", "Ann Ng", " ann@EXAMPLE.edu", "suspended"),
        (3, "ABEL", "cruz", "Cy Cruz", None, "active"),
        (4, "cy@example.edu", "cc", "Cy Cruz", "", "active"),
        (5, None, "dd", "Di Dorn", "cy@example.edu", "active"),
        (6, None, "ee", "Ed Early", "ann@example.edu", "deleted"),
        (7, "0481", "ff", "Flo Fox", "flo@example.edu", "active"),
        (None, "2", "gg", "Gus Gray", "ann@example.edu", "active"),
    ],
    schema=COLUMNS,
    orient="row",
)


def test_pairs() -> None:
    found = provisioning.duplicate_people({"users": USERS})
    assert found.select("canvas_user_id", "other_canvas_user_id", "why").rows() == [
        (1, 2, "same e-mail"),
        (2, 3, "SIS id is the other's login"),
        (4, 5, "SIS id is the other's e-mail"),
    ]
    first = found.row(0, named=True)
    assert (first["name"], first["user_id"], first["other_user_id"], first["email"]) == (
        *("Ann Ng", "0481", "2", "Ann@example.edu"),
    )


def test_both_reasons_are_one_row_and_nothing_is_no_error() -> None:
    both = pl.DataFrame([(1, "b@x.edu", "a", "A", "b@x.edu", "active"), (2, "2", "b", "B", "B@x.edu", "active")],
                        schema=COLUMNS, orient="row")  # fmt: skip
    (row,) = provisioning.duplicate_people({"users": both}).rows(named=True)
    assert row["why"] == "same e-mail; SIS id is the other's e-mail"
    assert provisioning.duplicate_people({"users": USERS.clear()}).is_empty()
    kept = provisioning.duplicate_people({"users": USERS.to_pandas()})
    assert list(kept["other_canvas_user_id"]) == [2, 3, 5]
