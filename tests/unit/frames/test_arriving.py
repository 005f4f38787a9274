"""A file that is converted while it arrives gives what the finished file gives, however it arrives."""

import random
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars.testing as polars_testing
import pytest

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb import frames
from canvas_reports_nb.frames import parquet
from canvas_reports_nb.frames.arriving import ArrivingFile, AttemptEndedError
from canvas_reports_nb.frames.parquet import derive_arriving
from canvas_reports_nb.frames.provenance import Provenance
from tests.unit.frames.generated_tables import Generated, generate

REPORT = "last_user_access_csv"
HEADER = b"user id,user sis id,user name,last access at,last ip\n"
ROW = b'%d,00%d,"Ng,\r\n ""Bea""",2026-03-02T09:14:07-07:00,192.0.2.1\n'
BODY = HEADER + b"".join(ROW % (n, n) for n in range(16_500))
# In the middle of a quoted cell: before and inside a line break, between two quotes of one.
INSIDE = [BODY.index(b'"Ng,\r\n', 1_000_000) + at for at in (1, 4, 5, 8)]


class Watched(ArrivingFile):
    """Knows how far it was read, so that a test can let the reader have each piece before the next one."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.was_read = threading.Semaphore(0)

    def read_into(self, *args: Any) -> int:
        try:
            return super().read_into(*args)
        finally:
            self.was_read.release()


def arrive(
    folder: Path, attempts: list[list[bytes]], report: str | None, parameters: dict[str, Any]
) -> tuple[Any, list[str]]:
    """Convert a file that arrives in pieces, from its beginning in each attempt; return it with the warnings."""
    folder.mkdir()
    arriving = Watched(folder / "raw.part")
    known = Provenance(report=report, source="raw.csv")

    def download() -> None:
        for number, pieces in enumerate(attempts):
            if number:
                arriving.restart()
                file.seek(0)
                file.truncate()
            for piece in pieces:
                file.write(piece)
                file.flush()
                arriving.grow(file.tell())
                arriving.was_read.acquire(timeout=0.005)
        arriving.finish(known.replace(sha256="abc"))

    with arriving.path.open("w+b") as file, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = derive_arriving(arriving, download, folder, known, parameters)
        except exc.CanvasReportsError as error:
            return (type(error), str(error)), []
    return made, [str(each.message) for each in caught]


def finished(
    folder: Path, data: bytes, report: str | None, parameters: dict[str, Any]
) -> tuple[Any, list[str]]:
    """Convert a file that has arrived."""
    folder.mkdir()
    path = folder / "raw.part"
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = frames.derive(
                path, folder, Provenance(report=report, source="raw.csv", sha256="abc"), parameters
            )
        except exc.CanvasReportsError as error:
            return (type(error), str(error)), []
    return made, [str(each.message) for each in caught]


def check_same(folder: Path, attempts: list[list[bytes]], report: str | None, **parameters: Any) -> None:
    """Compare the tables, the provenance, the warnings and the Parquet files, or the error."""
    data = b"".join(attempts[-1])
    (made, noticed), (wanted, expected) = (
        arrive(folder / "arriving", attempts, report, parameters),
        finished(folder / "finished", data, report, parameters),
    )
    assert noticed == expected
    if isinstance(wanted, tuple):
        assert made == wanted
        return
    plain = [
        {name: {"file": f["file"], "provenance": f["provenance"]} for name, f in each.tables.items()}
        for each in (made, wanted)
    ]
    assert plain[0] == plain[1]
    assert (made.in_zip, made.warnings) == (wanted.in_zip, wanted.warnings)
    assert {path.name for path in (folder / "arriving").glob("*.parquet")} == {
        facts["file"] for facts in wanted.tables.values()
    }
    for facts in wanted.tables.values():
        written = [(folder / name / facts["file"]).read_bytes() for name in ("arriving", "finished")]
        assert written[0] == written[1]


def pieces(data: bytes, *cuts: int) -> list[bytes]:
    return [data[a:b] for a, b in zip((0, *cuts), (*cuts, len(data)), strict=True)]


@pytest.mark.parametrize(
    "attempts",
    [
        [pieces(BODY, *INSIDE)],
        [pieces(BODY, 1, 2, 9, len(HEADER), len(BODY) - 1)],
        [pieces(BODY[: INSIDE[1]], 700_000), pieces(BODY, 10)],
        # The first attempt brought another file, with another header.
        [[HEADER.replace(b"user id", b"other") + BODY[len(HEADER) : 900_000]], pieces(BODY, INSIDE[2])],
        [[b"<!DOCTYPE html><title>Log in</title>"], [BODY]],
        [[], [BODY]],
        [[HEADER + b"1,2,3,4,\xff\n"], [BODY]],
        [pieces(BODY + b'7,7,"cut', INSIDE[0])],
        [pieces(BODY + b"7,7,short\n", INSIDE[0])],
        [pieces(BODY + b"7,7,caf\xe9,2026-03-02T09:14:07Z,\n", INSIDE[0])],
        [pieces(BODY + b"007,7,late,2026-03-02T09:14:07Z,\n", INSIDE[0])],
        [pieces(BODY + b"7,7,late,never again,\n", INSIDE[0])],
        [[b"<!DOCTYPE html><title>Log in</title>"]],
        [[]],
        [[HEADER]],
    ],
    ids=lambda attempts: f"{len(attempts)} of {len(attempts[-1])}",
)
def test_however_a_file_arrives_it_gives_the_same(tmp_path: Path, attempts: list[list[bytes]]) -> None:
    check_same(tmp_path, attempts, REPORT)


@pytest.mark.parametrize("seed", range(25))
def test_a_generated_table_gives_the_same(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    made = generate(seed, large=seed % 5 == 0)

    def cut(data: bytes) -> list[bytes]:
        quotes = [at for at, byte in enumerate(data[-4000:], len(data) - len(data[-4000:])) if byte in b'"\r']
        cuts = rng.sample(quotes, min(2, len(quotes))) + [rng.randrange(len(data) + 1) for _ in range(2)]
        return pieces(data, *sorted(cuts))

    attempts = [cut(made.data[: rng.randrange(len(made.data) + 1)]) for _ in range(rng.choice([0, 0, 1, 2]))]
    parameters = {made.table: True} if made.table else {}
    check_same(tmp_path, [*attempts, cut(made.data)], made.report, **parameters)


def test_rows_are_converted_before_the_file_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = threading.Event()

    class Sink(parquet._ParquetSink):
        def _take(self, *args: Any) -> None:
            super()._take(*args)
            taken.set()

    monkeypatch.setattr(parquet, "_ParquetSink", Sink)
    data = BODY + b"".join(ROW % (n, n) for n in range(83_500))
    arriving = ArrivingFile(tmp_path / "raw.part")
    arriving.path.write_bytes(data)

    def download() -> None:
        arriving.grow(len(data))
        assert taken.wait(600)
        arriving.finish(Provenance())

    made = derive_arriving(arriving, download, tmp_path, Provenance(report=REPORT), {})
    assert made.tables[REPORT]["provenance"]["rows"] == 100_000


class Stopped(BaseException):
    """Not an `Exception`, as an interrupt."""


@pytest.mark.parametrize("error", [Stopped, KeyboardInterrupt, exc.NotReachedError("gone")])
@pytest.mark.parametrize("arrived", [0, 5, 1_500_000])
def test_an_interrupted_download_leaves_no_thread(tmp_path: Path, error: Any, arrived: int) -> None:
    arriving = ArrivingFile(tmp_path / "raw.part")
    arriving.path.write_bytes(BODY[:arrived])

    def download() -> None:
        arriving.grow(arrived)
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        derive_arriving(arriving, download, tmp_path, Provenance(report=REPORT), {})
    assert not [thread.name for thread in threading.enumerate() if "convert" in thread.name]
    assert arriving.attempt() is None


def test_a_reader_is_stopped_even_if_the_file_is_complete(tmp_path: Path) -> None:
    arriving = ArrivingFile(tmp_path / "raw.part")
    arriving.path.write_bytes(BODY)
    arriving.grow(len(BODY))
    arriving.finish(Provenance())
    attempt = arriving.attempt()
    assert attempt is not None
    with attempt.open() as stream:
        assert stream.read(4) == BODY[:4]
        assert stream.seek(0, 2) == len(BODY)
        stream.seek(0)
        arriving.abandon()
        with pytest.raises(AttemptEndedError):
            stream.read()


def test_the_end_of_a_file_is_where_it_ends_once_it_has_arrived(tmp_path: Path) -> None:
    asked = threading.Event()

    class Asked(ArrivingFile):
        def _is_over(self, attempt: int) -> bool:
            asked.set()
            return super()._is_over(attempt)

    arriving, ends = Asked(tmp_path / "raw.part"), []
    arriving.path.write_bytes(BODY)
    arriving.grow(4)
    attempt = arriving.attempt()
    assert attempt is not None

    def seek() -> None:
        with attempt.open() as stream:
            ends.append(stream.seek(0, 2))

    reader = threading.Thread(target=seek)
    reader.start()
    asked.wait(5)
    arriving.grow(len(BODY))
    arriving.finish(Provenance())
    reader.join(600)
    assert ends == [len(BODY)]


@pytest.fixture(autouse=True)
def _no_thread_waits() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("convert")]


@pytest.mark.parametrize("seed", range(0, 40, 2))
@pytest.mark.parametrize("engine", ["pandas", "polars", "arrow"])
def test_a_frame_from_memory_is_the_one_from_the_store(tmp_path: Path, seed: int, engine: Any) -> None:
    made = generate(seed, large=seed % 20 == 0)
    columns = None if seed % 3 else list(made.expected)[::-2]
    frame, stored = frames_of(tmp_path, made, engine, columns)
    match engine:
        case "pandas":
            pd.testing.assert_frame_equal(frame, stored)
            assert list(frame.dtypes) == list(stored.dtypes)
            assert frame.attrs == stored.attrs
        case "polars":
            polars_testing.assert_frame_equal(frame, stored)
            assert frame.schema == stored.schema
        case "arrow":
            assert frame.schema.equals(stored.schema, check_metadata=True)
            assert frame.to_pydict() == stored.to_pydict()


def frames_of(folder: Path, generated: Generated, engine: Any, columns: list[str] | None) -> tuple[Any, Any]:
    """Return the frame of a file that arrived, once from the columns that were kept and once from its Parquet file."""
    arriving = ArrivingFile(folder / "raw.part")
    arriving.path.write_bytes(generated.data)
    known = Provenance(report=generated.report, source="raw.csv")
    parameters = {generated.table: True} if generated.table else {}

    def download() -> None:
        arriving.grow(len(generated.data))
        arriving.finish(known)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exc.ReportWarning)
        made = derive_arriving(arriving, download, folder, known, parameters, keep={None: columns})
    ((name, facts),) = made.tables.items()
    path, kept = folder / facts["file"], made.kept[name]
    if columns is not None:
        assert sorted(kept) == sorted(columns) or not facts["provenance"]["rows"]
    stored = frames.load(path, known, engine, columns)
    frame = frames.load(path, known, engine, columns, kept)
    assert not kept  # each is handed over once, and then only the caller has it
    return frame, stored
