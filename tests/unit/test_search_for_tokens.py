"""The search for tokens finds leaks that tests of a separate run make on purpose."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from tests.plugins.token_search import MARK

TESTS = Path(__file__).parents[1]
LEAKS = """
import base64, contextlib, logging, subprocess, sys, tempfile, zipfile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from canvas_reports_nb import demo_canvas
from canvas_reports_nb.exceptions import CanvasReportsError

@pytest.fixture(scope="module")
def token():
    with demo_canvas.serve(enrollments=300) as server:
        yield server.token

def test_printed(token):
    print(token)

def test_printed_as_basic_auth(token):
    print("Basic", base64.b64encode(f"me:{token}".encode()).decode())

def test_logged_by_another_library(token):
    logging.getLogger("urllib3.connectionpool").debug("sent %s", token)

def test_expected_error(token):
    with pytest.raises(ValueError):
        raise ValueError(token)

def test_swallowed_error(token):
    with contextlib.suppress(CanvasReportsError):
        raise CanvasReportsError("It broke.", hint=token)

def test_read_back(token, capsys):
    print(token)
    assert capsys.readouterr().out

def test_shell(token):
    CliRunner().invoke(click.Command("x", callback=lambda: click.echo(token)))

def test_process(token):
    call = [sys.executable, "-c", "import sys; print(sys.stdin.read())"]
    subprocess.run(call, input=token, text=True, capture_output=True, check=True)

def test_file_removed(token, tmp_path):
    (tmp_path / "x").write_text(token)
    (tmp_path / "x").unlink()

def test_folder_removed(token):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x").write_text(token)

def test_failing(token):
    assert token == ""

def test_innocent(token, tmp_path):
    print(f"a demo-canvas~ and a demo-canvas-server\\nexport CANVAS_API_TOKEN={token}\\n")
    (tmp_path / "x").write_text("demo-canvas~")
"""
KEPT = f"""
import os
import zipfile

import requests

TOKEN = {MARK!r} + "x" * 43

def test_kept(tmp_path):
    (tmp_path / "kept").write_text(TOKEN)

def test_packed(tmp_path):
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("users.csv", TOKEN * 9)

def test_innocent(tmp_path):
    (tmp_path / "innocent").write_text(TOKEN[:20])

def test_alone():
    assert not [name for name in os.environ if "proxy" in name.lower() or name.startswith("CANVAS_API_")]
    assert os.environ["CANVAS_REPORTS_CACHE"] != "of the machine"
    assert requests.utils.get_netrc_auth("http://127.0.0.1:1") is None
"""
OF_THE_MACHINE = {
    "HTTP_PROXY": "http://proxy.example.org:1",
    "https_proxy": "http://proxy.example.org:1",
    "CANVAS_API_URL": "https://canvas.example.edu",
    "CANVAS_API_TOKEN": "of the machine",
    "CANVAS_REPORTS_CACHE": "of the machine",
}


def run(folder: Path, tests: str, processes: int, **environment: str) -> tuple[int, str, dict[str, str]]:
    """Run tests with the plugins of this suite; return the exit code, the output and each test's outcome."""
    (folder / "conftest.py").write_text(TESTS.joinpath("conftest.py").read_text())
    (folder / "test_leaks.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    call = [
        *(sys.executable, "-m", "pytest", "-q", "--tb=no", "--show-capture=no", "-p", "no:cacheprovider"),
        *("-p", "xdist", f"--numprocesses={processes}"),
        *(f"--basetemp={folder / 'base'}", f"--junitxml={folder / 'report.xml'}"),
    ]
    roots = {str(TESTS.parent): None, str(Path(crn.__file__).parents[1]): None}
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # each takes every process a moment
    netrc = folder / "netrc"
    netrc.write_text("default login somebody password else\n")
    more = {"PYTHONPATH": os.pathsep.join(roots), "NETRC": str(netrc)}
    environment = {**os.environ, **more, **quick, **environment}
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    cases = ET.parse(folder / "report.xml").getroot().iter("testcase")
    outcomes = {case.get("name", ""): "".join(each.tag for each in case) for case in cases}
    for path in folder.rglob("*"):
        if path.is_file():  # otherwise the search of the outer run would also find them
            path.write_bytes(b"")
    return done.returncode, done.stdout, outcomes


processes = pytest.mark.parametrize("processes", [0, 2])


@processes
def test_every_kind_of_leak_is_found(tmp_path: Path, processes: int) -> None:
    code, output, outcomes = run(tmp_path, LEAKS, processes)
    assert code == pytest.ExitCode.TESTS_FAILED, output
    assert outcomes.pop("test_innocent") == "", output
    assert len(outcomes) == 11
    assert [name for name, outcome in outcomes.items() if not outcome] == [], output


@processes
def test_a_token_left_on_disk_fails_the_run(tmp_path: Path, processes: int) -> None:
    code, output, outcomes = run(tmp_path, KEPT, processes, **OF_THE_MACHINE)
    assert outcomes["test_alone"] == "", "settings of the machine do not reach tests"
    assert len(outcomes) == 4
    assert set(outcomes.values()) == {""}, "no single test may fail"
    assert code == pytest.ExitCode.TESTS_FAILED
    found = [line for line in output.splitlines() if "A demo token was found in" in line]
    assert [name for name in ("kept", "packed.zip", "innocent") if any(f"/{name} (" in at for at in found)] == [
        "kept", "packed.zip",
    ]  # fmt: skip
    assert len(found) == 2


def test_demo_tokens_begin_with_the_mark() -> None:
    with demo_canvas.serve(enrollments=300) as server:
        assert server.token.startswith(MARK)
        assert len(server.token) > len(MARK) + 40
