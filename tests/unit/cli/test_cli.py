"""The shell rejects wrong calls with the right exit code, and does the main job on the demo."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess, run
from typing import Any

import click
import pandas as pd
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb import cli as cli_module
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.cli import cli
from canvas_reports_nb.cli.output import plain
from canvas_reports_nb.connection import Connection
from canvas_reports_nb.runs.progress import NullSink
from canvas_reports_nb.store.store import Store

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """A shell with an address, a token and its own store and folder, but no network."""

    def unreachable(*_: object, **__: object) -> None:
        raise AssertionError("this must not send a request")

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", unreachable)
    monkeypatch.setenv("CANVAS_API_URL", "https://canvas.example.edu")
    monkeypatch.setenv("CANVAS_API_TOKEN", "1234~hidden")
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def test_the_list_of_commands_has_the_first_line_of_each_help() -> None:
    """The list is written down, so that it can be shown without loading the commands."""
    context = click.Context(cli)
    loaded = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    assert {name: command.get_short_help_str(200) for name, command in loaded.items() if command} == {
        name: text for name, (_, text) in cli_module._COMMANDS.items()
    }
    assert [command.name for command in loaded.values() if command] == list(loaded)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "x", "-p", "users"], 2, "Write -p name=value"),
        (["run", "x", "-o", "out.xls"], 2, "Can't write out.xls:"),
        (["run", "x", "-o", "out.xlsx", "--timezone", "Mountain"], 2, "Unknown time zone 'Mountain'"),
        (["run", "x", "-o", "out.csv", "--timezone", "UTC"], 2, "have no effect on out.csv"),
        (["run", "x", "--overwrite"], 2, "need -o out.xlsx"),
        (["run", "x", "-o", "out"], 2, ".parquet, .csv, .xlsx or .zip"),
        (["run", "x", "--progress", "loud"], 2, "loud"),
        (["run", "x", "--timeout", "soon"], 2, "soon"),
        (["run", "x", "--max-age", "1 year"], 2, "write 90s, 45m, 12h, 30d or 2w"),
        (["run", "x", "-o", "no-such-folder/out.csv"], 2, "no-such-folder"),
        (["status", "x", "first"], 2, "first"),
        (["file", "no-such-file.zip"], 2, "no-such-file"),
        (["file", str(Path(__file__).parents[3] / "notebooks/images/form.png")], 1, "Error: "),
        (["file", __file__, "--check", "-o", "out.csv"], 2, "writes no file"),
        (["file", __file__, "-o", "out.zip"], 2, ".parquet, .csv or .xlsx"),
        (["store", "clear", "--older-than", "30x"], 2, "30x"),
        (["store", "clear"], 1, "Aborted"),
        (["store", "clear", "--yes", "--shared"], 1, "only on this disk"),
        (["run"], 2, "REPORT"),
        (["run", "x", "--token", "1234"], 2, "--token"),
        (["demo", "--files", "no-such-folder"], 2, "no-such-folder"),
        (["demo", "--files", __file__], 2, "is a file"),
        (["list", "--account"], 2, "--account"),
        (["nonsense"], 2, "nonsense"),
        (["--help"], 0, "CANVAS_API_TOKEN"),
        (["--version"], 0, "version"),
    ],
)
def test_arguments(runner: CliRunner, arguments: list[str], code: int, says: str) -> None:
    result = runner.invoke(cli, arguments)
    assert result.exit_code == code, result.output
    assert says in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("CANVAS_API_URL", "", "No Canvas address was given"),
        ("CANVAS_API_URL", "http://canvas.example.edu", "plain http"),
        ("CANVAS_API_TOKEN", "", "No token for canvas.example.edu"),
        ("CANVAS_API_TOKEN", "two hidden words", "not a Canvas token"),
    ],
)
@pytest.mark.parametrize("arguments", [["list"], ["run", "grade_export_csv"]])
def test_not_set_up(
    *,
    runner: CliRunner,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variable: str,
    value: str,
    says: str,
) -> None:
    monkeypatch.setenv(variable, value)
    result = runner.invoke(cli, arguments)
    assert result.exit_code == 1
    assert says in result.output
    assert "hidden" not in result.output


def test_a_repeated_parameter_is_a_list(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def stop(self: Connection, report: str, **keywords: Any) -> None:
        asked.append((report, keywords["parameters"], type(keywords["progress"]._sink)))
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "obtain", stop)
    pairs = ["-p", "s=a", "-p", "s=b", "-p", "s=c", "-p", "term=sis_term_id:A=B", "-p", "none="]
    result = runner.invoke(cli, ["run", "x", *pairs, "--progress", "off"])
    assert result.exit_code == 130
    assert asked == [("x", {"s": ["a", "b", "c"], "term": "sis_term_id:A=B", "none": ""}, NullSink)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("1.5m", 90),
        ("12 h", 43_200),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
    ],
)
def test_a_time_may_have_a_unit(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, text: str, seconds: float
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(
        Store, "clear", lambda _, report, age, *, shared: asked.append((report, age, shared)) or 3
    )
    result = runner.invoke(cli, ["store", "clear", "--yes", "--older-than", text, "--report", "x", "--json"])
    assert json.loads(result.output)["removed"] == 3
    assert asked == [("x", seconds, False)]


@given(st.text())
def test_printed_text_has_no_control_characters(text: str) -> None:
    printed = plain(text)
    assert printed.isprintable()
    assert printed.split() == "".join(c if c.isprintable() else " " for c in text).split()


def test_the_shell_completes_a_report() -> None:
    completed = ShellComplete(cli, {}, "canvas-reports", "_CANVAS_REPORTS_COMPLETE")
    assert [found.value for found in completed.get_completions(["run"], "grade")] == ["grade_export_csv"]
    assert {found.value for found in completed.get_completions([], "st")} == {"status", "store"}


def quiet(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def test_the_demo_lists_its_reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path))
    shown = quiet(CliRunner().invoke(cli, ["list", "--demo"]))
    assert {line.split()[0] for line in shown.splitlines()} >= set(schemas.reports())


def test_the_demo_runs_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    target = tmp_path / "terms.parquet"
    asked = ["run", "provisioning_csv", "-p", "terms=true", "-o", str(target), "--progress", "off", "--demo"]
    assert quiet(CliRunner().invoke(cli, asked)) == ""
    frame = pd.read_parquet(target)
    assert pd.api.types.is_integer_dtype(frame["canvas_term_id"])
    assert pd.api.types.is_string_dtype(frame["term_id"].dropna())
    assert len(frame) > 0


@pytest.fixture
def lab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[Result, list[str], dict[str, str]]]:
    """Open the notebooks in an empty folder, without JupyterLab: it ends with the given exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    def run(code: int = 0) -> tuple[Result, list[str], dict[str, str]]:
        calls: list[tuple[list[str], dict[str, str]]] = []

        def called(call: list[str], *, env: dict[str, str], **_: Any) -> CompletedProcess[bytes]:
            calls.append((call, env))
            return CompletedProcess(call, code)

        monkeypatch.setattr("subprocess.run", called)
        result = CliRunner().invoke(cli, ["demo", "--lab"])
        ((call, environment),) = calls
        return result, call, environment

    return run


def test_lab_opens_copies_and_keeps_what_was_edited(lab: Any, tmp_path: Path) -> None:
    result, call, _ = lab()
    assert result.exit_code == 0, result.output
    folder = tmp_path / "canvas_reports_notebooks"
    assert call[-2:] == [f"--notebook-dir={folder}", str(folder / "00_quickstart.ipynb")]
    shipped = {path.name: path.read_bytes() for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == shipped
    assert "kept" not in result.output.lower()
    (folder / "00_quickstart.ipynb").write_text("mine", encoding="utf-8")
    (folder / "01_form.ipynb").unlink()
    result, *_ = lab()
    assert "Kept yours: 00_quickstart.ipynb." in result.output
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        **shipped,
        "00_quickstart.ipynb": b"mine",
    }


def test_lab_has_no_token_and_returns_the_exit_code(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANVAS_API_TOKEN", "1234~hidden")
    monkeypatch.setenv("CANVAS_API_URL", "https://canvas.example.edu")
    monkeypatch.setenv("CANVAS_REPORTS_PROGRESS", "off")
    result, _, environment = lab(7)
    assert result.exit_code == 7
    assert result.stderr == ""
    assert environment["CANVAS_REPORTS_PROGRESS"] == "off"
    assert not [name for name in environment if name.startswith("CANVAS_API_")]


def test_lab_says_what_to_do_as_root(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert lab()[0].stderr == ""
    result, *_ = lab(1)
    assert result.exit_code == 1
    assert result.stderr.startswith("JupyterLab does not run as root.")
    assert "--allow-root" in result.stderr
    assert result.stderr.count("\n") == 1


def test_lab_needs_a_folder_to_copy_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "canvas_reports_notebooks").write_text("a file", encoding="utf-8")
    result = CliRunner().invoke(cli, ["demo", "--lab"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The notebooks were not copied to ")


def test_a_pipe_that_cannot_hold_a_name_gets_an_escape(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user id,\u738b Jos\u00e9\n7,a\n", encoding="utf-8")
    command = [sys.executable, "-m", "canvas_reports_nb", "file", "users.csv"]
    ran = run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "\\u738b Jos\u00e9" in ran.stdout.decode("cp1252")
