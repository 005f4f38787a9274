"""The package's notebooks run in JupyterLab and show the kinds of output they saved; so does a cell that waits."""

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

START = "import canvas_reports_nb as crn\ncanvas = crn.demo(duration={seconds})"
READ = 'df = canvas.read_report("course_storage_csv")\nprint("rows:", len(df))'


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


def test_the_bar_moves_and_the_frame_comes(open_lab):
    notebook = open_lab("read.ipynb", START.format(seconds=6), READ)
    notebook.run(0)
    notebook.ran(0)
    notebook.run(1)
    bar = notebook.output(1).locator(".widget-hprogress, .jupyter-widgets")
    bar.first.wait_for()
    notebook.ran(1)
    assert "rows: 132" in notebook.outputs(1)


def test_interrupt_detaches(open_lab):
    notebook = open_lab("interrupt.ipynb", START.format(seconds=600), READ)
    notebook.run(0)
    notebook.ran(0)
    notebook.run(1)
    notebook.output(1).locator(".jupyter-widgets").first.wait_for()
    notebook.command("notebook:interrupt-kernel")
    notebook.ran(1)
    assert "KeyboardInterrupt" in notebook.outputs(1)
    assert "canvas.attach(" in notebook.outputs(1)


def test_many_runs_are_one_table(open_lab):
    read = (
        'requests = crn.requests_for("course_storage_csv", terms=[6, 7, 8, 9, 10, 11])\n'
        'frame = canvas.read_reports(requests)\nprint("terms:", frame["enrollment_term_id"].nunique())'
    )
    notebook = open_lab("many.ipynb", START.format(seconds=2), read)
    notebook.run(0)
    notebook.ran(0)
    notebook.run(1)
    rows = notebook.output(1).locator("tbody tr")
    rows.nth(5).wait_for()
    notebook.output(1).get_by_text("done").first.wait_for()
    shot(notebook.page, "many")
    notebook.ran(1)
    shot(notebook.page, "many-done")
    assert "terms: 6" in notebook.outputs(1)
