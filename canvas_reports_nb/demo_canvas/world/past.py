"""The university some weeks earlier, for runs of past days."""

from dataclasses import replace
from datetime import datetime
from math import sqrt

import polars as pl

from . import World
from .catalog import DAY

WEEK = 7 * DAY
_LATE_ADDS = 0.12
"""Share of students who joined a running course after it began."""
_POINTS = 2.5
"""How far the scores of a course move in one week, up or down; in four weeks, twice as far."""


def world_at(world: World, then: datetime) -> World:
    """Return the university at an earlier instant of its current term.

    People who have joined since are not there yet, people who have left still are, and scores were different.
    """
    return replace(world, now=then, enrollments=_enrolled(world, then), courses=_scored(world, then))


def _enrolled(world: World, then: datetime) -> pl.DataFrame:
    rows, draws = world.enrollments, world.draws
    ids = rows["id"].to_numpy()
    begun = rows.select("course_id").join(
        world.courses.filter(pl.col("status") != "deleted", term_id=world.current_term).select(
            "start_at", course_id="id"
        ),
        on="course_id",
        how="left",
        maintain_order="left",
    )["start_at"]
    late = pl.Series(draws.chance("late add", ids, _LATE_ADDS)) & (
        rows["type"].cast(pl.String) == "StudentEnrollment"
    )
    # Most of them come in the first weeks, a few much later.
    joined = begun + pl.Series(draws.small("joined", ids) * 70 * DAY * 1e6).cast(pl.Duration("us"))
    left = rows["state"].cast(pl.String).is_in(["inactive", "deleted"]) & (rows["updated_at"] > then)
    left &= begun.is_not_null()
    return rows.with_columns(
        state=pl.when(left).then(pl.lit("active", rows.schema["state"])).otherwise("state"),
        last_activity_at=pl.min_horizontal("last_activity_at", pl.lit(then, rows.schema["last_activity_at"])),
    ).filter(~(late & (joined > then)).fill_null(value=False))


def _scored(world: World, then: datetime) -> pl.DataFrame:
    courses = world.courses
    weeks = (world.now - then).total_seconds() / WEEK
    moved = pl.Series(_POINTS * sqrt(weeks) * world.draws.normal("week of scores", courses["id"].to_numpy()))
    return courses.with_columns(
        mean=pl.when(term_id=world.current_term).then(pl.col("mean") + moved).otherwise("mean")
    )
