"""The tree of errors, as its page draws it, and what each says."""

import re

import pytest

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.models import ReportRun

CLASSES = [getattr(exc, name) for name in exc.__all__ if name != "ReportWarning"]


def drawn() -> list[tuple[str, int]]:
    """The names in the drawing, with their depth."""
    lines = re.findall(r"^    ((?:[│ ]   )*(?:[├└]── )?)(\w+Error)\b", exc.__doc__ or "", re.MULTILINE)
    return [(name, len(indent) // 4) for indent, name in lines]


def test_the_drawing_is_the_tree() -> None:
    path: list[str] = []
    seen = set()
    for name, depth in drawn():
        path[depth:] = [name]
        seen.add(name)
        if depth:
            assert getattr(exc, path[depth - 1]) in getattr(exc, name).__bases__
    assert seen == {each.__name__ for each in CLASSES}
    assert exc.__all__ == sorted(exc.__all__)


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_one_except_catches_all(error: type[exc.CanvasReportsError]) -> None:
    assert issubclass(error, exc.CanvasReportsError)
    assert error.__doc__


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (exc.ParameterError, ValueError),
        (exc.NotPermittedError, PermissionError),
        (exc.NotFoundError, LookupError),
        (exc.NotReachedError, ConnectionError),
        (exc.WaitTimeoutError, TimeoutError),
        (exc.MissingDependencyError, ImportError),
        (exc.ReportWarning, UserWarning),
    ],
)
def test_python_s_own_words_work_too(ours: type[Exception], theirs: type[Exception]) -> None:
    assert issubclass(ours, theirs)


def test_an_error_says_what_where_and_what_next() -> None:
    error = exc.CanvasReportsError(
        "It broke.", hint="Mend it.", report="x", run_id=0, url="https://canvas.example.edu/a?verifier=hidden"
    )
    error.located(account="self", report="y", run_id=9)
    assert str(error) == "It broke. [account self, report x, run 0]\nMend it."
    assert error.url == "https://canvas.example.edu/a"
    assert "hidden" not in f"{error!r} {vars(error)}"
    assert str(exc.CanvasReportsError("It broke.")) == "It broke."


def test_errors_that_carry_something() -> None:
    run = ReportRun.from_api({"id": 7, "report": "x", "status": "error"})
    failed = exc.RunFailedError("It broke.", run, account="self")
    assert failed.run is run
    assert str(failed) == "It broke. [account self, report x, run 7]"
    required = exc.TableRequiredError("Which?", ["a", "b"], report="x")
    assert required.tables == ("a", "b")
    assert "table='a'" in str(required)
    missing = exc.MissingDependencyError("Dask", "dask", "engine='dask'")
    assert str(missing).endswith('python -m pip install "canvas-reports-nb[dask]"')
