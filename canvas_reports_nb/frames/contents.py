"""The CSVs in a report file: one, or several in a zip, which is never unpacked to disk."""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, TextIO, TypeAlias, cast

from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    DamagedFileError,
    FileError,
    MissingFileError,
    NotAReportError,
    ParameterError,
    UnsafeArchiveError,
)
from canvas_reports_nb.frames.arriving import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Opener: TypeAlias = Callable[[], AbstractContextManager[BinaryIO]]

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | TextIO

_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
# The first bytes of files that people pick by mistake; no CSV starts with them.
_OTHERS = {
    b"PAR1": "a Parquet file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x1f\x8b": "a gzip file",
    b"SQLite format 3": "a database",
}
# What desktops add to folders and zips.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
_APPLE_DOUBLE = b"\x00\x05"
_SHOWN = 80  # characters of a name
_SUFFIXES = (".csv", ".zip", ".txt", ".tsv")
# A web address, also after pathlib removed one slash, or one without its beginning.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|[^?]*\?[^?]*=")
# Deflate reaches 1032:1; a CSV of ids and states reaches about 40:1.
_MAX_RATIO = 250
_ALWAYS_ALLOWED = 256 * 1024 * 1024
# What the standard library raises for a broken directory of entries.
_BROKEN = (zipfile.BadZipFile, NotImplementedError, EOFError, LookupError, ValueError, struct.error)


@dataclass(frozen=True, slots=True)
class Member:
    """One CSV of a report file: its table's name, or the file's stem if the file is one CSV."""

    name: str
    open: Opener
    in_zip: bool
    encoding: str | None = None  # as the user named it; otherwise the bytes decide
    stem: str = ""  # the name in the zip, which other members may have, too
    notes: tuple[str, ...] = ()  # on the zip, for warnings; the first member has them


def reopenable(source: Source) -> tuple[str | os.PathLike[str] | bytes, str]:
    """Return a source that can be opened more than once, and its name; a buffer is read to its end."""
    if isinstance(source, str | os.PathLike):
        return _checked_path(os.fspath(source)), Path(source).name
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), "the buffer"
    if not callable(getattr(source, "read", None)):
        raise NotAReportError(
            f"Expected a report file, but got {type(source).__name__}.",
            hint='Pass a path, bytes or an open file. For an upload widget, pass upload.value[0]["content"].',
        )
    name = str(getattr(source, "name", "the buffer")).split("?", maxsplit=1)[0]
    with readable(name):
        return _read_all(source), Path(name).name


def _checked_path(path: str) -> Path:
    """Return a path; reject an address or the contents of a file with a message that repeats neither."""
    if not path:
        raise NotAReportError("Expected a path, but got an empty text.", hint="Pass the path of the file.")
    if any(mark in path for mark in "\n\r\0"):
        raise _contents()
    with readable(path):
        expanded, is_missing = Path(path).expanduser(), False
        try:
            expanded.stat()  # since Python 3.14, `exists` hides other errors
        except (FileNotFoundError, NotADirectoryError, ValueError):
            is_missing = True
    if is_missing and _ADDRESS.match(path):
        raise NotAReportError(
            "Expected a path, but got a web address.",
            hint="Download the file and pass its path, or let canvas.read_report(...) fetch the report.",
        )
    if is_missing and not path.lower().endswith(_SUFFIXES) and any(mark in path for mark in ",;\t"):
        raise _contents()
    if is_missing:
        raise MissingFileError(f"There is no file {expanded.name!r} in this folder.")
    if expanded.is_dir():
        raise NotAReportError(f"{expanded.name} is a folder, not a report file.")
    return expanded


@contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise a `FileError` if the system can't read a file."""
    try:
        yield
    except CanvasReportsError:
        raise
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        name = Path(path).name
        shown = name if len(name) <= _SHOWN else f"a file with a name of {len(name):,} characters"
        message = f"Can't read {shown}: {reason}."
        raise FileError(message, hint="Check the path and its permissions.") from None


def _contents() -> NotAReportError:
    return NotAReportError(
        "Expected a path, but got the contents of a file.", hint="Pass io.StringIO(text) or text.encode()."
    )


def _read_all(source: BinaryIO | TextIO) -> bytes:
    """Read an open file; one opened as text is read as bytes if they are UTF-8, otherwise in its encoding."""
    if getattr(source, "closed", False):
        raise NotAReportError("The file is closed.", hint="Open it again, or pass its path.")
    if isinstance(source, io.TextIOWrapper):
        if source.seekable():
            source.seek(source.tell())  # the bytes below continue where the text ends
        data: bytes = source.buffer.read()
        try:
            data.decode()
        except UnicodeDecodeError:
            return data.decode(source.encoding, errors="surrogateescape").encode(errors="surrogateescape")
        return data
    read = source.read()
    if isinstance(read, str):
        return read.encode(errors="surrogateescape")
    if isinstance(read, bytes | bytearray | memoryview):
        return bytes(read)
    raise NotAReportError(
        f"The file returned {type(read).__name__}, not bytes.", hint='Open the file with mode "rb".'
    )


def csv_members(
    source: Source | Attempt, name: str | None = None, encoding: str | None = None
) -> list[Member]:
    """List the CSVs in a report file; reject other files, and zips that are damaged or unsafe."""
    encoding = _codec(encoding)
    opener: Opener
    if isinstance(source, Attempt):
        opener, label = source.open, source.arriving.path.name
    else:
        source, label = reopenable(source)
        opener = _opener(source)
    label = name or label
    with opener() as stream:
        head = stream.read(4096)
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return _zip_members(opener, label, encoding)
    check_csv(head, label)
    return [Member(PurePosixPath(label).stem, opener, in_zip=False, encoding=encoding)]


def _codec(encoding: str | None) -> str | None:
    """Return Python's own name of a text encoding, and reject others."""
    try:
        "".encode(encoding or "utf-8")
        return codecs.lookup(encoding).name if encoding else None
    except (LookupError, TypeError, ValueError):
        raise ParameterError(
            f"Unknown encoding {encoding!r}.",
            hint='Use a name that Python has, such as "utf-8", "cp1252", "cp850" or "mac_roman".',
        ) from None


def _opener(source: str | os.PathLike[str] | bytes) -> Opener:
    if isinstance(source, bytes):
        return lambda: io.BytesIO(source)
    return lambda: Path(source).open("rb")


def check_csv(head: bytes, label: str) -> None:
    """Reject files of other types by their first bytes."""
    if not head:
        raise NotAReportError(f"{label} is empty; it doesn't even have a header line.")
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise NotAReportError(f"{label} is {what}, not a CSV or zip of a report.")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise NotAReportError(
            f"{label} is a web page, not a report. Most likely Canvas's login page was saved instead of the file.",
            hint="Download the file again while logged in, or let read_report fetch it.",
        )
    if start.startswith((b'{"', b'[{"')):
        hint = "It looks like an error response from Canvas." if b'"error' in start[:400] else None
        raise NotAReportError(f"{label} is JSON, not a report.", hint=hint)


def _zip_members(opener: Opener, label: str, encoding: str | None) -> list[Member]:
    entries = _safe_entries(opener, label)
    if {"xl/workbook.xml", "word/document.xml"} & {entry.filename for entry in entries}:
        raise NotAReportError(f"{label} is an Office document, not a report.", hint="Save it as CSV (UTF-8).")
    csvs: list[Member] = []
    notes, left_out, taken = [], [], set[str]()
    for entry in entries:
        open_member = _member_opener(opener, entry, label)
        if _is_litter(entry.filename, open_member):
            continue
        if not entry.filename.lower().endswith(".csv"):
            left_out.append(repr(entry.filename))
            continue
        stem = entry.filename[: -len(".csv")]
        name = _unused(stem or "table", taken)
        if stem and name != stem:
            notes.append(f"{label} holds more than one {entry.filename!r}; this table is named {name!r}")
        csvs.append(Member(name, open_member, in_zip=True, encoding=encoding, stem=stem))
    if not csvs:
        raise NotAReportError(f"{label} is a zip without a CSV.")
    if left_out:
        notes.append(
            f"{label} also holds files that are not CSVs, which were left out: {', '.join(left_out)}"
        )
    return [replace(csvs[0], notes=tuple(notes)), *csvs[1:]]


def _unused(stem: str, taken: set[str]) -> str:
    """Return a name that no member before has, also on a disk that ignores case."""
    name, turn = stem, 1
    while (key := unicodedata.normalize("NFC", name).casefold()) in taken:
        turn += 1
        name = f"{stem} ({turn})"
    taken.add(key)
    return name


def _safe_entries(opener: Opener, label: str) -> list[zipfile.ZipInfo]:
    with opener() as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        try:
            with zipfile.ZipFile(stream) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        except _BROKEN as error:
            raise DamagedFileError(
                f"{label} is a damaged zip ({error}). Most likely it was cut short."
            ) from None
    for entry in entries:
        if danger := _danger(entry):
            raise UnsafeArchiveError(f"{label} has {danger}: {entry.filename!r}.")
    if sum(entry.file_size for entry in entries) > max(_ALWAYS_ALLOWED, _MAX_RATIO * size):
        raise UnsafeArchiveError(f"{label} unpacks to more than {_MAX_RATIO} times its size; no report does.")
    return entries


def _is_litter(name: str, open_member: Opener) -> bool:
    """Return whether a desktop added the entry when someone zipped the files again."""
    base = PurePosixPath(name).name
    if base in _LITTER:
        return True
    if not (name.startswith("__MACOSX/") or base.startswith("._")):
        return False
    with open_member() as stream:
        return stream.read(len(_APPLE_DOUBLE)) == _APPLE_DOUBLE


def _danger(entry: zipfile.ZipInfo) -> str | None:
    """Return what makes a member unsafe to read."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        return "a member with a path outside the zip"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a member that is a link"
    if entry.flag_bits & 0x1:
        return "an encrypted member"
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "a member compressed in a way that no report uses"
    return None


def _member_opener(opener: Opener, entry: zipfile.ZipInfo, label: str) -> Opener:
    def damaged(error: Exception) -> DamagedFileError:
        return DamagedFileError(f"{entry.filename} in {label} can't be read to its end: {error}.")

    @contextmanager
    def open_member() -> Iterator[BinaryIO]:
        with ExitStack() as stack:
            try:
                archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(opener())))
                member = stack.enter_context(archive.open(entry))
            except _BROKEN as error:
                raise damaged(error) from None
            try:
                # Not all of _BROKEN: a ValueError here comes from the reader.
                yield cast("BinaryIO", member)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise damaged(error) from None

    return open_member
