"""A folder of report files served as a Canvas."""

import os
import shutil
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"
EXPECTED = {
    "01_provisioning_users_2013.csv": ("provisioning_csv", {"users"}),
    "02_provisioning_users_2023.csv": ("provisioning_csv", {"users"}),
    "04_provisioning_accounts.csv": ("provisioning_csv", {"accounts"}),
    "07_provisioning_sections.csv": ("provisioning_csv", {"sections"}),
    "09_provisioning_enrollments_current.csv": ("provisioning_csv", {"enrollments"}),
    "11_grade_export_21col.csv": ("grade_export_csv", set()),
    "16_zero_activity.csv": ("zero_activity_csv", set()),
    "17_course_storage.csv": ("course_storage_csv", set()),
    "21_provisioning_multi.zip": ("provisioning_csv", {"users", "courses", "enrollments", "xlist"}),
}


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(EXPECTED):
        copy = Path(shutil.copy(DATA / name, tmp_path))
        copy.chmod(0o600)
        os.utime(copy, (1_770_000_000 + number, 1_770_000_000 + number))
    return tmp_path


def listed(caller):
    found = {}
    for item in caller.reports().json():
        for run in caller.reports(f"/{item['report']}", params={"per_page": 100}).json():
            found[run["attachment"]["filename"]] = run
    return found


def test_every_file_is_a_finished_run_of_its_report(demo, folder):
    caller = demo(files=folder)
    runs = listed(caller)
    assert {
        name: (run["report"], set(run["parameters"]) - {"locale"}) for name, run in runs.items()
    } == EXPECTED
    assert {run["status"] for run in runs.values()} == {"complete"}
    assert [runs[name]["id"] for name in EXPECTED] == sorted(run["id"] for run in runs.values())
    for name, run in runs.items():
        assert caller.get(run["attachment"]["url"]).content == (DATA / name).read_bytes()
        assert caller.show(run)["attachment"]["size"] == (DATA / name).stat().st_size


def test_a_new_run_delivers_the_newest_file_of_its_tables(demo, folder):
    caller = demo(files=folder)
    body = caller.show(caller.start("provisioning_csv", users=True, sections="0"))
    newest = DATA / "02_provisioning_users_2023.csv"
    assert caller.get(body["attachment"]["url"]).content == newest.read_bytes()
    missing = caller.show(caller.start("provisioning_csv", users=True, sections=True))
    assert missing["status"] == "error"
    assert "sections, users" in missing["parameters"]["extra_text"]
    assert caller.show(caller.start("grade_export_csv"))["status"] == "complete"


def test_file_names_decide_before_headers_and_unknown_reports_are_listed(demo, tmp_path):
    grades = (DATA / "11_grade_export_21col.csv").read_bytes()
    (tmp_path / "mgp_grade_export_csv_02_Mar_2026_7.csv").write_bytes(grades)
    (tmp_path / "saved by hand.csv").write_bytes(b"\xef\xbb\xbf" + grades.replace(b"\n", b"\r\n"))
    unknown = "user_course_access_log_csv_02_Mar_2026_8123420260302-31-1b2c3d.csv"
    (tmp_path / unknown).write_bytes(b"user,hits\n007,3\n")
    (tmp_path / "recipes.csv").write_bytes(b"dish,minutes\nsoup,20\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a report")
    caller = demo(files=tmp_path)
    reports = {name: run["report"] for name, run in listed(caller).items()}
    assert reports == {
        "mgp_grade_export_csv_02_Mar_2026_7.csv": "mgp_grade_export_csv",
        "saved by hand.csv": "grade_export_csv",
        unknown: "user_course_access_log_csv",
        "recipes.csv": "unrecognized_csv",
        "empty.csv": "unrecognized_csv",
    }
    assert caller.show(caller.start("unrecognized_csv"))["status"] == "complete"
    every = {item["report"]: item for item in caller.reports(params={"include[]": "parameters_html"}).json()}
    assert "parameters_html" not in every["unrecognized_csv"]


def test_a_missing_folder(demo, tmp_path):
    with pytest.raises(NotADirectoryError, match="nowhere"):
        demo(files=tmp_path / "nowhere")
