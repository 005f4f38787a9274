"""Arguments of a wrong kind give an error of ours, whatever the argument is."""

import inspect
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

mpl.use("Agg")

import canvas_reports_nb as crn
from canvas_reports_nb import charts
from canvas_reports_nb.exceptions import CanvasReportsError
from tests.unit.analysis.charts.samples import ACCESS, ENROLLMENTS, GOOD, STORAGE, TABLES, runs

COUNTS = pd.DataFrame({"course": ["A", "B", "C"], "n": [3, 19, 40], "success": [0.6, 0.7, 0.8]})
PERSON = pd.DataFrame({"login": ["ada"], "advisor": ["Bo"]})
HIDDEN = {"login": "login", "advisor": "name"}
CALLS: dict[Any, dict[str, Any]] = {
    crn.to_excel: {"frame_or_tables": COUNTS, "path": "kinds.xlsx", "overwrite": True},
    crn.workbooks: {"frame": COUNTS.head(1), "by": "course", "folder": ".", "overwrite": True},
    crn.publish: {"frame": COUNTS},
    crn.pseudonymize: {"frame": PERSON, "key": "a long secret phrase", "identities": HIDDEN},
    charts.alt_text: {"ax": None},
    charts.save: {"ax": None, "path": "kinds.svg"},
    charts.dfw_by_course: {"grades": GOOD},
    charts.enrollments_over_terms: {"tables": TABLES},
    charts.grade_distribution: {"grades": GOOD},
    charts.last_access_calendar: {"access": ACCESS},
    charts.rates_over_terms: {"grades": GOOD},
    charts.role_by_state: {"enrollments": ENROLLMENTS},
    charts.run_durations: {"history": runs(2)},
    charts.storage_pareto: {"storage": STORAGE},
}
WRONG = (object(), 9.5, b"x", [1], {1: 2}, pd.DataFrame({"a": [1]}), "no/such: \0")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("function", "name"),
    [(function, name) for function in CALLS for name in inspect.signature(function).parameters],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_wrong_kind_is_an_error_of_ours(function, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = dict(CALLS[function])
    if good.get("ax", 0) is None:
        good["ax"] = plt.figure().subplots()
    errors = []
    for wrong in WRONG:
        try:
            function(**{**good, name: wrong})
        except CanvasReportsError as error:
            errors.append(error)
    assert errors
    assert all(len(str(error)) < 2_000 for error in errors)


@pytest.mark.parametrize("note", [None, (), "one", ["one", "two"]])
def test_notes_are_optional(note, tmp_path):
    assert crn.to_excel(COUNTS, tmp_path / "notes.xlsx", note=note).exists()
