"""The same tables as frames of every kind and in DuckDB."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import duckdb
import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.frames.engines import to_pandas

SQL = Path(__file__).parent / "sql"
KEYS = {
    "accounts": "canvas_account_id",
    "terms": "canvas_term_id",
    "courses": "canvas_course_id",
    "sections": "canvas_section_id",
    "groups": "canvas_group_id",
    "enrollments": "canvas_enrollment_id",
    "xlist": "canvas_section_id",
}


class Database:
    """The tables in DuckDB, with row numbers, and the answers of the SQL files."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pl.DataFrame]) -> None:
        self.connection = connection
        for name, frame in tables.items():
            plain = frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
            self.connection.register(name, plain.with_row_index("nr").to_arrow())
            if name in KEYS:
                first = f"FROM {name} QUALIFY row_number() OVER (PARTITION BY {KEYS[name]} ORDER BY nr) = 1"
                self.connection.execute(f"CREATE TABLE one_{name} AS {first}")
        for name in ("people", "all_records"):
            self.connection.execute(f"CREATE TABLE sql_{name} AS {(SQL / f'{name}.sql').read_text()}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def answer(self, name: str) -> pl.DataFrame:
        found = self.connection.sql((SQL / f"{name}.sql").read_text()).to_arrow_table()
        # DuckDB labels times with the machine's zone; the instants are the same.
        return pl.DataFrame(pl.from_arrow(found)).with_columns(cs.datetime().dt.convert_time_zone("UTC"))


@pytest.fixture(scope="session")
def database() -> Callable[..., Any]:
    """Load tables into a new DuckDB database."""

    @contextmanager
    def load(tables: Mapping[str, pl.DataFrame]) -> Iterator[Database]:
        with duckdb.connect(config={"threads": 1}) as connection:
            yield Database(connection, tables)

    return load


def as_pandas(frame: pl.DataFrame) -> Any:
    return to_pandas(frame.to_arrow())


AS = {
    "pandas": as_pandas,
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "arrow": lambda frame: frame.to_arrow(),
    "dask": lambda frame: dd.from_pandas(as_pandas(frame), npartitions=2),
    "duckdb": lambda frame: duckdb.from_arrow(frame.to_arrow()),
}


def as_polars(frame: Any, kind: str) -> pl.DataFrame:
    """Return a result as polars with plain text, after checking its kind."""
    if kind == "dask":
        assert isinstance(frame, dd.DataFrame)
        frame, kind = frame.compute(), "pandas"
    match kind:
        case "pandas":
            made = pl.from_arrow(pa.Table.from_pandas(frame, preserve_index=False))
        case "arrow":
            assert isinstance(frame, pa.Table)
            made = pl.from_arrow(frame)
        case "duckdb":
            assert isinstance(frame, duckdb.DuckDBPyRelation)
            made = frame.pl().with_columns(cs.datetime().dt.convert_time_zone("UTC"))
        case "lazy":
            assert isinstance(frame, pl.LazyFrame)
            made = frame.collect()
        case _:
            made = frame
    assert isinstance(made, pl.DataFrame)
    return made.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


@pytest.fixture(scope="session")
def asked() -> Callable[..., pl.DataFrame]:
    """Run an analysis on frames of one kind, and return the result as polars."""
    last: tuple[Mapping[str, pl.DataFrame], dict[str, dict[str, Any]]] = {}, {}

    def ask(analysis: Callable[..., Any], tables: Mapping[str, pl.DataFrame], kind: str) -> pl.DataFrame:
        nonlocal last
        if last[0] is not tables:
            last = tables, {}
        if kind not in last[1]:
            last[1][kind] = {name: AS[kind](frame) for name, frame in tables.items()}
        return as_polars(analysis(last[1][kind]), kind)

    return ask


@pytest.fixture(scope="session")
def small_demo() -> dict[str, pl.DataFrame]:
    """The provisioning tables of the demo."""
    names = ("users", "accounts", "terms", "courses", "sections", "enrollments", "xlist")
    with crn.demo(duration=0) as canvas:
        return canvas.read_tables(
            "provisioning_csv",
            **dict.fromkeys(names, True),
            include_deleted=True,
            engine="polars",
            progress=False,
        )
