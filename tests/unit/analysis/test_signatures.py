"""The analyses have the arguments and defaults of their definitions."""

import inspect
from typing import Any

import polars as pl
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb import access, activity, grades, provisioning, sis

BANDS = {"A": 90, "B": 80, "C": 70, "D": 60}
MUST = inspect.Parameter.empty
# Positional arguments, then those by keyword; later ones may follow.
SIGNATURES: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = {
    provisioning.places: ({"tables": MUST, "levels": ("college", "department")}, {}),
    provisioning.contacts: (
        {"tables": MUST, "per": "course", "roles": ("teacher",), "states": ("active",)},
        {},
    ),
    grades.letters: (
        {"grades": MUST},
        {"census": None, "withdrawn": ("inactive",), "scheme": None, "bands": BANDS},
    ),
    grades.rates: ({"letters": MUST, "by": "course"}, {}),
    provisioning.census: (
        {"tables": MUST, "by": "term"},
        {"states": ("active",), "credits": None, "full_load": 15.0},
    ),
    provisioning.section_sizes: (
        {"tables": MUST, "by": None},
        {"crosslists": "merge", "bands": (2, 10, 20, 30, 40, 50, 100)},
    ),
    sis.reconcile: (
        {"tables": MUST, "extract": MUST},
        {"status": None, "enrolled": ("E",), "role": "student"},
    ),
    sis.Reconciliation.to_sis_csv: ({"self": MUST, "drop": "deleted", "add": False, "limit": 0.05}, {}),
    grades.missing_grades: ({"grades": MUST, "tables": None}, {"per": "section", "submitted": None}),
    activity.alerts: (
        {"tables": MUST},
        {"grades": None, "silent": None, "no_submissions": None, "below": 70, "courses": 2, "quiet": 0.5},
    ),
    provisioning.readiness: (
        {"tables": MUST},
        {"today": MUST, "access": None, "unused": None, "seen_since": None, "within": 14},
    ),
    access.tokens: (
        {"report": MUST},
        {
            "now": MUST,
            "admins": None,
            "users": None,
            "idle": 180,
            "old": 365,
            "soon": 30,
            "kinds": ("User-Generated",),
        },
    ),
    access.admins: ({"tables": MUST, "access": MUST}, {"internal": ("@school.edu",)}),
    grades.gaps: (
        {"letters": MUST, "groups": MUST},
        {
            "on": MUST,
            "group": MUST,
            "by": None,
            "measure": "success",
            "reference": "others",
            "min_moe": 0.03,
            "minimum": 10,
        },
    ),
    crn.publish: ({"frame": MUST, "minimum": 10, "cap": 0.95}, {}),
}


@pytest.mark.parametrize("analysis", SIGNATURES, ids=lambda one: one.__qualname__)
def test_arguments_and_defaults(analysis: Any) -> None:
    positional, keywords = SIGNATURES[analysis]
    found = inspect.signature(analysis).parameters
    kinds = {name: one.kind for name, one in found.items()}
    assert list(found)[: len(positional)] == list(positional)
    assert all(kinds[name] != inspect.Parameter.KEYWORD_ONLY for name in positional)
    wanted = positional | keywords
    assert {name: found[name].default for name in wanted} == wanted


def test_scores_under_both_names() -> None:
    export = pl.DataFrame(
        {
            "student id": [1, 2],
            "course id": [7, 7],
            "section id": [1, 1],
            "enrollment state": "active",
            "final score": [95.0, 95.0],
            "final grade": ["A", "A"],
            "current score": [95.0, 95.0],
            "override grade": [None, "C"],
        }
    )
    for score in ("in force", "effective"):
        assert grades.letters(export, score=score)["letter class"].to_list() == ["A", "C"]
    assert grades.letters(export, score="final")["letter class"].to_list() == ["A", "A"]
    assert "effective letter" in grades.letters(export.to_pandas(), score="in force").attrs["definition"]
