"""Measure the notebooks: ``python tests/benchmarks/notebooks.py``.

Runs each notebook on the demo in a new kernel and prints a Markdown table: seconds, the peak memory of the kernel
(including the demo Canvas), and the file size. Exits with 1 if a notebook takes a minute or 1 GB. Linux only, because
the peak memory is read from /proc.
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
# The peak since the process became a kernel; getrusage would include the fork.
PEAK = "print(open('/proc/self/status').read())"


class Measured(NamedTuple):
    """One measurement: wall seconds including the kernel's start, and the kernel's peak memory in MB."""

    seconds: float
    peak_mb: float

    @property
    def is_light(self) -> bool:
        """Whether it stays within the limits."""
        return self.seconds < MOST_SECONDS and self.peak_mb < MOST_MB


def measure(path: Path) -> Measured:
    """Run a notebook once and measure it."""
    content = nbformat.read(path, as_version=4)
    content.cells.append(nbformat.v4.new_code_cell(PEAK))
    begun = time.perf_counter()
    NotebookClient(content, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    seconds = time.perf_counter() - begun
    status = "".join(output["text"] for output in content.cells[-1].outputs)
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    if found is None:
        raise OSError("Can't read the peak memory of the kernel. Run this benchmark on Linux.")
    return Measured(seconds, int(found[1]) * 1024 / 1e6)


def main() -> None:
    """Measure all notebooks and print the table."""
    for name in [name for name in os.environ if name.startswith("CANVAS_")]:
        del os.environ[name]  # with a developer's token, the notebooks would use a real Canvas
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
        sys.exit(f"Above the limits: {', '.join(heavy)}")


if __name__ == "__main__":
    main()
