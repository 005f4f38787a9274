"""What a report file is, told by its bytes: one CSV, or a zip of several. Nothing is unpacked to disk."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from canvas_reports_nb.exceptions import DamagedFileError, NotAReportError, UnsafeArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Opener: TypeAlias = Callable[[], AbstractContextManager[BinaryIO]]

Source = str | os.PathLike[str] | bytes | BinaryIO

_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
# The first bytes of what people pick by mistake; a CSV starts with none of them.
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
# Deflate reaches 1032:1; a CSV of ids and states reaches about 40:1.
_MAX_RATIO = 250
_ALWAYS_ALLOWED = 256 * 1024 * 1024
# What the standard library raises over a directory of entries that is not one.
_BROKEN = (zipfile.BadZipFile, NotImplementedError, EOFError, LookupError, ValueError, struct.error)


@dataclass(frozen=True, slots=True)
class Member:
    """One CSV of a report file.

    Attributes
    ----------
    name : str
        The table's name where the file is a zip; the file's own stem where it is one CSV.
    open : callable
        A context manager on the CSV's bytes, from the start.
    in_zip : bool
    path : Path or None
        Where the bytes lie as they are, if they do.
    """

    name: str
    open: Opener
    in_zip: bool
    path: Path | None = None


def reopenable(source: Source) -> tuple[Source, str]:
    """A source that can be opened more than once, and what to call it: a buffer is read to its end."""
    if isinstance(source, bytes):
        return source, "the buffer"
    if isinstance(source, str | os.PathLike):
        return source, Path(source).name
    return source.read(), Path(str(getattr(source, "name", "the buffer"))).name


def csv_members(source: Source, name: str | None = None) -> list[Member]:
    """The CSVs in a report file.

    Parameters
    ----------
    source : path, bytes or binary file
    name : str, optional
        What the file is called, where the source does not say.

    Raises
    ------
    FileNotFoundError
        The path does not exist.
    NotAReportError
        A web page, a picture, a workbook, an empty file.
    UnsafeArchiveError, DamagedFileError
        A zip that can't be trusted, or can't be read.
    """
    path, opener, label = _opener(source, name)
    with opener() as stream:
        head = stream.read(4096)
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return _zip_members(opener, label)
    _refuse_what_is_no_csv(head, label)
    return [Member(PurePosixPath(label).stem, opener, in_zip=False, path=path)]


def _opener(source: Source, name: str | None) -> tuple[Path | None, Opener, str]:
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        if path.is_dir():
            raise NotAReportError(f"{path.name} is a folder, not a report file.")
        return path, lambda: path.open("rb"), name or path.name
    data = source if isinstance(source, bytes) else source.read()
    if not isinstance(data, bytes):
        raise NotAReportError("The buffer gives text, not bytes.", hint='Open the file with mode "rb".')
    return None, lambda: io.BytesIO(data), name or Path(str(getattr(source, "name", "buffer"))).name


def _refuse_what_is_no_csv(head: bytes, label: str) -> None:
    if not head:
        raise NotAReportError(f"{label} is empty: not even a header line.")
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise NotAReportError(f"{label} is {what}, not a CSV or zip of a report.")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise NotAReportError(
            f"{label} is a web page, not a report: most likely Canvas's login page was saved instead of the file.",
            hint="Download the file again while logged in, or let read_report fetch it.",
        )
    if start.startswith((b'{"', b'[{"')):
        raise NotAReportError(f"{label} is JSON, not a report.", hint=_json_hint(start))


def _json_hint(start: bytes) -> str | None:
    return "It looks like an error answer of Canvas." if b'"error' in start[:400] else None


def _zip_members(opener: Opener, label: str) -> list[Member]:
    with opener() as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        try:
            with zipfile.ZipFile(stream) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        except _BROKEN as error:
            raise DamagedFileError(
                f"{label} is a damaged zip ({error}): most likely it was cut short."
            ) from None
    if any(entry.filename in {"xl/workbook.xml", "word/document.xml"} for entry in entries):
        raise NotAReportError(f"{label} is an Office document, not a report.", hint="Save it as CSV (UTF-8).")
    for entry in entries:
        _refuse_unsafe(entry, label)
    if sum(entry.file_size for entry in entries) > max(_ALWAYS_ALLOWED, _MAX_RATIO * size):
        raise UnsafeArchiveError(f"{label} unpacks to more than {_MAX_RATIO} times its size; no report does.")
    csvs = [entry for entry in entries if entry.filename.lower().endswith(".csv") and not _is_litter(entry)]
    if not csvs:
        raise NotAReportError(f"{label} is a zip without a CSV in it.")
    return [
        Member(entry.filename[: -len(".csv")], _member_opener(opener, entry, label), in_zip=True)
        for entry in csvs
    ]


def _is_litter(entry: zipfile.ZipInfo) -> bool:
    """Whether a desktop added the entry when somebody packed the files again."""
    return entry.filename.startswith("__MACOSX/") or PurePosixPath(entry.filename).name.startswith(".")


def _refuse_unsafe(entry: zipfile.ZipInfo, label: str) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise UnsafeArchiveError(f"{label} holds a member that names a place outside: {entry.filename!r}.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UnsafeArchiveError(f"{label} holds a link, which no report does: {entry.filename!r}.")
    if entry.flag_bits & 0x1:
        raise UnsafeArchiveError(f"{label} holds an encrypted member: {entry.filename!r}.")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise UnsafeArchiveError(
            f"{label} holds a member packed in a way no report is: {entry.filename!r}.",
            hint="Unpack it and pack it again as an ordinary zip.",
        )


def _member_opener(opener: Opener, entry: zipfile.ZipInfo, label: str) -> Opener:
    @contextmanager
    def open_member() -> Iterator[BinaryIO]:
        with ExitStack() as stack:
            try:
                archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(opener())))
                member = stack.enter_context(archive.open(entry))
            except _BROKEN as error:
                raise damaged(error) from None
            try:
                # Fewer kinds than above: the reader's own ValueErrors are not the zip's.
                yield cast("BinaryIO", member)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise damaged(error) from None

    def damaged(error: Exception) -> DamagedFileError:
        return DamagedFileError(f"{entry.filename} in {label} can't be read to its end: {error}.")

    return open_member
