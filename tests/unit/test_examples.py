"""Every public function has an example in its help, and every example in the package runs."""

import doctest
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn

ROOMS = ("access", "activity", "charts", "grades", "provisioning", "sis")
# Made by the calls that have the examples, and only looked at.
CALLED_BY_THE_PACKAGE = {"ReportRun", "AvailableReport", "ProgressEvent", "RunStatus"}


def functions(owner: Any) -> Iterator[str]:
    for name in dir(owner):
        found = getattr(owner, name, None)
        if name[0] != "_" and callable(found) and not inspect.isclass(found):
            yield name


OWNERS = {
    "crn": crn,
    **{f"crn.{name}": getattr(crn, name) for name in ROOMS},
    "crn.demo_canvas": importlib.import_module("canvas_reports_nb.demo_canvas"),
    "canvas": crn.Connection,
    "pd.DataFrame.canvas": pd.DataFrame.canvas,
    "pl.DataFrame.canvas": pl.DataFrame.canvas,
    "pl.LazyFrame.canvas": pl.LazyFrame.canvas,
    "frame.canvas.plot": pd.DataFrame().canvas.plot,
}
INTERNAL = {"api", "begin", "obtain", "obtain_reports", "offered", "waiter"}
PUBLIC = [
    (f"{label}.{name}", getattr(owner, name))
    for label, owner in OWNERS.items()
    for name in functions(owner)
    if not (owner is crn.Connection and name in INTERNAL)
]
PUBLIC += [("job", crn.ReportJob), ("result", crn.ReportResult)]
PUBLIC += [(f"canvas.store.{name}", getattr(crn.Store, name)) for name in ("info", "clear")]


def found_examples() -> list[Any]:
    """Return the docstrings of the package with examples; of equal ones, as of a method and its function, one."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found: dict[tuple[str, ...], doctest.DocTest] = {}
    for info in pkgutil.walk_packages(crn.__path__, "canvas_reports_nb."):
        if "__main__" not in info.name:
            for test in finder.find(importlib.import_module(info.name)):
                if test.examples:
                    found.setdefault(tuple(example.source for example in test.examples), test)
    return [pytest.param(test, id=test.name.removeprefix("canvas_reports_nb.")) for test in found.values()]


def run(test: doctest.DocTest) -> None:
    said: list[str] = []
    result = doctest.DocTestRunner().run(test, out=said.append, clear_globs=False)
    assert result.failed == 0, "".join(said)


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, Any]]:
    """Return the names that all examples begin with, on one demo: what the docstring of the package makes."""
    mpl.use("Agg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANVAS_REPORTS_PROGRESS", "off")
        # Runs end at once, so nothing needs to wait for them.
        patch.setattr(crn, "demo", functools.partial(crn.demo, duration=0, sleep=lambda _: None))
        first = doctest.DocTestParser().get_doctest(crn.__doc__ or "", {}, "canvas_reports_nb", None, None)
        run(first)
        yield dict(first.globs)
        first.globs["canvas"].close()


@pytest.mark.parametrize("test", found_examples())
def test_example(test: doctest.DocTest, names: dict[str, Any]) -> None:
    test.globs = {**test.globs, **names}
    run(test)
    plt.close("all")


@pytest.mark.parametrize(("name", "public"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_every_public_function_has_an_example(name: str, public: Any) -> None:
    assert ">>> " in (inspect.getdoc(public) or ""), name


def test_the_sweep_is_complete() -> None:
    labels = {name for name, _ in PUBLIC}
    expected = {f"crn.{name}" for name in crn.__all__ if inspect.isroutine(getattr(crn, name))}
    assert expected <= labels
    assert {"frame.canvas.plot.dfw_by_course", "pl.LazyFrame.canvas.scan_report", "canvas.terms"} <= labels
    assert len(labels) > 90
