"""A report file becomes one Parquet file per table."""

import zipfile
from pathlib import Path

import pytest

from canvas_reports_nb.exceptions import NotAReportError, ReportWarning
from canvas_reports_nb.frames import derive
from canvas_reports_nb.frames.provenance import Provenance

USERS = b"canvas_user_id,user_id,login_id,full_name,status\n1,007,b,Bea,active\n"
BINARY = bytes(range(256))


def packed(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.csv", data)
    return path


def test_one_bad_member_does_not_spoil_the_others(tmp_path: Path) -> None:
    path = packed(tmp_path / "raw.zip", terms=BINARY, users=USERS, xlist=b"")
    with pytest.warns(ReportWarning, match="terms was left out: terms is not a CSV"):
        derived = derive(path, tmp_path, Provenance(report="provisioning_csv"), {})
    assert list(derived.tables) == ["users", "xlist"]
    assert derived.tables["users"]["provenance"]["rows"] == 1


def test_a_zip_of_bad_members_is_rejected(tmp_path: Path) -> None:
    path = packed(tmp_path / "raw.zip", terms=BINARY, users=BINARY)
    with pytest.raises(NotAReportError, match="is not a CSV"):
        derive(path, tmp_path, Provenance(report="provisioning_csv"), {})


def test_tables_of_any_name_have_files_of_their_own(tmp_path: Path) -> None:
    names = [
        "二〇二五年度 秋学期 国際コミュニケーション学部 大学院 博士課程",
        "x" * 200,
        "nul",
        "Fall",
        "fall",
    ]
    path = packed(tmp_path / "raw.zip", **dict.fromkeys(names, b"student name,student id\nAda,1\n"))
    with pytest.warns(ReportWarning, match=r"this table is named 'fall \(2\)'"):
        derived = derive(path, tmp_path, Provenance(report="mgp_grade_export_csv"), {})
    assert list(derived.tables) == [*names[:-1], "fall (2)"]
    files = {made["file"].lower() for made in derived.tables.values()}
    assert len(files) == len(names)
    assert all((tmp_path / made["file"]).is_file() for made in derived.tables.values())
