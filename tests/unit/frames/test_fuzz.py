"""Damaged and hostile files give a frame or one of our errors, quickly."""

import io
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import CanvasReportsError, ReportWarning, UnsafeArchiveError

DATA = Path(__file__).parents[2] / "data"
# The header and some rows: small inputs allow many tries.
CSVS = [path.read_bytes()[:1500] for path in sorted(DATA.glob("*.csv"))]
USERS = b"canvas_user_id,user_id,login_id\n1,000481,ada\n2,007E2,bea\n"
REPORTS = [None, "provisioning_csv", "grade_export_csv", "outcome_export_csv", "not_known_here"]
MANY = settings(max_examples=150)


def packed(*entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore", UserWarning)  # of two members with one name
        for entry, data in entries:
            archive.writestr(entry, data)
    return buffer.getvalue()


def entry(name: str, compress_type: int = zipfile.ZIP_DEFLATED, rights: int = 0o600) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.compress_type, made.external_attr = compress_type, rights << 16
    return made


ZIPS = [
    (DATA / "21_provisioning_multi.zip").read_bytes(),
    *(
        packed((entry("users.csv", kind), USERS), (entry("terms.csv", kind), b"canvas_term_id\n1\n"))
        for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
    ),
]
PIECES = [
    b"\x00", b'"', b'""', b"\n", b"\r", b"\r\n", b",", b";", b"\t", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x82",
    b"never", b"99999999999999999999", b"1e999", b"NaN", b"2026-99-99T00:00:00Z", b"9999-12-31T23:59:59-14:00",
    b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"\x00" * 4, b"\xff" * 4, b"\xff" * 8,
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Return a good file with some bytes replaced, added, removed or repeated."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)) | st.integers(max(0, len(data) - 200), len(data)))
        piece = draw(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=4))
        match draw(st.sampled_from(["replace", "add", "cut", "end", "repeat"])):
            case "replace":
                data[at : at + len(piece)] = piece
            case "add":
                data[at:at] = piece
            case "cut":
                del data[at : at + draw(st.integers(1, 40))]
            case "end":
                del data[at:]
            case _:
                data[at:at] = data[: draw(st.integers(0, 60))]
    return bytes(data)


def read(data: bytes, report: str | None = None, table: str | None = None) -> pd.DataFrame | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReportWarning)
        with suppress(CanvasReportsError):
            return crn.read_file(data, report, table)
    return None


@MANY
@given(damaged(CSVS) | st.binary(max_size=200), st.sampled_from(REPORTS))
@example(b"a,b\n" + b"1,2\n" * 20 + b"\xe9\n", "outcome_export_csv")
def test_a_csv(data: bytes, report: str | None) -> None:
    frame = read(data, report)
    if frame is not None:
        assert frame.columns.is_unique
        assert frame.attrs["canvas_report"]["rows"] == len(frame)


@MANY
@given(damaged(ZIPS), st.sampled_from(REPORTS), st.sampled_from([None, "users", "terms"]))
def test_a_zip(data: bytes, report: str | None, table: str | None) -> None:
    read(data, report, table)


@MANY
@given(damaged(CSVS + ZIPS))
def test_check_file(data: bytes) -> None:
    with warnings.catch_warnings(), suppress(CanvasReportsError):
        warnings.simplefilter("ignore", ReportWarning)
        assert list(crn.check_file(data).columns)[:2] == ["table", "column"]


names = st.text(st.sampled_from("./\\:\x00csv\u202e "), max_size=8) | st.sampled_from(
    ["users.csv", "../users.csv", "/users.csv", "C:\\users.csv", "a/../../b.csv", "users.csv/", ".csv"]
)


@MANY
@given(
    st.lists(
        st.tuples(
            names,
            st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]),
            st.sampled_from([0o600, 0o120777, 0o040700, 0]),
            st.sampled_from([b"", USERS, b"PK\x03\x04", b"\x00" * 50]),
        ),
        max_size=3,
    )
)
def test_a_hostile_zip_is_read_or_rejected(members: list[tuple[str, int, int, bytes]]) -> None:
    data = packed(*((entry(name, kind, rights), text) for name, kind, rights, text in members if name))
    frame = read(data, "provisioning_csv", "users")
    files = [(name.replace("\\", "/"), rights) for name, _, rights, _ in members if name.strip("\x00")]
    files = [(name, rights) for name, rights in files if not name.endswith("/")]
    outside = any(name.startswith("/") or ".." in name.split("/") for name, _ in files)
    if outside or any(rights == 0o120777 for _, rights in files):
        assert frame is None


FIRST_NAME_LENGTH = 28
"""Offset of the name's length within an entry of a zip's directory."""


@pytest.mark.parametrize(
    ("what", "at", "value"),
    [
        ("a version of the far future", 6, b"\x50\x00"),
        ("a name that is no UTF-8", 46, b"\xff\xfe"),
        ("no name", FIRST_NAME_LENGTH, b"\x00\x00"),
        ("a beginning before the file's own", 42, b"\xff\xff\xff\x7f"),
    ],
)
def test_a_wrong_zip_directory_is_rejected(what: str, at: int, value: bytes) -> None:
    data = bytearray(packed((entry("\u00fcsers.csv"), USERS), (entry("terms.csv"), USERS)))
    start = data.index(b"PK\x01\x02")
    data[start + at : start + at + len(value)] = value
    assert read(bytes(data), "provisioning_csv") is None, what


def test_an_unusual_compression_is_rejected() -> None:
    with pytest.raises(UnsafeArchiveError, match="compressed in a way"):
        crn.read_file(packed((entry("users.csv", zipfile.ZIP_LZMA), USERS)), "provisioning_csv")
