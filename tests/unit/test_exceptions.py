"""The error classes match the tree in the module docstring; every error names the next step."""

import ast
import copy
import inspect
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from canvas_reports_nb import exceptions as exc
from canvas_reports_nb.canvas_api.models import ReportRun

CLASSES = [getattr(exc, name) for name in exc.__all__ if name != "ReportWarning"]


def documented_tree() -> list[tuple[str, int]]:
    """The names in the docstring's tree, with their depth."""
    lines = re.findall(r"^    ((?:[│ ]   )*(?:[├└]── )?)(\w+Error)\b", exc.__doc__ or "", re.MULTILINE)
    return [(name, len(indent) // 4) for indent, name in lines]


def test_the_docstring_shows_the_class_tree() -> None:
    path: list[str] = []
    seen = set()
    for name, depth in documented_tree():
        path[depth:] = [name]
        seen.add(name)
        if depth:
            assert getattr(exc, path[depth - 1]) in getattr(exc, name).__bases__
    assert seen == {each.__name__ for each in CLASSES}
    assert exc.__all__ == sorted(exc.__all__)


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_one_except_catches_every_error(error: type[exc.CanvasReportsError]) -> None:
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
def test_builtin_exceptions_catch_ours(ours: type[Exception], theirs: type[Exception]) -> None:
    assert issubclass(ours, theirs)


def test_an_error_shows_what_happened_where_and_the_next_step() -> None:
    error = exc.CanvasReportsError(
        "It broke.", hint="Mend it.", report="x", run_id=0, url="https://canvas.example.edu/a?verifier=hidden"
    )
    error.located(account="self", report="y", run_id=9)
    assert str(error) == "It broke. [account self, report x, run 0]\nMend it."
    assert error.url == "https://canvas.example.edu/a"
    assert "hidden" not in f"{error!r} {vars(error)}"
    assert str(exc.CanvasReportsError("It broke.")) == "It broke."


LINK = "https://canvas.example.edu/files/99017/download?verifier=hidden"
RUN = ReportRun.from_api(
    {
        "id": 7,
        "report": "x",
        "status": "error",
        "parameters": {"users": True},
        "file_url": LINK,
        "attachment": {"id": 99017, "filename": "x.csv", "url": LINK},
    }
)
WAYS = [*(lambda e, n=n: pickle.loads(pickle.dumps(e, n)) for n in (2, 5)), copy.copy, copy.deepcopy]


def made(kind: type[exc.CanvasReportsError], *left_out: str) -> exc.CanvasReportsError:
    """Make an error of a class with all its arguments except those left out."""
    values = {
        "message": "It broke.", "hint": "Mend it.", "account": "self", "report": "x", "run_id": 7, "run": RUN,
        "url": "https://canvas.example.edu/a", "tables": ["a", "b"], "package": "dask", "extra": "dask",
        "purpose": "engine='dask'", "errors": [exc.ParameterError("It is wrong.")], "reports": None, "also": "gcsfs",
    }  # fmt: skip
    asked = inspect.signature(kind).parameters
    assert asked.keys() <= values.keys(), "add a value for the new argument"
    error = kind(**{name: values[name] for name in asked if name not in left_out})
    error.located(account="self", report="x", run_id=7)
    error.add_note("noted")
    if isinstance(error, exc.WaitTimeoutError):
        error.job = lambda: "open connections can't leave the process"
    return error


@pytest.mark.parametrize("way", WAYS, ids=["pickle 2", "pickle 5", "copy", "deepcopy"])
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickle_and_copy(kind: type[exc.CanvasReportsError], way: Any) -> None:
    error = made(kind)
    again = way(error)
    assert type(again) is kind
    assert (str(again), repr(again), again.args) == (str(error), repr(error), error.args)
    assert {**vars(error), "job": None, "run": None} == {**vars(again), "job": None, "run": None}
    if isinstance(error, exc.RunError):
        assert (again.run.id, again.run.report, again.run.status) == (7, "x", "error")
        assert again.run.parameters == {"users": True}
    if way not in {copy.copy, copy.deepcopy}:
        assert b"hidden" not in pickle.dumps(error), "this link opens the file without a token"


def raised() -> Iterator[tuple[str, str]]:
    """Return where the package makes an error, and its class if the call passes no hint."""
    names = {kind.__name__ for kind in CLASSES}
    for path in sorted(Path(inspect.getfile(exc)).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "id", getattr(called, "attr", None))
            # click has a FileError too.
            foreign = isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "click"
            if name in names and not foreign:
                has_hint = any(keyword.arg == "hint" for keyword in node.keywords)
                yield f"{path.name}:{node.lineno}", "" if has_hint else name


def test_every_error_raised_has_a_hint() -> None:
    found = list(raised())
    assert len(found) > 60
    without = [(where, getattr(exc, name)) for where, name in found if name]
    assert [(where, kind) for where, kind in without if not made(kind, "hint").hint] == []


def test_errors_with_attributes() -> None:
    run = ReportRun.from_api({"id": 7, "report": "x", "status": "error"})
    failed = exc.RunFailedError("It broke.", run, account="self")
    assert failed.run is run
    assert str(failed) == "It broke. [account self, report x, run 7]"
    required = exc.TableRequiredError("Which?", ["a", "b"], report="x")
    assert required.tables == ("a", "b")
    assert "table='a'" in str(required)
    missing = exc.MissingDependencyError("Dask", "dask", "engine='dask'")
    assert str(missing).endswith('python -m pip install "canvas-reports-nb[dask]"')
