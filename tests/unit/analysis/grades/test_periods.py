"""Grading periods in long form."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa

import canvas_reports_nb as crn
from tests.unit.analysis.grades.exports import ONCE, SHOWN


def periods_sql(oracle: Any, table: pa.Table, periods: list[tuple[str, str]]) -> tuple[list[str], list[Any]]:
    """Return the long form in SQL; ``periods`` are titles and suffixes of columns."""
    measures = [f"{name} {kind}" for kind in ("score", "grade") for name in SHOWN]
    dynamic = {
        f"{title} {name}{again}" for title, again in periods for name in ("grading period id", *measures)
    }
    shared = ", ".join(f'"{name}"' for name in table.column_names if name not in {*dynamic, *measures})
    parts = [
        f"""SELECT {shared}, sections, {number} AS period, '{title}' AS "grading period",
            "{title} grading period id{again}" AS "grading period id",
            {", ".join(f'"{title} {name}{again}" AS "{name}"' for name in measures)} FROM ({ONCE})"""
        for number, (title, again) in enumerate(periods, 1)
    ]
    return oracle.sql(f"{' UNION ALL '.join(parts)} ORDER BY period, pos", export=table)


def test_grading_periods_are_stacked(oracle: Any, larger: Callable[..., dict[str, pa.Table]]) -> None:
    tables = larger("mgp_grade_export_csv")
    asked = {"Fall 2025": None, "Spring 2026": [("Half-term", ""), ("Half-term", ".1")]}
    for term, periods in asked.items():
        table = tables[term]
        ids = [name for name in table.column_names if " grading period id" in name]
        titles = periods or [(name.removesuffix(" grading period id"), "") for name in ids]
        assert len(titles) == len(ids) > 1
        wanted = periods_sql(oracle, table, titles)
        for kind in oracle.kinds:
            oracle.check(crn.grades.grading_periods(oracle.as_kind(table, kind)), wanted)


def test_a_period_without_overrides_has_them_missing() -> None:
    columns = {"student id": [7], "course id": [1], "section id": [11], "enrollment state": ["active"]}
    wide = pl.DataFrame({**columns, "Half\none grading period id": [131], "Half\none final score": [71.5]})
    long = crn.grades.grading_periods(wide).row(0, named=True)
    assert (long["grading period"], long["grading period id"], long["final score"]) == (
        "Half\none",
        131,
        71.5,
    )
    assert long["override score"] is None
    assert long["current grade"] is None
