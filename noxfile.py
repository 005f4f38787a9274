"""The checks, each in its own environment: ``nox`` runs all of them, ``nox -s types`` runs one."""

import nox

nox.options.error_on_missing_interpreters = False


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types in strict mode."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """Check that imports follow the layers."""
    session.install("-e", ".[test]")
    session.run("lint-imports", "--no-cache")


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run all tests, including the notebooks."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """Test only the notebooks, README and environment files."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "tests/notebooks", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the reference and the gallery of charts into docs/build; a warning is an error."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--fresh-env", "docs", "docs/build")


@nox.session
@nox.parametrize("ipykernel", ["ipykernel==6.30.*", "ipykernel==7.3.*", "ipykernel"])
def kernels(session: nox.Session, ipykernel: str) -> None:
    """Test clicks, progress and interrupts on three kernels that run a widget's callbacks at different times.

    6.30 has no subshells and handles a click after the cell. 7.3 handles it in a thread while the cell runs. The
    third is the newest release.
    """
    session.install("-e", ".[test]")
    session.install("--upgrade", ipykernel)
    session.run("python", "-m", "pytest", "tests/ui/test_comms.py", *session.posargs)


@nox.session(python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Test the lowest version of each direct requirement; where they fail, raise the bound in pyproject.toml."""
    session.install("--resolution", "lowest-direct", "-e", ".[test]")
    tests = session.posargs or [
        "tests/unit",
        "tests/contract/test_main_job.py",
        "tests/contract/test_form.py",
    ]
    session.run("python", "-m", "pytest", *tests)


@nox.session(python="3.11", venv_backend="uv")
@nox.parametrize("pandas", ["2.2", "2.3"])
def pandas2(session: nox.Session, pandas: str) -> None:
    """Test pandas 2.2 and 2.3, which Anaconda, Colab and many hubs ship, beside the newest of everything else."""
    session.install("-e", ".[test]", f"pandas=={pandas}.*")
    session.run("python", "-m", "pytest", *(session.posargs or ["tests/unit", "tests/contract"]))


@nox.session(venv_backend="uv")
def packages(session: nox.Session) -> None:
    """Install the wheel, the source archive and each extra alone into empty environments, and read a report there."""
    session.install("-e", ".[demo]", "uv")
    session.run("python", "tests/benchmarks/packages.py")
