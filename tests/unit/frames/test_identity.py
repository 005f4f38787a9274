"""Which table a CSV holds, where its header alone does not decide."""

import io
import zipfile
from typing import Any

import pytest

from canvas_reports_nb.exceptions import NoGradingPeriodsError, TableRequiredError, UnknownTableError
from canvas_reports_nb.frames.contents import csv_members
from canvas_reports_nb.frames.identity import Identity, choose_table, identify

PROVISIONING, OWN = "provisioning_csv", b"x,y\n1,2\n"


def found(data: bytes, report: str | None, name: str = "own.csv", **known: Any) -> Identity:
    (member,) = csv_members(data, name)
    return identify(member, report, **known)


def packed(name: str, data: bytes) -> bytes:
    with zipfile.ZipFile(made := io.BytesIO(), "w") as archive:
        archive.writestr(name, data)
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "known", "table"),
    [
        (b"canvas_user_id,user_id,login_id\n", {"table": "sections"}, "sections"),
        (b"canvas_term_id,term_id,start_date,end_date\n", {"parameters": {"users": True}}, "terms"),
        (OWN, {"parameters": {"users": True, "sections": False}}, "users"),
        (b"section_id,y\n", {"parameters": {"users": True, "sections": True}}, "sections"),
        (b"section_id,y\n", {}, "sections"),
        (OWN, {"table": "none of them", "parameters": {"xlist": True}}, "xlist"),
    ],
)
def test_a_single_csv_of_a_report_with_several_tables(data: bytes, known: dict[str, Any], table: str) -> None:
    identity = found(data, PROVISIONING, **known)
    assert (identity.report, identity.table) == (PROVISIONING, table)
    assert identity.schema is not None
    assert identity.schema.name == table


def test_a_report_that_is_not_in_the_catalog_has_no_schema() -> None:
    assert found(OWN, "own_csv") == Identity("own_csv", "own_csv", None)
    assert found(OWN, "own_csv", table="part") == Identity("own_csv", "part", None)
    assert found(packed("a.csv", OWN), "own_csv", table="part") == Identity("own_csv", "a", None)
    assert found(packed("a.csv", OWN), PROVISIONING) == Identity(PROVISIONING, "a", None)
    assert found(OWN, None, "mine.csv", label="mine.csv") == Identity(None, "mine", None)
    assert found(OWN, None, label="own_csv_02_Mar_2026_81234.csv").table == "own_csv"


def test_a_term_without_grading_periods_is_no_table() -> None:
    message = b"no grading periods configured for this term\n"
    report = "mgp_grade_export_csv"
    with pytest.raises(NoGradingPeriodsError, match="Fall has no grades by grading period"):
        found(packed("Fall.csv", message), report)
    assert found(packed("Fall.csv", message + b"a row\n"), report).table == "Fall"
    assert found(packed("Fall.csv", b"student name,x\n"), report).table == "Fall"
    assert found(b"No outcomes found\n", "outcome_results_csv").table == "outcome_results_csv"


def test_the_table_of_a_run_must_be_named_if_there_are_several() -> None:
    assert choose_table(["a"], None, "r") == choose_table(["a", "b"], "a", "r") == "a"
    with pytest.raises(TableRequiredError, match=r"This run holds 2 tables: a, b\.") as required:
        choose_table(["a", "b"], None, "r", 7)
    with pytest.raises(UnknownTableError, match=r"No table 'c'; there are: a, b\.") as unknown:
        choose_table(["a", "b"], "c", "r", 7)
    for error in (required.value, unknown.value):
        assert (list(error.tables), error.report, error.run_id) == (["a", "b"], "r", 7)
    with pytest.raises(UnknownTableError):
        choose_table(["a"], "c", "r")
