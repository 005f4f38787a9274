"""The office notebooks for another term, on a part of the school, without grading periods, and on a real Canvas."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import canvas_reports_nb as crn
from canvas_reports_nb.cli import cli
from canvas_reports_nb.cli.notebook import notebooks_folder
from canvas_reports_nb.demo_canvas.server import Server

Run = Callable[..., Result]


@pytest.fixture
def run(school: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a notebook with some settings; its files go to the folder ``out``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANVAS_API_URL", school.url)
    monkeypatch.setenv("CANVAS_API_TOKEN", school.token)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("CANVAS_REPORTS_PROGRESS", "off")

    def run(name: str, *settings: str) -> Result:
        options = [word for setting in settings for word in ("--set", setting)]
        return CliRunner().invoke(cli, ["notebook", name, *options, "--xlsx", "-o", "out"])

    return run


def shown(folder: Path) -> str:
    """Return what the notebook printed, without texts on stderr: there must be none."""
    (made,) = folder.glob("*.ipynb")
    outputs = [each for cell in nbformat.read(made, as_version=4).cells for each in cell.get("outputs", ())]
    assert [each.text for each in outputs if each.get("name") == "stderr"] == []
    return "".join(each.text for each in outputs if each.output_type == "stream")


def test_ready_for_day_one_of_another_term_in_a_college(run: Run, tmp_path: Path) -> None:
    done = run("ready_for_day_one", "TERM=SU26", "ACCOUNT=sis_account_id:SCI", "TODAY=2026-05-20")
    assert done.exit_code == 0, done.output
    text = shown(tmp_path / "out")
    assert "within 60 days of 2026-05-20" in text
    sheet = pd.read_excel(
        tmp_path / "out" / "ready-for-day-one_SU26_2026-05-20.xlsx", sheet_name="Not ready", dtype=str
    )
    assert len(sheet) > 0
    # The departments of the college, which is the root here.
    assert set(sheet["college"]) <= {"Biology", "Computer Science", "Mathematics"}
    assert len(list((tmp_path / "out" / "ready-for-day-one_SU26_2026-05-20").iterdir())) > 1


def test_census_day_of_a_past_monday_with_a_list_of_credits(run: Run, tmp_path: Path) -> None:
    (tmp_path / "credits.csv").write_text("course_id,credits\n1e5,4\n0000205,3\n", encoding="utf-8")
    done = run("census_day", "CENSUS=2026-01-26", "CREDITS=credits.csv", "BY=department", "WEEKS=2")
    assert done.exit_code == 0, done.output
    assert "counted on 2026-01-26" in shown(tmp_path / "out")
    kept = pd.read_parquet(tmp_path / "out" / "census_current_2026-01-26.parquet")
    assert kept["credit_hours"].notna().any()
    assert kept["seats_without_credits"].sum() > 0
    curve = pd.read_excel(tmp_path / "out" / "census_current_2026-01-26.xlsx", sheet_name="Curve")
    assert len(curve) == 2


def test_early_alert_of_a_term_without_grading_periods_and_past_runs(run: Run, tmp_path: Path) -> None:
    done = run("early_alert", "TERM=SU25", "ADVISERS=false", "BELOW=60")
    assert done.exit_code == 0, done.output
    assert "This term has no grading periods, so this part is skipped." in shown(tmp_path / "out")


def test_canvas_and_sis_with_the_schools_list_and_the_default_limit(run: Run, tmp_path: Path) -> None:
    extract = tmp_path / "enrolled.csv"
    extract.write_text("EMPLID,CLASS_KEY\n0000012,1e5-1\n990017,1e5-1\n", encoding="utf-8")
    done = run("canvas_and_sis", f"EXTRACT={extract}", "STATUS=")
    assert done.exit_code == 0, done.output
    text = shown(tmp_path / "out")
    assert "2 rows from the SIS" in text
    assert "No import was written. The file would drop" in text
    assert not list((tmp_path / "out").glob("*.csv"))
    sheet = tmp_path / "out" / "canvas-and-sis_current_2026-03-02.xlsx"
    found = pd.read_excel(sheet, sheet_name="Differences", dtype=str)
    assert set(found.loc[found["finding"] == "no such user", "user_id"]) == {"990017"}


def test_grades_due_with_the_schools_lists_and_without_grading_periods(run: Run, tmp_path: Path) -> None:
    (tmp_path / "done.csv").write_text("section_id\n", encoding="utf-8")
    (tmp_path / "sis.csv").write_text(
        "EMPLID,CLASS_KEY,GRADE\n990017,1e5-1,I\n000481,1e5-1,A\n", encoding="utf-8"
    )
    ids = '{"user_id": "EMPLID", "section_id": "CLASS_KEY"}'
    lists = ("SUBMITTED=done.csv", "SIS_GRADES=sis.csv", f"ON={ids}", "GRADE=GRADE")
    done = run("grades_due", "TERM=SU25", "DEADLINE=2026-03-05", *lists)
    assert done.exit_code == 0, done.output
    text = shown(tmp_path / "out")
    assert "Days left: 3" in text
    assert "1 open incompletes" in text
    assert "This term has no grading periods, so this part is skipped." in text
    sheet = tmp_path / "out" / "grades-due_SU25_2026-03-02.xlsx"
    found = pd.read_excel(sheet, sheet_name="Differences", dtype=str)
    assert set(found.loc[found["finding"] == "not in Canvas", "student sis"]) == {"990017", "000481"}


def test_course_success_of_one_college_with_the_schools_lists(run: Run, tmp_path: Path) -> None:
    (tmp_path / "census.csv").write_text("user_id,course_id\n0000011,0000205\n", encoding="utf-8")
    (tmp_path / "groups.csv").write_text("user_id,group\n0000011,A\n0000012,B\n", encoding="utf-8")
    lists = ("CENSUS=census.csv", "GROUPS=groups.csv", "GATEWAY=CIV 201,NONE 1")
    done = run("course_success", "TERMS=FA24,FA25", "ACCOUNT=sis_account_id:ENG", *lists)
    assert done.exit_code == 0, done.output
    text = shown(tmp_path / "out")
    assert "Codes without a course: ['NONE 1']" in text
    assert "students without a group are left out" in text
    page = (tmp_path / "out" / "course-success_FA24_FA25.html").read_text(encoding="utf-8")
    assert "Published with at least 10 people" in page


def test_access_and_tools_of_one_college_with_an_approval_list(run: Run, tmp_path: Path) -> None:
    (tmp_path / "approved.csv").write_text("host\nship.example.org\n", encoding="utf-8")
    done = run("access_and_tools", "ACCOUNT=sis_account_id:ENG", "APPROVED=approved.csv", "KEEP=1")
    assert done.exit_code == 0, done.output
    sheet = pd.read_excel(tmp_path / "out" / "access-and-tools_2026-03-02.xlsx", sheet_name="Tools")
    assert dict(zip(sheet["host"], sheet["approved"], strict=True))["ship.example.org"]


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        *(("canvas_and_sis", "EXTRACT"), ("census_day", "CREDITS"), ("early_alert", "ADVISERS")),
        *(("grades_due", "SUBMITTED"), ("grades_due", "SIS_GRADES"), ("course_success", "CENSUS")),
        *(("course_success", "GROUPS"), ("access_and_tools", "APPROVED")),
    ],
)
def test_invented_lists_stop_on_a_real_canvas(name: str, setting: str, tmp_path: Path) -> None:
    """Only the cells that use invented lists run, with a connection to a real Canvas."""
    (path,) = notebooks_folder().glob(f"*{name}.ipynb")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    (cell,) = (
        source
        for source in cells
        if f"if {setting} else invented." in source or f"else {setting} or []" in source
    )
    canvas = crn.connect("https://canvas.example.edu", "1234~hidden", store=tmp_path)
    tables = dict.fromkeys(("users", "courses", "enrollments"))
    given = {"crn": crn, "canvas": canvas, "tables": tables, setting: None, "students": pd.DataFrame()}
    given |= {"pd": pd, "grades": pd.DataFrame(), "ON": {}, "GRADE": "grade"}
    canvas.read_report = lambda *_: None  # the list of tools, before that of the approved ones
    exec("from canvas_reports_nb.office import invented", given)
    with pytest.raises(crn.exceptions.ConfigurationError, match=rf"{setting} was empty.*\sSet {setting} to "):
        exec(cell, given)
    canvas.close()
