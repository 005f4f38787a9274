"""A wrong call is a clear error; nothing is started and nothing is lost."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions as ex


@pytest.mark.parametrize(
    ("report", "keywords", "error", "says"),
    [
        (
            "grade_exprot_csv",
            {},
            ex.UnknownReportError,
            ["Did you mean 'grade_export_csv'", "zero_activity_csv"],
        ),
        ("grade_export_csv", {"course_id": 5}, ex.UnknownParameterError, ["course_id", "enrollment_term_id"]),
        (
            "grade_export_csv",
            {"enrolment_term_id": 5},
            ex.UnknownParameterError,
            ["Did you mean 'enrollment_term_id'"],
        ),
        (
            "outcome_results_csv",
            {"order": "student"},
            ex.InvalidChoiceError,
            ["users", "courses", "outcomes"],
        ),
        ("provisioning_csv", {"users": "maybe", "table": "users"}, ex.InvalidChoiceError, ["True or False"]),
        (
            "provisioning_csv",
            {"enrollments": True, "enrollment_filter": ["StudentEnrolment"]},
            ex.InvalidChoiceError,
            ["Did you mean 'StudentEnrollment'"],
        ),
        (
            "provisioning_csv",
            {"users": True, "xlist": True},
            ex.TableRequiredError,
            ["users, xlist", "table='users'"],
        ),
        ("provisioning_csv", {"users": True, "table": "user"}, ex.UnknownTableError, ["there are: users"]),
        ("provisioning_csv", {}, ex.ParameterError, ["users", "group_membership"]),
        ("provisioning_csv", {"users": False}, ex.ParameterError, ["at least one file"]),
        (
            "grade_export_csv",
            {"parameters": {"include_deleted": 1}, "include_deleted": 1},
            ex.ParameterError,
            ["once"],
        ),
        (
            "grade_export_csv",
            {"engine": "pnadas"},
            ex.ParameterError,
            ["'pnadas'", "Did you mean 'pandas'", '"polars", "arrow"'],
        ),
        ("grade_export_csv", {"max_age": "1 day"}, ex.ParameterError, ["'1 day'", "seconds", "timedelta"]),
        ("grade_export_csv", {"max_age": None}, ex.ParameterError, ["Can't read None as an age"]),
        ("grade_export_csv", {"timeout": "1h"}, ex.ParameterError, ["number of seconds, not '1h'"]),
        ("grade_export_csv", {"on_interrupt": "stop"}, ex.ParameterError, ['"detach" or "abort"']),
        ("grade_export_csv", {"progress": "loud"}, ex.ConfigurationError, ["tqdm"]),
        ("grade_export_csv", {"parameters": ["include_deleted"]}, ex.ParameterError, ["must be a mapping"]),
        ("grade_export_csv", {"run_id": "newest"}, ex.ParameterError, ["run_id='newest'", "history"]),
        ("grade_export_csv", {"run_id": "..", "offline": True}, ex.ParameterError, ["run_id='..'"]),
        (None, {}, ex.ParameterError, ["use None as a report"]),
        (3, {"offline": True}, ex.ParameterError, ["use 3 as a report"]),
    ],
)
def test_nothing_is_started(canvas: Any, report: Any, keywords: dict, error: type, says: list[str]) -> None:
    connection = canvas()
    with pytest.raises(error) as caught:
        connection.read_report(report, **{"progress": False, **keywords})
    for text in says:
        assert text in str(caught.value)
    assert connection.starts() == 0
    assert connection.store.info().empty


def test_an_empty_history_differs_from_a_misspelled_report(canvas: Any) -> None:
    connection = canvas()
    assert connection.history("grade_export_csv").empty
    with pytest.raises(ex.UnknownReportError, match="Did you mean 'grade_export_csv'"):
        connection.history("grade_exprot_csv")


def test_reports_and_runs_of_the_wrong_type(canvas: Any) -> None:
    connection = canvas()
    for call in (connection.history, connection.start, connection.api.show, connection.attach):
        with pytest.raises(ex.ParameterError, match="as a report"):
            call(3) if call in (connection.history, connection.start) else call(3, 4)
    with pytest.raises(ex.ParameterError, match="run_id='x'"):
        connection.attach("grade_export_csv", "x")


def test_a_result_after_its_run_was_cleared(canvas: Any) -> None:
    connection = canvas()
    result = connection.obtain("zero_activity_csv", progress=False)
    connection.store.clear()
    for read in (result.to_pandas, result.to_polars, result.scan, result.parquet, lambda: result.path):
        with pytest.raises(ex.NotStoredError, match="no longer in the store") as caught:
            read()
        assert caught.value.run_id == result.provenance["run_id"]
    again = connection.obtain("zero_activity_csv", progress=False)
    assert (len(again.to_pandas()) > 0, len(result.to_pandas()) > 0, connection.starts()) == (True, True, 1)


@pytest.mark.parametrize("term", ["999999", "sis_term_id:NOPE", "Autumn of love"])
def test_an_unknown_term(canvas: Any, term: str) -> None:
    connection = canvas()
    with pytest.raises(ex.InvalidTermError, match="grade_export_csv") as caught:
        connection.read_report("grade_export_csv", enrollment_term_id=term, progress=False)
    assert term in str(caught.value)
    assert connection.history("grade_export_csv").empty


@pytest.mark.parametrize(
    "keywords", [{"engine": "pnadas"}, {"max_age": ""}, {"timeout": "1h"}, {"on_interrupt": ""}]
)
def test_a_wrong_keyword_starts_none_of_many_runs(canvas: Any, keywords: dict) -> None:
    connection = canvas()
    for read in (connection.read_reports, connection.scan_reports):
        with pytest.raises(ex.ParameterError):
            read([{"report": "zero_activity_csv"}], progress=False, **keywords)
    assert connection.starts() == 0


@pytest.mark.parametrize("keywords", [{"timeout": "1h"}, {"on_interrupt": "stop"}])
def test_wrong_keywords_of_a_wait(canvas: Any, keywords: dict) -> None:
    job = canvas(duration=600).start("zero_activity_csv")
    for call in (job.wait, job.result):
        with pytest.raises(ex.ParameterError):
            call(progress=False, **keywords)
    assert job.status == "created"


@pytest.mark.parametrize(
    ("keywords", "error", "starts"),
    [
        ({"table": "courses"}, ex.UnknownTableError, 0),
        ({"table": ["users", "courses"]}, ex.UnknownTableError, 0),
        ({"engine": "pnadas"}, ex.ParameterError, 0),
        ({"columns": {"courses": ["course_id"]}}, ex.UnknownTableError, 1),
        ({"columns": ["role"]}, ex.UnknownColumnError, 1),
    ],
)
def test_unknown_tables_and_columns(canvas: Any, keywords: dict, error: type, starts: int) -> None:
    connection = canvas()
    with pytest.raises(error, match=r"courses|users|pandas|It has"):
        connection.read_tables("provisioning_csv", users=True, enrollments=True, progress=False, **keywords)
    assert connection.starts() == starts


def test_an_unknown_column_gets_a_suggestion(canvas: Any) -> None:
    connection = canvas()
    with pytest.raises(ex.UnknownColumnError, match="Did you mean 'user id'"):
        connection.read_report("zero_activity_csv", columns=["userid"], progress=False)
    assert len(connection.read_report("zero_activity_csv", progress=False)) > 0
    assert connection.starts() == 1, "the run is kept and used by the second call"


def test_a_failed_report_gives_the_reason(canvas: Any) -> None:
    connection = canvas(scenarios=["fails"])
    with pytest.raises(ex.RunFailedError, match=r"run \d+"):
        connection.read_report("grade_export_csv", progress=False)
    assert connection.store.info().empty


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        ("no_permission", ex.NotPermittedError),
        ("expired_token", ex.AuthenticationError),
        ("login_page", ex.AuthenticationError),
    ],
)
def test_errors_only_a_person_can_solve_are_not_retried(canvas: Any, scenario: str, error: type) -> None:
    connection = canvas(scenarios=[scenario])
    with pytest.raises(error) as caught:
        connection.read_report("grade_export_csv", progress=False)
    assert caught.value.hint
    assert connection.server.token not in repr(caught.value) + str(caught.value)
    assert connection.store.info().empty
    assert connection.starts() <= 1


@pytest.mark.parametrize(
    "scenario",
    [
        "server_error",
        "bad_gateway",
        "throttle_403",
        "throttle_429",
        "truncated",
        "expired_link",
        "unknown_state",
        "string_ids",
    ],
)
def test_temporary_errors_are_retried(canvas: Any, scenario: str) -> None:
    plain, troubled = canvas(duration=600), canvas(duration=600, scenarios=[scenario])
    wanted = plain.read_report("grade_export_csv", progress=False)
    frame = troubled.read_report("grade_export_csv", progress=False)
    assert frame.equals(wanted)
    assert len(troubled.history("grade_export_csv")) == 1, (
        "however often the start was sent, one run was queued"
    )


def test_a_wrong_token(canvas: Any) -> None:
    connection = canvas()
    other = crn.connect(connection.url, "wrong-token", store=connection.store.path)
    with pytest.raises(ex.AuthenticationError, match="Settings, New Access Token"):
        other.reports()
    other.close()
    assert "wrong-token" not in repr(other)


def test_a_warning_points_at_the_users_line(canvas: Any, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "provisioning_csv_02_Mar_2026_81234.csv").write_text(
        "canvas_user_id,user_id,login_id,first_name,last_name,full_name,sortable_name,email,status\n"
        "seven,00481,bea,Bea,Aho,Bea Aho,,,active\n"
    )
    connection = canvas(files=tmp_path / "files")
    how = {"users": True, "progress": False, "max_age": 0}
    row = pd.DataFrame([{"report": "provisioning_csv", "users": True}])
    for read in (
        lambda: connection.read_report("provisioning_csv", **how),
        lambda: crn.read_report("provisioning_csv", **how),
        lambda: crn.scan_report("provisioning_csv", **how),
        lambda: pd.DataFrame.canvas.read_report("provisioning_csv", **how),
        lambda: crn.read_reports(row, progress=False, max_age=0),
        lambda: row.canvas.read_reports(progress=False, max_age=0),
        lambda: crn.read_file(tmp_path / "files" / "provisioning_csv_02_Mar_2026_81234.csv"),
    ):
        connection.store.clear()
        with pytest.warns(crn.ReportWarning, match="seven") as caught:
            read()
        (warning,) = [each for each in caught if "seven" in str(each.message)]
        assert (warning.filename, warning.lineno) == (__file__, read.__code__.co_firstlineno)
