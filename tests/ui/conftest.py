"""Real front ends in a real browser, started by the tests and used like a user would."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
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

#: How long a browser may take on a busy machine with two cores, in milliseconds.
PATIENCE = 90_000
LAPTOP = {"width": 1280, "height": 900}
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: apt-get install chromium")
        pytest.skip("chromium is missing: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=SWITCHES)
        yield opened
        opened.close()


@dataclass(frozen=True)
class Server:
    """A running Jupyter server and its notebook folder."""

    url: str
    folder: Path

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells and return its path inside the folder."""
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(made, self.folder / name)
        return name


def free_port() -> int:
    """Return a port that nobody gets before the server takes it: below those that systems give on request."""
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


@contextmanager
def serving(folder: Path, application: str, *options: str, **settings: str) -> Iterator[Server]:
    """Start a Jupyter application on this machine, with more environment variables; stop it and its kernels."""
    port = free_port()
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
    # With a developer's token, the notebooks would use a real Canvas.
    plain = {name: text for name, text in os.environ.items() if not name.startswith("CANVAS_")}
    command = [sys.executable, "-m", application, "--no-browser", f"--port={port}", *options]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=notebooks, env={**plain, **places, **settings}, stdout=log, stderr=subprocess.STDOUT
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
    assert server.poll() is None, "The server did not start. See its log."
    requests.get(url, timeout=5)


OPEN = (
    "--allow-root",
    "--IdentityProvider.token=",
    "--ServerApp.password=",
    "--ServerApp.disable_check_xsrf=True",
    "--ServerApp.port_retries=0",
)


@pytest.fixture(scope="session")
def school() -> Iterator[demo_canvas.DemoServer]:
    """Serve a demo Canvas that outlives the kernels; a run takes 20 seconds of a clock that a test advances."""
    with demo_canvas.serve(duration=20, clock=demo_canvas.SteppedClock(datetime.now(UTC))) as server:
        yield server


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, school: demo_canvas.DemoServer) -> Iterator[Server]:
    """Serve JupyterLab 4, with its application object available on the page."""
    quiet = (
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    )
    folder = tmp_path_factory.mktemp("lab")
    workspaces = f"--LabApp.workspaces_dir={folder / 'workspaces'}"
    # Not the names that crn.connect() uses, because the other notebooks start their own demo.
    places = {"SCHOOL_URL": school.url, "SCHOOL_TOKEN": school.token}
    with serving(folder, "jupyterlab", *OPEN, *quiet, workspaces, **places) as server:
        yield server


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve Jupyter Notebook 7."""
    with serving(
        tmp_path_factory.mktemp("notebook"),
        "notebook",
        *OPEN,
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ) as server:
        yield server


@pytest.fixture(scope="session")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve Voila, which shows notebooks as applications without their code."""
    with serving(tmp_path_factory.mktemp("voila"), "voila") as server:
        yield server


@contextmanager
def opened_page(browser: Browser) -> Iterator[Page]:
    """Open a page of a new browser session with the size of a small laptop."""
    context = browser.new_context(viewport=LAPTOP, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a new page."""
    with opened_page(browser) as page:
        yield page


@pytest.fixture(scope="session")
def lab_page(browser: Browser) -> Iterator[Page]:
    """Open the page that shows one notebook of JupyterLab after the other: loading JupyterLab takes seconds."""
    with opened_page(browser) as page:
        yield page


def shot(page: Page, name: str) -> None:
    """Save a screenshot if CANVAS_REPORTS_SCREENSHOTS names a folder; screenshots are not compared."""
    folder = os.environ.get("CANVAS_REPORTS_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


CLOSE = """() => {
    for (const widget of [...window.jupyterapp.shell.widgets('main')]) {
        widget.sessionContext?.session?.shutdown().catch(() => {})
        widget.dispose()
    }
}"""


class Notebook:
    """A notebook open in JupyterLab or Notebook 7, controlled by the application's commands."""

    def __init__(self, page: Page, server: Server, path: str, view: str = "lab/tree") -> None:
        self.page, self._server = page, server
        if page.url.startswith(f"{server.url}/lab"):
            page.evaluate(CLOSE)
            self.command("docmanager:open", path=path)
        else:
            page.goto(f"{server.url}/{view}/{path}")
            page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('notebook:run-all-cells')")
            page.evaluate("async () => { await window.jupyterapp.restored }")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function(
            "() => { const s = window.jupyterapp.shell.currentWidget?.sessionContext;"
            " return s?.session?.kernel?.status === 'idle' }"
        )

    def command(self, name: str, **args: object) -> None:
        """Run a command of the application without waiting for its result."""
        self.page.evaluate(
            "([name, args]) => { window.jupyterapp.commands.execute(name, args) }", [name, args]
        )

    def run(self, cell: int) -> None:
        """Start a cell without waiting for it."""
        self.page.evaluate(
            "async n => { const nb = window.jupyterapp.shell.currentWidget.content; nb.activeCellIndex = n;"
            " nb.deselectAll(); await nb.scrollToItem(n) }",
            cell,
        )
        self.command("notebook:run-cell")

    def ran(self, cell: int) -> None:
        """Wait until a cell has finished."""
        self.page.wait_for_function(
            "n => { const c = window.jupyterapp.shell.currentWidget.content.widgets[n];"
            " return c.model.executionCount > 0 && c.model.executionState !== 'running' }",
            arg=cell,
        )

    def restart(self) -> None:
        """Restart the kernel without confirmation and wait for it."""
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
        """Return the outputs of a cell as JSON, as the notebook would save them."""
        return json.dumps(
            self.page.evaluate(
                "n => window.jupyterapp.shell.currentWidget.content.widgets[n].model.outputs.toJSON()", cell
            )
        )


@pytest.fixture
def open_lab(lab: Server, lab_page: Page):
    """Open a notebook of the given cells in JupyterLab."""

    def opened(name: str, *cells: str) -> Notebook:
        lab_page.set_viewport_size(LAPTOP)
        return Notebook(lab_page, lab, lab.notebook(name, *cells))

    return opened
