"""People and their enrollments in older and incomplete files."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from canvas_reports_nb.analysis import provisioning
from canvas_reports_nb.frames.engines import to_pandas

LOGIN = {"canvas_user_id": [1, 1, 2], "user_id": ["0481", None, None], "login_id": ["0481", "ng", "zoe"]}

USERS = pl.DataFrame(
    {**LOGIN, "full_name": ["Ng", "Ng", "Zoë"], "status": ["suspended", "deleted", "active"]}
)


def test_users_of_an_older_canvas() -> None:
    """Older files have no provider column and only one name column."""
    people = provisioning.people({"users": USERS})
    assert people.columns == [*USERS.columns, "logins", "active_logins", "suspended_logins", "sis_ids"]
    assert people.rows() == [
        (1, "0481", "0481", "Ng", "suspended", 2, 0, 1, 1),
        (2, None, "zoe", "Zoë", "active", 1, 1, 0, 0),
    ]


def test_logins_without_an_id_stay_separate() -> None:
    logins = {"user_id": ["1", None, None], "login_id": ["c", "b", "a"], "status": ["active"] * 3}
    users = pd.DataFrame({"canvas_user_id": pd.array([None] * 3, "Int64"), **logins})
    people = provisioning.people({"users": users})
    assert people["login_id"].tolist() == ["c", "a", "b"]
    assert people["logins"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("analysis", "first"), [(provisioning.roster, "enrollments"), (provisioning.people, "users")]
)
def test_the_result_has_the_provenance_of_its_first_table(analysis, first) -> None:
    ids = {
        "enrollments": ["canvas_user_id", "canvas_section_id", "canvas_course_id"],
        **{name: [f"canvas_{name.removesuffix('s')}_id"] for name in ("sections", "courses", "terms")},
    }
    ids["courses"] += ["canvas_term_id"]
    tables = {name: to_pandas(pa.table({column: [1] for column in ids[name]})) for name in ids}
    tables["users"] = to_pandas(USERS[2:].to_arrow())
    for name, frame in tables.items():
        frame.attrs = {"canvas_report": {"run_id": 7, "table": name}}
    made = analysis(tables).attrs["canvas_report"]
    assert made == tables[first].attrs["canvas_report"]
    assert made is not tables[first].attrs["canvas_report"]
