"""Whether a CSV was cut short: its last bytes and its last row, looked at together.

Canvas ends every file with a line break. A file that does not may have been cut, or saved again by a
program that leaves the break out; one that stops inside quotes, inside a character or before the last
column was cut for certain. A zip needs no such look: it carries a checksum of each member.
"""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING

from canvas_reports_nb.exceptions import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from canvas_reports_nb.frames.contents import Member

__all__ = ["other_encoding", "refuse_cut"]

_CHUNK = 1 << 20
_NO_BREAK = "the file does not end with a line break; if it was cut, its last cell is short"


def refuse_cut(member: Member, encoding: str, width: int, last: Sequence[str | None]) -> str | None:
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
