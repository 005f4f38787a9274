"""One table as every kind of frame, plain SQL to compare with, and the reports of a larger demo."""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dask.dataframe as dd
import duckdb
import pandas as pd
import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from canvas_reports_nb.exceptions import ReportWarning
from canvas_reports_nb.frames.engines import to_pandas

Rows = tuple[list[str], list[tuple[Any, ...]]]
KINDS = ("pandas", "polars", "lazy", "arrow", "dask", "duckdb")


def as_kind(table: pa.Table, kind: str) -> Any:
    """Return an Arrow table as another kind of frame."""
    if kind == "dask":
        whole = to_pandas(table)
        return (
            dd.from_pandas(whole, npartitions=2, sort=False)
            if len(whole)
            else dd.from_pandas(whole, npartitions=1)
        )
    makers: dict[str, Callable[[pa.Table], Any]] = {
        "pandas": to_pandas,
        "polars": pl.from_arrow,
        "lazy": lambda one: pl.from_arrow(one).lazy(),
        "arrow": lambda one: one,
        "duckdb": duckdb.from_arrow,
    }
    return makers[kind](table)


def kind_of(frame: Any) -> str:
    types = {
        pd.DataFrame: "pandas",
        pl.DataFrame: "polars",
        pl.LazyFrame: "lazy",
        pa.Table: "arrow",
        duckdb.DuckDBPyRelation: "duckdb",
    }
    return types.get(type(frame), "dask")


def rows_of(frame: Any) -> Rows:
    """Return names and rows of a frame of any kind, as plain Python values."""
    match kind_of(frame):
        case "dask":
            return rows_of(frame.compute())
        case "duckdb":
            return rows_of(frame.pl().with_columns(cs.datetime(time_zone="*").dt.convert_time_zone("UTC")))
        case "lazy":
            return rows_of(frame.collect(engine="streaming"))
        case "polars":
            return frame.columns, frame.rows()
        case "arrow":
            return frame.column_names, [tuple(row.values()) for row in frame.to_pylist()]
    columns = [
        [None if missing else value for value, missing in zip(frame[name], frame[name].isna(), strict=True)]
        for name in frame.columns
    ]
    return list(frame.columns), list(zip(*columns, strict=True))


def same_cell(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def check(found: Any, wanted: Rows) -> None:
    names, rows = rows_of(found)
    assert names == wanted[0]
    assert len(rows) == len(wanted[1])
    for here, there in zip(rows, wanted[1], strict=True):
        assert all(map(same_cell, here, there)), (dict(zip(names, here, strict=True)), there)


def unread(table: pa.Table) -> pl.LazyFrame:
    """Return a lazy frame with the columns of a table that fails when it is collected."""

    def collected(_: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("collected")

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.lazy().map_batches(collected, schema=frame.schema)


class Oracle:
    """Kinds of frames, answers in SQL, and comparisons."""

    kinds = KINDS
    as_kind = staticmethod(as_kind)
    kind_of = staticmethod(kind_of)
    rows = staticmethod(rows_of)
    check = staticmethod(check)
    unread = staticmethod(unread)

    @staticmethod
    @contextmanager
    def sql_of(**tables: pa.Table) -> Iterator[Callable[[str], Rows]]:
        """Answer questions about some tables in SQL with DuckDB."""
        # Not in a fixture: duckdb warns at exit about a connection that is still open.
        with duckdb.connect() as connection:
            for name, table in tables.items():
                connection.register(name, table)

            def answer(query: str) -> Rows:
                done = connection.execute(query)
                return [column[0] for column in done.description], done.fetchall()

            yield answer

    def sql(self, query: str, **tables: pa.Table) -> Rows:
        """Answer one question."""
        with self.sql_of(**tables) as answer:
            return answer(query)


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """Kinds of frames, answers in SQL, and comparisons."""
    return Oracle()


@pytest.fixture(scope="session")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., dict[str, pa.Table]]]:
    """Read reports of a demo with 20,000 enrollments as Arrow, with the place of each row in ``pos``."""
    clock = demo_canvas.SteppedClock(datetime(2026, 3, 2, 16, 14, 7, tzinfo=UTC))
    with (
        demo_canvas.serve(enrollments=20_000, clock=clock, duration=0) as server,
        crn.connect(
            server.url,
            server.token,
            store=tmp_path_factory.mktemp("larger"),
            clock=lambda: clock.now().timestamp(),
            sleep=lambda seconds: clock.advance(seconds) and None,
        ) as canvas,
    ):

        def read(report: str, **parameters: Any) -> dict[str, pa.Table]:
            with warnings.catch_warnings():
                # Some of the demo's terms have no grading periods.
                warnings.filterwarnings("ignore", ".* was left out: ", ReportWarning)
                tables = canvas.read_tables(report, engine="arrow", progress=False, **parameters)
            return {
                name: table.append_column("pos", pa.array(range(len(table))))
                for name, table in tables.items()
            }

        yield read
