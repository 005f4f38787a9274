"""The form as an analyst uses it, in JupyterLab, Notebook 7 and Voila."""

from __future__ import annotations

import re

import pytest

from .conftest import Notebook, shot

START = "import canvas_reports_nb as crn\ncanvas = crn.demo(duration={seconds})\nform = canvas.form()\nform"
ROWS = 'frame = form.frame\nprint("rows:", len(frame), "columns:", frame.shape[1])'


class Form:
    """A form on the page, used through its controls."""

    def __init__(self, page) -> None:
        self.page = page
        self.root = page.locator(".crn-form").first
        self.root.wait_for()

    def choose(self, report: str) -> None:
        """Type the report's name as a user does, and leave the field."""
        box = self.root.locator(".crn-reports input")
        self.page.wait_for_function("() => !document.querySelector('.crn-reports input').disabled")
        box.fill(report)
        box.press("Tab")
        self.root.locator(".crn-parameters .crn-param").first.wait_for()

    def press(self, name: str) -> None:
        button = self.root.locator(f"button.crn-{name}, .crn-{name} button").first
        button.wait_for()
        button.click()

    def status(self, pattern: str) -> None:
        """Wait for a status that matches."""
        self.root.locator(".crn-status").get_by_text(re.compile(pattern)).first.wait_for()

    def running(self) -> None:
        """Wait until Canvas is working on the run; not every report shows how far it is."""
        self.root.locator(".crn-progress").get_by_text("running").first.wait_for()


@pytest.fixture
def form(open_lab):
    def opened(name: str, *more: str, seconds: float) -> tuple[Notebook, Form]:
        notebook = open_lab(name, START.format(seconds=seconds), *more)
        notebook.run(0)
        notebook.ran(0)
        return notebook, Form(notebook.page)

    return opened


MOVING = (
    "() => { const b = document.querySelector('.crn-form .progress-bar');"
    " const w = parseFloat(b?.style.width); return w > 0 && w < 100 }"
)


def test_from_choice_to_frame(form):
    notebook, shown = form("finish.ipynb", ROWS, seconds=8)
    shot(notebook.page, "idle")
    shown.choose("grade_export_csv")
    term = shown.root.locator(".crn-param-enrollment_term_id input")
    term.fill("Fall 2025")
    term.press("Tab")
    shown.press("run")
    notebook.page.wait_for_function(MOVING)
    shot(notebook.page, "running")
    result = shown.root.locator(".crn-result")
    result.get_by_text("student name").wait_for()
    shot(notebook.page, "done")
    assert "enrollment_term_id" in result.inner_text()
    notebook.run(1)
    notebook.ran(1)
    found = re.search(r"rows: (\d+) columns: 24", notebook.outputs(1))
    assert 0 < int(found[1]) < 2231


def test_stop_then_open_a_past_run(form):
    notebook, shown = form("stop.ipynb", "canvas.history('course_storage_csv').status.tolist()", seconds=8)
    shown.choose("course_storage_csv")
    shown.press("run")
    shown.running()
    shown.press("stop")
    shown.status("stopped")
    shot(notebook.page, "stopped")
    shown.press("run")
    shown.root.locator(".crn-result").get_by_text("storage used").wait_for()
    notebook.run(1)
    notebook.ran(1)
    assert "complete" in notebook.outputs(1)
    assert "aborted" in notebook.outputs(1)
    shown.choose("unused_courses_csv")
    shown.choose("course_storage_csv")
    shown.root.locator(".crn-past button", has_text="Open").first.click()
    shown.root.locator(".crn-result").get_by_text("storage used").wait_for()


def test_a_wrong_parameter_has_its_message_beside_it(form):
    notebook, shown = form("wrong.ipynb", "len(canvas.history('grade_export_csv'))", seconds=8)
    shown.choose("grade_export_csv")
    limit = shown.root.locator(".crn-param-limiting_period")
    limit.locator("input").fill("soon")
    limit.locator("input").press("Tab")
    shown.press("run")
    limit.get_by_text("number").first.wait_for()
    shown.status("Not started")
    shot(notebook.page, "failed")
    notebook.run(1)
    notebook.ran(1)
    assert '"text/plain": "0"' in notebook.outputs(1)


def test_interrupt_while_the_cell_waits_detaches(form):
    notebook, shown = form("wait.ipynb", "form.wait()", "form.job.refresh().status", seconds=600)
    shown.choose("course_storage_csv")
    shown.press("run")
    shown.running()
    notebook.run(1)
    notebook.output(1).locator(".progress-bar").first.wait_for(state="attached")
    notebook.command("notebook:interrupt-kernel")
    notebook.ran(1)
    assert "KeyboardInterrupt" in notebook.outputs(1)
    assert "canvas.attach(" in notebook.outputs(1)
    notebook.run(2)
    notebook.ran(2)
    assert "running" in notebook.outputs(2)


def test_a_restarted_kernel_finds_its_run_again(open_lab, school):
    # The token comes from the environment: a notebook, and the history of its cells, are files.
    connect = (
        "import os\nimport canvas_reports_nb as crn\n"
        'canvas = crn.connect(os.environ["SCHOOL_URL"], os.environ["SCHOOL_TOKEN"])'
    )
    read = 'frame = canvas.read_report("course_storage_csv")\nprint("rows:", len(frame))'
    notebook = open_lab("restart.ipynb", connect + "\ncanvas.form()", connect, read)
    notebook.run(0)
    notebook.ran(0)
    shown = Form(notebook.page)
    shown.choose("course_storage_csv")
    shown.press("run")
    shown.running()
    notebook.restart()
    notebook.run(1)
    notebook.ran(1)
    notebook.run(2)
    notebook.ran(2)
    assert "joining run" in notebook.page.locator(".jp-Notebook").inner_text()
    assert "rows: 132" in notebook.outputs(2)
    assert sum(asked.method == "POST" for asked in school.log) == 1


def test_dark_theme_and_narrow_output(form):
    notebook, shown = form("dark.ipynb", seconds=3)
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    notebook.page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    notebook.page.set_viewport_size({"width": 700, "height": 900})
    shown.choose("provisioning_csv")
    shown.root.locator(".crn-parameters input[type=checkbox]").first.check()
    shown.press("run")
    result = shown.root.locator(".crn-result")
    result.get_by_text("rows").first.wait_for()
    shot(notebook.page, "dark")
    colors = result.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
    )
    light, dark = (sum(map(int, re.findall(r"\d+", color)[:3])) for color in colors)
    assert light - dark > 300
    over = shown.root.evaluate("e => e.scrollWidth - e.clientWidth")
    assert over <= 1
    notebook.command("apputils:change-theme", theme="JupyterLab Light")


def test_notebook_7(notebook7, page):
    path = notebook7.notebook("form.ipynb", START.format(seconds=3), ROWS)
    notebook = Notebook(page, notebook7, path, view="notebooks")
    notebook.run(0)
    notebook.ran(0)
    shown = Form(page)
    shown.choose("course_storage_csv")
    shown.press("run")
    shown.root.locator(".crn-result").get_by_text("storage used").wait_for()
    shot(page, "notebook7")
    notebook.run(1)
    notebook.ran(1)
    assert "rows: 132" in notebook.outputs(1)


def test_voila(voila, page):
    path = voila.notebook("form.ipynb", START.format(seconds=3))
    page.goto(f"{voila.url}/voila/render/{path}")
    shown = Form(page)
    shown.choose("course_storage_csv")
    shown.press("run")
    shown.root.locator(".crn-result").get_by_text("storage used").wait_for()
    shot(page, "voila")
