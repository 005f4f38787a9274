"""The README's code runs, and its numbers are the measured ones."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import canvas_reports_nb as crn

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


SHELL = [line for block in blocks("sh") for line in block.splitlines()]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder with a new store, and hide the settings of a Canvas."""
    monkeypatch.chdir(tmp_path)
    for name in ("CANVAS_API_URL", "CANVAS_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    return tmp_path


def test_python_recipes(away: Path) -> None:
    names: dict[str, Any] = {}
    try:
        for code in blocks("python"):
            exec(compile(code, "README.md", "exec"), names)  # the README is part of this project
        enrolled = names["canvas"].read_tables("provisioning_csv", **names["switches"])["enrollments"]
    finally:
        if "canvas" in names:
            names["canvas"].close()
    assert set(names["grades"]["term"]) == {"Spring 2026"}
    assert 0 < names["courses"]["students"].sum() < len(names["grades"])
    assert names["form"].frame is None
    assert len(names["roster"]) == len(enrolled)
    assert names["census"]["headcount"].max() > 0
    assert openpyxl.load_workbook("roster.xlsx").sheetnames[-1] == "Columns"
    assert len(list(Path("by-course").iterdir())) == names["grades"]["course"].nunique() + 1
    assert set(names["years"]["enrollment_term_id"]) == {"sis_term_id:FA24", "sis_term_id:FA25"}


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("canvas-reports run")])
def test_shell_recipes(line: str, away: Path) -> None:
    _, *words = shlex.split(line)
    run = subprocess.run(
        [sys.executable, "-m", "canvas_reports_nb", *words], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    written = away / words[words.index("-o") + 1]
    assert written.stat().st_size > 0
    if written.suffix == ".csv":
        assert len(crn.read_file(written)) > 0


def test_the_two_commands() -> None:
    commands = [line for line in SHELL if line.startswith("python -m pip")]
    assert commands == [
        'python -m pip install -e ".[demo]" && canvas-reports demo',
        'python -m pip install -e ".[test]" && python -m pytest',
    ]


def test_the_damaged_cells_are_counted() -> None:
    measure = runpy.run_path(str(ROOT / "tests" / "unit" / "frames" / "test_samples.py"))
    naive = sum(measure["naive_damage"](data) for _, _, data in measure["TABLES"])
    cells = sum(
        len(row)
        for _, _, data in measure["TABLES"]
        for row in list(measure["csv"].reader(measure["io"].StringIO(data.decode(), newline="")))[1:]
    )
    assert f"damaged cells of {cells} |" in README
    assert f"| plain `pandas.read_csv` | {naive} |" in README


def test_links_exist() -> None:
    local = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(local) >= 4
    assert [link for link in local if not (ROOT / link.partition("#")[0]).exists()] == []


def test_picture_is_small() -> None:
    assert 0 < (ROOT / "notebooks" / "images" / "form.png").stat().st_size < 200_000
