"""Measure the notebooks: ``python tests/benchmarks/notebooks.py``.

Runs each from a clean kernel on the demo and prints a table in Markdown: seconds, the peak memory of the kernel,
the demo Canvas in it included, and the size of the file. Linux only: the peak is the kernel's own word on it.
Exits with 1 where a notebook takes a minute or more, or 1 GB.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MOST_SECONDS, MOST_MB = 60.0, 1000.0
# Of the process since it became a kernel; getrusage would count the moment of the fork, too.
PEAK = "print(open('/proc/self/status').read())"


class Measured(NamedTuple):
    """What a notebook cost: wall seconds with the kernel's start, and the kernel's peak in MB."""

    seconds: float
    peak_mb: float

    @property
    def is_light(self) -> bool:
        """Whether it keeps what is promised."""
        return self.seconds < MOST_SECONDS and self.peak_mb < MOST_MB


def measure(path: Path) -> Measured:
    """Run a notebook once."""
    content = nbformat.read(path, as_version=4)
    content.cells.append(nbformat.v4.new_code_cell(PEAK))
    begun = time.perf_counter()
    NotebookClient(content, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    seconds = time.perf_counter() - begun
    told = "".join(output["text"] for output in content.cells[-1].outputs)
    found = re.search(r"VmHWM:\s+(\d+) kB", told)
    if found is None:
        raise OSError("This system does not tell the peak memory of a process: Linux does.")
    return Measured(seconds, int(found[1]) * 1024 / 1e6)


def main() -> None:
    """Measure all, print the table."""
    for name in [name for name in os.environ if name.startswith("CANVAS_")]:
        del os.environ[name]  # a developer's token must not lead a notebook to a real Canvas
    print("| notebook | s | peak MB | file kB |\n|---|---|---|---|")
    heavy = []
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as store:
            os.environ["CANVAS_REPORTS_CACHE"] = store
            done = measure(path)
        size = path.stat().st_size / 1000
        print(f"| {path.stem} | {done.seconds:.1f} | {done.peak_mb:.0f} | {size:.0f} |", flush=True)
        if not done.is_light:
            heavy.append(path.stem)
    if heavy:
        sys.exit(f"too heavy: {', '.join(heavy)}")


if __name__ == "__main__":
    main()
