"""Measure the promises on speed and memory: ``python tests/benchmarks/run.py``.

Prints two Markdown tables: every promise as a ratio of two ways measured at the same time on the same machine, and
every way by itself. Each measurement runs in its own process, and the best of all rounds counts, because other load on
the machine can only slow it down. The ways take turns in each round, so that load affects all of them.
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
    "diff_pandas": "pandas.merge, then column by column",
    "import_ours": "import canvas_reports_nb",
    "import_theirs": "import pandas, polars, requests",
}
# The warm ways read the store that cold_pandas has filled.
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
    """A limit on the time of one way, as a share of the time of another."""

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
    """Measure, print the tables, and return how many promises were not met."""
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
            raise SystemExit(
                f"{name} returned {best[name].rows:,} of {options.rows:,} rows. Fix it before comparing."
            )
    print(_machine(options.rows, small, rounds), end="\n\n")
    lines = [*(_promise_line(promise, best) for promise in PROMISES), *_memory_lines(peaks)]
    print(_table(("what", "ours", "against", "theirs", "ratio", "promise", "met"), lines), end="\n\n")
    print(_table(("way", "seconds", "peak MB"), [_way_line(name, best[name]) for name in best]))
    return sum(line[-1] == "no" for line in lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, help="rows of the file for comparing the ways (5_000_000)")
    parser.add_argument(
        "--rows-large", type=int, help="rows of the file for checking that memory stays flat (20_000_000)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds (3)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and one round")
    options = parser.parse_args(arguments)
    options.rows = options.rows or (500_000 if options.quick else 5_000_000)
    options.rows_large = options.rows_large or 4 * options.rows
    return options


def _prepare() -> None:
    # Measure the package of this checkout, with compiled bytecode like an installed one.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    os.environ["PYTHONPYCACHEPREFIX"] = str(CACHE / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _corpus(rows: int) -> Path:
    folder = CACHE / str(rows)
    subprocess.run([sys.executable, str(HERE / "corpus.py"), str(rows), str(folder)], check=True)
    return folder / "enrollments.csv"


def _turns(best: dict[str, Measured], names: Iterable[str], rounds: int, csv: Path | None) -> None:
    """Keep the best measurement of each way in `best`."""
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
    # Otherwise the files of the previous way could be flushed to disk while this one is timed.
    os.sync()
    command = [sys.executable, str(HERE / "ways.py"), name]
    sent = json.dumps(case._asdict())
    done = subprocess.run(command, input=sent, check=True, stdout=subprocess.PIPE, text=True)
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
    """Return one line per file size and one for the growth between them."""
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
