"""What IPython and Jupyter show of an error: the user's line, the message and the hint."""

import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from traitlets.config import Config

from canvas_reports_nb import exceptions

PACKAGE = Path(exceptions.__file__).parent
CELL = 'table = "users"\ncanvas.read_report("grade_exprt_csv", users=True)'


@pytest.fixture
def shell(canvas: Any) -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config, colors="nocolor")
    shell.user_ns["canvas"] = canvas(scenarios=["http_503@history*"])
    yield shell
    InteractiveShell.clear_instance()


def shown(shell: InteractiveShell, cell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a cell that fails; return what it prints."""
    shell.run_cell(cell)
    return capsys.readouterr().out


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose", "Minimal"])
def test_a_cell_shows_its_own_line_and_the_message(
    mode: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(f"%xmode {mode}")
    capsys.readouterr()
    text = shown(shell, CELL, capsys)
    assert text.startswith(
        'Cell, line 2:\n    canvas.read_report("grade_exprt_csv", users=True)\n\nUnknownReportError: '
    )
    assert "Did you mean 'grade_export_csv'" in text
    assert text.endswith("\nFor the full traceback: %tb\n")
    assert str(PACKAGE) not in text
    assert text.count("\n") < 12


@pytest.mark.parametrize("magic", ["%tb", "%tb Verbose", "%tb Plain"])
def test_the_magic_tb_shows_everything_but_no_values(
    magic: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(shell, CELL, capsys)
    text = shown(shell, magic, capsys)
    assert text.startswith("Traceback (most recent call last):")
    assert f'File "{PACKAGE}' in text
    assert "UnknownReportError: " in text
    assert shell.user_ns["canvas"].server.token not in text


def test_functions_of_the_user_are_shown_too(
    shell: InteractiveShell,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "my_helpers.py").write_text("def grades(canvas):\n    return canvas.history('nothing_csv')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    shell.user_ns["canvas"].server.plan("http_503@delete")
    text = shown(
        shell, "import my_helpers\ndef load():\n    return my_helpers.grades(canvas)\nload()", capsys
    )
    sys.modules.pop("my_helpers")
    places = re.findall(r"^(\S.*), line (\d+)(?:, in (\w+))?:$", text, re.MULTILINE)
    assert places == [("Cell", "4", ""), ("Cell", "3", "load"), ("my_helpers.py", "2", "grades")]
    assert str(tmp_path) not in text


def test_an_error_during_another_shows_its_own_message(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    canvas.report('nothing_csv')"
    text = shown(shell, cell, capsys)
    assert text.startswith("Cell, line 4:\n    canvas.report('nothing_csv')\n\nUnknownReportError: ")
    assert "ZeroDivisionError" not in text
    assert "ZeroDivisionError" in shown(shell, "%tb", capsys)


def test_a_note_is_shown_and_other_errors_are_untouched(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["error"] = exceptions.StoreError("The disk is full.", hint="Clear the store.")
    shell.user_ns["error"].add_note("Seen twice.")
    assert shown(shell, "raise error", capsys) == (
        "Cell, line 1:\n    raise error\n\nStoreError: The disk is full.\nClear the store.\nSeen twice.\n"
        "\nFor the full traceback: %tb\n"
    )
    assert "Traceback (most recent call last)" in shown(shell, "1 / 0", capsys)


def test_a_group_of_failures_names_each(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    # IPython leaves groups to Python, whatever they define.
    shell.user_ns["canvas"].server.plan("http_500@show*")
    failed = [exceptions.RunFailedError("It failed.", run) for run in runs(shell)]
    shell.user_ns["group"] = exceptions.ReportsFailedError("2 of 3 reports failed.", failed, hint="Look.")
    shell.run_cell("raise group")
    text = capsys.readouterr().err
    assert "ReportsFailedError: 2 of 3 reports failed." in text
    assert text.count("RunFailedError: It failed.") == 2


def runs(shell: InteractiveShell) -> list[Any]:
    canvas = shell.user_ns["canvas"]
    return [canvas.start(report).run for report in ("course_storage_csv", "unused_courses_csv")]


def test_plain_python_shows_the_whole_traceback(canvas: Any) -> None:
    with pytest.raises(exceptions.UnknownReportError) as caught:
        canvas().report("nothing_csv")
    text = "".join(traceback.format_exception(caught.value))
    assert text.startswith("Traceback (most recent call last):")
    assert str(PACKAGE) in text


START = "import canvas_reports_nb as crn\ncanvas = crn.demo(enrollments=300)"


def test_in_a_kernel_too(tmp_path: Path) -> None:
    cells = [START, "%xmode Verbose", CELL, "%tb"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (short,), (full,) = (cell.outputs for cell in notebook.cells[2:])
    assert short.ename == "UnknownReportError"
    text = "\n".join(short.traceback)
    assert text.startswith(
        'Cell, line 2:\n    canvas.read_report("grade_exprt_csv", users=True)\n\nUnknownReportError: '
    )
    assert str(PACKAGE) not in text
    assert str(PACKAGE) in "\n".join(full.traceback)
    assert "demo-canvas~" not in nbformat.writes(notebook)


def test_in_a_terminal_too(tmp_path: Path) -> None:
    code = f"{START}\nget_ipython().run_line_magic('xmode', 'Verbose')\n{CELL}"
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "IPython",
            "--no-banner",
            "--colors=nocolor",
            "--ipython-dir",
            str(tmp_path),
            "-c",
            code,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        'canvas.read_report("grade_exprt_csv", users=True)\n\nUnknownReportError: ' in ran.stdout + ran.stderr
    )
    assert str(PACKAGE) not in ran.stdout + ran.stderr
    assert "demo-canvas~" not in ran.stdout + ran.stderr
