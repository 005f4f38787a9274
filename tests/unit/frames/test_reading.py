"""Files as people and servers write them."""

import codecs
import io
import json
import warnings
import zipfile
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb import frames
from canvas_reports_nb.exceptions import (
    DamagedFileError,
    NotAReportError,
    TableRequiredError,
    UnknownColumnError,
    UnknownTableError,
    UnsafeArchiveError,
)
from canvas_reports_nb.frames import reading
from canvas_reports_nb.frames.contents import csv_members
from canvas_reports_nb.frames.identity import identify
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.typing import TEXT

ACTIVITY = b"user id,user name,last activity at\n"
ACCESS = b"user id,user sis id,user name,last access at,last ip\n"


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.csv", data)
    return buffer.getvalue()


def test_17_digit_id_beside_a_blank() -> None:
    frame = crn.read_file(
        b"user_id,canvas_user_id,login_id,full_name,status\n,12340000000000567,x,X,active\n1,,y,Y,active\n",
        report="provisioning_csv",
    )
    assert frame["canvas_user_id"].dtype == "Int64"
    assert frame["canvas_user_id"].tolist() == [12340000000000567, pd.NA]


def test_mixed_offsets_become_utc_and_are_kept_in_the_provenance() -> None:
    frame = crn.read_file(
        ACTIVITY
        + b'1,A,2026-03-02T09:14:07-07:00\n2,B,2026-06-02T09:14:07-06:00\n3,C,2026-06-02T09:14:07Z\n4,"D",\n'
    )
    column = frame["last activity at"]
    assert str(column.dtype) == "datetime64[us, UTC]"
    assert column[0] == pd.Timestamp("2026-03-02T16:14:07Z")
    assert column[1] == pd.Timestamp("2026-06-02T15:14:07Z")
    assert column.isna().tolist() == [False, False, False, True]
    assert frame.attrs["canvas_report"]["zone"] == ["-06:00", "-07:00", "Z"]


def test_space_separated_utc_times() -> None:
    header = "eportfolio_name,eportfolio_id,author_name,author_id,author_sis_id,author_login_id,created_at,updated_at,is_public,workflow_state"
    frame = crn.read_file(
        f"{header}\np,1,A,2,,a,2014-10-24 20:34:53 UTC,2014-10-25 20:34:53 UTC,true,active\n".encode()
    )
    assert frame["created_at"][0] == pd.Timestamp("2014-10-24T20:34:53Z")
    assert frame["is_public"].dtype == "boolean"


def test_text_that_looks_like_something_else_stays_as_written() -> None:
    cells = ["000481", "1e5", "007E2", "NA", "null", "NaN", "None", "-", " padded ", "inf", "TRUE"]
    rows = "".join(f"1,{cell},Name,,\n" for cell in cells)
    frame = crn.read_file(ACCESS + rows.encode())
    assert frame["user sis id"].tolist() == cells
    assert frame["last ip"].isna().all()


@pytest.mark.parametrize(
    ("cell", "column"),
    [
        ("0481", "user id"),
        ("1.0", "user id"),
        ("12345678901234567890", "user id"),
        ("abc", "user id"),
        ("never", "last access at"),
        ("2026-03-02", "last access at"),
        ("2026-03-02T09:14:07", "last access at"),
    ],
)
def test_a_contradicting_value_keeps_its_column_as_text(cell: str, column: str) -> None:
    values = {"user id": "7", "last access at": "2026-03-02T09:14:07Z", column: cell}
    first, second = "8,,B,2026-03-02T09:14:07Z,", f"{values['user id']},,A,{values['last access at']},"
    with pytest.warns(crn.ReportWarning, match="row 2 holds") as caught:
        frame = crn.read_file(ACCESS + f"{first}\n{second}\n".encode())
    assert len(caught) == 1
    assert pd.api.types.is_string_dtype(frame[column])
    assert frame[column][1] == cell
    assert "row 2" in frame.attrs["canvas_report"]["notes"][column]
    other = ({"user id", "last access at"} - {column}).pop()
    assert not pd.api.types.is_string_dtype(frame[other])


def test_a_contradiction_far_down_leaves_no_half_typed_file(tmp_path: Path) -> None:
    rows = b"".join(b"%d,A,2026-03-02T09:14:07Z\n" % number for number in range(400_000))
    data = ACTIVITY + rows + b"oops,A,never\n"
    (member,) = frames.csv_members(data, "last_enrollment_activity_csv.csv")
    identity = identify(member, "last_enrollment_activity_csv")
    target = tmp_path / "t.parquet"
    facts, made = frames.write_parquet(member, identity, target, Provenance(run_id=5))
    assert facts.rows == 400_001
    assert set(facts.as_text) == {"user id", "last activity at"}
    assert facts.as_text["user id"].row == 400_001
    frame = frames.load(target, made, "pandas")
    assert frame["user id"].iloc[[0, -1]].tolist() == ["0", "oops"]
    assert json.loads(pq.read_metadata(target).metadata[b"canvas_report"])["rows"] == 400_001
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + ACTIVITY + b"7,\xc3\x85sa,2026-03-02T09:14:07Z\n",
        (ACTIVITY + "7,Åsa,2026-03-02T09:14:07Z\n".encode()).replace(b"\n", b"\r\n"),
        (ACTIVITY + "7,Åsa,2026-03-02T09:14:07Z\n".encode()).replace(b",", b";"),
        ACTIVITY + "7,Åsa,2026-03-02T09:14:07Z".encode(),
        ACTIVITY + "\n7,Åsa,2026-03-02T09:14:07Z\n\n".encode(),
        (ACTIVITY.decode() + "7,Åsa,2026-03-02T09:14:07Z\n").encode("utf-16"),
        zipped(last_enrollment_activity_csv=ACTIVITY + "7,Åsa,2026-03-02T09:14:07Z\n".encode()),
    ],
    ids=["bom", "crlf", "semicolons", "no-last-newline", "blank-lines", "utf-16", "zip"],
)
def test_files_saved_again_by_other_programs(data: bytes) -> None:
    frame = crn.read_file(data)
    assert frame["user name"].tolist() == ["Åsa"]
    assert frame["user id"].tolist() == [7]
    assert frame["last activity at"].tolist() == [pd.Timestamp("2026-03-02T09:14:07Z")]


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp1252", "Åsa"), ("cp850", "José Muñoz"), ("mac_roman", "Zoë")]
)
def test_an_encoding_that_is_not_utf8_is_a_warning_and_can_be_named(encoding: str, name: str) -> None:
    data = (ACTIVITY.decode() + f"7,{name},2026-03-02T09:14:07Z\r\n").encode(encoding)
    with pytest.warns(crn.ReportWarning, match="not UTF-8 and was read as .*encoding=") as caught:
        guessed = crn.read_file(data)
    assert len(caught) == 1
    assert (guessed["user name"].tolist() == [name]) == (encoding == "cp1252")
    frame = crn.read_file(data, encoding=encoding)  # without a warning
    assert frame["user name"].tolist() == [name]
    made = frame.attrs["canvas_report"]
    assert (made["encoding"], made["notes"]) == (codecs.lookup(encoding).name, {})


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
def test_a_named_encoding(encoding: str, slow: bool) -> None:
    end = "8,B\n" if slow else ""
    text = f"\nsep=;\n{ACTIVITY.decode()}7,Åsa,2026-03-02T09:14:07Z\n{end}".replace(",", ";")
    frame = crn.read_file(text.encode(encoding), "last_enrollment_activity_csv", encoding=encoding)
    assert frame["user name"].tolist() == ["Åsa", "B"][: len(frame)]
    assert frame["user id"].tolist() == [7, 8][: len(frame)]
    assert len(frame) == 1 + slow


def test_a_wrong_encoding_is_an_error_with_advice() -> None:
    with pytest.raises(crn.CanvasReportsError, match="Unknown encoding 'utf-9'"):
        crn.read_file(ACTIVITY, encoding="utf-9")
    for data in (ACTIVITY + b"7,Zo\xeb,\n", b"user id,user name,last activity at,Zo\xeb\n"):
        with pytest.raises(DamagedFileError, match="utf-8"):
            crn.read_file(data, "last_enrollment_activity_csv", encoding="utf-8")


LINES_ABOVE = [
    "",
    "\n",
    "\r\n\r\n",
    "  \t\n",
    "sep=,\n",
    "SEP=;\r\n",
    '"sep=;"\n',
    "\nsep=|\n\n",
    "#TYPE System.Object\n",
]


@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["", "bom"])
@pytest.mark.parametrize("above", LINES_ABOVE, ids=repr)
def test_lines_above_the_header(above: str, bom: str, slow: bool) -> None:
    delimiter = next((mark for mark in ";|" if mark in above), ",")
    text = ACTIVITY.decode() + "7,Åsa,2026-03-02T09:14:07Z\n" + "8,B\n" * slow
    frame = crn.read_file((bom + above + text.replace(",", delimiter)).encode())
    assert frame.attrs["canvas_report"]["report"] == "last_enrollment_activity_csv"
    assert frame["user name"].tolist() == ["Åsa", "B"][: len(frame)]
    assert len(frame) == 1 + slow


@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
@pytest.mark.parametrize("blank", [b",,", b'"","",""', b',"",'])
def test_rows_of_separators_are_noted(slow: bool, blank: bytes) -> None:
    frame = crn.read_file(ACTIVITY + b"7,A,\n,,\n" + blank + b"\n" + b"8,B\n" * slow)
    frame = frame.replace("", None)
    assert frame["user name"].count() == 1 + slow
    assert "2 rows hold nothing but separators" in frame.attrs["canvas_report"]["notes"]["file"]


@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_blank_line_is_a_row_only_in_a_single_column(
    width: int, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BLOCK", 100)  # Arrow reads no cell that is longer than two blocks
    texts = ["A", "", "B" * (400 if slow else 4), "", ""]
    cells = [["7", "", text][-width:] if text else [] for text in texts]
    data = "\n".join(",".join(row) for row in [["a", "b", "c"][-width:], *cells, [""] * width]) + "\n"
    frame = crn.read_file(data.encode(), "own_report_csv")
    assert frame["c"].fillna("").tolist() == [*(text for text in texts if text or width == 1), ""]
    remark = {"file": "1 rows hold nothing but separators"}
    assert frame.attrs["canvas_report"]["notes"] == (remark if width > 1 else {})


@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
def test_both_readers_tell_an_empty_text_from_nothing(slow: bool) -> None:
    row = '7,"","a""b,\n""",\n,"","",""\n' if not slow else '7,"","a""b,\n""",\n,"","","",\n'
    table = crn.read_file(f"a,b,c,d\n{row}".encode(), "own_report_csv", engine="arrow")
    assert [list(found.values())[:4] for found in table.to_pylist()] == [
        ["7", "", 'a"b,\n"', None],
        [None, "", "", ""],
    ]


@pytest.mark.parametrize(
    ("cells", "delimiter", "expected"),
    [
        (["3,5", "0,125", "4"], ",", [3.5, 0.125, 4.0]),
        (["3,5", "1,000"], ",", ["3,5", "1,000"]),
        (["3,5", "1,000", "-0,5"], ";", [3.5, 1.0, -0.5]),
        (["1.000,5"], ";", ["1.000,5"]),
    ],
)
def test_a_decimal_comma_is_never_a_guess(cells: list[str], delimiter: str, expected: list[object]) -> None:
    names = ["student name", "student id", "outcome score"]
    rows = "".join(f'A{delimiter}1{delimiter}"{cell}"\n' for cell in cells)
    data = f"{delimiter.join(names)}\n{rows}".encode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = crn.read_file(data, "outcome_results_csv")
    assert frame["outcome score"].tolist() == expected
    assert len(caught) == isinstance(expected[0], str)


def test_a_decimal_comma_of_a_spreadsheet_in_any_report() -> None:
    frame = crn.read_file(b"student name;student id;current score\nA;1;88,5\n", "grade_export_csv")
    assert frame["current score"].tolist() == [88.5]


@pytest.mark.parametrize(
    "time", ["0000-06-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_times_that_no_tool_can_show_stay_text(time: str) -> None:
    data = ACTIVITY + f"7,A,2026-03-02T09:14:07Z\n8,B,{time}\n".encode()
    for engine in ("pandas", "polars", "arrow", "dask"):
        with pytest.warns(crn.ReportWarning, match="row 2 holds"):
            frame = crn.read_file(data, engine=engine)
        column = frame.compute() if engine == "dask" else frame
        assert column["last activity at"][1] in {time, pa.scalar(time)}


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_time(time: str) -> None:
    table = crn.read_file(ACTIVITY + f"7,A,{time}\n".encode(), engine="arrow")
    assert table["last activity at"].to_pylist() == [datetime.fromisoformat(time)]


def test_odd_characters_in_a_header() -> None:
    odd = "user\u00a0id,\u200fuser name,\tlast activity at,👩\u200d🏫,a\tb\n"
    frame = crn.read_file(f"{odd}7,A,,x,y\n".encode(), "last_enrollment_activity_csv")
    assert list(frame.columns) == [
        "user\u00a0id",
        "\u200fuser name",
        "\tlast activity at",
        "👩\u200d🏫",
        "a\tb",
    ]
    assert frame.iloc[0, [0, 1, 3, 4]].tolist() == [7, "A", "x", "y"]
    assert str(frame.dtypes.iloc[2]) == "datetime64[us, UTC]"
    recognized = crn.read_file("user\u00a0id,\u200fUser Name,\tlast activity at\n7,A,\n".encode())
    assert recognized.attrs["canvas_report"]["report"] == "last_enrollment_activity_csv"


def test_empty_quotes_in_an_enumeration_are_missing() -> None:
    data = b'canvas_user_id,user_id,login_id,full_name,status\n1,2,3,4,""\n1,2,3,4,active\n1,2,3,4,\n'
    frame = crn.read_file(data, "provisioning_csv")
    assert frame["status"].tolist()[1:2] == ["active"]
    assert frame["status"].isna().tolist() == [True, False, True]
    assert "" not in frame["status"].cat.categories


TOKENS = (
    "user id,user name,id,creation,expiration,last used\n"
    "1,A,7,2026-03-02T09:14:07-07:00,never,2026-03-02T09:14:07Z\n"
    "2,B,8,2026-03-02T09:14:07-07:00,2026-06-02T09:14:07Z,never\n"
)


@pytest.mark.parametrize("engine", ["pandas", "polars", "arrow", "dask"])
@pytest.mark.parametrize("slow", [False, True], ids=["fast", "slow"])
def test_documented_words_get_a_text_column_of_their_own(engine: Any, slow: bool) -> None:
    data = (TOKENS + "3,C\n" * slow).encode()
    frame = crn.read_file(data, "user_access_tokens_csv", engine=engine)  # without a warning
    frame = frame.compute() if engine == "dask" else frame
    names = list(frame.column_names if engine == "arrow" else frame.columns)
    assert names == [
        *("user id", "user name", "id", "creation", "creation (text)", "expiration", "expiration (text)"),
        *("last used", "last used (text)"),
    ]
    assert list(map(str, frame["expiration (text)"]))[:2] == ["never", "2026-06-02T09:14:07Z"]
    assert list(map(str, frame["last used (text)"]))[:2] == ["2026-03-02T09:14:07Z", "never"]
    arrow = crn.read_file(data, "user_access_tokens_csv", engine="arrow", columns=["expiration"])
    moment = datetime(2026, 6, 2, 9, 14, 7, tzinfo=UTC)
    assert arrow["expiration"].to_pylist()[:2] == [None, moment]


def test_an_unknown_word_keeps_both_columns_as_text() -> None:
    with pytest.warns(crn.ReportWarning, match="'expiration' stays text, because row 2 holds 'nie'"):
        frame = crn.read_file(
            (TOKENS.replace("2026-06-02T09:14:07Z", "nie")).encode(), "user_access_tokens_csv"
        )
    assert frame["expiration"].tolist() == frame["expiration (text)"].tolist() == ["never", "nie"]
    assert frame.attrs["canvas_report"]["zone"] == ["-07:00", "Z"]
    described = crn.dictionary(frame).set_index("column")
    assert described.loc["last used (text)", ["kind", "personal"]].tolist() == ["text", True]


def test_a_header_only_file_has_the_same_columns() -> None:
    frame = crn.read_file(TOKENS.split("\n", maxsplit=1)[0].encode() + b"\n", "user_access_tokens_csv")
    assert list(frame.columns)[-2:] == ["last used", "last used (text)"]


BAD = [b"\xff", b"\xe9", b"\x81", b"\xc3", b"\xe2\x80", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf0\x9f\x98"]
"""Bytes that are not UTF-8: of other encodings, without a meaning anywhere, and of characters that were cut."""


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "bom"])
@pytest.mark.parametrize("end", [b"", b"9,short\n"], ids=["fast", "slow"])
@pytest.mark.parametrize("place", ["first", "last", "header", "zip"])
@given(bad=st.lists(st.sampled_from(BAD), min_size=1, max_size=3))
@settings(max_examples=5)
def test_bytes_that_are_not_utf8_change_only_their_own_cells(
    mark: bytes, end: bytes, place: str, bad: list[bytes]
) -> None:
    header = "number,Señal,name,Ångström\n".encode()
    good = "".join(f'{number},José,"Ñandú, ""B""",Zoë\n' for number in range(700)).encode()
    spoiled = b"".join(b"700,Old" + each + b"Name,B,C\n" for each in bad)
    if place == "header":
        header, spoiled = header.replace(b"name", b"na" + bad[0] + b"me"), b"700,,B,C\n"
    rows = spoiled + good if place == "first" else good + spoiled
    data = mark + header + rows + end
    if place == "zip":
        data = zipped(own=data)
    with pytest.warns(crn.ReportWarning, match="not UTF-8 and w.* read as cp1252, .*in ") as caught:
        frame = crn.read_file(data, "own_report_csv")
    assert len(caught) == 1
    assert frame.columns[[0, 1, 3]].tolist() == ["number", "Señal", "Ångström"]
    known = frame[frame["Señal"] == "José"]
    assert known["number"].tolist() == [str(number) for number in range(700)]
    assert known.iloc[:, 2].eq('Ñandú, "B"').all()
    assert known.iloc[:, 3].eq("Zoë").all()
    assert len(frame) == 700 + spoiled.count(b"\n") + len(end.splitlines())
    if place != "header":
        cells = frame.loc[frame["number"] == "700", "Señal"].tolist()
        assert cells == ["Old" + "".join(map(one_byte, each)) + "Name" for each in bad]
        assert f"in row {1 if place == 'first' else 701}, column 'Señal'" in str(caught[0].message)
    assert "not UTF-8" in frame.attrs["canvas_report"]["notes"]["file"]


def one_byte(byte: int) -> str:
    return bytes([byte]).decode("cp1252", "ignore") or chr(byte)


OTHERS = ["Jos\u00e9", "Zo\u00eb", "\u00d1and\u00fa", "\u00c5sa", "M\u00fcller"]


@pytest.mark.parametrize(
    ("others", "utf8", "is_utf8"),
    [
        (OTHERS * 5, [], False),
        # In Windows-1252, any of these capitals and the character after it are also UTF-8.
        (OTHERS * 5, [f"CAF{chr(capital)}\u2019S" for capital in range(0xC4, 0xE0)], False),
        (
            OTHERS * 5,
            [
                f"CAF\u00c9{mark}"
                for mark in "\u2026\u2018\u2019\u201c\u201d\u2013\u2014\u2122\xa0\xaa\xab\xad\xae\xb0\xb7\xba\xbb"
            ],
            False,
        ),
        (["M\u00fcller"], ["CAF\u00c9\u2019S"], False),
        (OTHERS, ["Jos\u00e9"], True),
        (OTHERS * 5, OTHERS, True),
        (["Zo\u00eb"], ["Gy\u0151r"] * 3, True),
        (OTHERS * 5, ["\u540d", "\U0001f642"], True),
    ],
)
def test_the_evidence_decides_between_utf8_and_another_encoding(
    others: list[str], utf8: list[str], *, is_utf8: bool
) -> None:
    encoded = [name.encode("cp1252") for name in others]
    encoded += [name.encode("utf-8" if is_utf8 else "cp1252") for name in utf8]
    with pytest.warns(crn.ReportWarning, match="read as cp1252"):
        frame = crn.read_file(ACTIVITY + b"".join(b"7,%b,\n" % name for name in encoded))
    assert frame["user name"].tolist() == others + utf8
    assert frame.attrs["canvas_report"]["encoding"] == ("utf-8" if is_utf8 else "cp1252")


@pytest.mark.filterwarnings("ignore::canvas_reports_nb.ReportWarning")
def test_a_late_byte_that_is_not_utf8() -> None:
    rows = b"".join(b"%d,Zoe,\n" % number for number in range(20_000))
    frame = crn.read_file(ACTIVITY + rows + b"20000,Zo\xeb,\n")
    assert frame["user name"].iloc[-1] == "Zoë"
    assert frame.attrs["canvas_report"]["encoding"] == "cp1252"
    assert "cp1252" in frame.attrs["canvas_report"]["notes"]["file"]


APPLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"


def many_zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are already there
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("names", "tables", "words"),
    [
        (["Fall.csv", "Fall.csv"], ["Fall", "Fall (2)"], ["'Fall (2)'"]),
        (
            ["Fall.csv", "Fall.csv", "Fall (2).csv"],
            ["Fall", "Fall (2)", "Fall (2) (2)"],
            ["'Fall (2)'", "'Fall (2) (2)'"],
        ),
        (
            ["Fall.csv", "FALL.CSV", "Fa\u0301ll.csv", "F\u00e1ll.csv"],
            None,
            ["'FALL (2)'", "'F\u00e1ll (2)'"],
        ),
        ([".NET I.csv", "Fall.csv"], [".NET I", "Fall"], []),
        ([".csv", "Fall.csv"], ["table", "Fall"], []),
        (["a/Fall.csv", "b/Fall.csv"], ["a/Fall", "b/Fall"], []),
        (["._Fall.csv", "__MACOSX/Fall.csv"], ["._Fall", "__MACOSX/Fall"], []),
        (["Fall.csv", "Spring.tsv", "notes"], ["Fall"], ["left out: 'Spring.tsv', 'notes'"]),
        (["Fall.csv", "a/.DS_Store", "Thumbs.db", "desktop.ini"], ["Fall"], []),
    ],
)
def test_no_member_of_a_zip_is_lost_silently(
    names: list[str], tables: list[str] | None, words: list[str], tmp_path: Path
) -> None:
    data = many_zipped(
        *((name, b"student name\nstudent %d\n" % number) for number, name in enumerate(names)),
        ("__MACOSX/._Fall.csv", APPLE),
        ("._Fall.csv", APPLE),
    )
    (tmp_path / "raw.part").write_bytes(data)
    origin = Provenance(report="mgp_grade_export_csv", source="x.zip")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = frames.derive(tmp_path / "raw.part", tmp_path, origin, {})
    found = [
        frames.load(tmp_path / facts["file"], origin, "pandas")["student name"][0]
        for facts in made.tables.values()
    ]
    assert list(made.tables) == (tables or ["Fall", "FALL (2)", "Fa\u0301ll", "F\u00e1ll (2)"])
    assert len(set(found)) == len(found)
    assert len({facts["file"].casefold() for facts in made.tables.values()}) == len(found)
    assert len(caught) == len(words)
    assert all(word in str(each.message) for word, each in zip(words, caught, strict=True))
    with warnings.catch_warnings(record=True) as again:
        warnings.simplefilter("always")
        for table, student in zip(made.tables, found, strict=True):
            read = crn.read_file(data, "mgp_grade_export_csv", table=table)
            assert read["student name"].tolist() == [student]
    assert len(again) == len(words) * len(found)


def test_a_second_table_of_one_name_has_the_types_of_the_first() -> None:
    users = b"canvas_user_id,user_id,login_id,full_name,status\n7,0007,x,X,active\n"
    data = many_zipped(("users.csv", users), ("users.csv", users.replace(b"7,", b"8,", 1)))
    with pytest.warns(crn.ReportWarning, match=r"'users \(2\)'"):
        frame = crn.read_file(data, "provisioning_csv", table="users (2)")
    assert frame["canvas_user_id"].tolist() == [8]
    assert frame["canvas_user_id"].dtype == "Int64"


def test_empty_results() -> None:
    header_only = crn.read_file(ACTIVITY)
    assert header_only.shape == (0, 3)
    assert [str(dtype) for dtype in header_only.dtypes] == ["Int64", str(TEXT), "datetime64[us, UTC]"]
    blank = crn.read_file(b"\n", report="mgp_grade_export_csv")
    assert blank.shape == (0, 0)
    in_zip = crn.read_file(
        zipped(users=b"canvas_user_id,user_id,login_id,full_name,status\n"), report="provisioning_csv"
    )
    assert in_zip.shape == (0, 5)
    assert in_zip["canvas_user_id"].dtype == "Int64"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "web page"),
        (b'{"errors":[]}', "JSON"),
        (b"\x89PNG\r\n", "picture"),
    ],
)
def test_a_member_of_a_zip_that_is_no_csv(bad: bytes, says: str) -> None:
    users = b"canvas_user_id,user_id,login_id,full_name,status\n7,007,b,Bea,active\n"
    data = many_zipped(("users.csv", users), ("terms.csv", bad), ("__MACOSX/._users.csv", b"\x00\x05"))
    assert len(crn.read_file(data, "provisioning_csv", table="users")) == 1
    with pytest.raises(NotAReportError, match=f"terms is a.*{says}|terms is {says}"):
        crn.read_file(data, "provisioning_csv", table="terms")


NO_PERIODS = b"no grading periods configured for this term\n"


@pytest.mark.parametrize(
    "text", [NO_PERIODS, "\ufeffkeine Bewertungszeiträume".encode(), b'"no grading periods"\r\n']
)
def test_a_term_without_grading_periods_is_an_error(text: bytes) -> None:
    for read in (crn.read_file, crn.check_file):
        with pytest.raises(NotAReportError, match="there are no grading periods"):
            read(text, "mgp_grade_export_csv")
    data = many_zipped(("Fall.csv", text), ("Spring.csv", b"student name,student id\nAda,1\n"))
    with pytest.raises(NotAReportError, match="Fall has no grades"):
        crn.read_file(data, "mgp_grade_export_csv", table="Fall")
    assert len(crn.read_file(data, "mgp_grade_export_csv", table="Spring")) == 1
    checked = crn.check_file(data, "mgp_grade_export_csv")
    assert set(checked["table"]) == {"Spring"}


def test_no_outcomes_found_is_a_message_not_a_student() -> None:
    header = "student name,student id,student sis id,assessment title,assessment id,submission date,learning outcome name,learning outcome id,outcome score"
    frame = crn.read_file(f"{header}\nNo outcomes found\n".encode(), report="outcome_results_csv")
    assert frame.shape == (0, 9)
    assert frame.attrs["canvas_report"]["notes"]["file"] == "Canvas wrote: No outcomes found"


def test_ragged_rows_keep_every_cell() -> None:
    header = "vendor_guid,object_type,title,description,friendly_description,display_name,calculation_method,calculation_int,parent_guids,workflow_state,mastery_points,ratings"
    group = "g1,group,G,,,,,,,active,"
    outcome = 'o1,outcome,O,"<p>two\nlines</p>",,,highest,,g1,active,"3,0",5,best,3,ok'
    frame = crn.read_file(f"{header}\n{group}\n{outcome}\n".encode())
    assert list(frame.columns)[-4:] == ["ratings", "ratings.1", "ratings.2", "ratings.3"]
    assert frame.iloc[1, -4:].tolist() == ["5", "best", "3", "ok"]
    assert frame["mastery_points"].tolist() == [pd.NA, 3.0]
    assert frame["description"][1] == "<p>two\nlines</p>"


def test_ragged_rows_where_none_were_expected() -> None:
    frame = crn.read_file(ACTIVITY + b"1,A,2026-03-02T09:14:07Z,extra\n2,B\n")
    assert list(frame.columns) == ["user id", "user name", "last activity at", "column 4"]
    assert frame["user id"].tolist() == [1, 2]
    assert "2 rows" in frame.attrs["canvas_report"]["notes"]["file"]


def test_duplicate_and_blank_headers() -> None:
    frame = crn.read_file(b"a,a,,a.1,user id\n1,2,3,4,5\n", report="own_report_csv")
    assert list(frame.columns) == ["a", "a.2", "column 3", "a.1", "user id"]
    assert frame.iloc[0].tolist() == ["1", "2", "3", "4", "5"]


def test_an_empty_text_is_not_a_missing_one() -> None:
    frame = crn.read_file(ACCESS + b'1,"",A,,\n2,,B,,""\n')
    assert frame["user sis id"][0] == ""
    assert pd.isna(frame["user sis id"][1])
    assert frame["last ip"].tolist()[1] == ""


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotAReportError),
        (b"<!DOCTYPE html><html><title>Log in to Canvas</title></html>", NotAReportError),
        (b'{"errors":[{"message":"user authorization required"}]}', NotAReportError),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), NotAReportError),
        (bytes(range(256)) * 10, NotAReportError),
        (zipped(users=b"x" * 1000)[:-30], DamagedFileError),
        (zipped(), NotAReportError),
        (zipped(**{"../evil": b"a,b\n"}), UnsafeArchiveError),
        (zipped(**{"/etc/evil": b"a,b\n"}), UnsafeArchiveError),
    ],
    ids=[
        "empty",
        "login-page",
        "json",
        "png",
        "binary",
        "cut-zip",
        "empty-zip",
        "dots",
        "absolute",
    ],
)
def test_other_files_are_rejected(data: bytes, error: type[crn.CanvasReportsError]) -> None:
    with pytest.raises(error):
        crn.read_file(data)


def test_a_zip_that_unpacks_to_too_much_is_rejected() -> None:
    with pytest.raises(UnsafeArchiveError, match="unpacks to more than 250 times its size"):
        crn.read_file(zipped(bomb=bytes(300_000_000)))


@pytest.mark.parametrize(("kept", "limit"), [(1000, 256 * 1024 * 1024), (1_500_000, None)])
def test_a_zip_may_unpack_to_256_megabytes_or_250_times_its_size(kept: int, limit: int | None) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("users.csv", b"a\n" * (kept // 2))
    written = buffer.getvalue()
    directory = written.rindex(b"PK\x01\x02")
    limit = limit or 250 * len(written)
    for size, is_read in ((limit, True), (limit + 1, False)):
        forged = written[: directory + 24] + size.to_bytes(4, "little") + written[directory + 28 :]
        with nullcontext() if is_read else pytest.raises(UnsafeArchiveError, match=r"^the buffer unpacks to"):
            assert [member.name for member in csv_members(forged)] == ["users"]


def test_a_damaged_zip_member_is_an_error_not_a_short_frame() -> None:
    data = bytearray(
        zipped(users=b"canvas_user_id,user_id,login_id,full_name,status\n" + b"1,2,3,4,active\n" * 5000)
    )
    data[60] ^= 0xFF
    with pytest.raises(DamagedFileError, match="can't be read"):
        crn.read_file(bytes(data), report="provisioning_csv")


WHOLE = ACTIVITY + '7,"Åsa ""B"",\n C",2026-03-02T09:14:07Z\n8,"Bo\u0308rje",2026-03-02T09:14:07Z\n'.encode()


def fate(data: bytes) -> str:
    """Return "whole", the remark on the file, or the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", crn.ReportWarning)
        try:
            frame = crn.read_file(data)
        except DamagedFileError as error:
            return str(error)
    return frame.attrs["canvas_report"]["notes"].get("file", "whole")


@pytest.mark.parametrize("size", range(len(ACTIVITY) + 1, len(WHOLE)))
def test_a_file_cut_anywhere_gives_an_error_or_a_remark(size: int) -> None:
    """Only a cut right after a row is invisible; one inside the last cell gives at least a remark."""
    seen = fate(WHOLE[:size])
    if seen == "whole":
        assert WHOLE[:size].endswith(b"Z\n")
    else:
        assert f"cut short at byte {size:,}" in seen or "does not end with a line break" in seen


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        (b'1,"Bo', "inside a quoted cell"),
        (b'1,"Bo\n', "inside a quoted cell"),
        (b'1,Bo,"20\n', "inside a quoted cell"),
        (b"1,Bo", "after 2 of 3 cells of the last row"),
        (b"1,Zo\xc3", "inside a character"),
    ],
)
def test_where_a_file_was_cut_is_named(rows: bytes, where: str) -> None:
    data = b"user id,user name,last ip\n" + rows
    assert f"cut short at byte {len(data)}, {where}." in fate(data)


def test_the_first_contradiction_is_named_wherever_a_block_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_BLOCK", 100)
    ids = [*"12", "007", *["5"] * 60, "008"]
    with pytest.warns(crn.ReportWarning, match="'user id' stays text, because row 3 holds '007'"):
        frame = crn.read_file(ACTIVITY + "".join(f"{each},Bo,\n" for each in ids).encode())
    assert frame["user id"].tolist() == ids
    assert frame.attrs["canvas_report"]["notes"]["user id"] == "kept as text: row 3 holds '007'"


@pytest.mark.parametrize("text", ["invalid UTF8 data", "Expected 3 columns got 4"])
def test_a_cell_that_looks_like_a_parser_error(text: str) -> None:
    frame = crn.read_file(ACTIVITY + f"1,Å {text},\n2,B\n".encode())
    assert frame["user name"].tolist() == [f"Å {text}", "B"]


def test_the_table_of_a_zip_must_be_named() -> None:
    data = zipped(users=b"canvas_user_id,user_id\n1,2\n", xlist=b"canvas_section_id\n5\n")
    with pytest.raises(TableRequiredError, match="users, xlist"):
        crn.read_file(data, report="provisioning_csv")
    with pytest.raises(UnknownTableError) as caught:
        crn.read_file(data, report="provisioning_csv", table="courses")
    assert caught.value.tables == ("users", "xlist")
    assert crn.read_file(data, report="provisioning_csv", table="xlist")["canvas_section_id"].tolist() == [5]


def test_columns_are_picked_in_the_wanted_order_and_checked() -> None:
    data = ACTIVITY + b"1,A,\n"
    assert list(crn.read_file(data, columns=["user name", "user id"])) == ["user name", "user id"]
    with pytest.raises(UnknownColumnError, match="Did you mean 'user name'"):
        crn.read_file(data, columns=["username"])


def test_enumerations_have_all_documented_categories() -> None:
    frame = crn.read_file(DATA / "09_provisioning_enrollments_current.csv")
    assert list(frame["status"].cat.categories) == [
        "active",
        "invited",
        "concluded",
        "inactive",
        "deleted",
        "rejected",
    ]
    assert list(frame["role"].cat.categories)[-1] == "Suspended Student"


DATA = Path(__file__).parents[2] / "data"

CELLS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=12),
    st.sampled_from(["", "NA", "null", "000481", "1e5", '"', '""', ",", "\n", "ل", "🤖", " "]),
)


def canvas_csv(rows: list[list[str | None]], header: list[str]) -> bytes:
    """Write as Canvas does: quotes only if needed, nothing if missing, two quotes for an empty text."""

    def cell(value: str | None) -> str:
        if value is None:
            return ""
        quoted = value == "" or any(mark in value for mark in ',"\n\r')
        return '"' + value.replace('"', '""') + '"' if quoted else value

    return "".join(",".join(map(cell, row)) + "\n" for row in [header, *rows]).encode()


@settings(max_examples=150)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8))
def test_any_text_is_kept_cell_by_cell(rows: list[list[str | None]]) -> None:
    data = canvas_csv(rows, ["a", "b", "c"])
    arrow = crn.read_file(data, report="own_report_csv", engine="arrow")
    assert [list(row.values()) for row in arrow.to_pylist()] == rows


IDS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
TIMES = st.one_of(st.none(), st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))


@settings(max_examples=100)
@given(st.lists(st.tuples(IDS, TIMES, st.sampled_from([-12, -7, -6, 0, 1, 14])), max_size=8))
def test_any_id_and_time_is_kept(rows: list[tuple[int | None, datetime | None, int]]) -> None:
    from datetime import timedelta, timezone  # noqa: PLC0415 - only here

    written = [
        [
            None if number is None else str(number),
            "A",
            None if moment is None else moment.astimezone(timezone(timedelta(hours=offset))).isoformat(),
        ]
        for number, moment, offset in rows
    ]
    table = crn.read_file(canvas_csv(written, ["user id", "user name", "last activity at"]), engine="arrow")
    assert table["user id"].to_pylist() == [number for number, _, _ in rows]
    assert table["last activity at"].to_pylist() == [moment for _, moment, _ in rows]
