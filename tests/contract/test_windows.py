"""A period longer than Canvas looks at, read in several runs."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from canvas_reports_nb import exceptions as ex

REPORT = "students_with_no_submissions_csv"
PERIOD: dict[str, Any] = {"start_at": "2026-01-20", "end_at": "2026-02-20"}
QUIET: dict[str, Any] = {"progress": False}


def rows(frame: pd.DataFrame) -> Counter[tuple[str, ...]]:
    """Count the rows of a frame by their cells."""
    return Counter(frame.astype("str").itertuples(index=False, name=None))


def test_a_long_period_starts_nothing(canvas: Callable[..., Any]) -> None:
    connection = canvas()
    reads: list[Callable[[], Any]] = [
        lambda: connection.read_report(REPORT, **PERIOD, **QUIET),
        lambda: connection.start(REPORT, **PERIOD),
        lambda: connection.read_reports([{"report": REPORT, **PERIOD}], **QUIET),
    ]
    for read in reads:
        with pytest.raises(ex.InvalidChoiceError, match="2026-02-06 to 2026-02-20"):
            read()
    assert connection.starts() == 0


def test_windows_keep_the_students_without_submissions_in_the_whole_period(
    canvas: Callable[..., Any],
) -> None:
    connection = canvas()
    found = connection.read_report(REPORT, windows=True, **PERIOD, **QUIET)
    made = found.attrs["canvas_report"]
    assert connection.starts() == len(made["runs"]) == 3
    each = [rows(connection.read_report(REPORT, run_id=run["run_id"], **QUIET)) for run in made["runs"]]
    assert rows(found) == each[0] & each[1] & each[2]
    assert 0 < len(found) < min(map(Counter.total, each))
    assert made["rows"] == len(found)
    assert found["user id"].dtype == "Int64"
    # Every engine, and the same runs again.
    polars = connection.read_report(REPORT, windows=True, engine="polars", **PERIOD, **QUIET)
    arrow = connection.read_report(REPORT, windows=True, engine="arrow", offline=True, **PERIOD)
    assert isinstance(polars, pl.DataFrame)
    assert isinstance(arrow, pa.Table)
    assert polars.equals(pl.from_arrow(arrow))
    assert polars["user id"].to_list() == found["user id"].tolist()
    one = connection.read_report(REPORT, windows=True, columns=["user id"], **PERIOD, **QUIET)
    assert one.columns.tolist() == ["user id"]
    assert connection.starts() == 3


def test_windows_of_a_short_period_are_one_run(canvas: Callable[..., Any]) -> None:
    connection = canvas()
    found = connection.read_report(REPORT, windows=True, start_at="2026-02-06", end_at="2026-02-20", **QUIET)
    assert found.attrs["canvas_report"]["run_id"]
    assert connection.starts() == 1
    longer: dict[str, Any] = {"windows": True, "start_at": "2026-02-04", "end_at": "2026-02-20"}
    two = connection.read_report(REPORT, **longer, **QUIET)
    assert len(two.attrs["canvas_report"]["runs"]) == connection.starts() - 1 == 2
    assert connection.read_report(REPORT, offline=True, **longer).equals(two)
    with pytest.raises(ex.NotStoredError):
        connection.read_report(REPORT, offline=True, max_age=0, **longer)
    assert connection.starts() == 3
    with pytest.raises(ex.ParameterError, match="no other report"):
        connection.read_report("grade_export_csv", windows=True)
