"""The conda environments and pyproject.toml have the same requirements."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"matplotlib": "matplotlib-base"}
FILES = ["environment.yml", "binder/environment.yml"]

environment = pytest.mark.parametrize("name", FILES)


def conda(name: str) -> tuple[dict[str, object], list[str], list[str]]:
    """Return a file's content, its conda packages and its pip packages, which come last."""
    content = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    *packages, last = content["dependencies"]
    if isinstance(last, str):
        return content, [*packages, last], []
    return content, packages, last["pip"]


def required() -> set[str]:
    """Return what the package and its demo require on Unix, with conda's names."""
    extras = PROJECT["optional-dependencies"]
    named = ("demo", "plot", "dask", "excel")
    requirements = [*PROJECT["dependencies"], *(need for name in named for need in extras[name])]
    # Conda's dask package includes what pip calls the extras of dask.
    plain = [
        re.sub(r"^dask\[.*\]", "dask", need)
        for need in requirements
        if ";" not in need and not need.startswith("canvas-reports-nb")
    ]
    return {re.sub(r"^[\w-]+", lambda name: CONDA_NAMES.get(name[0], name[0]), need) for need in plain}


@environment
def test_packages_are_the_same(name: str) -> None:
    content, packages, _ = conda(name)
    assert content["channels"] == ["conda-forge", "nodefaults"]
    assert {package for package in packages if not package.startswith("python")} == {*required(), "pip"}


def test_python_is_new_enough() -> None:
    _, [root, *_], pip = conda("environment.yml")
    assert root == "python" + PROJECT["requires-python"]
    assert pip == ["-e .[demo]"]
    # Binder's default Python is too old, so its file names a version.
    _, [binder, *_], pip = conda("binder/environment.yml")
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert [int(part) for part in binder.removeprefix("python=").split(".")] >= [
        int(part) for part in lowest.split(".")
    ]
    assert pip == []


@pytest.mark.parametrize(("name", "last"), [("postBuild", "--no-deps ."), ("start", 'exec "$@"')])
def test_binder_scripts(name: str, last: str) -> None:
    script = ROOT / "binder" / name
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert text.startswith("#!/bin/bash\n")
    assert text.rstrip().endswith(last)
    assert not re.search("token|secret|password", text, re.IGNORECASE)
