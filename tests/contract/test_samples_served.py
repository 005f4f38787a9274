"""The sample files, served by the demo and read through the API, arrive undamaged."""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[crn.Connection]:
    with crn.demo(files=DATA, store=tmp_path_factory.mktemp("store")) as connection:
        yield connection


@pytest.fixture(scope="module")
def runs(served: crn.Connection) -> dict[str, tuple[str, int]]:
    """Return the report and run id of each file name, as the API lists them."""
    found = {}
    for report in served.reports()["report"]:
        for run in served._api.index(report):
            found[run.attachment.filename] = (report, run.id)
    return found


def test_every_sample_is_a_finished_run(runs: dict[str, tuple[str, int]]) -> None:
    assert sorted(runs) == sorted(path.name for path in DATA.iterdir())


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_bytes_and_cells_arrive_unchanged(
    served: crn.Connection, runs: dict[str, tuple[str, int]], path: Path
) -> None:
    report, run_id = runs[path.name]
    result = served.attach(report, run_id).result(progress=False)
    assert result.path.read_bytes() == path.read_bytes()
    tables = served.read_tables(report, run_id=run_id)
    members: dict[str, bytes]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".csv"): archive.read(name) for name in archive.namelist()}
    else:
        members = dict.fromkeys(tables, path.read_bytes())
    assert list(tables) == list(members)
    for name, frame in tables.items():
        by_hand = crn.read_file(path, table=name if path.suffix == ".zip" else None)
        pd.testing.assert_frame_equal(frame, by_hand)
        header, *rows = list(csv.reader(io.StringIO(members[name].decode(), newline="")))
        assert list(frame.columns) == header
        texts = [column for column in header if pd.api.types.is_string_dtype(frame[column].dtype)]
        for column in texts:
            place = header.index(column)
            assert frame[column].fillna("").tolist() == [row[place] for row in rows]


def test_a_new_run_gives_the_newest_matching_file(served: crn.Connection) -> None:
    frame: Any = served.read_report("zero_activity_csv", max_age=0, progress=False)
    assert frame["user sis id"].tolist() == ["0000099"]


ENGINES = ("pandas", "polars", "arrow", "dask")
SAMPLE, ROWS = DATA / "09_provisioning_enrollments_current.csv", 4


@pytest.fixture(scope="module")
def sample(served: crn.Connection, runs: dict[str, tuple[str, int]]) -> tuple[crn.Connection, str, int]:
    """Return the connection, and the report and run of one sample."""
    return served, *runs[SAMPLE.name]


def reading(sample: tuple[crn.Connection, str, int], reader: str, **asked: Any) -> Any:
    """Read one sample with one reader, and compute or collect it."""
    connection, report, run_id = sample
    match reader:
        case "read_file":
            frame = crn.read_file(SAMPLE, **asked)
        case "read_report":
            frame = connection.read_report(report, run_id=run_id, **asked)
        case "read_tables":
            (frame,) = connection.read_tables(report, run_id=run_id, **asked).values()
        case _:
            frame = connection.scan_report(report, run_id=run_id, **asked).collect()
    return frame.compute(scheduler="synchronous") if asked.get("engine") == "dask" else frame


READERS = [
    *[
        (name, {"engine": engine})
        for name in ("read_file", "read_report", "read_tables")
        for engine in ENGINES
    ],
    ("scan_report", {}),
]
READER_IDS = [" ".join([reader, *engine.values()]) for reader, engine in READERS]


@pytest.mark.parametrize(("reader", "engine"), READERS, ids=READER_IDS)
def test_an_empty_list_of_columns_keeps_the_rows(
    sample: tuple[crn.Connection, str, int], reader: str, engine: dict[str, Any]
) -> None:
    assert reading(sample, reader, columns=[], **engine).shape == (ROWS, 0)


@pytest.mark.parametrize(("reader", "engine"), READERS, ids=READER_IDS)
def test_wrong_columns_give_the_same_error_everywhere(
    sample: tuple[crn.Connection, str, int], reader: str, engine: dict[str, Any]
) -> None:
    with pytest.raises(ParameterError, match="columns= names 'status' more than once") as error:
        reading(sample, reader, columns=["status", "role", "status"], **engine)
    assert type(error.value) is ParameterError
    for wrong in ("state", 7):
        with pytest.raises(UnknownColumnError, match=f"no column {wrong!r}"):
            reading(sample, reader, columns=["role", wrong], **engine)
    assert reading(sample, reader, columns=["status", "role"], **engine).shape == (ROWS, 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_list_of_columns_keeps_those_of_the_requests(served: crn.Connection, engine: Any) -> None:
    requests = [{"report": "zero_activity_csv"}, {"report": "grade_export_csv"}]
    frame = served.read_reports(requests, columns=[], engine=engine, max_age=1e9, progress=False)
    frame = frame.compute(scheduler="synchronous") if engine == "dask" else frame
    whole = served.read_reports(requests, engine="polars", max_age=1e9, progress=False)
    assert frame.shape == (whole.height, 1)
    scanned = served.scan_reports(requests, columns=[], max_age=1e9, progress=False)
    assert scanned.collect().equals(whole.select("report"))
    with pytest.raises(ParameterError, match="columns= names 'report' more than once"):
        served.read_reports(
            requests, columns=["report", "report"], engine=engine, max_age=1e9, progress=False
        )
