"""mypy really checks `api.py`: each of its assertions fails once it is broken."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
API = ROOT / "tests/typing/api.py"


def mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run mypy as CI does, in the cache that CI's own run has filled; without one if it can't be written."""
    cache = [] if os.access(ROOT, os.W_OK) else [f"--cache-dir={os.devnull}"]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *cache, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_broken_assertion_fails(tmp_path: Path) -> None:
    text = API.read_text().splitlines(keepends=True)
    calls = [node for node in ast.walk(ast.parse("".join(text))) if isinstance(node, ast.Call)]
    kinds = [call.args[1] for call in calls if getattr(call.func, "id", "") == "assert_type"]
    for kind in kinds:
        line = text[kind.lineno - 1]
        text[kind.lineno - 1] = f"{line[: kind.col_offset]}bytes{line[kind.end_col_offset :]}"
    broken = tmp_path / "broken.py"
    broken.write_text("".join(text))
    done = mypy(str(broken))
    wrong = {int(at) for at in re.findall(r"broken\.py:(\d+): error: Expression is of type", done.stdout)}
    assert done.returncode == 1
    assert wrong == {kind.lineno for kind in kinds}
    assert len(kinds) > 100


@pytest.mark.parametrize("check", [".ci/run", "noxfile.py"])
def test_ci_checks_it(check: str) -> None:
    assert re.search(
        r'^mypy$|session\.run\("mypy"\)$', (ROOT / check).read_text().replace("    ", ""), re.MULTILINE
    )
    assert '"tests/typing/api.py"' in (ROOT / "pyproject.toml").read_text()
