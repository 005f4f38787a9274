"""The benchmark's report file: enrollments of the demo's university, made once and kept.

``python corpus.py ROWS FOLDER`` makes the file. The benchmark does so in a separate process, because on Linux a
child's peak memory starts at that of its parent.
"""

# ruff: noqa: PLC0415 - only the process that makes the file loads the demo's university
from __future__ import annotations

import shutil
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

NAME = "enrollments.csv"

# Canvas lists about half of the enrollments: not those of test students and people without a usable login.
_WORLD_PER_ROW = 2.6
_ROWS_PER_WORLD = 5_000_000


def make(rows: int, folder: Path) -> Path:
    """Write a CSV with exactly this many rows and return its path; reuse the file of an earlier run.

    It is made of several universities with different seeds, because one university with 20 million rows would
    need too much memory.
    """
    target = folder / NAME
    if target.exists():
        return target
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    part = folder / f"{NAME}.part"
    with part.open("wb") as out:
        written = 0
        while written < rows:
            wanted = min(rows - written, _ROWS_PER_WORLD)
            _append(out, wanted, seed=2026 + written // _ROWS_PER_WORLD, scratch=scratch, header=not written)
            written += wanted
    shutil.rmtree(scratch)
    return part.rename(target)


def _append(out: BinaryIO, rows: int, *, seed: int, scratch: Path, header: bool) -> None:
    from canvas_reports_nb.demo_canvas.reports import produce
    from canvas_reports_nb.demo_canvas.world import build_world

    world = build_world(seed, int(rows * _WORLD_PER_ROW) + 3_000)
    product = produce(world, "provisioning_csv", {"enrollments": True}, 1, scratch)
    if product.lines <= rows:
        raise RuntimeError(
            f"The university of seed {seed} has {product.lines - 1:,} rows instead of {rows:,}."
        )
    with product.files[0].open("rb") as lines:
        first = lines.readline()
        out.writelines([first] if header else [])
        out.writelines(islice(lines, rows))


if __name__ == "__main__":
    make(int(sys.argv[1]), Path(sys.argv[2]))
