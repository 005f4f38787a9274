"""What the office notebooks share: the Canvas they use, days, runs of past days, and invented lists."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas, office
from canvas_reports_nb.connection import Connection
from canvas_reports_nb.demo_canvas.canvas import MARK
from canvas_reports_nb.exceptions import ConfigurationError, CredentialsError, ParameterError
from canvas_reports_nb.office import invented

QUIET = {"progress": False, "enrollment_term_id": "current"}


@pytest.fixture(scope="module")
def canvas() -> Iterator[Connection]:
    with crn.demo(enrollments=300, duration=0, snapshots=2) as opened:
        yield opened


def test_a_demo_is_recognized_by_its_token(canvas: Connection, tmp_path: Path) -> None:
    assert canvas.is_demo
    for token, is_demo in ((f"{MARK}abc", True), ("1234~demo-canvas", False)):
        there = crn.connect("http://127.0.0.1:9", token, store=tmp_path)
        assert there.is_demo is is_demo
        assert there.account(7).is_demo is is_demo
        there.close()


def test_without_settings_it_connects_to_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with demo_canvas.serve(enrollments=300, duration=0) as server:
        monkeypatch.setattr(
            office.opening, "demo", lambda **_: crn.connect(server.url, server.token, store=tmp_path)
        )
        for name in ("CANVAS_API_URL", "CANVAS_API_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        assert office.connect().is_demo
    assert capsys.readouterr().out == "The demo Canvas: an invented university on March 2, 2026.\n"


def test_with_settings_it_connects_to_your_canvas(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path))
    monkeypatch.setenv("CANVAS_API_TOKEN", "1234~hidden")
    monkeypatch.delenv("CANVAS_API_URL", raising=False)
    with pytest.raises(CredentialsError):  # half of the settings is no reason for the demo
        office.connect()
    monkeypatch.setenv("CANVAS_API_URL", "https://canvas.example.edu")
    office.connect("sis_account_id:ENG").close()
    assert capsys.readouterr().out == "Canvas: canvas.example.edu, account sis_account_id:ENG.\n"


def test_days(canvas: Connection) -> None:
    assert office.time_zone(canvas) == "America/Denver"
    assert office.today(canvas) == office.today(canvas, None) == date(2026, 3, 2)
    assert office.today(canvas, "2026-09-14") == office.today(canvas, date(2026, 9, 14)) == date(2026, 9, 14)
    with pytest.raises(ParameterError, match=r"Can't read '14/9/26' as a day\.\sWrite it as 2026-09-14\."):
        office.today(canvas, "14/9/26")
    assert office.mondays(date(2026, 3, 4), 2) == [date(2026, 2, 23), date(2026, 3, 2)]
    assert office.mondays(date(2026, 3, 2), 1) == [date(2026, 3, 2)]


def test_runs_of_past_days(canvas: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    now = canvas.read_tables("provisioning_csv", users=True, enrollments=True, **QUIET)
    days = office.mondays(office.today(canvas), 4)
    found = office.snapshots(canvas, days, "provisioning_csv", users=True, enrollments=True, **QUIET)
    assert list(found) == days[2:]
    assert len(found[days[-1]]["enrollments"]) == pytest.approx(len(now["enrollments"]), rel=0.2)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("No run of provisioning_csv answers for 2026-02-09, 2026-02-16.")
    assert said[1].startswith("30 23 * * * canvas-reports run provisioning_csv -p ")


def test_invented_lists_are_for_the_demo_only(canvas: Connection, tmp_path: Path) -> None:
    courses = canvas.read_report("provisioning_csv", courses=True, progress=False)
    hours = invented.credit_hours(canvas, courses)
    assert set(hours["course_id"]) < set(courses["course_id"].dropna())
    assert hours["course_id"].is_unique
    assert (hours["credits"] > 0).all()
    real = crn.connect("https://canvas.example.edu", "1234~hidden", store=tmp_path)
    with pytest.raises(ConfigurationError, match=r"CREDITS was empty.*\sSet CREDITS to the file"):
        invented.credit_hours(real, courses)
    grades = canvas.read_report("grade_export_csv", **QUIET)
    for make in (invented.submitted, invented.sis_grades, invented.census_list, invented.groups):
        assert 0 < len(make(canvas, grades)) <= len(grades)
        with pytest.raises(ConfigurationError, match="or to False to"):
            make(real, grades)
    blank = invented.sis_grades(canvas, grades)["grade"]
    assert blank.isna().any(), "some grades are blank"
    assert not blank.isin(["nan", "<NA>"]).any(), "as which pandas 2 writes them"
    assert set(invented.approved_tools(canvas)) == {"host"}
    with pytest.raises(ConfigurationError, match="APPROVED was empty"):
        invented.approved_tools(real)
    real.close()


def test_file_names() -> None:
    assert (
        office.file_name("late", "sis_term_id:FA/25", date(2026, 3, 2))
        == "late_sis_term_id-FA-25_2026-03-02.xlsx"
    )
    assert office.file_name("late", "", None or "", suffix="") == "late"
