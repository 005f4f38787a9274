"""Small worlds made of the rows a rule needs, and the reports computed from them."""

import csv
import io
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from canvas_reports_nb.demo_canvas.reports import Product, produce
from canvas_reports_nb.demo_canvas.world import NOW, World, build_world

ACCOUNTS = [
    {"id": 1, "name": "Root", "status": "active"},
    {
        "id": 7,
        "sis_id": "ENG",
        "integration_id": "int-eng",
        "parent_id": 1,
        "name": "Eng",
        "status": "active",
    },
    {"id": 11, "sis_id": "CIV", "parent_id": 7, "name": "Civil", "status": "active"},
    {"id": 18, "sis_id": "AGR", "parent_id": 7, "name": "Gone", "status": "deleted"},
    {"id": 9, "parent_id": 1, "name": "Other", "status": "active"},
]
TERMS = [
    {"id": 1, "name": "Default Term", "status": "active"},
    {"id": 12, "sis_id": "FA25", "name": "Fall 2025", "status": "active",
     "start_at": NOW - timedelta(days=180), "end_at": NOW - timedelta(days=70)},
    {"id": 13, "sis_id": "SP26", "name": "Spring 2026", "status": "active",
     "start_at": NOW - timedelta(days=50), "end_at": NOW + timedelta(days=60)},
    {"id": 99, "sis_id": "OLD", "name": "Removed", "status": "deleted"},
]  # fmt: skip
ROLES = {"StudentEnrollment": 3, "TeacherEnrollment": 4, "TaEnrollment": 5, "DesignerEnrollment": 6,
         "ObserverEnrollment": 7, "StudentViewEnrollment": 8}  # fmt: skip


def course(number: int, **other: Any) -> dict[str, Any]:
    plain = {"account_id": 1, "term_id": 13, "status": "available", "restricted": False, "public": False,
             "unused": False, "graded_by_letter": True, "mean": 80.0, "spread": 0.0, "storage_mb": 0.0,
             "files_mb": 0.0, "created_at": NOW - timedelta(days=300), "updated_at": NOW - timedelta(days=290),
             "created_by_sis": False}  # fmt: skip
    return {"id": number, "name": f"Course {number}", **plain, **other}


def section(number: int, **other: Any) -> dict[str, Any]:
    plain = {"course_id": 501, "status": "active", "restricted": False, "created_by_sis": False}
    return {"id": number, "name": f"Section {number}", **plain, **other}


def user(number: int, **other: Any) -> dict[str, Any]:
    return {"id": number, "name": f"Person {number}", "sortable": f"{number}, Person", "test": False, **other}


def login(user_id: int, **other: Any) -> dict[str, Any]:
    plain = {"login": f"u{user_id}", "status": "active", "created_by_sis": False}
    return {"user_id": user_id, **plain, **other}


def enrollment(user_id: int, **other: Any) -> dict[str, Any]:
    kind = other.get("type", "StudentEnrollment")
    plain = {"course_id": 501, "section_id": 601, "type": kind, "role_id": ROLES[kind], "state": "active",
             "created_by_sis": False, "updated_at": NOW - timedelta(days=20)}  # fmt: skip
    return {"user_id": user_id, **plain, **other}


@pytest.fixture(scope="session")
def seeded() -> World:
    return build_world(enrollments=50)


@pytest.fixture
def school(seeded: World) -> Callable[..., World]:
    """Return a function that makes a world of the rows given per frame; frames not named are empty."""

    def make(**tables: list[dict[str, Any]]) -> World:
        frames = {}
        for field in fields(World):
            model = getattr(seeded, field.name)
            if not isinstance(model, pl.DataFrame):
                continue
            rows = tables.get(field.name, {"accounts": ACCOUNTS, "terms": TERMS}.get(field.name, []))
            numbered = [
                {"id": 1_000 + n, **row} if "id" in model.columns else row for n, row in enumerate(rows)
            ]
            whole = [{name: row.get(name) for name in model.columns} for row in numbered]
            frames[field.name] = pl.DataFrame(whole, schema=model.schema)
        settings = tables.get("settings", seeded.settings)
        return replace(seeded, now=NOW, current_term=13, settings=settings, **frames)

    return make


def lines(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Product]:
    def run(world: World, report: str, account: int = 1, **parameters: object) -> Product:
        return produce(world, report, parameters, account, tmp_path)

    return run


@pytest.fixture
def rows(run: Callable[..., Product]) -> Callable[..., list[dict[str, str]]]:
    """Return a function that computes a report with one file and returns its rows."""

    def rows(world: World, report: str, account: int = 1, **parameters: object) -> list[dict[str, str]]:
        (path,) = run(world, report, account, **parameters).files
        header, *found = lines(path)
        return [dict(zip(header, line, strict=False)) for line in found]

    return rows
