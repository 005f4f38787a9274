"""How a CSV is written, judged by its bytes: encoding, separator, header, and whether it was cut short.

Canvas writes UTF-8, commas and LF. The three outcome reports may have a BOM or ``;``, depending on the user's
settings. A file that Excel saved again may have a BOM, CRLF or another encoding, and lines above the header.
"""

from __future__ import annotations

import codecs
import io
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from canvas_reports_nb.exceptions import DamagedFileError, NotAReportError
from canvas_reports_nb.frames.contents import check_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO, TextIO

    from canvas_reports_nb.frames.contents import Member

_HEAD = 64 * 1024
_CHUNK = 1 << 20
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before the one of UTF-16, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Blank lines, a hint for Excel ("sep=;") and one from PowerShell ("#TYPE ...") may come before the header.
_BLANK = r"(?:[ \t]*(?:\r\n|\r|\n))*"
_PREAMBLE = re.compile(
    rf'\ufeff?{_BLANK}(?:"?sep=(.)"?[,;\t]*(?:\r\n|\r|\n)|#TYPE [^\r\n]*(?:\r\n|\r|\n))?{_BLANK}',
    re.IGNORECASE,
)
_INSIDE_QUOTES = re.compile('[^"]*(?:""[^"]*)*')
# Tabs, line breaks and all other characters may be in a name.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f]")
# In a file that Excel saved in another encoding, few of the other characters look like UTF-8: a capital letter and
# the punctuation after it, such as an É before a quote. Any other character that does is evidence for UTF-8.
_PUNCTUATION = frozenset(b"\x85\x91\x92\x93\x94\x96\x97\x99\xa0\xaa\xab\xad\xae\xb0\xb7\xba\xbb")
_DOUBTFUL = re.compile(
    "[" + "".join(chr(code) for code in range(0x100, 0x800) if code & 0x3F | 0x80 in _PUNCTUATION) + "]"
)
_STRAY_PER_EVIDENCE = 50
_STRAY = re.compile("[\udc80-\udcff]")  # how Python's "surrogateescape" marks a byte that is not UTF-8
_OTHER = re.compile("[^\x00-\x7f\udc80-\udcff]")
# Most such bytes are Windows-1252; it has no character for five of them, but Latin-1 does.
_READ_AS = {
    0xDC00 + byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0x100)
}
_NO_BREAK = "the file does not end with a line break; if it was cut, its last cell is incomplete"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one CSV is written; the header is as written, with duplicates and blanks.

    ``preamble`` is the text before the header; ``is_guessed`` means that the encoding may be another one;
    ``stray_bytes`` counts the bytes of a UTF-8 file that are not UTF-8.
    """

    encoding: str
    delimiter: str = ","
    header: tuple[str, ...] = ()
    has_rows: bool = True
    preamble: str = ""
    is_guessed: bool = False
    stray_bytes: int = 0

    @property
    def errors(self) -> str:
        """What a decoder does with a byte that it can't decode."""
        return "surrogateescape" if self.stray_bytes else "strict"


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
    if member.in_zip and head:
        check_csv(head, member.name)
    encoding = next((codec for bom, codec in _BOMS.items() if head.startswith(bom)), "utf-8")
    if member.encoding and not (encoding == "utf-8-sig" and member.encoding == "utf-8"):
        encoding = member.encoding
    try:
        return _read_header(member, head, Dialect(encoding))
    except UnicodeError as error:
        if member.encoding:
            raise DamagedFileError(
                f"{member.name} can't be read as {member.encoding}: {getattr(error, 'reason', error)}.",
                hint="Leave out encoding=, or name another one.",
            ) from None
        return _read_header(member, head, guessed(member, Dialect(encoding)) or Dialect(encoding))


def _read_header(member: Member, head: bytes, dialect: Dialect) -> Dialect:
    text = head.decode(dialect.encoding, errors="replace")
    start = _PREAMBLE.match(text)
    preamble, named = (start[0], start[1]) if start else ("", None)
    delimiter = named or _delimiter(text[len(preamble) :])
    dialect = replace(dialect, delimiter=delimiter, preamble=preamble)
    rows = records(member, dialect)
    header = [name or "" for name in next(rows, [])]
    if any(map(_NOT_TEXT.search, header)):
        header = [name.strip("\x00") for name in header]
        if any(map(_NOT_TEXT.search, header)):
            raise NotAReportError(f"{member.name} is not a CSV: its first line is not text.")
    return replace(dialect, header=tuple(header), has_rows=next(rows, None) is not None)


def _delimiter(text: str) -> str:
    """Return the separator that is most frequent in the first row, outside quotes."""
    outside = re.sub(r'"[^"]*(?:"|$)', "", text)
    return max(",;\t", key=re.split(r"[\r\n]", outside, maxsplit=1)[0].count)


@contextmanager
def open_text(member: Member, dialect: Dialect) -> Iterator[TextIO]:
    """Open a CSV as text that begins with the header; line breaks stay as written."""
    with (
        member.open() as stream,
        io.TextIOWrapper(stream, encoding=dialect.encoding, errors=dialect.errors, newline="") as text,
    ):
        text.read(len(dialect.preamble))
        yield text


def records(member: Member, dialect: Dialect) -> Iterator[list[str | None]]:
    """Yield rows of any length; slower than Arrow. As there, a blank cell is ``None``, an empty quoted one ``""``."""
    with open_text(member, dialect) as text:
        lines = (line.translate(_READ_AS) for line in text) if dialect.stray_bytes else text
        yield from split_records(lines, dialect.delimiter)


def split_records(lines: Iterable[str], delimiter: str) -> Iterator[list[str | None]]:
    """Split lines into cells; a quoted cell may continue on further lines. A blank line is a row without cells."""
    unquoted = re.compile(f"[^{re.escape(delimiter)}\\r\\n]*")
    row: list[str | None] = []
    pieces: list[str] = []  # of a quoted cell that is not closed yet, with its first quote
    for line in lines:
        if not pieces and '"' not in line:
            bare = line.rstrip("\r\n")
            yield [cell or None for cell in bare.split(delimiter)] if bare else []
            continue
        at: int | None = 0
        while at is not None:
            at = _take_cell(line, at, row, pieces, unquoted)
        if not pieces:
            yield row
            row = []
    if pieces:
        yield [*row, "".join(pieces[1:])]


def _take_cell(
    line: str, at: int, row: list[str | None], pieces: list[str], unquoted: re.Pattern[str]
) -> int | None:
    """Move the next cell from a line to the row; return where the one after it begins, ``None`` if there is none.

    The pieces of a quoted cell that continues on the next line are kept for it.
    """
    is_quoted = bool(pieces)
    if not pieces and line.startswith('"', at):
        pieces.append('"')
        is_quoted, at = True, at + 1
    if is_quoted:
        end = _end_of_match(_INSIDE_QUOTES, line, at)
        pieces.append(line[at:end].replace('""', '"'))
        if end == len(line):
            return None
        at = end + 1
    end = _end_of_match(unquoted, line, at)
    rest = line[at:end]
    row.append("".join([*pieces[1:], rest]) if is_quoted else rest or None)
    pieces.clear()
    return None if end == len(line) or line[end] in "\r\n" else end + 1


def _end_of_match(pattern: re.Pattern[str], line: str, at: int) -> int:
    found = pattern.match(line, at)
    return found.end() if found else at


class Utf8Blocks:
    """A CSV as an open file for Arrow: UTF-8 from the header on.

    No block ends on CR, because Arrow drops an LF at the start of the next block, even inside a quoted cell.
    """

    closed = False

    def __init__(
        self, stream: BinaryIO, dialect: Dialect, note: Callable[[bytes], None] | None = None
    ) -> None:
        self._stream, self._note = stream, note
        is_utf8 = dialect.encoding.startswith("utf-8") and not dialect.stray_bytes
        self._decoder = None if is_utf8 else codecs.getincrementaldecoder(dialect.encoding)(dialect.errors)
        self._held = b""
        self.last_byte = b""
        self._to_skip = len(dialect.preamble)
        if is_utf8:
            bom = codecs.BOM_UTF8 if dialect.encoding == "utf-8-sig" else b""
            stream.read(len(bom + dialect.preamble.encode()))

    def read(self, size: int) -> bytes:
        """Return the next block, at least one byte before the end of the file."""
        while True:
            data = self._stream.read(max(size - len(self._held), 1))
            block = self._held + (data if self._decoder is None else self._decoded(data))
            # At the end of the file, nothing is held back.
            kept = block.rstrip(b"\r") if data else block
            self._held = block[len(kept) :]
            self.last_byte = block[-1:] or self.last_byte
            if kept or not data:
                if self._note is not None:
                    self._note(kept)
                return kept

    def _decoded(self, data: bytes) -> bytes:
        assert self._decoder is not None  # noqa: S101 - for type checkers
        text = self._decoder.decode(data, final=not data)
        skipped = min(self._to_skip, len(text))
        self._to_skip -= skipped
        return text[skipped:].translate(_READ_AS).encode()

    def close(self) -> None:
        """Stop reading; the stream belongs to the caller."""
        self.closed = True


def check_complete(member: Member, dialect: Dialect, last: Sequence[str | None]) -> str | None:
    """Reject a file that was cut short, judged by its last row; return a remark if that is uncertain."""
    # The bytes of these encodings are not those of the characters.
    if member.in_zip or dialect.encoding.startswith(("utf-16", "utf-32")) or not last:
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


def guessed(member: Member, dialect: Dialect) -> Dialect | None:
    """Return how to read a file in which not all bytes are UTF-8; ``None`` if they are.

    If the file is UTF-8 with a few errors, only the cells with errors are guessed. Otherwise it is Windows-1252 if
    that has all the bytes, or else Latin-1.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    size = stray = characters = doubtful = 0
    for chunk in _chunks(member):
        text = decoder.decode(chunk)
        size += len(chunk)
        if not text.isascii():
            stray += len(_STRAY.findall(text))
            characters += len(_OTHER.findall(text))
            doubtful += len(_DOUBTFUL.findall(text))
    incomplete = len(decoder.getstate()[0])
    if not stray:
        if incomplete:
            raise _cut(member, size, "inside a character")
        return None
    evidence = _STRAY_PER_EVIDENCE * (characters - doubtful)
    if dialect.encoding == "utf-8-sig" or max(evidence, characters - 1) >= stray:
        return replace(dialect, stray_bytes=stray + incomplete)
    encoding = "cp1252" if _is_decodable(member, "cp1252") else "latin-1"
    return replace(dialect, encoding=encoding, is_guessed=True)


def _is_decodable(member: Member, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in _chunks(member):
            decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def describe_stray_bytes(member: Member, dialect: Dialect) -> str:
    """Return how many bytes of a UTF-8 file are not UTF-8, and where the first is; no value is shown."""
    where = "in the header"
    with open_text(member, dialect) as text:
        for number, row in enumerate(split_records(text, dialect.delimiter)):
            at = next((at for at, cell in enumerate(row) if _STRAY.search(cell or "")), None)
            if at is not None:
                name = dialect.header[at] if at < len(dialect.header) else f"column {at + 1}"
                where = f"in row {number}, column {name!r}" if number else where
                break
    count = dialect.stray_bytes
    if count == 1:
        return f"1 byte is not UTF-8 and was read as cp1252, {where}"
    return f"{count:,} bytes are not UTF-8 and were read as cp1252, the first {where}"


def _chunks(member: Member) -> Iterator[bytes]:
    with member.open() as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _cut(member: Member, size: int, where: str) -> DamagedFileError:
    return DamagedFileError(f"{member.name} was cut short at byte {size:,}, {where}.")
