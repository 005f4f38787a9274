"""The tables of reports, terms, accounts and runs, also of odd lists."""

from datetime import UTC, datetime

import pandas as pd

from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun
from canvas_reports_nb.runs.listings import accounts_frame, history_frame, reports_frame, terms_frame

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return the rows with ``None`` for missing cells."""
    return [tuple(row) for row in frame.astype("object").where(frame.notna(), None).to_numpy()]


def test_accounts_come_with_their_path_parents_first() -> None:
    found = accounts_frame(
        [
            {"id": 4, "name": "nursing", "parent_account_id": 2, "sis_account_id": ""},
            {"id": "3", "name": "Arts", "parent_account_id": "1", "sis_account_id": "0042"},
            {"id": 2, "name": "Health", "parent_account_id": 1},
            {"id": 1, "name": "School", "parent_account_id": None},
            {"id": 5, "name": "Biology", "parent_account_id": 2, "sis_account_id": 7},
            {"id": 6, "name": None, "parent_account_id": 99},
        ]
    )
    assert rows(found[["account_id", "name", "sis_account_id", "parent_id", "path", "depth"]]) == [
        (6, None, None, 99, "", 0),
        (1, "School", None, None, "School", 0),
        (3, "Arts", "0042", 1, "School / Arts", 1),
        (2, "Health", None, 1, "School / Health", 1),
        (5, "Biology", "7", 2, "School / Health / Biology", 2),
        (4, "nursing", None, 2, "School / Health / nursing", 2),
    ]
    assert list(found.columns) == ["account_id", "name", "sis_account_id", "parent_id", "path", "depth"]


def test_accounts_that_contain_each_other_end() -> None:
    ring = [{"id": 1, "name": "a", "parent_account_id": 2}, {"id": 2, "name": "b", "parent_account_id": 1}]
    assert accounts_frame(ring)["path"].tolist() == ["a / b", "b / a"]
    assert accounts_frame([{"id": 1, "parent_account_id": 1}])["depth"].tolist() == [0]


def test_terms_keep_their_order_and_say_which_is_current() -> None:
    spring = {"start_at": "2026-01-12T07:00:00Z", "end_at": "2026-05-10T06:00:00Z"}
    found = terms_frame(
        [
            {"id": 13, "name": "Spring", "sis_term_id": "SP26", "workflow_state": "active", **spring},
            {
                "id": 12,
                "name": "Fall",
                "workflow_state": "active",
                "start_at": "2025-08-20T06:00:00Z",
                "end_at": "2025-12-20",
            },
            {"id": "11", "name": 7, "sis_term_id": ""},
            {"id": 13, "name": "Spring", "sis_term_id": "SP26", "workflow_state": "active", **spring},
        ],
        NOW,
    )
    assert rows(found[["term_id", "name", "sis_term_id", "state", "is_current"]]) == [
        (13, "Spring", "SP26", "active", True),
        (12, "Fall", None, "active", False),
        (11, "7", None, None, None),
    ]
    assert found.loc[0, "start_at"] == pd.Timestamp("2026-01-12 07:00", tz="UTC")
    assert found.loc[0, "end_at"] == pd.Timestamp("2026-05-10 06:00", tz="UTC")


def test_a_run_on_this_disk_has_its_exact_rows() -> None:
    run = ReportRun(7, "grade_export_csv", "complete", created_at=NOW, progress=100, message="ok")
    other = ReportRun(8, "grade_export_csv", "error", created_at=NOW, started_at=NOW, ended_at=NOW)
    found = history_frame("grade_export_csv", [run, other], "self", {7: 19})
    assert rows(found[["run_id", "status", "progress", "rows", "message"]])[0] == (
        7,
        "complete",
        100,
        19,
        "ok",
    )
    assert found["created_at"].tolist() == [pd.Timestamp(NOW)] * 2
    assert found["started_at"].isna().tolist() == found["ended_at"].isna().tolist() == [True, False]
    assert list(found.attrs.values()) == [{"report": "grade_export_csv", "account": "self"}]
    assert history_frame("x", []).dtypes.to_dict() == found.dtypes.to_dict()


def test_a_report_shows_its_last_run() -> None:
    last = ReportRun(7, "zero_activity_csv", "complete", created_at=NOW)
    offers = [
        AvailableReport("zero_activity_csv", "Zero Activity", ("start_at", "course_id"), last),
        AvailableReport("own_csv", "Own", (), None),
    ]
    found = reports_frame(offers)
    assert rows(found[["report", "title", "parameters", "last_status", "last_run_id"]]) == [
        ("zero_activity_csv", "Zero Activity", "start_at, course_id", "complete", 7),
        ("own_csv", "Own", "", None, None),
    ]
    assert found.loc[0, "last_run"] == pd.Timestamp(NOW)
