"""Real front ends in a real browser: started by the tests, driven through what a user sees."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from canvas_reports_nb import demo_canvas

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

#: What a browser may take on a busy machine with two cores, in milliseconds.
PATIENCE = 90_000
_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: apt-get install chromium")
        pytest.skip("chromium is missing: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=_SWITCHES)
        yield opened
        opened.close()


@dataclass(frozen=True)
class Server:
    """A Jupyter server of the tests and the folder it shows."""

    url: str
    folder: Path

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; give its path within the folder."""
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(made, self.folder / name)
        return name


@contextmanager
def serving(folder: Path, application: str, *options: str) -> Iterator[Server]:
    """Start a Jupyter application on this machine alone; stop it, kernels and all."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    notebooks = folder / "notebooks"
    places = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "CANVAS_REPORTS_CACHE")
    }
    for place in (notebooks, *map(Path, places.values())):
        place.mkdir(parents=True)
    config = Path(places["JUPYTER_CONFIG_DIR"], "labconfig", "page_config.json")
    config.parent.mkdir()
    config.write_text(
        json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
    )
    # A developer's token must not lead a notebook to a real Canvas.
    plain = {name: text for name, text in os.environ.items() if not name.startswith("CANVAS_")}
    command = [sys.executable, "-m", application, "--no-browser", f"--port={port}", *options]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=notebooks, env={**plain, **places}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _answers(url, server)
            yield Server(url, notebooks)
        finally:
            server.terminate()
            server.wait(30)


@retry(
    retry=retry_if_exception_type(requests.ConnectionError), stop=stop_after_delay(60), wait=wait_fixed(0.2)
)
def _answers(url: str, server: subprocess.Popen[bytes]) -> None:
    assert server.poll() is None, "the server did not start: see its log"
    requests.get(url, timeout=5)


_OPEN = (
    "--allow-root",
    "--IdentityProvider.token=",
    "--ServerApp.password=",
    "--ServerApp.disable_check_xsrf=True",
)


@pytest.fixture(scope="session")
def school() -> Iterator[demo_canvas.DemoServer]:
    """A Canvas that outlives the kernel that asks it; a run takes 20 seconds."""
    with demo_canvas.serve(duration=20) as server:
        yield server


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, school: demo_canvas.DemoServer) -> Iterator[Server]:
    """JupyterLab 4, with its application object in reach of the page."""
    quiet = (
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    )
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        # Not by the names that crn.connect() looks up: the other notebooks have a demo of their own.
        patch.setenv("SCHOOL_URL", school.url)
        patch.setenv("SCHOOL_TOKEN", school.token)
        workspaces = f"--LabApp.workspaces_dir={folder / 'workspaces'}"
        with serving(folder, "jupyterlab", *_OPEN, *quiet, workspaces) as server:
            yield server


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Jupyter Notebook 7."""
    with serving(
        tmp_path_factory.mktemp("notebook"),
        "notebook",
        *_OPEN,
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ) as server:
        yield server


@pytest.fixture(scope="session")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Voila: the notebook as an application, without its code."""
    with serving(tmp_path_factory.mktemp("voila"), "voila") as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own, at the size of a small laptop."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    yield opened
    context.close()


def shot(page: Page, name: str) -> None:
    """Save a screenshot if the environment asks for it; screenshots are not compared."""
    folder = os.environ.get("CANVAS_REPORTS_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


class Notebook:
    """A notebook open in JupyterLab or Notebook 7, driven through the application's commands."""

    def __init__(self, page: Page, server: Server, path: str, view: str = "lab/tree") -> None:
        self.page, self._server = page, server
        # Else JupyterLab opens what the last page had open, too.
        page.goto(f"{server.url}/{view}/{path}?reset")
        page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('notebook:run-all-cells')")
        page.evaluate("async () => { await window.jupyterapp.restored }")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function(
            "() => { const s = window.jupyterapp.shell.currentWidget?.sessionContext;"
            " return s?.session?.kernel?.status === 'idle' }"
        )

    def command(self, name: str, **args: object) -> None:
        """Run one command of the application, without waiting for what it starts."""
        self.page.evaluate(
            "([name, args]) => { window.jupyterapp.commands.execute(name, args) }", [name, args]
        )

    def run(self, cell: int) -> None:
        """Run one cell, without waiting."""
        self.page.evaluate(
            "async n => { const nb = window.jupyterapp.shell.currentWidget.content; nb.activeCellIndex = n;"
            " nb.deselectAll(); await nb.scrollToItem(n) }",
            cell,
        )
        self.command("notebook:run-cell")

    def ran(self, cell: int) -> None:
        """Wait until a cell has run to its end."""
        self.page.wait_for_function(
            "n => { const c = window.jupyterapp.shell.currentWidget.content.widgets[n];"
            " return c.model.executionCount > 0 && c.model.executionState !== 'running' }",
            arg=cell,
        )

    def restart(self) -> None:
        """Restart the kernel as the menu does, without its question, and wait for it."""
        self.page.evaluate(
            "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.restartKernel() }"
        )
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
        )

    def output(self, cell: int) -> Locator:
        """Return the output of a cell on the page."""
        return (
            self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
            .nth(cell)
            .locator(".jp-OutputArea")
            .first
        )

    def outputs(self, cell: int) -> str:
        """The outputs of a cell as the notebook would save them, as JSON."""
        return json.dumps(
            self.page.evaluate(
                "n => window.jupyterapp.shell.currentWidget.content.widgets[n].model.outputs.toJSON()", cell
            )
        )


@pytest.fixture
def open_lab(lab: Server, page: Page):
    """Open a notebook of the given cells in JupyterLab."""

    def opened(name: str, *cells: str) -> Notebook:
        return Notebook(page, lab, lab.notebook(name, *cells))

    return opened
