"""The magics, in a real IPython shell."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from pandas.testing import assert_frame_equal
from traitlets.config import Config

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions, opening
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.opening import newest

REPORT = "provisioning_csv"


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "canvas_reports_nb")
    yield shell
    shell.run_line_magic("unload_ext", "canvas_reports_nb")
    InteractiveShell.clear_instance()


@pytest.fixture
def opened(canvas: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CANVAS_REPORTS_PROGRESS", "off")
    return canvas()


def complete(shell: InteractiveShell, line: str) -> list[str]:
    """Return what Tab offers at the end of a line."""
    before = line.rpartition(" ")[0]
    with provisionalcompleter():
        found = list(shell.Completer.completions(line, len(line)))
    return [(line[: each.start] + each.text).removeprefix(before).strip() for each in found]


def test_a_report_is_returned_or_stored_in_a_variable(shell: InteractiveShell, opened: Any) -> None:
    wanted = opened.read_report(
        REPORT, users=True, enrollments=True, table="users", columns=["login_id", "status"]
    )
    line = f"{REPORT} --users --enrollments true --table users --columns 'login_id, status'"
    shown = shell.run_cell(f"%canvas_report {line}").result
    assert_frame_equal(shown, wanted)
    assert shell.run_cell(f"%canvas_report {line} --into=users").result is None
    assert_frame_equal(shell.user_ns["users"], wanted)
    assert shell.run_cell(f"frame = %canvas_report {line} --engine polars\nframe.width").result == 2
    assert isinstance(shell.user_ns["frame"], pl.DataFrame)
    assert opened.starts() == 1


def test_parameters_are_those_of_the_function(shell: InteractiveShell, opened: Any) -> None:
    shell.user_ns["term"] = int(opened._api.terms()[-1]["id"])
    cell = (
        "%canvas_report grade_export_csv --enrollment_term_id {term} --max-age 0 --into grades --progress off"
    )
    assert shell.run_cell(cell).success
    assert shell.run_cell(cell.replace("max-age", "max_age")).success
    assert opened.starts() == 2
    origin = shell.user_ns["grades"].canvas.provenance
    assert origin["parameters"] == {"enrollment_term_id": shell.user_ns["term"]}
    line = f"grade_export_csv --run-id {origin['run_id']} --offline"
    assert_frame_equal(shell.run_line_magic("canvas_report", line), shell.user_ns["grades"])
    assert opened.starts() == 2


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("grade_export_csv --enrollment_term 12 --trem 3", exceptions.UnknownParameterError, "trem"),
        ("grade_export --into kept", exceptions.UnknownReportError, "grade_export_csv"),
        ("grade_export_csv --engine excel", UsageError, "excel"),
        ("grade_export_csv 12", UsageError, "as --name value"),
        ("grade_export_csv --into 1st", UsageError, "not a variable name"),
        ("grade_export_csv --into class", UsageError, "not a variable name"),
        ("grade_export_csv --columns 'a", UsageError, "quotation"),
        ("", UsageError, "report"),
    ],
)
def test_a_wrong_line_starts_nothing(
    shell: InteractiveShell, opened: Any, line: str, error: type[Exception], message: str
) -> None:
    shell.user_ns["kept"] = "as it was"
    with pytest.raises(error, match=message):
        shell.run_line_magic("canvas_report", line)
    assert opened.starts() == 0
    assert shell.user_ns["kept"] == "as it was"


def test_without_a_connection_the_error_names_the_remedy(
    shell: InteractiveShell, canvas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening._Open, "all", [])  # other tests' connections may not be collected yet
    canvas().close()
    for magic, line in (("canvas_report", "grade_export_csv"), ("canvas_reports", "")):
        with pytest.raises(exceptions.ConfigurationError, match=r"connect\(\) or demo\(\)"):
            shell.run_line_magic(magic, line)
    assert "grade_export_csv" in complete(shell, "%canvas_report grade")


@pytest.mark.parametrize(
    ("serving", "error", "status"),
    [
        ({"scenarios": ["fails"]}, exceptions.RunFailedError, "error"),
        ({"duration": 600}, exceptions.WaitTimeoutError, "running"),
    ],
)
def test_a_failed_run_leaves_the_job_instead_of_an_older_frame(
    shell: InteractiveShell, canvas: Any, serving: dict[str, Any], error: type[Exception], status: str
) -> None:
    connection = canvas(**serving)
    shell.user_ns["rows"] = "of last term"
    with pytest.raises(error):
        shell.run_line_magic("canvas_report", "zero_activity_csv --into rows --progress off --timeout 60")
    job = shell.user_ns["rows"]
    assert isinstance(job, crn.ReportJob)
    assert job.status == status
    assert connection.starts() == 1


def test_the_list(shell: InteractiveShell, opened: Any) -> None:
    offered = opened.reports()
    assert_frame_equal(shell.run_line_magic("canvas_reports", ""), offered)
    some = shell.run_line_magic("canvas_reports", "GRADE")
    assert 0 < len(some) < len(offered)
    assert all("grade" in f"{row.report} {row.title}".lower() for row in some.itertuples())
    assert shell.run_cell("%canvas_reports grade --into some").result is None
    assert isinstance(shell.user_ns["some"], pd.DataFrame)
    with pytest.raises(UsageError, match="--all"):
        shell.run_line_magic("canvas_reports", "--all")


@pytest.mark.parametrize(("magic", "option"), [("canvas_report", "--max-age"), ("canvas_reports", "--into")])
def test_help(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], magic: str, option: str) -> None:
    for line in ("--help", "-h"):
        assert shell.run_line_magic(magic, line) is None
        shown = capsys.readouterr().out
        assert option in shown
        assert f"%{magic} " in shown
    assert option in shell.find_line_magic(magic).__doc__


@pytest.mark.parametrize(
    ("line", "some", "none"),
    [
        ("%canvas_report grade_ex", {"grade_export_csv"}, {REPORT}),
        ("x = %canvas_report prov", {REPORT}, {"grade_export_csv"}),
        ("%canvas_report grade_export_csv --enr", {"--enrollment_term_id"}, {"--users", "--engine"}),
        (f"%canvas_report {REPORT} --users --u", {"--user_observers"}, {"--users"}),
        (f"%canvas_report {REPORT} --users ", {"--enrollments", "--into"}, {"--users", REPORT}),
        (f"%canvas_report {REPORT} --table ", {"users", "enrollments"}, {"--users"}),
        ("%canvas_report grade_export_csv --engine p", {"pandas", "polars"}, {"arrow"}),
        ("1 + canvas_report(gra", set(), {"grade_export_csv"}),
    ],
)
def test_completion(shell: InteractiveShell, line: str, some: set[str], none: set[str]) -> None:
    found = set(complete(shell, line))
    assert some <= found
    assert not none & found


def test_completion_of_choices_and_reports_sends_no_request(shell: InteractiveShell, opened: Any) -> None:
    chosen = [
        (report, each)
        for report in schemas.reports()
        for each in schemas.schema(report).parameters.values()
        if each.choices
    ]
    assert chosen
    for report, parameter in chosen:
        assert complete(shell, f"%canvas_report {report} --{parameter.name} ") == list(parameter.choices)
    opened._api.offered = {"school_own_csv": ("campus",)}
    assert newest() is opened
    assert complete(shell, "%canvas_report school") == ["school_own_csv"]
    assert complete(shell, "%canvas_report school_own_csv --ca") == ["--campus"]
    assert not opened.server.log
    opened.reports()
    assert set(opened.offered) == set(schemas.reports())


def test_loading_twice_completes_once(shell: InteractiveShell) -> None:
    shell.run_line_magic("reload_ext", "canvas_reports_nb")
    crn.load_ipython_extension(shell)
    assert complete(shell, "%canvas_report grade_exp") == ["grade_export_csv"]
    crn.unload_ipython_extension(shell)
    assert shell.find_line_magic("canvas_report") is None
    assert complete(shell, "%canvas_report grade_exp") == []
