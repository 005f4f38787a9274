"""The direction of imports, as pyproject.toml draws it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache', '--no-logo'])"


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    # The folder must come first on the path, or an installed copy would be judged instead.
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
