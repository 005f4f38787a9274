"""Frames for the tests of charts, and what their axes show."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl

from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.runs.listings import history_frame

KINDS = ["pandas", "polars", "lazy", "arrow"]

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


def kind(frame: pd.DataFrame, name: str):
    made = pl.from_pandas(frame)
    return {"pandas": frame, "polars": made, "lazy": made.lazy(), "arrow": made.to_arrow()}[name]


def source(ax) -> str:
    """Return the line below the title that names school, account, report, term and run."""
    return ax.get_title(loc="right")


def footer(ax) -> str:
    return ax.get_figure(root=True).get_supxlabel().replace("\n", " ")


def widths(ax) -> list[float]:
    return [patch.get_width() for patch in ax.patches]


def heights(ax) -> list[float]:
    return [patch.get_height() for patch in ax.patches]


def ticks(axis) -> list[str]:
    return [tick.get_text() for tick in axis.get_ticklabels()]


STORAGE = pd.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "short name": ["ART $5 & $6", "BIO\n101", "CIV", None],
        "storage used in MB": [10.0, 70.0, None, 20.0],
    }
).astype({"id": "Int64", "storage used in MB": "Float64"})

ENROLLMENTS = pd.DataFrame(
    {
        # One student in two sections of course 1; one deleted; one teacher.
        "canvas_course_id": [1, 1, 1, 2, 2, 3],
        "canvas_user_id": [7, 7, 8, 7, 9, 8],
        "base_role_type": ["StudentEnrollment"] * 4 + ["TeacherEnrollment", "StudentEnrollment"],
        "role": ["student", "student", "student", "Auditor", "teacher", "student"],
        "status": ["active", "active", "active", "active", "active", "deleted"],
    }
)

COURSES = pd.DataFrame({"canvas_course_id": [1, 2, 3], "canvas_term_id": [12, 11, 12]})

TERMS = pd.DataFrame(
    {
        "canvas_term_id": [12, 11],
        "name": ["Fall 2025", "Spring 2025"],
        "start_date": [MONDAY, MONDAY - timedelta(days=200)],
    }
)

TABLES = {"enrollments": ENROLLMENTS, "courses": COURSES, "terms": TERMS}

ACCESS = pd.DataFrame(
    {
        "user id": range(1, 6),
        "last access at": [MONDAY, MONDAY - timedelta(days=1), MONDAY, None, MONDAY - timedelta(days=90)],
    }
)

GRADES = pd.DataFrame(
    {
        # The first student is in two sections of the course and counts once.
        "student id": [1, 1, 2, 3, 4, 5],
        "course id": 501,
        "course": "Welding",
        "section id": [1, 2, 1, 1, 1, 1],
        "enrollment state": ["active", "active", "active", "active", "deleted", "active"],
        "term": "Fall 2025",
        "current score": [95.0, 95.0, 60.0, 100.0, 80.0, None],
        "final score": [95.0, 95.0, 60.0, 100.0, 80.0, None],
    }
)


def history(seconds: list[int]) -> pd.DataFrame:
    began = [MONDAY + timedelta(hours=at) for at in range(len(seconds))]
    return pd.DataFrame(
        {
            "run_id": range(len(seconds)),
            "status": "complete",
            "created_at": [moment - timedelta(seconds=30) for moment in began],
            "started_at": began,
            "ended_at": [
                moment + timedelta(seconds=took) for moment, took in zip(began, seconds, strict=True)
            ],
            "parameters": [{"enrollment_term_id": "12"} for _ in seconds],
        }
    ).astype(dict.fromkeys(("created_at", "started_at", "ended_at"), "datetime64[us, UTC]"))


def export(scores: list[float | None], **columns) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "student id": range(len(scores)),
            "course id": 501,
            "course": "Welding",
            "section id": 1,
            "enrollment state": "active",
            "term": "Fall 2025",
            "current score": scores,
            "final score": scores,
            **columns,
        }
    )


def runs(count: int) -> pd.DataFrame:
    return history_frame(
        "grade_export_csv",
        [
            ReportRun(
                id=at,
                report="grade_export_csv",
                status="complete",
                parameters={"enrollment_term_id": "12"},
                created_at=MONDAY + timedelta(hours=at),
                started_at=MONDAY + timedelta(hours=at, seconds=30),
                ended_at=MONDAY + timedelta(hours=at, seconds=70 + at),
            )
            for at in range(count)
        ],
        "7",
    )


def provisioned(terms: int) -> dict[str, pd.DataFrame]:
    numbers = range(1, terms + 1)
    return {
        "enrollments": pd.DataFrame(
            {
                "canvas_enrollment_id": numbers,
                "canvas_course_id": numbers,
                "canvas_user_id": 1,
                "base_role_type": "StudentEnrollment",
                "role": "student",
                "status": "active",
            }
        ),
        "courses": pd.DataFrame({"canvas_course_id": numbers, "canvas_term_id": numbers}),
        "terms": pd.DataFrame(
            {
                "canvas_term_id": numbers,
                "name": [f"Semester of the year {2000 + n}" for n in numbers],
                "start_date": [MONDAY + timedelta(days=n) for n in numbers],
            }
        ),
    }


GOOD = export([90.0, 60.0])

SEEN = pd.DataFrame({"user id": [1], "last access at": [MONDAY]})

TEXT_STORAGE = pd.DataFrame({"id": [1], "short name": ["ART"], "storage used in MB": ["9 or so"]})

TEXT_IDS = {**provisioned(2), "courses": provisioned(2)["courses"].astype({"canvas_course_id": str})}
