"""A demo's folder goes when nobody holds it and it is a day old; nothing else is ever touched."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from canvas_reports_nb.demo_folders import fresh_folder

LEAVING = """
import sys
from pathlib import Path
from canvas_reports_nb.demo_folders import fresh_folder
print(fresh_folder(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def aged(folder: Path, hours: float) -> Path:
    at = time.time() - hours * 3600
    os.utime(folder, (at, at))
    return folder


def other_process(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another process with a demo of its own, alive until its input is closed."""
    call = [sys.executable, "-c", LEAVING, str(root)]
    process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    (folder / "runs").mkdir()
    return process, folder


def test_only_what_an_ended_demo_left_is_removed(tmp_path: Path) -> None:
    process, theirs = other_process(tmp_path)
    aged(theirs, 48)
    fresh_folder(tmp_path)
    assert theirs.is_dir(), "its process lives"
    process.communicate()
    aged(theirs, 23)
    mine = aged(fresh_folder(tmp_path), 48)
    assert theirs.is_dir(), "not a day old"
    aged(theirs, 25)
    fresh_folder(tmp_path)
    assert not theirs.exists()
    assert mine.is_dir(), "this process lives"


@pytest.mark.parametrize("name", ["notes", "2026-03-02", "2026-03-02T161407-abcd.bak"])
def test_folders_of_other_names_stay(tmp_path: Path, name: str) -> None:
    other = tmp_path / "demo" / name
    other.mkdir(parents=True)
    aged(other, 1000)
    fresh_folder(tmp_path)
    assert other.is_dir()
    assert list(other.iterdir()) == [], "nor is a lock put there"


def test_a_link_or_a_file_of_such_a_name_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    aged(elsewhere, 1000)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "2026-03-02T161407-abcd").symlink_to(elsewhere)
    (tmp_path / "demo" / "2026-03-02T161407-abce").touch()
    aged(tmp_path / "demo" / "2026-03-02T161407-abce", 1000)
    fresh_folder(tmp_path)
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]
    assert (tmp_path / "demo" / "2026-03-02T161407-abce").is_file()


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    root = tmp_path / "store"
    mask = os.umask(0)
    try:
        folder = fresh_folder(root)
    finally:
        os.umask(mask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (root, root / "demo", folder)}
    assert set(modes.values()) == {0o700}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
