"""The public names, and what importing the package must not load."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn

ON_USE_ONLY = (
    "IPython",
    "ipywidgets",
    "matplotlib",
    "dask",
    "fsspec",
    "requests_cache",
    "starlette",
    "uvicorn",
    "keyring",
    "jupyterlab",
    "canvas_reports_nb.analysis.access",
    "canvas_reports_nb.analysis.activity",
    "canvas_reports_nb.analysis.excel",
    "canvas_reports_nb.analysis.grades",
    "canvas_reports_nb.cli",
    "canvas_reports_nb.demo_canvas",
    "canvas_reports_nb.doctor",
    "canvas_reports_nb.frames.engines",
    "canvas_reports_nb.frames.parquet",
    "canvas_reports_nb.frames.reading",
    "canvas_reports_nb.frames.stacking",
    "canvas_reports_nb.notebook.form",
)


def test_all_is_sorted_and_complete() -> None:
    assert crn.__all__ == sorted(crn.__all__)
    assert len(set(crn.__all__)) == len(crn.__all__)
    for name in crn.__all__:
        assert getattr(crn, name) is not None


@pytest.mark.parametrize("name", ["access", "activity", "charts", "grades", "provisioning", "sis"])
def test_dir_of_an_analysis_shows_its_public_names_only(name: str) -> None:
    module = getattr(crn, name)
    assert dir(module) == module.__all__ == sorted(module.__all__)


def test_tab_shows_the_public_names_and_nothing_else() -> None:
    assert dir(crn) == crn.__all__
    assert {"grades", "provisioning", "activity", "charts", "read_report"} <= set(dir(crn))


def test_no_function_shares_its_name_with_a_module() -> None:
    modules = {info.name for info in pkgutil.iter_modules(crn.__path__)}
    functions = {name for name in crn.__all__ if callable(getattr(crn, name))}
    assert functions & modules == set()


@pytest.mark.parametrize("name", [name for name in crn.__all__ if callable(getattr(crn, name))])
def test_every_public_name_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(crn, name))


@pytest.mark.parametrize(
    "module",
    [
        info.name
        for info in pkgutil.walk_packages(crn.__path__, "canvas_reports_nb.")
        if "__main__" not in info.name
    ],
)
def test_every_module_defines_the_names_it_lists(module: str) -> None:
    found = importlib.import_module(module)
    assert found.__doc__
    for name in getattr(found, "__all__", ()):
        assert hasattr(found, name), f"{module}.__all__ names {name}, which is not there"


def in_a_fresh_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_importing_loads_nothing_that_is_needed_later_only() -> None:
    shown = in_a_fresh_python(
        f"import sys, canvas_reports_nb; print([name for name in {ON_USE_ONLY!r} if name in sys.modules])"
    )
    assert shown.strip() == "[]"


def test_importing_loads_no_package_but_pandas_polars_and_requests() -> None:
    shown = in_a_fresh_python(
        "import sys, pandas, polars, requests\n"
        "before = {name.partition('.')[0] for name in sys.modules}\n"
        "import canvas_reports_nb\n"
        "new = {name.partition('.')[0] for name in sys.modules} - before - sys.stdlib_module_names\n"
        "print(new - {'canvas_reports_nb'})"
    )
    assert shown.strip() == "set()"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_help_of_the_command_waits_for_no_data_library(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "canvas_reports_nb", option],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "canvas-reports" in done.stdout
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & {"numpy", "pandas", "polars", "pyarrow", "requests", "IPython"}


def test_the_command_has_the_public_names_too() -> None:
    shown = in_a_fresh_python(
        "import sys; sys.argv = ['/usr/bin/canvas-reports']\n"
        "import canvas_reports_nb as crn\n"
        "print('pandas' in sys.modules, all(hasattr(crn, name) for name in crn.__all__))\n"
        "import pandas; print(hasattr(pandas.DataFrame, 'canvas'))"
    )
    assert shown.split() == ["False", "True", "True"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(crn, "grade")
    with pytest.raises(AttributeError, match="module 'canvas_reports_nb' has no attribute 'grade'"):
        _ = crn.grade


def test_importing_twice_prints_nothing() -> None:
    shown = in_a_fresh_python(
        "import sys, importlib\n"
        "import canvas_reports_nb\n"
        "before = canvas_reports_nb.Connection\n"
        "importlib.reload(canvas_reports_nb)\n"
        "import canvas_reports_nb as again\n"
        "print(again.Connection is before)"
    )
    assert shown.strip() == "True"


def test_the_accessors_hold_no_state() -> None:
    assert hasattr(pd.DataFrame, "canvas")
    assert hasattr(pl.DataFrame, "canvas")
    data = b"user id,user name,last activity at\n7,Bea,2026-03-02T09:14:07Z\n"
    frame = crn.read_file(data)
    before = dict(vars(frame.canvas))
    assert frame.canvas.provenance["rows"] == 1
    assert vars(frame.canvas) == before
    assert crn.provenance(frame) == frame.canvas.provenance
    frame.canvas.provenance["rows"] = 99
    assert frame.canvas.provenance["rows"] == 1
    assert frame.copy().canvas.provenance == frame.canvas.provenance
