"""Take pictures of notebooks: ``python tests/benchmarks/screens.py FOLDER 03_census_day --enrollments 100000 --dark``.

Runs each notebook in JupyterLab in Chromium, on a demo of that size, and saves one tall picture of it in FOLDER. Without
names, it runs all of them. Exits with 1 if a cell failed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from canvas_reports_nb import demo_canvas

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.ui import conftest as ui  # noqa: E402 - tests are no package of their own
from tests.ui.test_notebooks import CELLS, ENDED, PATIENCE  # noqa: E402 - as above

HEIGHT = 7_000


def main() -> None:
    """Run the notebooks that the command line names."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("names", nargs="*")
    asked.add_argument("--enrollments", type=int, default=3_000)
    asked.add_argument("--width", type=int, default=1280)
    asked.add_argument("--dark", action="store_true")
    given = asked.parse_args()
    given.folder.mkdir(exist_ok=True)
    names = given.names or sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    mark = f"{given.enrollments}-{given.width}-{'dark' if given.dark else 'light'}"
    with (
        tempfile.TemporaryDirectory() as place,
        demo_canvas.serve(enrollments=given.enrollments, duration=0, snapshots=7) as school,
        ui.serving(
            Path(place),
            *("jupyterlab", "--LabApp.expose_app_in_browser=True", *ui.OPEN),
            CANVAS_API_URL=school.url,
            CANVAS_API_TOKEN=school.token,
        ) as lab,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=ui.SWITCHES
        )
        page = browser.new_page(viewport={"width": given.width, "height": HEIGHT})
        pictures = {name: given.folder / f"{name}-{mark}.png" for name in names}
        failed = [name for name in names if not _is_shown(page, lab, name, pictures[name], dark=given.dark)]
        browser.close()
    if failed:
        sys.exit(f"A cell failed in {', '.join(failed)}.")


def _is_shown(page, lab, name: str, picture: Path, *, dark: bool) -> bool:
    """Run one notebook and take its picture; return whether all cells ran."""
    content = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    for cell in content.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    nbformat.write(content, lab.folder / f"{name}.ipynb")
    notebook = ui.Notebook(page, lab, f"{name}.ipynb")
    notebook.command("apputils:change-theme", theme=f"JupyterLab {'Dark' if dark else 'Light'}")
    notebook.command("notebook:run-all-cells")
    page.wait_for_function(ENDED, timeout=PATIENCE * 2)
    page.wait_for_timeout(1_500)  # until the theme and the pictures are drawn
    page.screenshot(path=picture)
    outputs = [output for cell in page.evaluate(CELLS) for output in cell["outputs"]]
    print(picture.name, sorted({output["output_type"] for output in outputs}))
    return not [output for output in outputs if output["output_type"] == "error"]


if __name__ == "__main__":
    main()
