"""The notebooks' saved outputs are up to date, and the files can be shared."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from canvas_reports_nb.demo_canvas.server import Server

_SAVED = runpy.run_path(str(Path(__file__).parent / "saved.py"))
faults, STATE, VIEW = _SAVED["faults"], _SAVED["STATE"], _SAVED["VIEW"]

SANITIZE = Path(__file__).parent / "sanitize.cfg"
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

# It shows a larger university than the others.
OWN_DEMO = "09_big_reports"

notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert "00_quickstart" in {path.stem for path in NOTEBOOKS}


def python(
    *words: object, store: Path, server: Server | None, cwd: Path = NOTEBOOKS[0].parents[1]
) -> subprocess.CompletedProcess[str]:
    """Run a module in its own process, connected to a demo and without a developer's settings."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("CANVAS_")}
    settings = {"CANVAS_REPORTS_CACHE": str(store), "CANVAS_REPORTS_PROGRESS": "off"}
    if server is not None:
        settings |= {"CANVAS_API_URL": server.url, "CANVAS_API_TOKEN": server.token}
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=cwd,
        # Each plugin that this notebook's pytest does not load saves a moment.
        env={**environment, **settings, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@notebook
def test_saved_outputs_are_up_to_date(path: Path, school: Server, tmp_path: Path) -> None:
    copied = shutil.copy(path, tmp_path)  # notebooks write into their own folder
    (tmp_path / "pytest.ini").write_text("[pytest]", encoding="utf-8")
    nbval = ["-p", "nbval.plugin", "--nbval", "--nbval-current-env", f"--nbval-sanitize-with={SANITIZE}"]
    run = python(
        *("pytest", "-c", tmp_path / "pytest.ini", *nbval, "-p", "no:cacheprovider", copied),
        store=tmp_path / "store",
        server=None if path.stem == OWN_DEMO else school,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(rf"^=+ {len(code_cells(path))} passed in ", run.stdout, re.MULTILINE), run.stdout


def test_another_term_with_papermill(school: Server, tmp_path: Path) -> None:
    (path,) = (path for path in NOTEBOOKS if path.stem == "10_reproducible")
    made = tmp_path / "spring.ipynb"
    run = python(
        *("papermill", "--no-progress-bar", path, made, "-p", "term", "SP26"), store=tmp_path, server=school
    )
    assert run.returncode == 0, run.stderr
    printed = "".join(
        output.get("text", "")
        for cell in code_cells(made)
        for output in cell.outputs
        if output.output_type == "stream"
    )
    assert re.search(r"rows of Spring 2026. To read the same run again: -p run_id \d+\n", printed)
    assert "Fall 2025" not in printed


@notebook
def test_file_is_valid_and_was_run_in_order(path: Path) -> None:
    content = nbformat.read(path, as_version=4)
    nbformat.validate(content)
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


@notebook
def test_saved_file_can_be_shared(path: Path) -> None:
    assert faults(json.loads(path.read_text(encoding="utf-8"))) == []


def good() -> dict[str, Any]:
    """Return a saved notebook with a widget, its state, and a table below."""
    model = {"model_name": "VBoxModel", "model_module": "m", "model_module_version": "2.0.0", "state": {}}
    return {
        "metadata": {"widgets": {STATE: {"version_major": 2, "version_minor": 0, "state": {"a": model}}}},
        "cells": [
            {
                "cell_type": "code",
                "source": "form",
                "outputs": [
                    {"output_type": "display_data", "data": {VIEW: {"model_id": "a"}, "text/plain": ""}}
                ],
            },
            {
                "cell_type": "code",
                "source": "frame",
                "outputs": [
                    {"output_type": "execute_result", "data": {"text/html": "<table/>", "image/png": "/tmp/"}}
                ],
            },
        ],
    }


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": [text]}


DAMAGE: dict[str, Callable[[Any], Any]] = {
    "path": lambda book: book["cells"][0]["outputs"].append(stream("/home/ann/marks.csv")),
    "header": lambda book: book["cells"][1].update(source="headers = 'Bearer abc'"),
    "token": lambda book: book["cells"][0]["outputs"].append(stream("7~" + "a" * 20)),
    "signed link": lambda book: book["cells"][0]["outputs"].append(stream("/files/7/download?verifier=x")),
    "port": lambda book: book["metadata"].update(papermill={"url": "http://127.0.0.1:8888"}),
    "an error": lambda book: book["cells"][0]["outputs"].append(
        {"output_type": "error", "ename": "KeyError"}
    ),
    "text on stderr": lambda book: book["cells"][0]["outputs"].append(stream("Warning", "stderr")),
    "without a state": lambda book: book["metadata"]["widgets"][STATE].pop("state"),
    "another version": lambda book: book["metadata"]["widgets"][STATE].update(version_major=1),
    "lacks model_name": lambda book: book["metadata"]["widgets"][STATE]["state"]["a"].pop("model_name"),
    "not in the saved state": lambda book: book["cells"][0]["outputs"][0]["data"][VIEW].update(model_id="b"),
    "without a static output": lambda book: book["cells"][1]["outputs"].clear(),
    "a password": lambda book: book["metadata"]["widgets"][STATE]["state"]["a"].update(
        model_name="PasswordModel", state={"value": "x"}
    ),
}


def test_a_good_file_passes() -> None:
    book = good()
    assert faults(book) == []
    del book["metadata"]["widgets"]
    assert faults(book) == []


@pytest.mark.parametrize("name", DAMAGE)
def test_a_problem_is_reported(name: str) -> None:
    book = good()
    DAMAGE[name](book)
    (fault,) = faults(book)
    assert name in fault


@notebook
def test_the_wheel_has_it(path: Path) -> None:
    project = tomllib.loads((path.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert listed[f"notebooks/{path.name}"] == f"canvas_reports_nb/notebooks/{path.name}"


@notebook
def test_file_is_small(path: Path) -> None:
    assert path.stat().st_size < 200_000
