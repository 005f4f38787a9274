"""From report files to typed frames: bytes to an Arrow table or a Parquet file, then to an engine's frame.

These names load on first use, because Arrow's readers are slow to import and listing reports needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from canvas_reports_nb.frames.arriving import ArrivingFile
    from canvas_reports_nb.frames.contents import csv_members
    from canvas_reports_nb.frames.engines import check_engine, convert, load, pick, scan
    from canvas_reports_nb.frames.parquet import (
        derive,
        derive_arriving,
        guess_warning,
        read_arrow,
        warnings_of,
        write_parquet,
    )
    from canvas_reports_nb.frames.stacking import Part, Stack

__all__ = [
    "ArrivingFile", "Part", "Stack", "check_engine", "convert", "csv_members", "derive", "derive_arriving", "guess_warning",
    "load", "pick", "read_arrow", "scan", "warnings_of", "write_parquet",
]  # fmt: skip

_MODULES = {
    **dict.fromkeys(("check_engine", "convert", "load", "pick", "scan"), "engines"),
    **dict.fromkeys(
        ("derive", "derive_arriving", "guess_warning", "read_arrow", "warnings_of", "write_parquet"),
        "parquet",
    ),
    **dict.fromkeys(("Part", "Stack"), "stacking"),
    "ArrivingFile": "arriving",
    "csv_members": "contents",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
