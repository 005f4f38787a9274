"""Measure the promises on speed and memory: ``python tests/benchmarks/run.py``.

Prints two tables in Markdown: every promise as a ratio of two ways measured in the same minutes on the same
machine, and every way by itself. Each measurement has a process of its own; of the repeated ones the best
counts, since whatever else the machine does can only slow them down. The rounds take turns, so that a busy
spell falls on all ways alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from serving import served
from ways import Case, Measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / "canvas-reports-benchmarks"
PACKAGES = ("canvas-reports-nb", "pandas", "polars", "pyarrow", "requests", "canvasapi")
PEAK_MB, FLAT = 500, 1.1

LABELS = {
    "naive": "requests.get + pandas.read_csv, all text",
    "naive_pyarrow": 'the same, engine="pyarrow"',
    "canvasapi_file": "canvasapi File.download + pandas.read_csv",
    "fetch": "requests.get alone",
    "polars_local": "polars.read_csv on the local file",
    "cold_pandas": "ours, empty store, to pandas",
    "cold_store": "ours, empty store, no frame",
    "warm_pandas": "ours, from the store, to pandas",
    "warm_group_by": "ours, scan_report and group by",
    "diff_ours": "ours, crn.diff of two pandas frames",
    "diff_pandas": "pandas.merge of the two, then column by column",
    "import_ours": "import canvas_reports_nb",
    "import_theirs": "import pandas, polars, requests",
}
# The warm ways live on the store that the cold one before them has filled.
TURN = (
    "naive",
    "cold_pandas",
    "warm_pandas",
    "warm_group_by",
    "canvasapi_file",
    "naive_pyarrow",
    "fetch",
    "polars_local",
    "diff_ours",
    "diff_pandas",
)


class Promise(NamedTuple):
    """One way of ours is to take at most `most` of another."""

    what: str
    ours: str
    other: str
    most: float


PROMISES = (
    Promise("finished run -> pandas", "cold_pandas", "naive", 0.4),
    Promise("the same, against canvasapi", "cold_pandas", "canvasapi_file", 0.4),
    Promise("the same from the store", "warm_pandas", "naive", 0.2),
    Promise("first group-by from the store", "warm_group_by", "naive", 0.03),
    Promise("what changed between two runs", "diff_ours", "diff_pandas", 1.0),
    Promise("import", "import_ours", "import_theirs", 1.1),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return how many promises are not met."""
    options = _options(arguments)
    _prepare()
    rounds, imports = (1, 3) if options.quick else (options.rounds, 7)
    small, large = _corpus(options.rows), _corpus(options.rows_large)
    best: dict[str, Measured] = {}
    _turns(best, ("import_ours", "import_theirs"), imports, None)
    _turns(best, TURN, rounds, small)
    peaks = [_peak(rows, csv) for rows, csv in ((options.rows, small), (options.rows_large, large))]
    for name in TURN:
        if best[name].rows != options.rows:
            raise SystemExit(f"{name} got {best[name].rows:,} rows of {options.rows:,}: nothing is compared.")
    print(_machine(options.rows, small, rounds), end="\n\n")
    lines = [*(_promise_line(promise, best) for promise in PROMISES), *_memory_lines(peaks)]
    print(_table(("what", "ours", "against", "theirs", "ratio", "promise", "met"), lines), end="\n\n")
    print(_table(("way", "seconds", "peak MB"), [_way_line(name, best[name]) for name in best]))
    return sum(line[-1] == "no" for line in lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, help="of the file the ways are compared on (5_000_000)")
    parser.add_argument("--rows-large", type=int, help="of the one that shows memory is flat (20_000_000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each way (3)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one round: a first look")
    options = parser.parse_args(arguments)
    options.rows = options.rows or (500_000 if options.quick else 5_000_000)
    options.rows_large = options.rows_large or 4 * options.rows
    return options


def _prepare() -> None:
    # The checkout's package is measured, whatever is installed; compiled, as an installed one would be.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    os.environ["PYTHONPYCACHEPREFIX"] = str(CACHE / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _corpus(rows: int) -> Path:
    folder = CACHE / str(rows)
    subprocess.run([sys.executable, str(HERE / "corpus.py"), str(rows), str(folder)], check=True)
    return folder / "enrollments.csv"


def _turns(best: dict[str, Measured], names: Iterable[str], rounds: int, csv: Path | None) -> None:
    """Add the best measurement of each way."""
    for _ in range(rounds):
        for name, measured in _turn(names, csv):
            best[name] = min(measured, best.get(name, measured))


def _turn(names: Iterable[str], csv: Path | None) -> list[tuple[str, Measured]]:
    with tempfile.TemporaryDirectory(prefix="canvas-reports-store-") as store:
        if csv is None:
            return [(name, _measure(name, Case("", "", "", store))) for name in names]
        with served(csv.parent) as address:
            case = Case(address.url, address.token, str(csv), store)
            return [(name, _measure(name, case)) for name in names]


def _measure(name: str, case: Case) -> Measured:
    # What the way before has written must not be flushed to disk in this one's time.
    os.sync()
    command = [sys.executable, str(HERE / "ways.py"), name]
    told = json.dumps(case._asdict())
    done = subprocess.run(command, input=told, check=True, stdout=subprocess.PIPE, text=True)
    print(f"{name}: {done.stdout.strip()}", file=sys.stderr)
    return Measured(**json.loads(done.stdout))


def _peak(rows: int, csv: Path) -> tuple[int, Measured]:
    ((_, measured),) = _turn(["cold_store"], csv)
    return rows, measured


def _promise_line(promise: Promise, best: dict[str, Measured]) -> tuple[str, ...]:
    ours, other = best[promise.ours].seconds, best[promise.other].seconds
    ratio = ours / other
    met = "yes" if ratio <= promise.most else "no"
    against = LABELS[promise.other]
    return promise.what, f"{ours:.2f} s", against, f"{other:.2f} s", f"{ratio:.3f}", f"≤ {promise.most}", met


def _memory_lines(peaks: Sequence[tuple[int, Measured]]) -> list[tuple[str, ...]]:
    """One line a size under the limit, one on the growth between the two."""
    lines = [
        (
            f"peak memory of download + store, {rows:,} rows",
            f"{measured.peak_mb:,.0f} MB",
            "",
            "",
            "",
            f"< {PEAK_MB} MB",
            "yes" if measured.peak_mb < PEAK_MB else "no",
        )
        for rows, measured in peaks
    ]
    (_, small), (_, large) = peaks
    growth = large.peak_mb / small.peak_mb
    met = "yes" if growth <= FLAT else "no"
    return [*lines, ("growth of the peak", "", "the smaller file", "", f"{growth:.3f}", f"≤ {FLAT}", met)]


def _way_line(name: str, measured: Measured) -> tuple[str, ...]:
    return LABELS[name], f"{measured.seconds:.3f}", f"{measured.peak_mb:,.0f}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def _machine(rows: int, csv: Path, rounds: int) -> str:
    file = f"{csv.name}: {rows:,} rows, {csv.stat().st_size / 1e6:,.0f} MB; best of {rounds}"
    here = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{file}\n{here}; {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}"


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "from this checkout"


if __name__ == "__main__":
    sys.exit(main())
