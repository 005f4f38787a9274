"""What is not a report file is called by its name, and a zip is never trusted."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from canvas_reports_nb.exceptions import FileError, ParameterError
from canvas_reports_nb.frames import contents
from canvas_reports_nb.frames.contents import csv_members, readable

CSV = b"a,b\n1,2\n"


def packed(*members: str, data: bytes = CSV, **changes: Any) -> bytes:
    """Zip members with the same data, after changes of their entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in members:
            entry = zipfile.ZipInfo(name)
            for key, value in changes.items():
                setattr(entry, key, value)
            archive.writestr(entry, data)
    return buffer.getvalue()


def encrypted(data: bytes) -> bytes:
    """Mark the last member as encrypted."""
    at = data.rindex(b"PK\x01\x02") + 8
    return data[:at] + b"\x01" + data[at + 1 :]


def closed() -> io.BytesIO:
    (file := io.BytesIO(CSV)).close()
    return file


def text_of(error: FileError) -> str:
    """Return what happened, and the advice unless it is that of the class."""
    return error.message if error.hint == error._default_hint else str(error)


class Numbers:
    """An open file that returns no bytes."""

    name = "seven"

    def read(self) -> int:
        return 7


LATER = "Download the file again while logged in, or let read_report fetch it."
PAGE = (
    "x is a web page, not a report. Most likely Canvas's login page was saved instead of the file.\n" + LATER
)
ADDRESS = (
    "Expected a path, but got a web address.\n"
    "Download the file and pass its path, or let canvas.read_report(...) fetch the report."
)
UPLOAD = (
    "Expected a report file, but got int.\nPass a path, bytes or an open file. "
    'For an upload widget, pass upload.value[0]["content"].'
)
MESSAGES: list[tuple[Any, str]] = [
    (b"", "x is empty; it doesn't even have a header line."),
    *((magic + b"...", f"x is {what}, not a CSV or zip of a report.") for magic, what in (
        (b"PAR1", "a Parquet file"), (b"\xd0\xcf\x11\xe0", "an old Excel workbook"), (b"%PDF", "a PDF"),
        (b"\x89PNG", "a picture"), (b"\xff\xd8\xff", "a picture"), (b"GIF8", "a picture"),
        (b"\x1f\x8b", "a gzip file"), (b"SQLite format 3", "a database"),
    )),
    *((start, PAGE) for start in (b"\xef\xbb\xbf <!DOCTYPE html>", b"\r\n<html>", b"<?xml?>")),
    (b'[{"id": 7}]', "x is JSON, not a report."),
    (b'{"errors": []}', "x is JSON, not a report.\nIt looks like an error response from Canvas."),
    (packed("a.csv", "xl/workbook.xml"), "x is an Office document, not a report.\nSave it as CSV (UTF-8)."),
    (packed("word/document.xml"), "x is an Office document, not a report.\nSave it as CSV (UTF-8)."),
    (packed("a.txt", ".DS_Store"), "x is a zip without a CSV."),
    (packed("a.csv")[:-9], "x is a damaged zip (File is not a zip file). Most likely it was cut short."),
    *((packed("a.csv", name), f"x has a member with a path outside the zip: {name!r}.") for name in (
        "../b.csv", "/b.csv", "..\\b.csv", "C:/b.csv",
    )),
    (packed("a.csv", external_attr=0o120777 << 16), "x has a member that is a link: 'a.csv'."),
    (encrypted(packed("a.csv")), "x has an encrypted member: 'a.csv'."),
    (packed("a.csv", compress_type=zipfile.ZIP_LZMA), "x has a member compressed in a way that no report uses: 'a.csv'."),
    ("", "Expected a path, but got an empty text.\nPass the path of the file."),
    *((text, "Expected a path, but got the contents of a file.\nPass io.StringIO(text) or text.encode().")
      for text in ("a,b\n1,2", "id;name", "id\tname", "a\rb", "a\0b")),
    *((text, ADDRESS)
      for text in ("https://files.example.org/a.csv", "files.example.org/a?token=x", Path("http://x/a.csv"))),
    ("none, of these.csv", "There is no file 'none, of these.csv' in this folder."),
    (7, UPLOAD),
    (closed(), "The file is closed.\nOpen it again, or pass its path."),
    (Numbers(), 'The file returned int, not bytes.\nOpen the file with mode "rb".'),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), MESSAGES, ids=range(len(MESSAGES)))
def test_what_is_not_a_report_is_called_by_its_name(
    source: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError) as caught:
        csv_members(source, "x")
    assert text_of(caught.value) == message


def test_a_folder_and_a_name_the_system_refuses(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(FileError, match=r"^here is a folder, not a report file\."):
        csv_members(tmp_path / "here")
    for length, shown in ((80, "x" * 80), (81, "a file with a name of 81 characters")):
        with pytest.raises(FileError) as caught, readable(tmp_path / ("x" * length)):
            raise PermissionError(13, "Permission denied")
        assert (
            str(caught.value)
            == f"Can't read {shown}: Permission denied.\nCheck the path and its permissions."
        )


@pytest.mark.parametrize("encoding", ["utf8x", "base64", "zip", "a\0b", "\ud800", 7])
def test_an_encoding_that_no_text_has(encoding: Any) -> None:
    with pytest.raises(ParameterError, match=r"^Unknown encoding .*\nUse a name that Python has, such as"):
        csv_members(CSV, "x", encoding)
    assert csv_members(CSV, "x", "UTF8")[0].encoding == "utf-8"


def test_the_members_of_a_zip_and_the_notes_on_it() -> None:
    names = ["a.csv", "folder/", "A.CSV", "a.csv", ".csv", "b.txt", "Thumbs.db", "desktop.ini", "e\u0301.csv"]
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = packed(*names, "\u00e9.csv")
    members = csv_members(data, "x.zip")
    assert [member.name for member in members] == ["a", "A (2)", "a (3)", "table", "e\u0301", "\u00e9 (2)"]
    assert [member.stem for member in members] == ["a", "A", "a", "", "e\u0301", "\u00e9"]
    assert members[0].notes == (
        "x.zip holds more than one 'A.CSV'; this table is named 'A (2)'",
        "x.zip holds more than one 'a.csv'; this table is named 'a (3)'",
        "x.zip holds more than one '\u00e9.csv'; this table is named '\u00e9 (2)'",
        "x.zip also holds files that are not CSVs, which were left out: 'b.txt'",
    )
    assert not any(member.notes for member in members[1:])
    assert all(member.in_zip for member in members)


@pytest.mark.parametrize("name", ["__MACOSX/._a.csv", "._a.csv"])
def test_what_a_desktop_adds_is_told_from_a_table_by_its_bytes(name: str) -> None:
    litter, table = (packed("a.csv", name, data=data) for data in (b"\x00\x05\x16\x07", CSV))
    assert [member.name for member in csv_members(litter, "x")] == ["a"]
    assert [member.name for member in csv_members(table, "x")] == ["a", name.removesuffix(".csv")]


def test_a_damaged_member_is_named_with_its_zip() -> None:
    data = bytearray(packed("a.csv", data=CSV * 9))
    data[60] ^= 0xFF
    (member,) = csv_members(bytes(data), "x.zip")
    with pytest.raises(FileError) as caught, member.open() as stream:
        stream.read()
    assert text_of(caught.value) == "a.csv in x.zip can't be read to its end: Bad CRC-32 for file 'a.csv'."
    with pytest.raises(ValueError, match="of the reader"), member.open() as stream:
        raise ValueError("of the reader")


def test_each_kind_of_first_bytes_has_a_message() -> None:
    starts = [source[:-3] for source, _ in MESSAGES if isinstance(source, bytes) and source.endswith(b"...")]
    assert starts == list(contents._OTHERS)
