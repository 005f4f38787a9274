"""Two processes with eight threads each use one store that is far over its limit.

    python tests/benchmarks/stress.py [SECONDS]

Every call must end with the right rows or an error of this package, and a question whose answer may be a day old must
start one run, however many threads ask it at once. The program prints how the calls ended and fails if they broke a
promise.
"""

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from canvas_reports_nb.exceptions import NotStoredError

PROCESSES, THREADS, SECONDS = 2, 8, 60.0
LIMIT = 150_000
"""Bytes in the store: room for about three of the eight answers."""
REPORT = "grade_export_csv"
KEPT = [
    {"enrollment_term_id": term, "include_deleted": deleted}
    for term in (11, 12, 13)
    for deleted in (False, True)
]
"""Questions whose answer may be a day old: one run each."""
FRESH = [{"enrollment_term_id": term, "limiting_period": 30} for term in (12, 13)]
"""Questions that start a new run each time, unless an equal one is in flight."""


def rows_of(frame: Any) -> int:
    """Return a checksum of the rows."""
    import pandas as pd  # noqa: PLC0415 - only the children need it

    return int(pd.util.hash_pandas_object(frame.astype("str"), index=False).sum())


class Worker:
    """One thread that asks at random until the time is up."""

    def __init__(self, number: int, canvas: crn.Connection, wanted: dict[str, int], ends: float) -> None:
        self.random, self.canvas, self.wanted, self.ends = random.Random(number), canvas, wanted, ends
        self.outcomes: Counter[str] = Counter()

    def run(self) -> None:
        for _ in range(100_000):
            if time.monotonic() > self.ends:
                return
            name = self.random.choice(["kept"] * 6 + ["fresh", "many", "offline", "clear", "lazy"])
            try:
                outcome = getattr(self, name)()
            except NotStoredError as error:
                outcome = "not stored" if name == "offline" else f"NotStoredError: {error.message}"
            except Exception as error:  # noqa: BLE001 - the program counts them
                ours = isinstance(error, crn.CanvasReportsError)
                outcome = f"{'' if ours else 'FOREIGN '}{type(error).__name__}: {str(error)[:300]}"
            self.outcomes[f"{name}: {outcome}"] += 1

    def check(self, asked: dict[str, Any], frame: Any) -> str:
        return "right rows" if rows_of(frame) == self.wanted[json.dumps(asked)] else "WRONG ROWS"

    def kept(self) -> str:
        asked = self.random.choice(KEPT)
        return self.check(asked, self.canvas.read_report(REPORT, **asked, progress=False, timeout=120))

    def fresh(self) -> str:
        asked = self.random.choice(FRESH)
        frame = self.canvas.read_report(REPORT, **asked, max_age=0, progress=False, timeout=120)
        return self.check(asked, frame)

    def offline(self) -> str:
        asked = self.random.choice(KEPT)
        return self.check(asked, self.canvas.read_report(REPORT, **asked, offline=True))

    def lazy(self) -> str:
        # Not of the report that is cleared: clearing the store takes a lazy frame's file away.
        frame = self.canvas.scan_report("zero_activity_csv", progress=False, timeout=120).collect()
        return "right number of rows" if len(frame) else "NO ROWS"

    def many(self) -> str:
        chosen = self.random.sample(KEPT, 3)
        found = self.canvas.read_reports(
            [{"report": REPORT, **asked} for asked in chosen], progress=False, timeout=120
        )
        parts = [found.iloc[start : start + size] for start, size in spans(found, chosen)]
        columns = [name for name in found.columns if name not in chosen[0] and name != "report"]
        checked = {self.check(asked, part[columns]) for asked, part in zip(chosen, parts, strict=True)}
        return " and ".join(sorted(checked))

    def clear(self) -> str:
        if self.random.random() < 0.1:
            self.canvas.store.clear(REPORT)
        return "done"


def spans(frame: Any, chosen: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return where the rows of each question begin, and how many there are."""
    sizes = [
        int(
            (
                (frame["enrollment_term_id"] == each["enrollment_term_id"])
                & (frame["include_deleted"] == each["include_deleted"])
            ).sum()
        )
        for each in chosen
    ]
    return [(sum(sizes[:place]), size) for place, size in enumerate(sizes)]


def child(number: int, url: str, token: str, store: str, *given: str) -> None:
    """Ask in eight threads, half of them over one connection."""
    warnings.simplefilter("ignore")
    wanted, seconds = given
    ends = time.monotonic() + float(seconds)
    connect = lambda: crn.connect(url, token, store=store, store_limit=LIMIT)  # noqa: E731 - a function would be longer
    shared = connect()
    workers = [
        Worker(100 * number + each, shared if each % 2 else connect(), json.loads(wanted), ends)
        for each in range(THREADS)
    ]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(sum((worker.outcomes for worker in workers), Counter())))


def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder, demo_canvas.serve(enrollments=3000, duration=0.3) as server:
        wanted = {}
        with crn.connect(server.url, server.token, store=Path(folder) / "first") as canvas:
            for asked in (*KEPT, *FRESH):
                wanted[json.dumps(asked)] = rows_of(canvas.read_report(REPORT, **asked, progress=False))
            size = canvas.store.info()["bytes"].sum()
        server._canvas.runs.clear()
        before = len(server.log)
        store = str(Path(folder) / "store")
        given = [server.url, server.token, store, json.dumps(wanted), str(seconds)]
        children = [
            subprocess.Popen(
                [sys.executable, __file__, "--child", str(number), *given], stdout=subprocess.PIPE, text=True
            )
            for number in range(PROCESSES)
        ]
        outcomes: Counter[str] = Counter()
        codes = []
        for each in children:
            output, _ = each.communicate(timeout=seconds + 300)
            codes.append(each.returncode)
            outcomes.update(
                json.loads(output.splitlines()[-1]) if output.strip() else {"FOREIGN: no output": 1}
            )
        started = Counter(json.dumps(dict(sorted(run.parameters.items()))) for run in server._canvas.runs)
        requests = len(server.log) - before
        left = crn.Store(store).info()["bytes"].sum()
    calls = sum(outcomes.values())
    print(f"{PROCESSES} processes, {THREADS} threads each, {seconds:g} s: {calls} calls, {requests} requests")
    print(f"all answers need {size:,} bytes, the store may take {LIMIT:,} and holds {left:,} at the end")
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:>7} {outcome}")
    for parameters, count in sorted(started.items()):
        print(f"{count:>7} runs of {parameters}")
    wrong = [
        outcome
        for outcome in outcomes
        if not outcome.endswith(("right rows", "done", "not stored", "right number of rows"))
    ]
    twice = [asked for asked, count in started.items() if "limiting_period" not in asked and count > 1]
    print("broken promises:", [*wrong, *twice, *(code for code in codes if code)] or "none")
    return bool(wrong or twice or any(codes))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]), *sys.argv[3:])
    else:
        sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
