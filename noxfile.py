"""The checks, each in an environment of its own: ``nox`` runs all, ``nox -s types`` one."""

import nox

nox.options.error_on_missing_interpreters = False


@nox.session
def lint(session: nox.Session) -> None:
    """Style and form."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """The direction of imports."""
    session.install("-e", ".[test]")
    session.run("lint-imports", "--no-cache")


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """All tests, the notebooks among them."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """The notebooks, README and environment files alone."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "tests/notebooks", *session.posargs)


@nox.session
@nox.parametrize("ipykernel", ["ipykernel==6.30.*", "ipykernel==7.3.*", "ipykernel"])
def kernels(session: nox.Session, ipykernel: str) -> None:
    """Clicks, progress and Interrupt on three kernels that run a widget's callbacks at different times.

    6.30 has no subshells and answers a click after the cell; 7.3 answers on a thread beside the cell; the newest
    is whatever was released since.
    """
    session.install("-e", ".[test]")
    session.install("--upgrade", ipykernel)
    session.run("python", "-m", "pytest", "tests/ui/test_comms.py", *session.posargs)
