"""The README's code and the office tasks run, and the README's numbers and names are the real ones."""

import functools
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import yaml

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from canvas_reports_nb.catalog.schemas import reports, schema

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TASKS = (ROOT / "docs" / "tasks.rst").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def rows_below(header: str) -> list[list[str]]:
    """Return the cells of the table with this header."""
    lines = README.partition(f"{header}\n")[2].splitlines()
    return [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[1 : lines.index("", 1)]
    ]


SHELL = [line for block in blocks("sh") for line in block.splitlines()]
(CRON,) = [line for block in blocks("text") for line in block.splitlines()]
RUNS = [line for line in SHELL if line.startswith("canvas-reports run")]
COMMANDS = [
    'python -m pip install -e ".[demo]" && canvas-reports demo',
    'python -m pip install -e ".[test]" && python -m pytest',
]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder with a new store, and hide the settings of a Canvas."""
    monkeypatch.chdir(tmp_path)
    for name in ("CANVAS_API_URL", "CANVAS_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("CANVAS_REPORTS_PROGRESS", "off")
    return tmp_path


def test_every_block_is_tested() -> None:
    languages = re.findall(r"^```(.+)$", README, re.MULTILINE)
    assert set(languages) == {"python", "sh", "text"}
    assert [*COMMANDS, *RUNS] == SHELL


def test_python_recipes(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    # Runs end at once, so nothing needs to wait for them.
    monkeypatch.setattr(crn, "demo", functools.partial(crn.demo, duration=0, sleep=lambda _: None))
    try:
        for code in blocks("python"):
            exec(compile(code, "README.md", "exec"), names)  # the README is part of this project
        enrolled = names["canvas"].read_tables("provisioning_csv", **names["switches"])["enrollments"]
    finally:
        if "canvas" in names:
            names["canvas"].close()
    assert set(names["grades"]["term"]) == {"Spring 2026"}
    assert 0 < names["courses"]["students"].sum() < len(names["grades"])
    assert names["form"].frame is None
    assert len(names["roster"]) == len(enrolled)
    assert names["census"]["headcount"].max() > 0
    assert openpyxl.load_workbook("roster.xlsx").sheetnames[-1] == "Columns"
    assert len(list(Path("by-course").iterdir())) == names["grades"]["course"].nunique() + 1
    assert set(names["years"]["enrollment_term_id"]) == {"FA24", "FA25"}


@pytest.mark.parametrize("line", RUNS)
def test_shell_recipes(line: str, away: Path) -> None:
    _, *words = shlex.split(line)
    run = subprocess.run(
        [sys.executable, "-m", "canvas_reports_nb", *words], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    written = away / words[words.index("-o") + 1]
    assert written.stat().st_size > 0
    if written.suffix == ".csv":
        assert len(crn.read_file(written)) > 0


def test_the_line_for_cron(away: Path) -> None:
    """The shell runs the line, with the demo in place of the Canvas and its token in place of the file."""
    assert CRON in TASKS
    assert [field.isdigit() or field == "*" for field in CRON.split()[:5]] == [True] * 5
    (away / "monthly.csv").write_text("report,enrollment_term_id\nunused_courses_csv,current\n")
    for name, line in {
        "canvas-reports": f'exec {shlex.quote(sys.executable)} -m canvas_reports_nb "$@"',
        "cat": 'test "$1" = "$HOME/.canvas-token" && printf %s "$DEMO"',
    }.items():
        (away / name).write_text(f"#!/bin/sh\n{line}\n")
        (away / name).chmod(0o700)
    with demo_canvas.serve(duration=0) as server:
        line = CRON.split(maxsplit=5)[5].replace("https://canvas.example.edu", server.url)
        home = {"HOME": str(away), "PATH": f"{away}:{os.environ['PATH']}", "DEMO": server.token}
        run = subprocess.run(
            ["sh", "-c", line], env={**os.environ, **home}, capture_output=True, text=True, check=False
        )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", ""), "cron sends mail for any output"
    assert len(pd.read_parquet("monthly.parquet")) > 0


def test_the_two_commands() -> None:
    assert [line for line in SHELL if line.startswith("python -m pip")] == COMMANDS


@pytest.fixture(scope="module")
def canvas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[crn.Connection]:
    """Connect to a demo a week after a first run of the enrollments."""
    clock = demo_canvas.SteppedClock(datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC))
    with (
        demo_canvas.serve(clock=clock, duration=0) as server,
        crn.connect(
            server.url,
            server.token,
            store=tmp_path_factory.mktemp("readme"),
            clock=lambda: clock.now().timestamp(),
            sleep=lambda seconds: clock.advance(seconds) and None,
        ) as connection,
    ):
        connection.read_report(
            "provisioning_csv", enrollment_term_id="current", enrollments=True, progress=False
        )
        clock.advance(7 * 86_400)
        yield connection


def test_the_table_of_reports(canvas: crn.Connection, away: Path) -> None:
    """Each report of the catalog has one row, with Canvas's title and a call that works."""
    rows = rows_below("| question | report in Canvas | call |")
    calls = {re.findall(r'"(\w+_csv)"', call)[0]: (title, call.strip("`")) for _, title, call in rows}
    assert len(rows) == len(calls) == 20
    assert set(calls) == set(reports())
    for report, (title, call) in calls.items():
        known = schema(report)
        assert known
        assert known.title == title
        found = eval(call, {"canvas": canvas})  # the README is part of this project
        frames = found.values() if isinstance(found, dict) else [found]
        assert all(len(frame.columns) > 2 for frame in frames)


def test_the_office_tasks(canvas: crn.Connection, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the ten takes at most five lines and gives a result."""
    monkeypatch.setattr(crn, "demo", lambda: canvas)
    (away / "sis.csv").write_text("student_no,major\n000481,Nursing\n0000011,History\n")
    first, *tasks = re.split(r"^\*\*\d+\. ", TASKS, flags=re.MULTILINE)
    assert len(tasks) == 10
    names: dict[str, Any] = {}
    made: dict[int, dict[str, Any]] = {}
    for number, text in enumerate([first, *tasks]):
        code = re.findall(r"^   (.+)$", text.partition(".. code-block::")[2].partition("\n")[2], re.MULTILINE)
        assert 1 <= len(code) <= 5
        if ".. code-block:: python" in text:
            exec(compile("\n".join(code), f"task {number}", "exec"), names)
            made[number] = dict(names)
    dfw = made[1]["dfw"]
    assert set(dfw["term"]) == {"Fall 2023", "Fall 2024", "Fall 2025"}
    assert dfw["department"].nunique() > 5
    assert dfw["dfw"].between(0, 1).all()
    twice = made[1]["grades"].duplicated(["student id", "course id"]).sum()
    assert len(made[1]["left_out"]) == twice > 0
    students = made[2]["students"]
    assert len(students) > 0
    assert students["reasons"].str.contains("NURS .*: not seen since").all()
    assert students["email"].notna().sum() > 0
    untaught, taught = made[3]["without_teacher"], made[3]["taught"]
    assert 0 < len(untaught) < len(made[3]["sections"])
    assert not set(untaught["canvas_section_id"]) & set(taught)
    assert made[4]["before"].canvas.provenance["run_id"] < made[4]["now"].canvas.provenance["run_id"]
    assert made[4]["changes"].counts["unchanged"] == len(made[4]["now"])
    roster = openpyxl.load_workbook("roster.xlsx").worksheets[2]
    assert set(made[5]["tables"]["enrollments"]["user_id"].dropna()) <= {
        cell.value for row in roster for cell in row
    }
    assert set(made[6]["merged"].query("user_id == '000481'")["major"]) == {"Nursing"}
    assert len(made[6]["merged"]) == len(made[6]["users"])
    assert made[7]["counts"][["concluded", "active"]].sum().gt(0).all()
    shared = pd.read_parquet("grades.parquet")
    assert not set(shared["student name"]) & set(made[9]["grades"]["student name"])
    assert pd.read_csv("dictionary.csv")["column"].tolist() == list(shared.columns)
    assert made[10]["stale"]["findings"].str.contains("never used").any()
    assert Path("tokens.xlsx").exists()


def test_the_damaged_cells_are_counted() -> None:
    measure = runpy.run_path(str(ROOT / "tests" / "unit" / "frames" / "test_samples.py"))
    naive = sum(measure["naive_damage"](data) for _, _, data in measure["TABLES"])
    cells = sum(
        len(row)
        for _, _, data in measure["TABLES"]
        for row in list(measure["csv"].reader(measure["io"].StringIO(data.decode(), newline="")))[1:]
    )
    assert f"damaged cells of {cells} |" in README
    assert f"| plain `pandas.read_csv` | {naive} |" in README


def test_links_exist() -> None:
    local = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(local) >= 4
    headings = {
        heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    }
    for link in local:
        path, _, anchor = link.partition("#")
        assert (ROOT / path).exists() if path else anchor in headings, link


def test_the_package_page_has_no_broken_link() -> None:
    """Where the README is shown without its repository, links into it become text."""
    page = README
    for each in PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        page = re.sub(each["pattern"], each["replacement"], page)
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert links
    assert [link for link in links if not link.startswith(("https:", "#"))] == []
    assert "the threat model lists" in page.lower(), "the words stay"


def test_names_and_versions() -> None:
    extras = {name.strip("`") for name, _ in rows_below("| extra | what it adds |")}
    assert extras == set(PYPROJECT["project"]["optional-dependencies"]) - {"dev", "docs", "test"}
    assert f"canvas_reports_nb-{crn.__version__}-py3-none-any.whl[demo]" in README
    errors = re.findall(r"^\| `(\w+Error)` \|", README, re.MULTILINE)
    assert len(errors) > 4
    assert all(hasattr(crn.exceptions, name) for name in errors)
    (notebook,) = re.findall(r"urlpath=lab/tree/(\S+?)`", README)
    assert (ROOT / notebook).exists()


def test_the_citation_is_of_this_version_and_has_the_same_words() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == crn.__version__
    assert cited["license"] == PYPROJECT["project"]["license"]
    assert cited["abstract"] == PYPROJECT["project"]["description"]
    assert [author["name"] for author in cited["authors"]] == [
        author["name"] for author in PYPROJECT["project"]["authors"]
    ]
    assert set(cited["keywords"]) <= set(PYPROJECT["project"]["keywords"])


def test_picture_is_small() -> None:
    assert 0 < (ROOT / "notebooks" / "images" / "form.png").stat().st_size < 200_000
