"""The notebooks: stored outputs are what a run gives today, and the files are fit to be shared."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert "00_quickstart" in {path.stem for path in NOTEBOOKS}


@notebook
def test_outputs_are_what_a_run_gives(path: Path, tmp_path: Path) -> None:
    # In a process of its own, so that a developer's token can't lead the cells to a real Canvas.
    surroundings = {name: text for name, text in os.environ.items() if not name.startswith("CANVAS_")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", path],
        cwd=path.parents[1],
        env={**surroundings, "CANVAS_REPORTS_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(rf"^=+ {len(code_cells(path))} passed in ", run.stdout, re.MULTILINE), run.stdout


@notebook
def test_file_is_valid_and_was_run_in_order(path: Path) -> None:
    content = nbformat.read(path, as_version=4)
    nbformat.validate(content)
    # GitHub refuses to show a notebook whose widget metadata has no state.
    assert "state" in content.metadata.get("widgets", {"state": {}})
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    streams = {output.get("name") for cell in cells for output in cell.outputs}
    assert "stderr" not in streams


@notebook
@pytest.mark.parametrize(
    "private",
    [
        r"(?<![\w.])/(?:home|root|tmp|work|Users|var)/",
        r"[A-Z]:\\\\Users",
        r"Bearer\s+\S+",
        r"\b\d{1,5}~[A-Za-z0-9]{16,}",
        r"127\.0\.0\.1:\d+",
        r"localhost:\d+",
    ],
    ids=["path", "windows-path", "header", "token", "port", "localhost"],
)
def test_nothing_of_this_machine_is_shown(path: Path, private: str) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    # Pictures are base64, in which any letters may meet.
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("image/png", None)
    assert re.search(private, json.dumps(content, ensure_ascii=False)) is None


@notebook
def test_file_is_small(path: Path) -> None:
    assert path.stat().st_size < 500_000
