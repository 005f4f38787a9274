"""The form as an analyst uses it, in JupyterLab, Notebook 7 and Voila."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from pathlib import Path

import pandas as pd
import pytest
from nbconvert import HTMLExporter

import canvas_reports_nb as crn
from tests import faults

from .conftest import Notebook, shot

START = "import canvas_reports_nb as crn\ncanvas = crn.demo(duration={seconds})\nform = canvas.form()\nform"
ROWS = 'frame = form.frame\nprint("rows:", len(frame), "columns:", frame.shape[1])'
SAVE = 'form.frame.to_parquet("frame.parquet")'

# Left edges of what is in one column, the page's and the form's overflow, and text that is hard to read.
LAYOUT = """() => {
  const form = document.querySelector('.crn-form')
  const visible = e => e.getClientRects().length && getComputedStyle(e).visibility !== 'hidden'
  const left = css => [...form.querySelectorAll(css)].filter(visible).map(e => e.getBoundingClientRect().left)
  const beside = [...form.querySelectorAll('.crn-param > .widget-inline-hbox > select, '
    + '.crn-param > .widget-inline-hbox > input, .crn-labeled > .crn-row')]
  const scrolls = [document.documentElement, form.closest('.jp-WindowedPanel-outer') ?? form, form]
  const rgb = text => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number)
  const light = c => c.slice(0, 3).map(v => v / (text01(c) ? 1 : 255))
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
  const text01 = c => c.is01
  const color = text => { const c = rgb(text); c.is01 = text.startsWith('color('); return c }
  const back = e => { for (; e; e = e.parentElement) {
    const c = color(getComputedStyle(e).backgroundColor)
    if (c.length < 4 || c[3] > 0.99) return c } return [255, 255, 255] }
  const dim = e => { for (; e && e !== form; e = e.parentElement) if (getComputedStyle(e).opacity < 1 || e.disabled) return true }
  const pale = new Set()
  const walker = document.createTreeWalker(form, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement
    if (!walker.currentNode.textContent.trim() || !visible(e) || e.closest('style, option, .crn-heard') || dim(e)) continue
    const [a, b] = [light(color(getComputedStyle(e).color)), light(back(e))].sort((x, y) => y - x)
    if ((a + 0.05) / (b + 0.05) < 4.5) pale.add(e.className + ': ' + e.textContent.slice(0, 30))
  }
  const bottom = css => Math.max(...[...form.querySelectorAll(css)].map(e => e.getBoundingClientRect().bottom))
  return {
    labels: left('.crn-param > .widget-inline-hbox:not(.widget-checkbox) > .widget-label, .crn-labeled > .crn-label'),
    controls: beside.filter(visible).filter(e => !e.closest('.crn-labeled .crn-param')).map(e => e.getBoundingClientRect().left),
    below: left('.crn-result .crn-scroll, .crn-heading, .crn-columns, .crn-code'),
    over: scrolls.map(e => e.scrollWidth - e.clientWidth),
    height: bottom('.crn-actions') - form.getBoundingClientRect().top,
    pale: [...pale],
  }
}"""


class Form:
    """A form on the page, used through its controls."""

    def __init__(self, page) -> None:
        self.page, self.themes = page, ["JupyterLab Light", "JupyterLab Dark"]
        self.root = page.locator(".crn-form").first
        self.root.wait_for()

    def choose(self, title: str) -> None:
        """Select a report in the list, or in the picker that replaces it on a narrow page."""
        self.page.wait_for_function("() => !document.querySelector('.crn-search input').disabled")
        listed = self.root.locator(".crn-list select")
        if listed.is_visible():
            listed.select_option(label=title)
        else:
            picker = self.root.locator(".crn-picker select")
            picker.select_option(
                index=[title in text for text in picker.locator("option").all_inner_texts()].index(True)
            )
        self.root.locator(".crn-title", has_text=title).wait_for()
        # The title comes after the options, and the past runs come last.
        self.page.wait_for_function("() => !/Loading/.test(document.querySelector('.crn-past').innerText)")
        terms = self.root.locator(".crn-param-enrollment_term_id option")
        terms.filter(has_text="All terms").wait_for(state="attached")

    def term(self, text: str) -> None:
        """Select the term whose line begins with a text."""
        field = self.root.locator(".crn-param-enrollment_term_id select")
        field.locator("option", has_text=text).first.wait_for(state="attached")
        lines = [line.replace("\xa0", " ") for line in field.locator("option").all_inner_texts()]
        field.select_option(index=[line.startswith(text) for line in lines].index(True))

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

    def result(self, text: str):
        """Wait for a text in the result."""
        found = self.root.locator(".crn-result").get_by_text(text).first
        found.wait_for()
        return found

    def looks_right(self, name: str) -> None:
        """Check the layout of this state on a wide and a narrow page, in light and dark."""
        for theme in self.themes:
            self.page.evaluate(
                "t => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})", theme
            )
            dark = str(theme.endswith("Light")).lower()
            self.page.wait_for_selector(f"body[data-jp-theme-light='{dark}']", state="attached")
            for width in (800, 1280):
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.evaluate("document.querySelector('.crn-form').scrollIntoView()")
                self.page.evaluate(
                    "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
                )
                shot(self.page, f"{name}-{theme[11:].lower()}-{width}")
                found = self.page.evaluate(LAYOUT)
                for column in ("labels", "controls", "below"):
                    assert max(found[column], default=0) - min(found[column], default=0) <= 1, (
                        name,
                        width,
                        column,
                    )
                assert max(found["over"]) <= 0, (name, width, found["over"])
                assert found["pale"] == [], (name, theme)
                if width == 1280 and name != "wrong":  # it has all options unfolded
                    assert found["height"] < 700, "the action bar needs no scrolling at 1280 x 900"
                axe(self.page)
        self.themes.reverse()  # the next state begins with the theme of this one


def axe(page) -> None:
    """Check the form with axe-core, if CANVAS_REPORTS_AXE names its script."""
    script = os.environ.get("CANVAS_REPORTS_AXE")
    if script:
        page.evaluate(Path(script).read_text(encoding="utf-8") + ";0")
        found = page.evaluate("async () => (await axe.run('.crn-form')).violations")
        bad = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in bad] == []


@pytest.fixture
def form(open_lab):
    def opened(name: str, *more: str, seconds: float, start: str = START) -> tuple[Notebook, Form]:
        notebook = open_lab(name, start.format(seconds=seconds), *more)
        notebook.run(0)
        notebook.ran(0)
        return notebook, Form(notebook.page)

    return opened


MOVING = (
    "() => { const b = document.querySelector('.crn-form .progress-bar');"
    " const w = parseFloat(b?.style.width); return w > 0 && w < 100 }"
)


def test_every_state_is_laid_out_for_wide_and_narrow_pages_in_light_and_dark(form):
    notebook, shown = form("states.ipynb", seconds=8)
    page = notebook.page
    shown.looks_right("idle")
    shown.choose("Provisioning")
    shown.looks_right("chosen")
    shown.press("run")
    shown.root.locator(".crn-param-files").get_by_text("Select at least one").first.wait_for()
    shown.root.locator(".crn-more").click()
    shown.looks_right("wrong")
    shown.root.locator(".crn-more").click()
    for name in ("users", "courses"):
        shown.root.locator(f".crn-tick-{name} input").check()
    shown.press("run")
    shown.running()
    shown.looks_right("running")
    assert page.evaluate("document.activeElement.closest('.crn-form') !== null"), (
        "Run keeps the focus in the form"
    )
    shown.press("stop")
    shown.status("was stopped")
    assert "stopped" in shown.root.locator(".crn-progress").inner_text()
    shown.looks_right("stopped")
    shown.choose("Grade Export")
    shown.term("All terms")
    shown.press("run")
    page.wait_for_function(MOVING)
    shown.result("student name")
    shown.looks_right("done")
    shown.choose("Unused Courses")
    shown.result("This result has other settings")
    shown.choose("Grade Export")
    shown.term("All terms")
    shown.root.locator(".crn-stale-label").wait_for(state="detached")
    shown.term("Fall 2025")
    shown.root.locator("button[class*=crn-delete-]").first.click()
    shown.root.locator(".crn-ask").wait_for()
    shown.looks_right("stale")


def test_the_result_is_downloaded_and_the_saved_notebook_shows_it_without_a_kernel(form, lab):
    notebook, shown = form("saved.ipynb", SAVE, seconds=1)
    shown.choose("Provisioning")
    for name in ("users", "terms"):
        shown.root.locator(f".crn-tick-{name} input").check()
    shown.press("run")
    shown.result("full_name")
    shown.root.locator(".crn-table").get_by_text(re.compile(r"^terms \d+")).click()
    shown.result("start_date")
    shown.press("next") if shown.root.locator("button.crn-next").is_enabled() else None
    files = {}
    for kind in ("csv", "excel"):
        with notebook.page.expect_download() as download:
            shown.press(kind)
            shown.root.locator(f".crn-download a[href*='.{'xlsx' if kind == 'excel' else kind}']").click()
        files[kind] = download.value.path().rename(lab.folder / download.value.suggested_filename)
    notebook.run(1)
    notebook.ran(1)
    read = crn.read_file(files["csv"], table="terms")
    # pandas 2 reads text from Parquet as objects.
    frame = pd.read_parquet(lab.folder / "frame.parquet").astype(read.dtypes)
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)
    sheet = pd.read_excel(files["excel"], sheet_name="terms", dtype=str)
    assert sheet["name"].tolist() == frame["name"].tolist()

    page = notebook.page
    page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save') }")
    saved = (lab.folder / "saved.ipynb").read_text(encoding="utf-8")
    outputs = json.loads(saved)["cells"][0]["outputs"]
    assert "start_date" in "".join(outputs[0]["data"]["text/html"])
    exported, _ = HTMLExporter().from_filename(str(lab.folder / "saved.ipynb"))
    assert "start_date" in exported
    page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown() }")
    page.goto("about:blank")  # nothing is left of the widgets
    again = Notebook(page, lab, "saved.ipynb")
    output = again.output(0)
    output.get_by_text("start_date").first.wait_for()
    page.wait_for_timeout(2500)  # JupyterLab looks two seconds for a widget that is gone
    assert "model not found" not in output.inner_text()
    shot(page, "reopened")


def test_account_same_settings_and_delete(form):
    ask = 'sorted(canvas.history("course_storage_csv").status)'
    notebook, shown = form("past.ipynb", ask, "form.job.run.parameters", seconds=1)
    shown.choose("Course Storage")
    shown.term("Fall 2025")
    shown.press("run")
    shown.result("storage used")
    line = shown.root.locator(".crn-run-line").first
    line.get_by_text("Fall 2025 (FA25)").wait_for()
    shown.term("All terms")
    shown.result("This result has other settings")
    line.get_by_role("button", name="Same settings").click()
    shown.root.locator(".crn-stale-label").wait_for(state="detached")
    selected = shown.root.locator(".crn-param-enrollment_term_id option:checked").inner_text()
    assert selected.replace("\xa0", " ").startswith("Fall 2025")
    delete = shown.root.locator("button[class*=crn-delete-]").first
    delete.click()
    shown.root.locator(".crn-ask").get_by_text("for everyone").wait_for()
    shown.press("cancel")
    shown.root.locator(".crn-ask").wait_for(state="hidden")
    notebook.run(1)
    notebook.ran(1)
    assert "complete" in notebook.outputs(1)
    delete.click()
    shown.press("confirm")
    shown.root.locator(".crn-past").get_by_text("No past runs").wait_for()
    account = shown.root.locator(".crn-account select")
    notebook.page.wait_for_function("() => !document.querySelector('.crn-account select').disabled")
    account.select_option(index=1)
    shown.result("This result has other settings")
    shown.root.locator(".crn-past").get_by_text("No past runs").wait_for()
    shown.term("Fall 2025")
    shown.press("run")
    shown.root.locator(".crn-stale-label").wait_for(state="detached")
    assert ".account(" in shown.root.locator(".crn-code").inner_text()


def test_keyboard_only(form):
    notebook, shown = form("keys.ipynb", ROWS, seconds=1)
    page, keys = notebook.page, notebook.page.keyboard
    page.wait_for_function("() => !document.querySelector('.crn-search input').disabled")
    shown.root.locator("button.crn-refresh").focus()

    def reach(css: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(30):
            if page.evaluate("css => document.activeElement.matches(css)", css):
                return
            keys.press("Tab")
        raise AssertionError(css)

    reach(".crn-search input")
    keys.type("grade")
    page.wait_for_function("() => document.querySelectorAll('.crn-list option').length < 20")
    reach(".crn-list select")
    keys.press("Home")
    shown.root.locator(".crn-title").wait_for()
    keys.type("Grade Ex")
    shown.root.locator(".crn-title", has_text=re.compile("^Grade Export$")).wait_for()
    shown.root.locator(".crn-param-enrollment_term_id option", has_text="All terms").wait_for(
        state="attached"
    )
    reach(".crn-param-enrollment_term_id select")
    keys.type("Fall 2025")
    reach("button.crn-run")
    keys.press("Enter")
    shown.result("student name")
    assert page.evaluate("document.activeElement.closest('.crn-form') !== null")
    reach("button.crn-csv")
    keys.press("Space")
    shown.root.locator(".crn-download a").wait_for()
    notebook.run(1)
    notebook.ran(1)
    found = re.search(r"rows: (\d+) columns: 24", notebook.outputs(1))
    assert 0 < int(found[1]) < 2231
    assert shown.root.locator(".crn-chip").first.inner_text() == "Fall 2025 (FA25)"


def test_stop_during_a_retry_sends_nothing_more(form, lab):
    address = ("127.0.0.1", 0)
    with faults.serve(enrollments=300, duration=600) as server, socket.create_server(address) as door:
        # The kernel gets the token through a socket, because no file may hold one.
        text = json.dumps([server.url, server.token]).encode()

        def hand_over():
            with door.accept()[0] as kernel:
                kernel.sendall(text)

        threading.Thread(target=hand_over, daemon=True).start()
        start = (
            "import json, socket\nimport canvas_reports_nb as crn\n"
            f"given = socket.create_connection({door.getsockname()}).recv(1000)\n"
            'canvas = crn.connect(*json.loads(given), store="retry-store")\ncanvas.form()'
        )
        _, shown = form("retry.ipynb", seconds=0, start=start.replace("{", "{{").replace("}", "}}"))
        shown.choose("Course Storage")
        shown.term("All terms")
        server.plan("http_503@show*")
        shown.press("run")
        shown.root.page.wait_for_function(
            "() => document.querySelector('.crn-progress').innerText.includes('run ')"
        )
        while not server.kinds["show"]:
            shown.page.wait_for_timeout(100)
        shown.press("stop")
        shown.status("was stopped")
        sent = [record.method for record in server.log]
        assert sent.count("PUT") == 1
        assert set(sent[sent.index("PUT") + 1 :]) <= {"GET"}
        shown.page.wait_for_timeout(3000)
        assert [record.method for record in server.log].count("PUT") == 1
        assert sum("reports/course_storage_csv/" in record.path for record in server.log[len(sent) :]) == 0


def test_stop_then_open_a_past_run(form):
    notebook, shown = form("stop.ipynb", "canvas.history('course_storage_csv').status.tolist()", seconds=8)
    shown.choose("Course Storage")
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
    shown.choose("Unused Courses")
    shown.choose("Course Storage")
    shown.root.locator(".crn-past button", has_text="Open").first.click()
    shown.root.locator(".crn-result").get_by_text("storage used").wait_for()


def test_a_wrong_parameter_has_its_message_beside_it(form):
    notebook, shown = form("wrong.ipynb", "len(canvas.history('grade_export_csv'))", seconds=8)
    shown.choose("Grade Export")
    shown.press("more")
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
    shown.choose("Course Storage")
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
    shown.choose("Course Storage")
    shown.term("All terms")
    shown.press("run")
    while "POST" not in [asked.method for asked in school.log]:
        notebook.page.wait_for_timeout(100)
    school.clock.advance(5)
    shown.running()
    notebook.restart()
    notebook.run(1)
    notebook.ran(1)
    notebook.run(2)
    notebook.page.locator(".jp-Notebook").get_by_text("joining run").first.wait_for()
    school.clock.advance(20)
    notebook.ran(2)
    assert "rows: 132" in notebook.outputs(2)
    assert sum(asked.method == "POST" for asked in school.log) == 1


def test_notebook_7(notebook7, page):
    path = notebook7.notebook("form.ipynb", START.format(seconds=3), ROWS)
    notebook = Notebook(page, notebook7, path, view="notebooks")
    notebook.run(0)
    notebook.ran(0)
    shown = Form(page)
    shown.choose("Course Storage")
    shown.term("All terms")
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
    shown.choose("Course Storage")
    shown.term("All terms")
    shown.press("run")
    shown.root.locator(".crn-result").get_by_text("storage used").wait_for()
    assert "import canvas_reports_nb" not in page.locator("body").inner_text()
    shot(page, "voila")
