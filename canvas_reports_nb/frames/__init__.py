"""Report files to typed frames: bytes, to an Arrow table or a Parquet file, to the engine's frame.

The modules here are loaded on first use: Arrow's CSV and Parquet readers take longer to import than
the rest of the package, and listing reports or waiting for one needs neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from canvas_reports_nb.frames.contents import Member, Source, csv_members, reopenable
    from canvas_reports_nb.frames.dialect import read_dialect
    from canvas_reports_nb.frames.engines import check_engine, convert, load, pick, scan
    from canvas_reports_nb.frames.identity import Identity, identify
    from canvas_reports_nb.frames.parquet import (
        Derived,
        derive,
        read_arrow,
        type_file,
        write_parquet,
    )
    from canvas_reports_nb.frames.reading import Facts
    from canvas_reports_nb.frames.stacking import Part, Stack

__all__ = [
    "Derived",
    "Facts",
    "Identity",
    "Member",
    "Part",
    "Source",
    "Stack",
    "check_engine",
    "convert",
    "csv_members",
    "derive",
    "identify",
    "load",
    "pick",
    "read_arrow",
    "read_dialect",
    "reopenable",
    "scan",
    "type_file",
    "write_parquet",
]

_HOME = {
    **dict.fromkeys(("Member", "Source", "reopenable", "csv_members"), "contents"),
    **dict.fromkeys(("check_engine", "convert", "load", "pick", "scan"), "engines"),
    **dict.fromkeys(("Identity", "identify"), "identity"),
    **dict.fromkeys(("Derived", "derive", "read_arrow", "type_file", "write_parquet"), "parquet"),
    **dict.fromkeys(("Part", "Stack"), "stacking"),
    "Facts": "reading",
    "read_dialect": "dialect",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found
