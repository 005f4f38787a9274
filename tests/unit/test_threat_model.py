"""Each promise of the threat model names a test that exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "CONTRIBUTING.md"
ROWS = [
    line
    for line in PAGE.read_text(encoding="utf-8")
    .partition("## Threat model")[2]
    .partition("## Rules")[0]
    .splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| against"))
]


@pytest.mark.parametrize("row", ROWS)
def test_the_test_of_a_promise_exists(row: str) -> None:
    found = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
    assert found, "a promise without a test"
    for file, name in found:
        assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8"), (file, name)


def test_there_are_promises() -> None:
    assert len(ROWS) > 15
