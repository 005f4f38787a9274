"""Collect the tests quickly, and begin with those that take longest, so that no process works alone at the end."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

FIRST = (
    # These mostly wait for a browser or a kernel, the next two never do, so together they keep two cores busy.
    "tests/ui/test_form.py",
    "tests/notebooks/test_notebooks.py",
    "tests/contract/test_fault_matrix.py",
    "tests/unit/analysis/test_repeatable.py",
    "tests/ui/",
    "tests/notebooks/",
    "tests/typing/",
)

# Otherwise the collector looks through thousands of collected tests again and again.
gc.disable()


def place(item: pytest.Item) -> int:
    """Return the place of a test's file in the order; all others come last."""
    return next((at for at, path in enumerate(FIRST) if item.nodeid.startswith(path)), len(FIRST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=place)


@given(st.none())
def use_hypothesis(_: None) -> None:
    """Let hypothesis find what refers to its random numbers: it warns on Python 3.14 if that is already frozen."""


def pytest_collection_finish() -> None:
    use_hypothesis()
    gc.freeze()
    gc.enable()
