"""Install the wheel and the source archive into empty environments, and read a report in each.

Run ``nox -s packages``, or ``python tests/benchmarks/packages.py`` where ``build`` and ``uv`` are installed. The base and
each extra are installed alone. The number of packages and their size are printed, without Python's own.
"""

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from canvas_reports_nb import demo_canvas

ROOT = Path(__file__).parents[2]
# Reads over the network, so that it needs no extra; then, what only some extras can do.
JOB = """
import importlib.util, os
import canvas_reports_nb as crn
canvas = crn.connect()
frame = canvas.read_report("grade_export_csv", enrollment_term_id="current", progress=False)
assert len(frame) and str(frame["student sis"].dtype) in {"str", "string"}, frame.dtypes
canvas.read_report("grade_export_csv", enrollment_term_id="current", engine="polars", offline=True)
for module, use in {
    "dask": lambda: canvas.read_report("grade_export_csv", run_id=RUN, engine="dask").compute(),
    "xlsxwriter": lambda: crn.to_excel(frame, "grades.xlsx"),
    "matplotlib": lambda: crn.charts.grade_distribution(frame),
    "starlette": lambda: crn.demo(enrollments=300, duration=0).reports(),
}.items():
    RUN = frame.attrs["canvas_report"]["run_id"]
    try:
        use()
        assert importlib.util.find_spec(module), f"{module} was not needed"
        print("with", module, end=" ")
    except crn.exceptions.MissingDependencyError as error:
        assert importlib.util.find_spec(module) is None and "pip install" in str(error)
    except Exception as error:
        assert importlib.util.find_spec(module) is None and "canvas-reports-nb[demo]" in str(error), error
print("ok")
"""


def run(*words: object, **keywords: object) -> str:
    """Run a command and return what it prints."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, **keywords)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def check(name: str, requirement: str, folder: Path, environment: dict[str, str]) -> None:
    """Install a requirement into a new environment, do the job there, and print the result."""
    place = folder / name
    run("uv", "venv", "-q", "--python", sys.executable, place)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run("uv", "pip", "install", "-q", "--python", python, requirement)
    packages = run("uv", "pip", "list", "-q", "--python", python, "--format", "freeze").splitlines()
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file() and not file.is_symlink())
    elsewhere = folder / f"{name} elsewhere"
    elsewhere.mkdir()
    done = run(
        python,
        "-c",
        JOB,
        cwd=elsewhere,
        env={**environment, "CANVAS_REPORTS_CACHE": str(elsewhere / "store")},
    )
    print(f"{name:<16} {len(packages):>4} packages {size / 1e6:>6.0f} MB   {done}", flush=True)


def main() -> None:
    """Build both archives and check each extra."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    plain = {name: text for name, text in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    with tempfile.TemporaryDirectory() as made, demo_canvas.serve(enrollments=300, duration=0) as server:
        folder = Path(made)
        run("uv", "build", "-q", "--out-dir", folder / "dist", ROOT)
        (wheel,), (source,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
        environment = {**plain, "CANVAS_API_URL": server.url, "CANVAS_API_TOKEN": server.token}
        check("wheel", str(wheel), folder, environment)
        check("sdist", str(source), folder, environment)
        for extra in extras:
            if extra not in {"test", "dev"}:
                check(f"wheel[{extra}]", f"{wheel}[{extra}]", folder, environment)


if __name__ == "__main__":
    main()
