"""How a CSV is written, judged by its bytes: encoding, separator, header, and whether it was cut short.

Canvas writes UTF-8, commas and LF. The three outcome reports may have a BOM or ``;``, depending on the user's
settings. A file that Excel saved again may have a BOM, CRLF or another encoding.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from canvas_reports_nb.exceptions import DamagedFileError, NotAReportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from canvas_reports_nb.frames.contents import Member

_HEAD = 64 * 1024
_CHUNK = 1 << 20
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_FIELD_LIMIT = 64 * 1024 * 1024
_NO_BREAK = "the file does not end with a line break; if it was cut, its last cell is incomplete"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one CSV is written; the header is as written, with duplicates and blanks."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    has_rows: bool


def unique(header: tuple[str, ...]) -> tuple[str, ...]:
    """Make names unique: a second ``Q1`` becomes ``Q1.1``, a blank name ``column 3``."""
    taken: dict[str, None] = {}
    for position, name in enumerate(header, start=1):
        base = name or f"column {position}"
        candidate, turn = base, 0
        while candidate in taken or (turn and candidate in header):
            turn += 1
            candidate = f"{base}.{turn}"
        taken[candidate] = None
    return tuple(taken)


def read_dialect(member: Member) -> Dialect:
    """Find out how a CSV is written; reject a file that is not text."""
    with member.open() as stream:
        head = stream.read(_HEAD)
    encoding = next((codec for bom, codec in _BOMS.items() if head.startswith(bom)), "utf-8")
    try:
        return _read_header(member, head, encoding)
    except UnicodeDecodeError:
        return _read_header(member, head, other_encoding(member) or encoding)


def _read_header(member: Member, head: bytes, encoding: str) -> Dialect:
    delimiter = _delimiter(head.decode(encoding, errors="replace"))
    rows = records(member, Dialect(encoding, delimiter, (), has_rows=True))
    try:
        header = next(rows, [])
        has_rows = next(rows, None) is not None
    except csv.Error as error:
        raise NotAReportError(f"{member.name} is not a CSV: {error}.") from None
    if any(not name.isprintable() for name in header):
        header = [name.strip("\x00") for name in header]
        if not all(name.replace("\n", "").replace("\r", "").isprintable() for name in header):
            raise NotAReportError(f"{member.name} is not a CSV: its first line is not text.")
    return Dialect(encoding, delimiter, tuple(header), has_rows)


def _delimiter(head: str) -> str:
    line = head.lstrip("\ufeff").split("\n", 1)[0]
    outside = "".join(line.split('"')[::2])
    return max(",;\t", key=outside.count)


def records(member: Member, dialect: Dialect) -> Iterator[list[str]]:
    """Yield rows of any length, read by the standard library; slower than Arrow."""
    if csv.field_size_limit() < _FIELD_LIMIT:
        # The limit is global in the library, and a cell with a page of HTML exceeds it.
        csv.field_size_limit(_FIELD_LIMIT)
    with member.open() as stream, io.TextIOWrapper(stream, encoding=dialect.encoding, newline="") as text:
        yield from csv.reader(text, delimiter=dialect.delimiter)


def check_complete(member: Member, dialect: Dialect, last: Sequence[str | None]) -> str | None:
    """Reject a file that was cut short, judged by its last row; return a remark if that is uncertain."""
    if member.in_zip or dialect.encoding == "utf-16" or not last:
        return None
    size, broken_off = _end(member)
    # After an open quote, everything else belongs to the last cell, also the line breaks.
    suspicious = broken_off or str(last[-1]).endswith("\n")
    if suspicious and _has_open_quote(member):
        raise _cut(member, size, "inside a quoted cell")
    if broken_off and len(last) < len(dialect.header):
        raise _cut(member, size, f"after {len(last)} of {len(dialect.header)} cells of the last row")
    return _NO_BREAK if broken_off else None


def _end(member: Member) -> tuple[int, bool]:
    """Return the size of a file, and whether it ends without a line break."""
    with member.open() as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(size - 1)
        return size, stream.read(1) not in b"\r\n"


def _has_open_quote(member: Member) -> bool:
    return sum(chunk.count(b'"') for chunk in _chunks(member)) % 2 == 1


def other_encoding(member: Member) -> str | None:
    """Return the encoding of a file that is not UTF-8: Windows-1252 if it has all the bytes, otherwise Latin-1."""
    size, incomplete = _decode(member, "utf-8")
    if size is not None:
        if incomplete:
            raise _cut(member, size, "inside a character")
        return None
    return "latin-1" if _decode(member, "cp1252")[0] is None else "cp1252"


def _decode(member: Member, encoding: str) -> tuple[int | None, bool]:
    """Return the size of a file, ``None`` if it can't be decoded, and whether its last character is incomplete."""
    decoder, size = codecs.getincrementaldecoder(encoding)(), 0
    try:
        for chunk in _chunks(member):
            decoder.decode(chunk)
            size += len(chunk)
    except UnicodeDecodeError:
        return None, False
    return size, bool(decoder.getstate()[0])


def _chunks(member: Member) -> Iterator[bytes]:
    with member.open() as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _cut(member: Member, size: int, where: str) -> DamagedFileError:
    return DamagedFileError(f"{member.name} was cut short at byte {size:,}, {where}.")
