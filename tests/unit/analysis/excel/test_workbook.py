"""Workbooks that Excel shows cell for cell as Canvas sent them, and that explain themselves."""

import re
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.analysis.excel import workbook

Written = Callable[..., Any]
SAMPLE = Path(__file__).parents[3] / "data" / "11_grade_export_21col.csv"


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"student name": ["Ng, Bea", "Lamb, Joan"], "student sis": ["000481", "1e5"], "n": [1, 2]}
    )


def part(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def test_sheets_and_read_me(written: Written) -> None:
    grades = crn.read_file(SAMPLE)
    grades.attrs["definition"] = "A grade counts once per student."
    book = written(
        grades[grades["course id"] == 501],
        question="Who passed?",
        note=["MATH 1 is left out: it has one student."],
        author="Office of Invented Studies",
    )
    assert book.book.sheetnames == ["Read me", "Summary", "grade_export_csv", "Columns"]
    assert book.sheet("Read me")["A1"].value == "Who passed?"
    assert book.text("Definition") == ["A grade counts once per student."]
    assert book.text("Term") == ["Fall 2025"]
    assert book.text("Run") == ["Read from the file 11_grade_export_21col.csv"]
    assert book.text("SHA-256 of the file") == [grades.attrs["canvas_report"]["sha256"]]
    assert book.text("Rows left out") == ["grade_export_csv: 1 of 3 rows of the run were filtered out."]
    assert book.text("Note") == ["MATH 1 is left out: it has one student."]
    assert book.text("Made by") == ["Office of Invented Studies"]
    assert book.text("Confidential") == ["Education records: not for publication."]
    assert book.text("Made with") == [f"canvas_reports_nb {crn.__version__}"]
    summary = book.values("Summary")
    assert list(zip(summary["Column"], summary["Value"], summary["Rows"], strict=True)) == [
        (None, None, 2),
        ("enrollment state", "active", 2),
    ]
    described = book.values("Columns")
    personal = dict(zip(described["Column"], described["Personal"], strict=True))
    assert personal["student name"] is True
    assert personal["course"] is False
    assert all(described["Meaning"])
    derived = written(pl.DataFrame({"status": ["late"], "canvas_user_id": [7]}), name="b.xlsx").values(
        "Columns"
    )
    assert derived["Meaning"] == [None, None], "another table's status may mean something else"
    assert derived["Personal"] == [False, True]


def test_few_values_are_counted_and_remarks_are_kept(written: Written) -> None:
    frame = pd.DataFrame({"reason": [f"r{n:02}" for n in range(20)] + ["r00"], "n": range(21)})
    frame["finding"], frame["status"] = [f"f{n}" for n in range(21)], None
    frame.attrs["canvas_report"] = {"notes": {"n": "kept as text: row 3 holds 'x'"}}
    book = written(frame)
    summary = book.values("Summary")
    assert list(zip(summary["Column"], summary["Value"], summary["Rows"], strict=True)) == [
        (None, None, 21),
        ("reason", "r00", 2),
        *(("reason", f"r{n:02}", 1) for n in range(1, 20)),
    ]
    assert list(described := book.values("Columns")) == [
        *("Sheet", "Column", "Written as", "Personal", "Education record", "Meaning", "Values", "Remark"),
        "Name in the data",
    ]
    assert dict(zip(described["Column"], described["Remark"], strict=True))["n"] == (
        "kept as text: row 3 holds 'x'"
    )
    assert book.text("Remark") == ["Data, n: kept as text: row 3 holds 'x'"]


@pytest.mark.parametrize("lazy", [False, True])
def test_a_sheet_holds_a_million_rows_and_a_few(lazy: bool) -> None:
    frame = pl.DataFrame({"a": pl.repeat(0, 1_048_576, eager=True)})
    largest, larger = frame[1:], frame
    (made,) = workbook._sheets({"a": largest.lazy() if lazy else largest}, "UTC")
    assert made.rows == 1_048_575
    with pytest.raises(crn.exceptions.ParameterError, match="has 1,048,576 rows; a sheet of Excel holds"):
        workbook._sheets({"a": larger.lazy() if lazy else larger}, "UTC")


def test_a_published_table_is_not_called_confidential(written: Written) -> None:
    frame = pd.DataFrame({"course": ["A", "B", "C"], "n": [3, 19, 40], "success": [0.67, 0.6, 0.8]})
    book = written(crn.publish(frame))
    assert book.text("Confidential") == []
    assert "at least 10 people" in book.text("Definition")[0]
    assert written({"a": crn.publish(frame), "b": frame}, name="b.xlsx").text("Confidential")


@pytest.mark.parametrize(("kind", "shown"), [("pandas", "<5"), ("arrow", "<5"), ("polars", "hidden")])
def test_hidden_counts_are_shown_as_text(kind: str, shown: str, written: Written, oracle: Any) -> None:
    table = pa.table(
        {
            "course": ["A", "B", "C", "D"],
            "n": [3, 19, 40, 30],
            "A": [1, 9, 20, 30],
            "success": [0.67, 0.6, 0.8, 1.0],
        }
    )
    book = written(crn.publish(oracle.as_kind(table, kind), minimum=5))
    values = book.values()
    assert values["suppressed"] == [True, True, False, True]
    assert values["n"] == [shown, shown, 40, 30]
    assert values["A"] == [shown, shown, 20, None], "a large count that would reveal a share is not small"
    assert values["success"] == [None, None, "80.0 %", ">95 %"]
    assert f"A count shown as {shown} " in book.text("Publication")[0]
    named = pl.DataFrame({"level": [1, 2, 3], "passed": [3, 19, 40]})
    made = crn.publish(named.to_pandas(), by="level", count="passed")
    assert written(made, name="b.xlsx").values()["passed"] == ["<10", "<10", 40]


def test_the_zone_is_that_of_the_account_unless_given(written: Written) -> None:
    times = pd.DataFrame({"seen": pd.to_datetime(["2026-03-02T16:14:07Z"])})

    def zones(*runs: str | None, **given: Any) -> tuple[str, str]:
        times.attrs["canvas_report"] = {"runs": [{"time_zone": zone} for zone in runs]}
        book = written(times, overwrite=True, **given)
        return next(iter(book.values())), book.text("Times")[0]

    header, text = zones("America/Denver", "America/Denver")
    assert header == "seen (America/Denver)"
    assert "America/Denver, which is that of the account." in text
    assert zones("America/Denver", timezone="Asia/Tokyo")[0] == "seen (Asia/Tokyo)"
    for runs in [(), (None,), ("America/Denver", "Asia/Tokyo"), ("Mountain Time (US & Canada)",)]:
        header, text = zones(*runs)
        assert header == "seen (UTC)"
        assert "zone UTC, because that of the account is not known; to choose one, use timezone=." in text
    assert "because" not in zones("America/Denver", timezone="UTC")[1]


def test_a_result_is_not_described_as_the_table_it_was_made_from(written: Written) -> None:
    grades = crn.read_file(SAMPLE)
    book = written(grades.groupby("course")[["final score"]].mean())
    (contents,) = book.text("Sheet grade_export_csv")
    assert contents == "2 rows, 2 columns."
    assert book.text("Rows left out") == []
    assert (
        written(grades, name="b.xlsx")
        .text("Sheet grade_export_csv")[0]
        .startswith("3 rows, 21 columns. One row per student enrollment")
    )


def test_a_run_is_described(written: Written) -> None:
    grades = crn.read_file(SAMPLE)
    grades.attrs["canvas_report"] |= {
        "host": "canvas.example.edu", "account": "7", "run_id": 81234, "ended_at": "2026-03-02T16:14:07Z",
        "parameters": {"enrollment_term_id": 12},
    }  # fmt: skip
    book = written(grades, "America/Denver")
    assert book.text("School") == ["canvas.example.edu"]
    assert book.text("Account") == ["7"]
    assert book.text("Run") == ["81234: report grade_export_csv, finished 2026-03-02 09:14 (America/Denver)"]
    assert book.text("Filters") == ["enrollment_term_id=12"]
    assert book.book.properties.created == datetime(2026, 3, 2, 16, 14, 7)


def test_names_come_first_and_ids_last(written: Written) -> None:
    users = crn.read_file(SAMPLE.with_name("02_provisioning_users_2023.csv"))
    assert list(written(users).columns()) == [
        "first_name", "last_name", "full_name", "email", "status", "canvas_user_id", "user_id", "login_id",
    ]  # fmt: skip
    findings = pd.DataFrame(
        {"user_id": ["1"], "course": ["HIST 1"], "reasons": ["empty"], "emails": ["a@x"], "name": ["Ng"]}
    )
    assert list(written(findings, name="b.xlsx").columns()) == [
        "name",
        "emails",
        "reasons",
        "course",
        "user_id",
    ]


def test_the_form_of_a_sheet(written: Written, frame: pd.DataFrame) -> None:
    frame["note"] = ["x" * 200, None]
    frame["a header of quite some length"] = 1
    book = written({"My list": frame})
    sheet = book.sheet("My list")
    assert dict(sheet.tables.items()) == {"canvas_my_list": "A1:E3"}
    assert sheet.tables["canvas_my_list"].autoFilter.ref == "A1:E3"
    assert sheet.freeze_panes == "B2"
    assert sheet.page_setup.orientation == "landscape"
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet.page_setup.fitToHeight == 0  # and one page wide, which is the default
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.tables["canvas_my_list"].tableStyleInfo.name == "TableStyleLight1"
    assert sheet.page_setup.paperSize == 1  # Letter
    assert not sheet.merged_cells.ranges
    assert all(8 <= size.width <= 61 for size in sheet.column_dimensions.values())
    assert all(cell.alignment.wrap_text for cell in sheet[1])
    xml = part(book.path, "xl/worksheets/sheet3.xml")
    assert '<ignoredError sqref="A1:A3 C1:C3 E1:E3" numberStoredAsText="1"' in xml
    assert "<oddFooter>&amp;L&amp;A&amp;RPage &amp;P of &amp;N</oddFooter>" in xml
    assert "hyperlink" not in xml
    assert "sheetProtection" not in xml


def test_the_form_of_the_read_me(written: Written, frame: pd.DataFrame) -> None:
    long = "x" * 250
    sheet = written(frame, question="Who?", note=[long, "a\nb"]).sheet("Read me")
    assert (sheet["A1"].font.b, sheet["A1"].font.sz) == (True, 14)
    assert sheet["A2"].value is None
    label, text = sheet["A3"], sheet["B3"]
    assert (label.font.b, label.alignment.vertical) == (True, "top")
    assert (text.alignment.wrap_text, text.alignment.vertical, text.number_format) == (True, "top", "@")
    assert not sheet.sheet_view.showGridLines
    widths = [round(sheet.column_dimensions[name].width) for name in "AB"]
    assert widths == [max(len(row[0].value or "") for row in sheet.iter_rows(min_row=3)) + 3, 101]
    heights = {row[1].value: sheet.row_dimensions[row[0].row].height for row in sheet.iter_rows(min_row=3)}
    assert (heights[long], heights["a\nb"]) == (45, 30)


def test_columns_beyond_z_are_marked_as_text_too(written: Written) -> None:
    book = written(pl.DataFrame({f"c{at}": ["7"] for at in range(54)}))
    xml = part(book.path, "xl/worksheets/sheet3.xml")
    (ranges,) = re.findall('<ignoredError sqref="([^"]*)" numberStoredAsText="1"', xml)
    assert ranges.split()[25:28] == ["Z1:Z2", "AA1:AA2", "AB1:AB2"]
    assert ranges.split()[51:] == ["AZ1:AZ2", "BA1:BA2", "BB1:BB2"]


def test_protection_has_no_password(written: Written, frame: pd.DataFrame) -> None:
    protection = written(frame, protect=True).sheet().protection
    assert protection.sheet
    assert not protection.password
    assert not protection.sort, "sorting is allowed"


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first = crn.to_excel(crn.read_file(SAMPLE), tmp_path / "one.xlsx")
    second = crn.to_excel(crn.read_file(SAMPLE), tmp_path / "two.xlsx")
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.xlsx", "two.xlsx"]


def test_an_edited_file_is_not_overwritten(tmp_path: Path, frame: pd.DataFrame) -> None:
    path = crn.to_excel(frame, tmp_path / "mine.xlsx")
    crn.to_excel(frame, path)  # the same contents
    path.write_bytes(b"edited")
    with pytest.raises(crn.exceptions.FileError, match="already exists") as caught:
        crn.to_excel(frame, path)
    assert "overwrite=True" in str(caught.value)
    assert path.read_bytes() == b"edited"
    assert [each.name for each in tmp_path.iterdir()] == ["mine.xlsx"]
    crn.to_excel(frame, path, overwrite=True)
    assert openpyxl.load_workbook(path)


def test_nothing_begins_without_xlsxwriter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(crn.exceptions.ConfigurationError) as caught:
        crn.to_excel(object(), tmp_path / "made.xlsx")
    assert 'python -m pip install "canvas-reports-nb[excel]"' in str(caught.value)


@pytest.mark.parametrize(
    ("tables", "path", "zone", "message"),
    [
        (pd.DataFrame(), "made.csv", None, "ends in .xlsx"),
        (pd.DataFrame(), "none/made.xlsx", None, "does not exist"),
        (pd.DataFrame(), "made.xlsx", "Mountain Time", "Unknown time zone 'Mountain Time'"),
        (pd.DataFrame(), "made.xlsx", "", "Unknown time zone ''"),
        (pd.Series([1]), "made.xlsx", None, "Expected a frame, not Series"),
        ([pd.DataFrame()], "made.xlsx", None, "Expected a frame, not list"),
        ({"a": 1}, "made.xlsx", None, "Expected a frame, not int"),
        ({}, "made.xlsx", None, "no table to write"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "made.xlsx", None, "called 'a'"),
        (
            pl.DataFrame({"a": pl.repeat(0, 1_048_576, eager=True)}),
            "made.xlsx",
            None,
            "1,048,576 rows.*to_parquet",
        ),
        (pl.DataFrame({str(n): [0] for n in range(16_385)}), "made.xlsx", None, "16,385 columns"),
    ],
)
def test_refused(tables: Any, path: str, zone: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(crn.CanvasReportsError) as caught:
        crn.to_excel(tables, tmp_path / path, zone)
    assert re.search(message, str(caught.value), re.DOTALL)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path",
    [
        *["\0.xlsx", "a\0/x.xlsx", "\ud800.xlsx", "~nobody-has-this-name/x.xlsx", None, 7, b"x.xlsx", ""],
        *["folder.xlsx", "file/x.xlsx", "x" * 300 + ".xlsx", "x" * 300 + "/x.xlsx", "none", ".xlsx"],
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_odd_paths(
    path: Any, overwrite: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, frame: pd.DataFrame
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.xlsx").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(crn.CanvasReportsError) as caught:
        crn.to_excel(frame, path, overwrite=overwrite)
    assert caught.value.hint
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder.xlsx"]


def test_the_longest_name(tmp_path: Path, frame: pd.DataFrame) -> None:
    assert crn.to_excel(frame, tmp_path / f"{'x' * 250}.xlsx").exists()


def test_a_folder_that_is_read_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, frame: pd.DataFrame
) -> None:
    def refuse(*_: Any, **__: Any) -> None:  # as for a user without root's rights
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(workbook.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(crn.exceptions.FileError, match="you may not write there"):
        crn.to_excel(frame, tmp_path / "made.xlsx")


@pytest.mark.parametrize("step", ["xlsxwriter.workbook.ZipFile", f"{workbook.__name__}.check_place"])
def test_the_disk_is_full(
    step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, frame: pd.DataFrame
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, refuse)
    with pytest.raises(crn.exceptions.FileError, match="No space left"):
        crn.to_excel(frame, tmp_path / "made.xlsx")
    assert not list(tmp_path.iterdir())


def test_names_of_sheets_and_tables(written: Written) -> None:
    one = pd.DataFrame({"a": [1]})
    names = [
        "a/b:c*?[x]",
        "A B C X",
        "read me",
        "summary",
        "History",
        "",
        "'q'",
        "x" * 40,
        "x" * 41,
        7,
        "🤖" * 20,
    ]
    book = written(dict.fromkeys(names, one))
    sheets = book.book.sheetnames
    assert sheets[:2] == ["Read me", "summary"]
    assert sheets[-1] == "Columns"
    assert len({name.casefold() for name in sheets}) == len(names) + 2
    assert all(len(name.encode("utf-16-le")) <= 62 and not set(name) & set("[]:*?/\\") for name in sheets)
    tables = [name for sheet in book.book for name in sheet.tables]
    assert len({name.casefold() for name in tables}) == len(names) + 1
    assert all(re.fullmatch("[a-z_0-9]+", name) for name in tables)


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "dask"])
def test_every_kind_of_frame(kind: str, written: Written, oracle: Any) -> None:
    table = crn.read_file(SAMPLE, engine="arrow")
    wanted = written(table).values()
    assert written(oracle.as_kind(table, kind), overwrite=True).values(None) == wanted


def test_empty_frames(written: Written, frame: pd.DataFrame) -> None:
    book = written({"rows": frame.iloc[:0], "columns": frame[[]], "all": pd.DataFrame()})
    assert book.values("rows") == {"student name": [None], "n": [None], "student sis": [None]}
    assert book.sheet("all")["A1"].value == "This table has no columns."


def test_a_named_index_is_written(written: Written) -> None:
    base = pd.DataFrame({"course": ["A", "A", "B"], "n": [1, 2, 4]})
    assert written(base.groupby("course")[["n"]].sum()).values() == {"course": ["A", "B"], "n": [3, 4]}
    assert written(base[base["n"] > 1], name="b.xlsx").values() == {"course": ["A", "B"], "n": [2, 4]}
    both = base.groupby("course").agg({"n": ["sum", "max"]})
    assert list(written(both, name="c.xlsx").values()) == ["course", "n sum", "n max"]


def test_long_texts_are_cut_and_counted(written: Written) -> None:
    texts = ["a" * 32_767, "b" * 40_000, "🤖" * 20_000]
    book = written(pl.DataFrame({"comment": texts}))
    kept, cut, robots = book.values()["comment"]
    assert kept == texts[0]
    assert cut.startswith("b" * 32_000)
    assert robots.startswith("🤖" * 16_000)
    assert cut.endswith("… [cut]")
    assert all(len(text.encode("utf-16-le")) <= 2 * 32_767 for text in (cut, robots))
    assert book.text("Cut texts") == [
        "Data: 2 texts longer than 32,767 characters were cut, as Excel requires."
    ]


def test_the_document_has_the_date_of_the_newest_run(written: Written, frame: pd.DataFrame) -> None:
    assert written(frame).book.properties.created == datetime(2000, 1, 1)
    frame.attrs["canvas_report"] = {"runs": [{"ended_at": "2026-03-02T09:14:07-07:00"}, {"ended_at": None}]}
    newest = written(frame, name="b.xlsx").book.properties.created
    assert newest.replace(tzinfo=UTC) == datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC)
