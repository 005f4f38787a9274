"""Scores, submissions, and assessments aligned with outcomes.

Scores and submissions are functions of person and course, computed for the rows of a report: even a world of
twenty million enrollments need not store them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .catalog import DAY, moments, waking
from .draws import Draws
from .enrollments import pair_key

_KNOWN_STUDENT, _KNOWN_COURSE = 2573, 501  # their scores are equal in every world
_SCHEME = ((94, "A"), (90, "A-"), (87, "B+"), (84, "B"), (80, "B-"), (77, "C+"), (74, "C"), (70, "C-"), (67, "D+"),
           (64, "D"), (61, "D-"))  # fmt: skip
_ASSESSED = (
    ("Essay, second draft", "assignment", None),
    ("Quiz 1", "quiz", "Question 1"),
    ("Quiz 1", "quiz", "Question 2"),
)


def letter(score: pl.Expr) -> pl.Expr:
    """Return the letter of a score in the only grading scheme of the school; null stays null."""
    grade = pl.lit("F")
    for least, name in reversed(_SCHEME):
        grade = pl.when(score >= least).then(pl.lit(name)).otherwise(grade)
    return pl.when(score.is_not_null()).then(grade)


def marks(draws: Draws, rows: pl.DataFrame, period: int = 0) -> pl.DataFrame:
    """Return the rows with their scores, in per cent with two decimals.

    Parameters
    ----------
    rows
        With `user_id`, `course_id`, `last_activity_at`, and of the course `mean`, `spread` and `done`, the part
        of its work that is marked (the rest counts as zero in a final score only).
    period
        0 for the whole course, else a grading period: the same people, another day.
    """
    user, course = rows["user_id"].to_numpy(), rows["course_id"].to_numpy()
    key = pair_key(user, course)
    day = draws.normal(f"day {period}", key)
    talent = 0.75 * draws.normal("talent", user) + 0.35 * draws.normal("interest", key) + 0.5 * day
    current = np.clip(rows["mean"].to_numpy() + rows["spread"].to_numpy() * talent, 3.0, 104.0)
    kept = np.where(
        draws.chance("gave up", key, 0.032),
        0.8 * draws.uniform("how early", key),
        1.0 - 0.03 * draws.uniform("slips", key),
    )
    final = current * kept * rows["done"].to_numpy()
    known = (user == _KNOWN_STUDENT) & (course == _KNOWN_COURSE)
    current, final = np.where(known, 97.25, current), np.where(known, 88.0, final)
    hides = draws.chance("hidden marks", course, 0.15)
    hidden = np.where(hides & ~known, 2.5 * draws.normal("hidden mark", key), 0.0)
    overridden = draws.chance("override", key, 0.006) & ~known
    graded, came = pl.col("done") > 0, pl.col("last_activity_at").is_not_null()

    def column(values: NDArray[np.float64], absent: float | None = None) -> pl.Expr:
        shown = pl.Series(np.round(np.maximum(values, 0.0), 2))
        return pl.when(graded & came).then(shown).when(graded).then(pl.lit(absent, dtype=pl.Float64))

    return rows.with_columns(
        current_score=column(current),
        final_score=column(final, 0.0),
        unposted_current_score=column(current + hidden),
        unposted_final_score=column(final + hidden, 0.0),
        override_score=pl.when(pl.Series(overridden)).then(column(np.round(final + 4.0))),
    )


def submitted_between(draws: Draws, rows: pl.DataFrame, start: datetime, end: datetime) -> NDArray[np.bool_]:
    """Return for each row whether its person submitted anything strictly within the window.

    People submit at a steady pace of their own from the start of a course to their last activity in it.
    """
    key = pair_key(rows["user_id"].to_numpy(), rows["course_id"].to_numpy())
    pace = 2 * DAY + (draws.small("pace", key) * 30 * DAY).astype(np.int64)
    phase = draws.below("first hand-in", key, pace)
    first = rows["begins_at"].dt.epoch("s").to_numpy() + phase
    last = rows["last_activity_at"].dt.epoch("s").fill_null(0).to_numpy()
    opening, closing = int(start.timestamp()) + 1, int(np.ceil(end.timestamp())) - 1
    turns = np.maximum(0, -(-(opening - first) // pace))
    return np.asarray(first + turns * pace <= np.minimum(last, closing))


def assessments(draws: Draws, courses: pl.DataFrame, outcomes: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return an essay and two questions of a quiz per aligned course that ran, one row each."""
    ran = courses.filter(pl.col("aligned") & pl.col("status").is_in(["available", "completed"]))
    ids = ran["id"].to_numpy()
    today = int(now.timestamp())
    begun = ran["start_at"].dt.epoch("s").fill_null(today - 60 * DAY).to_numpy()
    parts = []
    for part, (title, kind, question) in enumerate(_ASSESSED):
        assignment = min(part, 1)
        due = begun + (25 + 10 * assignment) * DAY
        picked = draws.below(f"aligned outcome {part}", ids, outcomes.height)
        frame = pl.DataFrame(
            {
                "course_id": ids,
                "assignment_id": ids * 10 + assignment,
                "due_at": moments(due),
                "outcome_id": outcomes["id"].gather(picked),
            }
        ).with_columns(
            assignment_title=pl.lit(title),
            kind=pl.lit(kind),
            question=pl.lit(question, dtype=pl.String),
            question_id=pl.when(pl.lit(kind == "quiz")).then(pl.col("course_id") * 100 + part),
        )
        parts.append(frame.filter(pl.Series(due < today)))
    return pl.concat(parts).sort("course_id", "assignment_id", "question_id")


def best_first(ratings: Iterable[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    """Return the ratings of an outcome as Canvas stores them."""
    return sorted(ratings or (), key=lambda rating: rating["points"], reverse=True)


def _rating(outcomes: pl.DataFrame, score: pl.Expr) -> pl.Expr:
    """Return the highest rating whose points a score reaches, by `outcome_id`."""
    found: pl.Expr = pl.lit(None, dtype=outcomes["ratings"].dtype.inner)  # type: ignore[attr-defined]  # a list's type
    for outcome in outcomes.iter_rows(named=True):
        for rating in reversed(best_first(outcome["ratings"])):
            reached = (pl.col("outcome_id") == outcome["id"]) & (score >= rating["points"])
            literal = pl.struct(pl.lit(value).alias(name) for name, value in rating.items())
            found = pl.when(reached).then(literal).otherwise(found)
    return found


def outcome_marks(draws: Draws, rows: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """Return rows of person x assessment with submission, score, rating and mastery; null if not submitted."""
    user = rows["user_id"].to_numpy()
    key = pair_key(user, rows["assignment_id"].fill_null(0).to_numpy())
    fine = key + rows["question_id"].fill_null(0).to_numpy().astype(np.uint64)
    talent = 0.6 * draws.normal("talent", user) + 0.6 * draws.normal("outcome day", fine)
    share = np.clip(0.78 + 0.18 * talent, 0.0, 1.0)
    early = draws.below("hand-in hour", key, 40 * 3_600)
    due = rows.select(pl.coalesce("due_at", "last_activity_at").dt.epoch("s").fill_null(0)).to_series()
    submitted = moments(waking(draws, key, due.to_numpy() - early))
    came = pl.col("last_activity_at").is_not_null() & pl.Series(draws.chance("handed in", key, 0.9))
    most = pl.col("ratings").list.eval(pl.element().struct.field("points")).list.max()
    score = pl.col("outcome_score")
    return rows.with_columns(
        points_possible=pl.when(came).then(most),
        submitted_at=pl.when(came).then(submitted),
        submission_score=pl.when(came).then(pl.Series(np.round(share * 100.0, 1))),
        attempt=pl.when(came).then(pl.Series(1 + draws.below("attempt", key, 2))),
        outcome_score=pl.when(came).then((pl.Series(share) * most * 2.0).round(0) / 2.0),
    ).with_columns(
        mastered=pl.when(score.is_not_null()).then((score >= pl.col("mastery")).cast(pl.Int64)),
        rating=_rating(outcomes, score),
    )
