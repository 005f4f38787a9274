"""The notebooks run in JupyterLab without errors and warnings, and show the kinds of output they saved."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from .conftest import Notebook, shot

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
# Running all of them takes minutes, and tests/notebooks runs each one without a browser.
ALL = os.environ.get("CANVAS_REPORTS_ALL_NOTEBOOKS")
FEW = ("00_quickstart", "01_form", "03_census_day")
PATIENCE = 300_000
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code')
    .map(cell => ({
        ran: cell.model.executionCount > 0 && cell.model.executionState !== 'running',
        outputs: cell.model.outputs.toJSON(),
    }))"""
ENDED = f"""() => {{
    const cells = ({CELLS})();
    return cells.every(cell => cell.ran)
        || cells.some(cell => cell.outputs.some(output => output.output_type === 'error'));
}}"""


def kinds(outputs) -> set[str]:
    """Return the types of a cell's rich outputs, and the streams it writes to."""
    return {kind for output in outputs for kind in output.get("data", {})} | {
        output["name"] for output in outputs if output["output_type"] == "stream"
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_runs_to_its_end(path, lab, lab_page):
    if not ALL and path.stem not in FEW:
        pytest.skip("runs only if CANVAS_REPORTS_ALL_NOTEBOOKS is set")
    content = nbformat.read(path, as_version=4)
    cells = [cell for cell in content.cells if cell.cell_type == "code"]
    saved = [cell.outputs for cell in cells]
    for cell in cells:
        cell.update(outputs=[], execution_count=None)
    nbformat.write(content, lab.folder / path.name)

    notebook = Notebook(lab_page, lab, path.name)
    notebook.command("notebook:run-all-cells")
    lab_page.wait_for_function(ENDED, timeout=PATIENCE)
    shown = [cell["outputs"] for cell in lab_page.evaluate(CELLS)]
    shot(lab_page, path.stem)
    assert [output for outputs in shown for output in outputs if output["output_type"] == "error"] == []
    assert len(shown) == len(saved)
    for before, now in zip(saved, shown, strict=True):
        assert kinds(before) <= kinds(now)
        assert "stderr" not in kinds(now)
