"""The ways to compare. Each runs in a new process: ``python ways.py NAME < case.json``.

A way is a generator that returns its number of rows. The code before its ``yield`` (imports, the URL of the file) is
not timed; the code after it is.

A first read of 3 million rows takes so many seconds of the processor (busy machine with 2 cores): parsing 1.5, in one
thread of Arrow's; Parquet 0.8; columns of the frame 0.4, most of it new memory that the system clears; writing the file
0.4; SHA-256 0.2; proof 0.2; modules loaded on use 0.2; frame 0.1. Parsing is what a first lazy query waits for, and
two busy cores limit the rest. No gain came from other sizes of blocks and reads, no line breaks in cells, other memory
allocators, or text for numbers (0.2 s more). A first group by spends 0.09 of its 0.13 s on reading two enumerations as
categories; other row groups, pages, compressions and codes change nothing, only a private mark of polars does (0.05).
"""

# ruff: noqa: PLC0415 - what is imported, and when, is part of what is measured
from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator

    Way = Generator[None, None, int]

REPORT = "provisioning_csv"
SIS_IDS = ("course_id", "section_id", "user_id", "associated_user_id")
DIFF_KEY = "canvas_enrollment_id"
DIFF_ADDED, DIFF_EVERY = 1_000, 50


class Case(NamedTuple):
    """The input of a way."""

    url: str
    token: str
    csv: str
    store: str


class Measured(NamedTuple):
    """One measurement: seconds by the clock and of the processor, peak memory of the process, number of rows."""

    seconds: float
    cpu: float
    peak_mb: float
    rows: int


def cold_pandas(case: Case) -> Way:
    """Ours, with an empty store: download, check, convert, store and load into pandas."""
    canvas = _connect(case)
    run_id = _run_id(canvas)
    yield
    return len(canvas.read_report(REPORT, run_id=run_id, progress=False))


def cold_store(case: Case) -> Way:
    """Ours, with an empty store, without loading a frame."""
    canvas = _connect(case)
    run_id = _run_id(canvas)
    yield
    return int(canvas.attach(REPORT, run_id).result(progress=False).to_arrow(columns=[]).num_rows)


def cold_lazy(case: Case) -> Way:
    """Ours, with an empty store: a first lazy query."""
    canvas = _connect(case)
    run_id = _run_id(canvas)
    yield
    return _grouped(canvas.scan_report(REPORT, run_id=run_id, progress=False))


def warm_pandas(case: Case) -> Way:
    """Ours, from the store, without network."""
    canvas = _connect(case)
    run_id = _stored_id(canvas)
    yield
    return len(canvas.read_report(REPORT, run_id=run_id, offline=True))


def warm_group_by(case: Case) -> Way:
    """Ours: a first lazy query on the store."""
    canvas = _connect(case)
    run_id = _stored_id(canvas)
    yield
    return _grouped(canvas.scan_report(REPORT, run_id=run_id, offline=True))


def warm_scan(case: Case) -> Way:
    """Ours: open the stored run as a lazy frame, without a query."""
    canvas = _connect(case)
    run_id = _stored_id(canvas)
    yield
    canvas.scan_report(REPORT, run_id=run_id, offline=True)
    return 0


def naive(case: Case) -> Way:
    """Do what a careful analyst writes: load the whole body with SIS ids as text and let pandas infer the others."""
    import requests

    url, headers = _file_url(case), {"Authorization": f"Bearer {case.token}"}
    yield
    answer = requests.get(url, headers=headers, timeout=600)
    answer.raise_for_status()
    return _parsed(io.BytesIO(answer.content))


def naive_pyarrow(case: Case) -> Way:
    """Do the same with pandas' multi-threaded parser and every cell as text: it fails on a column of ids and blanks."""
    import pandas as pd
    import requests

    url, headers = _file_url(case), {"Authorization": f"Bearer {case.token}"}
    yield
    answer = requests.get(url, headers=headers, timeout=600)
    answer.raise_for_status()
    return len(pd.read_csv(io.BytesIO(answer.content), dtype=str, engine="pyarrow"))


def fetch(case: Case) -> Way:
    """Download the body only, which every client has to do."""
    import requests

    url, headers = _file_url(case), {"Authorization": f"Bearer {case.token}"}
    yield
    with requests.get(url, headers=headers, timeout=600, stream=True) as answer:
        return sum(piece.count(b"\n") for piece in answer.iter_content(1 << 20)) - 1


def canvasapi_file(case: Case) -> Way:
    """Use the most common Canvas client: ``File.download``, then pandas."""
    from canvasapi import Canvas
    from canvasapi.file import File

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it also warns about plain HTTP on this machine
        client = Canvas(case.url, case.token)
    (run,) = client.get_account(1).get_index_of_reports(REPORT)
    file = File(run._requester, run.attachment)
    target = Path(case.store) / "canvasapi.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    yield
    file.download(str(target))
    return _parsed(target)


def polars_local(case: Case) -> Way:
    """Read a local file with every cell as text, as a lower limit (guessed types fail on the first SIS id)."""
    import polars as pl

    yield
    return pl.read_csv(case.csv, infer_schema=False).height


def diff_ours(case: Case) -> Way:
    """Ours: compare two runs in memory as pandas frames."""
    import canvas_reports_nb as crn

    older, newer = _two_runs(case)
    yield
    found = crn.diff(older, newer)
    return _all_found(found.counts["added"], found.counts["cells"], newer)


def diff_pandas(case: Case) -> Way:
    """Do the same with a plain merge, then column by column."""
    older, newer = _two_runs(case)
    yield
    merged = older.merge(newer, on=DIFF_KEY, how="outer", suffixes=("_older", "_newer"), indicator=True)
    both = merged[merged["_merge"] == "both"]
    cells = 0
    for name in newer.columns.drop(DIFF_KEY):
        before, after = both[f"{name}_older"], both[f"{name}_newer"]
        differ = ((before != after) & ~(before.isna() & after.isna())).fillna(value=True)
        cells += len(both.loc[differ, [DIFF_KEY, f"{name}_older", f"{name}_newer"]])
    return _all_found(int((merged["_merge"] == "right_only").sum()), cells, newer)


def import_ours(_: Case) -> Way:
    """Import this package and everything it loads."""
    yield
    import canvas_reports_nb

    return len(canvas_reports_nb.__all__)


def import_theirs(_: Case) -> Way:
    """Import what a notebook with this package needs anyway."""
    yield
    import pandas as pd
    import polars as pl
    import requests

    return len({pd, pl, requests})


def help_ours(_: Case) -> Way:
    """Show the help of the command, as the shell does."""
    yield
    subprocess.run(
        [sys.executable, "-m", "canvas_reports_nb", "--help"], check=True, stdout=subprocess.DEVNULL
    )
    return 0


def _connect(case: Case) -> Any:
    import canvas_reports_nb as crn

    return crn.connect(case.url, case.token, account=1, store=case.store)


def _run_id(canvas: Any) -> int:
    return int(canvas.history(REPORT)["run_id"].iloc[0])


def _stored_id(canvas: Any) -> int:
    return int(canvas.store.info()["run_id"].iloc[0])


def _file_url(case: Case) -> str:
    import requests

    address = f"{case.url}/api/v1/accounts/1/reports/{REPORT}"
    (run,) = requests.get(address, headers={"Authorization": f"Bearer {case.token}"}, timeout=60).json()
    return str(run["attachment"]["url"])


def _two_runs(case: Case) -> tuple[Any, Any]:
    """Return the file and an older version: fewer rows, in reverse order, with other section ids."""
    import canvas_reports_nb as crn

    newer = crn.read_file(case.csv)
    older = newer.iloc[: DIFF_ADDED - 1 : -1].reset_index(drop=True)
    other = older["section_id"].where(older.index % DIFF_EVERY != 0, "moved")
    return older.assign(section_id=other), newer


def _all_found(added: int, cells: int, newer: Any) -> int:
    wanted = DIFF_ADDED, -(-(len(newer) - DIFF_ADDED) // DIFF_EVERY)
    assert (added, cells) == wanted, f"found {added:,} rows and {cells:,} cells instead of {wanted}"
    return len(newer)


def _grouped(lazy: Any) -> int:
    return int(lazy.group_by("role", "status").len().collect()["len"].sum())


def _parsed(source: Any) -> int:
    import pandas as pd

    return len(pd.read_csv(source, dtype=dict.fromkeys(SIS_IDS, str)))


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(name: str, case: Case) -> Measured:
    """Measure one way once, in this process."""
    way: Way = globals()[name](case)
    next(way)
    begun, used = time.perf_counter(), _cpu()
    try:
        next(way)
    except StopIteration as end:
        seconds, cpu = time.perf_counter() - begun, _cpu() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6 * 1024
        return Measured(seconds, cpu, peak, end.value)
    raise AssertionError(f"{name} must yield once")


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Case(**json.load(sys.stdin)))._asdict()))
