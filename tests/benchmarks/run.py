"""Measure the promises on speed and memory: ``python tests/benchmarks/run.py``.

Prints three Markdown tables: every promise as a ratio of two ways, every way by itself, and how the cost of one call
grows with the store. Each measurement runs in its own process. The ways take turns in each round, so that load on the
machine affects all of them; a ratio is the median of those of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
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

    Rounds = dict[str, list[Measured]]

HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / "canvas-reports-benchmarks"
PACKAGES = ("canvas-reports-nb", "pandas", "polars", "pyarrow", "requests", "canvasapi")
PEAK_MB, FLAT = 500, 1.1
# Bytes per second of the slow servers.
RATES = {"100 MB/s": 100e6, "20 MB/s": 20e6}

LABELS = {
    "naive": "requests.get + pandas.read_csv, SIS ids as text",
    "naive_pyarrow": 'the same, engine="pyarrow", all text',
    "canvasapi_file": "canvasapi File.download + pandas.read_csv",
    "fetch": "requests.get alone",
    "polars_local": "polars.read_csv on the local file",
    "cold_pandas": "ours, empty store, to pandas",
    "cold_lazy": "ours, empty store, scan_report and group by",
    "cold_store": "ours, empty store, no frame",
    "warm_pandas": "ours, from the store, to pandas",
    "warm_group_by": "ours, scan_report and group by",
    "warm_scan": "ours, scan_report alone",
    "diff_ours": "ours, crn.diff of two pandas frames",
    "diff_pandas": "pandas.merge, then column by column",
    "import_ours": "import canvas_reports_nb",
    "import_theirs": "import pandas, polars, requests",
    "help_ours": "canvas-reports --help",
    **{f"fetch at {rate}": f"requests.get alone, server at {rate}" for rate in RATES},
    **{f"cold_pandas at {rate}": f"ours, to pandas, server at {rate}" for rate in RATES},
}
# The first way fills a store of its own, and the warm ways read the one that cold_pandas has filled.
TURN = (
    "cold_lazy",
    "naive",
    "cold_pandas",
    "warm_pandas",
    "warm_group_by",
    "warm_scan",
    "canvasapi_file",
    "naive_pyarrow",
    "fetch",
    "polars_local",
    "diff_ours",
    "diff_pandas",
)
START = ("import_ours", "import_theirs", "help_ours")
WITHOUT_ROWS = {*START, "warm_scan"}


class Promise(NamedTuple):
    """A limit on one way, as a share of another: of the time, of the processor's time, or of the peak memory."""

    what: str
    ours: str
    other: str
    most: float
    of: str = "seconds"


PROMISES = (
    Promise("finished run -> pandas", "cold_pandas", "naive", 0.40),
    Promise("the same, against canvasapi", "cold_pandas", "canvasapi_file", 0.40),
    Promise("the same from the store", "warm_pandas", "naive", 0.12),
    Promise("first group-by from the store", "warm_group_by", "naive", 0.02),
    Promise("finished run -> first lazy group-by", "cold_lazy", "naive", 0.30),
    Promise("finished run -> pandas, at 100 MB/s", "cold_pandas at 100 MB/s", "fetch at 100 MB/s", 1.35),
    Promise("finished run -> pandas, at 20 MB/s", "cold_pandas at 20 MB/s", "fetch at 20 MB/s", 1.10),
    Promise("peak memory with the frame", "cold_pandas", "naive", 0.8, "peak_mb"),
    Promise("what changed between two runs", "diff_ours", "diff_pandas", 1.0),
    Promise("import, processor time", "import_ours", "import_theirs", 1.1, "cpu"),
)
HELP_SECONDS = 0.33
UNITS = {"seconds": "s", "cpu": "s", "peak_mb": "MB"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, and return how many promises were not met."""
    options = _options(arguments)
    _prepare()
    rounds, imports = (1, 3) if options.quick else (options.rounds, 7)
    small, large = _corpus(options.rows), _corpus(options.rows_large)
    found: Rounds = {}
    _turns(found, START, imports, None)
    _turns(found, TURN, rounds, small)
    for rate in () if options.quick else RATES:
        _turns(found, ("fetch", "cold_pandas"), rounds, small, rate)
    peaks = [_peak(rows, csv) for rows, csv in ((options.rows, small), (options.rows_large, large))]
    for name, measured in found.items():
        if name not in WITHOUT_ROWS and measured[0].rows != options.rows:
            raise SystemExit(
                f"{name} returned {measured[0].rows:,} of {options.rows:,} rows. Fix it before comparing."
            )
    print(_machine(options.rows, small, rounds), end="\n\n")
    promises = [promise for promise in PROMISES if promise.ours in found]
    lines = [
        *(_promise_line(promise, found) for promise in promises),
        _help_line(found),
        *_memory_lines(peaks),
    ]
    print(_table(("what", "ours", "against", "theirs", "ratio", "promise", "met"), lines), end="\n\n")
    head = ("way", "seconds", "of the processor", "peak MB")
    print(_table(head, [_way_line(name, found[name]) for name in found]), end="\n\n")
    if not options.quick:
        print(_table(("milliseconds per call", "10 runs", "200", "2,000"), _growth_lines()))
    return sum(line[-1] == "no" for line in lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, help="rows of the file for comparing the ways (3_000_000)")
    parser.add_argument(
        "--rows-large", type=int, help="rows of the file for checking that memory stays flat (12_000_000)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds (3)")
    parser.add_argument(
        "--quick", action="store_true", help="a sixth of the rows, one round, no slow servers, no growth"
    )
    options = parser.parse_args(arguments)
    options.rows = options.rows or (500_000 if options.quick else 3_000_000)
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


def _turns(found: Rounds, names: Sequence[str], rounds: int, csv: Path | None, rate: str = "") -> None:
    """Add a measurement of each way per round."""
    for _ in range(rounds):
        for name, measured in _turn(names, csv, rate):
            found.setdefault(f"{name} at {rate}" if rate else name, []).append(measured)


def _turn(names: Iterable[str], csv: Path | None, rate: str = "") -> list[tuple[str, Measured]]:
    with tempfile.TemporaryDirectory(prefix="canvas-reports-store-") as store:
        if csv is None:
            return [(name, _measure(name, Case("", "", "", store))) for name in names]
        with served(csv.parent, RATES.get(rate, 0)) as address:
            case = Case(address.url, address.token, str(csv), store)
            alone = case._replace(store=f"{store}/alone")
            return [(name, _measure(name, alone if name == "cold_lazy" else case)) for name in names]


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


def _promise_line(promise: Promise, found: Rounds) -> tuple[str, ...]:
    ours, theirs = (
        [getattr(each, promise.of) for each in found[name]] for name in (promise.ours, promise.other)
    )
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    met = "yes" if ratio <= promise.most else "no"
    shown = [f"{statistics.median(values):,.4g} {UNITS[promise.of]}" for values in (ours, theirs)]
    return (
        promise.what,
        shown[0],
        LABELS[promise.other],
        shown[1],
        f"{ratio:.3f}",
        f"≤ {promise.most:.2f}",
        met,
    )


def _help_line(found: Rounds) -> tuple[str, ...]:
    seconds = statistics.median(each.cpu for each in found["help_ours"])
    met = "yes" if seconds < HELP_SECONDS else "no"
    return "canvas-reports --help, processor time", f"{seconds:.2f} s", "", "", "", f"< {HELP_SECONDS} s", met


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


def _way_line(name: str, measured: Sequence[Measured]) -> tuple[str, ...]:
    seconds, cpu, peak, _ = map(statistics.median, zip(*measured, strict=True))
    return LABELS[name], f"{seconds:.3f}", f"{cpu:.3f}", f"{peak:,.0f}"


def _growth_lines() -> list[tuple[str, ...]]:
    done = subprocess.run(
        [sys.executable, str(HERE / "growth.py")], check=True, stdout=subprocess.PIPE, text=True
    )
    return [(name, *(f"{each:.2f}" for each in values)) for name, values in json.loads(done.stdout).items()]


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def _machine(rows: int, csv: Path, rounds: int) -> str:
    file = f"{csv.name}: {rows:,} rows, {csv.stat().st_size / 1e6:,.0f} MB; median of {rounds}"
    here = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{file}\n{here}; {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}"


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "from this checkout"


if __name__ == "__main__":
    sys.exit(main())
