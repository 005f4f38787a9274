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


def test_form_widget_and_version_need_no_metadata(tmp_path: Path) -> None:
    package = Path(canvas_reports_nb.__file__).parent
    copy = tmp_path / "checkout" / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(copy.parent)}
    ran = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
    metadata, file, version, form, *_, has_rows = ran.stdout.splitlines()
    assert metadata == "no metadata"
    assert file == str(copy / "__init__.py")
    assert version == canvas_reports_nb.__version__
    assert form == "ReportForm(account 'self')"
    assert has_rows == "True"
