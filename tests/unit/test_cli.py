"""The shell: what it refuses, with which exit code, and the main job on the demo."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from canvas_reports_nb import schemas
from canvas_reports_nb.cli import cli
from canvas_reports_nb.connection import Connection


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """A shell with an address and a token, a store of its own, and no way to reach a network."""

    def unreachable(*_: object, **__: object) -> None:
        raise AssertionError("nothing of this may be asked of a server")

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", unreachable)
    monkeypatch.setenv("CANVAS_API_URL", "https://canvas.example.edu")
    monkeypatch.setenv("CANVAS_API_TOKEN", "1234~hidden")
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
    monkeypatch.setitem(sys.modules, "keyring", None)
    return CliRunner()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "x", "-p", "users"], 2, "Write -p name=value"),
        (["run", "x", "-o", "out.xlsx"], 2, "out.xlsx: no such kind of file"),
        (["run", "x", "-o", "out"], 2, ".parquet or .csv"),
        (["run", "x", "--progress", "loud"], 2, "loud"),
        (["run", "x", "--timeout", "soon"], 2, "soon"),
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
        ("CANVAS_API_URL", "", "No Canvas was named"),
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

    def stop(self: Connection, report: str, **keywords: object) -> None:
        asked.append((report, keywords["parameters"], keywords["progress"]))
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "obtain", stop)
    pairs = ["-p", "s=a", "-p", "s=b", "-p", "s=c", "-p", "term=sis_term_id:A=B", "-p", "none="]
    result = runner.invoke(cli, ["run", "x", *pairs, "--progress", "off"])
    assert result.exit_code == 1
    assert asked == [("x", {"s": ["a", "b", "c"], "term": "sis_term_id:A=B", "none": ""}, False)]


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
    assert "written" in quiet(CliRunner().invoke(cli, asked))
    frame = pd.read_parquet(target)
    assert pd.api.types.is_integer_dtype(frame["canvas_term_id"])
    assert pd.api.types.is_string_dtype(frame["term_id"])
    assert len(frame) > 0


def test_lab_opens_a_notebook_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr("subprocess.run", lambda call, **_: calls.append(call))
    result = CliRunner().invoke(cli, ["demo", "--lab"])
    assert result.exit_code == 0, result.output
    (call,) = calls
    assert Path(call[-1]).is_file()
    assert call[-1].startswith(call[-2].partition("=")[2])
