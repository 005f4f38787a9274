"""What the demo Canvas is made of and no rule could draw: JSON files beside this module, each read once."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl


@cache
def read(name: str) -> Any:
    """Return the content of one file; all callers share it."""
    return json.loads((files(__name__) / f"{name}.json").read_text(encoding="utf-8"))


def table(name: str) -> pl.DataFrame:
    """Return one table of `world.json`."""
    content = read("world")[name]
    return pl.DataFrame(content["rows"], schema=content["columns"], orient="row")
