"""Report files to typed frames: bytes, to an Arrow table or a Parquet file, to the engine's frame."""

from canvas_reports_nb.frames.contents import Member, Source, held, members
from canvas_reports_nb.frames.dialect import read_dialect
from canvas_reports_nb.frames.engines import frame, load, pick, scan
from canvas_reports_nb.frames.identify import Identity, identify
from canvas_reports_nb.frames.reading import Facts
from canvas_reports_nb.frames.sinks import read_arrow, write_parquet, write_private

__all__ = [
    "Facts",
    "Identity",
    "Member",
    "Source",
    "frame",
    "held",
    "identify",
    "load",
    "members",
    "pick",
    "read_arrow",
    "read_dialect",
    "scan",
    "write_parquet",
    "write_private",
]
