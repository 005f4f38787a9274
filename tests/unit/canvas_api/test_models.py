"""Runs and reports read from the JSON of older and newer servers, and from JSON that is neither."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.canvas_api.models import (
    Attachment,
    AvailableReport,
    ReportRun,
    RunStatus,
    parse_time,
    parse_zone,
)
from canvas_reports_nb.exceptions import UnexpectedAnswerError

SECRET = "verifier=hidden-key"
FULL: dict[str, Any] = {
    "id": 81234,
    "report": "provisioning_csv",
    "status": "complete",
    "progress": 100,
    "parameters": {"users": "true", "extra_text": "Term: Autumn;"},
    "current_line": 1874,
    "created_at": "2026-03-02T09:14:07-07:00",
    "started_at": "2026-03-02T16:14:09Z",
    "ended_at": "2026-03-02T16:14:21Z",
    "run_time": 12.4,
    "file_url": f"https://canvas.example.edu/accounts/1/files/99017/download?{SECRET}",
    "message": "Provisioning report successfully generated.",
    "attachment": {
        "id": 99017,
        "filename": "provisioning_csv.csv",
        "content-type": "text/csv",
        "url": f"https://canvas.example.edu/files/99017/download?{SECRET}",
        "size": 210443,
    },
    "a_field_of_2031": [1],
}
OLD = {"id": 5, "report": "grade_export_csv", "status": "running", "parameters": None}


def as_text(value: Any) -> Any:
    """Ids as a server sends them when asked for string ids."""
    return {**value, "id": str(value["id"])}


@pytest.mark.parametrize("form", [dict, as_text])
def test_a_full_run(form: Any) -> None:
    run = ReportRun.from_api({**form(FULL), "attachment": form(FULL["attachment"])})
    assert (run.id, run.status, run.progress, run.current_line, run.run_time) == (
        81234,
        "complete",
        100,
        1874,
        12.4,
    )
    assert run.created_at == datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC)
    assert run.attachment == Attachment(
        99017, "provisioning_csv.csv", FULL["attachment"]["url"], 210443, "text/csv"
    )
    assert run.raw["a_field_of_2031"] == [1]
    assert run.is_ended
    assert run.is_complete


ZIP: dict[str, Any] = {"attachment": {**FULL["attachment"], "filename": "provisioning_csv.zip"}}


@pytest.mark.parametrize(
    ("differing", "rows"),
    [
        ({}, 1873),
        ({"current_line": "1874", "progress": "100"}, 1873),
        ({"current_line": 1}, 0),
        ({"current_line": None}, None),
        ({"current_line": 0}, None),
        ({"status": "running"}, None),
        ({"status": "error"}, None),
        # The lines are those of the last file.
        (ZIP, None),
        # Without an attachment, the parameters show how many files there are.
        ({"attachment": None}, 1873),
        ({"attachment": None, "parameters": {"users": "true", "terms": True}}, None),
        ({"attachment": None, "report": "our_own_csv"}, None),
        # One line below the header may be the message that there are no outcomes.
        ({"report": "outcome_results_csv", "current_line": 2}, None),
        ({"report": "outcome_results_csv", "current_line": 3}, 2),
    ],
)
def test_the_rows_of_a_run_are_those_below_the_header(differing: dict[str, Any], rows: int | None) -> None:
    assert ReportRun.from_api(FULL | differing).rows == rows


def test_an_old_server_sends_less() -> None:
    run = ReportRun.from_api(OLD)
    assert (run.run_time, run.message, run.attachment, run.file_url, run.progress) == (None,) * 5
    assert dict(run.parameters) == {}
    assert run.reason == "Canvas gave no reason."


@pytest.mark.parametrize("status", [*RunStatus, "archiving", ""])
def test_a_run_has_ended_in_four_of_the_states(status: str) -> None:
    run = ReportRun.from_api({**OLD, "status": status, "progress": 100})
    assert run.is_ended == (status in {"complete", "error", "aborted", "deleted"})
    assert run.is_complete == (status == "complete")


@pytest.mark.parametrize(
    "answer",
    [
        *(None, [], "running", 7, {}, {"id": 5}, {"status": "running"}, {"id": 5, "status": None}),
        *({"id": no_id, "status": "running"} for no_id in (None, True, "x", 1.5, 2**63)),
    ],
)
def test_json_that_is_not_a_run(answer: object) -> None:
    with pytest.raises(UnexpectedAnswerError):
        ReportRun.from_api(answer)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"id": st.integers(-(2**63) + 1, 2**63 - 1), "status": st.text()},
        optional={name: json_values for name in FULL if name not in {"id", "status"}},
    )
)
def test_a_run_with_odd_fields_is_read(answer: dict[str, Any]) -> None:
    run = ReportRun.from_api(answer)
    assert (run.id, run.status) == (answer["id"], answer["status"])
    assert repr(run) + run._repr_html_() + run.reason


def test_keys_in_links_are_never_shown() -> None:
    run = ReportRun.from_api(FULL)
    assert run.attachment is not None
    shown = f"{run!r} {run} {run.attachment!r} {run._repr_html_()}"
    assert SECRET not in shown
    assert "download" not in shown


@pytest.mark.parametrize(
    ("message", "extra", "reason"),
    [
        ("It failed.", "ErrorReport:71;", "It failed. ErrorReport:71;"),
        (None, "ErrorReport:71;", "ErrorReport:71;"),
        ("It failed.", None, "It failed."),
        (None, None, "Canvas gave no reason."),
    ],
)
def test_the_reason_joins_the_messages_of_the_server(
    message: str | None, extra: str | None, reason: str
) -> None:
    run = ReportRun.from_api(
        {**OLD, "status": "error", "message": message, "parameters": {"extra_text": extra}}
    )
    assert run.reason == reason


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-03-02T09:14:07-07:00", 16),
        ("2026-03-02T09:14:07Z", 9),
        ("2026-03-02T09:14:07", 9),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1772409600, None),
    ],
)
def test_times(text: object, hour: int | None) -> None:
    moment = parse_time(text)
    assert (moment and (moment.hour, moment.tzinfo)) == (hour and (hour, UTC))


def test_a_report_on_offer() -> None:
    offer = AvailableReport.from_api(
        {
            "report": "zero_activity_csv",
            "title": "<b>Zero</b>",
            "parameters": {"start_at": {"required": True, "description": "<i>From</i>"}, "odd": None},
            "last_run": as_text(OLD),
        },
        {"zero_activity_csv": ("student id",)},
    )
    assert offer.parameters["start_at"].required
    assert offer.parameters["odd"].description is None
    assert offer.last_run is not None
    assert offer.last_run.id == 5
    html = offer._repr_html_()
    assert "&lt;i&gt;From&lt;/i&gt;" in html
    assert "student id" in html
    assert "<b>Zero" not in html


@pytest.mark.parametrize("item", [None, [], {}, {"report": 5}, {"title": "x"}])
def test_json_that_is_not_a_report(item: object) -> None:
    with pytest.raises(UnexpectedAnswerError):
        AvailableReport.from_api(item)


@pytest.mark.parametrize("parameters", [None, [], {}])
def test_a_report_without_parameters(parameters: object) -> None:
    offer = AvailableReport.from_api({"report": "lti_report_csv", "parameters": parameters, "last_run": None})
    assert dict(offer.parameters) == {}
    assert offer.title == "lti_report_csv"


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("America/Denver", "America/Denver"),
        ("Mountain Time (US & Canada)", "America/Denver"),
        ("Indiana (East)", "America/Indiana/Indianapolis"),
        ("Mexico City", "America/Mexico_City"),
        ("London", "Europe/London"),
        ("UTC", "UTC"),
        *[(name, None) for name in ("Nowhere", "", "../etc/passwd", "\0", "x" * 300, None, 7, ["UTC"])],
    ],
)
def test_time_zones_of_older_servers_are_known_by_their_names(name: Any, zone: str | None) -> None:
    assert parse_zone(name) == zone
