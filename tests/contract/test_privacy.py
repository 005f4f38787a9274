"""After `pseudonymize` no report contains a person of the demo's university."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.catalog.schemas import reports, schema

KEY = b"a key of the test, 32 bytes long"


@pytest.fixture
def tables(canvas: Callable[..., crn.Connection]) -> dict[tuple[str, str], pd.DataFrame]:
    """Every table of every report of one demo."""
    connection = canvas(enrollments=3_000)
    found = {}
    for report in reports():
        switches = {p.name: True for p in schema(report).parameters.values() if p.selects_table}
        with warnings.catch_warnings(action="ignore", category=crn.ReportWarning):
            read = connection.read_tables(report, parameters=switches, progress=False)
        found |= {(report, name): frame for name, frame in read.items()}
    return found


def hidden(frame: Any, **keywords: Any) -> Any:
    with warnings.catch_warnings(action="ignore", category=crn.ReportWarning):
        return crn.pseudonymize(frame, KEY, **keywords)


def texts(frame: pd.DataFrame) -> set[str]:
    """Return all text in a frame: cells, unused categories and provenance."""
    cells = {str(value) for name in frame for value in frame[name].dropna().unique()}
    categories = {
        str(value) for name in frame.select_dtypes("category") for value in frame[name].cat.categories
    }
    return cells | categories | {repr(frame.attrs)}


def test_no_person_is_left(tables: dict[tuple[str, str], pd.DataFrame]) -> None:
    users = tables["provisioning_csv", "users"]
    whole = ["login_id", "email", "user_id", "integration_id", "full_name", "sortable_name", "canvas_user_id"]
    people = {str(value) for name in whole for value in users[name].dropna().unique()}
    addresses = {
        str(value)
        for name in ("login_id", "email", "full_name", "sortable_name")
        for value in users[name].dropna().unique()
        if len(value) > 5
    }
    assert len(people) > 1_000
    # A login of digits only must not be found inside a longer number, such as a pseudonym.
    inside = re.compile(rf"(?<!\d)(?:{'|'.join(map(re.escape, sorted(addresses)))})(?!\d)")
    met = 0
    for (report, name), frame in tables.items():
        known = schema(report).table(name)
        personal = {column for column in frame if (found := known.column(column)) and found.personal}
        made = hidden(frame)
        crn.check_pseudonymized(made)
        met += bool(texts(frame) & people)
        left = texts(made[[column for column in made if column in personal]]) & people
        assert not left, (report, name)
        assert not [text for text in texts(made) if inside.search(text)], (report, name)
        assert len(made) == len(frame)
        if personal & set(made.columns) and len(frame):
            with pytest.raises(crn.exceptions.PersonalDataError):
                crn.check_pseudonymized(frame)
        polars = hidden(pl.from_pandas(frame), report=report, table=name)
        assert polars.columns == list(made.columns)
        for column in set(personal) & set(made.columns):
            assert (
                polars[column].cast(pl.String).to_list()
                == pl.from_pandas(made)[column].cast(pl.String).to_list()
            )
    assert met > 10


JOINS = [
    (("provisioning_csv", "users"), "canvas_user_id", ("provisioning_csv", "enrollments"), "canvas_user_id"),
    (("provisioning_csv", "users"), "canvas_user_id", ("grade_export_csv", "grade_export_csv"), "student id"),
    (("provisioning_csv", "users"), "user_id", ("grade_export_csv", "grade_export_csv"), "student sis"),
    (("provisioning_csv", "users"), "canvas_user_id", ("zero_activity_csv", "zero_activity_csv"), "user id"),
    (("provisioning_csv", "users"), "login_id", ("sis_export_csv", "users"), "login_id"),
    (("provisioning_csv", "users"), "user_id", ("sis_export_csv", "enrollments"), "user_id"),
    (("provisioning_csv", "user_observers"), "canvas_student_id", ("grade_export_csv", "grade_export_csv"), "student id"),
    (("provisioning_csv", "users"), "canvas_user_id", ("eportfolio_report_csv", "eportfolio_report_csv"), "author_id"),
    (("provisioning_csv", "users"), "sortable_name", ("last_user_access_csv", "last_user_access_csv"), "user name"),
]  # fmt: skip


def test_joins_match_as_many_rows_as_before(tables: dict[tuple[str, str], pd.DataFrame]) -> None:
    made = {place: hidden(frame) for place, frame in tables.items()}
    for left, left_on, right, right_on in JOINS:
        before, after = (
            held[left][[left_on]]
            .dropna()
            .merge(held[right][[right_on]].dropna(), left_on=left_on, right_on=right_on)
            for held in (tables, made)
        )
        assert len(before) > 0, (left, right)
        assert len(before) == len(after), (left, right)
        assert tables[left][left_on].nunique() == made[left][left_on].nunique()
