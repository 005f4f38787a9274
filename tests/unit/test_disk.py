"""Any name that a school gives a term, a report or an account becomes a name that every disk can hold."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from canvas_reports_nb import _disk
from canvas_reports_nb._disk import disk_name, make_private, replace_file
from canvas_reports_nb.exceptions import StoreError

JAPANESE = "二〇二五年度 秋学期 国際コミュニケーション学部 大学院 博士課程"
RESERVED = ["CON", "nul", "aux.2025", "COM1", "Lpt9.x", "prn"]


@given(name=st.text(min_size=1, max_size=300))
@example(name=JAPANESE)
@example(name="x" * 255)
@example(name="..")
@example(name="Fall 2025.")
@example(name="\ud800")
def test_every_name_fits_on_every_disk(name: str) -> None:
    found = disk_name(name)
    assert re.fullmatch(r"[\w%~-][\w%~. -]*", found, re.ASCII), "also as a name in a shared store"
    assert len(found) <= 130
    assert found[-1] not in ". "
    assert found == disk_name(name)


@pytest.mark.parametrize("name", RESERVED)
def test_the_reserved_names_of_windows_are_not_used(name: str) -> None:
    assert disk_name(name).partition(".")[0].lower() not in {"con", "nul", "aux", "prn", "com1", "lpt9"}


def test_a_usual_name_stays_readable() -> None:
    assert disk_name("sis_account_id:ENG/1") == "sis_account_id%3AENG%2F1"
    assert disk_name("Fall 2025", safe=" ") == "Fall 2025"


def test_names_that_differ_only_in_case_or_in_their_ends_do_not_share_a_file(tmp_path: Path) -> None:
    names = [f"{'x' * 200}{end}" for end in "ab"] + [f"{JAPANESE} {end}" for end in "ab"]
    taken: list[str] = []
    for name in [*names, "Fall", "fall", "FALL"]:
        taken.append(disk_name(name, taken=taken))
    assert len({name.lower() for name in taken}) == len(taken)
    for name in taken:
        (tmp_path / f"{name}.parquet").write_bytes(b"")


def test_a_folder_that_another_process_removes_meanwhile_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mkdir, left = tmp_path / "7", Path.mkdir, [3]

    def racing(path: Path, *given: Any, **named: Any) -> None:
        if path == folder and left[0]:
            left[0] -= 1
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        mkdir(path, *given, **named)

    monkeypatch.setattr(Path, "mkdir", racing)
    make_private(tmp_path, folder)
    assert folder.is_dir()
    (tmp_path / "8").write_text("")
    with pytest.raises(StoreError, match="File exists"):
        make_private(tmp_path, tmp_path / "8")


@pytest.mark.parametrize("failures", range(4))
def test_a_file_that_a_virus_scanner_has_open_on_windows_is_replaced_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    left, real = [failures], os.replace

    def replace(source: Any, target: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file", str(source))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(_disk, "_RETRIES", (0.0, 0.0))
    part, target = tmp_path / "run.json.part", tmp_path / "run.json"
    part.write_text("new")
    target.write_text("old")
    if failures > 2:
        with pytest.raises(PermissionError):
            replace_file(part, target)
    else:
        assert replace_file(part, target) == target
    assert target.read_text() == ("old" if failures > 2 else "new")


def test_files_are_opened_as_bytes_on_windows() -> None:
    """Windows would write each line break as two bytes to a file opened without this flag."""
    code = (
        "import os; os.O_BINARY = 1 << 29\n"
        "from canvas_reports_nb import _disk\n"
        "assert _disk.SAFELY & os.O_BINARY and _disk.SAFELY & os.O_NOFOLLOW"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
