"""How the cost of one call grows with the store: ``python growth.py`` prints milliseconds of the processor as JSON.

The store holds copies of one small run of the demo, each with other parameters, and the shortest of several calls
counts.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from canvas_reports_nb._disk import file_facts
from canvas_reports_nb.catalog.query import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from canvas_reports_nb.store.store import Store
    from canvas_reports_nb.store.stored_run import ReportResult

REPORT = "grade_export_csv"
SIZES = (10, 200, 2_000)
RUNS = (100, 5_000)
QUERIES = 40
QUIET: dict[str, Any] = {"progress": False}


def main() -> None:
    """Measure, and print one list per call with a number for each size of the store."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, crn.demo(store=folder) as canvas:
        canvas.read_report(REPORT, **QUIET)
        (first,) = canvas.store.runs()
        for size in SIZES:
            _fill(canvas.store, first, size)
            for name, milliseconds in _calls(canvas, size):
                found.setdefault(name, []).append(milliseconds)
    found[f"history of {RUNS[0]:,} and {RUNS[1]:,} runs, per run"] = list(map(_history, RUNS))
    print(json.dumps(found))


def _calls(canvas: crn.Connection, size: int) -> Iterator[tuple[str, float]]:
    queries = [{"report": REPORT, "limiting_period": 1 + number % (size - 1)} for number in range(QUERIES)]
    asked = {"limiting_period": 1}
    run_id = next(run.origin.run_id for run in canvas.store.runs() if not run.origin.parameters) or 0
    yield "cached read", _cpu(lambda: canvas.read_report(REPORT, **asked, **QUIET))
    yield "cached scan", _cpu(lambda: canvas.scan_report(REPORT, **asked, **QUIET))
    batch = _cpu(lambda: canvas.read_reports(queries, **QUIET))
    yield f"{QUERIES} queries in a batch, per query", batch / min(size - 1, QUERIES)
    yield "store.info(), per run", _cpu(canvas.store.info) / size
    full = partial(_make_full, canvas, run_id)
    yield "fetch with eviction", _cpu(lambda: canvas.attach(REPORT, run_id).result(**QUIET), full)


def _make_full(canvas: crn.Connection, run_id: int) -> None:
    """Remove a run, and set the limit so that storing it again removes another one."""
    canvas.store.limit = int(canvas.store.info()["bytes"].sum()) - 1
    stored = canvas.store.find(canvas.url, canvas.account_id, REPORT, run_id)
    if stored is not None:
        canvas.store.discard(stored)


def _fill(store: Store, run: ReportResult, size: int) -> None:
    """Copy a stored run until the store holds so many, each with other parameters."""
    text = json.dumps(run.facts)
    for number in range(1, size):
        folder = run.folder.with_name(str(number))
        if folder.exists():
            continue
        shutil.copytree(run.folder, folder)
        facts = json.loads(text)
        parameters = {"limiting_period": number}
        for each in (facts, *facts["tables"].values()):
            each["provenance"].update(run_id=number, parameters=parameters)
        for each in (facts["raw"], *facts["tables"].values()):
            each.update(file_facts(folder / each["file"], each["sha256"]))
        store.seal(folder, {**facts, "key": key_of(REPORT, parameters)})


def _history(runs: int) -> float:
    with (
        tempfile.TemporaryDirectory() as folder,
        demo_canvas.serve(enrollments=300, snapshots=runs) as server,
        crn.connect(server.url, server.token, store=folder) as canvas,
    ):
        canvas.start(REPORT).wait(**QUIET)
        return _cpu(lambda: canvas.history(REPORT), clock=time.thread_time, rounds=1) / runs


def _cpu(
    call: Callable[[], object],
    prepare: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.process_time,
    rounds: int = 3,
) -> float:
    """Return the milliseconds of the processor that a call takes, with those of the demo Canvas in this process."""
    measured = []
    for _ in range(rounds):
        prepare()
        begun = clock()
        call()
        measured.append(clock() - begun)
    return min(measured) * 1e3


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
