"""The command notebook runs a notebook for other settings, and leaves no secret and no path behind."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner, Result

from canvas_reports_nb.cli import cli
from canvas_reports_nb.cli import notebook as command
from canvas_reports_nb.cli.notebook import notebooks_folder, value_of

SETTINGS = """TERM = "current"  # a term
BELOW = 70.0
COURSES = 2
CLASSES = ["BIO 101"]
ON = {"user_id": "user_id"}
WITH_NAMES = True
EXTRACT = None  # a file"""
WORK = """import os
import warnings
from pathlib import Path
from IPython.display import HTML, display
values = [TERM, BELOW, COURSES, CLASSES, ON, WITH_NAMES, EXTRACT]
print(values, Path(EXTRACT).read_text() if EXTRACT else "no file")
warnings.warn(f"in {Path.cwd()} with {os.environ.get('CANVAS_API_TOKEN', 'no token')}")
display(HTML(f"<p>{os.environ.get('CANVAS_API_TOKEN', 'no token')}</p>"))
Path("roster.xlsx").write_text("rows")"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run a notebook of these cells in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANVAS_API_TOKEN", "1234~very-hidden")

    def run(*options: str, work: str = WORK) -> Result:
        cells = [nbformat.v4.new_code_cell(code) for code in (SETTINGS, work)]
        cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "05_roster.ipynb")
        return CliRunner().invoke(cli, ["notebook", "./05_roster.ipynb", *options])

    return run


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_settings_files_and_outputs(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    extract = tmp_path / "lists" / "extract.csv"
    extract.write_text("000481", encoding="utf-8")
    given = [
        "TERM=FA26",
        "below=65",
        "COURSES=3",
        "CLASSES=007, 1e5",
        'ON={"user_id": "EMPLID"}',
        "WITH_NAMES=no",
    ]
    options = [word for each in (*given, f"EXTRACT={extract}") for word in ("--set", each)]
    done = run(*options, "--html", "--xlsx", "-o", "out")
    assert (done.exit_code, done.output) == (0, "")
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["05_roster.html", "05_roster.ipynb", "roster.xlsx"]
    made = tmp_path / "out" / "05_roster.ipynb"
    expected = "['FA26', 65.0, 3, ['007', '1e5'], {'user_id': 'EMPLID'}, False, 'extract.csv'] 000481"
    assert expected in printed(made)
    page = (tmp_path / "out" / "05_roster.html").read_text(encoding="utf-8")
    assert "FA26" in page
    assert "write_text(" not in page  # the page shows no code
    for text in (made.read_text(encoding="utf-8"), page):
        assert "very-hidden" not in text
        assert "(token)" in text
        assert not [
            place for place in (str(tmp_path), str(Path.home()), sys.prefix, "/tmp/") if place in text
        ]
    if os.name == "posix":
        assert {path.stat().st_mode & 0o077 for path in (tmp_path / "out").iterdir()} == {0}


def test_a_second_run_keeps_the_first_and_the_demo_gets_no_token(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    for _ in range(2):
        assert run("-o", "out", "--demo").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "05_roster-2.ipynb",
        "05_roster.ipynb",
    ]
    assert "with no token" in printed(tmp_path / "out" / "05_roster-2.ipynb")


@pytest.mark.parametrize(("failures", "code"), [(2, 0), (3, 1)])
def test_a_kernel_that_does_not_start_is_tried_again(
    failures: int, code: int, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []

    def execute(client: Any, **_: Any) -> None:
        tried.append(client)
        if len(tried) <= failures:
            raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr("nbclient.NotebookClient.execute", execute)
    done = run("-o", "out")
    assert (done.exit_code, len(tried)) == (code, 3)
    assert ("The kernel did not start." in done.output) == bool(code)


def test_a_cell_that_fails(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run("--html", "-o", "out", work="print('before')\nopen('grades.csv')")
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: 05_roster failed. FileNotFoundError: ")
    assert done.stderr.endswith(f"The cells before it are in {Path('out', '05_roster.ipynb')}.\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["05_roster.ipynb"]
    made = tmp_path / "out" / "05_roster.ipynb"
    assert printed(made) == "before\n"
    assert str(tmp_path) not in made.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--set", "TEAM=FA26"], "no setting 'TEAM'. Did you mean 'TERM'?"),
        (["--set", "TEAM=FA26"], "Its settings are TERM='current', BELOW=70.0, COURSES=2"),
        (["--set", "TERM"], "Write --set NAME=VALUE"),
        (["--set", "COURSES=two"], "Can't read COURSES='two'. Write it like its default, 2."),
        (["--set", "WITH_NAMES=perhaps"], "Can't read WITH_NAMES='perhaps'"),
        (["--set", "ON=[1]"], "Can't read ON='[1]'"),
        (["--set", "CLASSES=[1"], "Can't read CLASSES='[1'"),
    ],
)
def test_wrong_settings(run: Callable[..., Result], options: list[str], says: str, tmp_path: Path) -> None:
    done = run(*options)
    assert done.exit_code == 2
    assert says in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["05_roster.ipynb"]


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("000481", "", "000481"),
        ("1e5", "current", "1e5"),
        ("none", "current", "none"),
        ("000481", None, "000481"),
        ("none", None, None),
        ("False", None, False),
        ('["a", "b"]', None, ["a", "b"]),
        ("", None, ""),
        ("7", 3, 7),
        ("7", 3.0, 7.0),
        ("Yes", False, True),
        ("A, B,", [], ["A", "B"]),
        ("1,2", [5], [1, 2]),
        ('["A,1"]', ["B"], ["A,1"]),
        ('{"EW": "other"}', {}, {"EW": "other"}),
    ],
)
def test_values_have_the_type_of_the_default(text: str, default: Any, expected: Any) -> None:
    found = value_of(text, default)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "name", ["11", "when_it_fails", "when-it-fails", "11_when_it_fails.ipynb", "When_It_Fails"]
)
def test_names(name: str) -> None:
    assert command._find(name) == notebooks_folder() / "11_when_it_fails.ipynb"


def test_an_installed_package_has_the_notebooks_inside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inside = tmp_path / "site-packages" / "canvas_reports_nb"
    (inside / "notebooks").mkdir(parents=True)
    (inside / "notebooks" / "03_census_day.ipynb").touch()
    (tmp_path / "site-packages" / "notebooks").mkdir()  # somebody else's
    monkeypatch.setattr(command, "__file__", str(inside / "cli" / "notebook.py"))
    assert command._find("census_day") == inside / "notebooks" / "03_census_day.ipynb"


def test_an_unknown_name_and_a_notebook_without_settings(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["notebook", "when_it_fell", "-o", str(tmp_path)])
    assert done.exit_code == 2
    assert (
        "Unknown notebook 'when_it_fell'. Did you mean 'when_it_fails'? Use one of quickstart, form,"
        in done.stderr
    )
    done = CliRunner().invoke(cli, ["notebook", "form", "--set", "TERM=FA26", "-o", str(tmp_path)])
    assert done.exit_code == 2
    assert "It has no settings." in done.stderr


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    done = CliRunner().invoke(cli, ["notebook", "form", "-o", str(tmp_path)])
    assert done.exit_code == 1
    assert 'python -m pip install "canvas-reports-nb[demo]"' in done.stderr


def test_the_settings_of_every_notebook_are_literals_with_a_comment() -> None:
    for path in notebooks_folder().glob("*.ipynb"):
        content = json.loads(path.read_text(encoding="utf-8"))
        tagged = [cell for cell in content["cells"] if "parameters" in cell["metadata"].get("tags", ())]
        lines = [line for cell in tagged for line in cell["source"]]
        assert all("  # " in line for line in lines), path.stem
        assert len(tagged) <= 1
        command._defaults(nbformat.read(path, as_version=4))
