"""Ten thousand generated tables in every engine: damaged cells and disagreements, which must be 0.

``python tests/benchmarks/tables.py [COUNT] [FIRST SEED]`` prints the counts. One table in ten has its odd cells
across the border of a 1 MiB block.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.frames.generated_tables import check

COUNT = 10_000


def main() -> None:
    """Check the tables and print the counts."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        counts = check(range(first, first + count), Path(folder), large_share=0.1)
    print(", ".join(f"{name} {number:,}" for name, number in counts.items()))
    print(f"{time.perf_counter() - begun:,.0f} s")
    sys.exit(bool(counts["damaged"] or counts["disagreements"] or counts["errors"]))


if __name__ == "__main__":
    main()
