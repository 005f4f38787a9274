"""How a CSV is written: encoding, separator, header. Read from its first bytes, never from its name.

Canvas writes UTF-8, commas and LF. A BOM or ``;`` comes from the three outcome reports (by the
requesting user's settings), and BOM, CRLF or another encoding from a file saved again by Excel.
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


_FIRST = 64 * 1024
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_FIELD_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one CSV is written.

    Attributes
    ----------
    encoding : str
        A Python codec's name.
    delimiter : str
    header : tuple of str
        The names as written, duplicates and blanks included; empty for a file of one blank line.
    has_rows : bool
        Whether anything follows the header.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    has_rows: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The header made unique: a second ``Q1`` becomes ``Q1.1``, a blank name ``column 3``."""
        return unique(self.header)


def unique(header: tuple[str, ...]) -> tuple[str, ...]:
    """Names in which each stands once; the first of equals keeps its own."""
    taken: dict[str, None] = {}
    for position, name in enumerate(header, start=1):
        base = name or f"column {position}"
        candidate, turn = base, 0
        while candidate in taken or (turn and candidate in header):
            turn += 1
            candidate = f"{base}.{turn}"
        taken[candidate] = None
    return tuple(taken)


def read_dialect(member: Member, encoding: str | None = None) -> Dialect:
    """Read how a CSV is written.

    Parameters
    ----------
    member : Member
    encoding : str, optional
        Known already: the bytes further on turned out not to be what the first ones looked like.

    Raises
    ------
    NotAReportError
        No text.
    """
    with member.open() as stream:
        head = stream.read(_FIRST)
    found = encoding or next((codec for bom, codec in _BOMS.items() if head.startswith(bom)), "utf-8")
    delimiter = _delimiter(head.decode(found, errors="replace"))
    rows = records(member, Dialect(found, delimiter, (), has_rows=True))
    try:
        header = next(rows, [])
        has_rows = next(rows, None) is not None
    except UnicodeDecodeError:
        return read_dialect(member, other_encoding(member))
    except csv.Error as error:
        raise NotAReportError(f"{member.name} is not a CSV: {error}.") from None
    if any(not name.isprintable() for name in header):
        header = [name.strip("\x00") for name in header]
        if not all(name.replace("\n", "").replace("\r", "").isprintable() for name in header):
            raise NotAReportError(f"{member.name} is not a CSV: its first line is not text.")
    return Dialect(found, delimiter, tuple(header), has_rows)


def _delimiter(head: str) -> str:
    line = head.lstrip("\ufeff").split("\n", 1)[0]
    outside = "".join(line.split('"')[::2])
    return max(",;\t", key=outside.count) if any(mark in outside for mark in ",;\t") else ","


def records(member: Member, dialect: Dialect) -> Iterator[list[str]]:
    """Rows by the standard library's reader: slower, and patient with rows of any length."""
    if csv.field_size_limit() < _FIELD_LIMIT:
        # The limit is the library's own global one; a page of HTML in one cell passes it.
        csv.field_size_limit(_FIELD_LIMIT)
    with member.open() as stream, io.TextIOWrapper(stream, encoding=dialect.encoding, newline="") as text:
        yield from csv.reader(text, delimiter=dialect.delimiter)


_CHUNK = 1 << 20
_NO_BREAK = "the file does not end with a line break; if it was cut, its last cell is short"


def check_complete(member: Member, encoding: str, width: int, last: Sequence[str | None]) -> str | None:
    """Refuse a file that was cut short; give a remark where that can't be told.

    Parameters
    ----------
    member : Member
    encoding : str
    width : int
        Columns of the header.
    last : sequence of str or None
        The last row, as many cells as the file has in it.

    Raises
    ------
    DamagedFileError
        The byte at which the file stops is named.
    """
    if member.in_zip or encoding == "utf-16" or not last:
        return None
    with member.open() as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(size - 1)
        broken_off = stream.read(1) not in b"\r\n"
    # An open quote swallows all that follows: then the last cell is where the line breaks went.
    if (broken_off or (last[-1] or "").endswith("\n")) and sum(c.count(b'"') for c in _chunks(member)) % 2:
        raise _cut(member, size, "inside a quoted cell")
    if broken_off and len(last) < width:
        raise _cut(member, size, f"after {len(last)} of {width} cells of the last row")
    return _NO_BREAK if broken_off else None


def other_encoding(member: Member) -> str | None:
    """The encoding of a file that is no UTF-8; ``None`` where it is.

    Windows-1252 if every byte has a letter there, else Latin-1, where every byte has one.

    Raises
    ------
    DamagedFileError
        The file is UTF-8 and stops inside a character.
    """
    decoder, size = codecs.getincrementaldecoder("utf-8")(), 0
    try:
        for chunk in _chunks(member):
            decoder.decode(chunk)
            size += len(chunk)
    except UnicodeDecodeError:
        return _single_byte(member)
    if decoder.getstate()[0]:
        raise _cut(member, size, "inside a character")
    return None


def _single_byte(member: Member) -> str:
    decoder = codecs.getincrementaldecoder("cp1252")()
    try:
        for chunk in _chunks(member):
            decoder.decode(chunk)
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _chunks(member: Member) -> Iterator[bytes]:
    with member.open() as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _cut(member: Member, size: int, where: str) -> DamagedFileError:
    return DamagedFileError(f"{member.name} was cut short at byte {size:,}, {where}.")
