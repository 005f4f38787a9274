"""Tests must not depend on the machine's proxy, Canvas, passwords, store, temporary folder and Python settings.

Subprocesses and test workers inherit this.
"""

import os
import sys
import tempfile
from collections.abc import Iterator

import pytest

SWITCHES = {"CANVAS_REPORTS_ALL_NOTEBOOKS", "CANVAS_REPORTS_AXE", "CANVAS_REPORTS_SCREENSHOTS"}
"""Variables that the tests themselves read."""

for name in set(os.environ) - SWITCHES:
    if name.startswith("CANVAS_") or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ["NETRC"] = os.devnull
# The tests start hundreds of processes. Without compiled modules, each would compile the package again, and each
# worker all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def keep_files_in_session_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Put the default store and temporary files into the session's folder, where they are searched for tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANVAS_REPORTS_CACHE", str(tmp_path_factory.mktemp("cache") / "store"))
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
        patch.setattr(tempfile, "tempdir", None)
        yield
