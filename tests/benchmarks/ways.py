"""The ways that are compared. Each runs in a fresh process: ``python ways.py NAME < case.json``.

A way is a generator: what it does before its ``yield`` is not timed (imports, the address of the file),
what it does after it is, up to its end. It returns the number of rows it got.
"""

# ruff: noqa: PLC0415 - what is imported, and when, is part of what is measured
from __future__ import annotations

import io
import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator

    Way = Generator[None, None, int]

REPORT = "provisioning_csv"
DIFF_KEY = "canvas_enrollment_id"
DIFF_ADDED, DIFF_EVERY = 1_000, 50


class Case(NamedTuple):
    """What a way needs to know."""

    url: str
    token: str
    csv: str
    store: str


class Measured(NamedTuple):
    """What a way cost: wall seconds, peak memory of its process in MB, and how many rows it got."""

    seconds: float
    peak_mb: float
    rows: int


def cold_pandas(case: Case) -> Way:
    """Ours: download, check, type, store, and load as pandas; the store is empty."""
    canvas = _connect(case)
    run_id = _run_id(canvas)
    yield
    return len(canvas.attach(REPORT, run_id).result(progress=False).to_pandas())


def cold_store(case: Case) -> Way:
    """Ours, without making a frame of it."""
    canvas = _connect(case)
    run_id = _run_id(canvas)
    yield
    return int(canvas.attach(REPORT, run_id).result(progress=False).to_arrow(columns=[]).num_rows)


def warm_pandas(case: Case) -> Way:
    """Ours, from the store: no network."""
    canvas = _connect(case)
    run_id = _stored_id(canvas)
    yield
    return len(canvas.read_report(REPORT, run_id=run_id, offline=True))


def warm_group_by(case: Case) -> Way:
    """Ours: the first lazy query on the store."""
    canvas = _connect(case)
    run_id = _stored_id(canvas)
    yield
    lazy = canvas.scan_report(REPORT, run_id=run_id, offline=True)
    return int(lazy.group_by("role", "status").len().collect()["len"].sum())


def naive(case: Case) -> Way:
    """What a careful analyst writes: the whole body, every cell as text, only the empty ones missing."""
    import requests

    url, headers = _file_url(case), {"Authorization": f"Bearer {case.token}"}
    yield
    answer = requests.get(url, headers=headers, timeout=600)
    answer.raise_for_status()
    return _parsed(io.BytesIO(answer.content))


def naive_pyarrow(case: Case) -> Way:
    """The same with pandas' multi-threaded parser."""
    import requests

    url, headers = _file_url(case), {"Authorization": f"Bearer {case.token}"}
    yield
    answer = requests.get(url, headers=headers, timeout=600)
    answer.raise_for_status()
    return _parsed(io.BytesIO(answer.content), engine="pyarrow")


def fetch(case: Case) -> Way:
    """The body alone: what no client can save."""
    import requests

    url, headers = _file_url(case), {"Authorization": f"Bearer {case.token}"}
    yield
    answer = requests.get(url, headers=headers, timeout=600)
    return answer.content.count(b"\n") - 1


def canvasapi_file(case: Case) -> Way:
    """The Canvas client most people have: ``File.download``, then pandas on the file."""
    from canvasapi import Canvas
    from canvasapi.file import File

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not tell loopback from other plain HTTP
        client = Canvas(case.url, case.token)
    (run,) = client.get_account(1).get_index_of_reports(REPORT)
    file = File(run._requester, run.attachment)
    target = Path(case.store) / "canvasapi.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    yield
    file.download(str(target))
    return _parsed(target)


def polars_local(case: Case) -> Way:
    """The limit: the file lies on this disk already, every cell as text (guessing fails on the first SIS id)."""
    import polars as pl

    yield
    return pl.read_csv(case.csv, infer_schema=False).height


def diff_ours(case: Case) -> Way:
    """Ours: what changed between two runs, both in memory as pandas."""
    import canvas_reports_nb as crn

    older, newer = _two_runs(case)
    yield
    found = crn.diff(older, newer)
    return _all_found(found.counts["added"], found.counts["cells"], newer)


def diff_pandas(case: Case) -> Way:
    """The same with a plain merge, then column by column."""
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
    """Our package and all it loads."""
    yield
    import canvas_reports_nb

    return len(canvas_reports_nb.__all__)


def import_theirs(_: Case) -> Way:
    """What a notebook that uses our package loads anyway."""
    yield
    import pandas as pd
    import polars as pl
    import requests

    return len({pd, pl, requests})


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
    """The file, and the same as if a run before: fewer rows, the other way round, other states."""
    import canvas_reports_nb as crn

    newer = crn.read_file(case.csv)
    older = newer.iloc[: DIFF_ADDED - 1 : -1].reset_index(drop=True)
    other = older["section_id"].where(older.index % DIFF_EVERY != 0, "moved")
    return older.assign(section_id=other), newer


def _all_found(added: int, cells: int, newer: Any) -> int:
    wanted = DIFF_ADDED, -(-(len(newer) - DIFF_ADDED) // DIFF_EVERY)
    assert (added, cells) == wanted, f"{added:,} rows and {cells:,} cells are not {wanted}"
    return len(newer)


def _parsed(source: Any, **options: Any) -> int:
    import pandas as pd

    return len(pd.read_csv(source, dtype=str, keep_default_na=False, na_values=[""], **options))


def measure(name: str, case: Case) -> Measured:
    """Run a way in this process, once."""
    way: Way = globals()[name](case)
    next(way)
    begun = time.perf_counter()
    try:
        next(way)
    except StopIteration as end:
        seconds = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6 * 1024
        return Measured(seconds, peak, end.value)
    raise AssertionError(f"{name} yields twice")


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Case(**json.load(sys.stdin)))._asdict()))
