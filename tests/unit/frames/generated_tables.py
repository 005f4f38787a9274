"""Tables with every oddity a CSV can have, generated with the values they must give in every engine."""

from __future__ import annotations

import math
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa

import canvas_reports_nb as crn
from canvas_reports_nb import frames
from canvas_reports_nb.catalog.schemas import COMPANION, Column, hosted_reports, reports, schema
from canvas_reports_nb.frames.dialect import unique
from canvas_reports_nb.frames.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path

Cell = str | None
"""A cell as written: ``None`` is nothing, an empty text is an empty pair of quotes."""

ENGINES = ("pandas", "polars", "arrow", "dask")
BLOCK = 1 << 20
FILLER = 1000
_ALPHABETS = [
    "abc XYZ 0123456789", "àéîõüßçñ", "日本語中文", "مرحبا\u200f\u05e9\u05dc\u05d5\u05dd\u200e", "👩\u200d🎓🏳\ufe0f\u200d🌈e\u0301",
    "\u00a0\u2003\u2028\u0085\u200b\ufeff", "\"',;\t|", "\r\n", "=+-@#&<>%\\", "\x0b\x0c\x1f\x00",
]  # fmt: skip
_WORDS = ["000481", "1e5", "007E2", "NA", "null", "NULL", "None", "nan", "-", "0", "true", "never", "1,5", "\r\n", "\n", '"',
          "12345678901234567", "=1+1", " padded ", "2026-03-02T09:14:07Z", "\ufeff", "N/A", '""', "'", "\\N"]  # fmt: skip
_IDS = [
    "0",
    "7",
    "481",
    "10000000000000481",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "-12",
]
_NO_IDS = [
    "007",
    "+5",
    "1.0",
    " 5",
    "5 ",
    "9223372036854775808",
    "-0",
    "1e5",
    "0x1F",
    "٣",
    "1_000",
    "NA",
    "--1",
]
_FLOATS = ["0", "88.5", "-3.25", "0.1", "100.0", "1e3", "12345678.875", "0.0001", "33.333333333333336"]
_NO_FLOATS = ["NaN", "inf", "n/a", "1.2.3", "1e999", "88 %", "A-", "-", "1 000"]
_BOOLEANS = ["true", "false", "True", "False", "TRUE", "FALSE"]
_NO_BOOLEANS = ["1", "0", "yes", "tru", "t", "true "]
_NO_TIMES = ["0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
             "2026-02-30T00:00:00Z", "2026-03-02T09:14:07.1234567Z", "2026-03-02T09:14:07", "2026-03-02", "yesterday",
             "2026-13-01T00:00:00Z", "2026-03-02T25:00:00Z", "1772468047"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Generated:
    """A file, and the columns that reading it must give."""

    data: bytes
    report: str | None
    table: str | None
    expected: dict[str, list[Any]]
    is_large: bool


def _text(rng: random.Random, longest: int = 12) -> str:
    if rng.random() < 0.3:
        return rng.choice(_WORDS)
    alphabet = "".join(rng.sample(_ALPHABETS, rng.randint(1, 3)))
    return "".join(rng.choices(alphabet, k=rng.randint(1, longest)))


def _time(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return rng.choice(
            ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2000-02-29T00:00:00Z"]
        )
    moment = datetime(1900, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(6_000_000_000))
    if rng.random() < 0.2:
        return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    zone = timezone(timedelta(minutes=rng.choice([0, 0, -420, 330, 840, -720])))
    fraction = f".{rng.randrange(1, 10**6):06}"[: rng.randint(2, 7)] if rng.random() < 0.2 else ""
    local = moment.astimezone(zone)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%dT%H:%M:%S}{fraction}" + (
        "Z" if offset == "+0000" and rng.random() < 0.8 else f"{offset[:3]}:{offset[3:]}"
    )


def _parsed_time(text: str) -> datetime:
    if text.endswith(" UTC"):
        return datetime.fromisoformat(text.removesuffix(" UTC")).replace(tzinfo=UTC)
    head, dot, tail = text.partition(".")
    if dot:  # Python 3.11 reads three or six digits only
        digits = tail.rstrip("Z").split("+")[0].split("-")[0]
        text = f"{head}.{digits:0<6}{tail[len(digits) :]}"
    return datetime.fromisoformat(text).astimezone(UTC)


def _boolean(text: str) -> bool:
    return text.lower() == "true"


def _float(text: str) -> float:
    return float(text.replace(",", "."))


_TYPED: dict[str, tuple[Callable[[random.Random], str], list[str], Callable[[str], Any]]] = {
    "canvas_id": (lambda rng: rng.choice([*_IDS, str(rng.randrange(10**17))]), _NO_IDS, int),
    "integer": (lambda rng: rng.choice(_IDS), _NO_IDS, int),
    "float": (lambda rng: rng.choice(_FLOATS), _NO_FLOATS, _float),
    "boolean": (lambda rng: rng.choice(_BOOLEANS), _NO_BOOLEANS, _boolean),
    "timestamp": (_time, _NO_TIMES, _parsed_time),
}
"""By kind: a good value, values that contradict the kind, and what a good value means."""


def _cells(
    rng: random.Random, column: Column | None, count: int, *, comma: bool
) -> tuple[list[Cell], list[Any]]:
    """Return the cells of a column, and the values they must give."""
    blank = rng.choice([0.0, 0.2, 0.9])

    def drawn(make: Callable[[random.Random], str]) -> list[Cell]:
        return [
            (None if rng.random() < 0.8 else "") if rng.random() < blank else make(rng) for _ in range(count)
        ]

    if column is not None and column.kind == "enum":
        known = [*(column.values or ()), "Élsewhere", "a,b", '"']  # noqa: PD011 - not of pandas
        cells = drawn(lambda rng: rng.choice(known))
        return cells, [cell or None for cell in cells]
    if column is None or column.kind not in _TYPED:
        cells = drawn(_text)
        return cells, list(cells)
    make, contradicting, _ = _TYPED[column.kind]
    cells = drawn(make)
    if comma and column.kind == "float":
        cells = [cell.replace(".", ",") if cell and "e" not in cell else cell for cell in cells]
    if column.words and rng.random() < 0.5:
        cells = [rng.choice(column.words) if cell and rng.random() < 0.5 else cell for cell in cells]
    if count and rng.random() < 0.15:
        cells[rng.randrange(count)] = rng.choice(contradicting)
        return cells, list(cells)
    return cells, [_meaning(column, cell) for cell in cells]


def _meaning(column: Column, cell: Cell) -> Any:
    return None if not cell or cell in column.words else _TYPED[column.kind][2](cell)


def _quoted(cell: Cell, *, always: bool) -> str:
    if cell is None:
        return ""
    if (
        always
        or cell == ""
        or any(mark in cell for mark in ',;\t|\r\n"')
        or cell != cell.strip("\ufeff \x0b\x0c")
    ):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _header(rng: random.Random) -> list[str]:
    width = rng.randint(1, 9)
    names = [
        ""
        if rng.random() < 0.1
        else _text(rng, 10).replace("\x00", "").replace("\x1f", "").replace("\ufeff", "")
        for _ in range(width)
    ]
    if width > 1 and rng.random() < 0.3:
        names[-1] = names[0]
    # A first name that looks like one of the lines that may stand above a header would be one.
    return ["one", *names[1:]] if not names[0].strip(" \t\r\n\x0b\x0c\u00a0\u2003\u2028\u0085") else names


def _subject(rng: random.Random) -> tuple[str, str | None, list[str], list[Column | None]]:
    """Choose a report, a table, and its header with the columns that the catalog has for it."""
    tables = [
        table
        for report in (*reports(), *hosted_reports())
        for table in schema(report).tables.values()
        if table.columns and not table.dynamic
    ]
    if rng.random() < 0.4:
        header = _header(rng)
        return "our_own_csv", None, header, [None] * len(header)
    found = rng.choice(tables)
    columns: list[Column | None] = [c for c in found.columns if c.when is None or rng.random() < 0.5]
    if rng.random() < 0.2:
        rng.shuffle(columns)
    return found.report, found.name, [column.name for column in columns if column], columns


def _lines(
    rng: random.Random, header: list[str], rows: list[list[Cell]], delimiter: str, end: str
) -> list[str]:
    always = rng.random() < 0.2
    return [
        delimiter.join(_quoted(cell, always=always and bool(at)) for cell in row) + end
        for at, row in enumerate([header, *rows])
    ]


def generate(seed: int, *, large: bool = False) -> Generated:
    """Make a table: of a known report or of none, small or with its odd cells across the border of a block."""
    rng = random.Random(seed)
    delimiter, end = rng.choice([",", ",", ",", ";", "\t"]), rng.choice(["\n", "\n", "\r\n"])
    report, table, header, columns = _subject(rng)
    comma = delimiter == ";" and rng.random() < 0.5
    count = rng.choice([0, 1, 2, rng.randint(3, 30)])
    made = [_cells(rng, column, count, comma=comma) for column in columns]
    rows: list[list[Cell]] = [[cells[at] for cells, _ in made] for at in range(count)]
    texts = _lines(rng, header, rows, delimiter, end)
    fillers: list[str] = []
    untyped = [place for place, column in enumerate(columns) if column is None or column.kind not in _TYPED]
    if large and rows and len(columns) > 1 and untyped:
        room = BLOCK - len(texts[0].encode()) - _border(rng, "".join(texts[1:]).encode())
        fillers = _fillers(room, len(columns) - 1 + len(end))
        before, after = delimiter * untyped[0], delimiter * (len(columns) - 1 - untyped[0])
        texts[1:1] = [before + text + after + end for text in fillers]
    if len(columns) > 1 and rng.random() < 0.2:
        texts[-1] = texts[-1].removesuffix(end)
    expected: dict[str, list[Any]] = {}
    for place, (name, column) in enumerate(zip(unique(tuple(header)), columns, strict=True)):
        cells, values = made[place]
        front: list[Any] = list(fillers) if place in untyped[:1] else [None] * len(fillers)
        expected[name] = front + values
        if column is not None and column.words:
            expected[name + COMPANION] = [None] * len(fillers) + list(cells)
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig"] if fillers else ["utf-8", "utf-8-sig", "utf-16"])
    return Generated("".join(texts).encode(encoding), report, table, expected, bool(fillers))


def _border(rng: random.Random, body: bytes) -> int:
    """Choose where in the generated rows a block ends: mostly after a CR, quote, separator or part of a character."""
    kinds = (b"\r", b'"', b",;\t", bytes(range(0x80, 0x100)))
    kind = rng.choice(kinds)
    marked = [at for at, byte in enumerate(body, start=1) if byte in kind]
    return rng.choice(marked) if marked and rng.random() < 0.9 else rng.randrange(len(body) + 1)


def _fillers(room: int, blank: int) -> list[str]:
    """Return the texts of rows with one cell each that take exactly this many bytes; an empty row takes ``blank``."""
    count = room // (blank + FILLER) - 1
    rest = room - count * (blank + FILLER)
    return ["x" * FILLER] * count + ["x" * (rest - blank)]


def values_of(frame: Any) -> dict[str, list[Any]]:
    """Return the columns of any engine's frame as lists, with ``None`` for missing and times in UTC."""
    if isinstance(frame, pa.Table):
        names = frame.column_names
        return {
            name: [_plain(value) for value in frame.column(at).to_pylist()] for at, name in enumerate(names)
        }
    if isinstance(frame, pl.DataFrame):
        return {name: [_plain(value) for value in frame[name].to_list()] for name in frame.columns}
    whole: pd.DataFrame = frame if isinstance(frame, pd.DataFrame) else frame.compute()
    return {name: [_plain(value) for value in whole[name].tolist()] for name in whole.columns}


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _differing(found: dict[str, list[Any]], wanted: dict[str, list[Any]]) -> int:
    if list(found) != list(wanted):
        return sum(map(len, wanted.values())) or 1
    if any(len(found[name]) != len(wanted[name]) for name in wanted):
        return max(abs(len(found[name]) - len(wanted[name])) for name in wanted)
    return sum(
        a != b or type(a) is not type(b)
        for name in wanted
        for a, b in zip(found[name], wanted[name], strict=True)
    )


def readings(made: Generated, folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield the frame of every engine, read from the file and as from a fetched run."""
    for engine in ENGINES:
        yield engine, crn.read_file(made.data, made.report, made.table, engine=engine)
    path = folder / "raw.csv"
    path.write_bytes(made.data)
    for old in folder.glob("*.parquet"):
        old.unlink()
    parameters = {made.table: True} if made.table else {}
    derived = frames.derive(path, folder, Provenance(report=made.report, source="raw.csv"), parameters)
    (facts,) = derived.tables.values()
    for engine in ENGINES:
        yield f"{engine} of a run", frames.load(folder / facts["file"], Provenance(), engine)


def check(
    seeds: range, folder: Path, *, large_share: float, show: Callable[[str], None] = print
) -> Counter[str]:
    """Read all generated tables in every engine; return counts of tables, cells, damages and disagreements."""
    counts: Counter[str] = Counter(tables=0, cells=0, damaged=0, disagreements=0, errors=0)
    for seed in seeds:
        made = generate(seed, large=random.Random(seed).random() < large_share)
        wanted = {name: [_plain(value) for value in values] for name, values in made.expected.items()}
        counts["tables"] += 1
        counts["large"] += made.is_large
        first: dict[str, list[Any]] | None = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", crn.ReportWarning)
            try:
                for engine, frame in readings(made, folder):
                    found = values_of(frame)
                    counts["cells"] += sum(map(len, wanted.values()))
                    damaged = _differing(found, wanted)
                    counts["damaged"] += damaged
                    first = found if first is None else first
                    counts["disagreements"] += _differing(found, first)
                    if damaged:
                        show(f"seed {seed}: {damaged} cells of {made.report} {made.table} differ in {engine}")
            except Exception as error:  # noqa: BLE001 - the run goes on, and the error is counted
                counts["errors"] += 1
                show(f"seed {seed}: {type(error).__name__}: {error}")
    return counts
