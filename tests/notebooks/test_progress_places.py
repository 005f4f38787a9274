"""Progress in papermill, nbconvert, a terminal and cron."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

REPORT = "zero_activity_csv"
OPEN = "import canvas_reports_nb as crn; canvas = crn.demo(enrollments=300, duration=0)"
READ = f"canvas.read_report('{REPORT}', max_age=0).shape"
LOG_LINES = "import os; os.environ['CANVAS_REPORTS_PROGRESS'] = 'log'"
LOGGING = "os.environ.pop('CANVAS_REPORTS_PROGRESS'); import logging; logging.basicConfig(level='INFO')"
SCRIPT = f"{OPEN}\n{READ}\ncanvas.close()"
CELLS = [OPEN, READ, LOG_LINES, READ, LOGGING, READ, "canvas.close()"]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python with these arguments, without the developer's settings."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith("CANVAS_")}

    def run(*words: object, **settings: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=tmp_path,
            env={**plain, "CANVAS_REPORTS_CACHE": str(tmp_path / "store"), **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


PAPERMILL = ("papermill", "--no-progress-bar", "in.ipynb", "out.ipynb")
NBCONVERT = ("nbconvert", "--to", "notebook", "--execute", "--output", "out", "in.ipynb")


@pytest.mark.parametrize("words", [PAPERMILL, NBCONVERT], ids=["papermill", "nbconvert"])
def test_a_notebook_run_by_a_machine(words: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "in.ipynb")
    run("-m", *words)
    made = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert "widgets" not in made.metadata
    texts = []
    for cell in made.cells:
        outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
        assert {output.get("name") for output in outputs} <= {"stderr"}
        texts.append("".join(output.text for output in outputs))
    assert [text.count("starting a new run") for text in texts] == [0, 0, 0, 1, 0, 1, 0]
    assert [f"{REPORT} run " in text for text in texts] == [False, False, False, True, False, True, False]


@pytest.mark.parametrize("lines", [False, True], ids=["silent", "asked-for"])
def test_a_script_from_cron(*, lines: bool, run: Run) -> None:
    done = run("-c", SCRIPT, CANVAS_REPORTS_PROGRESS="log" if lines else "")
    assert done.stdout == ""
    assert (f"{REPORT} run " in done.stderr) is lines
    assert done.stderr.count("starting a new run") == lines


def test_a_script_in_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
    plain = {name: text for name, text in os.environ.items() if not name.startswith("CANVAS_")}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stderr=theirs,
        env={**plain, "CANVAS_REPORTS_CACHE": str(tmp_path)},
    ) as script:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:
            """A pseudo-terminal signals its end with an error."""
    os.close(ours)
    assert script.returncode == 0
    assert b"100%|" in shown
    assert REPORT.encode() in shown
