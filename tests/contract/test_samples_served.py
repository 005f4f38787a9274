"""The sample files served by the demo and read through the API: no cell damaged on the way."""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import canvas_reports_nb as crn

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[crn.Connection]:
    with crn.demo(files=DATA, store=tmp_path_factory.mktemp("store")) as connection:
        yield connection


def runs(connection: crn.Connection) -> dict[str, tuple[str, int]]:
    """File name to report and run id, as the API lists them."""
    found = {}
    for report in connection.reports()["report"]:
        for run in connection._api.index(report):
            found[run.attachment.filename] = (report, run.id)
    return found


def test_every_sample_is_a_finished_run(served: crn.Connection) -> None:
    assert sorted(runs(served)) == sorted(path.name for path in DATA.iterdir())


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_bytes_and_cells_arrive_as_they_are(served: crn.Connection, path: Path) -> None:
    report, run_id = runs(served)[path.name]
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


def test_a_start_gives_the_newest_fitting_file(served: crn.Connection) -> None:
    frame: Any = served.read_report("zero_activity_csv", max_age=0, progress=False)
    assert frame["user sis id"].tolist() == ["0000099"]
