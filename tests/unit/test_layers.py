"""Imports follow the layers in pyproject.toml."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache', '--no-logo'])"


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    # Without the folder first on the path, an installed copy would be checked instead.
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {LINT}"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_go_downward() -> None:
    linted = lint(ROOT)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert " 0 broken" in linted.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("exceptions", "from canvas_reports_nb import connection"),
        ("runs/job", "from canvas_reports_nb.demo_canvas import server"),
        ("demo_canvas/clock", "from canvas_reports_nb import settings"),
        ("runs/job", "import ipywidgets"),
        ("without_a_layer", "VALUE = 1"),
    ],
    ids=["upward", "into-the-demo", "out-of-the-demo", "widgets", "no-layer"],
)
def test_a_violation_is_reported(module: str, line: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "canvas_reports_nb", tmp_path / "canvas_reports_nb")
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    with (tmp_path / "canvas_reports_nb" / f"{module}.py").open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    linted = lint(tmp_path)
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert " 0 broken" not in linted.stdout
