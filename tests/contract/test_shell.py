"""The shell against a demo Canvas: exit codes, JSON lines, the files written, and silence on success."""

import json
import os
import pty
import stat
import subprocess
import sys
import termios
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner, Result

import canvas_reports_nb as crn
from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.cli import cli
from canvas_reports_nb.exceptions import TableRequiredError
from canvas_reports_nb.runs.batch import Batch

DATA = Path(__file__).parents[1] / "data"
GRADES = ("run", "grade_export_csv", "--timeout", "1s")
PEOPLE = ("run", "provisioning_csv", "-p", "users=true", "-p", "terms=true")


class Shell:
    """A shell without a terminal that uses one demo Canvas and its clock."""

    def __init__(self, caller: Any) -> None:
        self.caller = caller
        clock = caller.server.clock
        self.timing = {"clock": lambda: clock.now().timestamp(), "sleep": clock.advance}

    def __call__(self, *arguments: str, code: int = 0, typed: str = "") -> Result:
        result = CliRunner().invoke(cli, list(arguments), input=typed, obj=self.timing)
        assert result.exit_code == code, (arguments, result.output, result.exception)
        assert "Traceback" not in result.output
        return result

    def error_line(self, *arguments: str, code: int) -> str:
        """Run a command that must fail, and return its one line of error."""
        result = self(*arguments, code=code)
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr

    def json_lines(self, *arguments: str, code: int = 0, typed: str = "") -> list[dict[str, Any]]:
        """Run a command with --json, and return the objects it prints."""
        result = self(*arguments, "--json", code=code, typed=typed)
        assert result.stderr == ""
        return [json.loads(line) for line in result.stdout.splitlines()]

    @property
    def starts(self) -> int:
        return sum(record.method == "POST" for record in self.caller.server.log)


@pytest.fixture
def shell(demo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Shell]:
    def opened(**settings: Any) -> Shell:
        caller = demo(**settings)
        monkeypatch.setitem(sys.modules, "keyring", None)
        monkeypatch.setenv("CANVAS_API_URL", caller.server.url)
        monkeypatch.setenv("CANVAS_API_TOKEN", caller.server.token)
        monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path / "store"))
        monkeypatch.delenv("CANVAS_REPORTS_PROGRESS", raising=False)
        monkeypatch.chdir(tmp_path)
        return Shell(caller)

    return opened


# -- exit codes ------------------------------------------------------------------------------


def test_a_successful_run_prints_nothing(shell: Callable[..., Shell]) -> None:
    result = shell()(*PEOPLE, "-o", "people.zip")
    assert (result.stdout, result.stderr) == ("", "")


def test_a_damaged_stored_file_is_downloaded_again(shell: Callable[..., Shell]) -> None:
    run = shell()
    run("run", "grade_export_csv", "-o", "sent.csv")
    (stored,) = Path("store").rglob("raw.csv")
    stored.write_bytes(stored.read_bytes().replace(b"1", b"2", 1))
    run("run", "grade_export_csv", "-o", "again.csv")
    assert Path("again.csv").read_bytes() == Path("sent.csv").read_bytes()
    assert run.starts == 1


def test_a_failed_run(shell: Callable[..., Shell]) -> None:
    failing = shell(scenarios=["fails"])
    assert "ErrorReport:4711" in failing.error_line(*PEOPLE, "-o", "people.zip", code=1)
    assert not Path("people.zip").exists()
    (run,) = failing.json_lines("history", "provisioning_csv")
    (printed,) = failing.json_lines("status", "provisioning_csv", str(run["run_id"]), code=1)
    assert printed["status"] == "error"
    assert "ErrorReport:4711" in printed["reason"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "nonsense"], "grade_export_csv"),
        (["run", "grade_export_csv", "-p", "enrolment_term=1"], "enrollment_term"),
        (["run", "grade_export_csv", "-p", "enrollment_term_id=nonsense"], "nonsense"),
        (["list", "--account", "sis_account_id:nowhere"], "nowhere"),
        (["status", "grade_export_csv", "77"], "canvas-reports history grade_export_csv"),
        (["abort", "grade_export_csv", "77"], "canvas-reports history grade_export_csv"),
        (["delete", "grade_export_csv", "77", "--yes"], "canvas-reports history grade_export_csv"),
        (["file", str(DATA / "21_provisioning_multi.zip"), "-o", "out.csv"], "-t "),
        (["run", "eportfolio_report_csv", "-o", "out.zip"], "Write to .parquet, .csv or .xlsx"),
        (["run", "provisioning_csv", "-p", "users=1", "-o", "out.zip"], "Write to .parquet, .csv or .xlsx"),
    ],
)
def test_a_wrong_call_starts_nothing(shell: Callable[..., Shell], arguments: list[str], says: str) -> None:
    wrong = shell()
    assert says in wrong.error_line(*arguments, code=2)
    assert wrong.starts == 0


def test_an_unknown_account(shell: Callable[..., Shell]) -> None:
    line = shell().error_line("list", "--account", "sis_account_id:ENGG", code=2)
    assert "Did you mean 'sis_account_id:ENG' (Engineering)" in line
    assert "canvas-reports accounts lists the accounts." in line


def test_an_output_that_can_not_be_written_starts_nothing(
    shell: Callable[..., Shell], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong, access = shell(), os.access
    # `os.access` is patched because root, who may run the tests, can write anywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "theirs" and access(path, mode))
    (tmp_path / "theirs").mkdir()
    Path("link.csv").symlink_to(tmp_path / "theirs" / "out.csv")
    Path("wanted.csv").write_text("report\ngrade_export_csv\n")
    assert "theirs" in wrong.error_line("run", "grade_export_csv", "-o", "theirs/out.csv", code=2)
    assert "theirs" in wrong.error_line("run", "grade_export_csv", "-o", "link.csv", code=2)
    assert "theirs" in wrong.error_line("run", "--requests", "wanted.csv", "-o", "theirs/out.parquet", code=2)
    assert wrong.starts == 0


def test_a_run_continues_after_the_timeout(shell: Callable[..., Shell]) -> None:
    slow = shell(duration=600)
    message = slow.error_line(*GRADES, "--max-age", "0", "-o", "grades.csv", code=3)
    (run,) = slow.json_lines("history", "grade_export_csv")
    number = str(run["run_id"])
    assert f"canvas-reports status grade_export_csv {number}" in message
    assert "run the same command (without --max-age 0)" in message
    slow("status", "grade_export_csv", number, code=3)
    slow.caller.server.clock.advance(900)
    slow("status", "grade_export_csv", number)
    slow("run", "grade_export_csv", "-o", "grades.csv")
    assert slow.starts == 1, "the second call attached to the first one's run"
    assert len(pd.read_csv("grades.csv")) > 0


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("progress", ["off", "tqdm"])
def test_an_interrupt_shows_how_to_continue(
    shell: Callable[..., Shell], monkeypatch: pytest.MonkeyPatch, progress: str
) -> None:
    slow = shell(duration=600)
    with monkeypatch.context() as patched:
        patched.setattr(Batch, "_wait", interrupted)
        alone = slow("run", "grade_export_csv", "--progress", progress, code=130).stderr
        Path("wanted.csv").write_text("report\nlast_user_access_csv\nzero_activity_csv\n")
        many = slow("run", "--requests", "wanted.csv", "--progress", progress, code=130).stderr
        patched.setattr(AccountReports, "available", interrupted)
        assert slow("list", code=130).stderr == "Interrupted.\n"
    (run,) = slow.json_lines("history", "grade_export_csv")
    (other,) = slow.json_lines("history", "zero_activity_csv")
    *_, line = alone.splitlines()
    assert line.endswith(f"canvas-reports status grade_export_csv {run['run_id']}")
    assert str(other["run_id"]) in many.splitlines()[-1]
    assert alone.count("Interrupted") == many.count("Interrupted") == 1
    assert "canvas." not in alone + many


def test_stopping_and_deleting(shell: Callable[..., Shell]) -> None:
    slow = shell(duration=600)
    slow(*GRADES, code=3)
    (run,) = slow.json_lines("history", "grade_export_csv")
    named = ("grade_export_csv", str(run["run_id"]))
    assert slow.json_lines("abort", *named) == slow.json_lines("abort", *named)
    assert [each["status"] for each in slow.json_lines("status", *named, code=1)] == ["aborted"]
    assert "Delete run" in slow("delete", *named, typed="n\n", code=1).stderr
    assert len(slow.json_lines("history", "grade_export_csv")) == 1
    slow("delete", *named, typed="y\n")
    assert slow.json_lines("history", "grade_export_csv") == []
    assert slow("history", "grade_export_csv").output == ""


# -- many at once ----------------------------------------------------------------------------


def test_many_runs_stacked(shell: Callable[..., Shell], tmp_path: Path) -> None:
    busy = shell()
    # As Excel saves it; the last row repeats the first.
    rows = "report;enrollment_term_id;include_deleted\r\ngrade_export_csv;current;\r\n"
    asked = f"{rows}grade_export_csv;;true\r\ngrade_export_csv;current;\r\n"
    Path("wanted.csv").write_text(asked, encoding="utf-8-sig", newline="")
    result = busy("run", "--requests", "wanted.csv", "-o", "grades.parquet")
    assert (result.stdout, result.stderr) == ("", "")
    assert busy.starts == 2
    wanted = crn.requests_for("grade_export_csv").assign(enrollment_term_id=["current"], include_deleted=None)
    wanted = pd.concat([wanted, wanted.assign(enrollment_term_id=None, include_deleted="true")])
    expected = crn.connect(**busy.timing).read_reports(wanted, engine="polars", progress=False)
    assert pl.read_parquet("grades.parquet").equals(expected)
    printed = busy.json_lines("run", "--requests", "wanted.csv")
    assert [each["state"] for each in printed] == ["done"] * 3
    assert printed[0] == printed[2] != printed[1]
    assert printed[1]["enrollment_term_id"] is None
    assert busy.starts == 2, "all runs are on this disk"
    header, *rows = busy("run", "--requests", "wanted.csv").stdout.splitlines()
    assert header.split()[:2] == ["report", "enrollment_term_id"]
    assert len(rows) == 3


def test_requests_as_pandas_writes_them(shell: Callable[..., Shell]) -> None:
    busy = shell()
    wanted = pd.DataFrame(
        {"report": ["grade_export_csv"] * 2, "account": [1, None], "enrollment_term": [12, None]}
    )
    wanted.to_csv("wanted.csv", index=False)
    assert "12.0" in Path("wanted.csv").read_text()
    first, second = busy.json_lines("run", "--requests", "wanted.csv")
    assert (first["account"], first["enrollment_term"], second["account"]) == ("1", "12", None)
    assert (first["state"], second["state"]) == ("done", "done")


@pytest.mark.parametrize(
    ("rows", "more", "code", "says"),
    [
        ("report\ngrade_export_csv\nnonsense\n", [], 2, "Row 1 of the requests"),
        ("report,enrollment_tern_id\ngrade_export_csv,current\n", [], 2, "enrollment_term_id"),
        ("name\ngrade_export_csv\n", [], 2, "column 'report'"),
        ("report,users,terms\nprovisioning_csv,true,true\n", ["-o", "out.parquet"], 2, "-t "),
        ("report\ngrade_export_csv\n", ["-o", "out.csv"], 2, "Write to .parquet"),
        ("report\ngrade_export_csv\n", ["-p", "x=1"], 2, "column of the requests"),
        ("", [], 2, "a column named report"),
        ("PAR1", [], 2, "takes a CSV"),
        ("report\ngrade_export_csv\n", ["grade_export_csv"], 2, "either REPORT or --requests"),
        ("<html>", [], 2, "takes a CSV"),
    ],
)
def test_wrong_requests_start_nothing(
    shell: Callable[..., Shell], rows: str, more: list[str], code: int, says: str
) -> None:
    wrong = shell()
    Path("wanted.csv").write_text(rows)
    assert says in wrong("run", "--requests", "wanted.csv", *more, code=code).stderr
    assert wrong.starts == 0


def test_some_of_many_runs_fail(shell: Callable[..., Shell], monkeypatch: pytest.MonkeyPatch) -> None:
    mixed, start = shell(), AccountReports.start

    def started_and_deleted(api: AccountReports, report: str, wire: Any) -> Any:
        run = start(api, report, wire)
        return api.delete(report, run.id) if report == "zero_activity_csv" else run

    monkeypatch.setattr(AccountReports, "start", started_and_deleted)
    Path("wanted.csv").write_text("report\nzero_activity_csv\ngrade_export_csv\n")
    assert "deleted" in mixed.error_line("run", "--requests", "wanted.csv", "-o", "out.parquet", code=4)
    written = pl.read_parquet("out.parquet")
    assert written["report"].unique().to_list() == ["grade_export_csv"]
    assert len(written) > 0


def test_all_of_many_runs_fail(shell: Callable[..., Shell]) -> None:
    failing = shell(scenarios=["fails"])
    Path("wanted.csv").write_text("report\nzero_activity_csv\ngrade_export_csv\n")
    Path("out.parquet").write_bytes(b"of last week")
    result = failing("run", "--requests", "wanted.csv", "-o", "out.parquet", "--json", code=1)
    assert [line.startswith("Error: ") for line in result.stderr.splitlines()] == [True, True]
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["state"] for each in printed] == ["failed", "failed"]
    assert all("ErrorReport:4711" in each["error"] for each in printed)
    assert Path("out.parquet").read_bytes() == b"of last week"


def test_many_runs_continue_after_the_timeout(shell: Callable[..., Shell]) -> None:
    slow = shell(duration=600)
    Path("wanted.csv").write_text("report\ngrade_export_csv\nzero_activity_csv\n")
    call = ("run", "--requests", "wanted.csv", "--timeout", "1s")
    message = slow(*call, code=3).stderr.splitlines()
    assert len(message) == slow.starts == 2
    slow.caller.server.clock.advance(1800)
    slow("run", "--requests", "wanted.csv")
    assert slow.starts == 2


# -- what is printed -------------------------------------------------------------------------


def test_json_lines_agree_with_the_frames(shell: Callable[..., Shell], tmp_path: Path) -> None:
    asked = shell()
    printed, canvas = asked.json_lines, crn.connect(**asked.timing)
    assert [each["report"] for each in printed("list")] == canvas.reports()["report"].tolist()
    assert [each["term_id"] for each in printed("terms")] == canvas.terms()["term_id"].tolist()
    below = canvas.account(7).accounts()["path"].tolist()
    assert [each["path"] for each in printed("accounts", "--account", "7")] == below
    made = {each["table"]: each for each in printed(*PEOPLE, "-o", "people.zip")}
    frames = canvas.read_tables("provisioning_csv", users=True, terms=True, progress=False)
    assert {name: each["rows"] for name, each in made.items()} == {n: len(f) for n, f in frames.items()}
    for name, frame in frames.items():
        assert made[name].pop("output") == "people.zip"
        assert made[name] == crn.provenance(frame)
    (past,) = printed("history", "provisioning_csv")
    (kept,) = printed("store")
    assert past["run_id"] == kept["run_id"] == made["users"]["run_id"]
    assert pd.Timestamp(kept["finished_at"]) == canvas.store.info()["finished_at"][0]
    assert kept["store"] == str(tmp_path / "store")
    for each in printed("file", "people.zip"):
        frame = frames[each["table"]]
        assert {column["column"]: column["dtype"] for column in each["columns"]} == {
            name: str(dtype) for name, dtype in frame.dtypes.items()
        }
        assert each["rows"] == len(frame)
    assert {each["found"] for each in printed("file", "people.zip", "--check")} == {"as expected"}
    assert all(each["ok"] for each in printed("doctor"))
    assert printed("store", "clear", "--yes") == [{"store": str(tmp_path / "store"), "removed": 1}]
    assert printed("store") == []


def test_tables_without_json(shell: Callable[..., Shell], tmp_path: Path) -> None:
    busy = shell()
    shown = busy(*PEOPLE).stdout
    assert "\nusers: " in shown
    assert "\nterms: " in shown
    assert "\nusers: " not in busy(*PEOPLE, "-t", "terms").stdout
    header, row = busy("history", "provisioning_csv").stdout.splitlines()
    assert header.split()[:2] == ["run_id", "status"]
    assert row.split()[1] == "complete"
    assert "users=True, terms=True" in row
    assert "13       Spring 2026" in busy("terms").stdout
    assert "ENG             Meridian University / Engineering\n" in busy("accounts").stdout
    address, header, row, total = busy("store").stdout.splitlines()
    assert address == str(tmp_path / "store")
    assert row.startswith("provisioning_csv")
    assert total.startswith("1 runs, ")


def test_a_terminal_shows_a_bar_and_a_notice(shell: Callable[..., Shell]) -> None:
    shell()
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    call = [sys.executable, "-m", "canvas_reports_nb", *PEOPLE, "-o", "people.zip"]
    done = subprocess.run(call, stdout=subprocess.PIPE, stderr=theirs, check=False, timeout=600)
    os.close(theirs)
    seen = b""
    try:
        while more := os.read(ours, 1 << 16):
            seen += more
    except OSError:  # Linux raises this when the other side is closed
        pass
    finally:
        os.close(ours)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"provisioning_csv" in seen
    assert b"%|" in seen
    assert b"people.zip written." in seen


def test_the_shell_imports_no_notebook_and_no_charts(shell: Callable[..., Shell]) -> None:
    shell()
    call = [sys.executable, "-X", "importtime", "-m", "canvas_reports_nb", "list"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "grade_export_csv" in done.stdout
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert {"canvas_reports_nb", "requests"} <= imported
    assert imported & {"ipywidgets", "IPython", "ipykernel", "matplotlib", "dask", "distributed"} == set()


# -- what is written -------------------------------------------------------------------------


def test_an_output_is_complete_and_private(
    shell: Callable[..., Shell], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    busy = shell()
    output = tmp_path / "terms.parquet"
    wanted = (*PEOPLE, "-t", "terms", "-o", str(output))
    busy(*wanted)
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    output.chmod(0o644)
    output.write_bytes(b"of last week")
    with monkeypatch.context() as broken:
        broken.setattr("shutil.copyfile", full_disk)
        assert "No space left" in busy.error_line(*wanted, code=1)
    assert output.read_bytes() == b"of last week"
    busy(*wanted)
    assert stat.S_IMODE(output.stat().st_mode) == 0o644, "an existing file keeps its mode"
    pd.testing.assert_frame_equal(
        pd.read_parquet(output), pd.read_parquet(next((tmp_path / "store").rglob("terms.parquet")))
    )
    assert {path.name for path in tmp_path.iterdir()} == {"store", "terms.parquet"}


def test_the_disk_of_the_output_is_full(shell: Callable[..., Shell], tmp_path: Path) -> None:
    busy = shell(enrollments=20_000)
    Path("wanted.csv").write_text("report\ngrade_export_csv\n")
    busy("run", "grade_export_csv")
    for wanted in (["grade_export_csv"], ["--requests", "wanted.csv"]):
        # Another process uses the machine's clock, so the stored run is old for it.
        age = ("--max-age", "36500d")
        call = [sys.executable, "-m", "canvas_reports_nb", "run", *wanted, *age, "-o", "out.parquet"]
        limited = ["sh", "-c", 'ulimit -f 20; exec "$@"', "sh", *call]
        done = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=600)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: out.parquet was not written: "), done.stderr
        assert "File too large" in done.stderr
        assert "-o" in done.stderr
        assert done.stderr.count("\n") == 1
        assert str(tmp_path / "store") not in done.stderr
    assert not Path("out.parquet").exists()


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_a_file_is_converted_as_it_is_read(shell: Callable[..., Shell], tmp_path: Path, path: Path) -> None:
    printed = shell().json_lines
    for facts in printed("file", str(path)):
        name = facts["table"]
        report = ["--report", facts["report"]] if facts["report"] else []
        asked = ["file", str(path), *report, *(["-t", name] if path.suffix == ".zip" else [])]
        (made,) = printed(*asked, "-o", "out.parquet")
        expected = crn.read_file(path, facts["report"], name if path.suffix == ".zip" else None)
        read = pd.read_parquet(tmp_path / "out.parquet", dtype_backend="numpy_nullable")
        assert read.astype("string").fillna("").equals(expected.astype("string").fillna(""))
        assert (made["rows"], made["sha256"]) == (len(expected), expected.canvas.provenance["sha256"])
        printed(*asked, "-o", "out.csv")
        assert crn.read_file("out.csv", facts["report"]).equals(expected)
    if path.suffix == ".csv":
        assert Path("out.csv").read_bytes() == path.read_bytes()


def test_a_workbook_has_all_tables(shell: Callable[..., Shell], tmp_path: Path) -> None:
    run = shell(enrollments=60)
    lines = run.json_lines(*PEOPLE, "-o", "people.xlsx", "--timezone", "America/Denver")
    assert [line["table"] for line in lines] == ["users", "terms"]
    assert {line["output"] for line in lines} == {"people.xlsx"}
    book = openpyxl.load_workbook("people.xlsx")
    assert book.sheetnames == ["Read me", "Summary", "users", "terms", "Columns"]
    assert "start_date (America/Denver)" in [cell.value for cell in book["terms"][1]]
    assert stat.S_IMODE(Path("people.xlsx").stat().st_mode) == 0o600
    starts = run.starts
    assert "already exists" in run.error_line(*PEOPLE, "--max-age", "0", "-o", "people.xlsx", code=2)
    assert run.starts == starts
    run(*PEOPLE, "-t", "users", "-o", "people.xlsx", "--overwrite")
    assert openpyxl.load_workbook("people.xlsx").sheetnames == ["Read me", "Summary", "users", "Columns"]
    run("file", str(DATA / "21_provisioning_multi.zip"), "-o", "file.xlsx")
    assert openpyxl.load_workbook("file.xlsx").sheetnames[2:-1] == [
        "users",
        "courses",
        "enrollments",
        "xlist",
    ]
    Path("requests.csv").write_text(
        "report,enrollment_term_id\nzero_activity_csv,current\n", encoding="utf-8"
    )
    run("run", "--requests", "requests.csv", "-o", "many.xlsx")
    assert "enrollment_term_id" in [cell.value for cell in openpyxl.load_workbook("many.xlsx")["Data"][1]]


def test_the_encoding_of_a_file(shell: Callable[..., Shell], tmp_path: Path) -> None:
    read = shell()
    path = tmp_path / "activity.csv"
    path.write_bytes("user id,user name,last activity at\n7,Ünal,\n".encode("cp850"))
    for arguments in ((), ("-o", "out.parquet"), ("-o", "out.xlsx", "--overwrite"), ("--check",)):
        asked = ("file", str(path), *arguments)
        assert "Warning: " in read(*asked).stderr
        assert read(*asked, "--encoding", "cp850").stderr == ""
    assert pd.read_parquet("out.parquet")["user name"].tolist() == ["Ünal"]
    assert "Unknown encoding" in read.error_line("file", str(path), "--encoding", "cp85O", code=2)


def test_a_zip_with_a_table_that_can_not_be_read(shell: Callable[..., Shell], tmp_path: Path) -> None:
    read, path = shell(), tmp_path / "periods.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Fall.csv", "no grading periods configured for this term\n")
        archive.writestr("Spring.csv", "student name,student id\nAda,1\n")
    asked = ("file", str(path), "--report", "mgp_grade_export_csv")
    shown = read(*asked)
    assert "Spring (mgp_grade_export_csv): 1 rows" in shown.stdout
    assert "Warning: Fall was left out" in shown.stderr
    assert "no grading periods" in read.error_line(*asked, "-t", "Fall", code=1)


def test_a_file_that_has_changed(shell: Callable[..., Shell], tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("canvas_user_id,user_id,login,brand_new\n7,00481,bea,x\nseven,1,abe,y\n")
    message = shell()("file", str(path), "--report", "provisioning_csv", "--check", code=1).stdout
    assert "brand_new" in message
    assert "canvas_user_id" not in message
    printed = shell()("file", str(path), "--report", "provisioning_csv")
    (warning,) = printed.stderr.splitlines()
    assert warning.startswith("Warning: ")
    assert "'seven'" in warning
    with pytest.raises(TableRequiredError):
        crn.read_file(DATA / "21_provisioning_multi.zip")


def test_clearing_the_store(
    shell: Callable[..., Shell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "copies"))
    busy = shell()
    assert "Leave out --shared" in busy("store", "clear", "--shared", "--yes", code=1).stderr
    busy(*PEOPLE, "-o", "people.zip")
    (tmp_path / "team").mkdir()
    address = (tmp_path / "team").as_uri()
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", address)
    busy(*PEOPLE, "-o", "people.zip")
    (kept,) = busy.json_lines("store")
    assert (kept["store"], kept["here"], kept["shared"]) == (address, True, True)
    assert "for everybody" in busy("store", "clear", "--shared", typed="n\n", code=1).stderr
    assert busy.json_lines("store", "clear", "--yes", "--older-than", "3650d")[0]["removed"] == 0
    assert busy.json_lines("store", "clear", "--yes", "--report", "grade_export_csv")[0]["removed"] == 0
    assert busy.json_lines("store", "clear", "--yes")[0]["removed"] == 1
    (kept,) = busy.json_lines("store")
    assert (kept["here"], kept["shared"]) == (False, True)
    assert busy.json_lines("store", "clear", "--yes", "--shared")[0]["removed"] == 1
    assert busy.json_lines("store") == []
