"""A file downloaded by hand: recognized and typed, or rejected with a reason; and its header checked."""

import hashlib
import io
import re
import traceback
import zipfile
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.catalog.schemas import reports, schema
from canvas_reports_nb.frames import files
from canvas_reports_nb.typing import TEXT

ACCESS = b'user id,user sis id,user name,last access at,last ip\n7,007,"Ng, Bea",2026-03-02T09:14:07-07:00,192.0.2.1\n'


def row(table: str, **cells: str) -> str:
    """Return a CSV of one row under the real header of a provisioning table."""
    report = schema("provisioning_csv")
    assert report is not None
    names = [column.name for column in report.tables[table].columns]
    return f"{','.join(names)}\n{','.join(cells.get(name, '') for name in names)}\n"


PACKED = io.BytesIO()
with zipfile.ZipFile(PACKED, "w") as _archive:
    _archive.writestr("users.csv", row("users", canvas_user_id="1", user_id="007", status="active"))
    _archive.writestr("terms.csv", row("terms", canvas_term_id="1", term_id="T1"))
ZIP = PACKED.getvalue()


KINDS = [
    "path",
    "path as text",
    "bytes",
    "buffer",
    "bytearray",
    "memoryview",
    "text buffer",
    "file",
    "text file",
]


def sources(tmp_path: Path, data: bytes, name: str) -> dict[str, Any]:
    path = tmp_path / name
    path.write_bytes(data)
    return {
        "path": path,
        "path as text": str(path),
        "bytes": data,
        "buffer": io.BytesIO(data),
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
    }


def text_sources(stack: ExitStack, path: Path) -> dict[str, Any]:
    return {
        "text buffer": io.StringIO(path.read_bytes().decode(), newline=""),
        "file": stack.enter_context(path.open("rb")),
        # As on Windows, where the default encoding is not UTF-8 and line breaks are translated.
        "text file": stack.enter_context(path.open(encoding="cp1252")),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source(tmp_path: Path, kind: str) -> None:
    data = ACCESS.replace(b"Bea", "Béa".encode()).replace(b"\n", b"\r\n")
    found = sources(tmp_path, data, "last_user_access_csv.csv")
    with ExitStack() as stack:
        found |= text_sources(stack, found["path"])
        frame = crn.read_file(found[kind])
    assert frame["user sis id"].tolist() == ["007"]
    assert frame["user name"].tolist() == ["Ng, Béa"]
    assert frame["user id"].dtype == "Int64"
    made = frame.attrs["canvas_report"]
    assert (made["report"], made["rows"], made["run_id"]) == ("last_user_access_csv", 1, None)
    assert made["sha256"] == hashlib.sha256(data).hexdigest()
    assert made["zone"] == ["-07:00"]
    assert made["source"] == ("the buffer" if kind in KINDS[2:7] else "last_user_access_csv.csv")


def test_a_text_file_opened_in_the_right_encoding(tmp_path: Path) -> None:
    path = tmp_path / "last_user_access_csv.csv"
    path.write_bytes(ACCESS.decode().replace("Bea", "Béa").encode("cp850"))
    with path.open(encoding="cp850") as file:
        assert crn.read_file(file)["user name"].tolist() == ["Ng, Béa"]


SECRET = "verifier=s3cr3t"


@pytest.mark.parametrize("read", [crn.read_file, crn.check_file])
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (f"https://canvas.example.edu/files/9/download?{SECRET}", "web address"),
        (f"canvas.example.edu/files/9/download?download_frd=1&{SECRET}", "web address"),
        (Path(f"https://canvas.example.edu/files/9/download?{SECRET}"), "web address"),
        ("s3://bucket/users.csv", "web address"),
        (f"user id,user name\n7,{SECRET}\n", "contents of a file"),
        (f"user id,user name\r7,{SECRET}", "contents of a file"),
        (None, "NoneType"),
        (3, "int"),
        ({"name": "users.csv", "content": SECRET}, r'dict.*upload.value\[0\]\["content"\]'),
        (({"name": "users.csv", "content": SECRET},), "tuple"),
        (pd.DataFrame({"user id": [SECRET]}), "DataFrame"),
    ],
    ids=str.split("https host pathlib s3 text old-text None int upload uploads frame"),
)
def test_a_source_that_is_not_a_file_is_rejected_without_repeating_it(
    read: Any, source: Any, message: str
) -> None:
    with pytest.raises(exc.NotAReportError, match=f"(?s){message}") as caught:
        read(source)
    assert SECRET not in "".join(traceback.format_exception(caught.value)).replace(repr(source), "")
    assert SECRET not in str(caught.value)


def test_an_odd_file_object_is_rejected() -> None:
    class Odd(io.RawIOBase):
        def read(self, size: int = -1) -> Any:
            return 5

    with pytest.raises(exc.NotAReportError, match="returned int"):
        crn.read_file(Odd())


@pytest.mark.parametrize(
    ("engine", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("arrow", pa.Table)]
)
def test_engines_and_columns(engine: Any, kind: type) -> None:
    frame = crn.read_file(ACCESS, columns=["user name", "user id"], engine=engine)
    assert isinstance(frame, kind)
    names = frame.column_names if engine == "arrow" else list(frame.columns)
    assert names == ["user name", "user id"]


def test_a_table_of_a_zip(tmp_path: Path) -> None:
    for source in sources(tmp_path, ZIP, "provisioning_csv_02_Mar_2026_81234.zip").values():
        assert crn.read_file(source, table="users")["user_id"].tolist() == ["007"]
    with pytest.raises(exc.TableRequiredError, match="users, terms"):
        crn.read_file(ZIP)
    with pytest.raises(exc.UnknownTableError, match="users, terms"):
        crn.read_file(ZIP, table="courses")


def test_an_unknown_report_is_all_text() -> None:
    frame = crn.read_file(b"id,when\n007,2026-03-02T09:14:07Z\n", report="a_vendor_report")
    assert frame.loc[0].tolist() == ["007", "2026-03-02T09:14:07Z"]


STRANGER = b"user,hits\n007,1e3\n"


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("proserv_assignment_export_csv_02_Mar_2026_8123420260302-31.csv", "proserv_assignment_export_csv"),
        ("recipes.csv", None),
    ],
)
def test_an_undescribed_report_is_text_with_a_warning(tmp_path: Path, name: str, report: str | None) -> None:
    path = tmp_path / name
    path.write_bytes(STRANGER)
    with pytest.warns(crn.ReportWarning, match=re.escape(name)):
        frame = crn.read_file(path)
    assert frame.loc[0].tolist() == ["007", "1e3"]
    assert frame.canvas.provenance["report"] == report


# The columns of "students with no submissions" are all here, among those of another report.
PAGE_LOG = (
    b"section id,section sis id,section name,course id,course sis id,course name,user id,user sis id,user name,"
    b"page type,page,page views\n"
    b'9101,S-1,Bio A,4101,B-1,Biology,501,000481,"Q, Rae",wiki,Essay,12\n'
)


def test_a_file_that_contains_the_columns_of_a_report_is_unknown() -> None:
    with pytest.warns(
        crn.ReportWarning, match="resembles students_with_no_submissions_csv, but .*'page type'"
    ):
        frame = crn.read_file(PAGE_LOG)
    assert frame.canvas.provenance["report"] is None
    assert frame["user sis id"].tolist() == ["000481"]
    with pytest.raises(exc.NotAReportError, match="no report this package knows") as caught:
        crn.check_file(PAGE_LOG)
    assert "pass report='students_with_no_submissions_csv'" in str(caught.value)


# Two reports that only hosted schools have.
ACCESS_LOG = (
    b"section id,section sis id,section name,course id,course sis id,course name,term id,term sis id,term name,"
    b"enrollment type,user id,user sis id,user name,content type,content,times viewed,times participated,"
    b"last viewed\n"
    b'9101,0E12,Bio A,4101,B-1,Biology,341,SP26,Spring,student,501,000481,"Q, Rae",wiki,Essay,12,1,'
    b"2026-03-02T09:14:07-07:00\n"
)
SUBMISSIONS = (
    b"canvas user id,sis user id,user name,canvas course id,sis course id,course name,assignment id,assignment name,"
    b"submission date,graded date,score,points possible,submission id,workflow state,excused,post to sis,"
    b"canvas section id,sis section id,due at,posted at,assignment workflow state,grading period id\n"
    b'501,000481,"Q, Rae",4101,B-1,Biology,77,Essay,2026-03-02T09:14:07-07:00,,88.50,100.0,900001,graded,false,true,'
    b"9101,0E12,,,published,\n"
)


@pytest.mark.parametrize(
    ("data", "report", "texts", "moment"),
    [
        (
            ACCESS_LOG,
            "user_course_access_log_csv",
            {"user sis id": "000481", "section sis id": "0E12"},
            "last viewed",
        ),
        (
            SUBMISSIONS,
            "proserv_student_submissions_csv",
            {"sis user id": "000481", "sis section id": "0E12"},
            "submission date",
        ),
    ],
)
def test_hosted_reports_have_types(data: bytes, report: str, texts: dict[str, str], moment: str) -> None:
    frame = crn.read_file(data)
    assert frame.canvas.provenance["report"] == report
    assert frame.loc[0, list(texts)].tolist() == list(texts.values())
    assert frame.loc[0, moment] == pd.Timestamp("2026-03-02 16:14:07", tz="UTC")
    assert frame[frame.columns[0]].dtype == "Int64"
    assert set(crn.check_file(data)["found"]) == {"as expected"}


def test_undescribed_bytes_are_text_with_a_warning() -> None:
    with pytest.warns(crn.ReportWarning, match="no report this package knows"):
        assert crn.read_file(STRANGER)["user"].tolist() == ["007"]


@pytest.mark.parametrize(
    ("data", "asked", "error"),
    [
        (b"", {}, exc.NotAReportError),
        (b"<!DOCTYPE html><title>Log in</title>", {}, exc.NotAReportError),
        (b'{"errors":[]}', {}, exc.NotAReportError),
        (b"\x89PNG\r\n\x1a\n", {}, exc.NotAReportError),
        (ZIP[:40], {}, exc.DamagedFileError),
        (ZIP[:-30], {"table": "users"}, exc.DamagedFileError),
        (ACCESS, {"columns": ["grade"]}, exc.UnknownColumnError),
        (ACCESS, {"table": "users"}, exc.UnknownTableError),
    ],
    # Fixed ids: a zip holds its creation time, and each test process makes its own.
    ids=["empty", "page", "json", "picture", "zip's start", "zip cut short", "no column", "no table"],
)
def test_other_files_and_wrong_arguments_are_rejected(
    data: bytes, asked: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        crn.read_file(data, **asked)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("user id,user name,SECRET", "got the contents of a file"),
        ("SECRET;7;NG", "got the contents of a file"),
        ("SECRET" * 100, "a name of 600 characters"),
        ("SECRET" * 10_000, "a name of 60,000 characters"),
        ("https://canvas.example.edu/files/1?verifier=SECRET", "got a web address"),
        ("", "got an empty text"),
    ],
    ids=["cells", "semicolons", "long", "very long", "address", "empty"],
)
def test_no_error_repeats_what_is_not_a_path(given: str, says: str) -> None:
    for read in (crn.read_file, crn.check_file):
        with pytest.raises(exc.FileError, match=says) as caught:
            read(given)
        assert "SECRET" not in str(caught.value)


def test_a_path_with_commas_and_a_closed_file(tmp_path: Path) -> None:
    for name in ("users, of May.csv", "a,b"):
        (tmp_path / name).write_bytes(ACCESS)
        assert len(crn.read_file(tmp_path / name)) == 1
    with (tmp_path / "a,b").open("rb") as file:
        pass
    with pytest.raises(exc.NotAReportError, match="The file is closed"):
        crn.read_file(file)


def test_a_missing_file_raises_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        crn.read_file(tmp_path / "gone.csv")


@pytest.mark.parametrize("read", [crn.read_file, crn.check_file])
@pytest.mark.parametrize(
    "name",
    ["gone.csv", "gone", "no/x.csv", "file/x.csv", "x" * 300, "~nobody-here/x.csv", "folder", ""],
)
def test_a_path_that_cannot_be_read_is_our_error(read: Any, name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(exc.FileError, match=r"There is no file|Can't read|is a folder") as caught:
        read(name if name.startswith("~") else tmp_path / name)
    assert isinstance(caught.value, FileNotFoundError) == (
        name in {"gone.csv", "gone", "no/x.csv", "file/x.csv"}
    )
    assert str(tmp_path) not in str(caught.value)


def test_a_file_opened_for_writing_cannot_be_read(tmp_path: Path) -> None:
    with (tmp_path / "x.csv").open("wb") as file, pytest.raises(exc.FileError, match=r"Can't read x\.csv"):
        crn.read_file(file)


def test_utf_32_and_an_encoding_that_does_not_fit() -> None:
    text = "user id,user name,last activity at\n7,Ünal,\n"
    assert crn.read_file(text.encode("utf-32"))["user name"].tolist() == ["Ünal"]
    for read in (crn.read_file, crn.check_file):
        with pytest.raises(exc.DamagedFileError, match=r"can't be read as utf-16: .*\.\nLeave out encoding="):
            read(text.encode(), encoding="utf-16")


def test_check_file_warns_of_a_guessed_encoding_which_can_be_overruled() -> None:
    header = "user id,user name,last activity at,Prüfung\n7,Ünal,,ß\n"
    report = "last_enrollment_activity_csv"
    with pytest.warns(crn.ReportWarning, match="not UTF-8, read as latin-1.*encoding="):
        guessed = crn.check_file(header.encode("cp850"), report)
    assert "Prüfung" not in guessed["column"].tolist()
    named = crn.check_file(header.encode("cp850"), report, encoding="cp850")
    assert "Prüfung" in named["column"].tolist()
    with pytest.raises(exc.ParameterError, match="Unknown encoding 'cp85O'"):
        crn.check_file(header.encode(), report, encoding="cp85O")


DATA = Path(__file__).parents[2] / "data"
ZERO = schema("zero_activity_csv").tables["zero_activity_csv"]


def found_in(header: list[str], report: str = "zero_activity_csv") -> dict[str, str]:
    frame = crn.check_file((",".join(header) + "\n").encode(), report)
    return dict(zip(frame["column"], frame["found"], strict=True))


@pytest.mark.parametrize("report", reports())
def test_a_full_header_is_as_expected(report: str) -> None:
    for table in schema(report).tables.values():
        if table.columns and len(schema(report).tables) == 1:
            assert set(found_in([column.name for column in table.columns], report).values()) == {
                "as expected"
            }


def test_new_missing_renamed_and_moved_columns_differ() -> None:
    names = [column.name for column in ZERO.columns]
    assert found_in([*names, "shoe size"])["shoe size"] == "new"
    assert found_in(names[1:])[names[0]] == "missing"
    renamed = found_in(["user_id", *names[1:]])
    assert renamed["user_id"] == "renamed"
    assert names[0] not in renamed
    moved = found_in([*names[1:], names[0]])
    assert [name for name, how in moved.items() if how == "moved"] == [names[0]]


def test_names_in_another_case_are_renamed() -> None:
    names = [column.name for column in ZERO.columns]
    frame = crn.check_file((",".join(names).upper() + "\n").encode(), "zero_activity_csv")
    assert frame["column"].tolist() == [name.upper() for name in names]
    assert (set(frame["found"]), frame["expected"].tolist()) == ({"renamed"}, names)
    assert frame["position"].tolist() == [*range(1, len(names) + 1)]


def test_a_column_written_only_under_a_condition_is_not_missing() -> None:
    names = [
        column.name
        for column in schema("grade_export_csv").tables["grade_export_csv"].columns
        if not column.when
    ]
    assert set(found_in(names, "grade_export_csv").values()) == {"as expected"}
    whole = schema("grade_export_csv").tables["grade_export_csv"].columns
    checked = crn.check_file(",".join(column.name for column in whole).encode(), "grade_export_csv")
    texts = dict.fromkeys(("table", "column", "found", "expected"), TEXT)
    assert checked.dtypes.to_dict() == {**texts, "position": pd.Int64Dtype(), "when": TEXT}
    assert checked["when"].fillna("").tolist() == [column.when or "" for column in whole]


def test_every_member_of_a_zip_is_checked() -> None:
    frame = crn.check_file(DATA / "21_provisioning_multi.zip")
    assert frame["table"].unique().tolist() == ["users", "courses", "enrollments", "xlist"]
    assert set(frame["found"]) == {"as expected"}


def test_missing_columns_of_an_old_users_file() -> None:
    frame = crn.check_file(DATA / "02_provisioning_users_2023.csv")
    missing = frame.query("found == 'missing'")["column"].tolist()
    assert {"sortable_name", "short_name", "integration_id"} <= set(missing)


@pytest.mark.parametrize("columns", [1, 5, 6, 7, 20])
def test_the_first_line_of_an_unknown_file_is_shown(columns: int) -> None:
    names = [f"own {at}" for at in range(columns)]
    shown = re.escape(", ".join(names[:6]) + (", ..." if columns > 6 else ""))
    with pytest.raises(exc.NotAReportError, match=rf"Its first line is: {shown}\n"):
        crn.check_file((",".join(names) + "\n" + "1," * columns + "\n").encode())


def test_the_tables_of_a_file_and_the_warnings_of_a_conversion(tmp_path: Path) -> None:
    lone = tmp_path / "users.csv"
    lone.write_bytes(b"user id,user name,last activity at\noops,Zo\xeb,\n")
    assert files.tables_in(lone) == [None]
    assert files.tables_in(DATA / "21_provisioning_multi.zip") == ["users", "courses", "enrollments", "xlist"]
    with pytest.warns(crn.ReportWarning) as warned:
        files.convert_file(lone, tmp_path / "made.parquet", "last_enrollment_activity_csv")
    words = [str(each.message) for each in warned]
    assert ["read as cp1252" in words[0], "stays text, because row 1 holds 'oops'" in words[1]] == [
        True,
        True,
    ]
    assert files.convert_file(lone, tmp_path / "made.csv", "last_enrollment_activity_csv").rows is None
    assert (tmp_path / "made.csv").read_bytes() == lone.read_bytes()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            "Zo\u00eb,José,Zo\udceb",
            "1 byte is not UTF-8 and was read as cp1252, in row 3, column 'user name'",
        ),
        (
            "José,Zo\udceb,\udceb",
            "2 bytes are not UTF-8 and were read as cp1252, the first in row 2, column 'user name'",
        ),
    ],
)
def test_bytes_that_are_not_utf8_are_counted_and_placed(names: str, words: str) -> None:
    rows = "".join(f"{at},{name},\n" for at, name in enumerate(names.split(",")))
    data = f"user id,user name,last activity at\n{rows}".encode(errors="surrogateescape")
    with pytest.warns(crn.ReportWarning, match=re.escape(words)):
        frame = crn.read_file(data)
    assert frame["user name"].tolist() == [name.replace("\udceb", "\u00eb") for name in names.split(",")]


def test_check_file_warns_of_what_it_leaves_out_and_raises_if_nothing_is_left(tmp_path: Path) -> None:
    path, binary = tmp_path / "x.zip", bytes(range(256))
    users = b"canvas_user_id,user_id,login_id,full_name,status\n"
    for members, left in ((("a.csv", "b.csv", "notes.txt"), False), (("a.csv", "users.csv"), True)):
        with zipfile.ZipFile(path, "w") as archive:
            for name in members:
                archive.writestr(name, users if name == "users.csv" else binary)
        failure = nullcontext() if left else pytest.raises(exc.NotAReportError, match="b is not a CSV")
        with pytest.warns(crn.ReportWarning) as warned, failure:
            assert set(crn.check_file(path, "provisioning_csv")["table"]) == {"users"}
        words = [str(each.message) for each in warned]
        assert words[-1] == "a was left out: a is not a CSV: its first line is not text."
        assert ["'notes.txt'" in each for each in words[:-1]] == ([] if left else [True])
