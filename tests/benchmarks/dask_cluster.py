"""Group 40 stored runs of 2 million rows on two 600 MB workers: ``python tests/benchmarks/dask_cluster.py``.

Makes one report file, converts it once, and copies its Parquet to 40 stored runs, one per term. Prints the time of
each query, the peak memory of each worker, and whether polars gets the same result from the same files.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import corpus
import polars as pl
from distributed import Client, LocalCluster

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from canvas_reports_nb._disk import file_facts
from canvas_reports_nb.frames import parquet
from canvas_reports_nb.frames.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = Path(tempfile.gettempdir()) / "canvas-reports-benchmarks"
REPORT = "provisioning_csv"
KEYS = ["enrollment_term_id", "role", "status"]
WORKERS = 2


def fill(canvas: crn.Connection, raw: Path, scratch: Path, terms: range) -> None:
    """Store one run per term, as if each had been downloaded."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    origin = Provenance(report=REPORT, account="self", ended_at=now, retrieved_at=now, source=raw.name)
    made = parquet.derive_here(raw, scratch, origin)
    facts = {"file": "raw.csv", "size": raw.stat().st_size, "sha256": file_facts(raw)["sha256"]}
    for term in terms:
        given = origin.replace(run_id=term, parameters={"enrollments": True, "enrollment_term_id": term})
        with canvas.store.lock(canvas.url, "self", REPORT, term) as folder:
            os.link(raw, folder / "raw.csv")  # nothing reads it here; a copy would only use disk space
            tables = {}
            for name, table in made.tables.items():
                shutil.copyfile(scratch / table["file"], folder / table["file"])
                own = given.replace(table=name, rows=table["provenance"]["rows"])
                tables[name] = {**table, "provenance": own.to_dict()}
            canvas.store.seal(folder, {"provenance": given.to_dict(), "raw": facts, "tables": tables})


def peak_mb() -> float:
    """Return the peak memory of this process in MB (Linux)."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) * 1024 / 1e6


def by_dask(lazy: Any) -> dict[str, Any]:
    """Return the queries, to be computed on the workers."""
    groups = lazy.groupby(KEYS, observed=True)
    return {
        "rows and newest id by term, role, status": groups.agg(
            {"canvas_course_id": "size", "canvas_enrollment_id": "max"}
        ),
        "values in every column": lazy.count(),
    }


def by_polars(lazy: pl.LazyFrame) -> list[list[tuple[Any, ...]]]:
    """Return the results of the same queries, computed by polars in this process."""
    grouped = lazy.group_by(KEYS).agg(pl.len(), pl.col("canvas_enrollment_id").max())
    counted = lazy.select(pl.all().count())
    first, second = (frame.collect(engine="streaming") for frame in (grouped, counted))
    return [
        sorted(first.rows()),
        [(name, *values) for name, values in second.to_dict(as_series=False).items()],
    ]


def rows(computed: Any) -> list[tuple[Any, ...]]:
    """Return a computed result as plain rows."""
    if computed.ndim == 1:
        return list(computed.items())
    return sorted(computed.reset_index().itertuples(index=False, name=None))


@contextmanager
def prepared(runs: int, size: int) -> Iterator[tuple[crn.Connection, Any]]:
    """Yield a connection with the runs in its store and the requests for them; remove everything afterwards."""
    raw = corpus.make(size, CACHE / str(size))
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        demo_canvas.serve(enrollments=100) as server,
        crn.connect(server.url, server.token, store=Path(folder) / "store") as canvas,
    ):
        terms = range(1, runs + 1)
        scratch = Path(folder) / "typed"
        scratch.mkdir()
        fill(canvas, raw, scratch, terms)
        yield canvas, crn.requests_for(REPORT, terms=list(terms), enrollments=True)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--memory", default="600MB")
    given = parser.parse_args()
    print(
        f"{os.cpu_count()} cores; {WORKERS} workers of {given.memory}; {given.runs} runs of {given.rows:,} rows\n"
    )
    with (
        prepared(given.runs, given.rows) as (canvas, requests),
        LocalCluster(
            WORKERS, threads_per_worker=1, memory_limit=given.memory, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        began = time.perf_counter()
        lazy = canvas.scan_reports(requests, engine="dask", progress=False)
        took = time.perf_counter() - began
        wanted = by_polars(canvas.scan_reports(requests, progress=False))
        processes = client.run(os.getpid)
        print("query | seconds | peak MB of each worker | as polars | workers lost")
        print("--- | ---: | ---: | --- | ---:")
        idle = ", ".join(f"{peak:.0f}" for peak in client.run(peak_mb).values())
        print(f"scan_reports: {lazy.npartitions} partitions, nothing computed | {took:.1f} | {idle} | |")
        for (what, query), answer in zip(by_dask(lazy).items(), wanted, strict=True):
            began = time.perf_counter()
            found = rows(query.compute())
            took = time.perf_counter() - began
            peaks = ", ".join(f"{peak:.0f}" for peak in client.run(peak_mb).values())
            lost = len(set(processes.values()) - set(client.run(os.getpid).values()))
            print(f"{what} | {took:.1f} | {peaks} | {'equal' if found == answer else 'DIFFERENT'} | {lost}")


if __name__ == "__main__":
    main()
