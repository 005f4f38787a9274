"""What a cell shows while it waits for a report, and how an interrupt ends the wait."""

from .conftest import shot

START = "import canvas_reports_nb as crn\ncanvas = crn.demo(duration={seconds})"
READ = 'df = canvas.read_report("course_storage_csv")\nprint("rows:", len(df))'


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
