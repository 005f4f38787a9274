"""A checkout on PYTHONPATH works without being installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import canvas_reports_nb

# The package may be installed here: hide its metadata.
CODE = """
import importlib.metadata as metadata
discover = metadata.Distribution.discover
metadata.Distribution.discover = classmethod(
    lambda cls, **given: (each for each in discover(**given) if each.metadata["Name"] != "canvas-reports-nb")
)
try:
    metadata.version("canvas-reports-nb")
except metadata.PackageNotFoundError:
    print("no metadata")
import canvas_reports_nb as crn
print(crn.__file__)
print(crn.__version__)
with crn.demo(enrollments=300) as canvas:
    print(canvas.form())
    print(len(canvas.read_report("course_storage_csv", progress="widget")) > 0)
"""


def run(code: str, root: Path, place: Path) -> list[str]:
    """Run code in a new process that imports the package from a folder, and return the lines it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_form_widget_and_version_need_no_metadata(tmp_path: Path) -> None:
    package = Path(canvas_reports_nb.__file__).parent
    copy = tmp_path / "checkout" / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    metadata, file, version, form, *_, has_rows = run(CODE, copy.parent, tmp_path)
    assert metadata == "no metadata"
    assert file == str(copy / "__init__.py")
    assert version == canvas_reports_nb.__version__
    assert form == "ReportForm(account 'self')"
    assert has_rows == "True"


ALONE = """
import importlib, pkgutil, sys
for extra in ("dask", "distributed", "matplotlib", "xlsxwriter", "keyring", "fsspec", "s3fs", "starlette", "uvicorn", "jupyterlab"):
    sys.modules[extra] = None
import canvas_reports_nb as crn
for module in pkgutil.walk_packages(crn.__path__, "canvas_reports_nb."):
    if module.name != "canvas_reports_nb.__main__":
        try:
            importlib.import_module(module.name)
        except (crn.exceptions.MissingDependencyError, crn.demo_canvas.DemoUnavailableError) as error:
            assert "pip install" in str(error), error
            print(module.name)
        except ImportError as error:
            assert module.name.startswith("canvas_reports_nb.demo_canvas."), (module.name, error)
"""


def test_without_extras_every_module_loads_or_says_what_to_install(tmp_path: Path) -> None:
    found = run(ALONE, Path(canvas_reports_nb.__file__).parents[1], tmp_path)
    charts = "canvas_reports_nb.analysis.charts"
    assert {name.removesuffix(name[len(charts) :]) for name in found} == {charts}
